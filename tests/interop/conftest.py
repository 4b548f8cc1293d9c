# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What these tests prove is written down: build/interop.json, of which docs/interop.md is made.

A test says with `@pytest.mark.interop(peer=…, does=…)` what its passing proves, in the words of `toolchain.matrix`;
`how` adds a remark to the cell, `works=False` says that the test proves a limit, which `how` then describes. How
messages went over the wire is not stated but seen, by the relay between client and server.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from support.relay import Exchange, relayed
from support.servers import PATIENCE, OtherServer, OurServer, micromdm_server, our_server
from support.step_ca import StepCa, step_ca_server
from toolchain import matrix, peers
from toolchain.places import CI, Failure

RESULTS = pytest.StashKey[matrix.Results]()
SEEN = pytest.StashKey[list[dict[str, Any]]]()
OUTCOMES = pytest.StashKey[dict[str, str]]()
COMPARES = "test_matrix.py"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "interop(peer, does, how='', works=True): what the test proves, see conftest.py")
    config.stash[RESULTS] = matrix.Results()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == COMPARES)


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        item.config.stash[RESULTS].left_out += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcomes = item.stash.setdefault(OUTCOMES, {})
    outcomes[report.when] = report.outcome
    if report.when == "teardown" and item.path.name != COMPARES:
        _write_down(item, set(outcomes.values()), item.config.stash[RESULTS])
    return report


def _write_down(item: pytest.Item, outcomes: set[str], results: matrix.Results) -> None:
    if "skipped" in outcomes:
        results.left_out += 1
        return
    seen = item.stash.get(SEEN, [])
    for mark in item.iter_markers("interop"):
        claim = matrix.Claim(**mark.kwargs)
        results.add(item.nodeid, claim, passed=outcomes == {"passed"}, exchanges=seen)
    results.failed += outcomes != {"passed"}


def pytest_sessionfinish(session: pytest.Session) -> None:
    results = session.config.stash[RESULTS]
    if results.entries:
        matrix.RESULTS.parent.mkdir(exist_ok=True)
        matrix.RESULTS.write_text(json.dumps(results.document(), indent=1) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def exchanges() -> list[Exchange]:
    """Every PKIOperation that went through a relay in this session."""
    return []


@pytest.fixture(autouse=True)
def _seen(request: pytest.FixtureRequest, exchanges: list[Exchange]) -> Iterator[None]:
    """Those of this test, for its entry."""
    before = len(exchanges)
    yield
    request.node.stash[SEEN] = [asdict(exchange) for exchange in exchanges[before:]]


@pytest.fixture
def until_pending(exchanges: list[Exchange]) -> Callable[[str], None]:
    """Wait until a request of this kind, in this test, was answered with PENDING."""
    before = len(exchanges)

    def wait(kind: str) -> None:
        end = time.monotonic() + PATIENCE * 2
        while not any(
            one.request.kind == kind and one.reply is not None and one.reply.status == "PENDING"
            for one in exchanges[before:]
        ):
            assert time.monotonic() < end, f"no {kind} was answered with PENDING: {exchanges[before:]}"
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, exchanges: list[Exchange]) -> Iterator[Callable[..., OurServer]]:
    """Our server with these settings, behind a relay; one for each set of settings, as long as the module lasts."""
    started: dict[tuple[tuple[str, object], ...], OurServer] = {}
    with ExitStack() as stack:

        def serve(**settings: Any) -> OurServer:
            which = tuple(sorted(settings.items()))
            if which not in started:
                state = tmp_path_factory.mktemp("server") / "state"
                running = stack.enter_context(our_server(state, **settings))
                started[which] = stack.enter_context(relayed(running, exchanges))
            return started[which]

        yield serve


@pytest.fixture(scope="module")
def server(servers: Callable[..., OurServer]) -> OurServer:
    """Our server with its defaults."""
    return servers()


@pytest.fixture(scope="module")
def legacy_server(servers: Callable[..., OurServer]) -> OurServer:
    """Our server for clients that know single DES and SHA-1 alone."""
    return servers(legacy_algorithms=True)


@pytest.fixture(scope="module")
def scepserver(
    need_command: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory, exchanges: list[Exchange]
) -> Iterator[OtherServer]:
    """micromdm's server."""
    binary = need_command("scepserver", "scep")
    with (
        micromdm_server(binary, tmp_path_factory.mktemp("micromdm")) as running,
        relayed(running, exchanges) as watched,
    ):
        yield watched


@pytest.fixture(scope="module")
def step_ca(tmp_path_factory: pytest.TempPathFactory, exchanges: list[Exchange]) -> Iterator[StepCa]:
    """step-ca, which is built on first use."""
    try:
        binary = peers.built(peers.STEP_CA)
    except Failure as failure:
        (pytest.fail if CI else pytest.skip)(str(failure))
    with (
        step_ca_server(binary, tmp_path_factory.mktemp("step-ca")) as running,
        relayed(running, exchanges) as watched,
    ):
        yield watched


@pytest.fixture
def openssl(need_command: Callable[[str, str], Path], tmp_path: Path) -> Callable[..., bytes]:
    """Run openssl in a folder of its own; its stdout, or a failed test with its stderr."""
    command = need_command("openssl", "openssl")

    def run(*arguments: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run([command, *arguments], input=stdin, capture_output=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout

    return run


@pytest.fixture
def results(request: pytest.FixtureRequest) -> matrix.Results:
    """What the tests of this session have proven so far."""
    return request.config.stash[RESULTS]
