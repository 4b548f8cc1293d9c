# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: each strikes where it should and nowhere else, as often as it should, and is gone afterwards."""

from __future__ import annotations

import base64
import logging
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import PageKind, read_page
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from scep_device import Bench, Clock, Device, Response, ServedWith

from scep_server.app import BODY_COMPLETE
from scep_server.errors import StateError
from scep_server.faults import table
from scep_server.faults.active import FILE, FOLDER, NO_FAULTS, FaultFile, Place, Wanted
from scep_server.faults.table import ADMIN, DEVICE, EVERYTHING, TABLE, WRONG_SUBJECT, fault_file
from scep_server.ndes.gate import CONNECTION

BY_GET, OTHERS = "PKIOperation by GET", ("healthz", "metrics", "crl")
LOGIN = "Basic " + base64.b64encode(b"CORP\\alice:Pw1").decode()


@pytest.fixture
def ndes(state: Path, served_with: ServedWith) -> Bench:
    """A server that behaves like NDES, with its pages."""
    (state / "users").write_text("CORP:alice:Pw1\n")
    return served_with(profile="ndes", users_file="users", admin_auth=["basic"], otp_outstanding=50)


def faults(bench: Bench) -> FaultFile:
    """What commands use."""
    return fault_file(bench.state, bench.clock)


def page(bench: Bench) -> Response:
    """The administration page, for somebody who logs in."""
    return bench.http(path="/certsrv/mscep_admin/", HTTP_AUTHORIZATION=LOGIN)


def asked(bench: Bench, device: Device) -> dict[str, Response]:
    """Every kind of request, and those that are none of NDES's."""
    message = bench.request(device, "wrong").message
    by_get = f"operation=PKIOperation&message={quote(base64.b64encode(message))}"
    return {
        **{name: bench.http(query=f"operation={name}") for name in ("GetCACaps", "GetCACert", "GetNextCACert")},
        "PKIOperation": bench.post(message),
        ADMIN: page(bench),
        DEVICE: bench.http(path="/certsrv/mscep/mscep.dll"),
        BY_GET: bench.http(query=by_get),
        **{name: bench.http(path=f"/{name}") for name in OTHERS},
    }


# Fault -> (status, at which requests, what the page says)
BY_HTTP: dict[str, tuple[int, set[str], bytes]] = {
    "http-500": (500, {*EVERYTHING, BY_GET}, b"<h2>500 - Internal server error.</h2>"),
    "ra-expired": (500, {*EVERYTHING, BY_GET}, b"<h2>500 - Internal server error.</h2>"),
    "http-503": (503, {*EVERYTHING, BY_GET}, b"<p>HTTP Error 503. The service is unavailable.</p>"),
    "http-414": (414, {BY_GET}, b"<p>HTTP Error 414. The request URL is too long.</p>"),
    "policy-module": (403, {ADMIN, DEVICE}, b"<h2>403 - Forbidden: Access is denied.</h2>"),
}
# Fault -> HRESULT, and whether the password is used up
REFUSED = {
    "template-not-published": (0x80094800, True),
    "ca-unreachable": (0x800706BA, True),
    "password-expired": (0x80070490, False),
}
OTHER_TESTS = {"dropped", "slow", "cache-full", "pending-forever", "wrong-subject"}


def test_every_fault_is_tested() -> None:
    assert {*BY_HTTP, *REFUSED} | OTHER_TESTS == set(TABLE)


@pytest.mark.parametrize("name", BY_HTTP)
def test_an_http_status(ndes: Bench, device: Device, name: str) -> None:
    status, at, says = BY_HTTP[name]
    usual = {kind: response.status for kind, response in asked(ndes, device).items()}
    assert usual == dict.fromkeys(usual, 200) | {"GetNextCACert": 404}
    faults(ndes).set(Wanted(name))
    found = asked(ndes, device)
    assert {kind: response.status for kind, response in found.items()} == usual | dict.fromkeys(at, status)
    assert all(says in found[kind].body and found[kind].content_type.startswith("text/html") for kind in at)
    faults(ndes).clear()
    assert {kind: response.status for kind, response in asked(ndes, device).items()} == usual


@pytest.mark.parametrize("only", EVERYTHING)
def test_a_fault_can_be_limited_to_one_kind(ndes: Bench, device: Device, only: str) -> None:
    faults(ndes).set(Wanted("http-503", only=only))
    struck = {kind for kind, response in asked(ndes, device).items() if response.status == 503}
    assert struck == ({only, BY_GET} if only == "PKIOperation" else {only})


def unused(bench: Bench) -> int:
    """One-time passwords that are."""
    return bench.server.store.challenges.outstanding(0)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal(ndes: Bench, device: Device, name: str, caplog: pytest.LogCaptureFixture) -> None:
    hresult, used_up = REFUSED[name]
    faults(ndes).set(Wanted(name))
    (password,) = ndes.passwords()
    with caplog.at_level(logging.INFO):
        reply = ndes.answer(ndes.request(device, password))
    assert (reply.status, reply.fail_info, reply.hresult) == (PkiStatus.FAILURE, FailInfo.BAD_REQUEST, hresult)
    assert unused(ndes) == (0 if used_up else 1)
    assert f"192.0.2.7: the fault {name} strikes" in caplog.text and f"(fault {name})" in caplog.text
    assert f"(fault {name})" in ndes.server.store.audit.records(1)[0]["reason"]
    assert ndes.http(query="operation=GetCACert").status == ndes.http(query="operation=GetCACaps").status == 200
    faults(ndes).clear()
    assert ndes.enroll(device).status is PkiStatus.SUCCESS


def test_an_unreachable_ca_answers_no_poll_either(served_with: ServedWith, device: Device) -> None:
    bench = served_with(approval="enrolment")
    request = bench.request(device, bench.passwords()[0])
    assert bench.answer(request).status is PkiStatus.PENDING
    poll = bench.poll(request.signer, request.transaction_id)
    assert bench.answer(poll).status is PkiStatus.PENDING
    faults(bench).set(Wanted("ca-unreachable"))
    assert bench.refusal(poll).fail_info_text == "The CA cannot be reached."
    assert bench.answer(request).status is PkiStatus.PENDING, "NDES knows that by itself"


def test_a_request_without_a_password_has_none_that_could_expire(ndes: Bench, device: Device) -> None:
    faults(ndes).set(Wanted("password-expired"))
    assert ndes.answer(ndes.request(device, None)).hresult == 0x80096004


def test_a_full_cache(ndes: Bench) -> None:
    faults(ndes).set(Wanted("cache-full"))
    assert read_page(page(ndes).body).kind is PageKind.CACHE_FULL
    assert ndes.http(path="/certsrv/mscep_admin/").status == 401, "only who logs in is told"
    assert unused(ndes) == 0
    faults(ndes).clear()
    assert read_page(page(ndes).body).kind is PageKind.PASSWORD


def test_pending_for_ever(ndes: Bench, device: Device) -> None:
    faults(ndes).set(Wanted("pending-forever"))
    request = ndes.request(device, ndes.passwords()[0])
    poll = ndes.poll(request.signer, request.transaction_id)
    assert [ndes.answer(one).status for one in (request, poll, poll, request)] == [PkiStatus.PENDING] * 4
    faults(ndes).clear()
    assert ndes.answer(poll).status is PkiStatus.PENDING, "it waits for a person"


def test_a_wrong_subject(ndes: Bench, device: Device) -> None:
    faults(ndes).set(Wanted("wrong-subject"))
    (certificate,) = ndes.enroll(device).certificates
    assert certificate.subject == WRONG_SUBJECT and certificate.public_key() == device.key.public_key()
    assert ndes.server.store.audit.records(1)[0]["subject"] == WRONG_SUBJECT.rfc4514_string()


def test_a_dropped_connection(ndes: Bench, device: Device) -> None:
    faults(ndes).set(Wanted("dropped", only="PKIOperation"))
    request, (ours, theirs) = ndes.request(device, ndes.passwords()[0]), socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        ndes.http("POST", "operation=PKIOperation", request.message, **{CONNECTION: ours})
        assert theirs.recv(1) == b""
    assert unused(ndes) == 1


def test_a_slow_answer(ndes: Bench, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is late whatever it is, and the clock for clients that stall does not run meanwhile."""
    done: list[str] = []
    monkeypatch.setattr(table.time, "sleep", lambda seconds: done.append(f"{seconds:g} s, {unused(ndes)} left"))
    faults(ndes).set(Wanted("slow", delay=2.5))
    message = ndes.request(device, ndes.passwords()[0]).message
    complete = {BODY_COMPLETE: lambda: done.append("complete")}
    assert ndes.http("POST", "operation=PKIOperation", message, **complete).status == 200
    assert done[-2:] == ["complete", "2.5 s, 0 left"]
    done.clear()
    faults(ndes).set(Wanted("http-503"))
    assert ndes.http(query="operation=GetCACaps", **complete).status == 503
    assert done == ["complete", "2.5 s, 0 left"]


def test_without_faults_nothing_stands_between(bench: Bench) -> None:
    assert not (bench.state / FOLDER).exists()
    found = bench.server.at_this_moment().faults
    assert found is NO_FAULTS and found.around(Place.HTTP, bench.http) == bench.http


def caps(bench: Bench) -> int:
    """A status."""
    return bench.http(query="operation=GetCACaps").status


def test_a_count(bench: Bench) -> None:
    faults(bench).set(Wanted("http-503", count=2))
    assert [caps(bench) for _number in range(3)] == [503, 503, 200]
    assert faults(bench).listed() == () and not (bench.state / FOLDER / FILE).exists()


def test_a_count_goes_down_only_where_the_fault_strikes(ndes: Bench, device: Device) -> None:
    faults(ndes).set(Wanted("template-not-published", count=1))
    asked(ndes, device)
    assert [one.left for one in faults(ndes).listed()] == [1]
    assert ndes.enroll(device).status is PkiStatus.FAILURE
    assert faults(ndes).listed() == ()


def test_a_count_is_exact_among_many_threads_and_processes(served_with: ServedWith) -> None:
    benches = [served_with() for _number in range(4)]  # each with a memory of its own, as processes have
    faults(benches[0]).set(Wanted("http-503", count=37))
    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(lambda number: caps(benches[number % 4]), range(160)))
    assert found == {503: 37, 200: 123}


def test_a_duration(bench: Bench, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    faults(bench).set(Wanted("http-503", count=2, duration=60))
    assert caps(bench) == 503
    clock.forward(seconds=59)
    assert faults(bench).listed()[0].left == 1
    clock.forward(seconds=1)
    assert [caps(bench) for _number in range(2)] == [200, 200]
    assert caplog.text.count("the time of the fault http-503 is over") == 1
    assert not (bench.state / FOLDER / FILE).exists()


def test_the_same_fault_again_takes_the_place_of_the_first(bench: Bench) -> None:
    file = faults(bench)
    assert file.set(Wanted("http-503", count=1)) and not file.set(Wanted("http-503", count=1))
    assert caps(bench) == 503
    assert file.set(Wanted("http-503", count=2)) and file.set(Wanted("http-500"))
    assert [one.name for one in file.listed()] == ["http-500", "http-503"]
    assert file.clear(["http-503"]) and not file.clear(["http-503"])
    assert [one.name for one in file.listed()] == ["http-500"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"wanted": {"name": "x"}, "left": 1, "until": null}]'])
def test_a_damaged_file_is_told_and_keeps_nobody_from_an_answer(
    bench: Bench, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (bench.state / FOLDER).mkdir()
    (bench.state / FOLDER / FILE).write_text(content)
    assert [caps(bench), caps(bench)] == [200, 200]
    assert caplog.text.count("cannot be read") == 1
    with pytest.raises(StateError, match="remove the file, and set them anew"):
        faults(bench).listed()
