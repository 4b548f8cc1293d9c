# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are wrong in every field, and what a server answers; made from one that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    BadKeySize,
    BadRequest,
    DigestMismatch,
    MessageError,
    NoSignerCertificate,
    SignatureInvalid,
    WrongRecipient,
)

from . import forge
from . import pki as pki_module
from .bench import SUBJECT, Bench, ec_signer, tiny_signer

HTML = b"<html><body>It works!</body></html>"

# Nothing can be signed and addressed in answer to these.
UNANSWERABLE: dict[str, Callable[[Bench], bytes]] = {
    "nothing": lambda _unused: b"",
    "a web page": lambda _unused: HTML,
    "zeros": lambda _unused: bytes(1000),
    "cut off": lambda b: b.message.build()[:-1],
    "followed by something": lambda b: b.message.build() + b"x",
    "a certificate": lambda b: pki_module.der(b.pki.ca.certificate),
    "a bare PKCS#10": lambda b: b.csr,
    "an envelope without a signature": lambda b: b.envelope.build(),
    "no signer": lambda b: forge.degenerate([pki_module.der(b.pki.device.certificate)]),
    "two signers": lambda b: b.signed(signers=2),
    "no signed attributes": lambda b: b.signed(no_attributes=True),
    "no transactionID": lambda b: b.signed(attributes={forge.TRANSACTION_ID: None}),
    "an empty transactionID": lambda b: b.signed(attributes={forge.TRANSACTION_ID: [asn1.printable("")]}),
    "a transactionID of 256": lambda b: b.signed(attributes={forge.TRANSACTION_ID: [asn1.printable("x" * 256)]}),
    "a transactionID with a line break": lambda b: b.signed(
        attributes={forge.TRANSACTION_ID: [asn1.printable("a\nb")]}
    ),
    "a transactionID with NUL": lambda b: b.signed(
        attributes={forge.TRANSACTION_ID: [asn1.tlv(asn1.BMP_STRING, b"\0a")]}
    ),
    "two transactionIDs": lambda b: b.signed(
        attributes={forge.TRANSACTION_ID: [asn1.printable("a"), asn1.printable("b")]}
    ),
    "a transactionID without a value": lambda b: b.signed(attributes={forge.TRANSACTION_ID: []}),
    "a senderNonce of 65 octets": lambda b: b.signed(attributes={forge.SENDER_NONCE: [asn1.octet_string(bytes(65))]}),
    "two senderNonces": lambda b: b.signed(
        attributes={forge.SENDER_NONCE: [asn1.octet_string(b"a"), asn1.octet_string(b"b")]}
    ),
    "65 certificates": lambda b: b.signed(certificates=[pki_module.der(b.pki.device.certificate)] * 65),
}

ALG, CHECK, REQUEST = FailInfo.BAD_ALG, FailInfo.BAD_MESSAGE_CHECK, FailInfo.BAD_REQUEST
RC2 = "1.2.840.113549.3.2"
OAEP = "1.2.840.113549.1.1.7"

# (message, exact class of the error, failInfo, whether the signer is known)
REFUSED: dict[str, tuple[Callable[[Bench], bytes], type[MessageError], FailInfo, bool]] = {
    "an unknown digest": (lambda b: b.signed(digest="sha224"), BadAlgorithm, ALG, False),
    "MD5 without the switch": (lambda b: b.signed(digest="md5"), BadAlgorithm, ALG, False),
    "no certificate": (lambda b: b.signed(certificates=[]), NoSignerCertificate, CHECK, False),
    "another certificate": (
        lambda b: b.signed(certificates=[pki_module.der(b.pki.enrolled.certificate)]),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a signer that is not there": (
        lambda b: b.signed(sid=forge.issuer_and_serial(b.pki.ca.certificate)),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a key identifier that is not there": (
        lambda b: b.signed(sid=asn1.tlv(0x80, b"nobody")),
        NoSignerCertificate,
        CHECK,
        False,
    ),
    "a broken certificate": (
        lambda b: b.signed(certificates=[asn1.sequence(asn1.ASN1_NULL)]),
        BadRequest,
        REQUEST,
        False,
    ),
    "a signer with a small key": (lambda b: b.signed(signer=tiny_signer()), BadKeySize, REQUEST, False),
    "a signer with an EC key": (lambda b: b.signed(signer=ec_signer()), BadAlgorithm, ALG, False),
    "no contentType": (
        lambda b: b.signed(drop=frozenset({forge.CONTENT_TYPE})),
        DigestMismatch,
        CHECK,
        True,
    ),
    "another contentType": (
        lambda b: b.with_attribute(forge.CONTENT_TYPE, asn1.oid(forge.SIGNED)),
        DigestMismatch,
        CHECK,
        True,
    ),
    "content of another type": (
        lambda b: b.signed(content_type=forge.SIGNED),
        DigestMismatch,
        CHECK,
        True,
    ),
    "contentType twice": (
        lambda b: b.with_attribute(forge.CONTENT_TYPE, asn1.oid(forge.DATA), asn1.oid(forge.DATA)),
        BadRequest,
        REQUEST,
        True,
    ),
    "contentType is no OID": (
        lambda b: b.with_attribute(forge.CONTENT_TYPE, asn1.integer(1)),
        BadRequest,
        REQUEST,
        True,
    ),
    "no messageDigest": (
        lambda b: b.signed(drop=frozenset({forge.MESSAGE_DIGEST})),
        DigestMismatch,
        CHECK,
        True,
    ),
    "another messageDigest": (
        lambda b: b.with_attribute(forge.MESSAGE_DIGEST, asn1.octet_string(bytes(32))),
        DigestMismatch,
        CHECK,
        True,
    ),
    "an empty messageDigest": (
        lambda b: b.with_attribute(forge.MESSAGE_DIGEST, asn1.octet_string(b"")),
        DigestMismatch,
        CHECK,
        True,
    ),
    "signed by another key": (lambda b: b.signed(key=b.pki.enrolled.key), SignatureInvalid, CHECK, True),
    "no signature": (lambda b: b.signed(signature=b""), SignatureInvalid, CHECK, True),
    "a signature of zeros": (lambda b: b.signed(signature=bytes(256)), SignatureInvalid, CHECK, True),
    "signed with another digest than named": (
        lambda b: b.signed(signed_digest="sha512"),
        SignatureInvalid,
        CHECK,
        True,
    ),
    "sorted since it was signed as sent": (
        lambda b: b.signed(signed_in_order=True),
        SignatureInvalid,
        CHECK,
        True,
    ),
    "an unknown signature algorithm": (
        lambda b: b.signed(signature_identifier=asn1.sequence(asn1.oid("1.3.101.112"))),
        BadAlgorithm,
        ALG,
        True,
    ),
    "md5WithRSAEncryption": (
        lambda b: b.signed(signature_identifier=pki_module.rsa_identifier("md5"), signed_digest="md5"),
        BadAlgorithm,
        ALG,
        True,
    ),
    "no messageType": (lambda b: b.with_attribute(forge.MESSAGE_TYPE), BadRequest, REQUEST, True),
    "messageType 18": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("18")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType of a reply": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("3")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType 0": (lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("0")), BadRequest, REQUEST, True),
    "messageType -19": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("-19")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType is a word": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("PKCSReq")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType is empty": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("")),
        BadRequest,
        REQUEST,
        True,
    ),
    "messageType twice": (
        lambda b: b.with_attribute(forge.MESSAGE_TYPE, asn1.printable("19"), asn1.printable("17")),
        BadRequest,
        REQUEST,
        True,
    ),
    "no senderNonce": (lambda b: b.with_attribute(forge.SENDER_NONCE), BadRequest, REQUEST, True),
    "an empty senderNonce": (
        lambda b: b.with_attribute(forge.SENDER_NONCE, asn1.octet_string(b"")),
        BadRequest,
        REQUEST,
        True,
    ),
    "no content": (lambda b: b.signed(content=None), BadRequest, REQUEST, True),
    "empty content": (lambda b: b.signed(content=b""), BadRequest, REQUEST, True),
    "content is not enveloped": (lambda b: b.signed(content=b.csr), BadRequest, REQUEST, True),
    "content is a web page": (lambda b: b.signed(content=HTML), BadRequest, REQUEST, True),
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

# What is wrong behind the encryption, as changes of the envelope
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


ENROLMENTS = (MessageType.PKCS_REQ, MessageType.RENEWAL_REQ)
QUERIES = (MessageType.CERT_POLL, MessageType.GET_CERT, MessageType.GET_CRL)
