# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person decides: requests that wait are approved, which issues the certificate at once, or denied; and certificates
are revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import read_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import MessageError
from cryptography import x509

from . import crl
from .errors import Refusal, ServerError
from .issue import by_template, certificate_row, sign
from .server import Server
from .store import epoch
from .store.answers import PENDING
from .store.audit import LENGTH, Record, printable

UNSPECIFIED = "unspecified"
REASONS = (UNSPECIFIED, *crl.REASONS)
"""Why a certificate may be revoked (RFC 5280 section 5.3.1)."""

_CARRIED_OVER = ("transaction_id", "signer_key", "request_digest", "generation", "challenge_id", "replaces", "subject")


@dataclass(frozen=True)
class Person:
    """Who decides, for the audit: who is logged in, and from where. Whoever runs a command is not known."""

    name: str = ""
    address: str = ""

    def reason(self, text: str) -> str:
        """What the audit says: the text, of which the end gives way where it is too long, and who it was."""
        if not self.name:
            return text
        by = f"by {printable(self.name)}"
        return ", ".join(filter(None, (text[: max(0, LENGTH - len(f", {by}"))], by)))


SOMEBODY = Person()


def approve(server: Server, request_id: int, person: Person = SOMEBODY) -> x509.Certificate:
    """Issue what the request asks for; its client gets it with the next CertPoll.

    Raises ServerError for a request that does not wait, that the policy of today refuses, or that renews a certificate
    which was revoked meanwhile.
    """
    row = _pending(server, request_id)
    now, server = server.clock(), server.at_this_moment()
    renewed = None if row["replaces"] is None else server.store.certificates.find(row["replaces"])
    if renewed is not None and renewed["revoked"] is not None:
        raise ServerError(f"Request {request_id} cannot be approved: the certificate that it renews is revoked.")
    try:
        csr = read_csr(row["csr"])
        server = server.for_request(csr)
        verify_csr(csr, server.allowed)
        certificate = sign(server, csr, now)
    except (Refusal, MessageError) as error:
        raise ServerError(f"Request {request_id} cannot be approved: {printable(str(error))}") from None
    kept = {name: row[name] for name in _CARRIED_OVER} | certificate_row(server, certificate, now)
    reason = person.reason(by_template(server))
    line = _record(row, person, epoch(now), "approved", reason=reason, serial=kept["serial"])
    if not server.store.answers.issue(kept, None, line, request_id=request_id):
        raise ServerError(f"Request {request_id} was decided meanwhile.")
    return certificate


def deny(server: Server, request_id: int, reason: str, person: Person = SOMEBODY) -> None:
    """Refuse the request; its client is told the reason. Raises ServerError for a request that does not wait."""
    row, reason = _pending(server, request_id), printable(reason)
    line = _record(row, person, epoch(server.clock()), "denied", reason=person.reason(reason))
    if not server.store.answers.deny(request_id, reason, line):
        raise ServerError(f"Request {request_id} was decided meanwhile.")


def revoke(server: Server, serial: str, reason: str, person: Person = SOMEBODY) -> bool:
    """Revoke a certificate for one of `REASONS`; False when it was revoked before.

    Raises ServerError when there is none with this serial number.
    """
    row, told = issued(server, serial), "" if reason == UNSPECIFIED else reason
    line = Record(
        epoch(server.clock()),
        person.address,
        "",
        row["transaction_id"],
        "revoked",
        reason=person.reason(told),
        subject=row["subject"],
        serial=row["serial"],
    )
    return server.store.certificates.revoke(serial, told, line)


def issued(server: Server, serial: str) -> dict[str, Any]:
    """The row of a certificate. Raises ServerError when there is none with this serial number."""
    row = server.store.certificates.find(serial)
    if row is None:
        raise ServerError(f"This server issued no certificate with the serial number {serial}.")
    return row


def _pending(server: Server, request_id: int) -> dict[str, Any]:
    row = server.store.answers.request(request_id)
    if row is None:
        raise ServerError(f"There is no request {request_id}; 'requests list' shows those that there are.")
    if row["state"] != PENDING:
        raise ServerError(f"Request {request_id} does not wait any more: it was {row['state']}.")
    return row


def _record(row: dict[str, Any], person: Person, time: int, outcome: str, **values: Any) -> Record:
    return Record(
        time,
        person.address,
        "",
        row["transaction_id"],
        outcome,
        subject=row["subject"],
        challenge_id=row["challenge_id"],
        **values,
    )
