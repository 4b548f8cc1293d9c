# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From validated options to the objects that the drivers work with."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import _deps
from ..connection import read_connection
from ..context import Context
from ..errors import OptionError
from ..http_client import Connection
from ..scep.algorithms import AlgorithmPolicy, policy
from ..scep.certificates import Fingerprint, load_certificate, parse_fingerprint
from ..scep.constants import KEY_USAGES
from ..scep.csr import CertificateRequest, read_csr, verify_csr
from ..scep.errors import DecodeError, ScepError
from ..scep.trust import RaRules, TrustAnchor
from .decide import Asked, Wanted
from .extensions import asked_in, build_extensions, extended_key_usage
from .files import NAME_OCTETS, Target, read_file, read_target
from .names import plain_alt_name, plain_name, read_alt_names, read_subject, sid_name
from .ownership import Attributes, read_attributes
from .pending import SUFFIX as PENDING_SUFFIX
from .record import SUFFIX as RECORD_SUFFIX

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

KEY_BITS = (2048, 4096)
_PEM_REQUEST = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.+?)-----END", re.DOTALL)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Server:
    """Whom to talk to, and whom to trust there."""

    connection: Connection
    anchor: TrustAnchor
    ra: RaRules
    allowed: AlgorithmPolicy


@dataclass(frozen=True)
class Request:
    """What goes into the PKCS#10 request, beside the key and the challenge password.

    `given` is a request of somebody else's making, whose private key is not here; it is sent as it is.
    """

    subject: x509.Name
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    given: CertificateRequest | None = None


@dataclass(frozen=True)
class Outputs:
    """The files of an enrolment. `key` is None where the private key is somewhere else."""

    key: Target | None
    certificate: Target
    chain: Target | None
    fullchain: Target | None
    pkcs12: Target | None
    record: Target
    pending: Target

    def all(self) -> tuple[Target, ...]:
        """In the order in which they are written; all but the open transaction, which has its own time."""
        found = (self.key, self.certificate, self.chain, self.fullchain, self.pkcs12, self.record)
        return tuple(target for target in found if target is not None)


@dataclass(frozen=True)
class KeyForm:
    """How a private key is written: `format` is pkcs8 or pkcs1, in PEM."""

    format: str
    passphrase: str | None


@dataclass(frozen=True)
class Pkcs12Form:
    """How a PKCS#12 file is written: `encryption` is modern or legacy."""

    passphrase: str
    friendly_name: str | None
    encryption: str


def read_server(context: Context) -> Server:
    """Connection, trust anchor, rules about RA certificates and allowed algorithms. Raises EnrollmentError."""
    params, connection = context.params, read_connection(context)
    for option in ("ca_fingerprint", "ra_fingerprint"):
        if params[option] is not None and not params[option]:
            raise OptionError(option, "the list is empty; name a fingerprint, or leave the option out.")
    return Server(
        connection,
        TrustAnchor(_fingerprints(context, "ca_fingerprint"), _ca_certificates(context)),
        RaRules(_fingerprints(context, "ra_fingerprint"), params["require_ra_eku"]),
        policy(allow_sha1=params["allow_sha1"], legacy=params["legacy_algorithms"]),
    )


def _fingerprints(context: Context, option: str) -> tuple[Fingerprint, ...]:
    found = []
    for text in context.params[option] or ():
        try:
            fingerprint = parse_fingerprint(text)
        except ValueError as error:
            raise OptionError(option, str(error)) from None
        if fingerprint.weak:
            context.warn(
                f"{option}: {fingerprint} is taken, but such a digest can be forged with effort; "
                "netcert.ndes.scep_ca_info prints the SHA-256 fingerprint of the same certificate."
            )
        found.append(fingerprint)
    return tuple(found)


def read_given(context: Context, name: str) -> tuple[str, bytes] | None:
    """(option, what it brings) of NAME_path or NAME_content; None where neither is set. Raises EnrollmentError."""
    path = context.path(f"{name}_path")
    if path is not None:
        return f"{name}_path", _read_existing(f"{name}_path", path)
    content: str | None = context.params[f"{name}_content"]
    return (f"{name}_content", content.encode("utf-8")) if content else None


def _read_existing(option: str, path: Path) -> bytes:
    data = read_file(option, path)
    if data is None:
        raise OptionError(option, f"'{path}' does not exist.")
    return data


def _ca_certificates(context: Context) -> tuple[x509.Certificate, ...]:
    given = read_given(context, "ca_certificate")
    if given is None:
        return ()
    option, data = given
    try:
        return read_certificates(data)
    except DecodeError as error:
        raise OptionError(option, f"no CA certificate can be read from it. {error}") from None


def read_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file, or one in DER. Raises DecodeError."""
    return tuple(load_certificate(block) for block in _PEM.findall(data) or [data])


def read_wanted(context: Context) -> tuple[Wanted, Request]:
    """What the certificate is to be. Raises OptionError."""
    params = context.params
    given = _given_request(context)
    if given is None:
        bits: int = params["privatekey_size"]
        if not KEY_BITS[0] <= bits <= KEY_BITS[1]:
            raise OptionError(
                "privatekey_size", f"{bits} bits are not supported; choose {KEY_BITS[0]} to {KEY_BITS[1]}."
            )
        subject = read_subject(params["subject"])
        asked = _asked(params, subject)
        request = Request(subject, tuple(build_extensions(asked)))
    else:
        asked, request = asked_in(given), Request(given.subject, given=given)
    fraction = params["remaining_percentage"]
    if fraction is not None and not 0 <= fraction <= 1:
        raise OptionError("remaining_percentage", f"{fraction:g} is no fraction; give 0.2 for twenty percent.")
    days = params["remaining_days"]
    if days is not None and days < 0:
        raise OptionError("remaining_days", f"{days} days cannot remain; give a number from 0.")
    wanted = Wanted(
        asked,
        params["privatekey_size"] if given is None else None,
        params["force"],
        days,
        fraction,
        params["rekey"],
        params["strict"],
    )
    return wanted, request


def _asked(params: Mapping[str, Any], subject: x509.Name) -> Asked:
    names = list(params["subject_alt_name"])
    if params["sid"]:
        names.append(sid_name(params["sid"]))
    return Asked(
        subject=plain_name(subject),
        subject_alt_name=_sorted(plain_alt_name(name) for name in read_alt_names(names)),
        key_usage=tuple(name for name in KEY_USAGES if name in params["key_usage"]),
        key_usage_critical=params["key_usage_critical"],
        extended_key_usage=_sorted(extended_key_usage(name) for name in params["extended_key_usage"]),
        extended_key_usage_critical=params["extended_key_usage_critical"],
    )


def _given_request(context: Context) -> CertificateRequest | None:
    """The PKCS#10 request of csr_path or csr_content, in PEM or DER, when its signature holds."""
    given = read_given(context, "csr")
    if given is None:
        return None
    option, data = given
    found = _PEM_REQUEST.search(data)
    try:
        request = read_csr(base64.b64decode(found[1]) if found else data)
        verify_csr(request, policy(legacy=True))
    except (ScepError, ValueError) as error:
        raise OptionError(option, f"no PKCS#10 request can be read from it. {error}") from None
    return request


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def read_outputs(context: Context) -> Outputs:
    """The files, their real paths and attributes. Raises EnrollmentError."""
    params = context.params
    public = read_attributes("", params["mode"], params["owner"], params["group"], 0o644)
    secret = read_attributes(
        "privatekey_", params["privatekey_mode"], params["privatekey_owner"], params["privatekey_group"], 0o600
    )
    certificate = read_output(context, "path", public)

    def beside(suffix: str) -> Target:
        path = certificate.path.with_name(certificate.path.name + suffix)
        return read_target("path", path, Attributes(mode=0o600, default_mode=0o600))

    outputs = Outputs(
        read_output(context, "privatekey_path", secret) if params["privatekey_path"] else None,
        certificate,
        read_output(context, "chain_path", public) if params["chain_path"] else None,
        read_output(context, "fullchain_path", public) if params["fullchain_path"] else None,
        read_output(context, "pkcs12_path", secret) if params["pkcs12_path"] else None,
        beside(RECORD_SUFFIX),
        beside(PENDING_SUFFIX),
    )
    _check_different((*outputs.all(), outputs.pending))
    return outputs


def read_key_form(context: Context) -> KeyForm:
    """How the private key is to be written."""
    return KeyForm(context.params["privatekey_format"], context.params["privatekey_passphrase"] or None)


def read_pkcs12_form(context: Context) -> Pkcs12Form | None:
    """How the PKCS#12 file is to be written, None without one. Raises OptionError."""
    params = context.params
    if not params["pkcs12_path"]:
        return None
    if not params["pkcs12_passphrase"]:
        raise OptionError("pkcs12_passphrase", "it is empty; a PKCS#12 file holds the private key, so give one.")
    return Pkcs12Form(params["pkcs12_passphrase"], params["pkcs12_friendly_name"], params["pkcs12_encryption"])


def read_output(context: Context, option: str, attributes: Attributes) -> Target:
    """The file that an option names, to be written. Raises EnrollmentError."""
    path = context.path(option)
    if path is None:
        raise OptionError(option, "it is empty; give the path of a file.")
    target = read_target(option, path, attributes)
    octets = len(os.fsencode(target.path.name))
    if octets > NAME_OCTETS:
        raise OptionError(
            option,
            f"the name of the file '{target.path}' has {octets} octets, and {NAME_OCTETS} are the most, as new content "
            "waits beside it under a longer name; choose a shorter one.",
        )
    return target


def _check_different(targets: Sequence[Target]) -> None:
    seen: dict[Path, str] = {}
    for target in targets:
        other = seen.setdefault(target.path, target.option)
        if other != target.option:
            raise OptionError(target.option, f"'{target.path}' is also the file of {other}; each needs its own.")
