# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database: SQLite in the state folder, or another one by its URL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import StateError, StoreBusy, one_line
from .schema import SCHEMA_VERSION, meta, metadata

FILE = "store.sqlite3"
BUSY_SECONDS = 5
_INIT_LOCK = 0x53434550
"""Any number: the name of PostgreSQL's lock under which the tables are made."""

OTP_LOCK = "otp lock"

_LASTING = frozenset({"sqlite"})
"""A file is there as long as it is open: each thread that answers requests keeps its connection, and reads outside of
any transaction. A server may go away, and its driver begins a transaction with whatever is read."""

_VERSION = sa.select(meta.c.value).where(meta.c.name == "schema")


class Database:
    """Connections to one database. Safe to use from many threads, processes and nodes at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.lasting = engine.dialect.name in _LASTING
        self.of_thread = threading.local()
        self._kept: list[sa.Connection] = []

    def held(self) -> _Held:
        """All that this thread reads and writes in the `with` block goes over one connection, got and tested once.

        Each use is a transaction of its own all the same. Raises StoreBusy.
        """
        return _Held(self)

    def connect(self) -> sa.Connection:
        """A connection for `held`. Raises StoreBusy."""
        if not self.lasting:
            return _connect(self.engine)
        kept: sa.Connection | None = getattr(self.of_thread, "kept", None)
        if kept is None or kept.closed or kept.invalidated:
            kept = self.of_thread.kept = _connect(self.engine)
            self._kept.append(kept)
        return kept

    def _use(self, *, writing: bool) -> _Use:
        return _Use(self, getattr(self.of_thread, "held", None), writing=writing)

    def reading(self) -> _Use:
        """A connection to read with. Raises StoreBusy when the database does not answer in time."""
        return self._use(writing=False)

    def writing(self) -> _Use:
        """A transaction, committed at the end. Raises StoreBusy, and IntegrityError for what is there already."""
        return self._use(writing=True)

    def ping(self) -> None:
        """Raises StoreBusy when the database cannot be read."""
        with self.reading() as connection:
            connection.execute(_VERSION).one()

    def close(self) -> None:
        """Give back all connections."""
        for connection in self._kept:
            connection.close()
        self.engine.dispose()


class _Held:
    """`Database.held`. Neither this nor `_Use` is a generator, which would take longer: each enrolment has some."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._connection = self._database.of_thread.held = self._database.connect()

    def __exit__(self, *_error: object) -> None:
        self._database.of_thread.held = None
        if not self._database.lasting:
            self._connection.close()


class _Use:
    """One use of a connection, in a `with` block.

    A block that raises, or that was rolled back within, changes nothing.
    """

    def __init__(self, database: Database, held: sa.Connection | None, *, writing: bool) -> None:
        self._database = database
        self._held = held
        self._writing = writing

    def __enter__(self) -> sa.Connection:
        self._connection = self._held or _connect(self._database.engine)
        if self._writing or not self._database.lasting or self._connection.in_transaction():
            # With neither driver does it go to the database. Within another use it is refused: at the end of the inner
            # one, what the outer one has written would be rolled back.
            self._connection.begin()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: Any) -> None:
        try:
            try:
                if self._writing and kind is None:
                    self._connection.commit()
            finally:
                if self._held is None:
                    self._connection.close()
                elif self._connection.in_transaction():
                    self._connection.rollback()
        except (IntegrityError, DataError):
            raise
        except DBAPIError as own:
            raise _busy(own) from own
        if isinstance(error, DBAPIError) and not isinstance(error, (IntegrityError, DataError)):
            raise _busy(error) from error


def _connect(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except (DBAPIError, PoolTimeout) as error:
        raise _busy(error) from error


def _busy(error: Exception) -> StoreBusy:
    cause = getattr(error, "orig", None) or error
    return StoreBusy(f"The database does not answer: {one_line(cause)}.")


def _engine(url: str, state: Path, threads: int) -> sa.Engine:
    try:
        parsed = _parsed(url, state)
        backend = parsed.get_backend_name()
        engine = sa.create_engine(
            parsed,
            pool_size=threads,
            max_overflow=-1 if backend in _LASTING else 0,  # a server has so many places, a file any number
            pool_timeout=BUSY_SECONDS,
            pool_pre_ping=backend != "sqlite",
            connect_args=_CONNECT[backend],
            hide_parameters=True,
        )
    except (ArgumentError, NoSuchModuleError, ImportError, TypeError, ValueError) as error:
        raise StateError(f"The setting database is no usable URL: {one_line(error)}.") from None
    sa.event.listen(engine, "connect", _PREPARE[backend])
    return engine


def _parsed(url: str, state: Path) -> sa.URL:
    """The URL, of SQLite with an absolute path. Raises ArgumentError and others for what is no usable URL."""
    parsed = sa.make_url(url or f"sqlite:///{FILE}")
    backend = parsed.get_backend_name()
    if backend not in _PREPARE:
        raise ArgumentError(f"{backend} is not supported, only {' and '.join(_PREPARE)}")
    if backend == "sqlite":
        if not parsed.database or parsed.database.startswith((":", "file:")):
            raise ArgumentError("SQLite needs a file, as in sqlite:////srv/scep/store.sqlite3")
        parsed = parsed.set(database=str((state / parsed.database).resolve()))
    return parsed


def without_password(url: str) -> str:
    """The URL for people. Raises nothing: what is no URL is told when the database is opened."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True) if url else ""
    except (ArgumentError, ValueError):
        return "***"


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # WAL: readers do not wait for the writer. FULL: what was committed survives a power cut.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    # By itself it waits without end for a row that a node holds which is cut off.
    connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()


# By the name of the backend: what its driver is told, and what is done with each new connection.
_CONNECT: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": BUSY_SECONDS},
    "postgresql": {"connect_timeout": BUSY_SECONDS},
}
_PREPARE = {"sqlite": _prepare_sqlite, "postgresql": _prepare_postgresql}
# Two nodes may be initialised at once; and SQLite's driver begins no transaction for the making of tables, of which a
# crash would leave a part: the audit without what keeps it append-only.
_BEGIN_INIT: dict[str, sa.Executable] = {
    "sqlite": sa.text("BEGIN IMMEDIATE"),
    "postgresql": sa.select(sa.func.pg_advisory_xact_lock(_INIT_LOCK)),
}


def create(url: str, state: Path) -> bool:
    """Make the tables; False when they are there already. Raises StateError."""
    engine = _engine(url, state, 1)
    try:
        if not url:
            (state / FILE).touch(mode=0o600, exist_ok=True)
        with engine.connect() as connection:
            if _is_made(connection):
                return False
        with engine.begin() as connection:
            connection.execute(_BEGIN_INIT[engine.dialect.name])
            if _is_made(connection):
                return False
            metadata.create_all(connection)
            rows = [{"name": "schema", "value": str(SCHEMA_VERSION)}, {"name": OTP_LOCK, "value": ""}]
            connection.execute(sa.insert(meta), rows)
            return True
    except DBAPIError as error:
        raise StateError(f"The database cannot be set up: {one_line(error.orig)}.") from None
    finally:
        engine.dispose()


def _is_made(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table(meta.name) and connection.execute(_VERSION).first() is not None


def open_database(url: str, state: Path, threads: int, *, check: bool) -> Database:
    """Connect to a database made by `create`; without `check` it need not answer yet. Raises StateError."""
    engine = _engine(url, state, threads)
    try:
        if check:
            _check_version(engine, None if url else state)
    except StateError:
        engine.dispose()
        raise
    return Database(engine)


def _check_version(engine: sa.Engine, state: Path | None) -> None:
    if state is not None and not (state / FILE).exists():
        raise StateError(f"{state} has no database: run 'scep-server --state {state} init' first.")
    try:
        with engine.connect() as connection:
            version = int(connection.execute(_VERSION).scalar_one())
    except (DBAPIError, sa.exc.NoResultFound, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        raise StateError(f"The database cannot be read: {one_line(cause)}.") from None
    if version > SCHEMA_VERSION:
        raise StateError(
            f"The database has schema version {version}, written by a newer scep-server; this one knows "
            f"{SCHEMA_VERSION}. Use the newer scep-server, or another state folder."
        )
    if version < SCHEMA_VERSION:
        raise StateError(
            f"The database has schema version {version}, from before the first release, and cannot be taken over: "
            "begin with an empty state folder and an empty database."
        )
