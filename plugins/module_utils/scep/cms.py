# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SignedData and EnvelopedData (RFC 5652), as far as a pkiMessage needs them.

Reading takes BER, writing gives DER, save that the certificates of a SignedData stay in the order in which the caller
gives them, the issued one first, since some clients take the first they find.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .. import _deps
from . import asn1, constants
from .algorithms import CIPHERS, DIGESTS, AlgorithmPolicy, Digest, decrypt, encrypt, sign, signer_digest, verify
from .certificates import der, identity, public_key, subject_key_identifier
from .errors import (
    BadAlgorithm,
    BadRequest,
    DecodeError,
    DecryptionFailed,
    DigestMismatch,
    MalformedContent,
    SignatureInvalid,
    WrongRecipient,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError as exc:
    _deps.missing("cryptography", exc)


_TAG_0, _TAG_1, _IMPLICIT_0 = asn1.context(0), asn1.context(1), asn1.context(0, constructed=False)
_ZERO, _ONE = asn1.integer(0), asn1.integer(1)

MAX_CERTIFICATES = 64
"""Certificates of one SignedData: more than any CA sends, few enough to look for a chain among them."""


@dataclass(frozen=True)
class CertificateId:
    """How CMS names a certificate: issuer (as encoded) and serial number, or a subject key identifier."""

    issuer: bytes
    serial: int
    key_identifier: bytes | None = None

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether it names this certificate; names are compared as names when their encodings differ."""
        if self.key_identifier is not None:
            return self.key_identifier == subject_key_identifier(certificate)
        issuer, serial = identity(certificate)
        if serial != self.serial:
            return False
        return issuer == self.issuer or _canonical_name(issuer) == _canonical_name(self.issuer)


def _canonical_name(encoded: bytes) -> list[list[tuple[str, str]]]:
    """A Name as RDNs of (type, text), for names that differ in the string types alone."""
    return [
        sorted((pair.child(0).oid(), pair.child(1).text().casefold()) for pair in rdn.children())
        for rdn in asn1.read(encoded).children()
    ]


@dataclass(frozen=True)
class SignerInfo:
    """A SignerInfo as received. `attributes`: dotted type to its values; `signed`: the field of the signed ones."""

    sid: CertificateId
    digest_oid: str
    signature_algorithm: asn1.Element
    attributes: dict[str, list[asn1.Element]]
    signed: asn1.Element | None
    signature: bytes

    def covered(self) -> Iterator[bytes]:
        """What the signature may cover: the attributes as received, then in the order that DER demands."""
        if self.signed is not None:
            yield b"\x31" + self.signed.raw[1:]
            yield asn1.set_of(*(asn1.to_der(entry) for entry in self.signed.children()))

    def attribute(self, oid: str, what: str) -> asn1.Element | None:
        """The single value of an attribute, or None without it; raises BadRequest for several."""
        values = self.attributes.get(oid)
        if values is None:
            return None
        if len(values) != 1:
            raise BadRequest(f"The message has {len(values)} values for {what} where one is expected.")
        return values[0]


@dataclass(frozen=True)
class SignedData:
    """A SignedData as received: `content` is None when it is absent, as in a degenerate one."""

    content_type: str
    content: bytes | None
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]


def _content_info(data: bytes, oid: str, what: str) -> asn1.Element:
    outer = asn1.read(data).expect(asn1.SEQUENCE, "CMS ContentInfo")
    if outer.child(0).oid() != oid:
        raise DecodeError(f"The message is CMS, but not {what}.")
    return outer.child(1).expect(_TAG_0, f"{what} content").child(0).expect(asn1.SEQUENCE, what)


def read_signed_data(data: bytes) -> SignedData:
    """Read a ContentInfo that holds a SignedData (RFC 5652 section 5.1). Raises DecodeError."""
    _version, _digests, encapsulated, *rest = _at_least(_content_info(data, constants.OID_SIGNED_DATA, "SignedData"), 4)
    content = None
    if len(encapsulated.children()) > 1:
        content = encapsulated.child(1).expect(_TAG_0, "signed content").child(0).octets()
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    for field in rest[:-1]:
        if field.tag == _TAG_0:
            certificates = tuple(entry.raw for entry in field.children() if entry.tag == asn1.SEQUENCE)
            if len(certificates) > MAX_CERTIFICATES:
                raise DecodeError(f"The message has {len(certificates)} certificates; {MAX_CERTIFICATES} are read.")
        elif field.tag == _TAG_1:
            crls = tuple(entry.raw for entry in field.children() if entry.tag == asn1.SEQUENCE)
    signers = rest[-1].expect(asn1.SET, "set of signers").children()
    return SignedData(
        encapsulated.child(0).oid(), content, certificates, crls, tuple(_signer_info(signer) for signer in signers)
    )


def _at_least(element: asn1.Element, count: int) -> list[asn1.Element]:
    children = element.children()
    if len(children) < count:
        raise DecodeError("An ASN.1 element that should be there is missing.")
    return children


def _certificate_id(element: asn1.Element) -> CertificateId:
    if element.tag & ~0x20 == _IMPLICIT_0:
        return CertificateId(b"", 0, element.octets())
    return CertificateId(element.child(0).raw, element.child(1).integer())


def _signer_info(element: asn1.Element) -> SignerInfo:
    _version, sid, digest, *rest = _at_least(element.expect(asn1.SEQUENCE, "SignerInfo"), 5)
    attributes: dict[str, list[asn1.Element]] = {}
    signed = rest.pop(0) if rest[0].tag == _TAG_0 else None
    for entry in signed.children() if signed else ():
        kind, values = _at_least(entry, 2)[:2]
        attributes.setdefault(kind.oid(), []).extend(values.children())
    if len(rest) < 2:
        raise DecodeError("The message has a SignerInfo without a signature.")
    return SignerInfo(_certificate_id(sid), digest.child(0).oid(), rest[0], attributes, signed, rest[1].octets())


def verify_signer(signed: SignedData, signer: SignerInfo, key: Any, allowed: AlgorithmPolicy) -> Digest:
    """Check content type, messageDigest and signature (RFC 5652 sections 5.4 to 5.6, 11.1, 11.2); returns the digest.

    The signature may cover the attributes as received or in the order of DER. Raises MessageError or DecodeError.
    """
    digest = allowed.digest(signer.digest_oid)
    content_type = signer.attribute(constants.OID_CONTENT_TYPE, "contentType")
    if content_type is None or content_type.oid() != signed.content_type:
        raise DigestMismatch("The signed contentType attribute is not the type of the content.")
    message_digest = signer.attribute(constants.OID_MESSAGE_DIGEST, "messageDigest")
    if message_digest is None or message_digest.octets() != digest.of(signed.content or b""):
        raise DigestMismatch("The signed messageDigest attribute is not the digest of the content.")
    signature_hash, salt = signer_digest(signer.signature_algorithm, digest, allowed)
    refusal = SignatureInvalid("The message has no signed attributes.")
    for candidate in signer.covered():
        try:
            verify(key, signer.signature, candidate, signature_hash, salt)
        except SignatureInvalid as error:
            refusal = error
        else:
            return digest
    raise refusal


def write_signed_data(
    content: bytes | None,
    attributes: Sequence[tuple[str, bytes]],
    certificate: x509.Certificate,
    key: Any,
    digest_name: str,
    certificates: Sequence[x509.Certificate],
) -> bytes:
    """Sign `content` and `attributes`, pairs of dotted type and DER value; contentType and messageDigest are added.

    An RSA signature is named rsaEncryption, the only name that every client takes.
    """
    digest = DIGESTS[digest_name]
    digest_identifier = _with_null(digest.oid)
    pairs = [
        (constants.OID_CONTENT_TYPE, asn1.oid(constants.OID_DATA)),
        (constants.OID_MESSAGE_DIGEST, asn1.octet_string(digest.of(content or b""))),
        *attributes,
    ]
    signed = asn1.set_of(*(asn1.sequence(asn1.oid(oid), asn1.tlv(asn1.SET, value)) for oid, value in pairs))
    key_identifier = _with_null(constants.OID_RSA)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        key_identifier = asn1.sequence(asn1.oid(digest.ecdsa_oid))
    signer = asn1.sequence(
        _ONE,
        _issuer_and_serial(certificate),
        digest_identifier,
        asn1.tlv(_TAG_0, signed[_header_bytes(signed) :]),
        key_identifier,
        asn1.octet_string(sign(key, signed, digest_name)),
    )
    inner = asn1.tlv(_TAG_0, asn1.octet_string(content)) if content is not None else b""
    return _signed_data(
        asn1.set_of(digest_identifier),
        asn1.sequence(asn1.oid(constants.OID_DATA), inner),
        [der(entry) for entry in certificates],
        (),
        asn1.tlv(asn1.SET, signer),
    )


@lru_cache(maxsize=16)
def _with_null(oid: str) -> bytes:
    """An AlgorithmIdentifier with the parameters that RSA and digests have."""
    return asn1.sequence(asn1.oid(oid), asn1.ASN1_NULL)


def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    issuer, serial = identity(certificate)
    return asn1.sequence(issuer, asn1.integer(serial))


def _header_bytes(encoded: bytes) -> int:
    first = encoded[1]
    return 2 if first < 0x80 else 2 + (first & 0x7F)


def write_degenerate(certificates: Sequence[x509.Certificate], crls: Sequence[bytes] = ()) -> bytes:
    """A SignedData without content and signers: how certificates and CRLs travel (RFC 8894 section 3.4)."""
    return _signed_data(
        asn1.set_of(),
        asn1.sequence(asn1.oid(constants.OID_DATA)),
        [der(entry) for entry in certificates],
        crls,
        asn1.set_of(),
    )


def _signed_data(
    digests: bytes, encapsulated: bytes, certificates: Sequence[bytes], crls: Sequence[bytes], signers: bytes
) -> bytes:
    body = asn1.sequence(
        _ONE,
        digests,
        encapsulated,
        asn1.tlv(_TAG_0, *certificates) if certificates else b"",
        asn1.tlv(_TAG_1, *crls) if crls else b"",
        signers,
    )
    return asn1.sequence(asn1.oid(constants.OID_SIGNED_DATA), asn1.tlv(_TAG_0, body))


@dataclass(frozen=True)
class Enveloped:
    """An EnvelopedData as received: (who, encrypted key) of each RSA recipient, and the encrypted content."""

    recipients: tuple[tuple[CertificateId, str, bytes], ...]
    cipher_oid: str
    vector: bytes
    ciphertext: bytes


def read_enveloped(data: bytes) -> Enveloped:
    """Read a ContentInfo that holds an EnvelopedData (RFC 5652 section 6.1). Raises DecodeError."""
    fields = _content_info(data, constants.OID_ENVELOPED_DATA, "EnvelopedData").children()
    recipients = next((field for field in fields if field.tag == asn1.SET), None)
    content = next((field for field in fields if field.tag == asn1.SEQUENCE), None)
    if recipients is None or content is None:
        raise DecodeError("The EnvelopedData has no recipients or no content.")
    found = []
    for recipient in recipients.children():
        if recipient.tag == asn1.SEQUENCE:  # KeyTransRecipientInfo; the other kinds are tagged
            _version, rid, algorithm, encrypted_key = _at_least(recipient, 4)[:4]
            found.append((_certificate_id(rid), algorithm.child(0).oid(), encrypted_key.octets()))
    _type, algorithm, encrypted = _at_least(content, 3)[:3]
    parameters = algorithm.children()[1:]
    vector = parameters[0].octets() if parameters and parameters[0].tag == asn1.OCTET_STRING else b""
    if encrypted.tag & ~0x20 != _IMPLICIT_0:
        raise DecodeError("The EnvelopedData has no content.")
    return Enveloped(tuple(found), algorithm.child(0).oid(), vector, encrypted.octets())


def open_enveloped(
    enveloped: Enveloped, keys: Sequence[tuple[x509.Certificate, Any]], allowed: AlgorithmPolicy
) -> tuple[bytes, str]:
    """Decrypt for the first of `keys` (certificate, private key) that the envelope is addressed to.

    Returns the content and the name of the cipher. Raises BadAlgorithm, WrongRecipient or DecryptionFailed.
    """
    cipher = allowed.cipher(enveloped.cipher_oid)
    for certificate, key in keys:
        for who, algorithm, encrypted_key in enveloped.recipients:
            if not who.names(certificate) or not isinstance(key, rsa.RSAPrivateKey):
                continue
            if algorithm != constants.OID_RSA:
                raise BadAlgorithm(f"The content key is encrypted by a method that SCEP does not use ({algorithm}).")
            try:
                content_key = key.decrypt(encrypted_key, padding.PKCS1v15())
            except ValueError:
                raise DecryptionFailed from None
            return decrypt(cipher, content_key, enveloped.vector, enveloped.ciphertext), cipher.name
    raise WrongRecipient("The content is not encrypted to a certificate of the receiver.")


def write_enveloped(content: bytes, recipient: x509.Certificate, cipher_name: str) -> bytes:
    """Encrypt `content` to the RSA key of one certificate (RFC 8894 section 3.1).

    Raises MalformedContent for other kinds of keys.
    """
    key = public_key(recipient)
    if not isinstance(key, rsa.RSAPublicKey):
        raise MalformedContent("A SCEP message can be encrypted to an RSA key only.")
    content_key, vector, ciphertext = encrypt(cipher_name, content)
    recipient_info = asn1.sequence(
        _ZERO,
        _issuer_and_serial(recipient),
        _with_null(constants.OID_RSA),
        asn1.octet_string(key.encrypt(content_key, padding.PKCS1v15())),
    )
    body = asn1.sequence(
        _ZERO,
        asn1.tlv(asn1.SET, recipient_info),
        asn1.sequence(
            asn1.oid(constants.OID_DATA),
            asn1.sequence(asn1.oid(CIPHERS[cipher_name].oid), asn1.octet_string(vector)),
            asn1.tlv(_IMPLICIT_0, ciphertext),
        ),
    )
    return asn1.sequence(asn1.oid(constants.OID_ENVELOPED_DATA), asn1.tlv(_TAG_0, body))
