# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole work of scep_certificate_pipe: values in, values out, and nothing on disk."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import PIPE
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.content_store import seal, unseal
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_content
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from support import pki as pki_module
from support.awkward import CAPABILITIES, Answer, Awkward

from .conftest import Run, pem_key
from .test_ensure import no_key, no_server

WITH_RENEWAL = Answer(CAPABILITIES + b"Renewal\n", content_type="text/plain")
LEFT = "it is valid for 9 days more, which is less than remaining_days 30"


@pytest.fixture
def task(tmp_path: Path, server: Awkward) -> Iterator[Run]:
    """A task pinned to the server's CA. Its folder stays empty."""
    yield Run(
        tmp_path,
        PIPE,
        url=server.url,
        ca_fingerprint=[fingerprint(server.pki.ca.certificate)],
        challenge_password="Pa55-word",
        subject="CN=sw1.example.com,O=Example",
        subject_alt_name=["DNS:sw1.example.com"],
        timeout=5.0,
    )
    assert not list(tmp_path.iterdir())


def run(task: Run, **options: Any) -> dict[str, Any]:
    """A call that succeeds; its values have been through JSON, as between two tasks."""
    result = perform(ensure_content, task.context(**options))
    assert not result.pop("failed"), result["msg"]
    travelled: dict[str, Any] = json.loads(json.dumps(result))
    return travelled


def fails(task: Run, **options: Any) -> str:
    result = perform(ensure_content, task.context(**options))
    assert set(result) == {"failed", "changed", "msg"}
    assert result["failed"] and not result["changed"]
    return str(result["msg"])


def back(result: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """What came out, as options of the next run."""
    before = before or {}
    return {
        "certificate_content": result.get("certificate", before.get("certificate_content")),
        "privatekey_content": result.get("privatekey", before.get("privatekey_content")),
        "record": result["record"],
    }


def match(values: dict[str, Any]) -> bool:
    key: Any = load_pem_private_key(values["privatekey_content"].encode(), None)
    certificate = x509.load_pem_x509_certificate(values["certificate_content"].encode())
    return same_key(key.public_key(), certificate.public_key())


def test_first_and_second_run(task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(task)
    ca = server.pki.ca.certificate.public_bytes(Encoding.PEM).decode()
    assert (first["changed"], first["status"], first["msg"]) == (True, "issued", "Enrolled: there is no certificate.")
    assert (first["chain"], first["fullchain"]) == ([ca], first["certificate"] + ca)
    assert first["transaction_id"] == server.requests[0].header.transaction_id
    assert set(first["record"]) == {"enrolment"}
    for secret in ("Pa55-word", "PRIVATE KEY"):
        assert secret not in json.dumps(first["record"])
    values = back(first)
    assert match(values)
    no_server(monkeypatch)
    no_key(monkeypatch)
    for check_mode in (True, False):
        second = run(task, check_mode=check_mode, **values)
        expected = {name: value for name, value in first.items() if name not in ("privatekey", "diff")}
        until = f"The certificate is what is asked for, and valid until {first['not_after']}."
        assert second == {**expected, "changed": False, "msg": until}
    values["privatekey_content"] = values["privatekey_content"].strip()
    values["certificate_content"] = first["fullchain"].strip()
    assert not run(task, **values)["changed"], "line breaks get lost on many ways, and a chain does no harm"


def test_check_mode(task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        no_server(patched)
        checked = run(task, check_mode=True)
    real = run(task)
    assert checked == {
        "changed": True,
        "msg": "To be enrolled: there is no certificate.",
        "diff": real["diff"],
        "record": {},
    }
    assert (real["diff"]["before_header"], real["diff"]["before"]) == ("certificate", {})


def test_asked_differently(task: Run, server: Awkward) -> None:
    values = back(run(task))
    result = run(task, subject="CN=sw2,O=Example", **values)
    assert result["msg"] == "Enrolled: another subject is asked for."
    assert "privatekey" not in result
    assert match(back(result, values))


@pytest.mark.parametrize("rekey", [True, False])
def test_renewal(task: Run, server: Awkward, rekey: bool) -> None:
    server.end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=9, hours=5)
    values = back(run(task))
    server.end += dt.timedelta(days=365)
    server.answers["GetCACaps"] = WITH_RENEWAL
    options: dict[str, Any] = {"challenge_password": None, "remaining_days": 30, "rekey": rekey}
    checked = run(task, check_mode=True, **options, **values)
    assert checked["msg"] == f"To be renewed: {LEFT}." and checked["record"] == values["record"]
    result = run(task, **options, **values)
    assert result["msg"] == f"Renewed: {LEFT}."
    assert server.requests[-1].kind is MessageType.RENEWAL_REQ
    assert ("privatekey" in result) is rekey
    renewed = back(result, values)
    assert match(renewed) and renewed["certificate_content"] != values["certificate_content"]
    assert not run(task, **options, **renewed)["changed"]


def test_approval_across_runs(task: Run, server: Awkward) -> None:
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    first = run(task)
    assert (first["changed"], first["status"], set(first["record"])) == (True, "pending", {"transaction"})
    assert not {"certificate", "privatekey"} & set(first)
    second = run(task, record=first["record"])
    assert (second["changed"], second["status"]) == (False, "pending")
    before, now = first["record"]["transaction"], second["record"]["transaction"]
    assert unseal(before) == unseal(now)
    assert before not in now, "or Ansible would mask it"
    server.reply = lambda request: success(request.header, server.pki.ra_sign, [server.certify(server.requests[0])])
    third = run(task, record=second["record"], challenge_password="another")
    assert (third["changed"], third["status"], set(third["record"])) == (True, "issued", {"enrolment"})
    assert [request.kind for request in server.requests] == [
        MessageType.PKCS_REQ,
        MessageType.CERT_POLL,
        MessageType.CERT_POLL,
    ]
    assert match(back(third))
    assert not run(task, **back(third))["changed"]


def test_denied(task: Run, server: Awkward) -> None:
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    record = run(task)["record"]
    server.reply = lambda request: failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST, text="denied")
    told = fails(task, record=record)
    assert "denied" in told
    assert told.endswith(" The given record still has this request; set force for one run to make another.")
    assert "The given record" not in fails(task)
    server.reply = server.issue
    result = run(task, record=record, force=True)
    assert result["status"] == "issued" and set(result["record"]) == {"enrolment"}


def test_a_record_that_is_lost(task: Run, server: Awkward) -> None:
    """The certificate is judged by itself, and the key counts as its owner's."""
    values = {**back(run(task)), "record": None}
    server.received.clear()
    result = run(task, **values)
    assert (result["changed"], result["record"]) == (False, {})
    assert server.operations == ["GetCACert"], "who issued it is asked, and no more"
    assert run(task, subject="CN=other", **values)["msg"] == "Enrolled: the certificate has another subject."
    assert fails(task, privatekey_size=3072, **values) == (
        "privatekey_content: the key in the given content has 2048 bits, and privatekey_size asks for at least 3072; "
        "leave the option out to have a new key made, or give another one."
    )


def broken(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Records that somebody's tools have damaged."""
    enrolment = record["enrolment"]
    for name in enrolment:
        for value in (None, [], {}, 5, "\u00e4"):
            yield {"enrolment": {**enrolment, name: value}}
    yield {"enrolment": {}, "transaction": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}
    yield {"transaction": "\u00e4"}
    yield {"transaction": "AAAA"}


def test_a_record_that_is_damaged(task: Run, server: Awkward) -> None:
    values = back(run(task))
    for record in broken(values["record"]):
        result = run(task, check_mode=True, **{**values, "record": record})
        assert "msg" in result and "transaction" not in result["record"]


def test_foreign_key(task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used and never returned; later runs do not load it."""
    given = pem_key(pki_module.rsa_key("given")).decode()
    first = run(task, privatekey_content=given)
    assert "privatekey" not in first
    values = back(first, {"privatekey_content": given})
    assert match(values) and not values["record"]["enrolment"]["key_made"]
    no_key(monkeypatch)
    assert not run(task, **values)["changed"]


def test_own_key(task: Run) -> None:
    """It is replaced by a larger one, and returned in another form."""
    values = back(run(task))
    larger = run(task, privatekey_size=3072, **values)
    assert larger["msg"] == "Enrolled: the private key has 2048 bits and 3072 are wanted."
    values = back(larger, values)
    checked = run(task, privatekey_size=3072, privatekey_format="pkcs1", check_mode=True, **values)
    assert checked["changed"] and "privatekey" not in checked and checked["record"] == values["record"]
    result = run(task, privatekey_size=3072, privatekey_format="pkcs1", **values)
    assert result["msg"].startswith("Set: form of privatekey. The certificate is what is asked for")
    assert result["privatekey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    values = back(result, values)
    assert match(values)
    assert not run(task, privatekey_size=3072, privatekey_format="pkcs1", **values)["changed"]


def test_given_request(task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    key = pki_module.rsa_key("device")
    csr = x509.load_der_x509_csr(build_csr(key, pki_module.name("hsm1"))).public_bytes(Encoding.PEM).decode()
    options = {"subject": None, "subject_alt_name": [], "challenge_password": None, "csr_content": csr}
    first = run(task, **options)
    assert first["subject"] == "CN=hsm1" and "privatekey" not in first
    assert server.requests[0].csr is not None
    assert server.requests[0].csr.raw == x509.load_pem_x509_csr(csr.encode()).public_bytes(Encoding.DER)
    no_server(monkeypatch)
    assert not run(task, **options, **back(first))["changed"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "certificate": (
        {"certificate_content": "Buy milk."},
        "certificate_content: it is not a certificate in PEM; leave the option out to have one made, or correct it.",
    ),
    "key": (
        {"privatekey_content": "Buy milk."},
        "privatekey_content: the given content holds no private key that can be read; leave the option out to have a "
        "new key made, or give another one.",
    ),
    "EC key": (
        {"privatekey_content": pem_key(pki_module.ec_key("given")).decode()},
        "privatekey_content: the key in the given content is not an RSA key, as SCEP needs it; leave the option out to "
        "have a new key made, or give another one.",
    ),
}


@pytest.mark.parametrize("check_mode", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("options", "expected"), WRONG.values(), ids=WRONG)
def test_wrong_contents(task: Run, server: Awkward, options: dict[str, Any], expected: str, check_mode: bool) -> None:
    assert fails(task, check_mode=check_mode, **options) == expected
    assert not server.received


def test_sealed(task: Run, server: Awkward) -> None:
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    transaction = unseal(run(task)["record"]["transaction"])
    assert transaction is not None
    assert transaction.key is not None and transaction.status == "waiting"
    assert unseal(seal(transaction)) == transaction
