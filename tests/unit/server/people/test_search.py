# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding certificates: by text, serial number and state, page by page."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from people_visitor import Visit, Visitor
from stored import key, record, row

from scep_server.people.views import CERTIFICATES, Search
from scep_server.store import Store, epoch

SUBJECTS = ("CN=one,O=50% off", "CN=two_2,O=500 off", "CN=Three/3,O=x", "CN=four\\,4", "CN=FÜNF")

# What is typed -> the serial numbers that are found; those are 0xa1 to 0xa5
FOUND = {
    "": [5, 4, 3, 2, 1],
    "one": [1],
    "ONE": [1],
    "50%": [1],
    "%": [1],
    "_": [2],
    "o_f": [],
    "/": [3],
    "\\": [4],
    "'": [],
    "' OR 1=1 --": [],
    "a1": [1],
    "A2": [2],
    "00:00:A3": [3],
    "00 00 a3": [3],
    " a4 ": [4],
    f"{0xA5:032x}": [5],
    "0a": [5, 4, 3, 2, 1],
    "\x00": [],
    "nothing": [],
}


def stored(visitor: Visitor) -> Store:
    return visitor.bench.server.store


@pytest.fixture
def five(visit: Visit) -> Visitor:
    """Somebody at a server with five certificates; the fourth is expired, the fifth revoked."""
    visitor = visit()
    now = epoch(visitor.bench.clock())
    for number, subject in enumerate(SUBJECTS, 1):
        made = row(0xA0 + number, key(number), subject=subject, issued=now - 100 + number, not_after=now + 1000)
        assert stored(visitor).answers.issue(made | ({"not_after": now} if number == 4 else {}), None, record())
    assert stored(visitor).certificates.revoke(f"{0xA5:032x}", "", record("revoked", now))
    return visitor


def listed(visitor: Visitor, query: str = "") -> list[int]:
    """Which of the five are there to see."""
    page = visitor.page(query)
    return [
        number
        for text in page.texts["code"]
        if len(text) == 32
        for number in range(1, 1000)
        if int(text, 16) == 0xA0 + number
    ]


@pytest.mark.parametrize("text", FOUND, ids=ascii)
def test_text(five: Visitor, text: str) -> None:
    assert listed(five, urlencode({"text": text})) == FOUND[text]


@pytest.mark.parametrize(
    ("which", "numbers"),
    [("", [5, 4, 3, 2, 1]), ("valid", [3, 2, 1]), ("expired", [4]), ("revoked", [5]), ("x' OR 1=1", [5, 4, 3, 2, 1])],
)
def test_state(five: Visitor, which: str, numbers: list[int]) -> None:
    assert listed(five, urlencode({"state": which})) == numbers
    assert listed(five, urlencode({"state": which, "text": "=one"})) == [one for one in numbers if one == 1]


def test_what_was_typed_stays(five: Visitor) -> None:
    page = five.page(urlencode({"text": 'a"<b>\u202e', "state": "expired"}))
    fields = {given["id"]: given for _tag, given in page.elements if "id" in given}
    assert fields["search-text"]["value"] == 'a"<b>[U+202E]'
    assert [given["value"] for tag, given in page.elements if tag == "option" and "selected" in given] == ["expired"]
    assert "None that fits." in page.text


def test_page_by_page(visit: Visit) -> None:
    """Many were issued in the same second; each is seen once, also when others are issued meanwhile."""
    visitor = visit()
    now, count = epoch(visitor.bench.clock()), 2 * CERTIFICATES + 3
    for number in range(1, count + 1):
        made = row(0xA0 + number, key(number), subject=f"CN={number % 2}", issued=now - number % 3, not_after=now + 1)
        assert stored(visitor).answers.issue(made, None, record())
    seen: list[int] = []
    query = ""
    while True:
        page = visitor.page(query)
        seen += listed(visitor, query)
        more = [given["href"] for _tag, given in page.elements if given.get("rel") == "next"]
        if not more:
            break
        query = more[0].partition("?")[2].partition("#")[0]
        made = row(5000 + len(seen), key(5000 + len(seen)), issued=now + 1, not_after=now + 9)
        assert stored(visitor).answers.issue(made, None, record())
    assert sorted(seen) == list(range(1, count + 1)) and len(seen) == count
    assert "All, from the newest on" in page.text


def test_a_page_of_what_was_searched(visit: Visit) -> None:
    visitor = visit()
    now = epoch(visitor.bench.clock())
    for number in range(1, 2 * CERTIFICATES + 3):
        made = row(0xA0 + number, key(number), subject=f"CN={number % 2}&x", issued=now - number, not_after=now + 1)
        assert stored(visitor).answers.issue(made, None, record())
    page = visitor.page("text=1%26x&state=valid")
    (more,) = [given["href"] for _tag, given in page.elements if given.get("rel") == "next"]
    assert listed(visitor, more.partition("?")[2].partition("#")[0]) == [2 * CERTIFICATES + 1]


@pytest.mark.parametrize(
    "given",
    [
        {"issued": "x", "serial": "a1"},
        {"issued": "1" * 30, "serial": "a1"},
        {"issued": "1", "serial": "'"},
        {"issued": "1"},
        {"issued": "-1", "serial": "a1"},
        {"issued": "\u0661", "serial": "a1"},
    ],
    ids=ascii,
)
def test_a_place_in_the_list_that_is_none(given: dict[str, str]) -> None:
    assert Search.read(given) == Search()
