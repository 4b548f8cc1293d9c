# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server remembers, in SQLAlchemy Core: SQLite in the state folder, or another database by its URL.

Times are whole seconds since the epoch. Every change is one short transaction; nothing is signed within one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .errors import ServerError, StateError, StoreBusy
from .schema import SCHEMA_VERSION, audit, certificates, crls, metadata, otp
from .schema import meta as meta_table

FILE = "store.sqlite3"
BUSY_SECONDS = 5

_unused = otp.c.used.is_(None)
_FIND_OTP = sa.select(otp.c.id, otp.c.expires, otp.c.used).where(otp.c.mac == sa.bindparam("mac"))
_USE_OTP = (
    sa.update(otp)
    .where(otp.c.id == sa.bindparam("otp_id"), _unused, otp.c.expires > sa.bindparam("now"))
    .values(used=sa.bindparam("now"))
)
_COUNT_OTP = sa.select(sa.func.count()).select_from(otp).where(_unused, otp.c.expires > sa.bindparam("now"))
_DROP_OTP = sa.delete(otp).where(otp.c.expires < sa.bindparam("before"))
_ADD_OTP = sa.insert(otp)
_FIND_ISSUED = (
    sa.select(
        certificates.c.serial,
        certificates.c.der,
        certificates.c.issued,
        certificates.c.not_after,
        certificates.c.revoked,
        certificates.c.generation,
    )
    .where(
        certificates.c.transaction_id == sa.bindparam("transaction_id"),
        certificates.c.signer_key == sa.bindparam("signer_key"),
        certificates.c.request_digest == sa.bindparam("request_digest"),
    )
    .order_by(certificates.c.generation.desc())
    .limit(1)
)
_ADD_CERTIFICATE = sa.insert(certificates)
_ADD_AUDIT = sa.insert(audit)
_REVOKED = sa.select(certificates.c.serial, certificates.c.revoked, certificates.c.reason).where(
    certificates.c.revoked.is_not(None)
)
_COUNT_REVOKED = sa.select(sa.func.count()).select_from(certificates).where(certificates.c.revoked.is_not(None))
_LATEST_CRL = sa.select(crls).order_by(crls.c.number.desc()).limit(1)
_ADD_CRL = sa.insert(crls)
_PING = sa.select(meta_table.c.value).where(meta_table.c.name == "schema")
# Whoever counts passwords before adding some holds this row until the commit, so that two cannot count at once.
_LOCK_OTP = sa.update(meta_table).where(meta_table.c.name == "otp lock").values(value=meta_table.c.value)


def epoch(moment: dt.datetime) -> int:
    """Seconds since the epoch of an aware time."""
    return int(moment.timestamp())


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a request the same request: its transaction, who signed it (SHA-256 of the key), what it asks for."""

    transaction_id: str
    signer_key: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that answers a request. `generation` counts the certificates issued for the same `Key`."""

    serial: str
    der: bytes
    issued: int
    not_after: int
    revoked: int | None
    generation: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """A stored one-time password, without the password."""

    id: int
    expires: int
    used: int | None


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

    def values(self) -> dict[str, Any]:
        """As a row of the table."""
        return {name: getattr(self, name) for name in self.__slots__}


class Store:
    """One database. Safe to use from many threads, processes and nodes at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _connection(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() if writing else self._engine.connect() as connection:
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreBusy(f"The database does not answer: {cause}.") from error

    def ping(self) -> None:
        """Raises StoreBusy when the database cannot be read."""
        with self._connection() as connection:
            connection.execute(_PING).one()

    # one-time passwords

    def add_challenges(self, macs: Sequence[bytes], *, now: int, expires: int, limit: int, keep: int) -> None:
        """Add unused passwords, all or none; those that expired before `keep` are forgotten.

        Raises ServerError when more than `limit` would be unused.
        """
        with self._connection(writing=True) as connection:
            connection.execute(_LOCK_OTP)
            connection.execute(_DROP_OTP, {"before": keep})
            unused = connection.execute(_COUNT_OTP, {"now": now}).scalar_one()
            if unused + len(macs) > limit:
                raise ServerError(
                    f"{unused} one-time passwords are unused and {len(macs)} more would exceed the limit of {limit}: "
                    "use some up, wait until they expire, or raise the setting otp_outstanding."
                )
            connection.execute(_ADD_OTP, [{"mac": mac, "created": now, "expires": expires} for mac in macs])

    def find_challenge(self, mac: bytes) -> Challenge | None:
        """The password with this HMAC, used or not."""
        with self._connection() as connection:
            row = connection.execute(_FIND_OTP, {"mac": mac}).first()
        return None if row is None else Challenge(*row)

    # certificates

    def find_issued(self, key: Key) -> Issued | None:
        """The newest certificate that answers this very request."""
        values = {
            "transaction_id": key.transaction_id,
            "signer_key": key.signer_key,
            "request_digest": key.request_digest,
        }
        with self._connection() as connection:
            row = connection.execute(_FIND_ISSUED, values).first()
        return None if row is None else Issued(*row)

    def issue(self, certificate: dict[str, Any], challenge_id: int | None, record: Record) -> bool:
        """Use up the password, keep the certificate and write the audit line, in one transaction.

        False: the password was gone, or the request was answered by somebody else meanwhile; nothing was kept.
        """
        try:
            with self._connection(writing=True) as connection:
                if challenge_id is not None:
                    used = connection.execute(_USE_OTP, {"otp_id": challenge_id, "now": record.time})
                    if used.rowcount != 1:
                        connection.rollback()
                        return False
                connection.execute(_ADD_CERTIFICATE, certificate)
                connection.execute(_ADD_AUDIT, record.values())
        except IntegrityError:
            return False
        return True

    def revoked(self) -> list[tuple[str, int, str]]:
        """(serial in hexadecimal, time, reason) of the revoked certificates."""
        with self._connection() as connection:
            return [(row.serial, row.revoked, row.reason or "") for row in connection.execute(_REVOKED)]

    def count_revoked(self) -> int:
        """How many certificates are revoked."""
        with self._connection() as connection:
            return int(connection.execute(_COUNT_REVOKED).scalar_one())

    # CRLs and audit

    def latest_crl(self) -> sa.Row[Any] | None:
        """The row of the newest CRL."""
        with self._connection() as connection:
            return connection.execute(_LATEST_CRL).first()

    def add_crl(self, *, number: int, der: bytes, this_update: int, next_update: int, revoked: int) -> bool:
        """Keep a CRL; False when one with this number is there already."""
        values = {
            "number": number,
            "der": der,
            "this_update": this_update,
            "next_update": next_update,
            "revoked": revoked,
        }
        try:
            with self._connection(writing=True) as connection:
                connection.execute(_ADD_CRL, values)
        except IntegrityError:
            return False
        return True

    def add_record(self, record: Record) -> None:
        """Write one audit line."""
        with self._connection(writing=True) as connection:
            connection.execute(_ADD_AUDIT, record.values())

    def records(self) -> list[dict[str, Any]]:
        """All audit lines, oldest first."""
        with self._connection() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(audit).order_by(audit.c.id))]


def _engine(url: str, state: Path, threads: int) -> sa.Engine:
    try:
        parsed = sa.make_url(url) if url else sa.URL.create("sqlite", database=str((state / FILE).resolve()))
        sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}} if sqlite else {"pool_pre_ping": True}
        engine = sa.create_engine(
            parsed, pool_size=threads, max_overflow=0, pool_timeout=BUSY_SECONDS, hide_parameters=True, **options
        )
    except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
        raise StateError(f"The setting database is no usable URL: {error}.") from None
    if sqlite:
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # WAL: readers do not wait for the writer. FULL: what was committed survives a power cut.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def create(url: str, state: Path) -> bool:
    """Make the tables; False when they are there already. Raises StateError."""
    engine = _engine(url, state, 1)
    try:
        if not url:
            (state / FILE).touch(mode=0o600, exist_ok=True)
        with engine.begin() as connection:
            metadata.create_all(connection)
            if connection.execute(_PING).first() is not None:
                return False
            rows = [{"name": "schema", "value": str(SCHEMA_VERSION)}, {"name": "otp lock", "value": ""}]
            connection.execute(sa.insert(meta_table), rows)
            return True
    except DBAPIError as error:
        raise StateError(f"The database cannot be set up: {error.orig}.") from None
    finally:
        engine.dispose()


def open_store(url: str, state: Path, threads: int = 1) -> Store:
    """Connect to a database made by `create`. Raises StateError with a sentence."""
    engine = _engine(url, state, threads)
    try:
        _check_version(engine, None if url else state)
    except StateError:
        engine.dispose()
        raise
    return Store(engine)


def _check_version(engine: sa.Engine, state: Path | None) -> None:
    if state is not None and not (state / FILE).exists():
        raise StateError(f"{state} has no database: run 'scep-server --state {state} init' first.")
    try:
        with engine.connect() as connection:
            version = int(connection.execute(_PING).scalar_one())
    except (DBAPIError, sa.exc.NoResultFound, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        raise StateError(f"The database cannot be read: {cause}.") from None
    if version > SCHEMA_VERSION:
        raise StateError(
            f"The database has schema version {version}, written by a newer scep-server; this one knows "
            f"{SCHEMA_VERSION}. Use the newer scep-server, or another state folder."
        )
