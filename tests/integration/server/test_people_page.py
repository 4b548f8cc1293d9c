# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people over real connections: log-ins, several processes, and devices that ask meanwhile."""

from __future__ import annotations

import datetime as dt
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from cryptography import x509
from requests_ntlm import HttpNtlmAuth
from scep_device import Bench, Device, Response, new_key

from scep_server.certificate import serial_text
from scep_server.people.page import MAX_FORM
from scep_server.people.render import HEADERS
from scep_server.server import utc_now
from support.html_page import HtmlPage

USER, PASSWORD = "CORP\\alice", "Pass word1"
LOGINS = {"basic": requests.auth.HTTPBasicAuth, "ntlm": HttpNtlmAuth}
DEVICE = Device(new_key(), since=utc_now() - dt.timedelta(days=1))


class Served(Bench):
    """Devices that speak to the running server; what they need besides is done on its state folder."""

    def __init__(self, running: Any) -> None:
        super().__init__(running.state, utc_now)  # type: ignore[arg-type]
        self.running = running
        self.address = running.url.removesuffix("/scep")

    def http(
        self, method: str = "GET", query: str = "", body: bytes = b"", path: str = "/", **_environ: Any
    ) -> Response:
        """One request, over the network."""
        with requests.Session() as session:
            session.trust_env = False
            found = session.request(method, f"{self.address}{path}?{query}", data=body, timeout=60)
        return Response(found.status_code, dict(found.headers), found.content)


@pytest.fixture
def served(make_state: Callable[..., Path], serve: Callable[..., Any], tmp_path: Path) -> Iterator[Served]:
    """A server with two processes of four threads, where enrolments wait."""
    state = make_state(
        admin_page=True, admin_auth=["ntlm", "basic"], users_file="users", approval="enrolment", workers=2, threads=4
    )
    (state / "users").write_text(f"CORP:alice:{PASSWORD}\n")
    with closing(Served(serve(state))) as served:
        yield served


@pytest.fixture(params=LOGINS)
def person(request: pytest.FixtureRequest, session: requests.Session) -> requests.Session:
    """Somebody who logs in."""
    session.auth = LOGINS[request.param](USER, PASSWORD)
    return session


def look(person: requests.Session, served: Served, query: str = "") -> HtmlPage:
    response = person.get(f"{served.address}/?{query}", timeout=60)
    assert response.status_code == 200, response.text
    assert {name: response.headers.get(name) for name, _value in HEADERS} == dict(HEADERS)
    return HtmlPage(response.content)


def send(person: requests.Session, served: Served, verb: str, target: object, **fields: str) -> requests.Response:
    """The form of the page, without following where it leads."""
    form = look(person, served).form(f"/people/{verb}", str(target))
    fields = form.fields | fields
    return person.post(served.address + form.action, data=fields, allow_redirects=False, timeout=60)


def test_a_device_gets_what_was_approved(served: Served, person: requests.Session, command: Callable[..., Any]) -> None:
    signer = DEVICE.identity
    asked = [served.request(DEVICE, word, signer=signer) for word in served.passwords(2)]
    assert [served.answer(request).status for request in asked] == [PkiStatus.PENDING] * 2
    response = send(person, served, "approve", 1)
    assert (response.status_code, response.headers["Location"]) == (303, "/?request=1")
    (certificate,) = served.answer(served.poll(signer, asked[0].transaction_id)).certificates
    serial = serial_text(certificate.serial_number)
    assert serial in look(person, served, "request=1").text

    assert send(person, served, "deny", 2, reason="not ours").status_code == 303
    reply = served.refusal(served.poll(signer, asked[1].transaction_id))
    assert reply.fail_info_text == "The request was denied: not ours."

    assert send(person, served, "revoke", serial, reason="keyCompromise").status_code == 303
    (revoked,) = x509.load_der_x509_crl(served.http(path="/crl").body)
    assert revoked.serial_number == certificate.serial_number
    decided = [row for row in command(served.state, "audit")[1]["records"] if USER in row["reason"]]
    assert [(row["outcome"], row["client"]) for row in decided] == [
        ("approved", "127.0.0.1"),
        ("denied", "127.0.0.1"),
        ("revoked", "127.0.0.1"),
    ]
    assert f"127.0.0.1: revoke by {USER}: {serial}" in served.running.text()


def test_one_of_many_decides(served: Served) -> None:
    """All have the page before anybody clicks, and whichever process they meet, each is told what became of it."""
    signer = DEVICE.identity
    served.answer(served.request(DEVICE, served.passwords()[0], signer=signer))
    with requests.Session() as first:
        first.trust_env = False
        first.auth = LOGINS["basic"](USER, PASSWORD)
        page = look(first, served)
    forms = [page.form(f"/people/{verb}", "1") for verb in ("approve", "deny")]

    def click(number: int) -> int:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = LOGINS["ntlm" if number % 4 < 2 else "basic"](USER, PASSWORD)
            form = forms[number % 2]
            url = served.address + form.action
            response = session.post(url, data=form.fields, allow_redirects=False, timeout=120)
            assert (
                response.status_code == 303 or "decided meanwhile" in response.text or "does not wait" in response.text
            )
            return response.status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(click, range(16))) == {303: 1, 409: 15}


def test_forms_that_are_too_large_or_break_off(served: Served, person: requests.Session) -> None:
    url = served.address + "/people/approve"
    assert person.post(url, data={"token": "x" * MAX_FORM}, timeout=60).status_code == 413
    assert person.post(url, data={"token": "x" * (MAX_FORM - 6)}, timeout=60).status_code == 403
    head = (
        b"POST /people/approve HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\n\r\ntoken=x"
    )
    with socket.create_connection(("127.0.0.1", served.running.port), timeout=60) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Content-Security-Policy: default-src 'none'" in answer


def test_a_wrong_password(served: Served, person: requests.Session) -> None:
    assert isinstance(person.auth, (requests.auth.HTTPBasicAuth, HttpNtlmAuth))
    person.auth.password = "wrong"
    response = person.get(served.address + "/", timeout=60)
    assert (response.status_code, response.text) == (401, "Log in to see this page.\n")
    assert {name: response.headers.get(name) for name, _value in HEADERS} == dict(HEADERS)
