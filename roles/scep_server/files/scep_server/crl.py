# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRLs: signed when there is none, when somebody was revoked since, or when half of the life of the last is over."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .authority import Authority
from .errors import StoreBusy
from .server import Server
from .store import epoch
from .store.certificates import Crl

_ATTEMPTS = 5

REASONS = {
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "cACompromise": x509.ReasonFlags.ca_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Reasons of a revocation (RFC 5280 section 5.3.1) but for `unspecified`, which a CRL leaves out."""


def current(server: Server, authority: Authority, now: dt.datetime) -> Crl:
    """The CRL of a CA. All processes of a database hand out the same one, and its number only grows."""
    store = server.store.certificates
    for _attempt in range(_ATTEMPTS):
        latest = store.latest_crl(authority.id)
        revoked = store.count_revoked(authority.id)
        if latest is not None and latest.revoked == revoked and _fresh(latest, now):
            return latest
        number = 1 if latest is None else latest.number + 1
        entries = store.revoked(authority.id)
        end = now + dt.timedelta(days=server.settings.crl_days)
        signed = Crl(number, _sign(authority, number, entries, now, end), epoch(now), epoch(end), len(entries))
        if store.add_crl(authority.id, signed):
            return signed
    raise StoreBusy("The CRL is being renewed by others.")


def _fresh(crl: Crl, now: dt.datetime) -> bool:
    return crl.this_update <= epoch(now) < crl.this_update + (crl.next_update - crl.this_update) // 2


def _sign(
    authority: Authority, number: int, entries: list[tuple[str, int, str]], now: dt.datetime, end: dt.datetime
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.ca.certificate.subject)
        .last_update(now)
        .next_update(end)
        .add_extension(authority.authority_key_identifier, critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, moment, reason in entries:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial, 16))
            .revocation_date(dt.datetime.fromtimestamp(moment, dt.UTC))
        )
        if reason in REASONS:
            entry = entry.add_extension(x509.CRLReason(REASONS[reason]), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.ca.key, authority.hash).public_bytes(Encoding.DER)
