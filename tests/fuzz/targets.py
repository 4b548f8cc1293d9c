# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed, in one table: what is done with the bytes, and with which bytes it starts.

Random bytes in a signed message end at its signature. So the layers have targets of their own, and what stands around
the bytes is put right: an envelope is signed, a content is encrypted and then signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, replies, wire
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr, read_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import MessageError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Request,
    RequestHeader,
    open_request,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import RaRules, TrustAnchor, resolve

from support import bench as bench_module
from support import forge
from support import pki as pki_module
from support.answers import ca_certificates
from support.bench import SUBJECT, Bench
from support.forge import CIPHER_OIDS, Attributes, Envelope, SignedMessage
from support.pki import NOW, Pki, der

LEGACY = policy(legacy=True)
_CONTENT_KEY = b"k" * 16
_VECTOR = b"v" * 16
_TRANSACTION = "0123ABCD"


@dataclass(frozen=True)
class Target:
    """`run` takes any bytes and raises nothing but ScepError; it takes at least one of `seeds` without any error.

    `head`: octets ahead of the ASN.1 structure.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    head: int = 0


# --- the server's side -----------------------------------------------------------------------------------------------


def open_as_server(body: bytes) -> None:
    """What a server does with a request, a refusal included: that has to be answered as well."""
    pki = pki_module.shared()
    try:
        request = open_request(body, [pki.ra_encrypt, pki.ca], LEGACY)
        if request.csr is not None:
            verify_csr(request.csr, LEGACY)
    except MessageError as error:
        if error.request is not None:
            replies.failure(error.request, pki.ec_ra, error.fail_info or FailInfo.BAD_REQUEST, text=str(error))
        raise


def contents() -> dict[MessageType, bytes]:
    """A messageData for each messageType of a request."""
    bench = bench_module.bench()
    ca = bench.pki.ca.certificate
    issuer_and_serial = asn1.sequence(ca.subject.public_bytes(), asn1.integer(ca.serial_number))
    return {
        MessageType.PKCS_REQ: bench.csr,
        MessageType.RENEWAL_REQ: bench.csr,
        MessageType.CERT_POLL: asn1.sequence(ca.subject.public_bytes(), SUBJECT.public_bytes()),
        MessageType.GET_CERT: issuer_and_serial,
        MessageType.GET_CRL: issuer_and_serial,
    }


def request_seeds() -> Iterable[bytes]:
    bench = bench_module.bench()
    for kind, content in contents().items():
        yield bench.sealed(kind, plain=content)
    for cipher in CIPHER_OIDS:
        yield bench.sealed(cipher=cipher)
    for digest in forge.DIGEST_OIDS:
        yield bench.signed(digest=digest)
    yield bench.signed(pieces=100)
    yield bench.sealed(style="go")
    yield bench.sealed(style="indefinite")


def envelope_seeds() -> Iterable[bytes]:
    bench = bench_module.bench()
    for cipher in CIPHER_OIDS:
        yield replace(bench.envelope, cipher=cipher).build()
    for style in ("go", "indefinite"):
        yield replace(bench.envelope, style=style).build()
    yield replace(bench.envelope, recipients=[one.certificate for one in (bench.pki.ca, bench.pki.ra_encrypt)]).build()


def content_seeds() -> Iterable[bytes]:
    return (bytes((kind,)) + content for kind, content in contents().items())


def open_envelope(data: bytes) -> None:
    """The bytes stand where the EnvelopedData should."""
    open_as_server(bench_module.bench().signed(content=data))


def open_content(data: bytes) -> None:
    """The first octet is the messageType, the rest the messageData, encrypted as it should be."""
    bench = bench_module.bench()
    envelope = sealed(data[1:], bench.envelope)
    kind = asn1.printable(str(data[0] if data else 0))
    open_as_server(bench.signed(content=envelope.build(), attributes={forge.MESSAGE_TYPE: [kind]}))


def sealed(plain: bytes, envelope: Envelope) -> Envelope:
    """The envelope around other bytes, under one content key, which is encrypted once: RSA is dear."""
    encrypted_key = _encrypted_key(der(envelope.recipients[0]))
    return replace(envelope, plain=plain, key=_CONTENT_KEY, vector=_VECTOR, encrypted_key=encrypted_key)


@cache
def _encrypted_key(recipient: bytes) -> bytes:
    bench = bench_module.bench()
    certificate = next(one for one in (bench.pki.ra_encrypt, bench.pki.device) if der(one.certificate) == recipient)
    found = asn1.read(Envelope(b"", [certificate.certificate], key=_CONTENT_KEY).build())
    return found.child(1).child(0).child(1).child(0).child(3).octets()


def csr_seeds() -> Iterable[bytes]:
    bench = bench_module.bench()
    yield bench.csr
    for key in (bench.pki.device.key, bench.pki.ec_ca.key):
        for digest in ("sha1", "sha512"):
            yield build_csr(key, SUBJECT, challenge_password="pass@word_1", digest=digest)
        yield build_csr(key, SUBJECT)


def open_csr(data: bytes) -> None:
    verify_csr(read_csr(data), LEGACY)


# --- the client's side -----------------------------------------------------------------------------------------------


def asked() -> Request:
    """The request that the replies answer. Of its message nothing is needed."""
    return Request(b"", MessageType.PKCS_REQ, _TRANSACTION, forge.NONCE, pki_module.shared().device)


def open_as_client(body: bytes) -> None:
    """What a client does with a reply."""
    pki = pki_module.shared()
    ca = ca_certificates(pki.ndes, pki.ca.certificate)
    reply = replies.open_reply(body, asked(), ca, LEGACY, NOW)
    if reply.certificates:
        replies.select_issued(reply, pki.device.key.public_key(), ca, NOW)


def reply_seeds() -> Iterable[bytes]:
    pki, request = pki_module.shared(), asked()
    issued = pki.issue(pki.device.key)
    for digest in ("sha1", "sha256", "sha512"):
        header = RequestHeader(
            request.message_type, _TRANSACTION, forge.NONCE, pki.device.certificate, digest, "aes-128-cbc"
        )
        yield replies.success(header, pki.ra_sign, [issued, pki.ca.certificate])
        yield replies.failure(header, pki.ra_sign, FailInfo.BAD_REQUEST, text="no", hresult=0x80070057)
        yield replies.failure(header, pki.ca, FailInfo.BAD_TIME, empty_content=b"\0")
        yield replies.pending(header, pki.ra_sign)
    yield reply_message(certificates_of_reply(pki)).but(pieces=100).build()


def certificates_of_reply(pki: Pki) -> bytes:
    """An EnvelopedData with the issued certificate and its CA."""
    plain = forge.degenerate([der(pki.issue(pki.device.key)), der(pki.ca.certificate)])
    return Envelope(plain, [pki.device.certificate]).build()


def reply_message(content: bytes) -> SignedMessage:
    """A SUCCESS that is right in every field, around `content`."""
    attributes: Attributes = forge.reply_attributes(0, _TRANSACTION, forge.NONCE)
    return SignedMessage(content, attributes, pki_module.shared().ra_sign)


def open_reply_content(data: bytes) -> None:
    """The bytes are what the reply's envelope holds."""
    device = pki_module.shared().device.certificate
    open_as_client(reply_message(sealed(data, Envelope(b"", [device])).build()).build())


def reply_content_seeds() -> Iterable[bytes]:
    pki = pki_module.shared()
    issued = der(pki.issue(pki.device.key))
    yield forge.degenerate([issued])
    yield forge.degenerate([der(pki.ca.certificate), issued])


def open_ca_certificates(data: bytes) -> None:
    pki = pki_module.shared()
    anchor = TrustAnchor(certificates=(pki.ca.certificate,))
    resolve(read_ca_certificates(data), anchor, LEGACY, NOW, RaRules(require_eku=False))


def ca_certificate_seeds() -> Iterable[bytes]:
    pki = pki_module.shared()
    yield der(pki.ca.certificate)
    yield der(pki.ec_ca.certificate)
    yield forge.degenerate([der(one) for one in pki.ndes])
    yield forge.degenerate([der(one) for one in (pki.root.certificate, pki.intermediate.certificate)])


# --- HTTP ------------------------------------------------------------------------------------------------------------


def open_query(data: bytes) -> None:
    """A query string as it comes from the socket, and its message."""
    query = wire.parse_query(data.decode("latin-1"))
    if query.message is not None:
        wire.decode_get_message(query.message)


def query_seeds() -> Iterable[bytes]:
    bench: Bench = bench_module.bench()
    yield wire.build_url("", "PKIOperation", bench.csr)[1:].encode()
    yield b"operation=GetCACert&message=ca%20name"
    yield b"operation=PKIOperation&message=MIIB_-8\r\nMIIB+/8%3D%0A"


TARGETS = {
    target.name: target
    for target in (
        Target("request", open_as_server, request_seeds),
        Target("request-envelope", open_envelope, envelope_seeds),
        Target("request-content", open_content, content_seeds, head=1),
        Target("csr", open_csr, csr_seeds),
        Target("reply", open_as_client, reply_seeds),
        Target("reply-content", open_reply_content, reply_content_seeds),
        Target("ca-certificates", open_ca_certificates, ca_certificate_seeds),
        Target("query", open_query, query_seeds),
    )
}
