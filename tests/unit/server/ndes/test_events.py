# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: each situation has its id, its level and its code, and no other event comes with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import HRESULTS
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_crl
from cryptography import x509
from scep_device import NONCE, Bench, Device, ServedWith, message, new_key

from scep_server import challenges
from scep_server.approval import deny
from scep_server.faults.active import Wanted
from scep_server.faults.table import fault_file
from scep_server.ndes.events import PROVIDER, TABLE, Event
from scep_server.ndes.logs import FILES, FOLDER
from scep_server.ndes.switches import DEFAULT_TEMPLATE

from .test_templates import NDES, REFUSALS

Act = Callable[[Bench, Device], Any]
Found = list[tuple[int, str]]


def events(bench: Bench) -> list[dict[str, Any]]:
    """What was written, oldest first."""
    file = bench.state / FOLDER / FILES["events"]
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def number_of(event: dict[str, Any]) -> str:
    """The HRESULT of an event, wherever it stands; empty where there is none."""
    return next((text for text in event["data"].values() if text.startswith("0x")), "")


def ids(bench: Bench) -> Found:
    """(id, HRESULT) of what was written."""
    return [(event["id"], number_of(event)) for event in events(bench)]


def asks(password: str | None, **parts: Any) -> Act:
    """A request with this password."""
    return lambda bench, device: bench.answer(bench.request(device, password, **parts))


def asks_twice(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    for asking, status in ((device, PkiStatus.SUCCESS), (Device(new_key(), "CN=thief"), PkiStatus.FAILURE)):
        assert bench.answer(bench.request(asking, password)).status is status


def asks_late(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.clock.forward(minutes=60)
    bench.answer(request)


def wrong_recipient(bench: Bench, device: Device) -> None:
    stranger = Device(new_key(), "CN=somebody").identity.certificate
    bench.answer(message(device.csr("x"), device.identity, stranger))


def broken_content(bench: Bench, device: Device) -> None:
    bench.answer(message(b"no PKCS#10", device.identity, bench.pki.encryption.certificate))


def without(bench: Bench, device: Device, **parts: Any) -> None:
    bench.post(message(device.csr("x"), device.identity, bench.pki.encryption.certificate, **parts).message)


def lookup(bench: Bench, device: Device) -> None:
    ca, recipient = bench.pki.ca.certificate, bench.pki.encryption.certificate
    bench.answer(get_crl(ca.subject, ca.serial_number, device.identity, recipient, "sha256", "aes-128-cbc"))


def denied(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    deny(bench.server, bench.server.store.answers.requests("pending")[0]["id"], "no")
    bench.answer(request)


def by_get(text: str) -> Act:
    return lambda bench, _device: bench.http(query=f"operation=PKIOperation&message={text}")


NOT_DER = base64.b64encode(b"no message").decode()
NO_STRUCTURE = (17, "0x8009310B")
HAPPENED: dict[str, tuple[dict[str, Any], Act, Found]] = {
    "nothing": ({}, lambda bench, device: bench.enroll(device), []),
    "no base64": ({}, by_get("!"), [(16, "0x80004005")]),
    "no message": ({}, by_get(""), [(16, "0x80004005")]),
    "no operation": ({}, lambda bench, _device: bench.http(query="message=x"), [(16, "0x80004005")]),
    "an unknown operation": ({}, lambda bench, _device: bench.http(query="operation=x"), [(16, "0x80004005")]),
    "a body that is too short": (
        {},
        lambda bench, _device: bench.http("POST", "operation=PKIOperation", b"x", CONTENT_LENGTH="9"),
        [(16, "0x80004005")],
    ),
    "no PKCS#7": ({}, by_get(NOT_DER), [NO_STRUCTURE]),
    "no transactionID": ({}, lambda b, d: without(b, d, transaction_id=None), [NO_STRUCTURE]),
    "no messageType": ({}, lambda b, d: without(b, d, kind=None), [NO_STRUCTURE]),
    "no certificate of the signer": ({}, lambda b, d: without(b, d, include=()), [NO_STRUCTURE]),
    "another recipient": ({}, wrong_recipient, [(18, "0x80090005")]),
    "content that is none": ({}, broken_content, [(18, "0x80090005")]),
    "an unknown password": ({}, asks("wrong"), [(29, "0x80070490")]),
    "no password": ({}, asks(None), [(29, "0x80096004")]),
    "a used password": ({}, asks_twice, [(29, "0x80070490")]),
    "an expired password": ({}, asks_late, [(29, "0x80070490")]),
    "a wrong single password": ({"UseSinglePassword": True}, asks("wrong"), [(29, "0x80070490")]),
    "a key below what the server takes": (
        {"min_rsa_bits": 3072, "templates": {DEFAULT_TEMPLATE: {}}},
        asks("wrong"),
        [(31, "0x80094811")],
    ),
    "a denied request": ({"templates": {DEFAULT_TEMPLATE: {"approval": "all"}}}, denied, [(31, "0x80094014")]),
    "GetCRL": ({}, lookup, []),
}


@pytest.mark.parametrize(("given", "act", "found"), HAPPENED.values(), ids=HAPPENED)
def test_what_happens_has_its_event(
    served_with: ServedWith, device: Device, given: dict[str, Any], act: Act, found: Found
) -> None:
    bench = served_with(**NDES | given)
    act(bench, device)
    assert ids(bench) == found


@pytest.mark.parametrize(("given", "asked", "name"), REFUSALS.values(), ids=REFUSALS)
def test_what_a_template_refuses_is_event_31(
    served_with: ServedWith, device: Device, given: dict[str, Any], asked: dict[str, Any], name: str
) -> None:
    bench = served_with(**NDES, **given)
    request = bench.request(device, bench.passwords()[0], **asked)
    bench.answer(request)
    (event,) = events(bench)
    assert (event["id"], HRESULTS[int(number_of(event), 16)].name) == (31, name)
    assert event["symbol"] == "EVENT_MSCEP_FAIL_SUBMIT"
    assert (event["transaction_id"], event["client"]) == (request.transaction_id, "192.0.2.7")


FAULTS: dict[str, tuple[Act, Found]] = {
    "ca-unreachable": (lambda bench, device: bench.enroll(device), [(31, "0x800706BA")]),
    "template-not-published": (lambda bench, device: bench.enroll(device), [(31, "0x80094800")]),
    "password-expired": (lambda bench, device: bench.enroll(device), [(29, "0x80070490")]),
    "ra-expired": (
        lambda bench, _device: bench.http(query="operation=GetCACaps"),
        [(10, "0x80070002"), (2, "0x80070002")],
    ),
    "http-500": (
        lambda bench, _device: [bench.http(query=f"operation={name}") for name in ("GetCACaps", "GetCACert")],
        [(7, "0x80004005")],
    ),
    "http-503": (lambda bench, _device: bench.http(query="operation=GetCACert"), []),
    "policy-module": (lambda bench, _device: bench.http(path="/certsrv/mscep_admin/"), []),
    "pending-forever": (lambda bench, device: bench.enroll(device), []),
}


@pytest.mark.parametrize(("name", "act", "found"), [(name, *row) for name, row in FAULTS.items()], ids=FAULTS)
def test_a_fault_has_the_event_of_what_it_plays(
    served_with: ServedWith, device: Device, name: str, act: Act, found: Found
) -> None:
    bench = served_with(**NDES)
    fault_file(bench.state, bench.clock).set(Wanted(name))
    act(bench, device)
    assert ids(bench) == found
    assert all(f"(fault {name})" in event["message"] for event in events(bench))


def test_an_unreachable_ca_does_not_answer_polls(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, approval="all", templates={DEFAULT_TEMPLATE: {"approval": "all"}})
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    fault_file(bench.state, bench.clock).set(Wanted("ca-unreachable"))
    bench.answer(bench.poll(request.signer, request.transaction_id))
    assert ids(bench) == [(8, "0x800706BA")]


@pytest.mark.parametrize(
    ("given", "number"), [({"admin_users": ["CORP\\bob"]}, "0x80094012"), ({"published": False}, "0x80094800")]
)
def test_who_may_not_enroll(served_with: ServedWith, given: dict[str, Any], number: str) -> None:
    login = "Basic " + base64.b64encode(b"CORP\\alice:Pw1").decode()
    settings = {**NDES, "admin_page": True, "users_file": "users", "admin_auth": ["basic"]}
    (served_with().state / "users").write_text("CORP:alice:Pw1\n")
    bench = served_with(**settings, templates={DEFAULT_TEMPLATE: given})
    for authorization in ("", login):
        bench.http(path="/certsrv/mscep_admin/", HTTP_AUTHORIZATION=authorization)
    assert ids(bench) == [(6, number)]
    assert "CORP\\alice" in events(bench)[0]["message"]


def test_a_lasting_password_that_cannot_be_decrypted(served_with: ServedWith, device: Device) -> None:
    challenges.reusable(served_with(**NDES, UseSinglePassword=True).server)
    (served_with().state / "pki" / "otp.key").write_text("00" * 32)
    bench = served_with(**NDES, UseSinglePassword=True)
    bench.answer(bench.request(device, "x"))
    assert ids(bench) == [(49, "0x8009000B")]


def test_the_shape_of_an_event(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, published=False)
    for given in (bench, served_with(**NDES, published=False, event_31_swapped=False)):
        given.enroll(device)
    (swapped, straight) = events(bench)
    assert (swapped["provider"], swapped["id"], swapped["level"]) == (PROVIDER, 31, "Error")
    text, number = swapped["data"]["ErrorCode"], swapped["data"]["ErrorMessage"]
    assert number == "0x80094800" and text.startswith("CERTSRV_E_UNSUPPORTED_CERT_TYPE: ")
    assert straight["data"] == {"ErrorCode": number, "ErrorMessage": text}
    bench.answer(bench.request(device, "wrong"))
    assert events(bench)[-1]["data"]["ErrorCode"] == "0x80070490", "it is so in event 31 alone"


def test_each_event_that_there_is_is_tested() -> None:
    """1, 3, and 2 of a server that cannot start, are those of processes: see the integration tests."""
    found = [number for *_others, row in (*HAPPENED.values(), *FAULTS.values()) for number, _hresult in row]
    assert {*found, 6, 8, 49, 1, 3} == set(Event) == set(TABLE)


def test_a_device_cannot_forge_a_line(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, mscep_log=True)
    bench.post(
        message(
            device.csr("x"),
            device.identity,
            bench.pki.encryption.certificate,
            transaction_id='1\n{"id": 1}\x85',
            kind=MessageType.GET_CRL,
            nonce=NONCE,
        ).message
    )
    bench.answer(bench.request(Device(device.key, "CN=a\n2026 forged\u2028\u202e"), "x"))
    assert [event["id"] for event in events(bench)] == [17, 29]
    lines = (bench.state / FOLDER / FILES["mscep"]).read_text("utf-8").splitlines()
    assert all(" 192.0.2.7 " in line and line.isprintable() for line in lines)
    assert len([line for line in lines if "CN=a?2026 forged??" in line]) == 1


def test_no_password_is_written(served_with: ServedWith, device: Device) -> None:
    """Whatever becomes of a request, in whichever log."""
    settings: dict[str, Any] = {**NDES, "admin_page": True, "users_file": "users", "admin_auth": ["basic"]}
    (served_with().state / "users").write_text("CORP:alice:log-in-Pw\n")
    secrets = ["log-in-Pw"]
    for given in ({}, {"published": False}, {"approval": "all"}, {"UseSinglePassword": True}):
        bench = served_with(**settings | given, mscep_log=True, event_log=True)
        single = "UseSinglePassword" in given
        password = challenges.reusable(bench.server) if single else bench.passwords()[0]
        login = base64.b64encode(b"CORP\\alice:log-in-Pw").decode()
        page = bench.http(path="/certsrv/mscep_admin/", HTTP_AUTHORIZATION=f"Basic {login}").body.decode("utf-16-le")
        assert ("The enrollment challenge password is" in page) == ("published" not in given)
        secrets += [login, password, *(word for word in page.split() if len(word) == 16 and word.isupper())]
        for asking, offered in ((device, password), (Device(new_key(), "CN=another"), password), (device, "a-guess")):
            bench.answer(bench.request(asking, offered))
        query = base64.b64encode(bench.request(device, password).message).decode()
        bench.http(query=f"operation=PKIOperation&message={query[:-4]}", path="/certsrv/mscep/mscep.dll")
    written = "".join((bench.state / FOLDER / file).read_text("utf-8") for file in FILES.values())
    assert "refused" in written and "issued" in written and "pending" in written
    assert not [secret for secret in (*secrets, "a-guess", query[:64]) if secret in written]


def test_subjects_are_told_whole(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, mscep_log=True)
    bench.enroll(device)
    text = (bench.state / FOLDER / FILES["mscep"]).read_text("utf-8")
    assert f"asks for {x509.Name.from_rfc4514_string(device.name).rfc4514_string()}" in text
