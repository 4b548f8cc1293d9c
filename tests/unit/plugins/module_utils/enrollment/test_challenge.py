# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Challenge passwords of the administration page, for enrolments: when they are fetched, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import challenge as challenge_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.client import Client
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.file_store import FileStore
from ansible_collections.netcert.ndes.plugins.module_utils.errors import FileError
from ansible_collections.netcert.ndes.plugins.module_utils.http_client import NotSent
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.ledger import Ledger
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.otp import Otp
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint, load_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest

from support.admin import FULL, LOGIN, ONCE, PASSWORD, Admin, page, running
from support.awkward import Answer, Awkward
from support.task import Run

PASSWORDS = [f"{number:016X}" for number in range(1, 8)]
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def pages(server: Awkward, sentence: str = ONCE) -> list[bytes | int]:
    thumbprint = fingerprint(server.pki.ca.certificate, "md5").replace(":", "").upper()
    return [page(password, sentence, thumbprint) for password in PASSWORDS]


@pytest.fixture
def admin(server: Awkward, tmp_path: Path) -> Iterator[Admin]:
    """The administration page beside the server, with as many passwords as are wanted."""
    folder = tmp_path / "admin"
    folder.mkdir()
    with running(Admin(pages(server)), folder) as started:
        yield started


@pytest.fixture
def task(admin: Admin, certificate_task: Run) -> Run:
    """A task of scep_certificate that gets its password there."""
    defaults = {name: option.get("default") for name, option in certificate_task.spec.options["otp"]["options"].items()}
    login = {"url": admin.url, "auth": "ntlm", "username": LOGIN, "password": PASSWORD, "allow_http": True}
    certificate_task.options.update(challenge_password=None, otp={**defaults, **login})
    return certificate_task


def used(server: Awkward) -> list[str | None]:
    """The passwords that arrived, in order."""
    return [request.csr.challenge_password for request in server.requests if request.csr is not None]


def run(task: Run, folder: Path | None = None, **options: Any) -> dict[str, Any]:
    check_mode = options.pop("check_mode", False)
    context = replace(task.context(check_mode=check_mode, **options), run_folder=folder)
    return perform(ensure_certificate, context)


def test_a_password_is_fetched_for_an_enrolment_alone(server: Awkward, admin: Admin, task: Run) -> None:
    assert run(task, check_mode=True)["changed"]
    assert len(admin.asked) == 0
    assert run(task)["changed"]
    assert (len(admin.asked), used(server)) == (1, PASSWORDS[:1])
    assert not run(task)["changed"]
    assert len(admin.asked) == 1


def test_a_renewal_needs_none(server: Awkward, admin: Admin, task: Run) -> None:
    server.answers["GetCACaps"] = Answer(b"AES\nSHA-256\nPOSTPKIOperation\nRenewal\n", content_type="text/plain")
    assert run(task)["changed"]
    result = run(task, remaining_days=500)
    assert result["changed"]
    assert server.requests[-1].kind is MessageType.RENEWAL_REQ
    assert (len(admin.asked), used(server)) == (1, [PASSWORDS[0], None])


def test_a_renewal_that_is_refused_becomes_an_enrolment(server: Awkward, admin: Admin, task: Run) -> None:
    server.answers["GetCACaps"] = Answer(b"AES\nSHA-256\nPOSTPKIOperation\nRenewal\n", content_type="text/plain")
    assert run(task)["changed"]

    def insist(request: IncomingRequest) -> bytes:
        if request.kind is MessageType.RENEWAL_REQ:
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST)
        return server.issue(request)

    server.reply = insist
    result = run(task, remaining_days=500)
    assert (result["failed"], result["changed"]) == (False, True)
    assert used(server) == [PASSWORDS[0], None, PASSWORDS[1]]


@pytest.mark.parametrize("rekey", [True, False])
def test_a_renewal_that_brings_the_old_certificate_costs_no_password(
    server: Awkward, admin: Admin, task: Run, rekey: bool
) -> None:
    server.answers["GetCACaps"] = Answer(b"AES\nSHA-256\nPOSTPKIOperation\nRenewal\n", content_type="text/plain")
    assert run(task)["changed"]
    old = load_certificate((task.folder / "sw1.pem").read_bytes())
    server.reply = lambda request: success(request.header, server.pki.ra_sign, [old])
    result = run(task, remaining_days=500, rekey=rekey)
    assert result["msg"].startswith("The server answers the renewal with the certificate that is to be renewed.")
    assert (len(admin.asked), used(server)) == (1, [PASSWORDS[0], None])


EARLY: dict[str, dict[str, Any]] = {
    "an option": {"subject": "CN="},
    "the files": {"path": "nowhere/sw1.pem"},
    "trust": {"ca_fingerprint": ["aa" * 32]},
    "the request": {"subject": "C=Germany"},
    "the server": {"url": "http://127.0.0.1:9/scep"},
    "the login": {"otp": {"password": ""}},
}


@pytest.mark.parametrize("options", EARLY.values(), ids=EARLY)
def test_what_can_fail_early_does(admin: Admin, task: Run, options: dict[str, Any]) -> None:
    otp = {**task.options["otp"], **options.get("otp", {})}
    assert run(task, **{**options, "otp": otp})["failed"]
    assert admin.asked == []
    assert admin.logins == 0


def test_an_error_in_otp_names_the_option(task: Run) -> None:
    result = run(task, otp={**task.options["otp"], "password": ""})
    assert result["msg"] == "otp.password: it is not given, and this auth cannot do without."
    result = run(task, otp={**task.options["otp"], "max_outstanding": 0})
    assert result["msg"] == "otp.max_outstanding: 0 passwords are none; give 1 or more."


def test_the_thumbprint_has_to_be_that_of_the_ca(server: Awkward, admin: Admin, task: Run, tmp_path: Path) -> None:
    admin.pages = [page(PASSWORDS[0], ONCE)]
    result = run(task, tmp_path)
    assert "and the SCEP server offers no CA certificate with it; one of the two addresses leads" in result["msg"]
    assert PASSWORDS[0] not in result["msg"]
    assert server.requests == []


def reject(server: Awkward, count: int, **words: Any) -> Callable[[IncomingRequest], bytes]:
    """A server that does not take the first `count` passwords."""

    def reply(request: IncomingRequest) -> bytes:
        if len(server.requests) <= count:
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST, **words)
        return server.issue(request)

    return reply


REJECTED = {
    "NDES: not found": {"hresult": 0x80070490},
    "NDES: used": {"hresult": 0x800B0110},
    "text": {"text": "The challenge password is not valid here."},
}


@pytest.mark.parametrize("words", REJECTED.values(), ids=REJECTED)
def test_a_password_that_is_not_taken_is_replaced_once(
    server: Awkward, admin: Admin, task: Run, words: dict[str, Any]
) -> None:
    server.reply = reject(server, 1, **words)
    assert run(task)["changed"]
    assert used(server) == PASSWORDS[:2]
    server.requests.clear()
    server.reply = reject(server, 5, **words)
    result = run(task, force=True)
    assert result["failed"]
    assert used(server) == PASSWORDS[2:4]


def test_another_reason_costs_no_second_password(server: Awkward, admin: Admin, task: Run) -> None:
    server.reply = reject(server, 5, hresult=0x80094800)
    assert run(task)["failed"]
    assert used(server) == PASSWORDS[:1]
    assert len(admin.asked) == 1


def lost(monkeypatch: pytest.MonkeyPatch, where: type, method: str, error: Exception) -> None:
    """Let a method fail the first time."""
    original, calls = getattr(where, method), []

    def fail(self: Any, *words: Any) -> Any:
        calls.append(words)
        if len(calls) == 1:
            raise error
        return original(self, *words)

    monkeypatch.setattr(where, method, fail)


@pytest.mark.parametrize(
    ("where", "method", "error"),
    [
        (Client, "submit", NotSent("Nothing listens.")),
        (FileStore, "keep", FileError("path: the disk is full.")),
    ],
    ids=["not connected", "disk full"],
)
def test_a_password_that_never_left_is_left_to_the_next_host(
    server: Awkward,
    admin: Admin,
    task: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    method: str,
    error: Exception,
) -> None:
    lost(monkeypatch, where, method, error)
    assert run(task, tmp_path)["failed"]
    assert not list(task.folder.glob("*pending*")), "the request with that password must not be sent later"
    result = run(task, tmp_path, path="sw2.pem", privatekey_path="sw2.key")
    assert result["changed"]
    assert (len(admin.asked), used(server)) == (1, PASSWORDS[:1])
    assert run(task, tmp_path)["changed"]
    assert (len(admin.asked), used(server)) == (2, PASSWORDS[:2])


def test_one_that_may_have_arrived_is_nobody_elses(server: Awkward, admin: Admin, task: Run, tmp_path: Path) -> None:
    server.answers["PKIOperation"] = Answer(status=500)
    assert run(task, tmp_path)["failed"]
    del server.answers["PKIOperation"]
    assert run(task, tmp_path, path="sw2.pem", privatekey_path="sw2.key")["changed"]
    assert len(admin.asked) == 2


def test_without_a_folder_of_the_run_each_is_on_its_own(
    admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost(monkeypatch, Client, "submit", NotSent("Nothing listens."))
    assert run(task)["failed"]
    assert run(task)["changed"]
    assert len(admin.asked) == 2


def test_a_single_password_needs_no_place(
    server: Awkward, admin: Admin, task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.pages = pages(server, "This password can be used multiple times and will not expire.")
    lost(monkeypatch, Client, "submit", NotSent("Nothing listens."))
    assert run(task, tmp_path)["failed"]
    ledger = Ledger(tmp_path, admin.url)
    place = ledger.enter(1, NOW)
    assert place is not None
    assert place.otp is None


def test_whoever_finds_no_place_waits_and_gives_up(
    server: Awkward, admin: Admin, task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge_module, "_PATIENCE", 0.2)
    monkeypatch.setattr(challenge_module, "_PAUSE", 0.02)
    otp = {**task.options["otp"], "max_outstanding": 1}
    place = Ledger(tmp_path, admin.url).enter(1, dt.datetime.now(dt.timezone.utc))
    assert place is not None
    assert "otp: 1 other hosts of this run hold a challenge password" in run(task, tmp_path, otp=otp)["msg"]
    assert admin.asked == []
    Ledger(tmp_path, admin.url).leave(place)
    assert run(task, tmp_path, otp=otp)["changed"]


def test_a_full_cache_gives_the_place_back(server: Awkward, admin: Admin, task: Run, tmp_path: Path) -> None:
    otp = {**task.options["otp"], "max_outstanding": 1}
    admin.pages = [FULL, *pages(server)]
    assert "its cache is full" in run(task, tmp_path, otp=otp)["msg"]
    assert run(task, tmp_path, otp=otp)["changed"]


def an_otp(number: int, minutes: int | None = 60) -> Otp:
    return Otp(PASSWORDS[number], None, minutes, False, NOW)


def test_the_ledger_is_private_and_for_one_page(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path, "https://a/"), Ledger(tmp_path, "https://b/")
    assert first.enter(1, NOW) is not None
    assert first.enter(1, NOW) is None
    assert second.enter(1, NOW) is not None
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_a_place_whose_holder_is_silent_counts_for_an_hour(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "https://a/")
    assert ledger.enter(1, NOW) is not None
    assert ledger.enter(1, NOW + dt.timedelta(minutes=59)) is None
    assert ledger.enter(1, NOW + dt.timedelta(minutes=61)) is not None


def test_what_is_left_over_is_handed_out_while_it_is_fresh(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "https://a/")
    places = [ledger.enter(9, NOW) for _unused in range(3)]
    for place, otp in zip(places, (an_otp(0, 60), an_otp(1, None), an_otp(2, 10))):
        assert place is not None
        ledger.leave(place, otp)
    later = NOW + dt.timedelta(minutes=58)
    found = [ledger.enter(9, later) for _unused in range(2)]
    assert [place and place.otp for place in found] == [an_otp(1, None), None]


def test_many_at_once_hold_no_more_than_there_are(tmp_path: Path) -> None:
    holding, most, lock = [0], [0], threading.Lock()

    def one() -> None:
        ledger = Ledger(tmp_path, "https://a/")
        for _round in range(20):
            place = None
            while place is None:
                place = ledger.enter(3, NOW)
            with lock:
                holding[0] += 1
                most[0] = max(most[0], holding[0])
            with lock:
                holding[0] -= 1
            ledger.leave(place)

    threads = [threading.Thread(target=one) for _thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= 3
