# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Getting a certificate when it takes more than one question: renewal, approval, and answers that were lost."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import obtain as obtain_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support.awkward import CAPABILITIES, Answer, Awkward
from support.task import Run

WITH_RENEWAL = Answer(CAPABILITIES + b"Renewal\n", content_type="text/plain")
LEFT = "it is valid for 9 days more, which is less than remaining_days 30"


def run(task: Run, **options: Any) -> dict[str, Any]:
    result = perform(ensure_certificate, task.context(**options))
    assert not result.pop("failed"), result["msg"]
    return result


def fails(task: Run, **options: Any) -> str:
    result = perform(ensure_certificate, task.context(**options))
    assert result["failed"] and not result["changed"]
    return str(result["msg"])


def certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "sw1.pem").read_bytes())


def open_transaction(folder: Path) -> Path:
    return folder / "sw1.pem.scep-pending.json"


def keys_match(folder: Path) -> bool:
    key: Any = load_pem_private_key((folder / "sw1.key").read_bytes(), None)
    return same_key(key.public_key(), certificate(folder).public_key())


@pytest.fixture
def expiring(certificate_task: Run, server: Awkward) -> Run:
    """A task whose certificate, enrolled already, has nine days and some hours left."""
    server.end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=9, hours=5)
    run(certificate_task)
    server.end += dt.timedelta(days=365)
    server.answers["GetCACaps"] = WITH_RENEWAL
    server.received.clear()
    server.requests.clear()
    certificate_task.options.update(remaining_days=30)
    del certificate_task.options["challenge_password"]
    return certificate_task


@pytest.mark.parametrize("rekey", [True, False])
def test_renewal(expiring: Run, server: Awkward, rekey: bool) -> None:
    folder = expiring.folder
    old, old_key = certificate(folder), (folder / "sw1.key").read_bytes()
    result = run(expiring, rekey=rekey)
    (request,) = server.requests
    assert request.header.message_type is MessageType.RENEWAL_REQ
    assert request.header.signer == old
    assert request.csr is not None and request.csr.challenge_password is None
    assert result["changed"] and result["msg"] == f"Renewed: {LEFT}." and result["status"] == "issued"
    assert certificate(folder) != old and keys_match(folder)
    assert (old_key != (folder / "sw1.key").read_bytes()) is rekey
    assert not open_transaction(folder).exists()
    assert not run(expiring)["changed"]


def test_renewal_in_check_mode(expiring: Run, server: Awkward) -> None:
    result = run(expiring, check_mode=True)
    assert result["changed"] and result["msg"] == f"To be renewed: {LEFT}."
    assert not server.requests


def test_no_renewal_offered(expiring: Run, server: Awkward) -> None:
    del server.answers["GetCACaps"]
    assert fails(expiring) == (
        f"The certificate should be renewed ({LEFT}), and the server does not offer Renewal; give a "
        "challenge_password for a new enrolment."
    )
    assert not server.requests
    assert run(expiring, challenge_password="another")["msg"] == f"Enrolled: {LEFT}."
    assert server.requests[0].csr is not None and server.requests[0].csr.challenge_password == "another"


def test_refused_renewal_becomes_an_enrolment_where_a_password_is_given(expiring: Run, server: Awkward) -> None:
    def only_enrolments(request: IncomingRequest) -> bytes:
        if request.kind is MessageType.RENEWAL_REQ:
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST)
        return server.issue(request)

    server.reply = only_enrolments
    assert "failInfo badRequest" in fails(expiring)
    assert not open_transaction(expiring.folder).exists()
    assert run(expiring, challenge_password="another")["msg"] == f"Enrolled: {LEFT}."
    assert keys_match(expiring.folder)


def test_the_old_certificate_is_no_renewal(expiring: Run, server: Awkward) -> None:
    folder = expiring.folder
    old = (folder / "sw1.pem").read_bytes()
    for rekey in (True, False):
        server.reply = lambda request: success(request.header, server.pki.ra_sign, [certificate(folder)])
        assert fails(expiring, rekey=rekey).startswith("The server answers the renewal with the certificate that is to")
    assert (folder / "sw1.pem").read_bytes() == old and keys_match(folder)


def test_approval_across_runs(certificate_task: Run, server: Awkward) -> None:
    task, folder = certificate_task, certificate_task.folder
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    first = run(task)
    assert (first["changed"], first["status"]) == (True, "pending")
    assert first["msg"] == "The request waits for approval at the CA; run this again to ask for the answer."
    assert first["transaction_id"] == server.requests[0].header.transaction_id
    assert stat.S_IMODE(open_transaction(folder).stat().st_mode) == 0o600
    assert not (folder / "sw1.pem").exists() and not (folder / "sw1.key").exists()
    second = run(task)
    assert (second["changed"], second["status"], second["transaction_id"]) == (
        False,
        "pending",
        first["transaction_id"],
    )
    asked = server.requests[0]

    def approved(request: IncomingRequest) -> bytes:
        assert request.kind is MessageType.CERT_POLL
        assert asked.csr is not None and request.subject == asked.csr.subject.public_bytes()
        return success(request.header, server.pki.ra_sign, [server.certify(asked)])

    server.reply = approved
    third = run(task, challenge_password="another one, as the playbook asks for a new one each time")
    assert (third["changed"], third["status"]) == (True, "issued")
    assert [request.kind for request in server.requests] == [
        MessageType.PKCS_REQ,
        MessageType.CERT_POLL,
        MessageType.CERT_POLL,
    ]
    assert len({request.header.transaction_id for request in server.requests}) == 1
    assert keys_match(folder) and not open_transaction(folder).exists()


def test_approval_within_the_run(certificate_task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(obtain_module.time, "sleep", pauses.append)

    def reply(request: IncomingRequest) -> bytes:
        if len(server.requests) < 4:
            return pending(request.header, server.pki.ra_sign)
        return success(request.header, server.pki.ra_sign, [server.certify(server.requests[0])])

    server.reply = reply
    assert run(certificate_task, wait=600.0, poll_interval=10.0)["status"] == "issued"
    assert len(pauses) == 3 and all(8 <= pause <= 12 for pause in pauses) and len(set(pauses)) == 3


def test_denied(certificate_task: Run, server: Awkward) -> None:
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    run(certificate_task)
    server.reply = lambda request: failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST, text="denied")
    assert "denied" in fails(certificate_task)
    assert not open_transaction(certificate_task.folder).exists()
    server.reply = server.issue
    assert run(certificate_task)["status"] == "issued"
    assert len({request.header.transaction_id for request in server.requests}) == 2


def test_a_server_without_cert_poll_is_sent_the_request_again(certificate_task: Run, server: Awkward) -> None:
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    run(certificate_task)

    def reply(request: IncomingRequest) -> bytes:
        if request.kind is MessageType.CERT_POLL:
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_CERT_ID)
        return server.issue(request)

    server.reply = reply
    assert run(certificate_task)["status"] == "issued"
    first, _poll, again = server.requests
    assert first.csr is not None and again.csr is not None and first.csr.raw == again.csr.raw


def test_a_lost_answer_is_asked_for_again(certificate_task: Run, server: Awkward) -> None:
    server.answers["PKIOperation"] = Answer(b"", 500)
    assert "HTTP 500" in fails(certificate_task)
    assert open_transaction(certificate_task.folder).exists()
    del server.answers["PKIOperation"]
    seen: list[IncomingRequest] = []

    def reply(request: IncomingRequest) -> bytes:
        seen.append(request)
        return server.issue(request)

    server.reply = reply
    assert run(certificate_task, challenge_password="another")["status"] == "issued"
    assert seen[0].csr is not None and seen[0].csr.challenge_password == "Pa55-word", "the very same request"
    assert keys_match(certificate_task.folder) and not open_transaction(certificate_task.folder).exists()


def test_a_lost_answer_that_is_refused_now(certificate_task: Run, server: Awkward) -> None:
    """The first password was used up, or expired meanwhile: the one that is given now is taken."""
    server.answers["PKIOperation"] = Answer(b"", 500)
    fails(certificate_task)
    del server.answers["PKIOperation"]

    def reply(request: IncomingRequest) -> bytes:
        assert request.csr is not None
        if request.csr.challenge_password == "Pa55-word":
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST)
        return server.issue(request)

    server.reply = reply
    assert run(certificate_task, challenge_password="another")["status"] == "issued"


def test_a_damaged_transaction_is_asked_for_anew(certificate_task: Run, server: Awkward) -> None:
    for damage in (b"", b"{}", b"[]", b"\xff", b'{"format": 1, "asked": {}}'):
        open_transaction(certificate_task.folder).write_bytes(damage)
        assert run(certificate_task, force=True)["status"] == "issued"
        assert not open_transaction(certificate_task.folder).exists()


def test_absent(certificate_task: Run, server: Awkward) -> None:
    task, folder = certificate_task, certificate_task.folder
    run(task, chain_path="chain.pem")
    there = sorted(path.name for path in folder.iterdir())
    check = run(task, state="absent", chain_path="chain.pem", check_mode=True)
    assert check["changed"] and sorted(path.name for path in folder.iterdir()) == there
    gone = run(task, state="absent", chain_path="chain.pem")
    assert (gone["changed"], gone["status"]) == (True, "absent") and not list(folder.iterdir())
    assert run(task, state="absent", chain_path="chain.pem") == {
        "changed": False,
        "status": "absent",
        "msg": "There is nothing to remove.",
        "paths": gone["paths"],
        "diff": {"before": {}, "after": {}},
    }


def test_absent_leaves_a_key_that_was_not_made_here(certificate_task: Run, server: Awkward) -> None:
    run(certificate_task)
    (certificate_task.folder / "sw1.pem.scep.json").unlink()
    run(certificate_task, state="absent")
    assert [path.name for path in certificate_task.folder.iterdir()] == ["sw1.key"]
