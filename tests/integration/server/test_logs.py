# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of a server of several processes: its start and its end, and switches that count for all of them at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

Command = Callable[..., tuple[int, dict[str, Any]]]
SETTINGS = {"event_log": True, "workers": 2, "threads": 4}
TRIES = 20


def events(state: Path) -> list[tuple[int, str, str]]:
    """(id, level, HRESULT) of each."""
    file = state / "log" / "ndes-events.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    return [(row["id"], row["level"], row["data"].get("ErrorCode", "")) for row in rows]


def mscep(state: Path) -> list[str]:
    """The lines of mscep.log."""
    file = state / "log" / "mscep.log"
    return file.read_text("utf-8").splitlines() if file.exists() else []


STARTED, STOPPED = (1, "Information", ""), (3, "Information", "")


def test_a_server_starts_and_stops_once(make_state: Callable[..., Path], serve: Callable[..., Any]) -> None:
    state = make_state(**SETTINGS)
    server = serve(state)
    assert events(state) == [STARTED]
    assert server.stop() == 0
    assert events(state) == [STARTED, STOPPED]


def test_a_server_in_the_background(make_state: Callable[..., Path], command: Command) -> None:
    state = make_state(**SETTINGS)
    serve = ("serve", "--daemon", "--bind", "127.0.0.1:0")
    assert command(state, *serve)[0] == 0
    assert command(state, *serve)[1]["changed"] is False
    assert events(state) == [STARTED]
    assert command(state, "stop")[0] == 0
    assert events(state) == [STARTED, STOPPED]


@pytest.mark.parametrize("words", [("serve",), ("serve", "--daemon")])
@pytest.mark.parametrize(
    ("settings", "broken", "found"),
    [
        (
            {"challenge": "single"},
            {"pki/otp.key": "00" * 32},
            [(49, "Error", "0x8009000B"), (2, "Error", "0x8009000B")],
        ),
        ({"bind": "192.0.2.1:1"}, {}, [(2, "Error", "0x80004005")]),
    ],
    ids=["single password", "address"],
)
def test_a_server_that_cannot_start(
    make_state: Callable[..., Path],
    command: Command,
    words: tuple[str, ...],
    settings: dict[str, Any],
    broken: dict[str, str],
    found: list[Any],
) -> None:
    state = make_state(**SETTINGS | settings)
    if settings.get("challenge") == "single":
        command(state, "challenge", "show")
    for name, content in broken.items():
        (state / name).write_text(content)
    assert command(state, "config", "check")[0] == (1 if broken else 0)
    assert events(state) == [], "nothing was to start"
    assert command(state, *words)[0] == 1
    assert events(state) == found


def test_ra_certificates_out_of_date(make_state: Callable[..., Path], command: Command, tmp_path: Path) -> None:
    """An RA of one day, at a server whose clock is two days ahead."""
    state = make_state(**SETTINGS | {"ra_days": 1})
    for words in (("ca", "rollover"), ("ca", "rollover", "--activate")):
        assert command(state, *words)[0] == 0
    assert events(state) == []
    program = tmp_path / "later.py"
    program.write_text(
        "import datetime as dt, sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from scep_server import cli, serve\n"
        "now = serve.utc_now\n"
        "serve.utc_now = lambda: now() + dt.timedelta(days=2)\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, str(program), "--state", str(state), "serve"],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 1 and "is out of date" in done.stderr
    assert events(state) == [(10, "Error", "0x80070002"), (2, "Error", "0x80070002")]


def both(server: Any) -> set[int]:
    """The processes of a server, when both are there."""
    end = time.monotonic() + 30
    while len(found := set(server.workers())) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(found) == 2
    return found


def test_a_switch_counts_for_all_processes_at_once(
    make_state: Callable[..., Path], serve: Callable[..., Any], command: Command
) -> None:
    """Without a restart, and without a request in between that would tell a process of it."""
    state = make_state(**SETTINGS)
    server = serve(state)
    workers = both(server)

    def asked(count: int) -> int:
        """So many wrong requests, each on a connection of its own; how many lines there are then."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _number: requests.get(f"{server.url}?operation=x", timeout=30), range(count)))
        return len(mscep(state))

    assert asked(40) == 0
    assert command(state, "log", "set", "--mscep", "on", "--events", "off") == (0, {"changed": True})
    assert asked(40) == 40 * 3
    for _more in range(TRIES):  # the system chooses who gets a connection
        if (wrote := {int(line.split()[2].partition(".")[0]) for line in mscep(state)}) == workers:
            break
        asked(40)
    assert wrote == workers
    assert command(state, "log", "set", "--mscep", "off") == (0, {"changed": True})
    before = len(mscep(state))
    assert asked(40) == before
    assert events(state) == [STARTED, *[(16, "Error", "0x80004005")] * 40]
    assert both(server) == workers, "no process was started anew"


def test_a_limit_for_several_processes(make_state: Callable[..., Path], serve: Callable[..., Any]) -> None:
    """Under load the files are put aside at their limit, and no line is torn."""
    state = make_state(**SETTINGS | {"mscep_log": True, "log_megabytes": 1})
    server = serve(state)
    file = state / "log" / "mscep.log"
    path = "/" + "x" * 900

    def ask(_number: int) -> None:
        with requests.Session() as session:
            for _again in range(100):
                session.get(f"{server.url}{path}?operation=GetCACaps", timeout=30)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(13)))
    sizes = [one.stat().st_size for one in (file, file.with_name("mscep.log.1")) if one.exists()]
    assert len(sizes) == 2 and all(size < 1_100_000 for size in sizes)
    begin = re.compile(r"\S+ \S+ \d+\.\d+ 127\.0\.0\.1 (GET /scep/x|answer: text/plain, )")
    assert all(begin.match(line) for line in mscep(state))
