# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page of HTML as a reader without scripts sees it: its text, its elements, its forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "input", "meta"}
_APART = {"br", "td", "th", "li", "option"}


@dataclass
class Form:
    """Where it is sent, and its fields with the values that they have at first."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class HtmlPage(HTMLParser):
    """Raises AssertionError for a page whose elements are not nested."""

    def __init__(self, body: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(body.decode("utf-8"))
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        if tag in _APART:
            self.handle_data(" ")
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag not in _VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif "name" in given and self.forms:
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """See HTMLParser."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """See HTMLParser."""
        for tag in set(self._open):
            self.texts[tag][-1] += data

    @property
    def text(self) -> str:
        """All that is shown, blanks as one."""
        return " ".join(self.texts["body"][0].split())

    def form(self, action: str, target: str = "") -> Form:
        """The one form that is sent there, for this target."""
        (found,) = (form for form in self.forms if form.action == action and target in ("", form.fields.get("target")))
        return found
