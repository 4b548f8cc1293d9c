# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as such: exit codes, one JSON object, no traceback. Its subjects have files of their own; serving is
tested with real processes, in tests/integration."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scep_device import Bench
from spawned import spawned

from scep_server import challenges, cli, pki, settings
from scep_server.commands import running
from scep_server.pidfile import PidFile
from scep_server.store import open_store
from scep_server.store.database import FILE
from scep_server.store.schema import SCHEMA_VERSION

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]

# A line for each command that opens the state, with what it needs.
FAULTS = (("fault", "set", "http-503"), ("fault", "clear"), ("fault", "list"), ("fault", "apply", "[]"))
LOGS = (("log", "set", "--events", "on"), ("log", "show"))
COMMANDS = (
    ("config", "show"),
    ("config", "check"),
    ("backup", "{scratch}/backup.tar.gz"),
    ("serve",),
    ("otp", "create"),
    ("otp", "list"),
    ("challenge", "show"),
    ("challenge", "set"),
    ("requests", "list"),
    ("requests", "approve", "1"),
    ("requests", "deny", "1"),
    ("audit",),
    ("certificates", "list"),
    ("certificates", "show", "1"),
    ("certificates", "revoke", "1"),
    ("ca", "show"),
    ("ca", "rollover"),
    ("crl",),
    *FAULTS,
    *LOGS,
)
WITHOUT_DATABASE = (("config", "show"), ("ca", "show"), ("ca", "rollover"), *FAULTS, *LOGS)
WITHOUT_SETTINGS = (("ca", "show"), *FAULTS)
READING_ONLY = (("init",), ("certificates", "list"))


def words_of(command: tuple[str, ...], scratch: Path) -> list[str]:
    """Its line, with a folder for what it writes."""
    return [word.format(scratch=scratch) for word in command]


def test_every_command_is_here() -> None:
    known = {command.words for command in cli.COMMANDS} - {("init",), ("status",), ("stop",)}
    assert {tuple(line[: len(words)]) for words in known for line in COMMANDS if line[: len(words)] == words} == known
    assert len(COMMANDS) == len(known)


@pytest.mark.parametrize("command", [line for line in COMMANDS if line != ("config", "show")], ids=" ".join)
def test_without_init(tmp_path: Path, run: Run, command: tuple[str, ...]) -> None:
    status, result = run(tmp_path, *words_of(command, tmp_path))
    assert status == 1 and f"run 'scep-server --state {tmp_path} init' first" in result["error"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [line for line in COMMANDS if line not in WITHOUT_SETTINGS], ids=" ".join)
def test_broken_settings(state: Path, tmp_path: Path, run: Run, command: tuple[str, ...]) -> None:
    (state / settings.FILE).write_text("[" * 100_000)
    status, result = run(state, *words_of(command, tmp_path))
    assert status == 1 and result["error"].startswith(f"The settings file {state / settings.FILE} cannot be read")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_newer_database(state: Path, tmp_path: Path, run: Run, command: tuple[str, ...]) -> None:
    opened = open_store("", state)
    with opened.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schema'")
    opened.close()
    status, result = run(state, *words_of(command, tmp_path))
    if command in WITHOUT_DATABASE or command[0] == "backup":
        assert status == 0
    else:
        assert status == 1 and "newer scep-server" in result["error"]


@pytest.mark.parametrize("command", [("otp", "create"), ("crl",), ("certificates", "list"), ("init",)], ids=" ".join)
def test_locked_database(state: Path, run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules["scep_server.store.database"]._CONNECT["sqlite"], "timeout", 0.05)
    other = sqlite3.connect(state / FILE, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        status, result = run(state, *command)
    finally:
        other.close()
    if command in READING_ONLY:
        assert status == 0
    else:
        assert (status, "database is locked" in result["error"]) == (1, True)


def test_a_folder_that_cannot_be_written(
    state: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that is mounted read-only, for root as well."""

    def refuse(*_arguments: Any, **_details: Any) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/somewhere")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    for words in (("ca", "rollover"), ("backup", str(tmp_path / "x.tar.gz")), ("crl", "--out", str(tmp_path / "x"))):
        status, result = run(state, *words)
        assert (status, result["error"]) == (1, "/somewhere: Read-only file system.")
    status, result = run(tmp_path / "new", "init")
    assert (status, result["error"]) == (1, "/somewhere: Read-only file system.")
    assert pki.read_index(state).next is None and not (tmp_path / "new" / "pki").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("otp",),
        ("otp", "create", "--count", "0"),
        ("otp", "create", "--count", "x"),
        ("otp", "create", "--coun", "1"),
        ("serve", "--port", "1"),
        ("requests", "approve"),
        ("requests", "approve", "-1"),
        ("requests", "approve", str(1 << 63)),
        ("requests", "deny", "1", "--reason", "\udcff"),
        ("requests", "list", "--state", "valid"),
        ("audit", "--limit", str(1 << 63)),
        ("certificates", "list", "--state", "pending"),
        ("certificates", "list", "--subject", "\udcff"),
        ("certificates", "show", ""),
        ("certificates", "show", "0x1"),
        ("certificates", "show", "1_0"),
        ("certificates", "revoke", "f" * 41),
        ("certificates", "revoke", "1", "--reason", "certificateHold"),
        ("ca", "rollover", "--activate", "--cancel"),
        ("init", "--set", "ca_subject=CN=\udcff"),
        ("go",),
    ],
)
def test_wrong_command_lines(state: Path, run: Run, people: People, words: tuple[str, ...]) -> None:
    assert people(state, *words)[:2] == (2, [])
    status, result = run(state, *words)
    assert status == 2 and result["error"]


def test_no_state_is_not_the_working_folder(people: People, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["--state", "", "init"]) == 2
    assert not list(tmp_path.iterdir())


def test_status_and_stop_without_a_server(state: Path, run: Run, people: People) -> None:
    (state / running.PID_FILE).write_text("1\n")  # stale: nobody holds it
    assert people(state, "status") == (3, ["Not running."], "")
    assert run(state, "status") == (3, {"running": False})
    assert run(state, "stop") == (0, {"changed": False})
    assert not (state / running.PID_FILE).exists()
    assert people(state, "stop") == (0, ["Not running."], "")


def test_status_with_a_server(state: Path, run: Run, people: People) -> None:
    held = PidFile(state / running.PID_FILE)
    held.acquire()
    assert run(state, "status") == (0, {"running": True, "pid": os.getpid()})
    assert people(state, "status")[1] == [f"Running (pid {os.getpid()})."]
    status, result = run(state, "serve")
    assert status == 1 and "is running already" in result["error"]
    assert run(state, "serve", "--daemon") == (0, {"changed": False, "pid": os.getpid()})
    held.release()


def test_serve_checks_before_it_starts(state: Path, run: Run, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    status, result = run(state, "serve", "--tls-certificate", missing, "--tls-key", missing)
    assert status == 1 and result["error"].startswith("TLS cannot start with")
    for bind, says in (("8080", "The setting bind must be"), ("a..b:80", "The server cannot listen on a..b:80")):
        status, result = run(state, "serve", "--bind", bind)
        assert status == 1 and says in result["error"]
    folder = state / "pki" / pki.read_index(state).current
    shutil.copy(folder / "ca.key", folder / "ra-signing.key")
    status, result = run(state, "serve")
    assert status == 1 and "is not the key of" in result["error"]


def test_the_unforeseen_is_one_sentence_too(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_arguments: Any) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(challenges, "create", explode)
    assert cli.main(["--state", str(state), "otp", "create", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == captured.out.count("\n") == 1
    assert "RuntimeError in test_cli.py, line" in captured.err and captured.err.endswith(": two lines.\n")


def test_interrupted(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(challenges, "create", interrupt)
    assert cli.main(["--state", str(state), "otp", "create"]) == 130
    assert capsys.readouterr().err == "scep-server: Interrupted.\n"


def test_nobody_reads(state: Path, bench: Bench) -> None:
    bench.passwords(1000)  # more lines than a pipe holds
    with spawned(state, "otp", "list", "--json") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 1)


def test_a_terminal_without_the_letters(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = ("init", "--set", "ca_subject=CN=Prüf-CA")
    with spawned(tmp_path / "state", *words, env=environment) as process:
        assert process.communicate(timeout=60)[1] == b""
    with spawned(tmp_path / "state", "ca", "show", env=environment) as process:
        assert b"CN=Pr\\xfcf-CA" in process.communicate(timeout=60)[0]
