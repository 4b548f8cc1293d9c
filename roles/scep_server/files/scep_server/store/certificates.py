# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at certificates, revoking them, and the CRLs that say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from . import audit
from .audit import Record
from .database import Database
from .schema import certificates, crls

_SHOWN = (
    certificates.c.serial,
    certificates.c.issuer,
    certificates.c.subject,
    certificates.c.not_before,
    certificates.c.not_after,
    certificates.c.issued,
    certificates.c.transaction_id,
    certificates.c.replaces,
    certificates.c.revoked,
    certificates.c.reason,
)
_BY_SERIAL = sa.select(*_SHOWN, certificates.c.der).where(certificates.c.serial == sa.bindparam("wanted"))
_REVOKE = (
    sa.update(certificates)
    .where(certificates.c.serial == sa.bindparam("wanted"), certificates.c.revoked.is_(None))
    .values(revoked=sa.bindparam("now"), reason=sa.bindparam("why"))
)
_of_issuer = (certificates.c.issuer == sa.bindparam("ca"), certificates.c.revoked.is_not(None))
_REVOKED = sa.select(certificates.c.serial, certificates.c.revoked, certificates.c.reason).where(*_of_issuer)
_COUNT_REVOKED = sa.select(sa.func.count()).select_from(certificates).where(*_of_issuer)
_LATEST_CRL = sa.select(crls).where(crls.c.issuer == sa.bindparam("ca")).order_by(crls.c.number.desc()).limit(1)
_ADD_CRL = sa.insert(crls)

STATES: dict[str, Callable[[int], tuple[sa.ColumnElement[bool], ...]]] = {
    "valid": lambda now: (certificates.c.revoked.is_(None), certificates.c.not_after > now),
    "expired": lambda now: (certificates.c.revoked.is_(None), certificates.c.not_after <= now),
    "revoked": lambda _now: (certificates.c.revoked.is_not(None),),
}


def state_of(row: dict[str, Any], now: int) -> str:
    """Which of `STATES` the certificate of a row is in."""
    if row["revoked"] is not None:
        return "revoked"
    return "expired" if row["not_after"] <= now else "valid"


@dataclass(frozen=True, slots=True)
class Crl:
    """A CRL in DER, and how many revoked certificates it counts."""

    number: int
    der: bytes
    this_update: int
    next_update: int
    revoked: int


class Certificates:
    """The certificates of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, serial: str) -> dict[str, Any] | None:
        """The row of a certificate by its serial number, 32 lower-case hexadecimal digits; `der` is in it."""
        with self._database.reading() as connection:
            row = connection.execute(_BY_SERIAL, {"wanted": serial}).first()
        return None if row is None else dict(row._mapping)

    def newest(
        self,
        *,
        state: str | None,
        subject: str | None,
        now: int,
        limit: int,
        serial: str | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows without `der`, the newest first: of one of `STATES`, with a text in the subject or the serial number.

        `subject` and `serial` are such texts; with both, one of them will do. `after` is (issued, serial) of the row
        behind which the list goes on.
        """
        issued, number = certificates.c.issued, certificates.c.serial
        select = sa.select(*_SHOWN).order_by(issued.desc(), number).limit(limit)
        if state is not None:
            select = select.where(*STATES[state](now))
        texts = {certificates.c.subject: subject, number: serial}
        if wanted := [column.icontains(text, autoescape=True) for column, text in texts.items() if text is not None]:
            select = select.where(sa.or_(*wanted))
        if after is not None:
            # the first condition alone is one that an index answers
            select = select.where(issued <= after[0], sa.or_(issued < after[0], number > after[1]))
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select)]

    def revoke(self, serial: str, reason: str, record: Record) -> bool:
        """Revoke a certificate; False when it is revoked already or unknown."""
        with self._database.writing() as connection:
            changed = connection.execute(_REVOKE, {"wanted": serial, "now": record.time, "why": reason})
            if changed.rowcount != 1:
                return False
            audit.add(connection, record)
        return True

    def revoked(self, issuer: str) -> list[tuple[str, int, str]]:
        """(serial in hexadecimal, time, reason) of the revoked certificates of a CA."""
        with self._database.reading() as connection:
            rows = connection.execute(_REVOKED, {"ca": issuer})
            return [(row.serial, row.revoked, row.reason or "") for row in rows]

    def count_revoked(self, issuer: str) -> int:
        """How many certificates of a CA are revoked."""
        with self._database.reading() as connection:
            return int(connection.execute(_COUNT_REVOKED, {"ca": issuer}).scalar_one())

    def latest_crl(self, issuer: str) -> Crl | None:
        """The newest CRL of a CA."""
        with self._database.reading() as connection:
            row = connection.execute(_LATEST_CRL, {"ca": issuer}).first()
        return None if row is None else Crl(row.number, row.der, row.this_update, row.next_update, row.revoked)

    def add_crl(self, issuer: str, crl: Crl) -> bool:
        """Keep a CRL; False when one with this number is there already."""
        values = {name: getattr(crl, name) for name in crl.__slots__}
        try:
            with self._database.writing() as connection:
                connection.execute(_ADD_CRL, {"issuer": issuer, **values})
        except IntegrityError:
            return False
        return True
