# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extensions of a request: alternative names, key usage, extended key usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _deps
from ..errors import OptionError
from ..scep.certificates import build_key_usage
from ..scep.constants import KEY_USAGES
from .decide import Asked
from .names import object_identifier, plain_alt_name, plain_name, read_alt_names

if TYPE_CHECKING:
    from ..scep.csr import CertificateRequest

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

EXTENDED_KEY_USAGES = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
    "ipsecIKE": "1.3.6.1.5.5.7.3.17",
    "msSmartcardLogin": "1.3.6.1.4.1.311.20.2.2",
    "anyExtendedKeyUsage": "2.5.29.37.0",
}
"""Purposes by name (RFC 5280 section 4.2.1.12, RFC 4945 section 5.1.3.12); others are asked for by their OID."""

_NAMES = {oid: name for name, oid in EXTENDED_KEY_USAGES.items()}


def purpose(dotted: str) -> str:
    """The canonical form of a purpose that somebody else has encoded: its name in the table, or as it is."""
    return _NAMES.get(dotted, dotted)


def extended_key_usage(value: str) -> str:
    """The canonical form of a purpose that is asked for by name or dotted identifier. Raises OptionError."""
    if object_identifier(value) is not None:
        return purpose(value)
    for name in EXTENDED_KEY_USAGES:
        if name.lower() == value.lower():
            return name
    known = ", ".join(EXTENDED_KEY_USAGES)
    raise OptionError(
        "extended_key_usage", f"'{value}' is not a purpose that is known here ({known}, or a dotted OID)."
    )


def build_extensions(asked: Asked) -> Sequence[tuple[x509.ExtensionType, bool]]:
    """(extension, critical) pairs for a PKCS#10 request. Raises OptionError."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if asked.subject_alt_name:
        found.append((x509.SubjectAlternativeName(read_alt_names(asked.subject_alt_name)), False))
    if asked.key_usage:
        try:
            found.append((build_key_usage(*(KEY_USAGES[name] for name in asked.key_usage)), asked.key_usage_critical))
        except ValueError as error:
            raise OptionError("key_usage", f"{error}.") from None
    if asked.extended_key_usage:
        identifiers = [x509.ObjectIdentifier(EXTENDED_KEY_USAGES.get(name, name)) for name in asked.extended_key_usage]
        found.append((x509.ExtendedKeyUsage(identifiers), asked.extended_key_usage_critical))
    return found


def asked_in(request: CertificateRequest) -> Asked:
    """What a PKCS#10 request of somebody else's making asks for."""
    found: dict[str, Any] = {}
    for extension in request.extensions:
        read = _READERS.get(extension.oid.dotted_string)
        if read is not None:
            found.update(read(extension.value, extension.critical))
    return Asked(subject=plain_name(request.subject), **found)


def _names(value: x509.SubjectAlternativeName, _critical: bool) -> dict[str, Any]:
    return {"subject_alt_name": tuple(sorted({plain_alt_name(name) for name in value}))}


def _usage(value: x509.KeyUsage, critical: bool) -> dict[str, Any]:
    # The library answers for two of the bits only where a third one is set.
    agreement = ("encipherOnly", "decipherOnly")
    words = [word for word in KEY_USAGES if word not in agreement or value.key_agreement]
    asked = tuple(word for word in words if getattr(value, KEY_USAGES[word]))
    return {"key_usage": asked, "key_usage_critical": critical}


def _extended_usage(value: x509.ExtendedKeyUsage, critical: bool) -> dict[str, Any]:
    asked = tuple(sorted(purpose(usage.dotted_string) for usage in value))
    return {"extended_key_usage": asked, "extended_key_usage_critical": critical}


_READERS: dict[str, Callable[[Any, bool], dict[str, Any]]] = {
    "2.5.29.17": _names,
    "2.5.29.15": _usage,
    "2.5.29.37": _extended_usage,
}
