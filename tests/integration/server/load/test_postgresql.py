# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen with a database that is a server itself."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from .clients import Lost, connected, together
from .conftest import Site, wait_until

if TYPE_CHECKING:
    from support.postgres import Cluster

only_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@only_postgresql
def test_database_away(site: Site, postgres: Cluster) -> None:
    """It is killed, a worker is too, and its successor starts without a database."""
    (password,) = site.passwords(1)
    request = site.fleet.request(password)
    (node, _other) = site.nodes
    victim, _survivor = node.workers()
    postgres.stop(signal.SIGQUIT)
    try:
        with connected(node.url) as connection, pytest.raises(Lost, match="503"):
            connection.post(request)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in node.server.workers(), "the killed worker is gone")
        assert len(node.workers()) == 2
        for _unused in range(8):  # one of them comes to the new worker
            with connected(node.url) as connection, pytest.raises(Lost, match="503"):
                connection.post(request)
    finally:
        postgres.start()
    for each in site.nodes:
        with connected(each.url) as connection:
            certificate = site.fleet.certificate(connection.post(request), request)
        site.kept().check([certificate])
    assert len(site.kept().certificates) == 1


@only_postgresql
def test_nodes_initialised_at_once(
    database: str, make_state: Callable[..., Path], tmp_path: Path, command: Callable[..., Any]
) -> None:
    first = make_state(database=database)
    states = [first, *(Path(shutil.copytree(first, tmp_path / f"state{number}")) for number in range(2, 5))]
    done = together(len(states), lambda number: command(states[number], "init"))
    assert [status for status, _result in done] == [0] * len(states), done
    assert sorted(result["changed"] for _status, result in done) == [False] * 3 + [True]


@only_postgresql
def test_audit_is_append_only(site: Site) -> None:
    with connected(site.nodes[0].url) as node:
        node.post(site.fleet.request("wrong"))
    engine = sa.create_engine(site.database, poolclass=sa.NullPool)
    for statement in ("UPDATE audit SET outcome = 'issued'", "DELETE FROM audit", "TRUNCATE audit"):
        with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError, match="append-only"):
            connection.execute(sa.text(statement))
    assert site.kept().outcomes() == {"refused": 1}
