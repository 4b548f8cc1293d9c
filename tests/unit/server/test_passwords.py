# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time passwords, and requests that are sent again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from cryptography import x509
from scep_device import Bench, Device, new_key

from scep_server.errors import StoreBusy
from scep_server.store.answers import Answers


def test_a_password_is_good_once(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS
    assert bench.refused(bench.request(device, password)) is FailInfo.BAD_REQUEST
    assert bench.lines()[-1] == ("refused", "badRequest: challenge password already used")


def test_a_password_expires(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    bench.clock.forward(minutes=60)
    assert bench.refused(bench.request(device, password)) is FailInfo.BAD_REQUEST
    assert bench.lines()[-1] == ("refused", "badRequest: challenge password expired")


def test_a_password_survives_a_refused_request(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    assert bench.refused(bench.request(device, password, extensions=[(constraints, True)])) is FailInfo.BAD_REQUEST
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS


def test_passwords_are_stored_as_hmac_alone(bench: Bench) -> None:
    passwords = bench.passwords(5)
    assert len(set(passwords)) == 5 and all(len(password) == 32 for password in passwords)
    bench.close()
    stored = b"".join(path.read_bytes() for path in bench.state.glob("store.sqlite3*"))
    assert not [password for password in passwords if password.encode() in stored or bytes.fromhex(password) in stored]


def test_a_retransmission_gets_the_same_certificate(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    first, second = bench.answer(request), bench.answer(request)
    assert first.certificates == second.certificates
    assert [outcome for outcome, _unused in bench.lines()] == ["issued", "repeated"]


def test_a_retransmission_has_to_come_soon(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    bench.clock.forward(minutes=61)
    assert bench.refused(request) is FailInfo.BAD_REQUEST


def test_a_revoked_certificate_is_not_handed_out_again(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    with bench.server.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE certificates SET revoked = 1")
    assert bench.refused(request) is FailInfo.BAD_REQUEST


def test_the_same_transaction_id_with_another_request(bench: Bench, device: Device) -> None:
    first, second = bench.passwords(2)
    replies = [
        bench.answer(bench.request(device, one, transaction_id="SSCEP transactionId")) for one in (first, second)
    ]
    assert len({reply.certificates[0].serial_number for reply in replies}) == 2


def test_the_same_transaction_id_from_another_key(bench: Bench, device: Device) -> None:
    other = Device(new_key(), "CN=other")
    for one, password in zip((device, other), bench.passwords(2), strict=True):
        reply = bench.answer(bench.request(one, password, transaction_id="0"))
        assert reply.certificates[0].subject == one.subject


def test_identical_requests_at_once(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, [request] * 8))
    assert len({reply.certificates[0].serial_number for reply in replies}) == 1
    outcomes = [outcome for outcome, _unused in bench.lines()]
    assert sorted(outcomes) == ["issued"] + ["repeated"] * 7


def test_many_requests_race_for_one_password(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    requests = [bench.request(device, password) for _unused in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, requests))
    assert [reply.status for reply in replies].count(PkiStatus.SUCCESS) == 1
    assert {reply.fail_info for reply in replies if reply.status is PkiStatus.FAILURE} == {FailInfo.BAD_REQUEST}


def test_nothing_is_issued_when_the_store_fails(bench: Bench, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    (password,) = bench.passwords()

    def busy(*_arguments: Any) -> bool:
        raise StoreBusy("locked")

    with monkeypatch.context() as broken:
        broken.setattr(Answers, "issue", busy)
        response = bench.post(bench.request(device, password).message)
    assert (response.status, response.headers["Retry-After"], response.body.count(b"\n")) == (503, "5", 1)
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS
