# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small PKI for tests, made once for a session: keys are dear, so a name stands for one key.

It depends on cryptography alone, in all supported versions, and on nothing of the code under test but its DER writer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.timezone.utc)
"""The time at which tests take place."""
START = NOW - dt.timedelta(days=365)
END = NOW + dt.timedelta(days=3650)

RA_EKU = "1.3.6.1.4.1.311.20.2.1"
CMC_RA = "1.3.6.1.5.5.7.3.28"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
CA_USAGE = ("digital_signature", "key_cert_sign", "crl_sign")
BOTH_USAGES = ("digital_signature", "key_encipherment")

_RSA_OID = {
    "md5": "1.2.840.113549.1.1.4",
    "sha1": "1.2.840.113549.1.1.5",
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
_DIGEST_OID = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha512": "2.16.840.1.101.3.4.2.3"}
HASHES: dict[str, Any] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@cache
def rsa_key(label: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The session's RSA key of that label."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(label: str) -> ec.EllipticCurvePrivateKey:
    """The session's P-256 key of that label."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str, **more: str) -> x509.Name:
    """CN=... after the given attributes, such as organization_name="Example"."""
    pairs = [(getattr(NameOID, word.upper()), value) for word, value in more.items()]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in [*pairs, (NameOID.COMMON_NAME, common_name)]])


def common_name(certificate: x509.Certificate) -> str:
    """The common name of the subject."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def certificate(
    subject: str | x509.Name,
    key: Any,
    issuer: Identity | None = None,
    *,
    ca: bool | None = False,
    usage: Iterable[str] | None = BOTH_USAGES,
    eku: Sequence[str] = (),
    start: dt.datetime = START,
    end: dt.datetime = END,
    serial: int | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """A certificate for `key`, self-signed without `issuer`. `ca` None leaves BasicConstraints out."""
    subject = name(subject) if isinstance(subject, str) else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usage is not None:
        chosen = {word: word in set(usage) for word in _USAGES}
        builder = builder.add_extension(x509.KeyUsage(**chosen), critical=True)
    if eku:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(oid) for oid in eku]), critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(key if issuer is None else issuer.key, hashes.SHA256())


def authority(
    subject: str, label: str, issuer: Identity | None = None, *, curve: bool = False, **more: Any
) -> Identity:
    """A CA with a key of its own."""
    key = ec_key(label) if curve else rsa_key(label)
    return Identity(certificate(subject, key, issuer, ca=True, usage=CA_USAGE, **more), key)


def leaf(subject: str | x509.Name, label: str, issuer: Identity | None, **more: Any) -> Identity:
    """An end entity with an RSA key."""
    key = rsa_key(label)
    return Identity(certificate(subject, key, issuer, **more), key)


def der(cert: x509.Certificate) -> bytes:
    """DER of a certificate."""
    return cert.public_bytes(Encoding.DER)


def rsa_identifier(digest: str) -> bytes:
    """AlgorithmIdentifier of RSA PKCS#1 v1.5 with a digest."""
    return asn1.sequence(asn1.oid(_RSA_OID[digest]), asn1.ASN1_NULL)


def pss_identifier(digest: str, salt: int, *, defaults: bool = False) -> bytes:
    """AlgorithmIdentifier of RSA-PSS (RFC 4055 section 3.1); `defaults` leaves all parameters out, which says SHA-1."""
    if defaults:
        return asn1.sequence(asn1.oid("1.2.840.113549.1.1.10"), asn1.sequence())
    hash_identifier = asn1.sequence(asn1.oid(_DIGEST_OID[digest]), asn1.ASN1_NULL)
    return asn1.sequence(
        asn1.oid("1.2.840.113549.1.1.10"),
        asn1.sequence(
            asn1.tlv(0xA0, hash_identifier),
            asn1.tlv(0xA1, asn1.sequence(asn1.oid("1.2.840.113549.1.1.8"), hash_identifier)),
            asn1.tlv(0xA2, asn1.integer(salt)),
        ),
    )


def replace_fields(cert: x509.Certificate, fields: dict[int, bytes], key: Any, digest: str = "sha256") -> bytes:
    """DER of the certificate with other fields in its TBSCertificate (0 version, 1 serial, 2 algorithm, 3 issuer,
    4 validity, 5 subject, 6 key, 7 extensions), signed again by `key` with RSA and any digest."""
    outer = asn1.read(der(cert))
    identifier = rsa_identifier(digest)
    fields = {2: identifier, **fields}
    tbs = asn1.sequence(*(fields.get(at, field.raw) for at, field in enumerate(outer.child(0).children())))
    signature = key.sign(tbs, padding.PKCS1v15(), HASHES[digest]())
    return asn1.sequence(tbs, identifier, asn1.bit_string(signature))


def signed_with(cert: x509.Certificate, key: Any, digest: str) -> x509.Certificate:
    """The same certificate, signed with a digest that cryptography refuses to sign certificates with."""
    return x509.load_der_x509_certificate(replace_fields(cert, {}, key, digest))


def pss_signed(cert: x509.Certificate, key: Any, digest: str, salt: int, *, defaults: bool = False) -> x509.Certificate:
    """The same certificate with an RSA-PSS signature."""
    outer = asn1.read(der(cert))
    identifier = pss_identifier(digest, salt, defaults=defaults)
    tbs = asn1.sequence(*(identifier if at == 2 else field.raw for at, field in enumerate(outer.child(0).children())))
    algorithm = HASHES[digest]()
    signature = key.sign(tbs, padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    return x509.load_der_x509_certificate(asn1.sequence(tbs, identifier, asn1.bit_string(signature)))


@dataclass(frozen=True)
class Pki:
    """Who takes part: a CA as NDES has it, one with EC keys, an intermediate one, and devices."""

    ca: Identity
    ra_sign: Identity
    ra_encrypt: Identity
    root: Identity
    intermediate: Identity
    intermediate_ra: Identity
    ec_ca: Identity
    ec_ra: Identity
    other_ca: Identity
    enrolled: Identity
    """A device with a certificate of `ca`."""
    device: Identity
    """A device with nothing but a self-signed certificate."""

    @property
    def ndes(self) -> tuple[x509.Certificate, ...]:
        """What NDES offers in GetCACert: signing RA, encryption RA, CA."""
        return self.ra_sign.certificate, self.ra_encrypt.certificate, self.ca.certificate

    def issue(self, key: Any, subject: str | x509.Name = "device", issuer: Identity | None = None) -> x509.Certificate:
        """What the CA issues for a public key's owner."""
        return certificate(subject, key, issuer or self.ca, eku=(CLIENT_AUTH,))


@cache
def shared() -> Pki:
    """The session's PKI."""
    ca = authority("Test CA", "ca")
    root = authority("Test Root", "root")
    intermediate = authority("Test Intermediate", "intermediate", root)
    ec_ca = authority("Test EC CA", "ec-ca", curve=True)
    return Pki(
        ca=ca,
        ra_sign=leaf("Test RA", "ra-sign", ca, usage=["digital_signature"], eku=[RA_EKU]),
        ra_encrypt=leaf("Test RA", "ra-encrypt", ca, usage=["key_encipherment"], eku=[RA_EKU]),
        root=root,
        intermediate=intermediate,
        intermediate_ra=leaf("Intermediate RA", "ra-sign", intermediate, eku=[CMC_RA]),
        ec_ca=ec_ca,
        ec_ra=leaf("EC RA", "ra-sign", ec_ca, eku=[RA_EKU]),
        other_ca=authority("Other CA", "other"),
        enrolled=leaf("enrolled", "enrolled", ca, eku=[CLIENT_AUTH]),
        device=leaf("device", "device", None, ca=None),
    )


def sha256(cert: x509.Certificate) -> str:
    """SHA-256 fingerprint, by the library."""
    return cert.fingerprint(hashes.SHA256()).hex()


def crl(
    issuer: Identity,
    start: dt.datetime,
    end: dt.datetime,
    *,
    number: int | None = 1,
    revoked: Sequence[tuple[int, dt.datetime, x509.ReasonFlags | None]] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    key: Any = None,
) -> bytes:
    """A CRL in DER; `revoked` is serial numbers with date and reason, `key` another one than the issuer's."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(start).next_update(end)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    for serial, date, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(date)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return crl_der(builder, issuer.key if key is None else key)


def crl_der(builder: x509.CertificateRevocationListBuilder, key: Any) -> bytes:
    """A CRL, signed."""
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
