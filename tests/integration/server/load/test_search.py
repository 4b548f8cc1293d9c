# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a few of very many certificates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored import NOW, key, record, row

from scep_server.store import Store, open_store
from scep_server.store import database as database_module
from scep_server.store.schema import certificates

MANY = 100_000
SUBJECTS = {1: "CN=50% off", 2: "CN=a_b", 3: "CN=a\\,b/c", 4: "CN=AXB"}


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[Store]:
    """Ten certificates for each second."""
    database_module.create(database, tmp_path)
    with closing(open_store(database, tmp_path)) as store:
        rows = [
            row(number, key(number), subject=SUBJECTS.get(number, f"CN=device{number}"), issued=NOW + number // 10)
            for number in range(1, MANY + 1)
        ]
        with store.database.writing() as connection:
            connection.execute(sa.insert(certificates), rows)
        with store.database.writing() as connection:
            connection.exec_driver_sql("ANALYZE")
        yield store


def found(store: Store, **wanted: Any) -> list[int]:
    given = {"state": None, "subject": None, "now": NOW, "limit": 20} | wanted
    return [int(each["serial"], 16) for each in store.certificates.newest(**given)]


def plan(store: Store, **wanted: Any) -> str:
    """How the database goes about it."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    engine = store.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    found(store, **wanted)
    sa.event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = asked
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with store.database.reading() as connection:
        return "\n".join(str(line) for line in connection.exec_driver_sql(f"{explain} {statement}", parameters))


def test_a_page_is_found_without_reading_the_others(store: Store) -> None:
    middle = NOW + MANY // 20
    for wanted in ({}, {"state": "valid"}, {"after": (middle, "")}):
        how = plan(store, **wanted)
        assert "certificates_issued" in how and "Seq Scan" not in how and "FOR ORDER BY" not in how, how
    assert found(store, limit=2) == [MANY, MANY - 10]
    first = found(store, limit=13)
    assert first == [MANY, *range(MANY - 10, MANY), MANY - 20, MANY - 19]
    assert found(store, limit=3, after=(NOW + MANY // 10 - 1, f"{MANY - 2:032x}")) == [MANY - 1, MANY - 20, MANY - 19]


def test_texts_are_no_patterns(store: Store) -> None:
    for text, numbers in {"0%": [1], "%": [1], "A_B": [2], "\\": [3], "/": [3], "axb": [4], "' OR 1=1 --": []}.items():
        assert found(store, subject=text) == numbers, text
    assert found(store, subject="nothing", serial=f"{0xABCDE:x}") == []
    assert found(store, subject="device77777", serial=f"{5:032x}") == [77777, 5]
    assert store.certificates.revoke(f"{4:032x}", "", record("revoked"))
    assert found(store, subject="axb", state="revoked") == [4] and found(store, subject="axb", state="valid") == []
