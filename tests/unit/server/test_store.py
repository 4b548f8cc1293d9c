# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: races, limits, and what a database of another version gets."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from stored import NOW, key, record, row, together

from scep_server.errors import ServerError, StateError, StoreBusy
from scep_server.store import Store, audit, database, open_store
from scep_server.store.answers import Issued


def add_password(opened: Store, mac: bytes, *, expires: int = NOW + 60) -> int:
    opened.challenges.add([mac], now=NOW, expires=expires, limit=1000, keep=NOW - 1000)
    found = opened.challenges.find(mac)
    assert found is not None
    return found.id


def _raw(state: Path) -> contextlib.closing[sqlite3.Connection]:
    """The database without the store, every statement a transaction of its own."""
    return contextlib.closing(sqlite3.connect(state / database.FILE, isolation_level=None))


def test_one_password_gives_one_certificate(opened: Store) -> None:
    password = add_password(opened, b"m" * 32)
    won = together(16, lambda number: opened.answers.issue(row(number, key(number)), password, record()))
    assert sorted(won) == [False] * 15 + [True]
    assert sum(opened.answers.find(key(number)) is not None for number in range(16)) == 1
    assert len(opened.audit.records()) == 1


def test_one_request_gets_one_certificate(opened: Store) -> None:
    won = together(16, lambda number: opened.answers.issue(row(number, key(0)), None, record()))
    assert sorted(won) == [False] * 15 + [True]


def test_a_lost_race_gives_the_password_back(opened: Store) -> None:
    password = add_password(opened, b"m" * 32)
    assert opened.answers.issue(row(1, key(0)), None, record())
    assert not opened.answers.issue(row(2, key(0)), password, record())
    found = opened.challenges.find(b"m" * 32)
    assert found is not None and found.used is None


def test_serials_are_unique(opened: Store) -> None:
    assert opened.answers.issue(row(1, key(1)), None, record())
    assert not opened.answers.issue(row(1, key(2)), None, record())
    assert opened.answers.find(key(2)) is None


def test_the_newest_generation_is_found(opened: Store) -> None:
    assert opened.answers.issue(row(1, key(0), 0), None, record())
    assert opened.answers.issue(row(2, key(0), 1), None, record())
    found = opened.answers.find(key(0))
    assert isinstance(found, Issued) and (found.generation, int(found.serial, 16)) == (1, 2)


def test_a_held_connection_serves_every_use(opened: Store) -> None:
    """What one use leaves undone, the next does not see; one connection is enough, for a file the next time too."""
    got: list[object] = []
    sa.event.listen(opened.database.engine, "checkout", lambda *words: got.append(words))
    password = add_password(opened, b"m" * 32)
    got.clear()
    for number in (1, 3):
        with opened.database.held():
            assert opened.answers.find(key(number)) is None
            assert opened.answers.issue(row(number, key(number)), password, record()) == (number == 1)
            assert not opened.answers.issue(row(2, key(2)), password, record())
            assert not opened.answers.issue(row(1, key(2)), None, record())
            assert isinstance(opened.answers.find(key(1)), Issued) and opened.answers.find(key(2)) is None
            assert [line["outcome"] for line in opened.audit.records()] == ["issued"]
    assert len(got) == (1 if opened.database.lasting else 2)
    assert [line["outcome"] for line in together(1, lambda _number: opened.audit.records())[0]] == ["issued"]


def test_no_use_within_a_use(opened: Store) -> None:
    """The inner one would take back what the outer one has written, and nobody would be told."""
    with opened.database.held(), pytest.raises(sa.exc.InvalidRequestError), opened.database.writing() as connection:
        audit.add(connection, record())
        opened.audit.records()
    assert opened.audit.records() == []
    opened.audit.add(record())
    assert len(opened.audit.records()) == 1


def test_a_connection_that_was_lost_is_replaced(opened: Store) -> None:
    with opened.database.held() as _nothing, opened.database.reading() as connection:
        connection.invalidate()
    with opened.database.held():
        assert opened.answers.issue(row(1, key(1)), None, record())
    assert isinstance(opened.answers.find(key(1)), Issued)


def test_expired_passwords_are_not_used(opened: Store) -> None:
    password = add_password(opened, b"m" * 32, expires=NOW)
    assert not opened.answers.issue(row(1, key(1)), password, record())
    assert opened.answers.find(key(1)) is None


def test_limit_holds_under_a_race(opened: Store) -> None:
    def add(number: int) -> bool:
        try:
            opened.challenges.add(
                [bytes([number, i]) * 16 for i in range(3)], now=NOW, expires=NOW + 60, limit=10, keep=0
            )
        except ServerError as error:
            assert "otp_outstanding" in str(error)
            return False
        return True

    assert sum(together(12, add)) == 3


def test_used_and_expired_passwords_do_not_count(opened: Store) -> None:
    used = add_password(opened, b"u" * 32)
    assert opened.answers.issue(row(1, key(1)), used, record())
    add_password(opened, b"e" * 32, expires=NOW + 1)
    opened.challenges.add([b"n" * 32], now=NOW + 2, expires=NOW + 60, limit=1, keep=0)
    with pytest.raises(ServerError):
        opened.challenges.add([b"o" * 32], now=NOW + 2, expires=NOW + 60, limit=1, keep=0)


def test_old_passwords_are_forgotten(opened: Store) -> None:
    add_password(opened, b"o" * 32, expires=NOW - 1001)
    add_password(opened, b"n" * 32)
    assert opened.challenges.find(b"o" * 32) is None


def test_audit_is_append_only(opened: Store, state: Path) -> None:
    opened.audit.add(record("refused"))
    for statement in ("UPDATE audit SET outcome = 'issued'", "DELETE FROM audit"):
        with _raw(state) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    assert [line["outcome"] for line in opened.audit.records()] == ["refused"]


def test_durability(opened: Store) -> None:
    with opened.database.reading() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar_one() == 2  # FULL
    assert (Path(str(opened.database.engine.url.database)).stat().st_mode & 0o777) == 0o600


def test_create_is_idempotent(state: Path) -> None:
    assert database.create("", state) is False


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE meta SET value = '99' WHERE name = 'schema'", "schema version 99, written by a newer scep-server"),
        ("UPDATE meta SET value = '1' WHERE name = 'schema'", "schema version 1, from before the first release"),
        ("UPDATE meta SET value = 'x' WHERE name = 'schema'", "cannot be read"),
        ("DELETE FROM meta", "cannot be read"),
        ("DROP TABLE meta", "cannot be read"),
    ],
)
def test_databases_that_are_refused(state: Path, statement: str, says: str) -> None:
    with _raw(state) as connection:
        connection.execute(statement)
    with pytest.raises(StateError, match=says):
        open_store("", state)


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has no database: run"):
        open_store("", tmp_path)


def test_not_a_database(state: Path) -> None:
    (state / database.FILE).write_bytes(b"x" * 5000)
    with pytest.raises(StateError, match="cannot be read"):
        open_store("", state)


@pytest.mark.parametrize("url", ["nonsense", "oracle9i://x", "no-such-dialect://host/x"])
def test_urls_that_are_refused(state: Path, url: str) -> None:
    with pytest.raises(StateError, match="no usable URL"):
        open_store(url, state)


def test_database_by_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    assert database.create(url, tmp_path) is True
    opened = open_store(url, tmp_path)
    opened.database.ping()
    opened.close()


def test_locked_database_is_busy(opened: Store, state: Path) -> None:
    with _raw(state) as other:
        other.execute("BEGIN IMMEDIATE")
        with opened.database.reading() as connection:
            connection.execute(sa.text("PRAGMA busy_timeout = 10"))
        with pytest.raises(StoreBusy, match="locked"):
            opened.audit.add(record())
        other.execute("ROLLBACK")
    opened.audit.add(record())
