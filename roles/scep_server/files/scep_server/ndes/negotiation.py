# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SPNEGO (RFC 4178): reading what a client sends, writing what a server answers. No mechanism is run here."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError

NTLM = "1.3.6.1.4.1.311.2.2.10"
KERBEROS = "1.2.840.113554.1.2.2"
MICROSOFT_KERBEROS = "1.2.840.48018.1.2.2"
"""The same with a mistake of Windows 2000; Windows offers it first to this day."""
_SPNEGO = "1.3.6.1.5.5.2"

_APPLICATION_0 = 0x60
_ENUMERATED = 0x0A
_MAX_MECHANISMS = 16

ACCEPT_COMPLETED, ACCEPT_INCOMPLETE, REJECT, REQUEST_MIC = range(4)


@dataclass(frozen=True)
class Init:
    """NegTokenInit: mechanisms by preference, the first one's token, and what a MIC of the list is made of."""

    mechanisms: tuple[str, ...]
    mechanisms_der: bytes
    token: bytes | None
    mic: bytes | None


@dataclass(frozen=True)
class Response:
    """NegTokenResp of a client: a token of the mechanism that was agreed on, and the MIC of the list."""

    token: bytes | None
    mic: bytes | None


def is_kerberos(token: bytes) -> bool:
    """Whether this is a token of Kerberos without SPNEGO around it."""
    try:
        element = asn1.read(token)
        return element.tag == _APPLICATION_0 and element.child(0).oid() == KERBEROS
    except DecodeError:
        return False


def read(token: bytes) -> Init | Response:
    """Raises DecodeError."""
    element = asn1.read(token)
    if element.tag == _APPLICATION_0:
        if element.child(0).oid() != _SPNEGO:
            raise DecodeError("The token is of no known mechanism.")
        return _init(element.child(1))
    return _response(element)


def _init(element: asn1.Element) -> Init:
    parts = _parts(element.expect(asn1.context(0), "NegTokenInit"))
    if 0 not in parts:
        raise DecodeError("The token offers no mechanisms.")
    offered = parts[0].expect(asn1.SEQUENCE, "list of mechanisms")
    mechanisms = tuple(one.oid() for one in offered.children())
    if not 0 < len(mechanisms) <= _MAX_MECHANISMS:
        raise DecodeError("The token offers too few or too many mechanisms.")
    return Init(mechanisms, offered.raw, _octets(parts, 2), _octets(parts, 3))


def _response(element: asn1.Element) -> Response:
    parts = _parts(element.expect(asn1.context(1), "NegTokenResp"))
    return Response(_octets(parts, 2), _octets(parts, 3))


def _parts(element: asn1.Element) -> dict[int, asn1.Element]:
    """The one element inside each explicit tag of the SEQUENCE, by the number of the tag."""
    fields = element.child(0).expect(asn1.SEQUENCE, "sequence of fields").children()
    found = {field.tag & 0x1F: field.child(0) for field in fields}
    if len(found) != len(fields) or any(field.tag & 0xE0 != asn1.context(0) for field in fields):
        raise DecodeError("The token has a field that it cannot have.")
    return found


def _octets(parts: dict[int, asn1.Element], number: int) -> bytes | None:
    return parts[number].expect(asn1.OCTET_STRING, "octet string").content if number in parts else None


def answer(state: int, mechanism: str | None = None, token: bytes | None = None, mic: bytes | None = None) -> bytes:
    """NegTokenResp of the server; the mechanism belongs into its first one alone."""
    fields = [asn1.tlv(asn1.context(0), asn1.tlv(_ENUMERATED, bytes((state,))))]
    if mechanism is not None:
        fields.append(asn1.tlv(asn1.context(1), asn1.oid(mechanism)))
    for number, value in ((2, token), (3, mic)):
        if value is not None:
            fields.append(asn1.tlv(asn1.context(number), asn1.octet_string(value)))
    return asn1.tlv(asn1.context(1), asn1.sequence(*fields))
