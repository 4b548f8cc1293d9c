# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that settings use, and what is checked of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cryptography import x509

CA_KEYS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")
RA_KEYS = ("rsa-2048", "rsa-3072", "rsa-4096")
KEY_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
ALTERNATIVE_NAMES = ("dns", "email", "ip", "uri", "upn")
IN_GET_CA_CERT = ("ra_signing", "ra_encryption", "ca", "chain")
"""Certificates of GetCACert, in the order that was seen of NDES."""
RDN_TYPES = {
    "C": "2.5.4.6",
    "ST": "2.5.4.8",
    "L": "2.5.4.7",
    "street": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "CN": "2.5.4.3",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "emailAddress": "1.2.840.113549.1.9.1",
    "serialNumber": "2.5.4.5",
    "title": "2.5.4.12",
    "givenName": "2.5.4.42",
    "SN": "2.5.4.4",
    "initials": "2.5.4.43",
    "unstructuredName": "1.2.840.113549.1.9.2",
    "unstructuredAddress": "1.2.840.113549.1.9.8",
}
"""Attribute types of a subject, by the words that settings use."""
# No certificate for a device may carry these: they would make it an RA or a CA's OCSP responder, or anything at all.
RESERVED_EXTENDED_KEY_USAGES = ("1.3.6.1.4.1.311.20.2.1", "1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.9", "2.5.29.37.0")

# A check takes a value of the right type and returns what is wrong with it ("must ..."), or None.
Check = Callable[[Any], "str | None"]


def between(low: int, high: int) -> Check:
    return lambda value: None if low <= value <= high else f"must be between {low} and {high}"


def one_of(*words: str) -> Check:
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def some_of(*words: str) -> Check:
    return lambda values: None if set(values) <= set(words) else f"may contain {', '.join(words)}"


def distinguished_name(value: str) -> str | None:
    try:
        name = x509.Name.from_rfc4514_string(value)
    except ValueError as error:
        return "must be a distinguished name such as CN=Example CA,O=Example" + (f" ({error})" if str(error) else "")
    return None if list(name) else "must not be empty"


def distinguished_name_or_empty(value: str) -> str | None:
    return distinguished_name(value) if value else None


def address(value: str) -> str | None:
    host, port = split_address(value)
    if re.fullmatch(r"[!-~]+", host) and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65535:
        return None
    return "must be HOST:PORT, an IPv6 address in brackets"


def url(value: str) -> str | None:
    if re.fullmatch(r"(https?|ldap)://[!-.0-~][!-~]*", value) or not value:
        return None
    return "must be a URL of the scheme http, https or ldap in ASCII, or empty"


def usages(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            x509.ObjectIdentifier(value)
        except ValueError:
            return f"may contain dotted object identifiers, which {value!r} is not"
        if value in RESERVED_EXTENDED_KEY_USAGES:
            return f"must not contain {value}, which would give devices the rights of the CA's own helpers"
    return None


def patterns(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            return f"may contain regular expressions, which {value!r} is not ({error})"
    return None


def login_names(values: tuple[str, ...]) -> str | None:
    for value in values:
        if not re.fullmatch(r"[^\\@]+[\\@][^\\@]+", value):
            return f"may contain names such as DOMAIN\\user or user@REALM, which {value!r} is not"
    return None


def split_address(value: str) -> tuple[str, str]:
    """(host without brackets, port) of HOST:PORT."""
    host, _colon, port = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    return ("" if ":" in host else host), port


def told(about: str, check: Check | None = None) -> dict[str, Any]:
    return {"about": about, "check": check}
