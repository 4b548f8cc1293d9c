# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fault`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scep_device import Bench, Clock

from scep_server.faults.active import FILE, FOLDER
from scep_server.faults.table import TABLE

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]
LIST = [{"name": "http-503", "count": 1}, {"name": "slow", "delay": 0.001, "duration": 60, "only": "GetCACert"}]


def caps(bench: Bench) -> int:
    """A status."""
    return bench.http(query="operation=GetCACaps").status


def names(run: Run, state: Path) -> list[str]:
    """Of the faults that are set."""
    return [row["name"] for row in run(state, "fault", "list")[1]["faults"]]


def test_set_list_clear(state: Path, bench: Bench, run: Run, people: People) -> None:
    assert run(state, "fault", "list") == (0, {"faults": []})
    assert run(state, "fault", "set", "http-503", "--count", "2", "--duration", "60") == (0, {"changed": True})
    assert (state / FOLDER).stat().st_mode & 0o777 == 0o700
    assert (state / FOLDER / FILE).stat().st_mode & 0o777 == 0o600
    assert caps(bench) == 503, "a server that runs takes notice"
    (row,) = run(state, "fault", "list")[1]["faults"]
    assert row == {
        "name": "http-503",
        "left": 1,
        "until": "2026-06-01T12:01:00+00:00",
        "delay": None,
        "only": None,
        "about": TABLE["http-503"].about,
    }
    _status, lines, _unused = people(state, "fault", "list")
    assert [line.split()[:3] for line in lines] == [["NAME", "LEFT", "UNTIL"], ["http-503", "1", row["until"]]]
    assert people(state, "fault", "set", "http-503", "--count", "1")[1] == ["Set: http-503."]
    assert people(state, "fault", "set", "http-503", "--count", "1")[1] == ["Set before."]
    assert run(state, "fault", "clear") == (0, {"changed": True})
    assert run(state, "fault", "clear") == (0, {"changed": False})
    assert caps(bench) == 200


def test_only_those_that_are_named_are_cleared(state: Path, run: Run) -> None:
    for name in ("http-503", "dropped", "cache-full"):
        assert run(state, "fault", "set", name)[0] == 0
    assert run(state, "fault", "clear", "dropped", "slow") == (0, {"changed": True})
    assert names(run, state) == ["cache-full", "http-503"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["set"], 2, "the following arguments are required: NAME"),
        (["set", "http-502"], 2, "there is no fault 'http-502', only template-not-published, "),
        (["clear", "http-502"], 2, "there is no fault 'http-502'"),
        (["set", "http-503", "--count", "0"], 2, "argument --count: invalid positive value: '0'"),
        (["set", "http-503", "--count", "1000000001"], 1, "The count of the fault http-503, how often it strikes, is"),
        (["set", "http-503", "--duration", "-1"], 2, "argument --duration"),
        (["set", "http-503", "--delay", "1"], 1, "The fault http-503 has no delay."),
        (["set", "slow"], 1, "The fault slow needs delay."),
        (["set", "slow", "--delay", "0"], 1, "The delay of the fault slow is 0.0: give seconds, at most 3600."),
        (["set", "slow", "--delay", "nan"], 1, "The delay of the fault slow is nan"),
        (["set", "slow", "--delay", "3601"], 1, "The delay of the fault slow is 3601.0"),
        (["set", "ra-expired", "--only", "admin"], 1, "cannot be limited to 'admin': it strikes where it has to."),
        (["set", "policy-module", "--only", "GetCACaps"], 1, "to 'GetCACaps': choose from admin, device."),
        (["set", "http-503", "--only", "CertPoll"], 2, "argument --only: invalid choice: 'CertPoll'"),
        (["apply", "{}"], 1, 'The faults are no list in JSON, as in [{"name": "http-503", "count": 3}].'),
        (["apply", "x"], 1, "The faults are no list in JSON"),
        (["apply", "[1]"], 1, "The faults are no list in JSON"),
        (["apply", "[{}]"], 1, "There is no fault None, only template-not-published, "),
        (["apply", '[{"name": ["slow"]}]'], 1, "There is no fault ['slow']"),
        (["apply", '[{"name": "http-503", "count": "3"}]'], 1, "how often it strikes, is '3': give 1 to 1000000000."),
        (["apply", '[{"name": "http-503", "count": true}]'], 1, "how often it strikes, is True"),
        (["apply", '[{"name": "slow", "delay": "3"}]'], 1, "The delay of the fault slow is '3'"),
        (["apply", '[{"name": "http-503", "seconds": 3}]'], 1, "A fault has no seconds, only name, count, duration,"),
        (["apply", '[{"name": "dropped"}, {"name": "dropped"}]'], 1, "has the fault dropped more than once."),
    ],
)
def test_what_cannot_be(state: Path, run: Run, words: list[str], status: int, says: str) -> None:
    found, result = run(state, "fault", *words)
    assert found == status and says in result["error"]
    assert names(run, state) == []


def test_a_folder_without_a_server_gets_no_faults(tmp_path: Path, run: Run) -> None:
    for words in (["set", "http-503"], ["clear"], ["list"], ["apply", "[]"]):
        status, result = run(tmp_path, "fault", *words)
        assert status == 1 and "is not initialised" in result["error"]
    assert not list(tmp_path.iterdir())


def test_a_list_is_applied_once(state: Path, bench: Bench, clock: Clock, run: Run) -> None:
    apply = ("fault", "apply", json.dumps(LIST))
    assert run(state, *apply) == (0, {"changed": True}) and run(state, *apply) == (0, {"changed": False})
    assert names(run, state) == ["http-503", "slow"]
    assert [caps(bench), caps(bench)] == [503, 200]
    clock.forward(minutes=1)
    assert names(run, state) == []
    assert run(state, *apply) == (0, {"changed": False}), "what it asks for has happened"
    assert caps(bench) == 200
    assert run(state, "fault", "apply", "[]") == (0, {"changed": False}), "there is nothing to end"
    assert run(state, *apply) == (0, {"changed": True}), "another list was applied meanwhile"
    assert caps(bench) == 503


@pytest.mark.parametrize("words", [["clear"], ["set", "dropped"]])
def test_a_list_is_applied_again_when_a_command_changed_the_faults(state: Path, run: Run, words: list[str]) -> None:
    apply = ("fault", "apply", json.dumps(LIST))
    run(state, *apply)
    assert run(state, "fault", *words) == (0, {"changed": True})
    assert run(state, *apply) == (0, {"changed": True})
    assert names(run, state) == ["http-503", "slow"]
    assert run(state, "fault", "apply", "[]") == (0, {"changed": True})
    assert names(run, state) == []
