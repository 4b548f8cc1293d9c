# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in process: a fresh state folder for each test, a clock that the test moves, and a device."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parents[2] / "roles" / "scep_server" / "files"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from scep_device import Bench, Clock, Device, ServedNew, ServedWith, new_key  # noqa: E402

from scep_server import authority, cli, commands, pki, serve  # noqa: E402
from scep_server.authority import Authority  # noqa: E402
from scep_server.commands import ca, faults, setup  # noqa: E402
from scep_server.server import open_server  # noqa: E402
from scep_server.settings import Settings, parse, save  # noqa: E402
from scep_server.store import Store, database, open_store  # noqa: E402

START = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder to copy: keys take a while to make."""
    folder = tmp_path_factory.mktemp("initialised") / "state"
    _initialise(folder, {"threads": 16})
    return folder


def _initialise(folder: Path, values: dict[str, Any]) -> None:
    settings = parse(values)
    pki.create(folder, authority.make(settings, START, authority.Given()))
    save(folder, values)
    database.create(settings.database, folder)


@pytest.fixture(scope="session")
def device() -> Device:
    """A device with an RSA-2048 key."""
    return Device(new_key())


@pytest.fixture(scope="session")
def other() -> Device:
    """Another device."""
    return Device(new_key(), "CN=other.example,O=Example")


@pytest.fixture(scope="session")
def coming() -> Authority:
    """A CA with an RA, to be the next one."""
    return authority.make(Settings(ca_subject="CN=netcert.ndes next CA"), START, authority.Given())


@pytest.fixture(scope="session")
def made_before() -> Iterator[Any]:
    """Keys for CAs and RAs without end: more than a test needs, made once, in turn."""
    return itertools.cycle([new_key() for _number in range(12)])


@pytest.fixture(autouse=True)
def quick_keys(made_before: Iterator[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test waits for is not the search for primes."""
    monkeypatch.setitem(authority._NEW_KEY, "rsa-2048", lambda: next(made_before))


@pytest.fixture
def state(initialised: Path, tmp_path: Path) -> Path:
    """A state folder of this test's own."""
    return Path(shutil.copytree(initialised, tmp_path / "state"))


@pytest.fixture
def clock() -> Clock:
    """The time of this test, for the server and for commands."""
    return Clock(START)


@pytest.fixture
def bench(state: Path, clock: Clock) -> Iterator[Bench]:
    """The server on this state folder."""
    bench = Bench(state, clock)
    yield bench
    bench.close()


@pytest.fixture
def served_with(state: Path, bench: Bench) -> Iterator[ServedWith]:
    """Further servers on the state folder and the clock of `bench`, by their settings."""
    with contextlib.ExitStack() as opened:

        def serve(**settings: Any) -> Bench:
            return opened.enter_context(contextlib.closing(Bench(state, bench.clock, **settings)))

        yield serve


@pytest.fixture
def served_new(tmp_path: Path) -> Iterator[ServedNew]:
    """Servers with a CA of their own, by their settings."""
    with contextlib.ExitStack() as opened:

        def serve(**settings: Any) -> Bench:
            folder = tmp_path / f"new-{len(list(tmp_path.iterdir()))}"
            _initialise(folder, settings)
            return opened.enter_context(contextlib.closing(Bench(folder, Clock(START))))

        yield serve


@pytest.fixture
def opened(state: Path) -> Iterator[Store]:
    """The store alone, for many threads."""
    opened = open_store("", state, 16)
    yield opened
    opened.close()


@pytest.fixture
def people(
    capsys: pytest.CaptureFixture[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[str], str]]:
    """Run a command as people do: (exit code, lines of stdout, stderr)."""
    monkeypatch.setattr(commands, "open_server", partial(open_server, clock=clock))
    for module in (ca, faults, setup, serve):
        monkeypatch.setattr(module, "utc_now", clock)

    def people(state: Path, *words: str) -> tuple[int, list[str], str]:
        status = cli.main(["--state", str(state), *words])
        captured = capsys.readouterr()
        assert bool(captured.err) == (status in (1, 2)), captured.err
        assert "not foreseen" not in captured.err, captured.err
        return status, captured.out.splitlines(), captured.err

    return people


@pytest.fixture
def run(people: Callable[..., tuple[int, list[str], str]]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run a command with --json: (exit code, result). What went wrong is in the result as well."""

    def run(state: Path, *words: str) -> tuple[int, dict[str, Any]]:
        status, (line,), error = people(state, *words, "--json")
        result = json.loads(line)
        assert ("error" in result) == bool(error)
        return status, result

    return run
