# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit, append-only, and the counters that the database keeps of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .database import Database
from .prepared import Prepared
from .schema import audit, counters

# What no log line should have, and what PostgreSQL does not store
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
LENGTH = 1000
"""Characters of a text, at most."""

_TOTALS = sa.select(counters.c.message_type, counters.c.outcome, sa.func.sum(counters.c.value)).group_by(
    counters.c.message_type, counters.c.outcome
)


def printable(text: str) -> str:
    """For people and for the database: without control characters, of limited length."""
    return _CONTROL.sub("?", text)[:LENGTH]


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the audit: what was asked, by whom, and what became of it."""

    time: int
    client: str
    message_type: str
    transaction_id: str
    outcome: str
    reason: str = ""
    subject: str = ""
    challenge_id: int | None = None
    serial: str | None = None


_ADD = Prepared(sa.insert(audit).inline().values({name: sa.bindparam(name) for name in Record.__slots__}))


def add(connection: sa.Connection, record: Record) -> None:
    """Write a line, within somebody's transaction; a trigger counts it."""
    values = {name: getattr(record, name) for name in record.__slots__}
    values["reason"] = printable(record.reason)
    _ADD.run(connection, values)


class Audit:
    """Reading the audit, and writing to it where nothing else changes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: Record) -> None:
        """Write one line."""
        with self._database.writing() as connection:
            add(connection, record)

    def records(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The lines, oldest first; of the newest `limit` alone, if given."""
        newest = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(newest)][::-1]

    def totals(self) -> dict[tuple[str, str], int]:
        """How many lines there are of each (message type, outcome)."""
        with self._database.reading() as connection:
            return {(kind, outcome): int(count) for kind, outcome, count in connection.execute(_TOTALS)}
