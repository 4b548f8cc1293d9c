"""`backup`, and how to come back from one."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from scep_device import Bench, Clock, Device

from scep_server import pki, settings
from scep_server.store.database import FILE

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


def restored(archive: Path, state: Path) -> Path:
    """As README says: into an empty folder."""
    state.mkdir(mode=0o700)
    with tarfile.open(archive) as packed:
        packed.extractall(state, filter="data")
    return state


def test_there_and_back(
    state: Path, tmp_path: Path, bench: Bench, device: Device, clock: Clock, run: Run, people: People
) -> None:
    settings.save(state, {"certificate_days": 7})
    (certificate,) = bench.enroll(device).certificates
    (password,) = bench.passwords()
    run(state, "ca", "rollover")
    run(state, "ca", "rollover", "--activate")
    run(state, "ca", "rollover")
    status, result = run(state, "backup", str(tmp_path / "backup.tar.gz"))
    assert (status, result["database"], result["file"]) == (0, True, str(tmp_path / "backup.tar.gz"))
    assert (tmp_path / "backup.tar.gz").stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    bench.enroll(device)
    shutil.rmtree(state)

    again = restored(tmp_path / "backup.tar.gz", tmp_path / "again")
    assert run(again, "config", "check") == (0, {"valid": True})
    assert run(again, "init")[1]["changed"] is False
    shown = run(again, "ca", "show")[1]
    assert shown["next"] is not None and len(shown["previous"]) == 1
    assert run(again, "config", "show")[1]["changed_from_default"] == ["certificate_days"]
    (row,) = run(again, "certificates", "list")[1]["certificates"]
    assert int(row["serial"], 16) == certificate.serial_number
    assert {path.stat().st_mode & 0o777 for path in again.rglob("*.key")} == {0o600}
    assert ((again / FILE).stat().st_mode & 0o777, (again / "pki").stat().st_mode & 0o777) == (0o600, 0o700)
    second = Bench(again, clock)
    assert second.answer(second.request(device, password)).status is PkiStatus.SUCCESS
    second.close()


def test_for_people(state: Path, tmp_path: Path, people: People) -> None:
    file = tmp_path / "backup.tar.gz"
    assert people(state, "backup", str(file)) == (
        0,
        [f"Written to {file}; whoever reads it has the keys of the CA."],
        "",
    )
    status, lines, error = people(state, "backup", str(file))
    assert (status, lines, error) == (1, [], f"scep-server: {file} is there already: name a file that is not.\n")


def test_what_is_there_stays(state: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup.tar.gz"
    file.write_text("precious")
    assert run(state, "backup", str(file))[0] == 1
    exists = Path.exists  # it appears a moment later
    monkeypatch.setattr(Path, "exists", lambda path, **details: path != file and exists(path, **details))
    status, result = run(state, "backup", str(file))
    assert status == 1 and "is there already" in result["error"]
    assert file.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar.gz", "state"]


@pytest.mark.parametrize("place", [".", "pki"])
def test_into_the_state_folder_itself(state: Path, run: Run, place: str) -> None:
    """Neither itself nor one that was made before is in it."""
    for name in ("first.tar.gz", "second.tar.gz"):
        archive = state / place / name
        assert run(state, "backup", str(archive))[0] == 0
    with tarfile.open(archive) as packed:
        inside = packed.getnames()
    current = f"pki/{pki.read_index(state).current}"
    roles = ("ca", "ra-encryption", "ra-signing")
    assert sorted(inside) == sorted(
        ["pki", "pki/authorities.json", "pki/otp.key", current, "settings.json", "store.sqlite3"]
        + [f"{current}/{role}.{kind}" for role in roles for kind in ("key", "pem")]
    )


def test_no_folder_for_it(state: Path, tmp_path: Path, run: Run) -> None:
    status, result = run(state, "backup", str(tmp_path / "none" / "backup.tar.gz"))
    assert status == 1 and result["error"].endswith("No such file or directory.")


def test_a_state_that_nobody_could_start(state: Path, tmp_path: Path, run: Run) -> None:
    (state / "pki" / pki.read_index(state).current / "ca.key").unlink()
    status, result = run(state, "backup", str(tmp_path / "backup.tar.gz"))
    assert status == 1 and "cannot be read" in result["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_database_elsewhere(state: Path, tmp_path: Path, run: Run, people: People) -> None:
    settings.save(state, {"database": "postgresql+psycopg://db.example/scep"})
    assert run(state, "backup", str(tmp_path / "one.tar.gz"))[1]["database"] is False
    _status, lines, _unused = people(state, "backup", str(tmp_path / "two.tar.gz"))
    assert lines[1] == "The database is elsewhere (setting database), and not in there: save it with tools of its own."
    with tarfile.open(tmp_path / "two.tar.gz") as packed:
        assert FILE not in packed.getnames()


def test_odd_names(state: Path, tmp_path: Path, run: Run) -> None:
    odd = state.rename(tmp_path / "50% of a #1 state?mode=memory")
    assert run(odd, "otp", "create")[0] == 0
    assert run(odd, "backup", str(tmp_path / "backup.tar.gz"))[0] == 0
    again = restored(tmp_path / "backup.tar.gz", tmp_path / "again")
    assert len(run(again, "otp", "list")[1]["passwords"]) == 1


@pytest.fixture
def writer(state: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who has begun to write, and has not committed."""
    connection = sqlite3.connect(state / FILE, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO meta VALUES ('half', 'done')")
    yield connection
    connection.close()


def test_while_somebody_writes(state: Path, tmp_path: Path, run: Run, writer: sqlite3.Connection) -> None:
    assert run(state, "backup", str(tmp_path / "backup.tar.gz"))[0] == 0
    writer.execute("COMMIT")
    again = restored(tmp_path / "backup.tar.gz", tmp_path / "again")
    copy = sqlite3.connect(again / FILE)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not copy.execute("SELECT * FROM meta WHERE name = 'half'").fetchall()
    copy.close()
