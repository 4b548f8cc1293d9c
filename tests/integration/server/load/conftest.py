# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as it is run: one node on SQLite, or two nodes on one PostgreSQL."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import kept

from ..conftest import RunningServer, alive
from .clients import BITS, Fleet

SECONDS = 60
"""How long something may take that is over in a second on a quiet machine."""
WORKERS = 2
SETTINGS = {"workers": WORKERS, "threads": 4, "otp_outstanding": 100_000, "min_rsa_bits": BITS}


class Node:
    """One state folder, and the server that runs on it, which may be another one after a while."""

    def __init__(self, state: Path, serve: Callable[..., RunningServer]) -> None:
        self.state, self._serve = state, serve
        self.start()

    def start(self) -> None:
        """Start the server."""
        self.server = self._serve(self.state)

    def url(self) -> str:
        """Where it listens at the moment."""
        return self.server.url

    def workers(self) -> list[int]:
        """Process ids of the workers, all of which are there."""
        wait_until(lambda: len(self.server.workers()) == WORKERS, "all workers run")
        return sorted(self.server.workers())


class Site:
    """A database and its nodes."""

    def __init__(self, database: str, nodes: list[Node], command: Callable[..., tuple[int, dict[str, Any]]]) -> None:
        self.database, self.nodes, self._command = database, nodes, command
        self.fleet = Fleet(nodes[0].url())

    def passwords(self, count: int) -> list[str]:
        """Fresh one-time passwords."""
        status, result = self._command(self.nodes[0].state, "otp", "create", "--count", str(count))
        assert status == 0, result
        passwords: list[str] = result["passwords"]
        return passwords

    def node(self, number: int) -> Node:
        """The node for client `number`: they are spread evenly."""
        return self.nodes[number % len(self.nodes)]

    def kept(self) -> kept.Kept:
        """What the database holds."""
        return kept.read(self.database)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for SECONDS at most."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(0.02)


def gone(pids: list[int]) -> Callable[[], bool]:
    """Whether none of these processes runs."""
    return lambda: not any(map(alive, pids))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite3'}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def site(
    database: str,
    make_state: Callable[..., Path],
    tmp_path: Path,
    serve: Callable[..., RunningServer],
    command: Callable[..., tuple[int, dict[str, Any]]],
) -> Site:
    """All nodes, running. A PostgreSQL has two, with the same keys and settings."""
    states = [make_state(database=database, **SETTINGS)]
    status, result = command(states[0], "init")
    assert status == 0, result
    if database.startswith("postgresql"):
        states.append(Path(shutil.copytree(states[0], tmp_path / "state2")))
    return Site(database, [Node(state, serve) for state in states], command)
