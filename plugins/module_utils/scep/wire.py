# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How SCEP messages ride on HTTP (RFC 8894 section 4), without sending or receiving any."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from .errors import DecodeError

CONTENT_TYPES = {
    "pki_message": "application/x-pki-message",
    "ca_cert": "application/x-x509-ca-cert",
    "ca_ra_cert": "application/x-x509-ca-ra-cert",
    "next_ca_cert": "application/x-x509-next-ca-cert",
    "caps": "text/plain",
}
"""Content-Type of each kind of body; some clients compare them as a whole, so they carry no parameters."""

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


def build_url(url: str, operation: str, message: bytes | str | None = None) -> str:
    """The URL of an operation; bytes are sent in base64, percent-encoded whole (RFC 8894 section 4.1).

    A query that the URL has already is kept ahead of `operation`.
    """
    scheme, host, path, query, _fragment = urlsplit(url)
    if isinstance(message, bytes):
        message = base64.b64encode(message).decode("ascii")
    words = [query] if query else []
    words.append(f"operation={quote(operation, safe='')}")
    if message is not None:
        words.append(f"message={quote(message, safe='')}")
    return urlunsplit((scheme, host, path, "&".join(words), ""))


@dataclass(frozen=True)
class Query:
    """The query string of a request: operation, and message percent-decoded with `+` left alone."""

    operation: str
    message: str | None


def parse_query(query_string: str) -> Query:
    """Read the raw query string. Raises DecodeError when it names no operation."""
    found: dict[str, str] = {}
    for pair in query_string.split("&"):
        word, _equals, value = pair.partition("=")
        found.setdefault(unquote(word).lower(), unquote(value, errors="replace"))
    operation = found.get("operation", "")
    if not operation:
        raise DecodeError("The request names no SCEP operation.")
    return Query(operation, found.get("message"))


def decode_get_message(message: str) -> bytes:
    """The pkiMessage of a GET, as clients really write it (RFC 8894 section 4.1).

    Line breaks, blanks where a `+` was taken for one, the URL-safe alphabet and missing padding are understood.
    Raises DecodeError.
    """
    text, _equals, behind = message.replace("\r", "").replace("\n", "").lstrip().partition("=")
    text = text.replace(" ", "+").replace("-", "+").replace("_", "/")
    if _NOT_BASE64.search(text) or behind.strip("= "):
        raise DecodeError("The message of the request is not base64.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise DecodeError("The message of the request is not base64.") from None
