"""`otp`, `challenge`."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from scep_device import Bench, Clock, Device

from scep_server import challenges, settings
from scep_server.errors import ServerError
from scep_server.store.database import FILE

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


def set_up(state: Path, **values: Any) -> None:
    """Change settings."""
    (state / settings.FILE).write_text(json.dumps(values))


def test_otp_create(state: Path, bench: Bench, device: Device, run: Run, people: People) -> None:
    status, result = run(state, "otp", "create", "--count", "3")
    assert status == 0 and len(set(result["passwords"])) == 3
    assert result["expires"] == "2026-06-01T13:00:00+00:00"
    status, (password,), _unused = people(state, "otp", "create")
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS


def test_otp_create_respects_the_limit(state: Path, run: Run) -> None:
    set_up(state, otp_outstanding=2)
    assert run(state, "otp", "create", "--count", "2")[0] == 0
    status, result = run(state, "otp", "create")
    assert status == 1 and "would exceed the limit of 2" in result["error"]


def test_more_than_any_limit_is_refused_before_they_are_made(state: Path, run: Run) -> None:
    status, result = run(state, "otp", "create", "--count", "100000")
    assert status == 1 and "more than the setting otp_outstanding allows" in result["error"]


def test_otp_list(state: Path, bench: Bench, device: Device, clock: Clock, run: Run, people: People) -> None:
    assert run(state, "otp", "list") == (0, {"passwords": []})
    bench.passwords()
    clock.forward(minutes=59)
    bench.enroll(device)
    bench.passwords()
    clock.forward(minutes=1)
    _status, result = run(state, "otp", "list")
    assert [row["state"] for row in result["passwords"]] == ["expired", "used", "unused"]
    assert [row["used"] for row in result["passwords"]] == [None, "2026-06-01T12:59:00+00:00", None]
    _status, lines, _unused = people(state, "otp", "list")
    assert [line.split()[:2] for line in lines] == [["ID", "STATE"], ["1", "expired"], ["2", "used"], ["3", "unused"]]


def test_a_static_password(state: Path, tmp_path: Path, device: Device, clock: Clock, run: Run, people: People) -> None:
    set_up(state, challenge="static")
    status, result = run(state, "challenge", "show")
    assert status == 1 and "set one with 'challenge set --file FILE'" in result["error"]
    file = tmp_path / "password"
    for password, changed in (("Grüße: 42", True), ("Grüße: 42", False), ("another", True)):
        file.write_text(f"{password}\n", encoding="utf-8")
        assert run(state, "challenge", "set", "--file", str(file)) == (0, {"changed": changed, "password": password})
        assert people(state, "challenge", "show") == (0, [password], "")
        bench = Bench(state, clock)
        assert [bench.answer(bench.request(device, password)).status for _unused in range(2)] == [PkiStatus.SUCCESS] * 2
        assert bench.answer(bench.request(device, "wrong")).status is PkiStatus.FAILURE
        bench.close()
    assert b"another" not in b"".join(path.read_bytes() for path in state.glob(f"{FILE}*"))


def test_a_single_password(state: Path, run: Run, people: People) -> None:
    set_up(state, challenge="single")
    _status, shown = run(state, "challenge", "show")
    assert len(shown["password"]) == 32 and run(state, "challenge", "show")[1] == shown
    status, changed = run(state, "challenge", "set")
    assert (status, changed["changed"]) == (0, True) and changed["password"] != shown["password"]
    assert people(state, "challenge", "show") == (0, [changed["password"]], "")


@pytest.mark.parametrize(
    ("mode", "content", "says"),
    [
        ("static", None, "A static challenge password is given with --file"),
        ("static", b"", "The challenge password is empty."),
        ("static", b"\r\n", "The challenge password is empty."),
        ("static", b"one\ntwo\n", "The challenge password has a line break"),
        ("static", b"a\x00b", "The challenge password has a line break or another character"),
        ("static", b"\xff", "is not a text in UTF-8."),
        ("single", b"given", "a single one is made by the server and takes no --file"),
        ("one_time", b"given", "The setting challenge is one_time: there is no lasting challenge password."),
        ("one_time", None, "The setting challenge is one_time: there is no lasting challenge password."),
    ],
)
def test_passwords_that_are_not_set(
    state: Path, tmp_path: Path, run: Run, mode: str, content: bytes | None, says: str
) -> None:
    set_up(state, challenge=mode)
    words = []
    if content is not None:
        (tmp_path / "password").write_bytes(content)
        words = ["--file", str(tmp_path / "password")]
    status, result = run(state, "challenge", "set", *words)
    assert status == 1 and says in result["error"]


def test_no_password_is_shown_where_there_is_none(state: Path, run: Run) -> None:
    for mode in ("one_time", "none"):
        set_up(state, challenge=mode, allow_no_challenge=True)
        status, result = run(state, "challenge", "show")
        assert (status, result["error"]) == (
            1,
            f"The setting challenge is {mode}: there is no lasting challenge password.",
        )


def test_a_file_that_is_not_there(state: Path, tmp_path: Path, run: Run) -> None:
    set_up(state, challenge="static")
    status, result = run(state, "challenge", "set", "--file", str(tmp_path / "none"))
    assert (status, result["error"]) == (1, f"{tmp_path}/none: No such file or directory.")


def test_a_password_of_another_key_is_told_and_replaced(state: Path, tmp_path: Path, run: Run) -> None:
    set_up(state, challenge="single")
    run(state, "challenge", "show")
    (state / "pki" / "otp.key").write_text("00" * 32)
    status, result = run(state, "challenge", "show")
    assert status == 1 and "cannot be decrypted with the key of this state folder" in result["error"]
    assert run(state, "challenge", "set")[0] == 0 == run(state, "challenge", "show")[0]


def test_the_first_password_set_by_several_at_once(state: Path, clock: Clock) -> None:
    """Each is told that its own counts, so one of them has to be right, and none may be lost to the others."""
    bench = Bench(state, clock, challenge="static")

    def choose(number: int) -> str:
        return challenges.set_reusable(bench.server, f"password {number}")[0]

    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(choose, range(8)))
    assert challenges.reusable(bench.server) in chosen
    with pytest.raises(ServerError):
        challenges.set_reusable(bench.server, "")
    bench.close()
