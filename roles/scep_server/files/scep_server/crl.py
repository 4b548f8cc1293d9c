# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CRL: signed when there is none, when somebody was revoked since, or when half of its life is over."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .errors import StoreBusy
from .pki import Pki
from .settings import Settings
from .store import Store, epoch

_ATTEMPTS = 5


def current(store: Store, pki: Pki, settings: Settings, now: dt.datetime) -> bytes:
    """The CRL in DER. All processes of a database hand out the same one, and its number only grows."""
    for _attempt in range(_ATTEMPTS):
        latest = store.latest_crl()
        revoked = store.count_revoked()
        if latest is not None and latest.revoked == revoked and _fresh(latest.this_update, latest.next_update, now):
            return bytes(latest.der)
        number = 1 if latest is None else latest.number + 1
        entries = store.revoked()
        end = now + dt.timedelta(days=settings.crl_days)
        signed = _sign(pki, number, entries, now, end)
        if store.add_crl(
            number=number, der=signed, this_update=epoch(now), next_update=epoch(end), revoked=len(entries)
        ):
            return signed
    raise StoreBusy("The CRL is being renewed by others.")


def _fresh(this_update: int, next_update: int, now: dt.datetime) -> bool:
    return this_update <= epoch(now) < this_update + (next_update - this_update) // 2


def _sign(pki: Pki, number: int, entries: list[tuple[str, int, str]], now: dt.datetime, end: dt.datetime) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(pki.ca.certificate.subject)
        .last_update(now)
        .next_update(end)
        .add_extension(pki.authority_key_identifier, critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, moment, reason in entries:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial, 16))
            .revocation_date(dt.datetime.fromtimestamp(moment, dt.UTC))
        )
        if reason:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(pki.ca.key, pki.hash).public_bytes(Encoding.DER)
