# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of devices on the page: what cannot be seen is named, and nothing of it is markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from people_visitor import ALICE, Visit
from scep_device import Device, new_key

from scep_server.people import log as log_module
from scep_server.people import render, views
from scep_server.people.text import visible
from scep_server.people.tokens import Tokens
from support.html_page import HtmlPage

SEEN = {
    "": "",
    "CN=device.example,O=Exämple": "CN=device.example,O=Exämple",
    "עברית العربية 漢字 🙂": "עברית العربية 漢字 🙂",
    "<b>&amp;\"'": "<b>&amp;\"'",
    "a\u202eb\u2066c\u2069": "a[U+202E]b[U+2066]c[U+2069]",
    "a\x00\x1b[31m\x7f\x85": "a[U+0000][U+001B][31m[U+007F][U+0085]",
    "zero\u200bwidth\u200d\ufeff": "zero[U+200B]width[U+200D][U+FEFF]",
    "\u00a0\u2003\t": "[U+00A0][U+2003][U+0009]",
    "\u2028\u2029\n": "[U+2028][U+2029][U+000A]",
    "\udcff\U000e0041": "[U+DCFF][U+E0041]",
}


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_what_cannot_be_seen_is_named(text: str) -> None:
    assert visible(text) == SEEN[text]


HOSTILE = {
    "markup": "<script>document.title='x'</script><img src=x onerror=alert(1)>",
    "an end": "</bdi></td></table></body></style><form action=//evil>",
    "quotes": "\"' onfocus=alert(1) autofocus x='",
    "a template": "{{ 7 * 7 }}{% raw %}",
    "references": "&lt;b&gt;&#x202e;",
    "right to left": "\u202egnp.exe\u2066 עברית",
    "controls": "\x01\x1b[2J\r\n\x9b",
    "nothing to see": "\u200b\u200b",
    "long": "x" * 5000,
}
MARK = "a marked device"
KEYS = [new_key() for _number in range(len(HOSTILE))]


def swapped(value: Any, text: str) -> Any:
    """The same data with another text in place of MARK, wherever that is."""
    if isinstance(value, str):
        return value.replace(MARK, text)
    if isinstance(value, dict):
        return {name: swapped(item, text) for name, item in value.items()}
    if isinstance(value, list):
        return [swapped(item, text) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **swapped(vars(value), text))
    return value


@pytest.fixture
def shown(visit: Visit, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """All that the page can show, with a text in place of each that is a device's or a user's."""
    visitor = visit()
    names = x509.SubjectAlternativeName([x509.DNSName(MARK)])
    for key in KEYS[:2]:
        visitor.wait(Device(key, f"CN={MARK}"))
    visitor.click("approve", 1)
    visitor.click("deny", 2, reason=MARK)
    bench = visitor.bench
    bench.answer(bench.request(Device(KEYS[2], f"CN={MARK}"), bench.passwords()[0], extensions=[(names, False)]))
    file = tmp_path / "log"
    file.write_text(f"INFO {MARK}\n")

    def shown(text: str, query: str = "request=2") -> dict[str, Any]:
        tokens = Tokens(b"key", ALICE, 0)
        given = {"text": MARK, **dict([query.split("=")])}
        values = views.everything(bench.server, f"{ALICE} {MARK}", given, tokens, file)
        return dict(swapped(values, text))

    return shown


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_page_has_the_same_elements_whatever_devices_say(shown: Callable[..., dict[str, Any]], text: str) -> None:
    tame, wild = (HtmlPage(render.html("page.html", **shown(word)).body) for word in ("tame", text))
    assert [tag for tag, _given in wild.elements] == [tag for tag, _given in tame.elements]
    assert [set(given) for _tag, given in wild.elements] == [set(given) for _tag, given in tame.elements]
    assert "alert" not in " ".join(given.get("action", "") for _tag, given in wild.elements)
    said = " ".join(visible(text).split())
    # the user; of a request the subject and a name; of a certificate the subject; what was done, and why; the log
    assert wild.text.count(said) == tame.text.count("tame") == 7
    ((_tag, field),) = [one for one in wild.elements if one[1].get("id") == "search-text"]
    assert field["value"] == visible(text)
    body = render.html("page.html", **shown(text)).body.decode("utf-8")
    assert body.replace("\n", "").isprintable()


def test_subjects_come_through_as_they_are(visit: Visit) -> None:
    """From a device's request over the database to the page, and through a decision."""
    visitor = visit()
    for number, (key, text) in enumerate(zip(KEYS, HOSTILE.values(), strict=True), 1):
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, text[:200])])
        visitor.wait(Device(key, name.rfc4514_string()))
        subject = visitor.bench.server.store.answers.requests()[-1]["subject"]
        said = " ".join(visible(subject).split())
        assert said in visitor.page().text
        assert visitor.click("approve", number).status == 303
        assert said in visitor.page(f"request={number}").text


def test_what_a_template_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render.html("message.html", title="x")


def test_the_policy_names_the_style(visit: Visit) -> None:
    page = visit().page()
    (style,) = page.texts["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in dict(render.HEADERS)["Content-Security-Policy"]
    assert not [given for _tag, given in page.elements if {"style", "onclick", "src"} & set(given)]
    assert not {"script", "img", "iframe", "link", "base", "object"} & {tag for tag, _given in page.elements}


LINES = {
    "nothing": (b"", []),
    "one line": (b"a\n", ["a"]),
    "without an end": (b"a\nb", ["b", "a"]),
    "no UTF-8": (b"\xff\n", ["\ufffd"]),
    "other line ends": ("a\u2028b\x85c\n".encode(), ["a\u2028b\x85c"]),
    "blank lines": (b"\n\na\n\n", ["a"]),
    "a long line": (b"x" * 1000 + b"\n", ["x" * log_module.LENGTH]),
    "many lines": (b"%d\n" * 500 % tuple(range(500)), [str(499 - back) for back in range(log_module.LINES)]),
    "more than is read": (b"x" * log_module.BYTES + b"\nlast\n", ["last"]),
    "one line too long": (b"x" * (log_module.BYTES + 1), []),
}


@pytest.mark.parametrize("what", LINES)
def test_the_end_of_the_log(tmp_path: Path, what: str) -> None:
    written, lines = LINES[what]
    file = tmp_path / "log"
    file.write_bytes(written)
    assert log_module.last_lines(file) == lines


def test_a_log_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (None, tmp_path / "none", tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert log_module.last_lines(file) is None


def test_the_page_says_where_the_log_is(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert "The log goes to no file that the server knows" in visit().page().text
