# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: every value is checked, and the sentence names what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scep_server import settings
from scep_server.errors import SettingsError
from scep_server.setting_checks import split_address


def test_defaults_are_valid() -> None:
    assert settings.parse({}) == settings.Settings()


def test_lists_become_tuples() -> None:
    assert settings.parse({"key_usages": ["digital_signature"]}).key_usages == ("digital_signature",)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("colour", "red", "There is no setting colour"),
        ("zzzz", 1, "There is no setting zzzz; there are ca_subject, layout, "),
        ("certificates_days", 1, "There is no setting certificates_days; similar ones are certificate_days, "),
        ("PasswordMaximum", 1, "There is no setting PasswordMaximum; similar ones are PasswordMax, "),
        ("workers", 0, "workers must be between 1 and 64"),
        ("workers", True, "workers must be a whole number, not true"),
        ("workers", "2", 'workers must be a whole number, not "2"'),
        ("allow_sha1", 1, "allow_sha1 must be true or false"),
        ("ca_key", "dsa-1024", "ca_key must be one of rsa-2048"),
        ("ra_key", "ec-p256", "ra_key must be one of rsa-2048"),
        ("ca_subject", "nonsense", "ca_subject must be a distinguished name"),
        ("ca_subject", "", "ca_subject must not be empty"),
        ("bind", "8080", "bind must be HOST:PORT"),
        ("bind", "::1:8080", "bind must be HOST:PORT, an IPv6 address in brackets"),
        ("bind", "localhost:70000", "bind must be HOST:PORT"),
        ("bind", "localhost:²", "bind must be HOST:PORT"),
        ("bind", "ä.example:80", "bind must be HOST:PORT"),
        ("crl_url", "http://ä.example/crl", "crl_url must be a URL"),
        ("subject_patterns", ["("], "may contain regular expressions"),
        ("subject_patterns", ["a{99999999999}"], "may contain regular expressions"),
        ("alternative_name_patterns", ["(" * 5000], "may contain regular expressions"),
        ("default_extended_key_usages", ["1.50.3"], "may contain dotted object identifiers"),
        ("extended_key_usages", ["1.3.6.1.٣"], "may contain dotted object identifiers"),
        ("crl_url", "ftp://example/", "crl_url must be a URL"),
        ("key_usages", ["key_cert_sign"], "key_usages may contain digital_signature"),
        ("key_usages", "digital_signature", "key_usages must be a list of texts"),
        ("extended_key_usages", ["clientAuth"], "may contain dotted object identifiers"),
        ("extended_key_usages", ["1.3.6.1.4.1.311.20.2.1"], "must not contain 1.3.6.1.4.1.311.20.2.1"),
        ("default_extended_key_usages", ["2.5.29.37.0"], "must not contain 2.5.29.37.0"),
        ("ca_certificates_order", ["root"], "may contain ra_signing, ra_encryption, ca, chain"),
        ("alternative_names", ["rid"], "alternative_names may contain dns"),
        ("admin_auth", ["digest"], "admin_auth may contain negotiate, ntlm, basic"),
        ("admin_epa", "partial", "admin_epa must be one of none, allow, require"),
        ("admin_page_encoding", "utf-16", "admin_page_encoding must be one of utf-16le"),
        ("admin_users", ["alice"], "admin_users may contain names such as DOMAIN"),
        ("otp_octets", 3, "otp_octets must be between 4 and 64"),
        ("tls_certificate", "/x.pem", "tls_certificate and tls_key belong together"),
    ],
)
def test_wrong_values(name: str, value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.parse({name: value})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "Nobody could log in by negotiate, ntlm (see admin_auth): set users_file"),
        ({"keytab": "x"}, "Nobody could log in by ntlm (see admin_auth)"),
        ({"keytab": "x", "admin_auth": ["negotiate", "basic"]}, "Nobody could log in by basic (see admin_auth)"),
        ({"users_file": "x", "admin_auth": []}, "The setting admin_auth is empty"),
        ({"users_file": "x", "admin_epa": "allow"}, "The setting admin_epa allow binds log-ins to TLS"),
        ({"users_file": "x", "admin_epa": "require"}, "The setting admin_epa require binds log-ins to TLS"),
    ],
)
def test_an_administration_page_that_cannot_work(values: dict[str, Any], says: str) -> None:
    settings.parse(values)
    with pytest.raises(SettingsError) as refused:
        settings.parse({"admin_page": True, **values})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers=4", ("workers", 4)),
        ("ca_subject=CN=a,O=b", ("ca_subject", "CN=a,O=b")),
        ("allow_sha1=false", ("allow_sha1", False)),
    ],
)
def test_assignments(text: str, expected: tuple[str, Any]) -> None:
    assert settings.parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["workers", "workers=many", "key_usages=" + "[" * 100_000])
def test_wrong_assignments(text: str) -> None:
    with pytest.raises(SettingsError):
        settings.parse_assignment(text)


def test_file_round_trip(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == settings.Settings()
    settings.save(tmp_path, {"workers": 3})
    assert settings.load(tmp_path).workers == 3
    assert (tmp_path / settings.FILE).stat().st_mode & 0o777 == 0o600


def test_save_refuses_before_it_writes(tmp_path: Path) -> None:
    settings.save(tmp_path, {"workers": 3})
    with pytest.raises(SettingsError):
        settings.save(tmp_path, {"workers": 0})
    assert json.loads((tmp_path / settings.FILE).read_text()) == {"workers": 3}
    assert [path.name for path in tmp_path.iterdir()] == [settings.FILE]


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "[" * 100_000], ids=["open", "list", "text", "deep"])
def test_broken_file(tmp_path: Path, text: str) -> None:
    (tmp_path / settings.FILE).write_text(text)
    with pytest.raises(SettingsError, match=r"settings\.json"):
        settings.load(tmp_path)


def test_split_address() -> None:
    assert split_address("[::1]:80") == ("::1", "80")
    assert split_address("example:80") == ("example", "80")
