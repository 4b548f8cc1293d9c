# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of requests for certificates: each gets one answer, and keeps it.

Everything is signed before; here are the lookups and the short transactions that make an answer count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from . import audit, challenges
from .audit import Record
from .database import Database
from .prepared import Prepared
from .schema import certificates, requests

PENDING, ISSUED, DENIED = "pending", "issued", "denied"
STATES = (PENDING, ISSUED, DENIED)


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a request the same request: its transaction, who signed it (SHA-256 of the key), what it asks for."""

    transaction_id: str
    signer_key: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that answers a request. `generation` counts the answers to the same `Key`.

    `replaces` is the serial number of the certificate that signed the request, if this is a renewal.
    """

    serial: str
    der: bytes
    issued: int
    not_after: int
    revoked: int | None
    generation: int
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for a person, or was decided by one: `state` is pending, issued or denied."""

    id: int
    state: str
    created: int
    generation: int
    reason: str
    serial: str | None


_ISSUED = sa.select(*(certificates.c[name] for name in Issued.__slots__))
_WAITING = sa.select(*(requests.c[name] for name in Waiting.__slots__))


def _of_key(select: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    return select.where(*(table.c[name] == sa.bindparam(name) for name in Key.__slots__))


def _newest_of_key(select: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    return _of_key(select, table).order_by(table.c.generation.desc()).limit(1)


def _newest_of_signer(select: sa.Select[Any], table: sa.Table, time: sa.ColumnElement[int]) -> sa.Select[Any]:
    columns = (table.c.transaction_id, table.c.signer_key)
    return select.where(*(column == sa.bindparam(column.name) for column in columns)).order_by(time.desc()).limit(1)


# Most requests are new: one statement says so.
_ANY_FOR_KEY = Prepared(
    sa.union_all(
        *(_of_key(sa.select(table.c.generation), table) for table in (certificates, requests)),
    )
)
_ISSUED_FOR_KEY = _newest_of_key(_ISSUED, certificates)
_RENEWAL_FOR_KEY = _ISSUED_FOR_KEY.where(certificates.c.replaces == sa.bindparam("replaces"))
_WAITING_FOR_KEY = _newest_of_key(_WAITING, requests)
_ISSUED_FOR_SIGNER = _newest_of_signer(_ISSUED, certificates, certificates.c.issued)
_WAITING_FOR_SIGNER = _newest_of_signer(_WAITING, requests, requests.c.id)
_CACHED = (
    _ISSUED.where(
        sa.or_(
            certificates.c.transaction_id == sa.bindparam("transaction_id"),
            certificates.c.signer_key == sa.bindparam("key"),
        ),
        certificates.c.issued > sa.bindparam("since"),
    )
    .order_by(certificates.c.issued.desc())
    .limit(1)
)
_ISSUED_BY_SERIAL = _ISSUED.where(certificates.c.serial == sa.bindparam("wanted"))
_COLUMNS = [column.name for column in certificates.c if column.name not in ("revoked", "reason")]
_ADD_CERTIFICATE = Prepared(sa.insert(certificates).inline().values({name: sa.bindparam(name) for name in _COLUMNS}))
_ADD_REQUEST = sa.insert(requests)
_DECIDE = (
    sa.update(requests)
    .where(requests.c.id == sa.bindparam("request_id"), requests.c.state == PENDING)
    .values(
        {name: sa.bindparam(f"new_{name}") for name in ("state", "decided", "reason", "serial")},
    )
)
_LIST = sa.select(requests).order_by(requests.c.id)


class Answers:
    """The answers in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: Key) -> Issued | Waiting | None:
        """The newest answer to this very request."""
        values = {name: getattr(key, name) for name in key.__slots__}
        with self._database.reading() as connection:
            if _ANY_FOR_KEY.run(connection, values).fetchone() is None:
                return None
            return _later(connection, _ISSUED_FOR_KEY, _WAITING_FOR_KEY, values)

    def find_renewal(self, key: Key, replaces: str) -> Issued | None:
        """The newest answer to this very request that renewed the certificate with this serial number."""
        values = {name: getattr(key, name) for name in key.__slots__}
        with self._database.reading() as connection:
            found = connection.execute(_RENEWAL_FOR_KEY, values | {"replaces": replaces}).first()
        return None if found is None else Issued(*found)

    def find_cached(self, transaction_id: str, key: bytes, since: int) -> Issued | None:
        """The newest certificate that was issued after `since` in this transaction, or to who signs with this key."""
        with self._database.reading() as connection:
            values = {"transaction_id": transaction_id, "key": key, "since": since}
            found = connection.execute(_CACHED, values).first()
        return None if found is None else Issued(*found)

    def find_for_signer(self, transaction_id: str, signer_key: bytes) -> Issued | Waiting | None:
        """The newest answer to whoever signs with this key (its SHA-256), in this transaction."""
        values = {"transaction_id": transaction_id, "signer_key": signer_key}
        with self._database.reading() as connection:
            return _later(connection, _ISSUED_FOR_SIGNER, _WAITING_FOR_SIGNER, values)

    def issue(
        self, certificate: dict[str, Any], challenge_id: int | None, record: Record, *, request_id: int | None = None
    ) -> bool:
        """Use up the password, keep the certificate and write the audit line, in one transaction.

        `request_id` is the pending request that it answers. False: the password was gone, the request was decided or
        answered by somebody else meanwhile; nothing was kept.
        """
        decided = {"new_serial": certificate["serial"], "new_reason": "", "new_state": ISSUED}
        try:
            with self._database.writing() as connection:
                if not _take(connection, challenge_id, record.time) or (
                    request_id is not None and not _decide(connection, request_id, record.time, decided)
                ):
                    connection.rollback()
                    return False
                _ADD_CERTIFICATE.run(connection, certificate)
                audit.add(connection, record)
        except IntegrityError:
            return False
        return True

    def pend(self, request: dict[str, Any], challenge_id: int | None, record: Record) -> int | None:
        """Use up the password and keep the request for a person to decide: its id; None as `issue` gives False."""
        try:
            with self._database.writing() as connection:
                if not _take(connection, challenge_id, record.time):
                    connection.rollback()
                    return None
                added = connection.execute(_ADD_REQUEST, request | {"state": PENDING})
                audit.add(connection, record)
                (request_id,) = added.inserted_primary_key or (0,)
                return int(request_id)
        except IntegrityError:
            return None

    def deny(self, request_id: int, reason: str, record: Record) -> bool:
        """Deny a pending request; False when it was decided meanwhile."""
        decided = {"new_serial": None, "new_reason": reason, "new_state": DENIED}
        with self._database.writing() as connection:
            if not _decide(connection, request_id, record.time, decided):
                return False
            audit.add(connection, record)
        return True

    def refuse(self, challenge_id: int | None, record: Record) -> None:
        """Write the audit line of a refused request, and use its password up, if one is given."""
        with self._database.writing() as connection:
            if challenge_id is not None:
                challenges.use(connection, challenge_id, record.time)
            audit.add(connection, record)

    def requests(self, state: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The rows of the requests that a person decides, oldest first; of one state alone, and so many, if given."""
        select = _LIST.limit(limit) if state is None else _LIST.where(requests.c.state == state).limit(limit)
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select)]

    def request(self, request_id: int) -> dict[str, Any] | None:
        """The row of one of them."""
        with self._database.reading() as connection:
            row = connection.execute(_LIST.where(requests.c.id == request_id)).first()
        return None if row is None else dict(row._mapping)

    def pending(self) -> int:
        """How many requests wait."""
        count = sa.select(sa.func.count()).select_from(requests).where(requests.c.state == PENDING)
        with self._database.reading() as connection:
            return int(connection.execute(count).scalar_one())


def _take(connection: sa.Connection, challenge_id: int | None, now: int) -> bool:
    return challenge_id is None or challenges.use(connection, challenge_id, now)


def _decide(connection: sa.Connection, request_id: int, now: int, values: dict[str, Any]) -> bool:
    return connection.execute(_DECIDE, {"request_id": request_id, "new_decided": now, **values}).rowcount == 1


def _later(
    connection: sa.Connection, issued: sa.Select[Any], waiting: sa.Select[Any], values: dict[str, Any]
) -> Issued | Waiting | None:
    """The later one of a certificate and a request; a request that was granted is its certificate."""
    certificate = connection.execute(issued, values).first()
    request = connection.execute(waiting, values).first()
    found = None if certificate is None else Issued(*certificate)
    if request is None or (found is not None and found.issued >= request.created):
        return found
    if request.state == ISSUED:
        granted = connection.execute(_ISSUED_BY_SERIAL, {"wanted": request.serial}).one()
        return replace(Issued(*granted), generation=request.generation)
    return Waiting(*request)
