# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page at its addresses: who sees it, what is SCEP all the same, and which headers everything has."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from people_visitor import ALICE, BOB, Visit, Visitor
from scep_device import Device

from scep_server import challenges
from scep_server.app import BODY_COMPLETE
from scep_server.errors import StoreBusy
from scep_server.faults.table import wanted
from scep_server.people import views
from scep_server.people.addresses import FORM
from scep_server.people.page import MAX_FORM
from scep_server.people.render import HEADERS
from scep_server.store.database import Database

APPROVE = "/people/approve"
BINARY = "application/x-pki-message"

# Method, path, query, Content-Type -> (status, whether the page answered), for somebody who is logged in
ROUTES: dict[tuple[str, str, str, str], tuple[int, bool]] = {
    ("GET", "/", "", ""): (200, True),
    ("HEAD", "/", "", ""): (200, True),
    ("GET", "/", "text=x&state=valid", ""): (200, True),
    ("GET", "/", "operation=", ""): (200, True),
    ("GET", "/", "&".join(["a=b"] * 11), ""): (400, True),
    ("GET", "/", "operation=GetCACaps", ""): (200, False),
    ("GET", "/", "text=x&OPERATION=GetCACaps", ""): (200, False),
    ("GET", "/", "operation=PKIOperation", ""): (400, False),
    ("GET", "/", "operation=GetPage", ""): (400, False),
    ("HEAD", "/", "operation=GetCACert", ""): (200, False),
    ("POST", "/", "operation=PKIOperation", BINARY): (400, False),
    ("POST", "/", "", BINARY): (400, False),
    ("POST", "/", "", FORM): (400, False),
    ("PUT", "/", "", FORM): (400, False),
    ("OPTIONS", "/", "", ""): (400, False),
    ("GET", "", "", ""): (400, False),
    ("GET", "//", "", ""): (400, False),
    ("GET", "/scep", "", ""): (400, False),
    ("GET", "/people", "", ""): (400, False),
    ("GET", "/people/", "", ""): (400, False),
    ("GET", APPROVE, "", ""): (405, True),
    ("HEAD", APPROVE, "", ""): (405, True),
    ("PUT", APPROVE, "", FORM): (405, True),
    ("POST", APPROVE, "", FORM): (403, True),
    ("POST", APPROVE, "", FORM.upper() + " ; charset=utf-8"): (403, True),
    ("POST", "/people/deny", "", FORM): (403, True),
    ("POST", "/people/revoke", "", FORM): (403, True),
    ("POST", "/people/remove", "", FORM): (400, False),
    ("POST", APPROVE, "", BINARY): (400, False),
    ("POST", APPROVE, "", "multipart/form-data"): (400, False),
    ("POST", APPROVE, "", ""): (400, False),
    ("POST", APPROVE, "operation=PKIOperation", FORM): (400, False),
    ("GET", APPROVE, "operation=GetCACaps", ""): (200, False),
    ("GET", "/healthz", "", ""): (200, False),
}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_routes(visit: Visit, route: tuple[str, str, str, str]) -> None:
    method, path, query, kind = route
    visitor = visit()
    response = visitor.bench.http(
        method, query, b"x=y" if method == "POST" else b"", path, CONTENT_TYPE=kind, **visitor.login
    )
    assert (response.status, "Content-Security-Policy" in response.headers) == ROUTES[route]


@pytest.mark.parametrize("settings", [{"admin_page": False}, {"people_page": False}], ids=str)
def test_without_the_page_everything_is_as_it_was(visit: Visit, settings: dict[str, bool]) -> None:
    visitor = visit(**settings)
    for method, path, query, kind in ROUTES:
        response = visitor.bench.http(method, query, path=path, CONTENT_TYPE=kind, **visitor.login)
        assert "Content-Security-Policy" not in response.headers and response.status in (200, 400)


def test_a_device_that_posts_to_the_page_gets_its_answer(visit: Visit, device: Device) -> None:
    """With the Content-Type of a form, as curl sets it by itself, and without an operation."""
    bench = visit(approval="none").bench
    body = bench.request(device, bench.passwords()[0]).message
    response = bench.http("POST", "", body, "/", CONTENT_TYPE=FORM)
    assert (response.status, response.content_type) == (200, "application/x-pki-message")
    assert bench.lines() == [("issued", "")]


def test_whoever_does_not_log_in_sees_nothing(visit: Visit) -> None:
    visitor = visit(admin_auth=["negotiate", "ntlm", "basic"])
    for path in ("/", APPROVE):
        method = "POST" if path == APPROVE else "GET"
        response = visitor.bench.http(method, path=path, CONTENT_TYPE=FORM)
        assert (response.status, response.body) == (401, b"Log in to see this page.\n")


# (admin_users, people_users, settings of the templates) -> who gets the page
RIGHTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nobody is named": ({}, {ALICE, BOB}),
    "those who get passwords": ({"admin_users": [BOB]}, {BOB}),
    "those who are named for the page": ({"admin_users": [BOB], "people_users": ["corp\\ALICE"]}, {ALICE}),
    "others get passwords": ({"people_users": ["CORP\\carol"]}, set()),
    "the right on one template of two": (
        {
            "templates": {"A": {"admin_users": [ALICE]}, "B": {}},
            "signature_template": "A",
            "encryption_template": "B",
            "general_purpose_template": "B",
        },
        {ALICE},
    ),
    "a template that is not published": (
        {
            "templates": {"A": {}},
            "signature_template": "A",
            "encryption_template": "A",
            "general_purpose_template": "C",
        },
        {ALICE, BOB},
    ),
    "nothing is published": ({"published": False}, {ALICE, BOB}),
}


@pytest.mark.parametrize("what", RIGHTS)
def test_who_may_use_it(visit: Visit, what: str, caplog: pytest.LogCaptureFixture) -> None:
    settings, users = RIGHTS[what]
    bench = visit(**settings).bench
    for name in (ALICE, BOB):
        visitor = Visitor(bench, name)
        seen, sent = visitor.get(), visitor.post(APPROVE, {})
        assert seen.status == (200 if name in users else 403)
        assert sent.status == 403
        for response in (seen, sent):
            told = f"You are logged in as {name}, who may not use this page".encode()
            assert (told in response.body) == (name not in users)


def _expected(response: Any) -> bool:
    given = dict(HEADERS)
    return {name: response.headers.get(name) for name in given} == given


def test_every_answer_has_the_headers(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit()
    found = [
        visitor.get(),
        visitor.get(HTTP_AUTHORIZATION=""),
        visitor.get("&" * 3 + "a=b&" * 20),
        visitor.get(path=APPROVE),
        visitor.post(APPROVE, {}),
        visitor.post(APPROVE, {"token": "x" * MAX_FORM}),
        visitor.post(APPROVE, {}, CONTENT_LENGTH="5000"),
    ]

    def busy(*_arguments: Any) -> None:
        raise StoreBusy("The database does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(views, "passwords", busy)
        found.append(visitor.get())
    with monkeypatch.context() as patched:
        patched.setattr(views, "passwords", lambda *_arguments: 1 // 0)
        found.append(visitor.get())
    assert [response.status for response in found] == [200, 401, 400, 405, 403, 413, 400, 503, 500]
    assert all(_expected(response) for response in found)
    assert found[3].headers["Allow"] == "POST"
    policy = dict(part.split(" ", 1) for part in found[0].headers["Content-Security-Policy"].split("; "))
    assert policy.pop("style-src").startswith("'sha256-")
    assert policy == {
        "default-src": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert found[0].headers["Cache-Control"] == "no-store"
    assert b"ZeroDivisionError" not in found[-1].body


def test_a_database_that_does_not_answer(visit: Visit, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form is not taken for one that cannot be granted."""
    visitor = visit()
    visitor.wait(device)
    form = visitor.page().form(APPROVE, "1")

    def busy(*_arguments: Any) -> None:
        raise StoreBusy("The database does not answer.")

    monkeypatch.setattr(Database, "reading", busy)
    assert visitor.post(form.action, form.fields).status == 503


def test_passwords_are_not_on_the_page(visit: Visit) -> None:
    visitor = visit()
    words = visitor.bench.passwords(12)
    page = visitor.page()
    assert "12 of at most 1000 are outstanding; these 10 expire first." in page.text
    body = visitor.get().body.decode()
    otp_key = visitor.bench.server.pki.otp_key
    for word in words:
        assert word not in body and challenges.mac(otp_key, word).hex() not in body
    visitor.bench.clock.forward(minutes=60)
    assert "No one-time password is outstanding; at most 1000 may be." in visitor.page().text


def test_passwords_that_are_used_are_not_outstanding(visit: Visit, device: Device) -> None:
    visitor = visit()
    visitor.bench.passwords(1)
    visitor.wait(device)
    assert "1 of at most 1000 is outstanding." in visitor.page().text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"challenge": "single"}, "There is one password for all requests (setting challenge single)."),
        ({"challenge": "none", "allow_no_challenge": True}, "Requests need no password (setting challenge none)."),
    ],
    ids=str,
)
def test_other_modes_of_passwords(visit: Visit, settings: dict[str, Any], said: str) -> None:
    visitor = visit(**settings)
    assert said in visitor.page().text
    if settings["challenge"] == "single":
        assert challenges.reusable(visitor.bench.server) not in visitor.get().body.decode()


def test_faults_are_told_and_do_not_strike_the_page(visit: Visit, device: Device) -> None:
    visitor = visit()
    number = visitor.wait(device)
    faults = visitor.bench.server.fault_file
    assert faults is not None and "None is set." in visitor.page().text
    for fault in ({"name": "http-500"}, {"name": "cache-full", "count": 3, "duration": 60}):
        faults.set(wanted(fault))
    assert visitor.bench.http(query="operation=GetCACaps").status == 500
    text = visitor.page().text
    assert "The server fails on purpose: 2 faults set." in text
    assert "cache-full the administration page says that its cache is full 3 2026-06-01 12:01" in text
    assert "http-500 HTTP 500 any number it is cleared all that it can strike at" in text
    assert visitor.click("approve", number).status == 303


def test_the_client_is_not_waited_for_while_the_server_works(visit: Visit) -> None:
    """A form is read first: for it the client has a deadline."""
    visitor, done = visit(), []

    class Body(io.BytesIO):
        def read(self, *sizes: Any) -> bytes:
            done.append("read")
            return super().read(*sizes)

    complete = {BODY_COMPLETE: lambda: done.append("complete")}
    visitor.get(**complete)
    visitor.post(APPROVE, {}, **complete, **{"wsgi.input": Body(b"token=x"), "CONTENT_LENGTH": "7"})
    assert done == ["complete", "read", "complete"]


def test_the_command_line_loads_no_template_engine() -> None:
    """It takes longer to load than most commands take."""
    program = "import sys; sys.path[:0] = sys.argv[1:]; import scep_server.cli; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program, *sys.path], check=False).returncode == 0
