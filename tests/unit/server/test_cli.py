# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: results, sentences, exit codes. Serving is tested with real processes, in tests/integration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from scep_server import cli, pki
from scep_server.commands import running
from scep_server.store import open_store
from scep_server.store.schema import SCHEMA_VERSION

Run = tuple[int, Any, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(state: Path, *words: str) -> Run:
        status = cli.main(["--state", str(state), *words, "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out), captured.err

    return run


def test_init(tmp_path: Path, run: Any) -> None:
    state = tmp_path / "deep" / "state"
    status, first, _unused = run(state, "init", "--set", "ca_subject=CN=Mine", "--set", "certificate_days=7")
    assert (status, first["changed"], first["ca"]["subject"]) == (0, True, "CN=Mine")
    assert state.stat().st_mode & 0o777 == 0o700
    assert json.loads((state / "settings.json").read_text()) == {"ca_subject": "CN=Mine", "certificate_days": 7}
    status, second, _unused = run(state, "init", "--set", "ca_subject=CN=Mine")
    assert (status, second["changed"], second["ca"]) == (0, False, first["ca"])
    status, result, error = run(state, "init", "--set", "ca_subject=CN=Other")
    assert status == 1 and "is initialised already" in result["error"] and error.startswith("scep-server: ")


def test_init_completes_what_was_broken_off(state: Path, run: Any) -> None:
    for path in state.glob("store.sqlite3*"):
        path.unlink()
    assert run(state, "init")[1]["changed"] is True
    assert run(state, "init")[1]["changed"] is False


def test_init_says_what_is_wrong_and_leaves_nothing(tmp_path: Path, run: Any) -> None:
    status, result, _unused = run(tmp_path / "state", "init", "--set", "ca_key=dsa")
    assert status == 1 and result["error"].startswith("The setting ca_key must be one of")
    assert not (tmp_path / "state" / "pki").exists()


def test_ca_show(state: Path, run: Any) -> None:
    status, shown, _unused = run(state, "ca", "show")
    loaded = pki.load(state).current
    assert status == 0
    assert x509.load_pem_x509_certificate(shown["ca"]["pem"].encode()) == loaded.ca.certificate
    assert shown["ca"]["fingerprint_sha256"].count(":") == 31


def test_ca_show_for_people(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--state", str(state), "ca", "show"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][::2] == [
        "ca",
        "ra_signing",
        "ra_encryption",
    ]


def test_otp_create(state: Path, run: Any) -> None:
    status, result, _unused = run(state, "otp", "create", "--count", "3")
    assert status == 0 and len(set(result["passwords"])) == 3 and result["expires"].endswith("+00:00")
    opened = open_store("", state)
    with opened.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM otp WHERE used IS NULL").scalar_one() == 3
    opened.close()


def test_otp_create_respects_the_limit(state: Path, run: Any) -> None:
    (state / "settings.json").write_text('{"otp_outstanding": 2}')
    assert run(state, "otp", "create", "--count", "2")[0] == 0
    status, result, _unused = run(state, "otp", "create")
    assert status == 1 and "would exceed the limit of 2" in result["error"]


@pytest.mark.parametrize("words", [("serve",), ("otp", "create"), ("ca", "show")])
def test_without_init(tmp_path: Path, run: Any, words: tuple[str, ...]) -> None:
    status, result, _unused = run(tmp_path, *words)
    assert status == 1 and f"run 'scep-server --state {tmp_path} init' first" in result["error"]


def test_status_and_stop_without_a_server(state: Path, run: Any) -> None:
    (state / running.PID_FILE).write_text("1\n")  # stale: nobody holds it
    assert run(state, "status")[:2] == (3, {"running": False})
    assert run(state, "stop")[:2] == (0, {"changed": False})
    assert not (state / running.PID_FILE).exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("otp",),
        ("otp", "create", "--count", "0"),
        ("otp", "create", "--count", "x"),
        ("serve", "--port", "1"),
        ("go",),
    ],
)
def test_wrong_command_lines(state: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--state", str(state), *words])
    assert end.value.code == 2


def test_serve_checks_before_it_starts(state: Path, run: Any, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    status, result, _unused = run(state, "serve", "--tls-certificate", missing, "--tls-key", missing)
    assert status == 1 and result["error"].startswith("TLS cannot start with")
    status, result, _unused = run(state, "serve", "--bind", "8080")
    assert status == 1 and "The setting bind must be HOST:PORT" in result["error"]
    folder = state / "pki" / pki.read_index(state).current
    shutil.copy(folder / "ca.key", folder / "ra-signing.key")
    status, result, _unused = run(state, "serve")
    assert status == 1 and "is not the key of" in result["error"]


def test_newer_database(state: Path, run: Any) -> None:
    opened = open_store("", state)
    with opened.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schema'")
    opened.close()
    status, result, _unused = run(state, "otp", "create")
    assert status == 1 and "newer scep-server" in result["error"]
