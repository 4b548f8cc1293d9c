# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Subjects and alternative names: from what users write to x509 objects, and to a plain form that can be compared.

The plain form of a name is a tuple of RDNs, each a sorted tuple of (attribute, value) pairs; an attribute goes by its
short name, or by its dotted object identifier. An alternative name is a string such as `DNS:host.example.com`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from .. import _deps
from .errors import OptionError

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

PlainName = tuple[tuple[tuple[str, str], ...], ...]
Subject = Union[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]

# short name, long name, object identifier (RFC 4519, RFC 5280 appendix A, RFC 2985)
_ATTRIBUTES = (
    ("CN", "commonName", "2.5.4.3"),
    ("SN", "surname", "2.5.4.4"),
    ("serialNumber", "serialNumber", "2.5.4.5"),
    ("C", "countryName", "2.5.4.6"),
    ("L", "localityName", "2.5.4.7"),
    ("ST", "stateOrProvinceName", "2.5.4.8"),
    ("street", "streetAddress", "2.5.4.9"),
    ("O", "organizationName", "2.5.4.10"),
    ("OU", "organizationalUnitName", "2.5.4.11"),
    ("title", "title", "2.5.4.12"),
    ("postalCode", "postalCode", "2.5.4.17"),
    ("GN", "givenName", "2.5.4.42"),
    ("initials", "initials", "2.5.4.43"),
    ("dnQualifier", "dnQualifier", "2.5.4.46"),
    ("pseudonym", "pseudonym", "2.5.4.65"),
    ("UID", "userId", "0.9.2342.19200300.100.1.1"),
    ("DC", "domainComponent", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "emailAddress", "1.2.840.113549.1.9.1"),
    ("unstructuredName", "unstructuredName", "1.2.840.113549.1.9.2"),
    ("unstructuredAddress", "unstructuredAddress", "1.2.840.113549.1.9.8"),
)
_OID_OF = {name.lower(): oid for short, long, oid in _ATTRIBUTES for name in (short, long)}
_SHORT_OF = {oid: short for short, _long, oid in _ATTRIBUTES}
_DOTTED = re.compile(r"[0-2](\.\d+)+")
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)


def read_subject(value: Subject) -> x509.Name:
    """A subject from one of three notations.

    A string is read as RFC 4514 has it, most specific part first: `CN=host,O=Example`. A mapping, or a list of mappings
    with one RDN each, is taken in the order in which the certificate has it; a value may be a list.

    Raises OptionError.
    """
    if isinstance(value, str):
        rdns = _rdns_of_string(value)
    elif isinstance(value, Mapping):
        rdns = [[pair] for word, entry in value.items() for pair in _pairs(word, entry)]
    elif isinstance(value, (list, tuple)):
        rdns = [_rdn_of_entry(entry) for entry in value]
    else:
        raise OptionError("subject", f"a string, a mapping or a list is expected, not {value!r}.")
    if not rdns:
        raise OptionError("subject", "it is empty; name at least a common name, such as CN=host.example.com.")
    try:
        return x509.Name([x509.RelativeDistinguishedName([_attribute(*pair) for pair in rdn]) for rdn in rdns])
    except ValueError as error:
        raise OptionError("subject", f"it cannot be encoded: {error}.") from None


def _rdn_of_entry(entry: Any) -> list[tuple[str, str]]:
    if not isinstance(entry, Mapping) or not entry:
        raise OptionError("subject", f"each entry of the list has to be a mapping such as CN: host, not {entry!r}.")
    return [pair for word, value in entry.items() for pair in _pairs(word, value)]


def _pairs(word: Any, value: Any) -> list[tuple[str, str]]:
    values = value if isinstance(value, (list, tuple)) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise OptionError("subject", f"the value of {word} has to be a text, not {one!r}.")
    return [(str(word), str(one)) for one in values]


def _rdns_of_string(text: str) -> list[list[tuple[str, str]]]:
    rdns = []
    for part in reversed(_split(text, ",")):
        pairs = []
        for piece in _split(part, "+"):
            word, found, value = piece.partition("=")
            if not found:
                raise OptionError("subject", f"'{piece.strip()}' is not of the form CN=value.")
            pairs.append((word.strip(), _unescape(value)))
        rdns.append(pairs)
    return rdns


def _split(text: str, separator: str) -> list[str]:
    parts, current, escaped = [], "", False
    for character in text:
        if character == separator and not escaped:
            parts.append(current)
            current = ""
            continue
        escaped = character == "\\" and not escaped
        current += character
    parts.append(current)
    return parts if any(part.strip() for part in parts) else []


def _unescape(value: str) -> str:
    value = value.lstrip(" ")
    stripped = value.rstrip(" ")
    if stripped.endswith("\\") and stripped != value:  # the last blank is escaped
        stripped += " "
    octets = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if len(found[1]) == 2 else found[1], stripped)
    if octets == stripped or any(ord(character) > 255 for character in octets):
        return octets
    try:  # pairs of hexadecimal digits are octets of UTF-8
        return octets.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _attribute(word: str, value: str) -> x509.NameAttribute[str]:
    dotted = word if _DOTTED.fullmatch(word) else _OID_OF.get(word.lower())
    if dotted is None:
        known = ", ".join(short for short, _long, _oid in _ATTRIBUTES)
        raise OptionError("subject", f"'{word}' is not an attribute that is known here ({known}, or a dotted OID).")
    if not value:
        raise OptionError("subject", f"the value of '{word}' is empty; leave the attribute out.")
    return x509.NameAttribute(x509.ObjectIdentifier(dotted), value)


def plain_name(name: x509.Name) -> PlainName:
    """The plain form of a name, in the order of its encoding."""
    return tuple(
        tuple(
            sorted(
                (_SHORT_OF.get(attribute.oid.dotted_string, attribute.oid.dotted_string), str(attribute.value))
                for attribute in rdn
            )
        )
        for rdn in name.rdns
    )


def display_name(plain: PlainName) -> str:
    """RFC 4514 text of a plain name, most specific part first; the same on every version of the library."""
    return ",".join("+".join(f"{word}={_escape(value)}" for word, value in rdn) for rdn in reversed(plain))


def _escape(value: str) -> str:
    escaped = re.sub(r'([\\,+"<>;])', r"\\\1", value)
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return escaped


def _dns_name(text: str) -> x509.GeneralName:
    if not text.isascii():
        raise ValueError("write the host name in its ASCII form, which begins with xn--")
    return x509.DNSName(text.lower())


def _ip_address(text: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(text))


def _email_address(text: str) -> x509.GeneralName:
    return x509.RFC822Name(text)


def _uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


_ALT_NAMES: dict[str, Callable[[str], x509.GeneralName]] = {
    "dns": _dns_name,
    "ip": _ip_address,
    "email": _email_address,
    "uri": _uri,
}


def read_alt_names(values: Sequence[str]) -> tuple[x509.GeneralName, ...]:
    """Alternative names from strings such as `DNS:host`, `IP:192.0.2.1`, `email:a@b`. Raises OptionError."""
    names = []
    for value in values:
        kind, found, text = value.partition(":")
        reader = _ALT_NAMES.get(kind.strip().lower())
        if not found or reader is None or not text:
            raise OptionError("subject_alt_name", f"'{value}' does not begin with DNS:, IP:, email: or URI:.")
        try:
            names.append(reader(text))
        except ValueError as error:
            raise OptionError("subject_alt_name", f"'{value}' cannot be used: {error}.") from None
    return tuple(names)


def plain_alt_name(name: x509.GeneralName) -> str:
    """The string form of an alternative name; kinds that cannot be asked for are named by their type."""
    if isinstance(name, x509.DNSName):
        return f"DNS:{name.value.lower()}"
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.OtherName):
        return f"otherName:{name.type_id.dotted_string};{name.value.hex()}"
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    return f"dirName:{display_name(plain_name(name.value))}"
