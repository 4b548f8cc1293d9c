# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile ndes: what a client sees on the wire, and each of its switches by itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import names_challenge
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from scep_device import Bench, Device, ServedWith, message, new_key

from scep_server import challenges, settings
from scep_server.errors import SettingsError, TooManyPasswords
from scep_server.ndes.switches import MSCEP, PROFILES

# RFC 8894 is the default; without the page nobody has to be able to log in to it.
NDES = {"profile": "ndes", "admin_page": False}


@pytest.fixture
def ndes(served_with: ServedWith) -> Bench:
    """A server that behaves like NDES."""
    return served_with(**NDES)


def test_a_profile_is_other_defaults_and_nothing_else() -> None:
    plain = settings.parse({"admin_page": False})
    like_ndes = settings.parse(NDES)
    differ = {name for name, _default, _about in settings.table() if getattr(plain, name) != getattr(like_ndes, name)}
    assert differ == {"profile", *PROFILES["ndes"]} - {"admin_page"}
    assert settings.parse({**NDES, "otp_outstanding": 7}).otp_outstanding == 7
    with pytest.raises(SettingsError, match="profile must be one of rfc8894, ndes"):
        settings.parse({"profile": "ejbca"})
    with pytest.raises(SettingsError, match="Nobody could log in by negotiate, ntlm"):
        settings.parse({"profile": "ndes"})


REGISTRY: dict[str, tuple[Any, dict[str, Any]]] = {
    "PasswordLength": (12, {"otp_octets": 12}),
    "PasswordMax": (10, {"otp_outstanding": 10}),
    "PasswordValidity": (30, {"otp_minutes": 30}),
    "UseSinglePassword": (1, {"challenge": "single"}),
    "EnforcePassword": (0, {"challenge": "none", "allow_no_challenge": True}),
    "CacheRequest": (5, {"cache_request_minutes": 5}),
    "DisableRenewalSubjectNameMatch": (1, {"renewal_same_names": False}),
    "SignatureTemplate": ("Router", {"signature_template": "Router"}),
    "EncryptionTemplate": ("Router", {"encryption_template": "Router"}),
    "GeneralPurposeTemplate": ("Router", {"general_purpose_template": "Router"}),
}


@pytest.mark.parametrize(("name", "value", "means"), [(name, *row) for name, row in REGISTRY.items()], ids=REGISTRY)
def test_the_rules_under_their_own_names(name: str, value: Any, means: dict[str, Any]) -> None:
    assert set(REGISTRY) == set(MSCEP)
    assert settings.parse({**NDES, name: value}) == settings.parse({**NDES, **means})
    assert settings.parse_assignment(f"{name}={value}") == (name, value)


def test_an_impossible_rule_is_named() -> None:
    with pytest.raises(SettingsError, match="otp_octets must be between 4 and 64"):
        settings.parse({"PasswordLength": 1})


def test_capabilities(ndes: Bench) -> None:
    answer = ndes.http(query="operation=GetCACaps")
    assert answer.body.split() == [b"POSTPKIOperation", b"Renewal", b"SHA-512", b"SHA-256", b"SHA-1", b"DES3"]
    assert "Content-Type" not in answer.headers


def test_capabilities_are_true_all_the_same(served_with: ServedWith) -> None:
    bench = served_with(**NDES, renewal=False, allow_sha1=False)
    answer = bench.http(query="operation=GetCACaps")
    assert answer.body.split() == [b"POSTPKIOperation", b"SHA-512", b"SHA-256", b"DES3"]


def test_a_refusal_has_the_anatomy_of_ndes(ndes: Bench, device: Device) -> None:
    """Content of one octet, no certificates, the attribute of Microsoft, no text: read by another library."""
    answer = ndes.post(ndes.request(device, "0" * 16).message)
    assert (answer.status, answer.content_type) == (200, "application/x-pki-message")
    signed = asn1_cms.ContentInfo.load(answer.body, strict=True)["content"]
    assert len(signed["certificates"]) == 0
    assert signed["encap_content_info"]["content"].native == b"\0"
    (signer,) = signed["signer_infos"]
    values = {one["type"].dotted: one["values"][0] for one in signer["signed_attrs"]}
    assert values["1.3.6.1.4.1.311.21.33"].native == str(0x80070490 - (1 << 32))
    assert "1.3.6.1.5.5.7.24.1" not in values
    assert values["2.16.840.1.113733.1.9.4"].native == "2"


KEY_1024 = rsa.generate_private_key(65537, 1024)
HRESULTS: dict[str, tuple[dict[str, Any], int]] = {
    "unknown password": ({"password": "0" * 16}, 0x80070490),
    "no password": ({"password": None}, 0x80096004),
    "a short key": ({"device": Device(KEY_1024)}, 0x80094811),
    "a bad subject": ({"device": Device(new_key(), "")}, 0x80094001),
    "something else": ({"extensions": [(x509.BasicConstraints(ca=True, path_length=None), True)]}, 0x80004005),
}


@pytest.mark.parametrize(("asked", "hresult"), HRESULTS.values(), ids=HRESULTS)
def test_each_refusal_has_its_hresult(ndes: Bench, device: Device, asked: dict[str, Any], hresult: int) -> None:
    words = dict(asked)
    request = ndes.request(
        words.pop("device", device),
        words.pop("password", None if "password" in asked else ndes.passwords()[0]),
        **words,
    )
    reply = ndes.answer(request)
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, FailInfo.BAD_REQUEST)
    assert reply.hresult == hresult
    assert reply.fail_info_text is None
    assert names_challenge(reply) == (hresult in (0x80070490, 0x80096004))


def test_lookups_are_refused_and_there_is_no_next_ca(ndes: Bench, device: Device) -> None:
    for kind in (21, 22):
        content = ndes.server.authority.issuer_der
        reply = ndes.answer(message(content, device.identity, ndes.pki.encryption.certificate, kind=kind))
        assert reply.status is PkiStatus.FAILURE
    assert ndes.http(query="operation=GetNextCACert").status == 404


def test_the_cache_of_passwords_is_small(ndes: Bench) -> None:
    for password in ndes.passwords(5):
        assert len(password) == 16
        assert password == password.upper()
    with pytest.raises(TooManyPasswords):
        challenges.create(ndes.server, 1)
    assert challenges.forget_unused(ndes.server) == 5
    assert len(ndes.passwords(5)) == 5


def test_a_start_forgets_what_was_used_by_nobody(ndes: Bench, device: Device) -> None:
    used, unused = ndes.passwords(2)
    assert ndes.answer(ndes.request(device, used)).status is PkiStatus.SUCCESS
    assert challenges.forget_unused(ndes.server) == 1
    reply = ndes.answer(ndes.request(Device(new_key(), "CN=other"), unused))
    assert reply.status is PkiStatus.FAILURE
    reasons = [record["reason"] for record in ndes.server.store.audit.records() if record["outcome"] == "refused"]
    assert reasons == ["badRequest: challenge password unknown"]


def test_the_rdns_are_brought_into_the_order_of_the_ca(ndes: Bench) -> None:
    device = Device(new_key(), "C=DE,O=Example,CN=router")
    issued = ndes.answer(ndes.request(device, ndes.passwords()[0])).certificates[0]
    assert [part.oid._name for part in issued.subject] == ["commonName", "organizationName", "countryName"]


def test_a_request_is_remembered_for_some_time(ndes: Bench, device: Device) -> None:
    """By its transaction or its key: another subject gets the certificate of before, without a password."""
    first = ndes.answer(ndes.request(device, ndes.passwords()[0], transaction_id="AA")).certificates[0]
    by_key = Device(device.key, "CN=another")
    assert ndes.answer(ndes.request(by_key, None)).certificates[0] == first
    ndes.clock.forward(minutes=21)
    assert ndes.answer(ndes.request(by_key, None)).status is PkiStatus.FAILURE


def test_by_default_nothing_is_remembered_but_the_very_same_request(served_with: ServedWith, device: Device) -> None:
    bench = served_with()
    assert bench.answer(bench.request(device, bench.passwords()[0])).status is PkiStatus.SUCCESS
    assert bench.answer(bench.request(Device(device.key, "CN=another"), None)).status is PkiStatus.FAILURE


def test_a_revoked_certificate_is_not_handed_out_again(ndes: Bench, device: Device) -> None:
    issued = ndes.answer(ndes.request(device, ndes.passwords()[0])).certificates[0]
    ndes.revoke(issued, "keyCompromise")
    assert ndes.answer(ndes.request(Device(device.key, "CN=another"), None)).status is PkiStatus.FAILURE
