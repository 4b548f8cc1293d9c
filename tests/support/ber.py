# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same values in other clothes: BER as some clients write it, from DER."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1

END = b"\0\0"


def indefinite(tag: int, *parts: bytes) -> bytes:
    """A constructed element of indefinite length."""
    return bytes((tag, 0x80)) + b"".join(parts) + END


def pieces(tag: int, value: bytes, size: int) -> bytes:
    """A string in pieces of `size` octets, of indefinite length, as BouncyCastle writes it."""
    return indefinite(tag, *(asn1.octet_string(value[at : at + size]) for at in range(0, len(value), size)))


def long_form(tag: int, value: bytes, octets: int) -> bytes:
    """An element with more octets of length than it needs."""
    return bytes((tag, 0x80 | octets)) + len(value).to_bytes(octets, "big") + value


def reencode(element: asn1.Element, choose: Callable[[int], int]) -> bytes:
    """`element` in BER; `choose(n)` picks one of n forms for each element on the way."""
    if element.tag & 0x20:
        body = b"".join(reencode(child, choose) for child in element.children())
        return _definite_or_not(element.tag, body, choose)
    value = element.content
    if element.tag == asn1.OCTET_STRING and choose(2):
        half = len(value) // 2
        parts = b"".join(asn1.octet_string(part) for part in (value[:half], value[half:]))
        return _definite_or_not(element.tag | 0x20, parts, choose)
    return long_form(element.tag, value, 4) if choose(2) else asn1.tlv(element.tag, value)


def _definite_or_not(tag: int, body: bytes, choose: Callable[[int], int]) -> bytes:
    return (asn1.tlv, indefinite, lambda tag, body: long_form(tag, body, 3 + choose(2)))[choose(3)](tag, body)
