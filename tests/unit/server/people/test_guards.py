# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which forms are taken: tokens, and what a browser says of where a form was."""

from __future__ import annotations

import pytest
from people_visitor import ALICE, BOB, Visit, Visitor
from scep_device import Device

from scep_server.ndes.logs import FILES, FOLDER
from scep_server.people.origin import from_elsewhere
from scep_server.people.tokens import LIFETIME, Tokens

NOW = 1_780_000_000
KEY = b"k" * 32
MADE = Tokens(KEY, ALICE, NOW).make("approve", "5")

# Who asks, when, for what -> whether the token is good
TAKEN: dict[str, tuple[Tokens, str, str, str, bool]] = {
    "right": (Tokens(KEY, ALICE, NOW), MADE, "approve", "5", True),
    "in its last second": (Tokens(KEY, ALICE, NOW + LIFETIME - 1), MADE, "approve", "5", True),
    "name in another case": (Tokens(KEY, ALICE.upper(), NOW), MADE, "approve", "5", True),
    "expired": (Tokens(KEY, ALICE, NOW + LIFETIME), MADE, "approve", "5", False),
    "another user": (Tokens(KEY, BOB, NOW), MADE, "approve", "5", False),
    "another action": (Tokens(KEY, ALICE, NOW), MADE, "deny", "5", False),
    "another target": (Tokens(KEY, ALICE, NOW), MADE, "approve", "55", False),
    "another server": (Tokens(b"K" * 32, ALICE, NOW), MADE, "approve", "5", False),
    "absent": (Tokens(KEY, ALICE, NOW), "", "approve", "5", False),
    "a longer life": (Tokens(KEY, ALICE, NOW), f"{NOW + 9 * LIFETIME}-{MADE.partition('-')[2]}", "approve", "5", False),
    "no time": (Tokens(KEY, ALICE, NOW), "-" + MADE.partition("-")[2], "approve", "5", False),
    "time alone": (Tokens(KEY, ALICE, NOW), MADE.partition("-")[0], "approve", "5", False),
    "other digits": (Tokens(KEY, ALICE, NOW), "\u0661" + MADE[1:], "approve", "5", False),
    "endless digits": (Tokens(KEY, ALICE, NOW), "1" * 5000 + MADE, "approve", "5", False),
    "no ASCII": (Tokens(KEY, ALICE, NOW), MADE[:-1] + "\ufffd", "approve", "5", False),
    "a surrogate": (Tokens(KEY, ALICE, NOW), MADE[:-1] + "\udcff", "approve", "5", False),
}


@pytest.mark.parametrize("what", TAKEN)
def test_tokens(what: str) -> None:
    tokens, token, verb, target, good = TAKEN[what]
    assert tokens.good(token, verb, target) is good


def test_parts_do_not_run_together() -> None:
    """A user whose name ends as an action begins gets no token of another's."""
    token = Tokens(KEY, "a", NOW).make("bc", "d")
    assert not Tokens(KEY, "ab", NOW).good(token, "c", "d") and not Tokens(KEY, "a", NOW).good(token, "b", "cd")


ELSEWHERE: dict[str, tuple[dict[str, str], bool]] = {
    "no browser": ({}, False),
    "the page itself": ({"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://scep.example:8080"}, False),
    "the browser knows best, as a proxy may change the host": (
        {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://public.example"},
        False,
    ),
    "another site": ({"HTTP_SEC_FETCH_SITE": "cross-site"}, True),
    "another port of this host": ({"HTTP_SEC_FETCH_SITE": "same-site"}, True),
    "a bookmark that posts": ({"HTTP_SEC_FETCH_SITE": "none"}, True),
    "the origin alone": ({"HTTP_ORIGIN": "http://scep.example:8080"}, False),
    "behind a proxy that ends TLS": ({"HTTP_ORIGIN": "https://SCEP.example:8080"}, False),
    "the origin of another": ({"HTTP_ORIGIN": "http://evil.example"}, True),
    "another port": ({"HTTP_ORIGIN": "http://scep.example:8081"}, True),
    "an origin that is kept secret": ({"HTTP_ORIGIN": "null"}, True),
    "an origin that is none": ({"HTTP_ORIGIN": "http://[scep.example:8080"}, True),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_where_a_form_was(what: str) -> None:
    sent, elsewhere = ELSEWHERE[what]
    assert from_elsewhere({"HTTP_HOST": "scep.example:8080", **sent}) is elsewhere


@pytest.fixture
def one(visit: Visit, device: Device) -> Visitor:
    """Somebody at a server where request 1 waits."""
    visitor = visit()
    assert visitor.wait(device) == 1
    return visitor


def still_waits(visitor: Visitor) -> bool:
    return visitor.bench.server.store.answers.pending() == 1 and "approved" not in {
        outcome for outcome, _reason in visitor.bench.lines()
    }


@pytest.mark.parametrize(
    "fields",
    [{"token": ""}, {"token": "x"}, {"target": "2"}, {"target": ""}],
    ids=["no token", "made up", "another target", "no target"],
)
def test_a_form_that_is_not_the_page_s_changes_nothing(one: Visitor, fields: dict[str, str]) -> None:
    form = one.page().form("/people/approve", "1")
    response = one.post(form.action, form.fields | fields)
    assert response.status == 403 and b"Open the page anew" in response.body
    assert still_waits(one)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_a_form_on_another_site_changes_nothing_even_with_a_token(one: Visitor, site: str) -> None:
    form = one.page().form("/people/approve", "1")
    assert one.post(form.action, form.fields, HTTP_SEC_FETCH_SITE=site).status == 403
    assert still_waits(one)


def test_a_token_is_for_who_got_the_page(one: Visitor) -> None:
    form = one.page().form("/people/approve", "1")
    assert Visitor(one.bench, BOB).post(form.action, form.fields).status == 403
    assert still_waits(one)
    assert one.post("/people/deny", form.fields).status == 403
    one.bench.clock.forward(minutes=60)
    assert one.post(form.action, form.fields).status == 403
    assert still_waits(one)
    assert one.click("approve", 1).status == 303


def test_who_does_not_log_in_changes_nothing(one: Visitor) -> None:
    form = one.page().form("/people/approve", "1")
    for login in ({"HTTP_AUTHORIZATION": ""}, {"HTTP_AUTHORIZATION": "Basic eDp5"}):
        response = one.post(form.action, form.fields, **login)
        assert (response.status, response.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
    assert still_waits(one)


def test_the_log_has_who_was_turned_away(one: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    one.post("/people/approve", {"target": "1"})
    assert "192.0.2.7: a form of CORP\\alice was not taken: approve" in caplog.text


def test_no_form_of_the_page_is_no_event(visit: Visit) -> None:
    """Events are about devices."""
    visitor = visit(event_log=True)
    assert visitor.get("&".join(f"field{number}=" for number in range(50))).status == 400
    cut_off = visitor.post("/people/approve", {}, CONTENT_LENGTH="5000")
    assert (cut_off.status, cut_off.headers["Connection"]) == (400, "close")
    assert b'<p role="alert"><bdi>The body ended too early.</bdi>' in cut_off.body
    assert not (visitor.bench.state / FOLDER).exists()
    assert visitor.get("operation=x").status == 400
    assert (visitor.bench.state / FOLDER / FILES["events"]).exists()
