# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as SCEP needs them: reading, naming, comparing, and checking who issued whom."""

from __future__ import annotations

import datetime as dt
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .. import _deps
from . import asn1
from ._compat import UNREADABLE, not_after, not_before
from .algorithms import DIGESTS, AlgorithmPolicy, signature_digest, verify
from .constants import KEY_USAGES
from .errors import DecodeError, MessageError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as exc:
    _deps.missing("cryptography", exc)

CLOCK_SKEW = dt.timedelta(hours=1)
"""How far the clock of somebody who signs may be ahead of ours."""


@lru_cache(maxsize=64)
def load_certificate(data: bytes) -> x509.Certificate:
    """One certificate from DER or PEM (the first one of a PEM file). Raises DecodeError.

    The library reads the names late and raises then; here they are read at once. Those of a CA come again and again:
    with GetCACert, with each reply, and in the record.
    """
    try:
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in data else x509.load_der_x509_certificate
        certificate = load(data)
        certificate.subject, certificate.issuer, not_before(certificate), not_after(certificate)
        return certificate
    except UNREADABLE as error:
        raise DecodeError(f"The bytes are not an X.509 certificate: {error}.") from None


@lru_cache(maxsize=256)
def der(certificate: x509.Certificate) -> bytes:
    """The certificate's DER encoding, which the library makes anew each time."""
    return certificate.public_bytes(Encoding.DER)


def _identity(encoded: bytes) -> tuple[bytes, int]:
    _tag, body, _end = asn1.header(encoded, 0)
    _tag, start, _end = asn1.header(encoded, body)
    tag, body, end = asn1.header(encoded, start)
    if tag == asn1.context(0):  # the version
        _tag, body, end = asn1.header(encoded, end)
    serial = int.from_bytes(encoded[body:end], "big", signed=True)
    _tag, _body, start = asn1.header(encoded, end)  # the algorithm
    _tag, _body, end = asn1.header(encoded, start)
    return encoded[start:end], serial


@lru_cache(maxsize=256)
def identity(certificate: x509.Certificate) -> tuple[bytes, int]:
    """(issuer as encoded in the certificate, serial number): how CMS names a certificate (RFC 5652 section 10.2.4)."""
    return _identity(der(certificate))


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    """The value of the SubjectKeyIdentifier extension, if there is one that can be read."""
    extension = _extension(certificate, x509.SubjectKeyIdentifier)
    return None if extension is None else extension.digest


def fingerprint(certificate: x509.Certificate, digest: str = "sha256") -> str:
    """The fingerprint in lower-case hexadecimal with colons; `digest` is a name of the digest table."""
    return _digest(certificate, digest).hex(":")


@lru_cache(maxsize=256)
def _digest(certificate: x509.Certificate, digest: str) -> bytes:
    return DIGESTS[digest].of(der(certificate))


def public_key_fingerprint(public_key: Any) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, in lower-case hexadecimal with colons."""
    return DIGESTS["sha256"].of(_spki(public_key)).hex(":")


def same_key(one: Any, other: Any) -> bool:
    """Whether two public keys are the same."""
    return _spki(one) == _spki(other)


def _spki(public_key: Any) -> bytes:
    encoded: bytes = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def public_key(certificate: x509.Certificate) -> Any:
    """The certificate's public key. Raises DecodeError when the library cannot read it."""
    try:
        return certificate.public_key()
    except UNREADABLE as error:
        raise DecodeError(
            f"The public key of the certificate of {name(certificate)} cannot be read: {error}."
        ) from None


def name(certificate: x509.Certificate) -> str:
    """The subject for people (RFC 4514)."""
    return certificate.subject.rfc4514_string() or "(empty subject)"


# What stands around the digits where people copy them from: OpenSSL's label, our own, and the left-to-right mark that
# the certificate window of Windows puts ahead of a thumbprint.
_LABEL = re.compile(r"^\W*(md5|sha-?(1|256|384|512))\b(\s*fingerprint)?\s*[:=]?", re.IGNORECASE)
_NOT_DIGITS = re.compile("[\\s:\\-\u200e]")
_FINGERPRINT_DIGESTS = {16: "md5", 20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}


@dataclass(frozen=True)
class Fingerprint:
    """A certificate's fingerprint as a user wrote it down: name of the digest and its octets."""

    digest: str
    value: bytes

    @property
    def weak(self) -> bool:
        """MD5 or SHA-1: NDES pages print such, and they are taken with a warning."""
        return self.digest in ("md5", "sha1")

    def matches(self, certificate: x509.Certificate) -> bool:
        """Whether it is this certificate's fingerprint."""
        return hmac.compare_digest(self.value, _digest(certificate, self.digest))

    def __str__(self) -> str:
        return f"{DIGESTS[self.digest].label} {self.value.hex(':')}"


def parse_fingerprint(text: str) -> Fingerprint:
    """Read a fingerprint in hexadecimal; colons, blanks, hyphens and a leading name of the digest are allowed.

    Raises ValueError with a sentence.
    """
    label = _LABEL.match(text)
    digits = _NOT_DIGITS.sub("", text[label.end() :] if label else text)
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"'{text}' is not a fingerprint: hexadecimal digits are expected.") from None
    if len(value) not in _FINGERPRINT_DIGESTS:
        raise ValueError(
            f"'{text}' is not a fingerprint: it has {len(digits)} hexadecimal digits; SHA-256 has 64, SHA-1 40, MD5 32."
        )
    digest = _FINGERPRINT_DIGESTS[len(value)]
    if label and label[1].lower().replace("-", "") != digest:
        raise ValueError(f"'{text}' is not a fingerprint: {len(digits)} hexadecimal digits are no {label[1]} digest.")
    return Fingerprint(digest, value)


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether the certificate may issue others (RFC 5280 sections 4.2.1.3 and 4.2.1.9)."""
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    return constraints is not None and bool(constraints.ca) and (usage is None or bool(usage.key_cert_sign))


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """The KeyUsage extension, if there is one that can be read."""
    usage: x509.KeyUsage | None = _extension(certificate, x509.KeyUsage)
    return usage


def extended_key_usages(certificate: x509.Certificate) -> frozenset[str]:
    """Dotted object identifiers of the ExtendedKeyUsage extension; empty without one."""
    usages = _extension(certificate, x509.ExtendedKeyUsage)
    return frozenset() if usages is None else frozenset(usage.dotted_string for usage in usages)


@lru_cache(maxsize=256)
def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except UNREADABLE:
        return None  # an extension that cannot be read grants nothing


def valid_at(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Whether the certificate is in date; a fresh one is let through for an hour of clock skew."""
    return not_before(certificate) <= now + CLOCK_SKEW and now <= not_after(certificate)


def verify_issued_by(certificate: x509.Certificate, issuer: x509.Certificate, allowed: AlgorithmPolicy) -> None:
    """Check name and signature, the latter over the original bytes with the table of allowed digests.

    Raises MessageError (BadAlgorithm, SignatureInvalid) or DecodeError.
    """
    outer = asn1.read(der(certificate))
    if certificate.issuer != issuer.subject:
        raise DecodeError(f"The certificate of {name(certificate)} was not issued by {name(issuer)}.")
    digest, salt = signature_digest(outer.child(1), allowed)
    verify(public_key(issuer), outer.child(2).bits(), outer.child(0).raw, digest, salt)


@lru_cache(maxsize=4096)
def issued_by(certificate: x509.Certificate, issuer: x509.Certificate, allowed: AlgorithmPolicy) -> bool:
    """Whether `verify_issued_by` has nothing to object to."""
    try:
        verify_issued_by(certificate, issuer, allowed)
    except (MessageError, DecodeError):
        return False
    return True


def build_key_usage(*words: str) -> x509.KeyUsage:
    """The KeyUsage extension with these usages, by the library's names; raises ValueError when they contradict."""
    return x509.KeyUsage(**{usage: usage in words for usage in KEY_USAGES.values()})


def self_signed(key: Any, subject: x509.Name, now: dt.datetime, days: int = 7) -> x509.Certificate:
    """The certificate with which a device that has none yet signs its request (RFC 8894 section 2.3)."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(build_key_usage("digital_signature", "key_encipherment"), critical=True)
        .sign(key, hashes.SHA256())
    )
