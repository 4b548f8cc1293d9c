# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a client trusts: from a pinned CA to the certificates to which a challengePassword may be encrypted.

GetCACert is not authenticated. What it offers counts only as far as it hangs on the trust anchor, which the user gave.
An ordinary device certificate of the same CA hangs on it too, and must not be taken for an RA: a recipient other than
the pinned CA itself has to be marked as registration authority, or to be named by its own fingerprint.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import _deps
from . import constants
from ._compat import not_after, not_before
from .certificates import (
    Fingerprint,
    extended_key_usages,
    fingerprint,
    is_ca,
    issued_by,
    key_usage,
    name,
    public_key,
    valid_at,
)
from .errors import TrustError

if TYPE_CHECKING:
    from .algorithms import AlgorithmPolicy

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError as exc:
    _deps.missing("cryptography", exc)

_RA_USAGES = frozenset({constants.OID_RA_EKU, constants.OID_CMC_RA})


@dataclass(frozen=True)
class TrustAnchor:
    """What the user pinned: fingerprints of CA certificates, or the certificates themselves."""

    fingerprints: tuple[Fingerprint, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()

    def holds(self, certificate: x509.Certificate) -> bool:
        """Whether this very certificate is pinned."""
        return certificate in self.certificates or any(pin.matches(certificate) for pin in self.fingerprints)


@dataclass(frozen=True)
class RaRules:
    """When a certificate other than the pinned CA may act as RA: by fingerprint, or by its extended key usage."""

    fingerprints: tuple[Fingerprint, ...] = ()
    require_eku: bool = True


@dataclass(frozen=True)
class Trust:
    """The rules under which certificates are judged. `pool`: what may serve as a link of a chain."""

    anchor: TrustAnchor
    ra: RaRules
    allowed: AlgorithmPolicy
    pool: tuple[x509.Certificate, ...]

    def with_more(self, certificates: Iterable[x509.Certificate]) -> Trust:
        """The same with further links; links are not trusted for being there."""
        return Trust(self.anchor, self.ra, self.allowed, _unique((*self.pool, *certificates)))

    def path(self, certificate: x509.Certificate, now: dt.datetime) -> tuple[x509.Certificate, ...] | None:
        """The certificates above `certificate` up to a pinned one, issuer first; empty when it is pinned itself.

        None when it does not hang on the anchor, or when a link is out of date.
        """
        paths: dict[x509.Certificate, tuple[x509.Certificate, ...]] = {certificate: ()}
        queue = deque([certificate])
        while queue:  # breadth first: the shortest path wins, and every certificate is looked at once
            link = queue.popleft()
            if not valid_at(link, now):
                continue
            if self.anchor.holds(link):
                return paths[link]
            for issuer in (*self.anchor.certificates, *self.pool):
                if issuer in paths or not (self.anchor.holds(issuer) or is_ca(issuer)):
                    continue
                if issued_by(link, issuer, self.allowed):
                    paths[issuer] = (*paths[link], issuer)
                    queue.append(issuer)
        return None

    def objection(self, certificate: x509.Certificate, now: dt.datetime) -> str | None:
        """Why `certificate` may not act for the CA, as the rest of a sentence; None when it may."""
        if not valid_at(certificate, now):
            return (
                f"is valid from {not_before(certificate):%Y-%m-%d %H:%M} to {not_after(certificate):%Y-%m-%d %H:%M} UTC"
            )
        above = self.path(certificate, now)
        if above is None:
            return "does not chain to the trust anchor"
        if not above:
            return None
        if any(pin.matches(certificate) for pin in self.ra.fingerprints):
            return None
        if self.ra.require_eku and not extended_key_usages(certificate) & _RA_USAGES:
            return "is not marked as a registration authority (it has no certificate request agent extended key usage)"
        return None


@dataclass(frozen=True)
class CaCertificates:
    """A judged GetCACert answer.

    `ca` issues; `recipient` is whom requests are encrypted to; `chain` is the issuing CA and what stands above it up to
    the pinned certificate; `offered` is all that the server sent, trusted or not.
    """

    ca: x509.Certificate
    recipient: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    offered: tuple[x509.Certificate, ...]
    trust: Trust


def resolve(
    offered: Sequence[x509.Certificate],
    anchor: TrustAnchor,
    allowed: AlgorithmPolicy,
    now: dt.datetime,
    ra: RaRules | None = None,
) -> CaCertificates:
    """Find, in what GetCACert offers, the issuing CA and the recipient of requests (RFC 8894 section 4.2.1).

    Roles are told by what certificates say, never by their order. Raises TrustError with the reason.
    """
    certificates = _unique(offered)
    trust = Trust(anchor, ra or RaRules(), allowed, certificates)
    authorities = _trusted_authorities(trust, now)
    others = [certificate for certificate in certificates if certificate not in authorities]
    recipients = [candidate for candidate in others if trust.objection(candidate, now) is None and _encrypts(candidate)]
    recipients.sort(key=not_before, reverse=True)
    if not recipients and any(_leaf(certificate) for certificate in others):
        raise TrustError(_no_recipient(trust, [other for other in others if _leaf(other)], now))
    issuing = _issuing(authorities, recipients or others, trust)
    if not recipients:
        objection = trust.objection(issuing, now)
        if objection is not None:
            raise TrustError(
                f"The CA certificate of {name(issuing)} {objection}; pin that certificate itself, name it as RA "
                f"fingerprint ({fingerprint(issuing)}), or relax the requirement on the extended key usage."
            )
        if not _encrypts(issuing):
            raise TrustError(
                f"The server offers no certificate with an RSA key to encrypt to; {name(issuing)} has none."
            )
        recipients = [issuing]
    above = trust.path(issuing, now) or ()
    return CaCertificates(issuing, recipients[0], (issuing, *above), certificates, trust)


def _unique(certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    return tuple(dict.fromkeys(certificates))


def _leaf(certificate: x509.Certificate) -> bool:
    return not is_ca(certificate)


def _encrypts(certificate: x509.Certificate) -> bool:
    """Whether a content key may be encrypted to it; a CA may lack the key usage (RFC 8894 section 3.5.2)."""
    usage = key_usage(certificate)
    fits = usage is None or usage.key_encipherment or usage.data_encipherment or is_ca(certificate)
    return bool(fits) and isinstance(public_key(certificate), rsa.RSAPublicKey)


def _trusted_authorities(trust: Trust, now: dt.datetime) -> list[x509.Certificate]:
    anchor = trust.anchor
    candidates = _unique((*trust.pool, *anchor.certificates))
    hanging = [certificate for certificate in candidates if trust.path(certificate, now) is not None]
    found = [certificate for certificate in hanging if is_ca(certificate) or anchor.holds(certificate)]
    if not any(certificate in trust.pool for certificate in hanging):
        raise TrustError(_not_the_pinned(trust, now))
    if any(is_ca(certificate) for certificate in found) or (found and len(candidates) == 1):
        return found
    raise TrustError(
        f"The pinned certificate of {name(found[0])} is not that of a CA; pin the CA certificate, and name an RA "
        "certificate as RA fingerprint."
    )


def _not_the_pinned(trust: Trust, now: dt.datetime) -> str:
    anchor = trust.anchor
    for certificate in (*trust.pool, *anchor.certificates):
        if anchor.holds(certificate) and not valid_at(certificate, now):
            return f"The pinned CA certificate of {name(certificate)} {trust.objection(certificate, now)}."
    wanted = ", ".join([str(pin) for pin in anchor.fingerprints] + [name(entry) for entry in anchor.certificates])
    seen = "; ".join(f"{name(entry)}: {fingerprint(entry)}" for entry in trust.pool) or "none"
    return (
        f"None of the certificates that the server offers is the pinned CA or issued by it (pinned: {wanted}). "
        f"Offered, with SHA-256 fingerprints: {seen}."
    )


def _issuing(authorities: list[x509.Certificate], below: Sequence[x509.Certificate], trust: Trust) -> x509.Certificate:
    """The CA that issued the RA certificates; without these the one that issued none of the other CAs."""
    for certificate in below:
        for authority in authorities:
            if issued_by(certificate, authority, trust.allowed):
                return authority
    lowest = [
        authority
        for authority in authorities
        if not any(other != authority and issued_by(other, authority, trust.allowed) for other in authorities)
    ]
    return max(lowest or authorities, key=not_before)


def _no_recipient(trust: Trust, candidates: Sequence[x509.Certificate], now: dt.datetime) -> str:
    reasons = "; ".join(
        f"{name(candidate)} {trust.objection(candidate, now) or 'is not for encryption'}" for candidate in candidates
    )
    return f"None of the RA certificates that the server offers can be trusted with a request: {reasons}."
