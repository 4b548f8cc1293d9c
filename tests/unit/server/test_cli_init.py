# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`init` with settings, `config`."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from scep_device import Clock
from spawned import at_once

from scep_server import authority, pki, settings
from scep_server.authority import LAYOUTS
from scep_server.errors import StateError
from scep_server.files import locked
from scep_server.settings import Settings
from scep_server.store import database

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


def test_init(tmp_path: Path, run: Run) -> None:
    state = tmp_path / "deep" / "state"
    status, first = run(state, "init", "--set", "ca_subject=CN=Mine", "--set", "certificate_days=7")
    assert (status, first["changed"], first["ca"]["subject"]) == (0, True, "CN=Mine")
    assert state.stat().st_mode & 0o777 == 0o700
    assert json.loads((state / "settings.json").read_text()) == {"ca_subject": "CN=Mine", "certificate_days": 7}
    status, second = run(state, "init", "--set", "ca_subject=CN=Mine")
    assert (status, second["changed"], second["ca"]) == (0, False, first["ca"])
    status, result = run(state, "init", "--set", "ca_subject=CN=Other")
    assert status == 1 and "is initialised already: change its settings in" in result["error"]


def test_init_for_people(tmp_path: Path, people: People) -> None:
    state = tmp_path / "state"
    assert people(state, "init") == (0, [f"Initialised {state}"], "")
    assert people(state, "init") == (0, [f"Already initialised: {state}"], "")
    assert not (state / "settings.json").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, run: Run, layout: str) -> None:
    status, result = run(tmp_path, "init", "--set", f"layout={layout}")
    loaded = pki.load(tmp_path).current
    assert (status, loaded.layout, loaded.id) == (0, layout, result["ca"]["id"])
    serials = {result[role]["serial_number"] for role in ("ca", "ra_signing", "ra_encryption")}
    assert len(serials) == len(loaded.certificates) == {"ra_pair": 3, "ra_single": 2, "ca_only": 1}[layout]
    assert run(tmp_path, "config", "check")[0] == 0
    assert run(tmp_path, "init")[1]["changed"] is False


def test_ca_only_needs_a_key_that_decrypts(tmp_path: Path, run: Run) -> None:
    status, result = run(tmp_path, "init", "--set", "layout=ca_only", "--set", "ca_key=ec-p256")
    assert status == 1 and "In the layout ca_only the CA decrypts" in result["error"]


def test_init_completes_what_was_broken_off(state: Path, run: Run) -> None:
    for path in state.glob("store.sqlite3*"):
        path.unlink()
    assert run(state, "init")[1]["changed"] is True
    assert run(state, "init")[1]["changed"] is False


def test_tables_are_made_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between two tables, or between the audit and the trigger that guards it, leaves none of them."""

    def crash(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(database.sa, "insert", crash)
    with pytest.raises(KeyboardInterrupt):
        database.create("", tmp_path)
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        assert not connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("assigned", "says"),
    [
        ("ca_key=dsa", "The setting ca_key must be one of"),
        ("colour=red", "There is no setting colour"),
        ("workers", "'workers' is not of the form NAME=VALUE"),
        ("workers=many", "The setting workers takes JSON here"),
        ("crl_url=http://ä.example/", "The setting crl_url must be a URL"),
    ],
)
def test_init_says_what_is_wrong_and_leaves_nothing(tmp_path: Path, run: Run, assigned: str, says: str) -> None:
    state = tmp_path / "state"
    status, result = run(state, "init", "--set", assigned)
    assert status == 1 and result["error"].startswith(says)
    assert not state.exists()


def test_init_does_not_keep_settings_of_a_ca_that_it_did_not_make(tmp_path: Path, run: Run) -> None:
    missing = str(tmp_path / "missing.pem")
    words = ("--set", "layout=ca_only", "--ca-certificate", missing, "--ca-key", missing)
    assert run(tmp_path / "state", "init", *words)[0] == 1
    assert run(tmp_path / "state", "init")[0] == 0
    assert pki.load(tmp_path / "state").current.layout == "ra_pair"


def test_init_at_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    results = at_once(4, state, "init", "--set", "certificate_days=7")
    assert [status for status, _result in results] == [0] * 4
    assert sorted(result["changed"] for _status, result in results) == [False] * 3 + [True]
    assert len({result["ca"]["id"] for _status, result in results}) == 1
    assert sorted(path.name for path in state.iterdir()) == ["pki", "settings.json", "store.sqlite3"]


def test_init_clears_away_the_keys_of_one_that_was_killed(tmp_path: Path, run: Run) -> None:
    draft = tmp_path / ".pki.x1y2z3" / "0123456789abcdef"
    draft.mkdir(parents=True)
    (draft / "ca.key").write_text("secret")
    assert run(tmp_path, "init")[0] == 0
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_command_that_holds_the_folder(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(StateError, match="Another command is at work"),
        locked(tmp_path, seconds=0.1),
    ):
        pass
    with locked(tmp_path, seconds=0):
        pass
    with pytest.raises(StateError, match="cannot be opened"), locked(tmp_path / "missing"):
        pass


def test_config_show(state: Path, run: Run) -> None:
    settings.save(state, {"workers": 3, "rdn_order": ["CN", "O"]})
    status, result = run(state, "config", "show")
    shown = dataclasses.asdict(Settings(workers=3, rdn_order=("CN", "O")))
    assert (status, result["settings"]) == (0, json.loads(json.dumps(shown)))
    assert result["changed_from_default"] == ["workers", "rdn_order"]


def test_config_show_for_people(state: Path, people: People) -> None:
    settings.save(state, {"workers": 3, "rdn_order": ["CN", "O"]})
    status, lines, _unused = people(state, "config", "show")
    assert status == 0 and len(lines) == len(settings.table())
    assert [line.split()[1:3] for line in lines if line.startswith("*")] == [["workers", "3"], ["rdn_order", "CN,O"]]


def test_config_show_has_templates_as_json(state: Path, people: People, run: Run) -> None:
    settings.save(state, {"templates": {"Router": {"rdn_order": ["CN"]}}})
    lines = people(state, "config", "show")[1]
    (line,) = [line for line in lines if line.startswith("*")]
    assert '{"Router": {"rdn_order": ["CN"]}}' in line
    assert lines[0].index("(init) Subject of the CA") < line.index("Templates of the CA"), "it moves no other row"
    assert run(state, "config", "show")[1]["settings"]["templates"] == {"Router": {"rdn_order": ["CN"]}}


def test_config_show_keeps_the_password_of_the_database(state: Path, run: Run, people: People) -> None:
    for given, told in (
        ("postgresql+psycopg://scep:secret@db.example/scep", "postgresql+psycopg://scep:***@db.example/scep"),
        ("postgresql+psycopg://scep:secret@db.example:x/scep", "***"),
    ):
        settings.save(state, {"database": given})
        assert run(state, "config", "show")[1]["settings"]["database"] == told
        assert not [line for line in people(state, "config", "show")[1] if "secret" in line]


def test_config_check(state: Path, run: Run, people: People, clock: Clock) -> None:
    assert run(state, "config", "check") == (0, {"valid": True})
    assert people(state, "config", "check")[1] == ["Everything that the server needs is in order."]
    clock.forward(days=731)
    status, result = run(state, "config", "check")
    assert status == 1 and "RA Signing" in result["error"] and "is out of date" in result["error"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"workers": 0}, "The setting workers must be between"),
        ({"challenge": "static"}, "There is no static challenge password yet"),
        ({"challenge": "none"}, "anybody who reaches the server gets certificates"),
        ({"tls_certificate": "tls.pem", "tls_key": "tls.key"}, "TLS cannot start with {state}/tls.pem"),
        ({"database": "sqlite:///elsewhere.sqlite3"}, "The database cannot be read: no such table"),
        ({"database": "sqlite://"}, "The setting database is no usable URL: SQLite needs a file"),
        ({"database": "postgresql+psycopg://scep@db.example:x/scep"}, "The setting database is no usable URL"),
        ({"database": "mysql://db.example/scep"}, "The setting database is no usable URL: mysql is not supported"),
    ],
)
def test_config_check_objects(state: Path, run: Run, values: dict[str, Any], says: str) -> None:
    (state / settings.FILE).write_text(json.dumps(values))
    status, result = run(state, "config", "check")
    assert status == 1 and says.format(state=state) in result["error"]


def test_relative_paths_begin_at_the_state_folder(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    assert run(state, "init", "--set", "database=sqlite:///own.sqlite3")[0] == 0
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert run(state, "config", "check")[0] == 0
    folder = state / "pki" / pki.load(state).current.id
    values = {"database": "sqlite:///own.sqlite3", "tls_certificate": f"pki/{folder.name}/ca.pem"}
    settings.save(state, values | {"tls_key": f"pki/{folder.name}/ca.key"})
    assert run(state, "config", "check")[0] == 0
    assert (state / "own.sqlite3").stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "cwd").iterdir())


def test_an_encrypted_tls_key_is_not_asked_for(state: Path, run: Run) -> None:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    current = pki.load(state).current
    pem = current.ca.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (state / "tls.key").write_bytes(pem)
    (state / "tls.pem").write_bytes(current.ca.certificate.public_bytes(Encoding.PEM))
    settings.save(state, {"tls_certificate": "tls.pem", "tls_key": "tls.key"})
    status, result = run(state, "config", "check")
    assert status == 1 and result["error"].startswith(f"TLS cannot start with {state}/tls.pem")


def test_init_writes_the_url_of_the_crl_into_the_ra(tmp_path: Path, run: Run) -> None:
    run(tmp_path, "init", "--set", "crl_url=http://ca.example/crl/{ca}")
    loaded = pki.load(tmp_path).current
    (point,) = loaded.signer.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [name.value for name in point.full_name or ()] == [f"http://ca.example/crl/{loaded.id}"]
    assert authority.CHAIN not in [path.name for path in (tmp_path / "pki").rglob("*")]
