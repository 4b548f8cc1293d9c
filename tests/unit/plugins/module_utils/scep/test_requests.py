# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests: each kind there and back, in all clothes in which clients send them, and wrong in every field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    CIPHERS,
    DIGESTS,
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    UNPROVEN,
    BadAlgorithm,
    BadRequest,
    DecodeError,
    DecryptionFailed,
    DigestMismatch,
    MessageError,
    NoSignerCertificate,
    SignatureInvalid,
    WrongRecipient,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    IncomingRequest,
    Request,
    new_transaction_id,
    open_request,
)
from cryptography import x509

from support import forge
from support import pki as pki_module
from support.forge import Envelope, SignedMessage
from support.pki import Pki, name, rsa_key

SUBJECT = name("device", organization_name="Example")


@pytest.fixture(scope="module")
def csr() -> bytes:
    san = x509.SubjectAlternativeName([x509.DNSName("device.example.com")])
    return build_csr(rsa_key("device"), SUBJECT, challenge_password="secret", extensions=[(san, False)])


@dataclass(frozen=True)
class Bench:
    """A request that is right in every field, to be set wrong in one."""

    pki: Pki
    csr: bytes
    envelope: Envelope
    message: SignedMessage

    def sealed(self, kind: int = 19, **changes: Any) -> bytes:
        """A well-signed message around an envelope with these changes."""
        attributes = {forge.MESSAGE_TYPE: [asn1.printable(str(int(kind)))]}
        return self.message.but(content=replace(self.envelope, **changes).build(), attributes=attributes).build()

    def open(self, body: bytes, allowed: AlgorithmPolicy | None = None) -> IncomingRequest:
        return open_request(body, [self.pki.ra_encrypt], allowed or policy())


@pytest.fixture(scope="module")
def bench(csr: bytes) -> Bench:
    pki = pki_module.shared()
    envelope = Envelope(csr, [pki.ra_encrypt.certificate])
    return Bench(pki, csr, envelope, SignedMessage(envelope.build(), forge.request_attributes(), pki.device))


# --- there and back --------------------------------------------------------------------------------------------------


def make(kind: MessageType, pki: Pki, csr: bytes, digest: str, cipher: str) -> Request:
    to = (pki.device, pki.ra_encrypt.certificate, digest, cipher)
    issuer = pki.ca.certificate.subject
    if kind is MessageType.CERT_POLL:
        return requests.cert_poll(issuer, SUBJECT, *to, transaction_id="POLLED")
    if kind is MessageType.GET_CERT:
        return requests.get_cert(issuer, 2**159 + 7, *to)
    if kind is MessageType.GET_CRL:
        return requests.get_crl(issuer, 2**159 + 7, *to)
    return requests.pkcs_req(csr, *to, renewal=kind is MessageType.RENEWAL_REQ)


KINDS = [kind for kind in MessageType if kind is not MessageType.CERT_REP]


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(
    kind: MessageType, cipher: str, digest: str, pki: Pki, csr: bytes, legacy: AlgorithmPolicy
) -> None:
    request = make(kind, pki, csr, digest, cipher)
    found = open_request(request.message, [pki.ra_sign, pki.ra_encrypt], legacy)
    header = found.header
    assert (header.message_type, header.digest, header.cipher) == (kind, digest, cipher)
    assert (header.transaction_id, header.sender_nonce) == (request.transaction_id, request.sender_nonce)
    assert header.signer == pki.device.certificate
    assert request.message_type is kind
    issuer = pki.ca.certificate.subject.public_bytes()
    if kind in (MessageType.PKCS_REQ, MessageType.RENEWAL_REQ):
        assert found.csr is not None
        assert (found.csr.raw, found.csr.challenge_password) == (csr, "secret")
        verify_csr(found.csr, legacy)
        assert (found.issuer, found.subject, found.serial) == (None, None, None)
    elif kind is MessageType.CERT_POLL:
        assert (found.csr, found.issuer, found.subject, found.serial) == (None, issuer, SUBJECT.public_bytes(), None)
        assert header.transaction_id == "POLLED"
    else:
        assert (found.csr, found.issuer, found.subject, found.serial) == (None, issuer, None, 2**159 + 7)


def test_transaction_ids_and_nonces_are_fresh(pki: Pki, csr: bytes) -> None:
    made = [make(MessageType.PKCS_REQ, pki, csr, "sha256", "aes-128-cbc") for _ in range(20)]
    assert len({one.transaction_id for one in made}) == len({one.sender_nonce for one in made}) == 20
    assert all(len(one.sender_nonce) == 16 for one in made)
    for text in (new_transaction_id(), made[0].transaction_id):
        assert len(text) == 32
        assert set(text) <= set("0123456789ABCDEF")


def test_a_given_transaction_id_is_kept(pki: Pki, csr: bytes, bench: Bench) -> None:
    request = requests.pkcs_req(
        csr, pki.device, pki.ra_encrypt.certificate, "sha256", "aes-128-cbc", transaction_id="again and again"
    )
    assert bench.open(request.message).header.transaction_id == request.transaction_id == "again and again"


def test_a_request_cannot_be_encrypted_to_an_ec_key(pki: Pki, csr: bytes) -> None:
    with pytest.raises(BadRequest, match="RSA key only"):
        requests.pkcs_req(csr, pki.device, pki.ec_ca.certificate, "sha256", "aes-128-cbc")


# --- what clients really send ----------------------------------------------------------------------------------------

TRANSACTION_IDS = {
    "base64 of a digest": "q1/+Zz0ZkI4mVwYb8n+PuR3sVnE=",
    "40 hexadecimal digits": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "32 hexadecimal digits": "D41D8CD98F00B204E9800998ECF8427E",
    "78 decimal digits": "1" + "0123456789" * 7 + "0123456",
    "a constant with a blank": "SSCEP transactionId",
    "nothing but 0": "0",
    "255 characters": "x" * 255,
    "outside of PrintableString": "user@example_com*#",
}


@pytest.mark.parametrize("what", TRANSACTION_IDS)
@pytest.mark.parametrize("tag", [asn1.PRINTABLE_STRING, asn1.UTF8_STRING, asn1.IA5_STRING])
def test_transaction_ids(bench: Bench, what: str, tag: int) -> None:
    text = TRANSACTION_IDS[what]
    attributes = {forge.TRANSACTION_ID: [asn1.tlv(tag, text.encode())]}
    assert bench.open(bench.message.but(attributes=attributes).build()).header.transaction_id == text


def identified_by_key(certificate: x509.Certificate) -> bytes:
    found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return asn1.tlv(0x80, found.digest)


def printable_upper_case(certificate: x509.Certificate) -> bytes:
    """The issuer in another string type and another case, which is the same name (RFC 5280 section 7.1)."""
    attribute = asn1.sequence(asn1.oid("2.5.4.3"), asn1.printable("TEST ca"))
    return asn1.sequence(asn1.sequence(asn1.tlv(0x31, attribute)), asn1.integer(certificate.serial_number))


ODD_BUT_RIGHT: dict[str, Callable[[Bench], bytes]] = {
    "nothing odd": lambda b: b.message.build(),
    "BER, content in pieces of 1,000 octets": lambda b: b.message.but(pieces=1000).build(),
    "BER, content in pieces of 7 octets": lambda b: b.message.but(pieces=7).build(),
    "BER inside": lambda b: b.sealed(style="indefinite"),
    "BER inside and outside": lambda b: b.message.but(
        content=replace(b.envelope, style="indefinite").build(), pieces=1000
    ).build(),
    "constructed [0] of definite length inside": lambda b: b.sealed(style="go"),
    "EnvelopedData of version 1": lambda b: b.sealed(version=1),
    "EnvelopedData of version 2": lambda b: b.sealed(version=2, rids=[identified_by_key(b.pki.ra_encrypt.certificate)]),
    "a RecipientInfo for each certificate": lambda b: b.sealed(recipients=b.pki.ndes),
    "the right RecipientInfo last": lambda b: b.sealed(
        recipients=[b.pki.ca.certificate, b.pki.other_ca.certificate, b.pki.ra_encrypt.certificate]
    ),
    "other kinds of RecipientInfo": lambda b: b.sealed(other_recipients=[asn1.tlv(0xA3), asn1.tlv(0xA2, b"\x05\x00")]),
    "issuer in another string type": lambda b: b.sealed(rids=[printable_upper_case(b.pki.ra_encrypt.certificate)]),
    "signer named by its key identifier": lambda b: b.message.but(
        sid=identified_by_key(b.pki.device.certificate)
    ).build(),
    "attributes unsorted, signed as sent": lambda b: b.message.but(sent_in_order=True).build(),
    "attributes unsorted, signed as sorted": lambda b: b.message.but(sent_in_order=True, signed_in_order=False).build(),
    "signingTime": lambda b: b.message.but(attributes={forge.SIGNING_TIME: [asn1.tlv(0x17, b"260601120000Z")]}).build(),
    "CMSAlgorithmProtection": lambda b: b.message.but(
        attributes={"1.2.840.113549.1.9.52": [asn1.sequence(pki_module.rsa_identifier("sha256"))]}
    ).build(),
    "unsigned attributes": lambda b: b.message.but(unsigned={"1.2.3.4": [asn1.ASN1_NULL]}).build(),
    "sha256WithRSAEncryption": lambda b: b.message.but(
        signature_identifier=pki_module.rsa_identifier("sha256")
    ).build(),
    "RSA without NULL": lambda b: b.message.but(signature_identifier=asn1.sequence(asn1.oid(forge.RSA))).build(),
    "digest without NULL": lambda b: b.message.but(
        digest_identifier=asn1.sequence(asn1.oid(forge.DIGEST_OIDS["sha256"]))
    ).build(),
    "further certificates": lambda b: b.message.but(
        certificates=[pki_module.der(one) for one in (*b.pki.ndes, b.pki.device.certificate)]
    ).build(),
    "an attribute certificate among them": lambda b: b.message.but(
        certificates=[asn1.tlv(0xA1, asn1.sequence()), pki_module.der(b.pki.device.certificate)]
    ).build(),
    "CRLs": lambda b: b.message.but(crls=[asn1.sequence(asn1.sequence())]).build(),
    "messageType as UTF8String": lambda b: b.message.but(attributes={forge.MESSAGE_TYPE: [asn1.utf8("19")]}).build(),
    "padding behind the request": lambda b: b.sealed(plain=b.csr + bytes(5)),
    "padding behind the message": lambda b: b.message.build() + bytes(3),
}


@pytest.mark.parametrize("what", ODD_BUT_RIGHT)
def test_odd_but_right(what: str, bench: Bench, allowed: AlgorithmPolicy) -> None:
    found = bench.open(ODD_BUT_RIGHT[what](bench))
    assert found.csr is not None
    assert found.csr.raw == bench.csr
    assert found.header.signer == bench.pki.device.certificate
    assert found.header.transaction_id == "0123ABCD"
    verify_csr(found.csr, allowed)


@pytest.mark.parametrize("size", [1, 8, 17, 64])
def test_nonces_of_any_size_up_to_64(bench: Bench, size: int) -> None:
    attributes = {forge.SENDER_NONCE: [asn1.octet_string(b"n" * size)]}
    assert bench.open(bench.message.but(attributes=attributes).build()).header.sender_nonce == b"n" * size


@pytest.mark.parametrize("serial", [b"0123456789ABCDEF0123456789ABCDEF\0", b"\x7f" * 32, b"\x01"])
def test_serial_numbers_of_33_octets_in_the_signers_certificate(bench: Bench, serial: bytes) -> None:
    key = bench.pki.device.key
    data = pki_module.replace_fields(bench.pki.device.certificate, {1: asn1.tlv(2, serial)}, key)
    signer = Identity(x509.load_der_x509_certificate(data), key)
    header = bench.open(bench.message.but(signer=signer).build()).header
    assert header.signer is not None
    assert header.signer.serial_number == int.from_bytes(serial, "big")


def test_the_recipient_is_found_among_several_identities(bench: Bench) -> None:
    body = bench.message.build()
    for identities in ([bench.pki.ra_sign, bench.pki.ra_encrypt, bench.pki.ca], [bench.pki.ca, bench.pki.ra_encrypt]):
        assert open_request(body, identities, policy()).csr is not None


# --- wrong in every field --------------------------------------------------------------------------------------------

HTML = b"<html><body>It works!</body></html>"

UNANSWERABLE: dict[str, Callable[[Bench], bytes]] = {
    "nothing": lambda _: b"",
    "a web page": lambda _: HTML,
    "zeros": lambda _: bytes(1000),
    "cut off": lambda b: b.message.build()[:-1],
    "followed by something": lambda b: b.message.build() + b"x",
    "a certificate": lambda b: pki_module.der(b.pki.ca.certificate),
    "a bare PKCS#10": lambda b: b.csr,
    "an envelope without a signature": lambda b: b.envelope.build(),
    "no signer": lambda b: forge.degenerate([pki_module.der(b.pki.device.certificate)]),
    "two signers": lambda b: b.message.but(signers=2).build(),
    "no signed attributes": lambda b: b.message.but(no_attributes=True).build(),
    "no transactionID": lambda b: b.message.but(attributes={forge.TRANSACTION_ID: None}).build(),
    "an empty transactionID": lambda b: b.message.but(attributes={forge.TRANSACTION_ID: [asn1.printable("")]}).build(),
    "a transactionID of 256": lambda b: b.message.but(
        attributes={forge.TRANSACTION_ID: [asn1.printable("x" * 256)]}
    ).build(),
    "a transactionID with a line break": lambda b: b.message.but(
        attributes={forge.TRANSACTION_ID: [asn1.printable("a\nb")]}
    ).build(),
    "a transactionID with NUL": lambda b: b.message.but(
        attributes={forge.TRANSACTION_ID: [asn1.tlv(asn1.BMP_STRING, b"\0a")]}
    ).build(),
    "two transactionIDs": lambda b: b.message.but(
        attributes={forge.TRANSACTION_ID: [asn1.printable("a"), asn1.printable("b")]}
    ).build(),
    "a transactionID without a value": lambda b: b.message.but(attributes={forge.TRANSACTION_ID: []}).build(),
    "a senderNonce of 65 octets": lambda b: b.message.but(
        attributes={forge.SENDER_NONCE: [asn1.octet_string(bytes(65))]}
    ).build(),
    "two senderNonces": lambda b: b.message.but(
        attributes={forge.SENDER_NONCE: [asn1.octet_string(b"a"), asn1.octet_string(b"b")]}
    ).build(),
    "65 certificates": lambda b: b.message.but(certificates=[pki_module.der(b.pki.device.certificate)] * 65).build(),
}


@pytest.mark.parametrize("what", UNANSWERABLE)
def test_what_cannot_be_answered(what: str, bench: Bench) -> None:
    with pytest.raises(DecodeError) as caught:
        bench.open(UNANSWERABLE[what](bench))
    assert type(caught.value) is DecodeError
    assert caught.value.fail_info is None


def with_attribute(b: Bench, oid: str, *values: bytes) -> bytes:
    return b.message.but(attributes={oid: list(values)}).build()


def _tiny() -> Identity:
    key = rsa_key("tiny", 1024)
    return Identity(pki_module.certificate("tiny", key), key)


def _ec() -> Identity:
    key = pki_module.ec_key("device")
    return Identity(pki_module.certificate("device", key), key)


ALG, CHECK, REQUEST = FailInfo.BAD_ALG, FailInfo.BAD_MESSAGE_CHECK, FailInfo.BAD_REQUEST
RC2 = "1.2.840.113549.3.2"
OAEP = "1.2.840.113549.1.1.7"

# (message, exact class of the error, failInfo, whether the signer is known)
REFUSED: dict[str, tuple[Callable[[Bench], bytes], type[MessageError], FailInfo, bool]] = {
    "an unknown digest": (lambda b: b.message.but(digest="sha224").build(), BadAlgorithm, ALG, False),
    "MD5 without the switch": (lambda b: b.message.but(digest="md5").build(), BadAlgorithm, ALG, False),
    "no certificate": (lambda b: b.message.but(certificates=[]).build(), NoSignerCertificate, CHECK, False),
    "another certificate": (
        lambda b: b.message.but(certificates=[pki_module.der(b.pki.enrolled.certificate)]).build(),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a signer that is not there": (
        lambda b: b.message.but(sid=forge.issuer_and_serial(b.pki.ca.certificate)).build(),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a key identifier that is not there": (
        lambda b: b.message.but(sid=asn1.tlv(0x80, b"nobody")).build(),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a broken certificate": (
        lambda b: b.message.but(certificates=[asn1.sequence(asn1.ASN1_NULL)]).build(),
        BadRequest,
        REQUEST,
        False,
    ),
    "a signer with a small key": (lambda b: b.message.but(signer=_tiny()).build(), BadRequest, REQUEST, False),
    "a signer with an EC key": (lambda b: b.message.but(signer=_ec()).build(), BadAlgorithm, ALG, False),
    "no contentType": (
        lambda b: b.message.but(drop=frozenset({forge.CONTENT_TYPE})).build(),
        DigestMismatch,
        CHECK,
        True,
    ),
    "another contentType": (
        lambda b: with_attribute(b, forge.CONTENT_TYPE, asn1.oid(forge.SIGNED)),
        DigestMismatch,
        CHECK,
        True,
    ),
    "content of another type": (
        lambda b: b.message.but(content_type=forge.SIGNED).build(),
        DigestMismatch,
        CHECK,
        True,
    ),
    "contentType twice": (
        lambda b: with_attribute(b, forge.CONTENT_TYPE, asn1.oid(forge.DATA), asn1.oid(forge.DATA)),
        BadRequest,
        REQUEST,
        True,
    ),
    "contentType is no OID": (
        lambda b: with_attribute(b, forge.CONTENT_TYPE, asn1.integer(1)),
        BadRequest,
        REQUEST,
        True,
    ),
    "no messageDigest": (
        lambda b: b.message.but(drop=frozenset({forge.MESSAGE_DIGEST})).build(),
        DigestMismatch,
        CHECK,
        True,
    ),
    "another messageDigest": (
        lambda b: with_attribute(b, forge.MESSAGE_DIGEST, asn1.octet_string(bytes(32))),
        DigestMismatch,
        CHECK,
        True,
    ),
    "an empty messageDigest": (
        lambda b: with_attribute(b, forge.MESSAGE_DIGEST, asn1.octet_string(b"")),
        DigestMismatch,
        CHECK,
        True,
    ),
    "signed by another key": (lambda b: b.message.but(key=b.pki.enrolled.key).build(), SignatureInvalid, CHECK, True),
    "no signature": (lambda b: b.message.but(signature=b"").build(), SignatureInvalid, CHECK, True),
    "a signature of zeros": (lambda b: b.message.but(signature=bytes(256)).build(), SignatureInvalid, CHECK, True),
    "signed with another digest than named": (
        lambda b: b.message.but(signed_digest="sha512").build(),
        SignatureInvalid,
        CHECK,
        True,
    ),
    "sorted since it was signed as sent": (
        lambda b: b.message.but(signed_in_order=True).build(),
        SignatureInvalid,
        CHECK,
        True,
    ),
    "an unknown signature algorithm": (
        lambda b: b.message.but(signature_identifier=asn1.sequence(asn1.oid("1.3.101.112"))).build(),
        BadAlgorithm,
        ALG,
        True,
    ),
    "md5WithRSAEncryption": (
        lambda b: b.message.but(signature_identifier=pki_module.rsa_identifier("md5"), signed_digest="md5").build(),
        BadAlgorithm,
        ALG,
        True,
    ),
    "no messageType": (lambda b: with_attribute_gone(b, forge.MESSAGE_TYPE), BadRequest, REQUEST, True),
    "messageType 18": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("18")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType of a reply": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("3")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType 0": (lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("0")), BadRequest, REQUEST, True),
    "messageType -19": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("-19")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType is a word": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("PKCSReq")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType is empty": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType twice": (
        lambda b: with_attribute(b, forge.MESSAGE_TYPE, asn1.printable("19"), asn1.printable("17")),
        BadRequest,
        REQUEST,
        True,
    ),
    "no senderNonce": (lambda b: with_attribute_gone(b, forge.SENDER_NONCE), BadRequest, REQUEST, True),
    "an empty senderNonce": (
        lambda b: with_attribute(b, forge.SENDER_NONCE, asn1.octet_string(b"")),
        BadRequest,
        REQUEST,
        True,
    ),
    "no content": (lambda b: b.message.but(content=None).build(), BadRequest, REQUEST, True),
    "empty content": (lambda b: b.message.but(content=b"").build(), BadRequest, REQUEST, True),
    "content is not enveloped": (lambda b: b.message.but(content=b.csr).build(), BadRequest, REQUEST, True),
    "content is a web page": (lambda b: b.message.but(content=HTML).build(), BadRequest, REQUEST, True),
    "single DES without the switch": (lambda b: b.sealed(cipher="des-cbc"), BadAlgorithm, ALG, True),
    "an unknown cipher": (lambda b: b.sealed(cipher_oid=RC2), BadAlgorithm, ALG, True),
    "another way to encrypt the key": (lambda b: b.sealed(key_oid=OAEP), BadAlgorithm, ALG, True),
    "for somebody else": (
        lambda b: b.sealed(recipients=[b.pki.ca.certificate, b.pki.ra_sign.certificate]),
        WrongRecipient,
        CHECK,
        True,
    ),
    "for nobody": (lambda b: b.sealed(recipients=[]), WrongRecipient, CHECK, True),
    "for another kind of recipient": (
        lambda b: b.sealed(recipients=[], other_recipients=[asn1.tlv(0xA2, b"\x05\x00")]),
        WrongRecipient,
        CHECK,
        True,
    ),
}


def with_attribute_gone(b: Bench, oid: str) -> bytes:
    return b.message.but(attributes={oid: None}).build()


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_with_an_answer(what: str, bench: Bench) -> None:
    build, kind, fail_info, signer_known = REFUSED[what]
    with pytest.raises(MessageError) as caught:
        bench.open(build(bench))
    error = caught.value
    assert (type(error), error.fail_info) == (kind, fail_info)
    assert error.request is not None
    assert error.request.transaction_id == "0123ABCD"
    assert error.request.sender_nonce == (b"" if "senderNonce" in what else forge.NONCE)
    assert (error.request.signer is not None) == signer_known
    assert error.request.digest in DIGESTS
    assert str(error).endswith(".")


def test_the_recipient_with_an_ec_key_is_no_recipient(bench: Bench) -> None:
    """An EC CA behind RSA RAs is an identity of its server, too; whoever names it as recipient gets an answer."""
    rid = forge.issuer_and_serial(bench.pki.ec_ca.certificate)
    body = bench.sealed(rids=[rid])
    with pytest.raises(WrongRecipient):
        open_request(body, [bench.pki.ec_ca, bench.pki.ec_ra], policy())


# --- nothing is told between the encrypted key and a proven request --------------------------------------------------

TAMPERED: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "the key is rubbish": lambda b: {"encrypted_key": b"\x01" * 256},
    "the key has a wrong length": lambda b: {"encrypted_key": b"\x01"},
    "the key is of another cipher": lambda b: {"key": b"k" * 24},
    "an empty key": lambda b: {"key": b""},
    "no vector": lambda b: {"parameters": asn1.ASN1_NULL},
    "a vector of 8 octets": lambda b: {"parameters": asn1.octet_string(bytes(8))},
    "nothing encrypted": lambda b: {"ciphertext": b""},
    "half a block": lambda b: {"ciphertext": bytes(24)},
    "padding of 0": lambda b: {"plain": bytes(16), "padded": False},
    "padding of 17": lambda b: {"plain": b"\x11" * 32, "padded": False},
    "padding is uneven": lambda b: {"plain": bytes(14) + b"\x02\x03", "padded": False},
    "nothing": lambda b: {"plain": b""},
    "rubbish": lambda b: {"plain": b"rubbish"},
    "cut off": lambda b: {"plain": b.csr[:-1]},
    "one octet too many": lambda b: {"plain": b.csr + b"\x01"},
    "an empty SEQUENCE": lambda b: {"plain": asn1.sequence()},
    "a number": lambda b: {"plain": asn1.integer(5)},
    "a certificate": lambda b: {"plain": pki_module.der(b.pki.ca.certificate)},
    "a broken name": lambda b: {"plain": b.csr.replace(b"\x06\x03\x55\x04\x0a", b"\x06\x03\x55\x04\x80")},
    "three names": lambda b: {"plain": asn1.sequence(*[SUBJECT.public_bytes()] * 3)},
    "a name and a string": lambda b: {"plain": asn1.sequence(asn1.utf8("x"), asn1.integer(1))},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TAMPERED)
def test_one_answer_for_whatever_is_wrong_behind_the_encryption(what: str, kind: MessageType, bench: Bench) -> None:
    """Also where the envelope of another kind of request is sent again under this messageType."""
    with pytest.raises(MessageError) as caught:
        bench.open(bench.sealed(kind=kind, **TAMPERED[what](bench)))
    assert type(caught.value) is DecryptionFailed
    assert (str(caught.value), caught.value.fail_info) == (UNPROVEN, FailInfo.BAD_MESSAGE_CHECK)


@pytest.mark.parametrize("kind", [MessageType.CERT_POLL, MessageType.GET_CERT, MessageType.GET_CRL])
def test_the_envelope_of_a_request_under_another_message_type(kind: MessageType, bench: Bench) -> None:
    with pytest.raises(DecryptionFailed, match="does not decrypt"):
        bench.open(bench.sealed(kind=kind))


def test_no_octet_of_a_ciphertext_tells_how_far_its_decryption_came(bench: Bench, allowed: AlgorithmPolicy) -> None:
    """Whoever changes octets of somebody else's envelope gets the same answer to all but the true one."""
    key, vector = b"k" * 16, b"v" * 16
    ciphertext = forge.encrypt("aes-128-cbc", key, vector, bench.envelope.padding())
    answers = set()
    for at in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[at] ^= 1 << at % 8
        body = bench.sealed(key=key, vector=vector, ciphertext=bytes(changed))
        try:
            found = bench.open(body)
            assert found.csr is not None
            verify_csr(found.csr, allowed)
        except MessageError as error:
            answers.add((error.fail_info, str(error)))
        else:
            pytest.fail(f"octet {at} is protected by nothing")
    assert answers == {(FailInfo.BAD_MESSAGE_CHECK, UNPROVEN)}


# --- switches --------------------------------------------------------------------------------------------------------


def test_the_switches(bench: Bench, legacy: AlgorithmPolicy) -> None:
    des = bench.message.but(content=replace(bench.envelope, cipher="des-cbc").build(), digest="md5").build()
    header = bench.open(des, legacy).header
    assert (header.cipher, header.digest) == ("des-cbc", "md5")
    sha1 = bench.message.but(digest="sha1").build()
    assert bench.open(sha1).header.digest == "sha1"
    with pytest.raises(BadAlgorithm, match="SHA-1"):
        bench.open(sha1, policy(allow_sha1=False))
    small = bench.message.but(signer=_tiny()).build()
    assert bench.open(small, policy(min_rsa_bits=1024)).header.signer is not None
