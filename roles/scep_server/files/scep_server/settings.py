# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be set, in one table: name, type, default, what is allowed.

The settings live in `settings.json` in the state folder, an object with the names below; what is left out keeps its
default.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import SettingsError
from .files import write_atomically
from .ndes.switches import MSCEP, OF_TEMPLATES, TEMPLATE_NAMES, Switches, expanded
from .setting_checks import (
    ALTERNATIVE_NAMES,
    CA_KEYS,
    KEY_USAGES,
    RA_KEYS,
    RDN_TYPES,
    Check,
    address,
    between,
    distinguished_name,
    one_of,
    patterns,
    some_of,
    told,
    url,
    usages,
)

FILE = "settings.json"


@dataclass(frozen=True, kw_only=True)
class Settings(Switches):
    """All settings, checked. Those marked (init) are read when a CA is made; one that is there stays as it is."""

    ca_subject: str = field(
        default="CN=netcert.ndes test CA", metadata=told("(init) Subject of the CA, RFC 4514.", distinguished_name)
    )
    layout: str = field(
        default="ra_pair",
        metadata=told(
            "(init) Who signs and decrypts: one RA certificate for each (ra_pair, as NDES has it), one RA certificate "
            "for both (ra_single), or the CA itself (ca_only).",
            one_of("ra_pair", "ra_single", "ca_only"),
        ),
    )
    ca_key: str = field(default="rsa-2048", metadata=told("(init) Kind and size of the CA's key.", one_of(*CA_KEYS)))
    ca_days: int = field(
        default=3650, metadata=told("(init) Days for which the CA's certificate is valid.", between(1, 36500))
    )
    ra_key: str = field(default="rsa-2048", metadata=told("(init) Kind and size of the RA keys.", one_of(*RA_KEYS)))
    ra_days: int = field(
        default=730, metadata=told("(init) Days for which the RA certificates are valid.", between(1, 36500))
    )

    database: str = field(
        default="",
        metadata=told("URL of the database in SQLAlchemy's form; empty: SQLite in the state folder."),
    )

    bind: str = field(default="127.0.0.1:8080", metadata=told("HOST:PORT to listen on.", address))
    tls_certificate: str = field(
        default="",
        metadata=told(
            "PEM file with the server's TLS certificate and chain, relative to the state folder; empty: plain HTTP."
        ),
    )
    tls_key: str = field(default="", metadata=told("PEM file with the key of tls_certificate."))
    workers: int = field(default=2, metadata=told("Processes that answer requests.", between(1, 64)))
    threads: int = field(default=8, metadata=told("Threads of each process.", between(1, 256)))
    request_seconds: int = field(
        default=10, metadata=told("Seconds within which a client has to send its request.", between(1, 600))
    )
    keep_alive_seconds: int = field(
        default=15, metadata=told("Seconds for which an idle connection is kept.", between(1, 600))
    )

    allow_sha1: bool = field(default=True, metadata=told("Whether messages and requests signed with SHA-1 are taken."))
    legacy_algorithms: bool = field(default=False, metadata=told("Whether MD5 and single DES are taken."))
    min_rsa_bits: int = field(
        default=2048, metadata=told("Smallest RSA key that is certified, in bits.", between(1024, 8192))
    )

    challenge: str = field(
        default="one_time",
        metadata=told(
            "Challenge passwords that are taken: one_time (made by 'otp create'), single (one that the server made), "
            "static (one that was given with 'challenge set'), or none, which needs allow_no_challenge.",
            one_of("one_time", "single", "static", "none"),
        ),
    )
    allow_no_challenge: bool = field(
        default=False,
        metadata=told("Whether challenge may be none: whoever reaches the server gets a certificate."),
    )
    challenge_used_up: str = field(
        default="issue",
        metadata=told(
            "When a one-time password is used up: by a request that is granted or waits for approval (issue), or by "
            "the first authentic request that has it, even if that is refused for another reason (match).",
            one_of("issue", "match"),
        ),
    )
    otp_minutes: int = field(
        default=60, metadata=told("Minutes after which an unused one-time password expires.", between(1, 525600))
    )
    otp_outstanding: int = field(
        default=1000, metadata=told("One-time passwords that may be unused at a time.", between(1, 1000000))
    )
    retransmission_minutes: int = field(
        default=60,
        metadata=told("Minutes during which an identical request gets the same certificate again.", between(0, 10080)),
    )

    renewal: bool = field(
        default=True,
        metadata=told("Whether a request signed by a valid certificate of this server renews it without a password."),
    )
    renewal_same_names: bool = field(
        default=True,
        metadata=told("Whether a renewal has to ask for the subject and alternative names of the old certificate."),
    )
    renewal_days: int = field(
        default=0,
        metadata=told(
            "Days before notAfter within which a certificate may be renewed; 0: at any time.", between(0, 36500)
        ),
    )
    approval: str = field(
        default="none",
        metadata=told(
            "Which requests wait for 'requests approve': none, enrolment (all but renewals), or all.",
            one_of("none", "enrolment", "all"),
        ),
    )

    certificate_days: int = field(
        default=365, metadata=told("Days for which an issued certificate is valid.", between(1, 36500))
    )
    backdate_minutes: int = field(
        default=5, metadata=told("Minutes by which notBefore lies in the past, for slow clocks.", between(0, 1440))
    )
    signer_key_must_match: bool = field(
        default=True,
        metadata=told(
            "Whether a PKCSReq has to be signed with the key that it asks a certificate for (RFC 8894 section 2.3)."
        ),
    )
    subject_patterns: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "Regular expressions for subjects in the form of RFC 4514; a whole subject has to match one. Empty: any.",
            patterns,
        ),
    )
    alternative_name_patterns: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "Regular expressions for alternative names such as dns:router.example.com or ip:192.0.2.1; each whole name "
            "has to match one. Empty: any.",
            patterns,
        ),
    )
    rdn_order: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "Order into which the parts of a subject are brought, others behind them; empty: as requested.",
            some_of(*RDN_TYPES),
        ),
    )
    windows_sids: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "How a request may name the SID of a Windows account, which domain controllers log on by: extension "
            "(1.3.6.1.4.1.311.25.2), uri (tag:microsoft.com,2022-09-14:sid:...). Empty: such requests are refused.",
            some_of("extension", "uri"),
        ),
    )
    key_usages: tuple[str, ...] = field(
        default=KEY_USAGES, metadata=told("Key usages that a request may ask for.", some_of(*KEY_USAGES))
    )
    default_key_usages: tuple[str, ...] = field(
        default=("digital_signature", "key_encipherment"),
        metadata=told("Key usages of who asks for none.", some_of(*KEY_USAGES)),
    )
    extended_key_usages: tuple[str, ...] = field(
        default=(
            "1.3.6.1.5.5.7.3.1",  # serverAuth
            "1.3.6.1.5.5.7.3.2",  # clientAuth
            "1.3.6.1.5.5.7.3.4",  # emailProtection
            "1.3.6.1.5.5.7.3.5",  # ipsecEndSystem
            "1.3.6.1.5.5.7.3.6",  # ipsecTunnel
            "1.3.6.1.5.5.7.3.7",  # ipsecUser
            "1.3.6.1.5.5.7.3.17",  # ipsecIKE
            "1.3.6.1.5.5.8.2.2",  # iKEIntermediate
        ),
        metadata=told("Extended key usages that a request may ask for, as object identifiers.", usages),
    )
    default_extended_key_usages: tuple[str, ...] = field(
        default=("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"),
        metadata=told("Extended key usages of who asks for none.", usages),
    )
    usages_not_given: str = field(
        default="refuse",
        metadata=told(
            "What becomes of a request for usages that it may not ask for: it is refused (refuse), or granted without "
            "them, with the defaults where none is left (leave_out), as by a CA with templates of its own.",
            one_of("refuse", "leave_out"),
        ),
    )
    alternative_names: tuple[str, ...] = field(
        default=ALTERNATIVE_NAMES,
        metadata=told("Kinds of subject alternative names that a request may ask for.", some_of(*ALTERNATIVE_NAMES)),
    )

    crl_url: str = field(
        default="",
        metadata=told("URL of the CRL, written into each certificate, with {ca} for the CA's id; empty: none is.", url),
    )
    crl_days: int = field(
        default=7, metadata=told("Days for which a CRL is valid; it is renewed at half of them.", between(1, 366))
    )
    empty_reply: str = field(
        default="absent",
        metadata=told(
            "Content of a FAILURE or PENDING reply: absent (RFC 8894 section 3.1), empty, as certmonger needs it, or "
            "one octet zero, as NDES sends it (zero).",
            one_of("absent", "empty", "zero"),
        ),
    )
    next_ca_signer: str = field(
        default="ca",
        metadata=told(
            "Whose key signs the answer to GetNextCACert: ca (RFC 8894 section 4.7.1), or ra (for jscep, PyScep).",
            one_of("ca", "ra"),
        ),
    )


_SWITCHES = {entry.name for entry in dataclasses.fields(Switches)}
_FIELDS = {
    entry.name: entry for entry in sorted(dataclasses.fields(Settings), key=lambda entry: entry.name in _SWITCHES)
}
_DEFAULTS = vars(Settings())
_TYPE_WORDS = {
    bool: "true or false",
    int: "a whole number",
    str: "a text",
    tuple: "a list of texts",
    dict: "an object of objects",
}


def parse(values: Mapping[str, Any]) -> Settings:
    """Check plain values, as JSON gives them. Raises SettingsError with a sentence that names the setting."""
    if unknown := sorted(set(values) - set(_FIELDS) - set(MSCEP)):
        names = (*_FIELDS, *MSCEP)
        near = {close: None for name in unknown for close in difflib.get_close_matches(name, names)}
        others = f"similar ones are {', '.join(near)}" if near else f"there are {', '.join(_FIELDS)}"
        raise SettingsError(f"There is no setting {', '.join(unknown)}; {others}.")
    checked = {name: _value(name, value) for name, value in expanded(values).items()}
    settings = Settings(**checked)
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("The settings tls_certificate and tls_key belong together: give both or none.")
    if settings.challenge == "none" and not settings.allow_no_challenge:
        raise SettingsError(
            "With the setting challenge none anybody who reaches the server gets certificates: if that is meant, set "
            "allow_no_challenge as well."
        )
    _check_admin_page(settings)
    _check_templates(settings)
    if settings.layout == "ca_only" and not settings.ca_key.startswith("rsa"):
        raise SettingsError(f"In the layout ca_only the CA decrypts, which a key {settings.ca_key} cannot: set ca_key.")
    return settings


def _check_admin_page(settings: Settings) -> None:
    if not settings.admin_page:
        return
    if not settings.admin_auth:
        raise SettingsError("The setting admin_auth is empty: name a way to log in, or set admin_page to false.")
    needed = {"negotiate": settings.users_file or settings.keytab}
    if lacking := [word for word in settings.admin_auth if not needed.get(word, settings.users_file)]:
        raise SettingsError(
            f"Nobody could log in by {', '.join(lacking)} (see admin_auth): set users_file, or keytab for negotiate."
        )
    if settings.admin_epa != "none" and not settings.tls_certificate:
        raise SettingsError(
            f"The setting admin_epa {settings.admin_epa} binds log-ins to TLS, which needs tls_certificate and tls_key."
        )


def _check_templates(settings: Settings) -> None:
    """The key that signs a message is judged before anybody knows which template is asked for."""
    for template, overlay in settings.templates.items():
        if (bits := overlay.get("min_rsa_bits", settings.min_rsa_bits)) < settings.min_rsa_bits:
            raise SettingsError(
                f"The setting min_rsa_bits of the template {template} is {bits}, and the server takes no key below its "
                f"own min_rsa_bits, {settings.min_rsa_bits}: lower that one, and raise it in the other templates."
            )


def _template(name: str, overlay: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(overlay) - set(OF_TEMPLATES)):
        raise SettingsError(
            f"The template {name} cannot have {', '.join(unknown)}; it may have {', '.join(OF_TEMPLATES)}."
        )
    return {setting: _value(setting, value, f" of the template {name}") for setting, value in overlay.items()}


def _value(name: str, value: Any, where: str = "") -> Any:
    kind = type(_DEFAULTS[name])
    if kind is dict:
        right = isinstance(value, Mapping) and all(isinstance(item, Mapping) for item in value.values())
        value = {key: _template(key, item) for key, item in value.items()} if right else value
    elif kind is tuple:
        right = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        value = tuple(value) if right else value
    else:
        right = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    if not right:
        raise SettingsError(
            f"The setting {name}{where} must be {_TYPE_WORDS[kind]}, not {json.dumps(value, default=str)}."
        )
    check: Check | None = _FIELDS[name].metadata["check"]
    if check is not None and (objection := check(value)) is not None:
        raise SettingsError(f"The setting {name}{where} {objection}; it is {json.dumps(value)}.")
    return value


def table() -> list[tuple[str, Any, str]]:
    """(name, default, what it means) of each setting."""
    return [(name, _DEFAULTS[name], str(entry.metadata["about"])) for name, entry in _FIELDS.items()]


def parse_assignment(text: str) -> tuple[str, Any]:
    """NAME=VALUE from the command line: the value is JSON where the setting is no text. Raises SettingsError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"{text!r} is not of the form NAME=VALUE.")
    setting = TEMPLATE_NAMES.get(name, name)
    if setting not in MSCEP and isinstance(_DEFAULTS.get(setting, ""), str):
        return name, value
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        raise SettingsError(f"The setting {name} takes JSON here, which {value!r} is not.") from None


def read_values(state: Path) -> dict[str, Any]:
    """The values of the settings file, unchecked; empty without a file. Raises SettingsError."""
    path = state / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"The settings file {path} must be a JSON object of names and values.")
    return values


def load(state: Path) -> Settings:
    """The settings of a state folder. Raises SettingsError."""
    return parse(read_values(state))


def save(state: Path, values: Mapping[str, Any]) -> None:
    """Check and write the values. Raises SettingsError."""
    parse(values)
    write_atomically(state / FILE, json.dumps(dict(values), indent=2, sort_keys=True).encode() + b"\n", mode=0o600)
