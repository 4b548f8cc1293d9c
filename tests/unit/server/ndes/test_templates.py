# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates: which one a request gets, what it decides, and who gets passwords."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import read_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import HRESULTS
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from scep_device import Bench, Device, ServedWith, new_key

from scep_server import settings
from scep_server.approval import approve, deny
from scep_server.errors import ServerError, SettingsError
from scep_server.ndes.switches import DEFAULT_TEMPLATE, OF_TEMPLATES
from scep_server.ndes.templates import objection

NDES = {"profile": "ndes", "admin_page": False}
IKE_INTERMEDIATE, CLIENT_AUTH = "1.3.6.1.5.5.8.2.2", "1.3.6.1.5.5.7.3.2"
# Each gives certificates of another length, by which it is known again.
THREE: dict[str, Any] = {
    "templates": {
        "Signing": {"certificate_days": 10},
        "Encrypting": {"certificate_days": 20},
        "General": {"certificate_days": 30},
    },
    "SignatureTemplate": "Signing",
    "EncryptionTemplate": "Encrypting",
    "GeneralPurposeTemplate": "General",
}


def one(**template: Any) -> dict[str, Any]:
    """Settings with one template for all requests."""
    return {"templates": {DEFAULT_TEMPLATE: template}}


def usage(*words: str) -> list[tuple[x509.ExtensionType, bool]]:
    """A request for these key usages."""
    return [(build_key_usage(*words), True)]


def names(*values: str) -> list[tuple[x509.ExtensionType, bool]]:
    """A request for these alternative names."""
    return [(x509.SubjectAlternativeName([x509.DNSName(value) for value in values]), False)]


def days(certificate: x509.Certificate, bench: Bench) -> int:
    """For how long a certificate is valid from now on."""
    return (certificate.not_valid_after_utc - bench.clock()) // dt.timedelta(days=1)


# Which template a request gets

CHOICES: dict[str, tuple[list[tuple[x509.ExtensionType, bool]], int]] = {
    "digitalSignature": (usage("digital_signature"), 10),
    "keyEncipherment": (usage("key_encipherment"), 20),
    "both": (usage("digital_signature", "key_encipherment"), 30),
    "no key usage": ([], 30),
    "digitalSignature and another": (usage("digital_signature", "content_commitment"), 10),
    "another": (usage("data_encipherment"), 30),
}


@pytest.mark.parametrize(("extensions", "length"), CHOICES.values(), ids=CHOICES)
def test_the_key_usage_decides(served_with: ServedWith, device: Device, extensions: Any, length: int) -> None:
    bench = served_with(**THREE)
    assert days(bench.issued(device, extensions=extensions).certificate, bench) == length


def test_the_audit_says_by_which_template(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**THREE)
    bench.issued(device, extensions=usage("key_encipherment"))
    assert bench.lines() == [("issued", "template Encrypting")]


def test_without_templates_their_names_mean_nothing(served_with: ServedWith, device: Device) -> None:
    bench = served_with(signature_template="Nowhere", encryption_template="Nowhere", general_purpose_template="Nowhere")
    assert days(bench.issued(device).certificate, bench) == 365
    assert bench.lines() == [("issued", "")]
    assert bench.server.for_request(read_csr(device.csr(None))) is bench.server


def test_the_default_of_ndes_is_the_template_of_its_installation(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES)
    certificate = bench.issued(device).certificate
    assert days(certificate, bench) == 730
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value == build_key_usage(
        "digital_signature", "key_encipherment"
    )
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [oid.dotted_string for oid in purposes] == [IKE_INTERMEDIATE]
    assert bench.lines() == [("issued", f"template {DEFAULT_TEMPLATE}")]


def test_what_is_given_counts_more_than_the_profile(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, certificate_days=3)
    assert days(bench.issued(device).certificate, bench) == 3


# What a template decides

REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "not published": (one(published=False), {}, "CERTSRV_E_UNSUPPORTED_CERT_TYPE"),
    "a display name in place of the CN": (
        {"GeneralPurposeTemplate": "IPSec (Offline request)"},
        {},
        "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
    ),
    "nothing published at all": ({"published": False}, {}, "CERTSRV_E_UNSUPPORTED_CERT_TYPE"),
    "a short key": (one(min_rsa_bits=3072), {}, "CERTSRV_E_KEY_LENGTH"),
    "a subject": (one(subject_patterns=["CN=router"]), {}, "CERTSRV_E_BAD_REQUESTSUBJECT"),
    "an alternative name": (one(alternative_names=[]), {"extensions": names("router")}, "E_FAIL"),
    "a usage": (
        one(usages_not_given="refuse"),
        {"extensions": [(x509.ExtendedKeyUsage([x509.ObjectIdentifier(CLIENT_AUTH)]), False)]},
        "E_FAIL",
    ),
}


@pytest.mark.parametrize(("given", "asked", "hresult"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_has_its_hresult(
    served_with: ServedWith, device: Device, given: dict[str, Any], asked: dict[str, Any], hresult: str
) -> None:
    assert served_with(**NDES).issued(Device(new_key(), "CN=someone"), **asked), "the default refuses nothing of it"
    bench = served_with(**NDES, **given)
    (password,) = bench.passwords()
    reply = bench.answer(bench.request(device, password, **asked))
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, FailInfo.BAD_REQUEST)
    assert reply.hresult is not None and HRESULTS[reply.hresult].name == hresult
    (line,) = [line for line in bench.server.store.audit.records() if line["outcome"] == "refused"]
    assert line["challenge_id"] is not None, "NDES has taken the password before it asks the CA"


SENTENCES: dict[str, tuple[dict[str, Any], str]] = {
    "no template of that name": ({"SignatureTemplate": "Typo"}, "The CA does not issue the template Typo."),
    "not published": (
        {"templates": THREE["templates"] | {"Signing": {"published": False}}},
        "The CA does not issue the template Signing.",
    ),
    "a short key": (
        {"templates": THREE["templates"] | {"Signing": {"min_rsa_bits": 3072}}},
        "The key of the request has 2048 bits; the template Signing takes 3072 and more.",
    ),
}


@pytest.mark.parametrize(("given", "says"), SENTENCES.values(), ids=SENTENCES)
def test_whoever_is_refused_learns_the_name_of_the_template(
    served_with: ServedWith, device: Device, given: dict[str, Any], says: str
) -> None:
    bench = served_with(**THREE | given)
    reply = bench.refusal(bench.request(device, bench.passwords()[0], extensions=usage("digital_signature")))
    assert reply.fail_info_text == says
    assert bench.enroll(device).status is PkiStatus.SUCCESS, "by another template"


def test_a_larger_key_passes_where_one_is_asked_for(served_with: ServedWith) -> None:
    bench = served_with(**one(min_rsa_bits=2500))
    assert bench.enroll(Device(rsa.generate_private_key(65537, 2560))).status is PkiStatus.SUCCESS


USAGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "its own": ({"extended_key_usages": [], "default_extended_key_usages": [IKE_INTERMEDIATE]}, [IKE_INTERMEDIATE]),
    "as asked": ({"extended_key_usages": [CLIENT_AUTH]}, [CLIENT_AUTH]),
}


@pytest.mark.parametrize(("template", "purposes"), USAGES.values(), ids=USAGES)
def test_extended_key_usages(
    served_with: ServedWith, device: Device, template: dict[str, Any], purposes: list[str]
) -> None:
    bench = served_with(**one(usages_not_given="leave_out", **template))
    asked = x509.ExtendedKeyUsage([x509.ObjectIdentifier(CLIENT_AUTH)])
    certificate = bench.issued(device, extensions=[(asked, False)]).certificate
    given = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [oid.dotted_string for oid in given] == purposes


def test_a_subject_that_the_ca_builds(served_with: ServedWith, device: Device) -> None:
    """What the request says of names is left out: its alternative names as well."""
    bench = served_with(**one(built_subject="CN=ndes,OU=Servers", rdn_order=["OU"]))
    certificate = bench.issued(device, extensions=names("router.example")).certificate
    assert certificate.subject.rfc4514_string() == "CN=ndes,OU=Servers"
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    unnamed = bench.issued(Device(new_key(), "")).certificate
    assert unnamed.subject == certificate.subject


def test_approval_is_of_the_template(served_with: ServedWith, device: Device, other: Device) -> None:
    """What was asked for by a template is approved by it, as it is then."""
    bench = served_with(**THREE | {"templates": THREE["templates"] | {"Signing": {"approval": "all"}}})
    assert bench.enroll(other).status is PkiStatus.SUCCESS
    request = bench.request(device, bench.passwords()[0], extensions=usage("digital_signature"))
    assert bench.answer(request).status is PkiStatus.PENDING
    (row,) = bench.server.store.answers.requests("pending")
    withdrawn = served_with(**THREE | {"SignatureTemplate": "Withdrawn"})
    with pytest.raises(ServerError, match="cannot be approved: The CA does not issue the template Withdrawn"):
        approve(withdrawn.server, row["id"])
    assert days(approve(served_with(**THREE).server, row["id"]), bench) == 10
    assert bench.lines()[1:] == [("pending", "template Signing"), ("approved", "template Signing")]


def test_a_denied_request_has_its_hresult(served_with: ServedWith, device: Device) -> None:
    bench = served_with(**NDES, **one(approval="all"))
    request = bench.request(device, bench.passwords()[0])
    assert bench.answer(request).status is PkiStatus.PENDING
    deny(bench.server, bench.server.store.answers.requests("pending")[0]["id"], "no")
    reply = bench.answer(request)
    assert reply.hresult is not None and HRESULTS[reply.hresult].name == "CERTSRV_E_ADMIN_DENIED_REQUEST"


# Who gets passwords

ALICE, BOB = "CORP\\alice", "corp\\BOB"
PERMISSIONS: dict[str, tuple[dict[str, Any], str | None]] = {
    "no templates, everybody": ({}, None),
    "no templates, some": ({"admin_users": [BOB, ALICE.upper()]}, None),
    "no templates, others": ({"admin_users": [BOB]}, "no right to enroll (setting admin_users)"),
    "no templates, nothing published": ({"published": False}, "nobody can enroll (setting published)"),
    "everybody": (THREE, None),
    "with the right on all": (
        THREE | {"templates": {name: {"admin_users": [BOB, ALICE]} for name in THREE["templates"]}},
        None,
    ),
    "without the right on one": (
        THREE | {"templates": THREE["templates"] | {"Encrypting": {"admin_users": [BOB]}}},
        "no right to enroll on the template Encrypting",
    ),
    "the right comes from the server's settings": (
        THREE | {"admin_users": [BOB]},
        "no right to enroll on the template Signing",
    ),
    "the right of the template counts more": (
        one(admin_users=[ALICE]) | {"admin_users": [BOB]},
        None,
    ),
    "one is not published": (
        THREE | {"templates": THREE["templates"] | {"General": {"published": False}}},
        "nobody can enroll on the template General",
    ),
    "one is not there": (THREE | {"EncryptionTemplate": "Typo"}, "nobody can enroll on the template Typo"),
    "one that is not used": (one() | {"templates": {DEFAULT_TEMPLATE: {}, "Unused": {"published": False}}}, None),
}


@pytest.mark.parametrize(("given", "says"), PERMISSIONS.values(), ids=PERMISSIONS)
def test_who_gets_passwords(given: dict[str, Any], says: str | None) -> None:
    found = objection(settings.parse(given), ALICE)
    assert found is None if says is None else says in str(found)


# Settings

WRONG: dict[str, tuple[Any, str]] = {
    "a list": ([], "The setting templates must be an object of objects, not []."),
    "a text in it": ({"A": "x"}, 'The setting templates must be an object of objects, not {"A": "x"}.'),
    "no setting": ({"A": {"colour": 1}}, "The template A cannot have colour; it may have published, "),
    "one of the server": ({"A": {"workers": 1}}, "The template A cannot have workers; it may have published, "),
    "templates": ({"A": {"templates": {}}}, "The template A cannot have templates; it may have published, "),
    "a wrong type": (
        {"A": {"published": 1}},
        "The setting published of the template A must be true or false, not 1.",
    ),
    "a wrong value": (
        {"A": {}, "B": {"certificate_days": 0}},
        "The setting certificate_days of the template B must be between 1 and 36500; it is 0.",
    ),
    "a reserved usage": (
        {"A": {"extended_key_usages": ["2.5.29.37.0"]}},
        "The setting extended_key_usages of the template A must not contain 2.5.29.37.0",
    ),
    "no name": (
        {"A": {"built_subject": "router"}},
        "The setting built_subject of the template A must be a distinguished name",
    ),
    "a login without domain": (
        {"A": {"admin_users": ["alice"]}},
        "The setting admin_users of the template A may contain names such as DOMAIN",
    ),
    "a key below the server's": (
        {"A": {"min_rsa_bits": 1024}},
        "The setting min_rsa_bits of the template A is 1024, and the server takes no key below its own min_rsa_bits, "
        "2048: lower that one",
    ),
}


@pytest.mark.parametrize(("value", "says"), WRONG.values(), ids=WRONG)
def test_wrong_values(value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.parse({"templates": value})
    assert str(refused.value).startswith(says)


def test_a_template_may_have_nothing_but_settings() -> None:
    assert set(OF_TEMPLATES) < {name for name, _default, _about in settings.table()}


def test_from_the_command_line(tmp_path: Path) -> None:
    assert settings.parse_assignment('templates={"A": {"rdn_order": ["CN"]}}') == (
        "templates",
        {"A": {"rdn_order": ["CN"]}},
    )
    assert settings.parse_assignment("SignatureTemplate=A") == ("SignatureTemplate", "A")
    assert settings.parse_assignment("signature_template=A") == ("signature_template", "A")
    with pytest.raises(SettingsError, match="The setting templates takes JSON here"):
        settings.parse_assignment("templates=A")
    settings.save(tmp_path, {"templates": {"A": {"rdn_order": ["CN"]}}})
    assert settings.load(tmp_path).templates == {"A": {"rdn_order": ("CN",)}}
