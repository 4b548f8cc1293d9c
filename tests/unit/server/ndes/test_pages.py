# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages, as our client and other programs read them."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import PageKind, decode_page, read_page

from scep_server.ndes import pages
from scep_server.ndes.pages import ENCODINGS, Style

CERTIFICATE = b"a certificate"
THUMBPRINT = hashlib.md5(CERTIFICATE).hexdigest().upper()
PASSWORD = "0A1B2C3D4E5F6789"
UTF_16 = ("utf-16le", "utf-16le-bom")

STYLES = [Style(encoding, nul) for encoding in ENCODINGS for nul in (True, False)]
WITH_PASSWORD: dict[str, Callable[[Style, str], bytes]] = {
    "issued": lambda style, password: pages.issued(style, CERTIFICATE, password, 60),
    "single": lambda style, password: pages.single(style, CERTIFICATE, password),
}
WITHOUT: dict[str, Callable[[Style], bytes]] = {
    "not required": lambda style: pages.not_required(style, CERTIFICATE),
    "cache full": lambda style: pages.cache_full(style, 60, 5),
    "no permission": pages.no_permission,
    "device": lambda style: pages.device(style, "ndes.example.com"),
}
KINDS = {
    "not required": PageKind.NOT_REQUIRED,
    "cache full": PageKind.CACHE_FULL,
    "no permission": PageKind.NO_PERMISSION,
    "device": PageKind.OTHER,
}


def by_pattern_of_length(body: bytes) -> str:
    """PSCertificateEnrollment: UTF-16LE, the first run of as many digits as the password has."""
    found = re.search(f"[A-F0-9]{{{len(PASSWORD)}}}", body.decode("utf-16-le"))
    return found[0] if found else ""


def by_words(body: bytes) -> str:
    """Scripts of a vendor: UTF-16LE, split at blanks, the first word that begins with such a run."""
    words = body.decode("utf-16-le").split()
    return next((word for word in words if re.match(f"[A-F0-9]{{{len(PASSWORD)}}}", word)), "")


def by_sentence(body: bytes) -> str:
    """Fleet: UTF-16LE unless a mark says otherwise, what stands in bold after the sentence."""
    text = body.decode("utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-16-le")
    found = re.search(r"(?i)The enrollment challenge password is: <B> (?P<password>\S*)", text)
    return found["password"] if found else ""


def by_trying(body: bytes) -> str:
    """Encodings in turn, until the sentence is there; Java's UTF-16 is big-endian without a mark."""
    first = "utf-16" if body.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    for encoding in (first, "utf-8", "ascii", "utf-16-be", "utf-16-le", "latin-1"):
        text = body.decode(encoding, "replace")
        _before, sentence, after = text.partition("The enrollment challenge password is: <B>")
        if sentence:
            return after.partition("</B>")[0].strip()
    return ""


def by_lazy_pattern(body: bytes) -> str:
    """The first hexadecimal digits after the words, whatever is in between."""
    found = re.search(r"challenge password.*?([0-9A-Fa-f]{8,64})", decode_page(body), re.IGNORECASE | re.DOTALL)
    return found[1] if found else ""


def by_tags(body: bytes) -> str:
    """Split at the ends of tags; the sentence has one blank before it."""
    parts = body.decode("utf-16").split(">")
    at = next(
        (number for number, part in enumerate(parts) if part.find("The enrollment challenge password is") == 1), -1
    )
    return parts[at + 1].strip("</B").strip() if at >= 0 else ""


def by_our_client(body: bytes) -> str:
    """read_page."""
    return read_page(body).password or ""


# Each program, and the encodings that it reads.
READERS: dict[Callable[[bytes], str], tuple[str, ...]] = {
    by_pattern_of_length: UTF_16,
    by_words: UTF_16,
    by_sentence: UTF_16,
    by_tags: UTF_16,
    by_trying: ENCODINGS,
    by_lazy_pattern: ENCODINGS,
    by_our_client: ENCODINGS,
}


@pytest.mark.parametrize("nul", [True, False])
@pytest.mark.parametrize("page", WITH_PASSWORD)
@pytest.mark.parametrize(
    ("read", "encoding"),
    [(read, encoding) for read, encodings in READERS.items() for encoding in encodings],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_programs_find_the_password(read: Callable[[bytes], str], encoding: str, page: str, nul: bool) -> None:
    assert read(WITH_PASSWORD[page](Style(encoding, nul), PASSWORD)) == PASSWORD


@pytest.mark.parametrize("page", WITHOUT)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_programs_find_no_password_where_there_is_none(read: Callable[[bytes], str], page: str) -> None:
    assert read(WITHOUT[page](Style())) == ""


@pytest.mark.parametrize("style", STYLES)
def test_our_client_reads_all_that_a_page_says(style: Style) -> None:
    once = read_page(pages.issued(style, CERTIFICATE, PASSWORD, 45))
    assert (once.kind, once.password, once.thumbprint) == (PageKind.PASSWORD, PASSWORD, THUMBPRINT)
    assert (once.lifetime_minutes, once.reusable) == (45, False)
    again = read_page(pages.single(style, CERTIFICATE, PASSWORD))
    assert (again.password, again.lifetime_minutes, again.reusable) == (PASSWORD, None, True)
    for name, kind in KINDS.items():
        assert read_page(WITHOUT[name](style)).kind is kind


@pytest.mark.parametrize("octets", [4, 8, 16, 64])
def test_any_length_of_password(octets: int) -> None:
    page = read_page(pages.issued(Style(), CERTIFICATE, "5A" * octets, 60))
    assert (page.password, page.thumbprint) == ("5A" * octets, THUMBPRINT)


def test_the_octets_are_those_of_ndes() -> None:
    body = pages.issued(Style(), CERTIFICATE, PASSWORD, 60)
    assert body[:8] == b"<\0H\0T\0M\0"
    assert body[-4:] == b">\0\0\0"
    assert body.count(b"\0\0") == 1
    text = body.decode("utf-16-le")
    assert "\n" not in text and "charset=UTF-8" in text
    shape = [
        "<Title>",
        "BgColor=#008080",
        "locMSCertSrv",
        "ID=locPageTitle>",
        "thumbprint",
        "challenge password is",
        "will expire",
        "Each enrollment",
        "ID=locPageDesc>",
        "LinkId=67852",
    ]
    found = [text.index(part) for part in shape]
    assert found == sorted(found)
    assert re.search(r"<B> [0-9A-F]{8}(?: [0-9A-F]{8}){3} </B>", text)


def test_a_host_is_text() -> None:
    text = pages.device(Style("utf-8"), '<script>"x"</script>').decode()
    assert "<script" not in text and "&lt;script&gt;" in text
    assert (
        "By default, the admin URL is http://ndes/CertSrv/mscep_admin " in pages.device(Style("utf-8"), "ndes").decode()
    )


def test_a_static_password_is_text() -> None:
    assert b"&lt;b&gt;" in pages.single(Style("utf-8"), CERTIFICATE, "<b>")
