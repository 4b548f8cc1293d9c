# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import codecs
from collections.abc import Callable

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import (
    MAX_PAGE,
    MAX_TEXT,
    PageKind,
    decode_page,
    read_page,
)

THUMBPRINT = "A656FA66 AB12B433 A2DA5CF7 CC153D9A"
PASSWORD = "0123456789ABCDEF"
HEAD = (
    "<HTML><Head><Meta HTTP-Equiv=Content-Type Content='text/html; charset=UTF-8'><Title>Network Device Enrollment "
    "Service</Title></Head><Body BgColor=#FFFFFF><P ID=locPageTitle> <B> Network Device Enrollment Service </B> <P> "
)
THUMB = f"The thumbprint (hash value) for the CA certificate is: <B> {THUMBPRINT} </B> <P> "
ASK = f"The enrollment challenge password is: <B> {PASSWORD} </B> <P> "
ONCE = "This password can be used only once and will expire within 60 minutes. <P> Each enrollment requires a new one."
TAIL = " <A HREF=http://go.microsoft.com/fwlink/?LinkId=67852>more</A></Body></HTML>\0"
ISSUED = HEAD + THUMB + ASK + ONCE + TAIL
FULL = HEAD + "The password cache is full. <P> Passwords are stored for 60 minutes until they are used." + TAIL
DENIED = (
    HEAD
    + "You do not have sufficient permission to enroll with SCEP.  Please contact your system administrator."
    + TAIL
)

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-16le as NDES sends it": lambda text: text.encode("utf-16-le"),
    "utf-16le with a mark": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16be with a mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16be": lambda text: text.encode("utf-16-be"),
    "utf-8": lambda text: text.encode("utf-8"),
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode("utf-8"),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_each_encoding_gives_the_same(encode: Callable[[str], bytes]) -> None:
    page = read_page(encode(ISSUED))
    assert (page.kind, page.password, page.thumbprint) == (PageKind.PASSWORD, PASSWORD, THUMBPRINT.replace(" ", ""))
    assert (page.lifetime_minutes, page.reusable) == (60, False)
    assert PASSWORD not in page.text
    assert "can be used only once" in page.text


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    ("markup", "kind"), [(FULL, PageKind.CACHE_FULL), (DENIED, PageKind.NO_PERMISSION)], ids=["full", "denied"]
)
def test_pages_without_a_password_are_told_apart(encode: Callable[[str], bytes], markup: str, kind: PageKind) -> None:
    page = read_page(encode(markup))
    assert (page.kind, page.password, page.thumbprint) == (kind, None, None)


GERMAN = (
    "<P> Der Fingerabdruck des Zertifizierungsstellenzertifikats lautet: <B> {thumb} </B> <P> Das Kennwort für die "
    "Geräteregistrierung lautet: <B> {password} </B> <P> Es gilt einmal und läuft nach {minutes} Minuten ab."
)
JAPANESE = "<P> CA 証明書の拇印: <B> {thumb} </B> <P> チャレンジ パスワード: <B> {password} </B> <P> {minutes} 分"


@pytest.mark.parametrize("sentences", [GERMAN, JAPANESE], ids=["german", "japanese"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_the_language_does_not_matter(encode: Callable[[str], bytes], sentences: str) -> None:
    page = read_page(encode(HEAD + sentences.format(thumb=THUMBPRINT, password="AB12CD34", minutes=45) + TAIL))
    assert (page.password, page.thumbprint) == ("AB12CD34", THUMBPRINT.replace(" ", ""))
    assert page.lifetime_minutes == 45


def test_umlauts_in_a_windows_code_page_are_read() -> None:
    page = read_page((HEAD + GERMAN.format(thumb=THUMBPRINT, password="AB12", minutes=5)).encode("cp1252"))
    assert (page.password, page.lifetime_minutes) == ("AB12", 5)
    assert "Geräteregistrierung" in page.text


@pytest.mark.parametrize("length", [1, 4, 8, 16, 20, 32, 64])
def test_a_password_may_have_any_length(length: int) -> None:
    """16 octets look like a thumbprint without blanks; the real one is in groups."""
    password = "5A" * length
    page = read_page((HEAD + THUMB + ASK.replace(PASSWORD, password) + ONCE).encode("utf-16-le"))
    assert (page.password, page.thumbprint) == (password, THUMBPRINT.replace(" ", ""))


def test_a_single_password_is_good_many_times() -> None:
    sentence = "This password can be used multiple times and will not expire."
    page = read_page((HEAD + THUMB + ASK + sentence + TAIL).encode("utf-16-le"))
    assert (page.kind, page.password) == (PageKind.PASSWORD, PASSWORD)
    assert (page.reusable, page.lifetime_minutes) == (True, None)


def test_a_thumbprint_alone_means_that_no_password_is_required() -> None:
    page = read_page((HEAD + THUMB + TAIL).encode("utf-16-le"))
    assert (page.kind, page.password) == (PageKind.NOT_REQUIRED, None)
    assert page.thumbprint == THUMBPRINT.replace(" ", "")


IMITATIONS = {
    "no bold text": (f"<p>The enrollment challenge password is: {PASSWORD}</p><p>It expires within 30 minutes.", 30),
    "no hexadecimal password": ("<p>Your challenge password is: x-Y_z!9</p> It expires in 10 minutes", 10),
    "strong": (f"<strong>{PASSWORD}</strong> valid for 15 minutes", 15),
    "thumbprint without blanks": (f"<b>{'AB' * 20}</b> and <b>{PASSWORD}</b> valid for 15 minutes", 15),
    "sha-256 thumbprint in groups": (f"<b>{' '.join(['ABCDEF01'] * 8)}</b> <b>{PASSWORD}</b> 20 minutes", 20),
}


@pytest.mark.parametrize(("markup", "minutes"), IMITATIONS.values(), ids=IMITATIONS)
def test_pages_that_imitate_ndes_are_read(markup: str, minutes: int) -> None:
    page = read_page(f"<html><body>{markup}</body></html>".encode())
    assert page.password in (PASSWORD, "x-Y_z!9")
    assert page.lifetime_minutes == minutes
    assert not page.reusable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xff",
        b"<html><body>It works! <b>Welcome</b></body></html>",
        b"<script>var password='<b>0123456789ABCDEF</b>'</script>It works",
        b"<title>the challenge password is: 00</title>",
        b"<!-- <b>0123456789ABCDEF</b> -->",
    ],
)
def test_other_pages_have_no_password(body: bytes) -> None:
    page = read_page(body)
    assert (page.kind, page.password, page.thumbprint) == (PageKind.OTHER, None, None)


def test_text_for_people_is_one_short_line() -> None:
    page = read_page(b"<html><title>x</title><p>Sorry,\r\n <i>not</i>\tthis&nbsp;page &amp; others" + b"<br>word" * 500)
    assert page.text.startswith("Sorry, not this page & others word")
    assert len(page.text) == MAX_TEXT + 1


def test_only_the_beginning_of_a_page_is_read() -> None:
    assert read_page(b" " * MAX_PAGE + ISSUED.encode()).password is None


@pytest.mark.parametrize("part", [b"<", b"<b>", b"<script", b"<!--", b"<b><b", b"</b>", b"&#x", b"challenge password "])
def test_a_hostile_page_is_read_all_the_same(part: bytes) -> None:
    assert read_page(part * (MAX_PAGE // len(part))).password is None


def test_characters_without_meaning_are_replaced() -> None:
    assert decode_page(codecs.BOM_UTF8 + b"a\xffb") == "a\N{REPLACEMENT CHARACTER}b"
