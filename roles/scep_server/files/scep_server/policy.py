# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into a certificate: a table of extensions, each with what becomes of it when a request asks for it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from .authority import Authority
from .certificate import authority_key_identifier, distribution_points
from .errors import CERTSRV_E_BAD_REQUESTSUBJECT, Refusal
from .setting_checks import KEY_USAGES, RDN_TYPES
from .settings import Settings

_OID_UPN = "1.3.6.1.4.1.311.20.2.3"
OID_SID = "1.3.6.1.4.1.311.25.2"
_OID_SID_VALUE = "1.3.6.1.4.1.311.25.2.1"
# Both ways of writing a Windows account's SID into a certificate name the account that a domain controller logs on.
_SID_URI = re.compile(r"tag:microsoft\.com,\d{4}-\d{2}-\d{2}:sid:", re.IGNORECASE)
_SID = re.compile(r"S-1-\d{1,15}(-\d{1,10}){1,15}")

_NAME_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dns",
    x509.RFC822Name: "email",
    x509.IPAddress: "ip",
    x509.UniformResourceIdentifier: "uri",
}

# A handler gets the settings and the value asked for, and returns (extension, critical) for the certificate, or None.
_Granted = tuple[x509.ExtensionType, bool] | None
_Handler = Callable[[Settings, Any], _Granted]


def _refuse(text: str) -> Refusal:
    return Refusal(FailInfo.BAD_REQUEST, text)


def _bad_subject(text: str) -> Refusal:
    return Refusal(FailInfo.BAD_REQUEST, text, hresult=CERTSRV_E_BAD_REQUESTSUBJECT)


def _key_usage(settings: Settings, usage: x509.KeyUsage) -> _Granted:
    asked = [word for word in (*KEY_USAGES, "key_cert_sign", "crl_sign") if getattr(usage, word)]
    words = _given(settings, "key usage", asked, settings.key_usages)
    return (build_key_usage(*words), True) if words else None


def _extended_key_usage(settings: Settings, usage: x509.ExtendedKeyUsage) -> _Granted:
    asked = [oid.dotted_string for oid in usage]
    oids = _given(settings, "extended key usage", asked, settings.extended_key_usages)
    return (x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, oids)), False) if oids else None


def _given(settings: Settings, kind: str, asked: list[str], allowed: tuple[str, ...]) -> list[str]:
    """The usages of a request that it gets; where none is left, those are set that belong to who asks for none."""
    beyond = sorted(set(asked) - set(allowed))
    if beyond and settings.usages_not_given == "refuse":
        raise _refuse(f"The request asks for the {kind} {', '.join(beyond)}, which is not given here.")
    return [word for word in asked if word in allowed]


def _name_kind(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        return "upn" if name.type_id.dotted_string == _OID_UPN else name.type_id.dotted_string
    return _NAME_KINDS.get(type(name), type(name).__name__)


def _alternative_names(settings: Settings, names: x509.SubjectAlternativeName) -> _Granted:
    if settings.built_subject:
        return None
    if beyond := sorted({_name_kind(name) for name in names} - set(settings.alternative_names)):
        raise _refuse(
            f"The request asks for a subject alternative name of the kind {', '.join(beyond)}, which is not given here."
        )
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        if found := _SID_URI.match(uri):
            _check_sid(settings, "uri", uri[found.end() :])
    for name in names:
        text = name_text(name)
        if not _matches(settings.alternative_name_patterns, text):
            raise _refuse(f"The request asks for the subject alternative name {text}, which is not given here.")
    return (names, False) if list(names) else None


def name_text(name: x509.GeneralName) -> str:
    """An alternative name with its kind, such as dns:router.example.com. Raises DecodeError."""
    value = asn1.read(name.value).text() if isinstance(name, x509.OtherName) else str(name.value)
    return f"{_name_kind(name)}:{value}"


def _check_sid(settings: Settings, form: str, sid: str) -> None:
    if form not in settings.windows_sids:
        raise _refuse("The request asks for the SID of a Windows account, which is not given here.")
    if not _SID.fullmatch(sid):
        raise _refuse("The request asks for the SID of a Windows account, and has none that is well-formed.")


def _basic_constraints(_settings: Settings, constraints: x509.BasicConstraints) -> _Granted:
    if constraints.ca:
        raise _refuse("The request asks for a CA certificate, which is not given here.")
    return None  # every certificate says so already


def _sid(settings: Settings, extension: x509.UnrecognizedExtension) -> _Granted:
    """The extension is a GeneralNames with one otherName, in which an OCTET STRING has the SID in ASCII.

    Nothing else may be in it: who reads the certificate might look there.
    """
    if settings.built_subject:
        return None
    other_name = asn1.read(extension.value).child(0)
    sid = other_name.child(1).child(0).octets().decode("ascii", "replace")
    only = asn1.tlv(
        asn1.context(0),
        asn1.oid(_OID_SID_VALUE),
        asn1.tlv(asn1.context(0), asn1.octet_string(sid.encode("ascii", "replace"))),
    )
    _check_sid(settings, "extension", sid if extension.value == asn1.sequence(only) else "")
    return extension, False


def _ours(_settings: Settings, _value: Any) -> _Granted:
    return None  # the CA's own affair, whatever was asked for


_HANDLERS: dict[str, _Handler] = {
    ExtensionOID.KEY_USAGE.dotted_string: _key_usage,
    ExtensionOID.EXTENDED_KEY_USAGE.dotted_string: _extended_key_usage,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string: _alternative_names,
    ExtensionOID.BASIC_CONSTRAINTS.dotted_string: _basic_constraints,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string: _ours,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string: _ours,
    ExtensionOID.CRL_DISTRIBUTION_POINTS.dotted_string: _ours,
    ExtensionOID.CERTIFICATE_POLICIES.dotted_string: _ours,
    OID_SID: _sid,
}


def _requested(settings: Settings, csr: CertificateRequest) -> dict[x509.ObjectIdentifier, tuple[Any, bool]]:
    granted: dict[x509.ObjectIdentifier, tuple[Any, bool]] = {}
    for extension in csr.extensions:
        handler = _HANDLERS.get(extension.oid.dotted_string)
        if handler is None:
            if extension.critical:
                raise _refuse(f"The request has the critical extension {extension.oid.dotted_string}, unknown here.")
            continue
        try:
            result = handler(settings, extension.value)
        except (ValueError, TypeError, DecodeError):
            raise _refuse(f"The extension {extension.oid.dotted_string} of the request is malformed.") from None
        if result is not None:
            granted[extension.oid] = result
    return granted


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(_pattern(pattern).fullmatch(text) for pattern in patterns)


def _subject(settings: Settings, authority: Authority, asked: x509.Name) -> x509.Name:
    """The subject that the certificate gets, judged as it will stand there."""
    subject = _ordered(settings, _built(settings.built_subject) if settings.built_subject else asked)
    if _folded(subject) in _taken(authority.certificates):
        raise _bad_subject("The request asks for the name of the CA or of its registration authority.")
    if (
        settings.subject_patterns
        and list(subject)
        and not _matches(settings.subject_patterns, subject.rfc4514_string())
    ):
        raise _bad_subject(f"The request asks for the subject {subject.rfc4514_string()}, which is not given here.")
    return subject


def _ordered(settings: Settings, asked: x509.Name) -> x509.Name:
    if not settings.rdn_order or len(asked.rdns) < 2:
        return asked
    places = {RDN_TYPES[word]: place for place, word in enumerate(settings.rdn_order)}
    return x509.Name(
        sorted(asked.rdns, key=lambda rdn: min(places.get(part.oid.dotted_string, len(places)) for part in rdn))
    )


def _folded(name: x509.Name) -> list[frozenset[tuple[x509.ObjectIdentifier, str]]]:
    """As names are compared (RFC 5280 section 7.1): without regard to case and to how many blanks there are."""
    return [frozenset((part.oid, " ".join(str(part.value).casefold().split())) for part in rdn) for rdn in name.rdns]


# What depends on the CA and the settings alone is made once.


@lru_cache(maxsize=64)
def _built(subject: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(subject)


@lru_cache(maxsize=16)
def _taken(certificates: tuple[x509.Certificate, ...]) -> list[list[frozenset[tuple[x509.ObjectIdentifier, str]]]]:
    return [_folded(certificate.subject) for certificate in certificates]


@lru_cache(maxsize=16)
def _of_all(ca: x509.Certificate, crl_url: str) -> tuple[x509.Extension[Any], ...]:
    """The extensions that all certificates of a CA have in common."""
    common = (
        _extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        _extension(authority_key_identifier(ca)),
    )
    points = distribution_points(crl_url, ca)
    return common if points is None else (*common, _extension(points))


def _extension(value: x509.ExtensionType, *, critical: bool = False) -> x509.Extension[Any]:
    return x509.Extension(value.oid, critical, value)


@lru_cache(maxsize=16)
def _default_usage(words: tuple[str, ...]) -> tuple[x509.KeyUsage, bool]:
    return build_key_usage(*words), True


@lru_cache(maxsize=16)
def _default_extended_usage(oids: tuple[str, ...]) -> tuple[x509.ExtendedKeyUsage, bool]:
    return x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in oids]), False


def certificate_builder(
    csr: CertificateRequest, settings: Settings, authority: Authority, serial: int, now: dt.datetime
) -> x509.CertificateBuilder:
    """The certificate that the request gets, ready to be signed. Raises Refusal (badRequest) with a sentence."""
    extensions = _requested(settings, csr)
    subject = _subject(settings, authority, csr.subject)
    if ExtensionOID.SUBJECT_ALTERNATIVE_NAME in extensions:
        names, _critical = extensions[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
        # critical where it is the only name (RFC 5280 section 4.2.1.6)
        extensions[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] = (names, not list(subject))
    elif not list(subject):
        raise _bad_subject("The request names no subject and no subject alternative name.")
    extensions.setdefault(ExtensionOID.KEY_USAGE, _default_usage(settings.default_key_usages))
    if settings.default_extended_key_usages:
        extensions.setdefault(
            ExtensionOID.EXTENDED_KEY_USAGE, _default_extended_usage(settings.default_extended_key_usages)
        )
    first, last = authority.valid
    if not first <= now <= last:
        raise _refuse("The certificate of the CA is out of date: nothing can be issued.")
    begin = max(now - dt.timedelta(minutes=settings.backdate_minutes), first)
    end = min(now + dt.timedelta(days=settings.certificate_days), last)
    return x509.CertificateBuilder(  # at once: each of its steps makes another builder, and there would be a dozen
        issuer_name=authority.ca.certificate.subject,
        subject_name=subject,
        public_key=csr.public_key,
        serial_number=serial,
        not_valid_before=begin.replace(tzinfo=None),  # both in UTC
        not_valid_after=end.replace(tzinfo=None),
        extensions=[
            *_of_all(authority.ca.certificate, settings.crl_url),
            _extension(x509.SubjectKeyIdentifier.from_public_key(csr.public_key)),
            *(x509.Extension(oid, critical, value) for oid, (value, critical) in extensions.items()),
        ],
    )
