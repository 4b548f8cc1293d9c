# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URL and the query, in every form in which clients write them."""

from __future__ import annotations

import base64
import urllib.parse

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import (
    CONTENT_TYPES,
    build_url,
    decode_get_message,
    parse_query,
)
from hypothesis import given
from hypothesis import strategies as st

MESSAGE = bytes([0x30, 0x82, 0x01, 0x02, *range(256), 0xFB, 0xEF, 0xBE])  # base64 with + and / and = in it
TEXT = base64.b64encode(MESSAGE).decode()


def lines(text: str, width: int, end: str) -> str:
    return "".join(text[at : at + width] + end for at in range(0, len(text), width))


WRITTEN = {
    "percent-encoded whole": urllib.parse.quote(TEXT, safe=""),
    "raw plus": TEXT,
    "only plus escaped": TEXT.replace("+", "%2B"),
    "lines of 64 ended by %0A": lines(TEXT.replace("+", "%2B"), 64, "%0A"),
    "lines ended by %0D%0A": lines(TEXT, 76, "%0D%0A"),
    "without padding": TEXT.rstrip("="),
    "padding escaped": TEXT.replace("=", "%3D"),
    "URL-safe alphabet": base64.urlsafe_b64encode(MESSAGE).decode(),
    "URL-safe without padding": base64.urlsafe_b64encode(MESSAGE).decode().rstrip("="),
    "plus taken for a blank": TEXT.replace("+", "%20"),
    "a blank behind": TEXT + "%20",
    "lower-case escapes": urllib.parse.quote(TEXT, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("size", [len(MESSAGE), len(MESSAGE) - 1, len(MESSAGE) - 2])
def test_every_way_of_writing_a_get_message(how: str, size: int) -> None:
    expected = MESSAGE[:size]
    if size == len(MESSAGE):
        written = WRITTEN[how]
    else:
        text = base64.b64encode(expected).decode()
        written = {"without padding": text.rstrip("="), "raw plus": text}.get(how, urllib.parse.quote(text))
    query = parse_query(f"operation=PKIOperation&message={written}")
    assert query.operation == "PKIOperation"
    assert query.message is not None
    assert decode_get_message(query.message) == expected


@given(st.binary(max_size=120))
def test_any_message_survives_every_way(message: bytes) -> None:
    text = base64.b64encode(message).decode()
    for written in (text, text.rstrip("="), text.replace("+", " "), text.rstrip("=").replace("+", " ")):
        if not written.startswith(" "):  # a message begins with a SEQUENCE, and its base64 with an M
            assert decode_get_message(written) == message
    assert decode_get_message(base64.urlsafe_b64encode(message).decode()) == message
    query = parse_query(urllib.parse.urlsplit(build_url("http://ca/x", "PKIOperation", message)).query)
    assert decode_get_message(query.message or "") == message


@pytest.mark.parametrize(
    "message", ["A", "AAAAA", "AB=C", "AB==C", "MIIC%2B", "MII*", "MIIä", "MII\x00", "A===", "<x>"]
)
def test_what_is_not_base64(message: str) -> None:
    with pytest.raises(DecodeError):
        decode_get_message(message)


@pytest.mark.parametrize(
    ("query", "operation", "message"),
    [
        ("operation=GetCACaps", "GetCACaps", None),
        ("operation=GetCACaps&message=0", "GetCACaps", "0"),
        ("operation=GetCACert&message=1", "GetCACert", "1"),
        ("operation=GetCACert&message=CAIdentifier", "GetCACert", "CAIdentifier"),
        ("operation=GetCACert&message=", "GetCACert", ""),
        ("operation=GetCACert&message=SCEP%20Authority", "GetCACert", "SCEP Authority"),
        ("message=a+b&operation=PKIOperation", "PKIOperation", "a+b"),
        ("Operation=GetCACert", "GetCACert", None),
        ("profile=x&operation=GetCACert&message=a=b", "GetCACert", "a=b"),
        ("operation=GetCACert&operation=PKIOperation", "GetCACert", None),
        ("operation=Get%43ACert", "GetCACert", None),
        ("operation=GetCACert&message=%ff%fe", "GetCACert", "\ufffd\ufffd"),
    ],
)
def test_queries(query: str, operation: str, message: str | None) -> None:
    found = parse_query(query)
    assert (found.operation, found.message) == (operation, message)


@pytest.mark.parametrize("query", ["", "message=x", "operation=", "operation", "&&&", "=GetCACert"])
def test_queries_without_an_operation(query: str) -> None:
    with pytest.raises(DecodeError):
        parse_query(query)


@pytest.mark.parametrize(
    ("url", "operation", "message", "built"),
    [
        ("http://ca/scep", "GetCACaps", None, "http://ca/scep?operation=GetCACaps"),
        ("http://ca:8080", "GetCACert", "", "http://ca:8080?operation=GetCACert&message="),
        ("http://ca/x#part", "GetCACert", None, "http://ca/x?operation=GetCACert"),
        ("https://[::1]/x?p=1", "GetCACert", "a b", "https://[::1]/x?p=1&operation=GetCACert&message=a%20b"),
        ("http://ca/x", "PKIOperation", b"\xfb\xef\xbe\xff", "http://ca/x?operation=PKIOperation&message=%2B%2B%2B%2B%2Fw%3D%3D"),
    ],
)  # fmt: skip
def test_build_url(url: str, operation: str, message: bytes | str | None, built: str) -> None:
    assert build_url(url, operation, message) == built


def test_content_types_carry_no_parameters() -> None:
    assert all(";" not in kind and " " not in kind for kind in CONTENT_TYPES.values())
    assert set(CONTENT_TYPES.values()) == {
        "application/x-pki-message",
        "application/x-x509-ca-cert",
        "application/x-x509-ca-ra-cert",
        "application/x-x509-next-ca-cert",
        "text/plain",
    }
