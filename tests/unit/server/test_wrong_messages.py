# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that are wrong in every field, sent to the server: the exact failInfo or HTTP status of each."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import sign
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import subject_key_identifier
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scep_device import Bench, Clock

from support import forge
from support import pki as pki_module
from support.bench import SUBJECT
from support.bench import Bench as Forge
from support.forge import Envelope, SignedMessage
from support.wrong import ENROLMENTS, QUERIES, REFUSED, TAMPERED, UNANSWERABLE

CHECK, REQUEST, CERT_ID = FailInfo.BAD_MESSAGE_CHECK, FailInfo.BAD_REQUEST, FailInfo.BAD_CERT_ID


@pytest.fixture(scope="module")
def open_bench(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One server for all messages, which would grant any request that is right."""
    state = Path(shutil.copytree(initialised, tmp_path_factory.mktemp("wrong") / "state"))
    settings = {"challenge": "none", "allow_no_challenge": True, "event_log": True, "mscep_log": True}
    with contextlib.closing(Bench(state, Clock(pki_module.NOW), **settings)) as opened:
        yield opened


@pytest.fixture
def right(open_bench: Bench) -> Forge:
    """A request to this server that is right in every field, to be set wrong in one."""
    shared = pki_module.shared()
    csr = build_csr(shared.device.key, SUBJECT, challenge_password="secret")
    envelope = Envelope(csr, [open_bench.pki.encryption.certificate])
    return Forge(shared, csr, envelope, SignedMessage(envelope.build(), forge.request_attributes(), shared.device))


def answer(bench: Bench, body: bytes, nonce: bytes = forge.NONCE) -> Reply:
    """The verified reply to a forged message."""
    return bench.answer(Request(body, MessageType.PKCS_REQ, "0123ABCD", nonce, pki_module.shared().device))


def test_what_is_right(open_bench: Bench, right: Forge) -> None:
    assert answer(open_bench, right.message.build()).status is PkiStatus.SUCCESS


@pytest.mark.parametrize("what", UNANSWERABLE)
def test_what_cannot_be_answered(open_bench: Bench, right: Forge, what: str) -> None:
    response = open_bench.post(UNANSWERABLE[what](right))
    assert (response.status, response.content_type, response.body.count(b"\n")) == (400, "text/plain", 1)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(open_bench: Bench, right: Forge, what: str) -> None:
    build, _error, fail_info, _known = REFUSED[what]
    reply = answer(open_bench, build(right), b"" if "senderNonce" in what else forge.NONCE)
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, fail_info)


@pytest.mark.parametrize("kind", [*ENROLMENTS, *QUERIES], ids=lambda kind: kind.name)
def test_what_is_wrong_behind_the_encryption(open_bench: Bench, right: Forge, kind: MessageType) -> None:
    """One failInfo and one sentence, whatever it is."""
    bodies = [right.sealed(kind=kind, **changes(right)) for changes in TAMPERED.values()]
    replies = [answer(open_bench, body) for body in bodies]
    assert {reply.fail_info for reply in replies} == {CHECK if kind in ENROLMENTS else CERT_ID}
    assert len({reply.fail_info_text for reply in replies}) == 1


# The PKCS#10 request

_PASSWORD, _EXTENSIONS = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14"
_EMPTY = asn1.sequence()


def csr(
    key: Any = None,
    *,
    version: int = 0,
    attributes: bytes | None = b"\xa0\x00",
    spki: bytes | None = None,
    by: Any = None,
) -> bytes:
    """A PKCS#10 request with these fields, well signed by the key, or by another."""
    key = key or pki_module.shared().device.key
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    information = asn1.sequence(asn1.integer(version), SUBJECT.public_bytes(), spki or public, attributes or b"")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return asn1.sequence(
            information, asn1.sequence(asn1.oid("1.3.101.112")), asn1.bit_string(key.sign(information))
        )
    identifier = asn1.sequence(asn1.oid("1.2.840.10045.4.3.2")) if isinstance(key, ec.EllipticCurvePrivateKey) else None
    signature = asn1.bit_string(sign(by or key, information, "sha256"))
    return asn1.sequence(information, identifier or pki_module.rsa_identifier("sha256"), signature)


def with_attributes(*pairs: tuple[str, tuple[bytes, ...]]) -> bytes:
    """A request with these attributes, each a type and its values."""
    return csr(attributes=asn1.tlv(0xA0, *(forge.attribute(oid, values) for oid, values in pairs)))


def _extension(oid: str, value: bytes) -> bytes:
    return asn1.sequence(asn1.oid(oid), asn1.octet_string(value))


def _san(*names: bytes) -> bytes:
    return _extension("2.5.29.17", asn1.sequence(*names))


_ONE, _TWO = asn1.printable("one"), asn1.printable("two")
_DNS = asn1.tlv(0x82, b"r1")

REQUESTS: dict[str, tuple[Callable[[], bytes], FailInfo | None]] = {
    "right": (csr, None),
    "attributes left out": (lambda: csr(attributes=None), None),
    "a password in UTF-8": (lambda: with_attributes((_PASSWORD, (asn1.utf8("é"),))), None),
    "an attribute that nobody knows": (lambda: with_attributes(("1.2.3.4", (asn1.ASN1_NULL,))), None),
    "version 2": (lambda: csr(version=1), CHECK),
    "version of the future": (lambda: csr(version=99), CHECK),
    "signed by another key": (lambda: csr(by=pki_module.rsa_key("enrolled")), CHECK),
    "two passwords": (lambda: with_attributes((_PASSWORD, (_ONE,)), (_PASSWORD, (_TWO,))), CHECK),
    "the same password twice": (lambda: with_attributes((_PASSWORD, (_ONE,)), (_PASSWORD, (_ONE,))), CHECK),
    "a password without a value": (lambda: with_attributes((_PASSWORD, ())), CHECK),
    "a password that is a number": (lambda: with_attributes((_PASSWORD, (asn1.integer(1),))), CHECK),
    "a password that is no UTF-8": (
        lambda: with_attributes((_PASSWORD, (asn1.tlv(asn1.UTF8_STRING, b"\xff"),))),
        CHECK,
    ),
    "extensions twice": (lambda: with_attributes((_EXTENSIONS, (_EMPTY,)), (_EXTENSIONS, (_EMPTY,))), CHECK),
    "extensions that are a number": (lambda: with_attributes((_EXTENSIONS, (asn1.integer(1),))), CHECK),
    "an extension twice": (lambda: with_attributes((_EXTENSIONS, (asn1.sequence(_san(_DNS), _san(_DNS)),))), CHECK),
    "an alternative name that is none": (
        lambda: with_attributes((_EXTENSIONS, (asn1.sequence(_san(asn1.integer(5))),))),
        CHECK,
    ),
    "an address of three octets": (
        lambda: with_attributes((_EXTENSIONS, (asn1.sequence(_san(asn1.tlv(0x87, bytes(3)))),))),
        CHECK,
    ),
    "a key usage that is none": (
        lambda: with_attributes((_EXTENSIONS, (asn1.sequence(_extension("2.5.29.15", b"\x05\x00")),))),
        CHECK,
    ),
    "an extended key usage of nothing": (
        lambda: with_attributes((_EXTENSIONS, (asn1.sequence(_extension("2.5.29.37", _EMPTY)),))),
        CHECK,
    ),
    "an Ed25519 key": (lambda: csr(ed25519.Ed25519PrivateKey.generate()), CHECK),
    "an EC key": (lambda: csr(pki_module.ec_key("device")), FailInfo.BAD_ALG),
    "a key of 1024 bits": (lambda: csr(pki_module.rsa_key("tiny", 1024)), REQUEST),
    "a key that is none": (lambda: csr(spki=asn1.sequence(_EMPTY, asn1.bit_string(b"x"))), CHECK),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_requests(open_bench: Bench, right: Forge, what: str) -> None:
    build, fail_info = REQUESTS[what]
    reply = answer(open_bench, right.sealed(plain=build()))
    status = PkiStatus.SUCCESS if fail_info is None else PkiStatus.FAILURE
    assert (reply.status, reply.fail_info) == (status, fail_info)


# The contents of CertPoll, GetCert and GetCRL

_NAME = SUBJECT.public_bytes()
CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "unknown name and number": lambda _name: asn1.sequence(_NAME, asn1.integer(1)),
    "unknown name and name": lambda _name: asn1.sequence(_NAME, _NAME),
    "name alone": asn1.sequence,
    "number alone": lambda _name: asn1.sequence(asn1.integer(1)),
    "name as a SET": lambda name: asn1.sequence(asn1.tlv(asn1.SET, name), asn1.integer(1)),
    "number as octets": lambda name: asn1.sequence(name, asn1.octet_string(b"\1")),
    "an empty number": lambda name: asn1.sequence(name, asn1.tlv(asn1.INTEGER)),
    "number first": lambda name: asn1.sequence(asn1.integer(1), name),
    "three fields": lambda name: asn1.sequence(name, asn1.integer(1), asn1.integer(1)),
    "as a SET": lambda name: asn1.tlv(asn1.SET, name, asn1.integer(1)),
    "cut off": lambda name: asn1.sequence(name, asn1.integer(1))[:-1],
    "something behind": lambda name: asn1.sequence(name, asn1.integer(1)) + b"x",
    "the name of the CA alone": lambda name: name,
    "a web page": lambda _name: b"<html></html>",
}


@pytest.mark.parametrize("kind", QUERIES, ids=lambda kind: kind.name)
def test_contents_that_name_nothing(open_bench: Bench, right: Forge, kind: MessageType) -> None:
    """All of them get the words of what does not decrypt. Who asks has no transaction that a CertPoll could find."""
    right = replace(right, message=right.message.but(signer=right.pki.enrolled))
    expected = answer(open_bench, right.sealed(kind=kind, encrypted_key=b"\1" * 256))
    for what, build in CONTENTS.items():
        reply = answer(open_bench, right.sealed(kind=kind, plain=build(open_bench.pki.issuer_der)))
        assert (reply.fail_info, reply.fail_info_text) == (CERT_ID, expected.fail_info_text), what


# What clients do and no harm comes of


def _with(oid: str, *values: bytes, **changes: Any) -> Callable[[Forge], bytes]:
    return lambda forged: forged.signed(attributes={oid: list(values)}, **changes)


def _unsigned_octets(old: bytes, new: bytes) -> Callable[[Forge], bytes]:
    """The first occurrence of some octets that no signature covers is replaced."""

    def build(forged: Forge) -> bytes:
        body = forged.message.build()
        assert old in body
        return body.replace(old, new, 1)

    return build


_SHA256, _SHA512 = (asn1.sequence(asn1.oid(forge.DIGEST_OIDS[name]), asn1.ASN1_NULL) for name in ("sha256", "sha512"))

TAKEN: dict[str, Callable[[Forge], bytes]] = {
    "SignedData of version 99": _unsigned_octets(b"\x02\x01\x01\x31", b"\x02\x01\x63\x31"),
    "SignerInfo of version 99": _unsigned_octets(b"\x02\x01\x01\x30", b"\x02\x01\x63\x30"),
    "digestAlgorithms of another digest": _unsigned_octets(_SHA256, _SHA512),
    "EnvelopedData of version 99": lambda forged: forged.sealed(version=99),
    "transactionID in UTF-8": _with(forge.TRANSACTION_ID, asn1.utf8("0123ABCD")),
    "messageType in UTF-8": _with(forge.MESSAGE_TYPE, asn1.utf8("19")),
    "a senderNonce of 64 octets": _with(forge.SENDER_NONCE, asn1.octet_string(bytes(64))),
    "a senderNonce of one octet": _with(forge.SENDER_NONCE, asn1.octet_string(b"x")),
    "a signing time": _with(forge.SIGNING_TIME, asn1.tlv(0x17, b"490101000000Z")),
    "attributes out of order": lambda forged: forged.signed(sent_in_order=True),
    "unsigned attributes": lambda forged: forged.signed(unsigned={forge.MESSAGE_TYPE: [asn1.printable("99")]}),
    "indefinite lengths": lambda forged: forged.signed(pieces=500),
    "an envelope of indefinite lengths": lambda forged: forged.sealed(style="indefinite"),
    "an envelope as Go writes it": lambda forged: forged.sealed(style="go"),
    "two recipients": lambda forged: forged.sealed(
        recipients=[forged.pki.ca.certificate, *forged.envelope.recipients], rids=None
    ),
    "the signer named by its key": lambda forged: forged.signed(
        signer=forged.pki.enrolled,
        sid=asn1.tlv(0x80, subject_key_identifier(forged.pki.enrolled.certificate) or b""),
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_taken(open_bench: Bench, right: Forge, what: str) -> None:
    body = TAKEN[what](right)
    nonce = {"a senderNonce of 64 octets": bytes(64), "a senderNonce of one octet": b"x"}.get(what, forge.NONCE)
    if "named by its key" in what:
        reply = open_bench.refusal(Request(body, MessageType.PKCS_REQ, "0123ABCD", nonce, pki_module.shared().enrolled))
        assert "another key" in str(reply.fail_info_text), "the signature holds: the PKCS#10 is not of that key"
    else:
        assert answer(open_bench, body, nonce).status is PkiStatus.SUCCESS
