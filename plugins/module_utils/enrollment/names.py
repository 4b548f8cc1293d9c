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
from ..errors import OptionError
from ..scep import asn1
from ..scep._compat import UNREADABLE
from ..scep.errors import DecodeError

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

PlainName = tuple[tuple[tuple[str, str], ...], ...]
Subject = Union[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]

# short name, long name, object identifier, most characters (RFC 4519, RFC 5280 appendix A, RFC 2985)
_ATTRIBUTES = (
    ("CN", "commonName", "2.5.4.3", 64),
    ("SN", "surname", "2.5.4.4", None),
    ("serialNumber", "serialNumber", "2.5.4.5", 64),
    ("C", "countryName", "2.5.4.6", 2),
    ("L", "localityName", "2.5.4.7", 128),
    ("ST", "stateOrProvinceName", "2.5.4.8", 128),
    ("street", "streetAddress", "2.5.4.9", None),
    ("O", "organizationName", "2.5.4.10", 64),
    ("OU", "organizationalUnitName", "2.5.4.11", 64),
    ("title", "title", "2.5.4.12", 64),
    ("postalCode", "postalCode", "2.5.4.17", None),
    ("GN", "givenName", "2.5.4.42", None),
    ("initials", "initials", "2.5.4.43", None),
    ("dnQualifier", "dnQualifier", "2.5.4.46", None),
    ("pseudonym", "pseudonym", "2.5.4.65", 128),
    ("UID", "userId", "0.9.2342.19200300.100.1.1", None),
    ("DC", "domainComponent", "0.9.2342.19200300.100.1.25", None),
    ("emailAddress", "emailAddress", "1.2.840.113549.1.9.1", 255),
    ("unstructuredName", "unstructuredName", "1.2.840.113549.1.9.2", None),
    ("unstructuredAddress", "unstructuredAddress", "1.2.840.113549.1.9.8", None),
)
_ASCII_ONLY = {"serialNumber", "C", "dnQualifier", "DC", "emailAddress"}
_OID_OF = {name.lower(): oid for short, long, oid, _most in _ATTRIBUTES for name in (short, long)}
_SHORT_OF = {oid: short for short, _long, oid, _most in _ATTRIBUTES}
_MOST = {short: most for short, _long, _oid, most in _ATTRIBUTES if most is not None}
_DOTTED = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_LARGEST_NUMBER = 2**28 - 81
_MOST_OID_OCTETS = 63
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What would break a line, or be seen nowhere."""
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
        return x509.Name([_rdn([_attribute(*pair) for pair in rdn]) for rdn in rdns])
    except ValueError as error:
        raise OptionError("subject", f"it cannot be encoded: {error}.") from None


def _rdn(attributes: list[x509.NameAttribute[str]]) -> x509.RelativeDistinguishedName:
    if not attributes:
        raise OptionError("subject", "a part of it has no attribute; leave that part out.")
    for attribute in attributes:
        if attributes.count(attribute) > 1:
            word = _short(attribute)
            raise OptionError("subject", f"{word}={attribute.value} stands twice in one part; leave one out.")
    return x509.RelativeDistinguishedName(attributes)


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
        for piece in _split(part, "+") or [""]:
            if not piece.strip():
                raise OptionError(
                    "subject",
                    f"{_shown(text)} has a blank part beside a comma or a plus sign; remove that sign, or write a "
                    "backslash before it if it belongs to a value.",
                )
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
    oid = object_identifier(_OID_OF.get(word.lower(), word))
    if oid is None:
        known = ", ".join(short for short, _long, _oid, _most in _ATTRIBUTES)
        raise OptionError("subject", f"'{word}' is not an attribute that is known here ({known}, or a dotted OID).")
    complaint = _complaint(_SHORT_OF.get(oid.dotted_string, ""), value)
    if complaint:
        raise OptionError("subject", f"the value of '{word}' {complaint}.")
    return x509.NameAttribute(oid, value)


def _complaint(short: str, value: str) -> str | None:
    """What is wrong with the value of an attribute, and what to do."""
    most = _MOST.get(short)
    if not value.strip():
        return f"is {'blank' if value else 'empty'}; leave the attribute out"
    if CONTROL.search(value):
        return f"is {_shown(value)}, with a control character in it; leave that out"
    if short == "C" and not re.fullmatch("[A-Za-z]{2}", value):
        return f"is {_shown(value)}; write the two letters of ISO 3166, such as DE"
    if most is not None and len(value) > most:
        return f"is {_shown(value)}, of {len(value)} characters, and {most} are the most (RFC 5280); shorten it"
    if short in _ASCII_ONLY and not value.isascii():
        return f"is {_shown(value)}, and only ASCII fits there; write it without other letters"
    return None


def _shown(text: str) -> str:
    """A value in a sentence: on one line, and not at full length."""
    return repr(text if len(text) <= 40 else text[:39] + "\u2026")


def object_identifier(dotted: str) -> x509.ObjectIdentifier | None:
    """An object identifier, or None for text that is none.

    What any version of the library does not take is none: the lowest reads no number of more than four octets, in
    which the first two of the text share one, and panics at larger ones; the newest refuses more than 63 octets in all.
    """
    if not _DOTTED.fullmatch(dotted) or any(len(part) > 9 or int(part) > _LARGEST_NUMBER for part in dotted.split(".")):
        return None
    try:
        found = x509.ObjectIdentifier(dotted)
    except ValueError:
        return None
    return found if len(asn1.oid(dotted)) <= 2 + _MOST_OID_OCTETS else None


def plain_name(name: x509.Name) -> PlainName:
    """The plain form of a name, in the order of its encoding."""
    return tuple(tuple(sorted((_short(attribute), str(attribute.value)) for attribute in rdn)) for rdn in name.rdns)


def _short(attribute: x509.NameAttribute[Any]) -> str:
    return _SHORT_OF.get(attribute.oid.dotted_string, attribute.oid.dotted_string)


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


_UPN = "1.3.6.1.4.1.311.20.2.3"
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_SID = re.compile(r"S-1-5-21(-(0|[1-9]\d{0,9})){4}", re.ASCII)


def _dns_name(text: str) -> x509.GeneralName:
    host = text.lower()
    if not host.isascii():
        raise ValueError("write the host name in its ASCII form, which begins with xn--")
    if any(not part.strip() for part in host.split(".")):
        raise ValueError("a part between its dots is blank; write it as in host.example.com")
    if "*" in host.removeprefix("*."):
        raise ValueError("a wildcard can be the whole first part and nothing else, as in *.example.com")
    if not _HOST.fullmatch(host) or any(len(part) > 63 for part in host.split(".")):
        raise ValueError(
            "it is no host name; each part has up to 63 letters, digits and hyphens, and no hyphen at its ends"
        )
    return x509.DNSName(host)


def _ip_address(text: str) -> x509.GeneralName:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text:
        raise ValueError("it is not the address of one host, such as 192.0.2.1 or 2001:db8::1")
    return x509.IPAddress(address)


def _email_address(text: str) -> x509.GeneralName:
    if not text.isascii() or not _ADDRESS.fullmatch(text):
        raise ValueError("write it in ASCII, as in name@example.com")
    return x509.RFC822Name(text)


def _uri(text: str) -> x509.GeneralName:
    if not text.isascii() or not _URI.fullmatch(text):
        raise ValueError("write it in ASCII, without blanks and with its scheme, as in https://host.example.com/")
    return x509.UniformResourceIdentifier(text)


def _upn(text: str) -> x509.GeneralName:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("write the user principal name as in user@example.com")
    return x509.OtherName(x509.ObjectIdentifier(_UPN), asn1.utf8(text))


def _registered_id(text: str) -> x509.GeneralName:
    identifier = object_identifier(text)
    if identifier is None:
        raise ValueError("it is no object identifier, such as 1.3.6.1.4.1.311")
    return x509.RegisteredID(identifier)


# prefix -> reader, and how many characters there may be (RFC 1034, RFC 5280 appendix A, Active Directory; or our own)
_ALT_NAMES: dict[str, tuple[Callable[[str], x509.GeneralName], int]] = {
    "dns": (_dns_name, 253),
    "ip": (_ip_address, 253),
    "email": (_email_address, 255),
    "uri": (_uri, 2048),
    "upn": (_upn, 1024),
    "rid": (_registered_id, 253),
}


def read_alt_names(values: Sequence[str]) -> tuple[x509.GeneralName, ...]:
    """Alternative names from strings such as `DNS:host`, `IP:192.0.2.1`, `UPN:user@example.com`, `RID:1.2.3`.

    A name that is there twice, written alike or not, counts once. Raises OptionError.
    """
    names: dict[str, x509.GeneralName] = {}
    for value in values:
        kind, found, text = value.partition(":")
        reader, most = _ALT_NAMES.get(kind.strip().lower(), (None, 0))
        text = text.strip(" ")
        if not found or reader is None:
            raise OptionError(
                "subject_alt_name",
                f"{_shown(value)} does not begin with DNS:, IP:, email:, URI:, UPN: or RID:.",
            )
        try:
            if not text.strip():
                raise ValueError("there is nothing behind the colon; write the name there, or leave the entry out")
            if CONTROL.search(text):
                raise ValueError("it holds a control character; leave that out")
            if len(text) > most:
                raise ValueError(f"it has {len(text)} characters, and {most} are the most; shorten it")
            name = reader(text)
        except ValueError as error:
            raise OptionError("subject_alt_name", f"{_shown(value)} cannot be used: {error}.") from None
        names.setdefault(plain_alt_name(name), name)
    return tuple(names.values())


def plain_alt_name(name: x509.GeneralName) -> str:
    """The string form of an alternative name; kinds that cannot be asked for are named by their type."""
    if isinstance(name, x509.DNSName):
        return f"DNS:{name.value.lower()}"
    if isinstance(name, x509.IPAddress):
        return f"IP:{_plain_address(name.value)}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.OtherName):
        return _plain_other_name(name)
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    return f"dirName:{display_name(plain_name(name.value))}"


def _plain_address(address: Any) -> str:
    """The same on every version of Python: 3.13 writes an IPv4 address within an IPv6 one in another way."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address) if mapped is None else f"::ffff:{mapped}"


def _plain_other_name(name: x509.OtherName) -> str:
    if name.type_id.dotted_string == _UPN:
        try:
            text = asn1.read(name.value).expect(asn1.UTF8_STRING, "UTF8String").text()
        except DecodeError:
            text = ""
        if asn1.utf8(text) == name.value:
            return f"UPN:{text}"
    return f"otherName:{name.type_id.dotted_string};{name.value.hex()}"


def alt_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The alternative names of a certificate in the plain form, sorted; none from an extension that cannot be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except UNREADABLE:
        return ()
    return tuple(sorted({plain_alt_name(name) for name in names}))


def sid_name(sid: str) -> str:
    """The alternative name by which a domain controller maps a certificate to an account (KB5014754): a plain `URI:`.

    `sid` is that of an account in a domain, S-1-5-21 and four numbers of 32 bits. Raises OptionError.
    """
    plain = sid.strip().upper()
    if not _SID.fullmatch(plain) or any(int(number) >= 2**32 for number in plain.split("-")[4:]):
        raise OptionError(
            "sid",
            f"{_shown(sid)} is not the SID of an account in a domain; Get-ADComputer and Get-ADUser print it, and it "
            "looks like S-1-5-21-1004336348-1177238915-682003330-1105.",
        )
    return f"URI:tag:microsoft.com,2022-09-14:sid:{plain}"
