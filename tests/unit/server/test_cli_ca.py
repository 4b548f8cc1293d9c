"""`ca`: looking at the CAs, and the rollover from one to the next."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_cert
from cryptography import x509
from scep_device import Bench, Clock, Device
from spawned import at_once

from scep_server import issue, pki
from scep_server.certificate import serial_text

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


def folders(state: Path) -> set[str]:
    """The CAs that have keys on disk, and drafts of such."""
    return {path.name for path in (state / "pki").iterdir() if path.is_dir()}


def test_show(state: Path, run: Run) -> None:
    status, shown = run(state, "ca", "show")
    loaded = pki.load(state).current
    assert status == 0 and x509.load_pem_x509_certificate(shown["ca"]["pem"].encode()) == loaded.ca.certificate
    assert shown["ca"]["fingerprint_sha256"].count(":") == 31
    assert (shown["ca"]["id"], shown["chain"], shown["next"], shown["previous"]) == (loaded.id, [], None, [])


def test_show_for_people(state: Path, run: Run, people: People) -> None:
    roles = ["ca", "ra_signing", "ra_encryption"]
    _status, lines, _unused = people(state, "ca", "show")
    assert [line.split()[0] for line in lines][::2] == roles
    run(state, "ca", "rollover")
    _status, lines, _unused = people(state, "ca", "show")
    assert len(lines) == 13 and lines[6] == "Next, after 'ca rollover --activate':"
    run(state, "ca", "rollover", "--activate")
    _status, lines, _unused = people(state, "ca", "show")
    assert len(lines) == 13 and lines[6] == "Before:"


def test_rollover(state: Path, bench: Bench, device: Device, run: Run) -> None:
    before = run(state, "ca", "show")[1]
    assert bench.http(query="operation=GetNextCACert").status == 404
    status, made = run(state, "ca", "rollover")
    assert (status, made["changed"], made["current"]["ca"]) == (0, True, before["ca"])
    assert run(state, "ca", "rollover")[1] == made | {"changed": False}
    assert bench.http(query="operation=GetNextCACert").status == 200, "a running server follows"
    assert bench.enroll(device).certificates[0].issuer == bench.pki.ca.certificate.subject
    status, active = run(state, "ca", "rollover", "--activate")
    assert (status, active["changed"], active["current"], active["next"]) == (0, True, made["next"], None)
    assert [one["ca"] for one in run(state, "ca", "show")[1]["previous"]] == [before["ca"]]
    assert bench.pki.id == made["next"]["ca"]["id"]
    assert bench.enroll(device).status is PkiStatus.SUCCESS
    status, result = run(state, "ca", "rollover", "--activate")
    assert status == 1 and "There is no next CA" in result["error"]


def test_cancel(state: Path, run: Run, people: People) -> None:
    only = folders(state)
    run(state, "ca", "rollover")
    assert len(folders(state)) == 2
    status, result = run(state, "ca", "rollover", "--cancel")
    assert (status, result["changed"], result["next"]) == (0, True, None)
    assert folders(state) == only, "its keys are gone"
    status, result = run(state, "ca", "rollover", "--cancel")
    assert status == 1 and "There is no next CA" in result["error"]
    assert people(state, "ca", "rollover")[1][0].startswith("There is a next CA now.")
    assert people(state, "ca", "rollover", "--cancel")[1][0] == "There is no next CA any more."


def test_a_next_ca_that_has_grown_old(state: Path, clock: Clock, run: Run) -> None:
    run(state, "ca", "rollover")
    clock.forward(days=731)
    status, result = run(state, "ca", "rollover", "--activate")
    assert status == 1 and "is out of date" in result["error"] and "Cancel this next CA" in result["error"]
    assert run(state, "ca", "rollover", "--cancel")[0] == 0


def test_rollover_at_once(state: Path) -> None:
    results = at_once(4, state, "ca", "rollover")
    assert [status for status, _result in results] == [0] * 4
    assert sorted(result["changed"] for _status, result in results) == [False] * 3 + [True]
    index = pki.read_index(state)
    assert folders(state) == {index.current, index.next}, "no keys of a CA that nobody knows"
    assert {result["next"]["ca"]["id"] for _status, result in results} == {index.next}


def test_cancel_and_activate_at_once(state: Path, run: Run, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activated between the look and the deed of a cancel, the CA that issues now would lose its keys."""
    run(state, "ca", "rollover")
    read, looked, go_on = pki._with_next, threading.Event(), threading.Event()

    def slowly(state: Path) -> pki.Index:
        index = read(state)
        looked.set()
        go_on.wait(1)
        return index

    monkeypatch.setattr(pki, "_with_next", slowly)
    done: list[str] = []

    def act(*words: str) -> None:
        from scep_server import cli

        parsed = cli.parser().parse_args(["--state", str(state), "ca", "rollover", *words])
        try:
            parsed.run(parsed.state, parsed)
            done.append(words[0])
        except pki.StateError as error:
            assert "There is no next CA" in str(error)

    first = threading.Thread(target=act, args=("--cancel",))
    first.start()
    assert looked.wait(30)
    second = threading.Thread(target=act, args=("--activate",))
    second.start()
    second.join(0.5)
    go_on.set()
    first.join(30)
    second.join(30)
    assert done == ["--cancel"]
    assert pki.load(state).current.id in folders(state)


def test_what_a_crash_left_is_cleared_away(state: Path, run: Run) -> None:
    for name in (".0123456789abcdef.x1y2z3", "fedcba9876543210"):
        (state / "pki" / name).mkdir()
        (state / "pki" / name / "ca.key").write_text("secret")
    run(state, "ca", "rollover")
    index = pki.read_index(state)
    assert folders(state) == {index.current, index.next}


def test_a_rollover_in_the_middle_of_a_request(
    state: Path, bench: Bench, device: Device, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is kept as one of the CA that signed it, and the reply comes from that one's RA."""
    run(state, "ca", "rollover")
    first, sign = bench.pki, issue.sign

    def sign_and_roll(*arguments: Any) -> x509.Certificate:
        certificate = sign(*arguments)
        pki.activate_next(state, bench.clock())
        return certificate

    request = bench.request(device, bench.passwords()[0])
    monkeypatch.setattr(issue, "sign", sign_and_roll)
    body = bench.post(request.message).body
    monkeypatch.setattr(issue, "sign", sign)
    assert bench.pki.id != first.id
    assert first.signer.certificate.serial_number.to_bytes(16, "big").lstrip(b"\0") in body
    ((serial, issuer),) = [
        (row["serial"], row["issuer"]) for row in run(state, "certificates", "list")[1]["certificates"]
    ]
    assert issuer == first.id
    asked = get_cert(
        first.ca.certificate.subject,
        int(serial, 16),
        device.identity,
        bench.pki.encryption.certificate,
        "sha256",
        "aes-128-cbc",
    )
    (found,) = bench.answer(asked).certificates
    assert serial_text(found.serial_number) == serial
    assert found.not_valid_after_utc - bench.clock() == dt.timedelta(days=365)
