# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NDES does otherwise than RFC 8894, as settings: each a switch of its own, and profiles that set them together.

How sure it is that NDES behaves so is said in the guide "How faithful is it".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import SERVER_WORDS

from ..setting_checks import IN_GET_CA_CERT, between, distinguished_name_or_empty, login_names, one_of, some_of, told

DEFAULT_TEMPLATE = "IPSECIntermediateOffline"
"""To which all three names of the registry are set by the installation of NDES."""

# Names of the registry whose values are names of templates, and the settings that they stand for.
TEMPLATE_NAMES = {
    "SignatureTemplate": "signature_template",
    "EncryptionTemplate": "encryption_template",
    "GeneralPurposeTemplate": "general_purpose_template",
}

OF_TEMPLATES = (
    "published",
    "admin_users",
    "approval",
    "certificate_days",
    "min_rsa_bits",
    "built_subject",
    "subject_patterns",
    "rdn_order",
    "alternative_names",
    "alternative_name_patterns",
    "windows_sids",
    "key_usages",
    "default_key_usages",
    "extended_key_usages",
    "default_extended_key_usages",
    "usages_not_given",
)
"""The settings that a template may have."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """The settings that profiles are made of, and those of the administration page."""

    profile: str = field(
        default="rfc8894",
        metadata=told(
            "Other defaults for settings that are not given: rfc8894 has none, ndes behaves like NDES.",
            one_of("rfc8894", "ndes"),
        ),
    )
    capabilities: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "What GetCACaps tells, in this order, as far as it is true; empty: all that is true.",
            some_of(*SERVER_WORDS),
        ),
    )
    capabilities_content_type: str = field(
        default="text/plain",
        metadata=told("Content-Type of GetCACaps; empty: there is none.", one_of("text/plain", "")),
    )
    ca_certificates_order: tuple[str, ...] = field(
        default=IN_GET_CA_CERT,
        metadata=told(
            "Order of the certificates in GetCACert, others behind them; by default that of NDES, empty: as DER sorts "
            "a set. Clients should not rely on any.",
            some_of(*IN_GET_CA_CERT),
        ),
    )
    refusal_certificates: bool = field(
        default=True, metadata=told("Whether a FAILURE reply has the certificate of its signer in it.")
    )
    refusal_text: bool = field(default=True, metadata=told("Whether a FAILURE reply says why (failInfoText)."))
    error_attribute: bool = field(
        default=False,
        metadata=told("Whether a FAILURE reply has Microsoft's attribute with an HRESULT (1.3.6.1.4.1.311.21.33)."),
    )
    lookups: bool = field(default=True, metadata=told("Whether GetCert and GetCRL are answered."))
    next_ca: bool = field(default=True, metadata=told("Whether GetNextCACert is offered and answered."))
    cache_request_minutes: int = field(
        default=0,
        metadata=told(
            "Minutes during which a request with the transactionID or the key of an earlier one gets the certificate "
            "of that one, whatever it asks for; 0: never.",
            between(0, 10080),
        ),
    )
    policy_module: bool = field(
        default=False,
        metadata=told("Whether the address for devices answers people with 403, as with a policy module (Intune)."),
    )
    otp_forgotten_at_start: bool = field(
        default=False, metadata=told("Whether unused one-time passwords are forgotten when the server starts.")
    )

    admin_page: bool = field(
        default=False,
        metadata=told("Whether there are pages where NDES has them; /certsrv/mscep_admin/ hands out passwords."),
    )
    admin_auth: tuple[str, ...] = field(
        default=("negotiate", "ntlm"),
        metadata=told(
            "Ways to log in to the administration page, in the order of their headers; all but basic need pyspnego.",
            some_of("negotiate", "ntlm", "basic"),
        ),
    )
    users_file: str = field(
        default="",
        metadata=told(
            "File of lines DOMAIN:user:password, relative to the state folder, for log-ins with a password; a user who "
            "logs in as user@REALM has an empty domain."
        ),
    )
    keytab: str = field(
        default="",
        metadata=told(
            "Keytab for Kerberos in negotiate, relative to the state folder; it needs gssapi. Empty: no Kerberos."
        ),
    )
    admin_epa: str = field(
        default="none",
        metadata=told(
            "Whether log-ins by negotiate and ntlm are bound to the TLS connection (extended protection): none, allow "
            "(a binding that is given has to be right), or require.",
            one_of("none", "allow", "require"),
        ),
    )
    admin_users: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "Who gets passwords on the administration page, as DOMAIN\\user or, by Kerberos, user@REALM; others are "
            "told that they have no permission. Empty: whoever logs in.",
            login_names,
        ),
    )
    people_page: bool = field(
        default=True,
        metadata=told(
            "Whether there is a page at / on which people look at the server, decide on requests and revoke "
            "certificates, behind the log-in of the administration page; without admin_page there is none."
        ),
    )
    people_users: tuple[str, ...] = field(
        default=(),
        metadata=told(
            "Who may use the page at /, in the form of admin_users; empty: whoever has the right to enroll by that.",
            login_names,
        ),
    )
    admin_page_encoding: str = field(
        default="utf-16le",
        metadata=told(
            "How the pages are encoded: utf-16le as NDES does, utf-16le-bom with a byte order mark, or utf-8.",
            one_of("utf-16le", "utf-16le-bom", "utf-8"),
        ),
    )
    admin_page_nul: bool = field(default=True, metadata=told("Whether a NUL ends the pages, as on NDES."))
    otp_octets: int = field(
        default=16,
        metadata=told("Octets of a password that the server makes; it has two digits for each.", between(4, 64)),
    )

    event_log: bool = field(
        default=False,
        metadata=told(
            "Whether events are written to log/ndes-events.jsonl; 'log set' switches it while the server runs."
        ),
    )
    mscep_log: bool = field(
        default=False,
        metadata=told(
            "Whether log/mscep.log tells line by line what becomes of each request; 'log set' switches it while the "
            "server runs."
        ),
    )
    log_megabytes: int = field(
        default=10,
        metadata=told(
            "Megabytes after which each of these two begins anew; the one before stays beside it, with .1 at the end "
            "of its name.",
            between(1, 10000),
        ),
    )
    event_31_swapped: bool = field(
        default=False,
        metadata=told(
            "Whether event 31 has its text in ErrorCode and its number in ErrorMessage, as that of NDES has."
        ),
    )

    templates: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata=told(
            "Templates of the CA by their CN, each an object of settings that count, in place of the server's own, for "
            f"the requests that it gets; it may have {', '.join(OF_TEMPLATES)}. Empty: there are no templates."
        ),
    )
    signature_template: str = field(
        default=DEFAULT_TEMPLATE,
        metadata=told("Template of requests for the key usage digitalSignature without keyEncipherment."),
    )
    encryption_template: str = field(
        default=DEFAULT_TEMPLATE,
        metadata=told("Template of requests for the key usage keyEncipherment without digitalSignature."),
    )
    general_purpose_template: str = field(
        default=DEFAULT_TEMPLATE,
        metadata=told("Template of all other requests: for both of these key usages, or without a key usage."),
    )
    published: bool = field(
        default=True,
        metadata=told("Whether the CA issues the template; false refuses its requests, as one that there is not."),
    )
    built_subject: str = field(
        default="",
        metadata=told(
            "Subject that certificates get, RFC 4514, whatever names their requests have, as a CA builds it from an "
            "account; empty: the names of the request.",
            distinguished_name_or_empty,
        ),
    )

    @cached_property
    def of_template(self) -> dict[str, Self]:
        """For each template that a request can get: the settings with its own in their place.

        A name of which there is no template is like one that is not published. Empty where there are no templates.
        """
        names = dict.fromkeys(getattr(self, name) for name in TEMPLATE_NAMES.values()) if self.templates else {}
        return {name: dataclasses.replace(self, **self.templates.get(name, {"published": False})) for name in names}


# Profile -> settings with another default than the table of settings says.
PROFILES: dict[str, dict[str, Any]] = {
    "rfc8894": {},
    "ndes": {
        "capabilities": ("POSTPKIOperation", "Renewal", "SHA-512", "SHA-256", "SHA-1", "DES3"),
        "capabilities_content_type": "",
        "refusal_certificates": False,
        "refusal_text": False,
        "error_attribute": True,
        "empty_reply": "zero",
        "lookups": False,
        "next_ca": False,
        "cache_request_minutes": 20,
        "retransmission_minutes": 20,
        "challenge_used_up": "match",
        "otp_forgotten_at_start": True,
        "otp_octets": 8,
        "otp_outstanding": 5,
        "rdn_order": ("emailAddress", "CN", "OU", "O", "L", "ST", "DC", "C"),
        "usages_not_given": "leave_out",
        "windows_sids": ("uri",),
        "admin_page": True,
        "event_log": True,
        "event_31_swapped": True,
        # the template of the installation, as settings: so each of them counts that is given
        "templates": {DEFAULT_TEMPLATE: {}},
        "certificate_days": 730,
        "key_usages": ("digital_signature", "key_encipherment"),
        "extended_key_usages": ("1.3.6.1.5.5.8.2.2",),
        "default_extended_key_usages": ("1.3.6.1.5.5.8.2.2",),
    },
}


def _single(value: Any) -> dict[str, Any]:
    return {"challenge": "single"} if value else {}


def _enforce(value: Any) -> dict[str, Any]:
    return {} if value else {"challenge": "none", "allow_no_challenge": True}


def _stands_for(setting: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {setting: value}


# Names of NDES's registry (HKLM\\SOFTWARE\\Microsoft\\Cryptography\\MSCEP), and the settings that they stand for.
MSCEP: dict[str, Callable[[Any], dict[str, Any]]] = {
    "PasswordLength": _stands_for("otp_octets"),
    "PasswordMax": _stands_for("otp_outstanding"),
    "PasswordValidity": _stands_for("otp_minutes"),
    "UseSinglePassword": _single,
    "EnforcePassword": _enforce,
    "CacheRequest": _stands_for("cache_request_minutes"),
    "DisableRenewalSubjectNameMatch": lambda value: {"renewal_same_names": not value},
    **{name: _stands_for(setting) for name, setting in TEMPLATE_NAMES.items()},
}


def expanded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the names of the registry replaced, on top of those of the profile.

    A profile that there is not is left to the check of the setting.
    """
    profile = values.get("profile")
    found: dict[str, Any] = dict(PROFILES.get(profile, {})) if isinstance(profile, str) else {}
    own = {name: value for name, value in values.items() if name not in MSCEP}
    for name, value in values.items():
        if name in MSCEP:
            found.update(MSCEP[name](value))
    return {**found, **own}
