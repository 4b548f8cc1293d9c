# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From validated options to the objects that the drivers work with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import _deps
from ..scep.algorithms import AlgorithmPolicy, policy
from ..scep.certificates import Fingerprint, load_certificate, parse_fingerprint
from ..scep.constants import KEY_USAGES
from ..scep.errors import DecodeError
from ..scep.trust import RaRules, TrustAnchor
from .context import Context
from .decide import Asked, Wanted
from .errors import OptionError
from .extensions import build_extensions, extended_key_usage
from .files import Attributes, Target, read_attributes, read_file, read_target
from .names import plain_alt_name, plain_name, read_alt_names, read_subject
from .record import SUFFIX
from .transport import Connection

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

KEY_BITS = (2048, 4096)
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
    """What goes into the PKCS#10 request, beside the key and the challenge password."""

    subject: x509.Name
    extensions: tuple[tuple[x509.ExtensionType, bool], ...]


@dataclass(frozen=True)
class Outputs:
    """The files of an enrolment."""

    key: Target
    certificate: Target
    chain: Target | None
    fullchain: Target | None
    record: Target

    def all(self) -> tuple[Target, ...]:
        """In the order in which they are written."""
        found = (self.key, self.certificate, self.chain, self.fullchain, self.record)
        return tuple(target for target in found if target is not None)


def read_server(context: Context) -> Server:
    """Connection, trust anchor, rules about RA certificates and allowed algorithms. Raises EnrollmentError."""
    params = context.params
    for option, value in params.items():
        _check_text(option, value)
    for option in ("ca_fingerprint", "ra_fingerprint"):
        if params[option] is not None and not params[option]:
            raise OptionError(option, "the list is empty; name a fingerprint, or leave the option out.")
    files = {option: context.path(option) for option in ("ca_path", "client_cert", "client_key")}
    for option, path in files.items():
        if path is not None and not path.exists():
            raise OptionError(option, f"'{path}' does not exist.")
    connection = Connection(
        params["url"],
        params["timeout"],
        params["proxy"],
        params["validate_certs"],
        **{option: None if path is None else str(path) for option, path in files.items()},
    )
    return Server(
        connection,
        TrustAnchor(_fingerprints(context, "ca_fingerprint"), _ca_certificates(context)),
        RaRules(_fingerprints(context, "ra_fingerprint"), params["require_ra_eku"]),
        policy(allow_sha1=params["allow_sha1"], legacy=params["legacy_algorithms"]),
    )


def _check_text(option: str, value: Any) -> None:
    for text in value if isinstance(value, list) else [value]:
        try:
            str(text).encode()
        except UnicodeEncodeError:
            raise OptionError(option, "it holds a character that is not Unicode text.") from None


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


def _ca_certificates(context: Context) -> tuple[x509.Certificate, ...]:
    option, data = "ca_certificate_content", (context.params["ca_certificate_content"] or "").encode("utf-8")
    path = context.path("ca_certificate_path")
    if path is not None:
        option, read = "ca_certificate_path", read_file("ca_certificate_path", path)
        if read is None:
            raise OptionError(option, f"'{path}' does not exist.")
        data = read
    elif not data:
        return ()
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
    bits = params["privatekey_size"]
    if not KEY_BITS[0] <= bits <= KEY_BITS[1]:
        raise OptionError("privatekey_size", f"{bits} bits are not supported; choose {KEY_BITS[0]} to {KEY_BITS[1]}.")
    subject = read_subject(params["subject"])
    asked = Asked(
        subject=plain_name(subject),
        subject_alt_name=_sorted(plain_alt_name(name) for name in read_alt_names(params["subject_alt_name"])),
        key_usage=tuple(name for name in KEY_USAGES if name in params["key_usage"]),
        key_usage_critical=params["key_usage_critical"],
        extended_key_usage=_sorted(extended_key_usage(name) for name in params["extended_key_usage"]),
        extended_key_usage_critical=params["extended_key_usage_critical"],
    )
    return Wanted(asked, bits, params["force"]), Request(subject, tuple(build_extensions(asked)))


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def read_outputs(context: Context) -> Outputs:
    """The files, their real paths and attributes. Raises EnrollmentError."""
    params = context.params
    public = read_attributes("", params["mode"], params["owner"], params["group"], 0o644)
    secret = read_attributes(
        "privatekey_", params["privatekey_mode"], params["privatekey_owner"], params["privatekey_group"], 0o600
    )
    certificate = _target(context, "path", public)
    record = certificate.path.with_name(certificate.path.name + SUFFIX)
    outputs = Outputs(
        _target(context, "privatekey_path", secret),
        certificate,
        _target(context, "chain_path", public) if params["chain_path"] else None,
        _target(context, "fullchain_path", public) if params["fullchain_path"] else None,
        read_target("path", record, Attributes(default_mode=0o600)),
    )
    _check_different(outputs.all())
    return outputs


def _target(context: Context, option: str, attributes: Attributes) -> Target:
    path = context.path(option)
    if path is None:
        raise OptionError(option, "it is empty; give the path of a file.")
    return read_target(option, path, attributes)


def _check_different(targets: Sequence[Target]) -> None:
    seen: dict[Path, str] = {}
    for target in targets:
        other = seen.setdefault(target.path, target.option)
        if other != target.option:
            raise OptionError(target.option, f"'{target.path}' is also the file of {other}; each needs its own.")
