# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approval: requests that wait, how clients ask for them, and what a person makes of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, cms
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import issued_by
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, Request
from cryptography import x509
from scep_device import LENIENT, Bench, Device, ServedWith, message, new_key

from scep_server.approval import approve, deny
from scep_server.authority import Authority
from scep_server.challenges import set_reusable
from scep_server.errors import ServerError

ELSEWHERE = x509.Name.from_rfc4514_string("CN=Another CA")


@pytest.fixture
def by_hand(served_with: ServedWith) -> Bench:
    """A server on which enrolments wait."""
    return served_with(approval="enrolment")


def waiting(bench: Bench) -> list[int]:
    """Ids of the requests that wait."""
    return [row["id"] for row in bench.server.store.answers.requests("pending")]


def pend(bench: Bench, device: Device, **parts: Any) -> tuple[Identity, Request, int]:
    """(the signer, a request of it that waits, its id); the self-signed certificate of a transaction stays one."""
    signer = device.identity
    request = bench.request(device, bench.passwords()[0], signer=signer, **parts)
    assert bench.answer(request).status is PkiStatus.PENDING
    return signer, request, waiting(bench)[-1]


def test_pending_then_success(by_hand: Bench, device: Device) -> None:
    signer, request, request_id = pend(by_hand, device)
    poll = by_hand.poll(signer, request.transaction_id)
    assert by_hand.answer(request).status is PkiStatus.PENDING, "sent again"
    assert by_hand.answer(poll).status is PkiStatus.PENDING
    assert by_hand.server.store.challenges.outstanding(0) == 0, "used up by the request that waits"
    by_hand.clock.forward(days=1)
    certificate = approve(by_hand.server, request_id)
    for asked in (poll, request):
        assert by_hand.answer(asked).certificates == (certificate,)
    assert certificate.subject == device.subject
    outcomes = [outcome for outcome, _reason in by_hand.lines()]
    assert outcomes == ["pending", "waiting", "waiting", "approved", "repeated", "repeated"]
    used = {line["challenge_id"] for line in by_hand.server.store.audit.records()} - {None}
    assert len(used) == 1


def test_denied_with_the_reason(by_hand: Bench, device: Device) -> None:
    signer, request, request_id = pend(by_hand, device)
    deny(by_hand.server, request_id, "who are you\r\n\x1b[31m?")
    for asked in (by_hand.poll(signer, request.transaction_id), request):
        reply = by_hand.refusal(asked)
        assert (reply.fail_info, reply.fail_info_text) == (
            FailInfo.BAD_REQUEST,
            "The request was denied: who are you???[31m?.",
        )


def test_a_denial_with_a_reason_that_is_no_text(by_hand: Bench, device: Device) -> None:
    """As the command line hands over octets that are not UTF-8."""
    signer, request, request_id = pend(by_hand, device)
    deny(by_hand.server, request_id, "\udcff")
    assert by_hand.refused(by_hand.poll(signer, request.transaction_id)) is FailInfo.BAD_REQUEST


@pytest.mark.parametrize(("empty_reply", "content"), [("absent", None), ("empty", b"")])
def test_the_content_of_replies_that_have_none(
    served_with: ServedWith, device: Device, empty_reply: str, content: bytes | None
) -> None:
    bench = served_with(approval="all", empty_reply=empty_reply)
    for password, status in ((bench.passwords()[0], PkiStatus.PENDING), ("wrong", PkiStatus.FAILURE)):
        request = bench.request(device, password)
        assert bench.answer(request).status is status
        assert cms.read_signed_data(bench.post(request.message).body).content == content


@pytest.mark.parametrize("approval", ["enrolment", "all"])
def test_whether_renewals_wait(served_with: ServedWith, bench: Bench, device: Device, approval: str) -> None:
    old = bench.issued(device)
    by_hand = served_with(approval=approval)
    request = by_hand.renewal(device, old)
    reply = by_hand.answer(request)
    assert reply.status is (PkiStatus.PENDING if approval == "all" else PkiStatus.SUCCESS)
    if approval == "all":
        certificate = approve(by_hand.server, *waiting(by_hand))
        assert by_hand.answer(by_hand.poll(old, request.transaction_id)).certificates == (certificate,)
        by_hand.clock.forward(days=100)
        assert by_hand.answer(request).certificates == (certificate,), "a renewal is answered once"


def test_a_poll_of_what_was_issued_at_once(bench: Bench, device: Device) -> None:
    signer = device.identity
    request = bench.request(device, bench.passwords()[0], signer=signer)
    certificates = bench.answer(request).certificates
    for issuer in (bench.pki.ca, bench.pki.signer, bench.pki.encryption):
        poll = bench.poll(signer, request.transaction_id, issuer.certificate.subject)
        assert bench.answer(poll).certificates == certificates, "some clients name the RA"
    bench.revoke(certificates[0])
    assert "revoked" in str(bench.refusal(poll).fail_info_text)


def _of_another_signer(bench: Bench, other: Device, request: Request) -> Request:
    return bench.poll(other.identity, request.transaction_id)


def _of_another_transaction(bench: Bench, _other: Device, request: Request) -> Request:
    return bench.poll(request.signer, request.transaction_id + "0")


def _of_another_ca(bench: Bench, _other: Device, request: Request) -> Request:
    return bench.poll(request.signer, request.transaction_id, ELSEWHERE)


def _undecryptable(bench: Bench, _other: Device, request: Request) -> Request:
    return _raw_poll(bench, request, b"hello")


def _raw_poll(bench: Bench, request: Request, content: bytes) -> Request:
    recipient, transaction = bench.pki.encryption.certificate, request.transaction_id
    return message(content, request.signer, recipient, kind=MessageType.CERT_POLL, transaction_id=transaction)


POLLS: dict[str, Callable[[Bench, Device, Request], Request]] = {
    "another signer": _of_another_signer,
    "another transaction": _of_another_transaction,
    "another CA": _of_another_ca,
    "does not decrypt to one": _undecryptable,
}


def test_polls_that_find_nothing_get_one_answer(by_hand: Bench, device: Device, other: Device) -> None:
    before = by_hand.refusal(by_hand.poll(device.identity, "never heard of"))
    _signer, request, _id = pend(by_hand, device)
    for what, make in POLLS.items():
        reply = by_hand.refusal(make(by_hand, other, request))
        assert reply.fail_info is before.fail_info is FailInfo.BAD_CERT_ID, what
        assert reply.fail_info_text == before.fail_info_text, what


def test_the_subject_of_a_poll_is_not_asked(by_hand: Bench, device: Device) -> None:
    """Some clients put something else there; who asks is proven by key and transaction."""
    _signer, request, _id = pend(by_hand, device)
    content = asn1.sequence(by_hand.pki.issuer_der, ELSEWHERE.public_bytes())
    assert by_hand.answer(_raw_poll(by_hand, request, content)).status is PkiStatus.PENDING


def test_what_is_against_the_policy_does_not_wait(by_hand: Bench, device: Device) -> None:
    (password,) = by_hand.passwords()
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    request = by_hand.request(device, password, extensions=[(constraints, True)])
    assert by_hand.refused(request) is FailInfo.BAD_REQUEST
    assert not waiting(by_hand)
    assert by_hand.answer(by_hand.request(device, password)).status is PkiStatus.PENDING


def test_a_password_makes_one_request_wait(by_hand: Bench, device: Device) -> None:
    (password,) = by_hand.passwords()
    assert by_hand.answer(by_hand.request(device, password)).status is PkiStatus.PENDING
    assert by_hand.refused(by_hand.request(device, password)) is FailInfo.BAD_REQUEST
    assert len(waiting(by_hand)) == 1


@pytest.mark.parametrize("challenge", ["one_time", "none"])
def test_identical_requests_at_once_wait_as_one(served_with: ServedWith, device: Device, challenge: str) -> None:
    bench = served_with(approval="all", challenge=challenge, allow_no_challenge=True)
    request = bench.request(device, bench.passwords()[0])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, [request] * 8))
    assert {reply.status for reply in replies} == {PkiStatus.PENDING}
    assert len(waiting(bench)) == 1
    assert sorted(outcome for outcome, _reason in bench.lines()) == ["pending"] + ["waiting"] * 7


def test_the_modes_without_one_time_passwords(served_with: ServedWith, device: Device) -> None:
    static = served_with(approval="enrolment", challenge="static")
    set_reusable(static.server, "spring")
    assert static.refused(static.request(device, "autumn")) is FailInfo.BAD_REQUEST
    assert static.answer(static.request(device, "spring")).status is PkiStatus.PENDING
    none = served_with(approval="enrolment", challenge="none", allow_no_challenge=True)
    assert none.answer(none.request(device, None)).status is PkiStatus.PENDING
    assert len(waiting(none)) == 2
    assert {approve(none.server, one).subject for one in waiting(none)} == {device.subject}


def test_a_decision_is_made_once(by_hand: Bench, device: Device) -> None:
    first, second = (pend(by_hand, device)[2] for _unused in range(2))
    approve(by_hand.server, first)
    deny(by_hand.server, second, "")
    for request_id, was in ((first, "issued"), (second, "denied")):
        for decide in (lambda one: approve(by_hand.server, one), lambda one: deny(by_hand.server, one, "no")):
            with pytest.raises(ServerError, match=f"Request {request_id} does not wait any more: it was {was}"):
                decide(request_id)
    with pytest.raises(ServerError, match="There is no request 99"):
        approve(by_hand.server, 99)


def test_decisions_at_once(by_hand: Bench, device: Device) -> None:
    request_id = pend(by_hand, device)[2]

    def decide(number: int) -> bool:
        try:
            if number % 2:
                deny(by_hand.server, request_id, "no")
            else:
                approve(by_hand.server, request_id)
        except ServerError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, range(6))) == [False] * 5 + [True]
    outcomes = [outcome for outcome, _reason in by_hand.lines()]
    assert len(outcomes) == 2 and outcomes[1] in ("approved", "denied")


STRICTER: dict[str, tuple[dict[str, Any], str]] = {
    "subjects": ({"subject_patterns": ["CN=router.*"], "min_rsa_bits": 1024}, "asks for the subject"),
    "size of keys": ({"min_rsa_bits": 2048}, "1024 bits"),
    "digests": ({"allow_sha1": False, "min_rsa_bits": 1024}, "SHA-1"),
}


@pytest.mark.parametrize("what", STRICTER)
def test_the_policy_of_the_day_of_approval_counts(served_with: ServedWith, what: str) -> None:
    settings, says = STRICTER[what]
    lax = served_with(approval="all", min_rsa_bits=1024)
    request_id = pend(lax, Device(new_key(1024)), csr_digest="sha1")[2]
    strict = served_with(**settings)
    with pytest.raises(ServerError, match=f"Request {request_id} cannot be approved: .*{says}"):
        approve(strict.server, request_id)
    assert waiting(strict) == [request_id]


def test_what_renews_a_revoked_certificate_is_not_approved(
    served_with: ServedWith, bench: Bench, device: Device
) -> None:
    old = bench.issued(device)
    by_hand = served_with(approval="all")
    assert by_hand.answer(by_hand.renewal(device, old)).status is PkiStatus.PENDING
    bench.revoke(old.certificate)
    with pytest.raises(ServerError, match="cannot be approved: the certificate that it renews is revoked"):
        approve(by_hand.server, *waiting(by_hand))


def test_approved_after_a_rollover(by_hand: Bench, device: Device, coming: Authority) -> None:
    signer, request, request_id = pend(by_hand, device)
    by_hand.roll_over(coming)
    certificate = approve(by_hand.server, request_id)
    assert issued_by(certificate, coming.ca.certificate, LENIENT)
    row = by_hand.server.store.certificates.find(f"{certificate.serial_number:032x}")
    assert row is not None and row["issuer"] == coming.id
    assert by_hand.answer(by_hand.poll(signer, request.transaction_id)).certificates == (certificate,)
