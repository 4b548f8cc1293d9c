# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate revocation lists: reading, judging, comparing (RFC 5280 sections 5 and 6.3.3)."""

from __future__ import annotations

import base64
import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from .. import _deps
from . import asn1
from ._compat import UNREADABLE, crl_dates, revocation_date
from .algorithms import AlgorithmPolicy, signature_digest, verify
from .certificates import CLOCK_SKEW, is_ca, key_usage, name, public_key
from .errors import DecodeError, SignatureInvalid, TrustError

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

_PEM = re.compile(rb"-----BEGIN X509 CRL-----(.+?)-----END X509 CRL-----", re.DOTALL)
_SHOWN = "%Y-%m-%d %H:%M UTC"

_UNDERSTOOD = frozenset({"2.5.29.20", "2.5.29.28", "2.5.29.35"})
"""Extensions that may be critical: cRLNumber, issuingDistributionPoint, authorityKeyIdentifier."""


@dataclass(frozen=True)
class Revocation:
    """When a certificate was revoked (aware, in UTC), and why, in the words of RFC 5280 section 5.3.1."""

    date: dt.datetime
    reason: str | None


@dataclass(frozen=True)
class Crl:
    """A CRL that could be read, not yet judged. `raw` is DER as received; dates are aware, in UTC."""

    raw: bytes
    issuer: x509.Name
    this_update: dt.datetime
    next_update: dt.datetime
    number: int | None
    count: int
    parsed: x509.CertificateRevocationList

    def find(self, serial: int) -> Revocation | None:
        """What it says of a certificate of its issuer; None when that is not revoked."""
        entry = self.parsed.get_revoked_certificate_by_serial_number(serial)
        if entry is None:
            return None
        try:
            reason = str(entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value)
        except UNREADABLE:
            return Revocation(revocation_date(entry), None)
        return Revocation(revocation_date(entry), reason)

    def fresh(self, now: dt.datetime, remaining: dt.timedelta) -> bool:
        """Whether it has more than `remaining` left, or more than half of its life where that is less."""
        return self.next_update - now > min(remaining, (self.next_update - self.this_update) / 2)

    def older_than(self, other: Crl) -> bool:
        """Whether `other`, of the same issuer, was signed later: by their numbers, without them by their dates."""
        if self.number is not None and other.number is not None:
            return self.number < other.number
        return self.this_update < other.this_update

    def __str__(self) -> str:
        number = "without a number" if self.number is None else f"number {self.number}"
        return f"{number}, of {self.this_update:{_SHOWN}}"


def load_crl(data: bytes) -> Crl:
    """One CRL from DER or PEM. Raises DecodeError, for one without nextUpdate too (RFC 5280 section 5.1.2.5)."""
    found = _PEM.search(data)
    try:
        raw = base64.b64decode(found[1]) if found else data
        parsed = x509.load_der_x509_crl(raw)
        (start, end), count = crl_dates(parsed), len(parsed)
        numbered = _extension(parsed, x509.CRLNumber)
        issuer = parsed.issuer
    except UNREADABLE as error:
        raise DecodeError(f"The bytes are not a CRL: {error}.") from None
    if end is None:
        raise DecodeError("The CRL does not say when the next one is due.")
    return Crl(raw, issuer, start, end, None if numbered is None else numbered.crl_number, count, parsed)


def verify_crl(crl: Crl, issuer: x509.Certificate, allowed: AlgorithmPolicy) -> None:
    """Check name, usage and signature, the latter over the original bytes with the table of allowed digests.

    Raises TrustError, MessageError or DecodeError.
    """
    if crl.issuer != issuer.subject:
        raise TrustError(f"The CRL is one of {crl.issuer.rfc4514_string()}, and that of {name(issuer)} is wanted.")
    usage = key_usage(issuer)
    if usage is not None and not usage.crl_sign:
        raise TrustError(f"The certificate of {name(issuer)} does not allow to sign a CRL with its key.")
    outer = asn1.read(crl.raw)
    digest, salt = signature_digest(outer.child(1), allowed)
    try:
        verify(public_key(issuer), outer.child(2).bits(), outer.child(0).raw, digest, salt)
    except SignatureInvalid:
        raise TrustError(f"The CRL was not signed with the key of {name(issuer)}, or was changed since.") from None


def check_dates(crl: Crl, now: dt.datetime) -> None:
    """Raises TrustError for a CRL of the future beyond clock skew, and for one whose successor is due."""
    if crl.this_update > now + CLOCK_SKEW:
        raise TrustError(f"The CRL is of {crl.this_update:{_SHOWN}}, which is yet to come.")
    if crl.next_update <= now:
        raise TrustError(f"The CRL is out of date: the next one was due at {crl.next_update:{_SHOWN}}.")


def check_scope(crl: Crl, certificate: x509.Certificate) -> None:
    """Whether the CRL speaks of this certificate of its issuer, and says all (RFC 5280 section 6.3.3).

    Raises TrustError.
    """
    for extension in crl.parsed.extensions:
        if extension.critical and extension.oid.dotted_string not in _UNDERSTOOD:
            raise TrustError(f"The CRL has a critical extension that is not understood ({_kind(extension)}).")
    scope = _extension(crl.parsed, x509.IssuingDistributionPoint)
    if scope is None:
        return
    if scope.indirect_crl or scope.only_contains_attribute_certs or scope.only_some_reasons:
        raise TrustError("The CRL is an indirect one, or one for some reasons or attribute certificates alone.")
    excluded = scope.only_contains_user_certs if is_ca(certificate) else scope.only_contains_ca_certs
    named = {one.value for one in scope.full_name or () if isinstance(one, x509.UniformResourceIdentifier)}
    if excluded or (named and not named & set(distribution_points(certificate))):
        raise TrustError(f"The CRL is for other certificates of the CA than the one of {name(certificate)}.")


def distribution_points(certificate: x509.Certificate) -> tuple[str, ...]:
    """The addresses of the cRLDistributionPoints extension, in their order; empty without any."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except UNREADABLE:
        return ()
    found = [one.value for point in points for one in point.full_name or () if not point.reasons]
    return tuple(value for value in found if isinstance(value, str))


def _kind(extension: x509.Extension[Any]) -> str:
    return "a delta CRL" if isinstance(extension.value, x509.DeltaCRLIndicator) else extension.oid.dotted_string


def _extension(crl: x509.CertificateRevocationList, kind: Any) -> Any:
    """The value of an extension, None without it. Raises what the library raises for one that cannot be read."""
    return next((extension.value for extension in crl.extensions if isinstance(extension.value, kind)), None)
