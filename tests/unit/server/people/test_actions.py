# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on the page: it really happens, once, and the audit has who did it."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from cryptography import x509
from people_visitor import ALICE, Visit
from scep_device import Bench, Device

from scep_server import approval, crl
from scep_server.certificate import serial_text
from scep_server.people import views
from scep_server.store.audit import LENGTH
from support.html_page import HtmlPage


def decisions(bench: Bench) -> list[dict[str, Any]]:
    """The lines of the audit about what people did."""
    return [row for row in bench.server.store.audit.records() if row["outcome"] in ("approved", "denied", "revoked")]


def test_approve(visit: Visit, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    visitor = visit()
    signer = device.identity
    bench = visitor.bench
    request = bench.request(device, bench.passwords()[0], signer=signer)
    bench.answer(request)
    with caplog.at_level(logging.INFO):
        response = visitor.click("approve", 1)
    assert (response.status, response.headers["Location"]) == (303, "/?request=1")
    (certificate,) = bench.answer(bench.poll(signer, request.transaction_id)).certificates
    serial = serial_text(certificate.serial_number)
    said = f"Request 1 (CN=device.example,O=Example) was granted: certificate {serial}."
    assert said in visitor.page("request=1").text
    assert "None." in visitor.page().text
    (line,) = decisions(bench)
    assert (line["outcome"], line["reason"], line["client"], line["serial"]) == (
        "approved",
        f"by {ALICE}",
        "192.0.2.7",
        serial,
    )
    assert f"192.0.2.7: approve by {ALICE}: 1" in caplog.text


def test_deny(visit: Visit, device: Device) -> None:
    visitor = visit()
    bench, signer = visitor.bench, device.identity
    request = bench.request(device, bench.passwords()[0], signer=signer)
    bench.answer(request)
    response = visitor.click("deny", 1, reason=" not <ours>\r\n\u202e ")
    assert (response.status, response.headers["Location"]) == (303, "/?request=1")
    reply = bench.refusal(bench.poll(signer, request.transaction_id))
    assert reply.fail_info_text == "The request was denied: not <ours>??\u202e."
    assert "was denied: not <ours>??[U+202E]." in visitor.page("request=1").text
    (line,) = decisions(bench)
    assert (line["outcome"], line["reason"]) == ("denied", f"not <ours>??\u202e, by {ALICE}")


def test_deny_without_a_reason(visit: Visit, device: Device) -> None:
    visitor = visit()
    visitor.wait(device)
    assert visitor.click("deny", 1).status == 303
    assert "(CN=device.example,O=Example) was denied. " in visitor.page("request=1").text
    assert decisions(visitor.bench)[0]["reason"] == f"by {ALICE}"


def test_a_long_reason_does_not_hide_who_it_was(visit: Visit, device: Device) -> None:
    """The length of the field is a matter of the browser."""
    visitor = visit()
    visitor.wait(device)
    assert visitor.click("deny", 1, reason="x" * 5000).status == 303
    (line,) = decisions(visitor.bench)
    assert line["reason"] == "x" * (LENGTH - len(f", by {ALICE}")) + f", by {ALICE}"


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_what_was_decided_meanwhile_is_told(visit: Visit, device: Device, first: str, second: str) -> None:
    visitor = visit()
    visitor.wait(device)
    form = visitor.page().form(f"/people/{second}", "1")
    {"approve": approval.approve, "deny": lambda *given: approval.deny(*given, "")}[first](visitor.bench.server, 1)
    response = visitor.post(form.action, form.fields)
    was = {"approve": "issued", "deny": "denied"}[first]
    assert response.status == 409
    assert f"Request 1 does not wait any more: it was {was}." in HtmlPage(response.body).text
    assert len(decisions(visitor.bench)) == 1


def test_what_the_policy_of_today_refuses(visit: Visit, device: Device) -> None:
    visit().wait(device)
    visitor = visit(subject_patterns=["CN=other"])
    response = visitor.click("approve", 1)
    assert response.status == 409 and b"Request 1 cannot be approved: " in response.body
    assert not decisions(visitor.bench)


def test_what_is_refused_is_one_line_of_the_log(visit: Visit, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a device is called: people read the log on the page."""
    visit().wait(dataclasses.replace(device, name=r"CN=a\0A2026-06-01 12:00:00\,000 INFO forged"))
    visitor = visit(subject_patterns=["CN=other"])
    with caplog.at_level(logging.INFO):
        assert visitor.click("approve", 1).status == 409
    (line,) = (record.getMessage() for record in caplog.records if "could not approve" in record.getMessage())
    assert "forged" in line and line.isprintable()


@pytest.mark.parametrize("reason", approval.REASONS)
def test_revoke(visit: Visit, device: Device, reason: str) -> None:
    visitor = visit(approval="none")
    bench = visitor.bench
    serial = serial_text(bench.issued(device).certificate.serial_number)
    form = visitor.page().form("/people/revoke", serial)
    response = visitor.post(form.action, form.fields | {"reason": reason})
    assert (response.status, response.headers["Location"]) == (303, f"/?certificate={serial}")
    page = visitor.page(f"certificate={serial}")
    assert f"Certificate {serial} (CN=device.example,O=Example) is revoked." in page.text
    ((listed, _time, told),) = bench.server.store.certificates.revoked(bench.pki.id)
    assert (listed, told) == (serial, "" if reason == approval.UNSPECIFIED else reason)
    assert crl.current(bench.server, bench.pki, bench.clock()).revoked == 1
    (line,) = decisions(bench)
    assert line["reason"] == ", ".join(filter(None, (told, f"by {ALICE}")))
    again = visitor.post(form.action, form.fields | {"reason": reason})
    assert again.status == 409 and f"The certificate {serial} was revoked before.".encode() in again.body
    assert len(decisions(bench)) == 1


@pytest.mark.parametrize("reason", ["", "certificateHold", "<b>"])
def test_a_reason_that_is_none(visit: Visit, device: Device, reason: str) -> None:
    visitor = visit(approval="none")
    serial = serial_text(visitor.bench.issued(device).certificate.serial_number)
    response = visitor.click("revoke", serial, reason=reason)
    assert response.status == 400 and b"A reason is one of unspecified, keyCompromise" in response.body
    assert not decisions(visitor.bench)


def test_the_command_sees_what_the_page_did(visit: Visit, device: Device, run: Any, state: Path) -> None:
    visitor = visit()
    visitor.wait(device)
    visitor.click("approve", 1)
    (row,) = run(state, "requests", "list", "--state", "issued")[1]["requests"]
    visitor.click("revoke", row["serial"], reason="superseded")
    (certificate,) = run(state, "certificates", "list")[1]["certificates"]
    assert (certificate["state"], certificate["reason"]) == ("revoked", "superseded")
    assert run(state, "audit")[1]["records"][-1]["reason"] == f"superseded, by {ALICE}"


@pytest.mark.parametrize(
    "query",
    ["request=1", "request=2", "request=0", "request=x", "request=" + "9" * 30, "certificate=0", "certificate=%00"],
)
def test_the_page_says_nothing_that_is_not_so(visit: Visit, device: Device, query: str) -> None:
    """Its address can be made by anybody: request 1 waits, and there is no other."""
    visitor = visit()
    visitor.wait(device)
    assert not [given for _tag, given in visitor.page(query).elements if given.get("role") == "status"]


def test_many_requests(visit: Visit, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "REQUESTS", 2)
    visitor = visit()
    for number in (1, 2, 3):
        visitor.wait(device)
        assert f"{number} wait" in visitor.page().text
    page = visitor.page()
    assert "3 wait for a decision; these are the oldest 2" in page.text
    assert [form.fields["target"] for form in page.forms if form.action == "/people/approve"] == ["1", "2"]


def test_a_request_for_very_many_names(visit: Visit, device: Device) -> None:
    """One device does not make the page so long that people cannot decide on the others."""
    visitor = visit()
    names = x509.SubjectAlternativeName([x509.DNSName("a" * 5000), *(x509.DNSName(f"n{n}") for n in range(5000))])
    visitor.bench.answer(visitor.bench.request(device, visitor.bench.passwords()[0], extensions=[(names, False)]))
    page = visitor.page()
    assert f"dns:{'a' * 296}… (5004 characters) dns:n0 dns:n1 " in page.text
    assert " dns:n18 and 4981 more names" in page.text and "n19" not in page.text
    assert len(visitor.get().body) < 20_000
    assert "Asks for more than is shown here: requests approve 1" in page.text
    assert not [form for form in page.forms if form.action == "/people/approve"]
    assert visitor.click("deny", 1).status == 303


def test_a_renewal_and_what_cannot_be_read(visit: Visit, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    old = visit(approval="none").bench.issued(device)
    visitor = visit(approval="all")
    bench = visitor.bench
    assert bench.answer(bench.renewal(device, old)).status is PkiStatus.PENDING
    assert f"renews {serial_text(old.certificate.serial_number)}" in visitor.page().text
    monkeypatch.setattr(views, "read_csr", lambda _csr: views.x509.load_der_x509_csr(b"?"))
    assert "(cannot be read)" in visitor.page().text
