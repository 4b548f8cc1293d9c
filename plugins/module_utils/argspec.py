# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules, for both entrances. The words about them stand in the documentation fragments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .scep.constants import KEY_USAGES

_TRUST = ["ca_fingerprint", "ca_certificate_path", "ca_certificate_content"]

_HTTP: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 30.0},
    "proxy": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path"},
}

_CONNECTION: dict[str, dict[str, Any]] = {
    **_HTTP,
    "ca_fingerprint": {"type": "list", "elements": "str"},
    "ca_certificate_path": {"type": "path"},
    "ca_certificate_content": {"type": "str"},
    "ra_fingerprint": {"type": "list", "elements": "str"},
    "require_ra_eku": {"type": "bool", "default": True},
    "allow_sha1": {"type": "bool", "default": True},
    "legacy_algorithms": {"type": "bool", "default": False},
}

_ADMIN_PAGE: dict[str, dict[str, Any]] = {
    **_HTTP,
    "auth": {"type": "str", "choices": ["ntlm", "kerberos", "negotiate", "basic", "none"], "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "channel_binding": {"type": "bool", "default": True},
    "allow_http": {"type": "bool", "default": False},
    "retry_timeout": {"type": "float", "default": 0.0},
}

_REQUEST: dict[str, dict[str, Any]] = {
    "subject": {"type": "raw"},
    "subject_alt_name": {"type": "list", "elements": "str", "default": []},
    "key_usage": {"type": "list", "elements": "str", "choices": list(KEY_USAGES), "default": [], "no_log": False},
    "key_usage_critical": {"type": "bool", "default": False},
    "extended_key_usage": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "extended_key_usage_critical": {"type": "bool", "default": False},
    "sid": {"type": "str"},
    "csr_path": {"type": "path"},
    "csr_content": {"type": "str"},
    "challenge_password": {"type": "str", "no_log": True},
}

_OTP: dict[str, dict[str, Any]] = {
    "otp": {
        "type": "dict",
        "options": {**_ADMIN_PAGE, "max_outstanding": {"type": "int", "default": 5}},
        "required_by": {"client_key": ["client_cert"]},
    },
}

_RENEWAL: dict[str, dict[str, Any]] = {
    "remaining_days": {"type": "int"},
    "remaining_percentage": {"type": "float"},
    "rekey": {"type": "bool", "default": True, "no_log": False},
    "strict": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "wait": {"type": "float", "default": 0.0},
    "poll_interval": {"type": "float", "default": 30.0},
}

_KEY: dict[str, dict[str, Any]] = {
    "privatekey_size": {"type": "int", "default": 2048, "no_log": False},
    "privatekey_format": {"type": "str", "choices": ["pkcs8", "pkcs1"], "default": "pkcs8", "no_log": False},
    "privatekey_passphrase": {"type": "str", "no_log": True},
}

_FILES: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "path": {"type": "path", "required": True},
    "privatekey_path": {"type": "path"},
    "privatekey_mode": {"type": "raw", "no_log": False},
    "privatekey_owner": {"type": "str", "no_log": False},
    "privatekey_group": {"type": "str", "no_log": False},
    "chain_path": {"type": "path"},
    "fullchain_path": {"type": "path"},
    "pkcs12_path": {"type": "path"},
    "pkcs12_passphrase": {"type": "str", "no_log": True},
    "pkcs12_friendly_name": {"type": "str"},
    "pkcs12_encryption": {"type": "str", "choices": ["modern", "legacy"], "default": "modern"},
    "mode": {"type": "raw"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "backup": {"type": "bool", "default": False},
}

_FILE = {name: _FILES[name] for name in ("path", "mode", "owner", "group", "backup")}

_CRL: dict[str, dict[str, Any]] = {
    "format": {"type": "str", "choices": ["pem", "der"], "default": "der"},
    "certificate_path": {"type": "path"},
    "certificate_content": {"type": "str"},
    "serial_number": {"type": "raw"},
    "remaining_hours": {"type": "float", "default": 24.0},
    "force": {"type": "bool", "default": False},
}

# Were the record secret as a whole, Ansible would mask each single value in it wherever it occurs in a result, and that
# even where it is "1" or "CN". What is secret in it is one text.
_CONTENTS: dict[str, dict[str, Any]] = {
    "privatekey_content": {"type": "str", "no_log": True},
    "certificate_content": {"type": "str"},
    "record": {
        "type": "dict",
        "options": {"enrolment": {"type": "dict"}, "transaction": {"type": "str", "no_log": True}},
    },
}


@dataclass(frozen=True)
class Spec:
    """What AnsibleModule and validate_argument_spec both take: options, and rules between them."""

    options: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """As keyword arguments."""
        return {"argument_spec": {name: dict(option) for name, option in self.options.items()}, **self.rules}


CA_INFO = Spec(_CONNECTION, {"mutually_exclusive": [_TRUST], "required_by": {"client_key": ["client_cert"]}})

_ASKED = ["subject", "csr_path", "csr_content"]

CERTIFICATE = Spec(
    {**_CONNECTION, **_REQUEST, **_OTP, **_RENEWAL, **_KEY, **_FILES},
    {
        "mutually_exclusive": [
            _TRUST,
            _ASKED,
            ["challenge_password", "otp"],
            *(["privatekey_path", given] for given in ("csr_path", "csr_content")),
            *(["pkcs12_path", given] for given in ("csr_path", "csr_content")),
            *(["challenge_password", given] for given in ("csr_path", "csr_content")),
            *(["otp", given] for given in ("csr_path", "csr_content")),
        ],
        "required_if": [
            ("state", "present", [*_TRUST], True),
            ("state", "present", [*_ASKED], True),
            ("state", "present", ["privatekey_path", "csr_path", "csr_content"], True),
        ],
        "required_by": {"client_key": ["client_cert"]},
    },
)

PIPE = Spec(
    {
        **_CONNECTION,
        **{name: option for name, option in _REQUEST.items() if name != "csr_path"},
        **_OTP,
        **_RENEWAL,
        **_KEY,
        **_CONTENTS,
    },
    {
        "mutually_exclusive": [
            _TRUST,
            ["challenge_password", "otp"],
            *([option, "csr_content"] for option in ("subject", "privatekey_content", "challenge_password", "otp")),
        ],
        "required_one_of": [_TRUST, ["subject", "csr_content"]],
        "required_by": {"client_key": ["client_cert"]},
    },
)

_CERTIFICATE_OF_CRL = ["certificate_path", "certificate_content", "serial_number"]

CRL = Spec(
    {**_CONNECTION, **_CRL, **_FILE},
    {
        "mutually_exclusive": [_TRUST, _CERTIFICATE_OF_CRL],
        "required_one_of": [_TRUST, _CERTIFICATE_OF_CRL],
        "required_by": {"client_key": ["client_cert"]},
    },
)

TRUST_STORE = Spec(
    {**_CONNECTION, "state": _FILES["state"], **_FILE},
    {
        "mutually_exclusive": [_TRUST],
        "required_if": [("state", "present", [*_TRUST], True)],
        "required_by": {"client_key": ["client_cert"]},
    },
)

OTP = Spec({**_ADMIN_PAGE, "count": {"type": "int", "default": 1}}, {"required_by": {"client_key": ["client_cert"]}})
