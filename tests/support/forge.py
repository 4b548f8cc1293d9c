# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CMS messages with any defect one likes, written apart from the code under test.

Only its DER writer is shared; structure, signatures and encryption are put together here from cryptography.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import ber, pki

DATA, SIGNED, ENVELOPED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
_SCEP = "2.16.840.1.113733.1.9"
MESSAGE_TYPE, PKI_STATUS, FAIL_INFO = f"{_SCEP}.2", f"{_SCEP}.3", f"{_SCEP}.4"
SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION_ID = f"{_SCEP}.5", f"{_SCEP}.6", f"{_SCEP}.7"
FAIL_INFO_TEXT, MS_ERROR = "1.3.6.1.5.5.7.24.1", "1.3.6.1.4.1.311.21.33"
RSA = "1.2.840.113549.1.1.1"

DIGEST_OIDS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
CIPHER_OIDS = {
    "des-cbc": ("1.3.14.3.2.7", 8, 8),
    "des-ede3-cbc": ("1.2.840.113549.3.7", 24, 8),
    "aes-128-cbc": ("2.16.840.1.101.3.4.1.2", 16, 16),
    "aes-192-cbc": ("2.16.840.1.101.3.4.1.22", 24, 16),
    "aes-256-cbc": ("2.16.840.1.101.3.4.1.42", 32, 16),
}
NONCE = bytes(range(16))

Attributes = dict[str, Sequence[bytes]]
"""Dotted type to the DER of its values."""


def request_attributes(kind: int = 19, transaction: str = "0123ABCD", nonce: bytes = NONCE) -> Attributes:
    """The SCEP attributes of a request."""
    return {
        MESSAGE_TYPE: [asn1.printable(str(int(kind)))],
        TRANSACTION_ID: [asn1.printable(transaction)],
        SENDER_NONCE: [asn1.octet_string(nonce)],
    }


def reply_attributes(status: int, transaction: str, nonce: bytes, **more: bytes) -> Attributes:
    """The SCEP attributes of a CertRep; `more`: fail_info=..., fail_info_text=..., ms_error=... in DER."""
    found: Attributes = {
        MESSAGE_TYPE: [asn1.printable("3")],
        PKI_STATUS: [asn1.printable(str(int(status)))],
        TRANSACTION_ID: [asn1.printable(transaction)],
        SENDER_NONCE: [asn1.octet_string(os.urandom(16))],
        RECIPIENT_NONCE: [asn1.octet_string(nonce)],
    }
    oids = {"fail_info": FAIL_INFO, "fail_info_text": FAIL_INFO_TEXT, "ms_error": MS_ERROR}
    found.update({oids[word]: [value] for word, value in more.items()})
    return found


def attribute(oid: str, values: Sequence[bytes]) -> bytes:
    """An Attribute."""
    return asn1.sequence(asn1.oid(oid), asn1.tlv(asn1.SET, *values))


@dataclass(frozen=True)
class SignedMessage:
    """A SignedData in the making; `build` writes it. Every field is there to be set wrong."""

    content: bytes | None
    attributes: Attributes
    signer: Identity
    digest: str = "sha256"
    certificates: Sequence[bytes] | None = None
    """DER, None for the signer's."""
    key: Any = None
    """Signs in place of the signer's own key."""
    sid: bytes | None = None
    digest_identifier: bytes | None = None
    signature_identifier: bytes | None = None
    content_type: str = DATA
    sent_in_order: bool = False
    """The attributes go out as given, not sorted."""
    signed_in_order: bool | None = None
    """The attributes are signed as given; None: as sent."""
    drop: frozenset[str] = frozenset()
    signers: int = 1
    signature: bytes | None = None
    signed_digest: str | None = None
    crls: Sequence[bytes] = ()
    unsigned: Attributes = field(default_factory=dict)
    no_attributes: bool = False
    pieces: int = 0
    """BER with indefinite lengths, the content in pieces of so many octets."""

    def but(self, **changes: Any) -> SignedMessage:
        """The same with changes; `attributes` are merged, and one that is None is taken out."""
        merged = dict(self.attributes)
        for oid, values in changes.pop("attributes", {}).items():
            if values is None:
                merged.pop(oid, None)
            else:
                merged[oid] = values
        return replace(self, attributes=merged, **changes)

    def build(self) -> bytes:
        """The ContentInfo."""
        digest = pki.HASHES.get(self.digest, hashes.SHA224)()
        context = hashes.Hash(digest)
        context.update(self.content or b"")
        own: Attributes = {
            CONTENT_TYPE: [asn1.oid(DATA)],
            MESSAGE_DIGEST: [asn1.octet_string(context.finalize())],
        }
        pairs = {**own, **self.attributes}
        given = [attribute(oid, values) for oid, values in pairs.items() if oid not in self.drop]
        given_set, sorted_set = asn1.tlv(asn1.SET, *given), asn1.set_of(*given)
        sent = given_set if self.sent_in_order else sorted_set
        signed_in_order = self.sent_in_order if self.signed_in_order is None else self.signed_in_order
        covered = given_set if signed_in_order else sorted_set
        if self.no_attributes:
            covered = self.content or b""
        identifier = asn1.sequence(asn1.oid(DIGEST_OIDS[self.digest]), asn1.ASN1_NULL)
        identifier = identifier if self.digest_identifier is None else self.digest_identifier
        signer = asn1.sequence(
            asn1.integer(1),
            self.sid if self.sid is not None else issuer_and_serial(self.signer.certificate),
            identifier,
            b"" if self.no_attributes else b"\xa0" + sent[1:],
            self.signature_identifier
            if self.signature_identifier is not None
            else asn1.sequence(asn1.oid(RSA), asn1.ASN1_NULL),
            asn1.octet_string(self._sign(covered)),
            asn1.tlv(0xA1, *(attribute(oid, values) for oid, values in self.unsigned.items()))
            if self.unsigned
            else b"",
        )
        certificates = [pki.der(self.signer.certificate)] if self.certificates is None else self.certificates
        inner = b"" if self.content is None else asn1.tlv(0xA0, asn1.octet_string(self.content))
        encapsulated = asn1.sequence(asn1.oid(self.content_type), inner)
        if self.pieces and self.content is not None:
            inner = ber.indefinite(0xA0, ber.pieces(0x24, self.content, self.pieces))
            encapsulated = ber.indefinite(0x30, asn1.oid(self.content_type), inner)
        parts = (
            asn1.integer(1),
            asn1.set_of(identifier),
            encapsulated,
            asn1.tlv(0xA0, *certificates) if certificates else b"",
            asn1.tlv(0xA1, *self.crls) if self.crls else b"",
            asn1.tlv(asn1.SET, *([signer] * self.signers)),
        )
        write = ber.indefinite if self.pieces else asn1.tlv
        return write(0x30, asn1.oid(SIGNED), write(0xA0, write(0x30, *parts)))

    def _sign(self, covered: bytes) -> bytes:
        if self.signature is not None:
            return self.signature
        key = self.key or self.signer.key
        algorithm = pki.HASHES.get(self.signed_digest or self.digest, hashes.SHA224)()
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(covered, ec.ECDSA(algorithm))
        signature: bytes = key.sign(covered, padding.PKCS1v15(), algorithm)
        return signature


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber of a certificate, from its own octets."""
    fields = asn1.read(pki.der(certificate)).child(0).children()
    return asn1.sequence(fields[3].raw, fields[1].raw)


@dataclass(frozen=True)
class Envelope:
    """An EnvelopedData in the making."""

    plain: bytes
    recipients: Sequence[x509.Certificate]
    cipher: str = "aes-128-cbc"
    version: int = 0
    key: bytes | None = None
    """The content key, when it is not to be one of the right length."""
    vector: bytes | None = None
    padded: bool = True
    cipher_oid: str | None = None
    key_oid: str = RSA
    encrypted_key: bytes | None = None
    ciphertext: bytes | None = None
    rids: Sequence[bytes] | None = None
    parameters: bytes | None = None
    other_recipients: Sequence[bytes] = ()
    style: str = "der"
    """`der`; `go`: the content constructed with definite lengths; `indefinite`: BER in pieces of 1,000 octets."""

    def build(self) -> bytes:
        """The ContentInfo."""
        oid, key_bytes, block = CIPHER_OIDS[self.cipher]
        content_key = os.urandom(key_bytes) if self.key is None else self.key
        vector = os.urandom(block) if self.vector is None else self.vector
        ciphertext = self.ciphertext
        if ciphertext is None:
            ciphertext = encrypt(self.cipher, content_key[:key_bytes].ljust(key_bytes, b"\0"), vector, self.padding())
        infos = []
        for at, certificate in enumerate(self.recipients):
            encrypted: bytes | None = self.encrypted_key
            if encrypted is None:
                public: Any = certificate.public_key()
                encrypted = public.encrypt(content_key, padding.PKCS1v15())
            infos.append(
                asn1.sequence(
                    asn1.integer(0),
                    self.rids[at] if self.rids else issuer_and_serial(certificate),
                    asn1.sequence(asn1.oid(self.key_oid), asn1.ASN1_NULL),
                    asn1.octet_string(encrypted),
                )
            )
        parameters = asn1.octet_string(vector) if self.parameters is None else self.parameters
        content = {
            "der": lambda: asn1.tlv(0x80, ciphertext),
            "go": lambda: asn1.tlv(0xA0, asn1.octet_string(ciphertext)),
            "indefinite": lambda: ber.pieces(0xA0, ciphertext, 1000),
        }[self.style]()
        write = ber.indefinite if self.style == "indefinite" else asn1.tlv
        body = write(
            0x30,
            asn1.integer(self.version),
            asn1.tlv(asn1.SET, *infos, *self.other_recipients),
            write(0x30, asn1.oid(DATA), asn1.sequence(asn1.oid(self.cipher_oid or oid), parameters), content),
        )
        return write(0x30, asn1.oid(ENVELOPED), write(0xA0, body))

    def padding(self) -> bytes:
        """The content as it is encrypted."""
        block = CIPHER_OIDS[self.cipher][2]
        count = block - len(self.plain) % block
        return self.plain + bytes((count,)) * count if self.padded else self.plain


def encrypt(cipher: str, key: bytes, vector: bytes, padded: bytes) -> bytes:
    """CBC, without padding; single DES by way of 3DES."""
    encryptor = Cipher(_block_cipher(cipher, key), modes.CBC(vector)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt(cipher: str, key: bytes, vector: bytes, ciphertext: bytes) -> bytes:
    """Undo `encrypt`; the padding stays."""
    decryptor = Cipher(_block_cipher(cipher, key), modes.CBC(vector)).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def _block_cipher(cipher: str, key: bytes) -> Any:
    if cipher.startswith("aes"):
        return algorithms.AES(key)
    with warnings.catch_warnings():  # newer versions want it taken from another place
        warnings.simplefilter("ignore")
        return algorithms.TripleDES(key * 3 if cipher == "des-cbc" else key)


def degenerate(certificates: Sequence[bytes], crls: Sequence[bytes] = ()) -> bytes:
    """A SignedData that only carries certificates and CRLs."""
    return asn1.sequence(
        asn1.oid(SIGNED),
        asn1.tlv(
            0xA0,
            asn1.sequence(
                asn1.integer(1),
                asn1.tlv(asn1.SET),
                asn1.sequence(asn1.oid(DATA)),
                asn1.tlv(0xA0, *certificates) if certificates else b"",
                asn1.tlv(0xA1, *crls) if crls else b"",
                asn1.tlv(asn1.SET),
            ),
        ),
    )
