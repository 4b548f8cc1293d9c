# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand over real connections, set with the command while the server runs."""

from __future__ import annotations

import http.client
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

CAPS = "/scep?operation=GetCACaps"
DELAY = 0.7
Connect = Callable[[], http.client.HTTPConnection]


@pytest.fixture(params=[False, True], ids=["http", "https"])
def connect(
    request: pytest.FixtureRequest,
    make_state: Callable[..., Path],
    serve: Callable[..., Any],
    tls: tuple[Path, Path],
) -> Iterator[Connect]:
    """Connections to a server of two processes whose patience with clients is shorter than its own answers take."""
    certificate, key = tls
    settings = {"tls_certificate": str(certificate), "tls_key": str(key)} if request.param else {}
    server = serve(make_state(workers=2, threads=4, **settings))
    context = ssl.create_default_context(cafile=str(certificate))

    def connect() -> http.client.HTTPConnection:
        if request.param:
            return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    yield connect
    assert "not foreseen" not in server.text() and "Socket error" not in server.text(), server.text()


def ask(connect: Connect, method: str = "GET", body: bytes | None = None) -> int:
    """The status of a request on a connection of its own."""
    with closing(connect()) as connection:
        connection.request(method, CAPS if body is None else "/scep?operation=PKIOperation", body)
        return connection.getresponse().status


def test_a_dropped_connection(connect: Connect, command: Callable[..., Any], tmp_path: Path) -> None:
    """One that is there already as well as a new one; the server goes on with others."""
    state = tmp_path / "state"
    with closing(connect()) as kept:
        kept.request("GET", CAPS)
        assert kept.getresponse().read()
        assert command(state, "fault", "set", "dropped", "--count", "3") == (0, {"changed": True})
        kept.request("GET", CAPS)
        with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError, ConnectionError)):
            kept.getresponse()
    for body in (None, b"x" * 100_000):
        with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError, ConnectionError)):
            ask(connect, "GET" if body is None else "POST", body)
    assert ask(connect) == 200
    assert command(state, "fault", "list") == (0, {"faults": []})


def test_a_slow_answer(connect: Connect, command: Callable[..., Any], tmp_path: Path) -> None:
    """Others are not kept waiting by it."""
    state = tmp_path / "state"
    command(state, "fault", "set", "slow", "--delay", str(DELAY), "--count", "2", "--only", "GetCACaps")
    with ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        slow = [pool.submit(ask, connect) for _number in range(2)]
        assert ask(connect, "POST", b"x") == 400
        assert [one.result() for one in slow] == [200, 200]
        assert time.monotonic() - began >= DELAY
    assert command(state, "fault", "list") == (0, {"faults": []})


def test_a_count_is_exact_over_processes(connect: Connect, command: Callable[..., Any], tmp_path: Path) -> None:
    command(tmp_path / "state", "fault", "set", "http-503", "--count", "37")
    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(lambda _number: ask(connect), range(100)))
    assert found == {503: 37, 200: 63}


def test_an_answer_may_take_longer_than_a_client_may(
    make_state: Callable[..., Path], serve: Callable[..., Any], command: Callable[..., Any]
) -> None:
    """The deadline for clients that stall is one second here, and the answer takes two."""
    state = make_state(request_seconds=1, workers=1)
    server = serve(state)
    command(state, "fault", "set", "slow", "--delay", "2.5")
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        for path in (CAPS, "/scep?operation=nothing"):
            connection.request("GET", path)
            assert connection.getresponse().read()
