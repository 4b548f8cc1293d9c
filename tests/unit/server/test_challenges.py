# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Challenge passwords in every mode: what is taken, when it is used up, and that nothing reveals it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request
from cryptography import x509
from scep_device import Bench, Device, ServedWith, message

from scep_server import challenges
from scep_server.errors import ServerError, SettingsError, StateError

MODES = ("one_time", "single", "static")
A_CA = (x509.BasicConstraints(ca=True, path_length=None), True)


def password_of(bench: Bench) -> str:
    """A password that is good now."""
    mode = bench.server.settings.challenge
    if mode == "one_time":
        return bench.passwords()[0]
    if mode == "static":
        return challenges.set_reusable(bench.server, "correct horse")[0]
    return challenges.reusable(bench.server)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_taken(served_with: ServedWith, device: Device, mode: str) -> None:
    bench = served_with(challenge=mode)
    password = password_of(bench)
    for wrong in (None, "", "x", password + " ", password[:-1], password.swapcase()):
        assert bench.refused(bench.request(device, wrong)) is FailInfo.BAD_REQUEST, wrong
    replies = [bench.answer(bench.request(device, password)) for _twice in range(2)]
    second = PkiStatus.FAILURE if mode == "one_time" else PkiStatus.SUCCESS
    assert [reply.status for reply in replies] == [PkiStatus.SUCCESS, second]


def test_a_request_is_judged_by_the_single_password_of_one_moment(
    served_with: ServedWith, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is replaced right before, and right after, a request is judged that has the old one."""
    bench = served_with(challenge="single", event_log=True)
    judge, old = challenges._CHECKS["single"], challenges.reusable(bench.server)

    def before(*arguments: Any) -> int | None:
        challenges.set_reusable(bench.server, None)
        return judge(*arguments)

    def after(*arguments: Any) -> int | None:
        judged = judge(*arguments)
        challenges.set_reusable(bench.server, None)
        return judged

    request = bench.request(device, old)
    monkeypatch.setitem(challenges._CHECKS, "single", after)
    assert bench.answer(request).status is PkiStatus.SUCCESS
    assert challenges.reusable(bench.server) != old
    assert bench.answer(request).certificates, "and is told again what it was told"
    replaced = challenges.reusable(bench.server)
    monkeypatch.setitem(challenges._CHECKS, "single", before)
    for password in (old, replaced):
        assert bench.refused(bench.request(device, password)) is FailInfo.BAD_REQUEST
    monkeypatch.undo()
    assert bench.answer(bench.request(device, challenges.reusable(bench.server))).status is PkiStatus.SUCCESS
    assert [outcome for outcome, _reason in bench.lines()] == ["issued", "repeated", "refused", "refused", "issued"]


@pytest.mark.parametrize("mode", MODES)
def test_the_database_does_not_reveal_it(served_with: ServedWith, device: Device, mode: str) -> None:
    bench = served_with(challenge=mode)
    password = password_of(bench)
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS
    assert bench.refused(bench.request(device, password + "x")) is FailInfo.BAD_REQUEST
    stored = b"".join(path.read_bytes() for path in bench.state.glob("store.sqlite3*"))
    assert b"CN=device.example" in stored, "the right files are read"
    forms = [password.encode(), password.lower().encode(), password.encode("utf-16-le")]
    forms += [bytes.fromhex(password)] if mode != "static" else []
    assert not [form for form in forms if form in stored]


@pytest.mark.parametrize("mode", MODES)
def test_neither_the_audit_nor_the_log_has_it(
    served_with: ServedWith, device: Device, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = served_with(challenge=mode)
    password = password_of(bench)
    with caplog.at_level(0):
        bench.answer(bench.request(device, password, extensions=[A_CA]))
        bench.answer(bench.request(device, password))
        bench.answer(bench.request(device, password))
        bench.answer(bench.request(device, password + "x"))
        broken = device.csr(password)
        for content in (broken[:-1], broken[:-1] + bytes([broken[-1] ^ 1]), broken.replace(b"\x13", b"\x0c")):
            for kind in (17, 19, 20, 21, 22):
                recipient = bench.pki.encryption.certificate
                bench.answer(message(content, device.identity, recipient, kind=kind))
    told = caplog.text + repr(bench.server.store.audit.records())
    assert "refused" in told and password not in told and password.lower() not in told


def test_single_is_made_once(served_with: ServedWith) -> None:
    """By whoever needs it first, be it several threads at the same moment."""
    bench = served_with(challenge="single")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _number: challenges.reusable(bench.server), range(8)))
    assert len(found) == 1 and len(found.pop()) == 32


def test_single_is_made_by_a_request_if_need_be(served_with: ServedWith, device: Device) -> None:
    bench = served_with(challenge="single")
    assert bench.refused(bench.request(device, "guess")) is FailInfo.BAD_REQUEST
    request = bench.request(device, challenges.reusable(bench.server))
    assert bench.answer(request).status is PkiStatus.SUCCESS


def test_single_is_replaced(served_with: ServedWith, device: Device) -> None:
    bench = served_with(challenge="single")
    before = challenges.reusable(bench.server)
    after, _changed = challenges.set_reusable(bench.server, None)
    assert before != after == challenges.reusable(bench.server)
    assert bench.refused(bench.request(device, before)) is FailInfo.BAD_REQUEST


@pytest.mark.parametrize("text", ["pässwörd", "密码", "🔑 " * 20, " ", "x" * 1000])
def test_static_takes_any_text(served_with: ServedWith, device: Device, text: str) -> None:
    bench = served_with(challenge="static")
    challenges.set_reusable(bench.server, text)
    assert bench.answer(bench.request(device, text)).status is PkiStatus.SUCCESS


def test_static_that_is_missing(served_with: ServedWith, device: Device) -> None:
    bench = served_with(challenge="static")
    with pytest.raises(
        StateError, match="There is no static challenge password yet: set one with 'challenge set --file "
    ):
        challenges.reusable(bench.server)
    assert "no challenge password yet" in str(bench.refusal(bench.request(device, "guess")).fail_info_text)
    ((outcome, reason),) = bench.lines()
    assert outcome == "refused" and "set one with 'challenge set --file FILE'" in reason


@pytest.mark.parametrize("mode", ["single", "static"])
def test_another_servers_key(served_with: ServedWith, device: Device, mode: str) -> None:
    bench = served_with(challenge=mode)
    password = password_of(bench)
    (bench.state / "pki" / "otp.key").write_text("ab" * 32)
    moved = served_with(challenge=mode)
    with pytest.raises(StateError, match=f"The {mode} challenge password .* cannot be decrypted with the key of this"):
        challenges.reusable(moved.server)
    assert moved.refused(moved.request(device, password)) is FailInfo.BAD_REQUEST
    assert "set it anew with 'challenge set'" in moved.lines()[-1][1]


def test_one_time_passwords_under_another_servers_key(bench: Bench, served_with: ServedWith, device: Device) -> None:
    (password,) = bench.passwords()
    (bench.state / "pki" / "otp.key").write_text("ab" * 32)
    moved = served_with()
    assert moved.refused(moved.request(device, password)) is FailInfo.BAD_REQUEST
    assert moved.lines()[-1][1].endswith("challenge password unknown")


@pytest.mark.parametrize(
    ("mode", "password"), [("one_time", "x"), ("none", "x"), ("single", "x"), ("static", None), ("static", "")]
)
def test_what_cannot_be_set(served_with: ServedWith, mode: str, password: str | None) -> None:
    bench = served_with(challenge=mode, allow_no_challenge=True)
    with pytest.raises(ServerError):
        challenges.set_reusable(bench.server, password)


def test_none_has_to_be_meant(served_with: ServedWith, device: Device) -> None:
    with pytest.raises(SettingsError, match="allow_no_challenge"):
        served_with(challenge="none")
    bench = served_with(challenge="none", allow_no_challenge=True)
    for password in (None, "", "whatever"):
        assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS


def _against_the_policy(bench: Bench, device: Device, password: str) -> Request:
    return bench.request(device, password, extensions=[A_CA])


def _without_possession(bench: Bench, device: Device, password: str) -> Request:
    csr = device.csr(password)
    return message(csr[:-1] + bytes([csr[-1] ^ 1]), device.identity, bench.pki.encryption.certificate)


@pytest.mark.parametrize("used_up", ["issue", "match"])
@pytest.mark.parametrize("what", ["against the policy", "signed by another key", "without possession"])
def test_when_a_refused_request_uses_it_up(
    served_with: ServedWith, device: Device, other: Device, used_up: str, what: str
) -> None:
    bench = served_with(challenge_used_up=used_up)
    (password,) = bench.passwords()
    refused: dict[str, Any] = {
        "against the policy": lambda: _against_the_policy(bench, device, password),
        "signed by another key": lambda: bench.request(device, password, signer=other.identity),
        "without possession": lambda: _without_possession(bench, device, password),
    }
    assert bench.answer(refused[what]()).status is PkiStatus.FAILURE
    gone = used_up == "match" and what != "without possession"
    assert bench.server.store.challenges.outstanding(0) == (0 if gone else 1)
    reply = bench.answer(bench.request(device, password))
    assert reply.status is (PkiStatus.FAILURE if gone else PkiStatus.SUCCESS)
    assert (bench.server.store.audit.records()[0]["challenge_id"] is None) == (what == "without possession")


@pytest.mark.parametrize("used_up", ["issue", "match"])
def test_identical_requests_at_once(served_with: ServedWith, device: Device, used_up: str) -> None:
    bench = served_with(challenge_used_up=used_up)
    request = bench.request(device, bench.passwords()[0])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, [request] * 8))
    assert len({reply.certificates for reply in replies}) == 1
    assert sorted(outcome for outcome, _reason in bench.lines()) == ["issued"] + ["repeated"] * 7
