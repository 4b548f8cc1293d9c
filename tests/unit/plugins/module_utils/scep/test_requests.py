# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests: each kind there and back, in all clothes in which clients send them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    CIPHERS,
    DIGESTS,
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadRequest,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    Request,
    new_transaction_id,
    open_request,
)
from cryptography import x509

from support import forge
from support import pki as pki_module
from support.bench import SUBJECT, Bench
from support.pki import Pki

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
    assert request.message_type is found.kind is kind
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
    made = [make(MessageType.PKCS_REQ, pki, csr, "sha256", "aes-128-cbc") for _unused in range(20)]
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
    "BER, content in pieces of 1,000 octets": lambda b: b.signed(pieces=1000),
    "BER, content in pieces of 7 octets": lambda b: b.signed(pieces=7),
    "BER inside": lambda b: b.sealed(style="indefinite"),
    "BER inside and outside": lambda b: b.signed(content=replace(b.envelope, style="indefinite").build(), pieces=1000),
    "constructed [0] of definite length inside": lambda b: b.sealed(style="go"),
    "EnvelopedData of version 1": lambda b: b.sealed(version=1),
    "EnvelopedData of version 2": lambda b: b.sealed(version=2, rids=[identified_by_key(b.pki.ra_encrypt.certificate)]),
    "a RecipientInfo for each certificate": lambda b: b.sealed(recipients=b.pki.ndes),
    "the right RecipientInfo last": lambda b: b.sealed(
        recipients=[b.pki.ca.certificate, b.pki.other_ca.certificate, b.pki.ra_encrypt.certificate]
    ),
    "other kinds of RecipientInfo": lambda b: b.sealed(other_recipients=[asn1.tlv(0xA3), asn1.tlv(0xA2, b"\x05\x00")]),
    "issuer in another string type": lambda b: b.sealed(rids=[printable_upper_case(b.pki.ra_encrypt.certificate)]),
    "signer named by its key identifier": lambda b: b.signed(sid=identified_by_key(b.pki.device.certificate)),
    "attributes unsorted, signed as sent": lambda b: b.signed(sent_in_order=True),
    "attributes unsorted, signed as sorted": lambda b: b.signed(sent_in_order=True, signed_in_order=False),
    "signingTime": lambda b: b.signed(attributes={forge.SIGNING_TIME: [asn1.tlv(0x17, b"260601120000Z")]}),
    "CMSAlgorithmProtection": lambda b: b.signed(
        attributes={"1.2.840.113549.1.9.52": [asn1.sequence(pki_module.rsa_identifier("sha256"))]}
    ),
    "unsigned attributes": lambda b: b.signed(unsigned={"1.2.3.4": [asn1.ASN1_NULL]}),
    "sha256WithRSAEncryption": lambda b: b.signed(signature_identifier=pki_module.rsa_identifier("sha256")),
    "RSA without NULL": lambda b: b.signed(signature_identifier=asn1.sequence(asn1.oid(forge.RSA))),
    "digest without NULL": lambda b: b.signed(digest_identifier=asn1.sequence(asn1.oid(forge.DIGEST_OIDS["sha256"]))),
    "further certificates": lambda b: b.signed(
        certificates=[pki_module.der(one) for one in (*b.pki.ndes, b.pki.device.certificate)]
    ),
    "an attribute certificate among them": lambda b: b.signed(
        certificates=[asn1.tlv(0xA1, asn1.sequence()), pki_module.der(b.pki.device.certificate)]
    ),
    "CRLs": lambda b: b.signed(crls=[asn1.sequence(asn1.sequence())]),
    "messageType as UTF8String": lambda b: b.signed(attributes={forge.MESSAGE_TYPE: [asn1.utf8("19")]}),
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
