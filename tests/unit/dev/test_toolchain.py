# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program behind make: what decides whether a run counts as good."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import debian, environments, interpreters, job, places, runner
from toolchain.environments import ENVIRONMENTS
from toolchain.job import Counts, Job, Stopped
from toolchain.legs import LEGS, Leg


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(job, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(job, "CACHE", tmp_path / "cache")
    for module in (job, runner):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(runner, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(runner, "CI", False)
    monkeypatch.setattr(environments, "build", lambda environment: None)


def leg(name: str, run: Callable[[Job], None], **more: object) -> Leg:
    return Leg(name, "a leg of a test", "main", run, **more)  # type: ignore[arg-type]


def check(*argv: str) -> Callable[[Job], None]:
    return lambda under_way: under_way.count(under_way.run(*argv, cwd=Path.cwd())[0] == 0)


def test_the_table_names_what_exists() -> None:
    assert len({row.name for row in LEGS}) == len(LEGS)
    for row in LEGS:
        assert row.environment in ENVIRONMENTS
        assert set(row.packages) <= set(debian.PROOF)
        assert set(row.also) <= set(interpreters.KNOWN)
    for environment in ENVIRONMENTS.values():
        assert (places.ROOT / "dev" / environment.requirements).is_file()


@pytest.mark.parametrize(
    ("run", "code", "closing"),
    [
        (check("true"), 0, "1 passed, 0 failed, 0 skipped"),
        (check("false"), 1, "0 passed, 1 failed, 0 skipped"),
        (check("no-such-command-here"), 1, "0 passed, 1 failed, 0 skipped"),
        (lambda under_way: under_way.skip("a reason"), 0, "0 passed, 0 failed, 1 skipped"),
        (lambda under_way: None, 1, "0 passed, 1 failed, 0 skipped"),
        (lambda under_way: under_way.need("false", cwd=Path.cwd()), 1, "0 passed, 1 failed, 0 skipped"),
    ],
    ids=["passes", "fails", "no such command", "skips", "checks nothing", "stops"],
)
def test_a_run_ends_with_its_count(
    run: Callable[[Job], None], code: int, closing: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert runner.run([leg("one", run)], [], install=False) == code
    assert capsys.readouterr().out.splitlines()[-1] == closing
    assert (tmp_path / "summary").read_text(encoding="utf-8") == f"{closing}\n"


def test_a_failing_leg_shows_the_end_of_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    runner.run([leg("one", check(sys.executable, "-c", "raise SystemExit('the reason')"))], [], install=False)
    assert "    | the reason" in capsys.readouterr().out.splitlines()


def test_a_missing_interpreter_is_a_skip_for_a_person_and_a_failure_for_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interpreters, "found", lambda: {(3, 8): Path("python3.8")})
    rows = [leg("one", check("true"))]
    assert runner.run(rows, [], install=False) == 0
    assert "SKIPPED: no Python 3.13 or 3.12 or 3.11" in capsys.readouterr().out
    monkeypatch.setattr(runner, "CI", True)
    assert runner.run(rows, [], install=False) == 1
    assert capsys.readouterr().out.endswith("0 passed, 1 failed, 0 skipped\n")


def test_an_interpreter_besides_the_leg_s_own_is_missed_by_ci_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "found", lambda: {(3, 13): Path("python3.13")})
    rows = [leg("one", check("true"), also=((3, 9),))]
    assert runner.run(rows, [], install=False) == 0
    monkeypatch.setattr(runner, "CI", True)
    assert runner.run(rows, [], install=False) == 1


def test_legs_with_a_common_name_are_never_under_way_together() -> None:
    under_way: list[str] = []
    most: list[int] = []

    def run(name: str) -> Callable[[Job], None]:
        def work(the_job: Job) -> None:
            under_way.append(name)
            most.append(len(under_way))
            time.sleep(0.05)
            under_way.remove(name)
            the_job.count(True)

        return work

    runner.run([leg(str(n), run(str(n)), alone_with=("a port",)) for n in range(3)], [], install=False)
    assert most == [1, 1, 1]


def test_an_unknown_leg_is_named() -> None:
    with pytest.raises(places.Failure, match="no such leg: two; there are one"):
        runner.run([leg("one", check("true"))], ["two"], install=False)


def test_a_command_over_its_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "LIMIT_SECONDS", 0.2)
    the_job = Job("one", ENVIRONMENTS["main"])
    code, _printed = the_job.run("sleep", "30", cwd=Path.cwd())
    assert code == 124
    assert "ended: the leg has run for more than 0.2 s" in the_job.log.read_text(encoding="utf-8")


def test_nothing_starts_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = job._Processes()
    monkeypatch.setattr(job, "PROCESSES", processes)
    processes.end_all()
    with pytest.raises(Stopped, match="interrupted"):
        Job("one", ENVIRONMENTS["main"]).run("true", cwd=Path.cwd())


def test_a_leg_s_commands_see_neither_the_user_s_home_nor_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", "elsewhere")
    monkeypatch.setenv("PYENV_ROOT", "/opt/pyenv")
    monkeypatch.setenv("PATH", "/opt/pyenv/shims:/usr/bin:/bin")
    seen = Job("one", ENVIRONMENTS["main"]).variables({}, [])
    assert "ANSIBLE_COLLECTIONS_PATH" not in seen
    assert seen["PATH"] == f"{ENVIRONMENTS['main'].bin}:/usr/bin:/bin"
    assert seen["HOME"].endswith("cache/home/one")


def test_junit_counts(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>', encoding="utf-8"
    )
    assert job.junit_counts(report) == Counts(passed=3, failed=3, skipped=3)


def test_pyenv_s_newest_patch_release_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("3.12.1", "3.12.10", "3.12-dev", "tools"):
        python = tmp_path / "versions" / name / "bin" / "python3.12"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\necho '(3, 12)'\n", encoding="utf-8")
        python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:/bin")
    interpreters.found.cache_clear()
    try:
        assert interpreters.found()[3, 12] == tmp_path / "versions" / "3.12.10" / "bin" / "python3.12"
    finally:
        interpreters.found.cache_clear()


def test_without_root_the_one_command_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(debian, "PROOF", {"one": "no-such-command", "two": "no/such/file*", "three": "sh"})
    monkeypatch.setattr(debian, "CI", False)
    debian.ensure(["two", "one", "three"])
    assert capsys.readouterr().out.splitlines()[-1] == "    sudo apt-get install --yes --no-install-recommends one two"
    monkeypatch.setattr(debian, "CI", True)
    with pytest.raises(places.Failure, match="missing: one, two"):
        debian.ensure(["one", "two"])
