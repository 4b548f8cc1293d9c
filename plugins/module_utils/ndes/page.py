# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The administration page of NDES, read whatever its language and encoding. Nothing is sent here.

NDES claims UTF-8 and sends UTF-16LE, mostly without a byte order mark, with a NUL at the end. Its sentences come from
resources of the Windows language, so what is known of the page is its shape: bold text in four groups of eight
hexadecimal digits is the thumbprint of the CA certificate, other bold hexadecimal digits are the challenge password,
and the first number after the password is its lifetime in minutes.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

MAX_PAGE = 65536
"""Octets of a page that are read; that of NDES has two thousand."""
MAX_TEXT = 300
"""Characters of a page's readable text that are quoted."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_MOSTLY = 0.9

_MARK = re.compile(r"(<!--|-->|<[^<>]*>)")
_NAME = re.compile(r"</?([a-z]+)", re.IGNORECASE)
_COMMENT = ("<!--", "-->")
_BOLD = ("b", "strong")
_INVISIBLE = ("script", "style", "title")
_GROUPED = re.compile(r"[0-9A-F]{8}(?: [0-9A-F]{8}){3,7}", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9A-F]{2})+", re.IGNORECASE)
_SENTENCE = re.compile(r"challenge password\b[^:]{0,20}:\s*(\S+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Hexadecimal digits of a thumbprint -> its digest: MD5 on NDES; products that imitate it have the others, too."""


class PageKind(Enum):
    """What the page says. OTHER: nothing that is known here."""

    PASSWORD = "password"
    NOT_REQUIRED = "password not required"
    CACHE_FULL = "cache full"
    NO_PERMISSION = "no permission"
    OTHER = "other"


# Sentences that tell pages without a password apart, as NDES has them in English, in lower case.
_ENGLISH = {
    "password cache is full": PageKind.CACHE_FULL,
    "sufficient permission": PageKind.NO_PERMISSION,
}
_MANY_TIMES = "multiple times"


@dataclass(frozen=True)
class AdminPage:
    """What was read.

    `thumbprint` is that of the CA certificate, hexadecimal in upper case without blanks: MD5 on NDES.
    `lifetime_minutes` is None where the page names none. `reusable`: the password is good for many requests.
    `text` is what a person would read, on one line and shortened.
    """

    kind: PageKind
    text: str
    password: str | None = None
    thumbprint: str | None = None
    lifetime_minutes: int | None = None
    reusable: bool = False


def decode_page(body: bytes) -> str:
    """The text of a page, without NULs. A byte that is no character of the encoding becomes a replacement."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return _without_nul(body[len(mark) :].decode(encoding, "replace"))
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = body[first::2]
        if half and half.count(0) >= _MOSTLY * len(half):
            return _without_nul(body.decode(encoding, "replace"))
    try:
        return _without_nul(body.decode("utf-8"))
    except UnicodeDecodeError:
        return _without_nul(body.decode("cp1252", "replace"))


def _without_nul(text: str) -> str:
    return text.replace("\0", "")


def read_page(body: bytes) -> AdminPage:
    """Read the answer to a GET of the administration page (HTTP status 200). Never raises."""
    runs = list(_runs(decode_page(body[:MAX_PAGE])))
    text = _words(runs)
    thumbprint, password, rest = _secrets(runs)
    if password is None and (found := _SENTENCE.search(text)):
        password, rest = found[1], text[found.end() :]
    shown = text if password is None else text.replace(password, "…")
    shown = shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}…"
    if password is not None:
        lifetime = _NUMBER.search(rest)
        reusable = lifetime is None or _MANY_TIMES in rest.lower()
        minutes = None if reusable or lifetime is None else int(lifetime[0][:9])
        return AdminPage(PageKind.PASSWORD, shown, password, thumbprint, minutes, reusable)
    lower = text.lower()
    kind = next((kind for words, kind in _ENGLISH.items() if words in lower), None)
    if kind is None:
        kind = PageKind.OTHER if thumbprint is None else PageKind.NOT_REQUIRED
    return AdminPage(kind, shown, thumbprint=thumbprint)


def _secrets(runs: Sequence[_Run]) -> tuple[str | None, str | None, str]:
    """Thumbprint and password of the bold parts, and the readable text after the password."""
    thumbprint = password = None
    rest = ""
    bold = [(index, " ".join(run.text.split())) for index, run in enumerate(runs) if run.bold]
    grouped = any(_GROUPED.fullmatch(words) for _index, words in bold)
    for index, words in bold:
        if _GROUPED.fullmatch(words):
            thumbprint = thumbprint or words.replace(" ", "").upper()
        elif not _HEX.fullmatch(words):
            continue
        elif not grouped and thumbprint is None and len(words) in DIGESTS and len(bold) > 1:
            thumbprint = words.upper()
        elif password is None:
            password, rest = words, _words(runs[index + 1 :])
    return thumbprint, password, rest


@dataclass(frozen=True)
class _Run:
    """Text between two tags, as a person reads it."""

    text: str
    bold: bool


def _runs(markup: str) -> Iterator[_Run]:
    """The visible text. The page is no proper HTML; whatever it is, it is looked at once from the left."""
    until, bold = "", False
    for number, part in enumerate(_MARK.split(markup)):
        if number % 2 == 0:
            if part and not until:
                yield _Run(html.unescape(part), bold)
            continue
        found = _NAME.match(part)
        mark = part if found is None else ("/" if part.startswith("</") else "") + found[1].lower()
        if until:
            until = "" if mark == until else until
        elif mark == _COMMENT[0]:
            until = _COMMENT[1]
        elif mark in _INVISIBLE:
            until = f"/{mark}"
        elif mark.lstrip("/") in _BOLD:
            bold = not mark.startswith("/")


def _words(runs: Sequence[_Run]) -> str:
    """On one line."""
    return " ".join(" ".join(run.text for run in runs).split())
