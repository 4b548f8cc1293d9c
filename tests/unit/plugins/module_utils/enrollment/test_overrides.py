# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.decide import Asked
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.names import plain_name, read_subject
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.overrides import Override, overridden
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from support.pki import BOTH_USAGES, CLIENT_AUTH, certificate, rsa_key

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
NAMES = x509.SubjectAlternativeName(
    [x509.DNSName("sw1"), x509.IPAddress(ipaddress.ip_address("192.0.2.1")), x509.DNSName("a.example")]
)
PLAIN_NAMES = ("DNS:a.example", "DNS:sw1", "IP:192.0.2.1")
SUBJECT = "CN=sw1,O=Example,C=DE"
BOTH = ("digitalSignature", "keyEncipherment")
OF_THE_CERTIFICATE = {
    "subject": SUBJECT,
    "usage": BOTH_USAGES,
    "eku": (CLIENT_AUTH, "1.2.3"),
    "extensions": [(NAMES, False)],
}


def plain(subject: str) -> Any:
    return plain_name(read_subject(subject))


def given_certificate(**more: Any) -> x509.Certificate:
    """A certificate with everything, but for what is said."""
    fields: dict[str, Any] = {**OF_THE_CERTIFICATE, **more}
    return certificate(read_subject(fields.pop("subject")), rsa_key("device"), **fields)


def asked_for(**more: Any) -> Asked:
    """A request for exactly that certificate, but for what is said."""
    subject = plain(more.pop("subject", SUBJECT))
    fields: dict[str, Any] = {
        "subject_alt_name": PLAIN_NAMES,
        "key_usage": BOTH,
        "extended_key_usage": ("1.2.3", "clientAuth"),
        **more,
    }
    return Asked(subject, **fields)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({}, {}),
        ({"subject": "C=DE,O=Example,CN=sw1"}, {}),
        ({"subject": "O=a+CN=b"}, {"subject": "CN=b+O=a"}),
        ({"subject_alt_name": PLAIN_NAMES[::-1]}, {}),
        ({"key_usage": BOTH[::-1]}, {}),
        ({"key_usage": ()}, {}),
        ({"key_usage": ()}, {"usage": None}),
        ({"extended_key_usage": ()}, {}),
        ({"extended_key_usage": ()}, {"eku": ()}),
        ({"extended_key_usage": ("clientAuth", "1.2.3")}, {"eku": ("1.2.3", CLIENT_AUTH)}),
        ({"key_usage_critical": True, "extended_key_usage_critical": True}, {}),
        ({"subject_alt_name": ()}, {"extensions": []}),
    ],
)
def test_as_asked(asked: dict[str, Any], made: dict[str, Any]) -> None:
    assert overridden(asked_for(**asked), given_certificate(**made)) == ()


@pytest.mark.parametrize(
    ("asked", "made", "override", "sentence"),
    [
        (
            {},
            {"subject": "CN=sw1"},
            Override("subject", plain(SUBJECT), plain("CN=sw1")),
            "The CA gave another subject than was asked for: CN=sw1 instead of CN=sw1,O=Example,C=DE.",
        ),
        (
            {"subject": "CN=sw1,O=a+OU=b"},
            {"subject": "CN=sw1,O=a,OU=b"},
            Override("subject", plain("CN=sw1,O=a+OU=b"), plain("CN=sw1,O=a,OU=b")),
            "The CA gave another subject than was asked for: CN=sw1,O=a,OU=b instead of CN=sw1,O=a+OU=b.",
        ),
        (
            {},
            {"extensions": []},
            Override("subject_alt_name", PLAIN_NAMES, ()),
            "The CA gave another subject_alt_name than was asked for: none instead of DNS:a.example, DNS:sw1, "
            "IP:192.0.2.1.",
        ),
        (
            {"subject_alt_name": ()},
            {},
            Override("subject_alt_name", (), PLAIN_NAMES),
            "The CA gave another subject_alt_name than was asked for: DNS:a.example, DNS:sw1, IP:192.0.2.1 instead of "
            "none.",
        ),
        (
            {},
            {"usage": ["digital_signature"]},
            Override("key_usage", BOTH, ("digitalSignature",)),
            "The CA gave another key_usage than was asked for: digitalSignature instead of digitalSignature, "
            "keyEncipherment.",
        ),
        (
            {"key_usage": ("digitalSignature",)},
            {"usage": ["key_agreement", "encipher_only"]},
            Override("key_usage", ("digitalSignature",), ("keyAgreement", "encipherOnly")),
            "The CA gave another key_usage than was asked for: keyAgreement, encipherOnly instead of digitalSignature.",
        ),
        (
            {},
            {"usage": None},
            Override("key_usage", BOTH, ()),
            "The CA gave another key_usage than was asked for: none instead of digitalSignature, keyEncipherment.",
        ),
        (
            {},
            {"eku": (SERVER_AUTH, CLIENT_AUTH)},
            Override("extended_key_usage", ("1.2.3", "clientAuth"), ("clientAuth", "serverAuth")),
            "The CA gave another extended_key_usage than was asked for: clientAuth, serverAuth instead of 1.2.3, "
            "clientAuth.",
        ),
        (
            {},
            {"eku": ()},
            Override("extended_key_usage", ("1.2.3", "clientAuth"), ()),
            "The CA gave another extended_key_usage than was asked for: none instead of 1.2.3, clientAuth.",
        ),
    ],
)
def test_otherwise_than_asked(asked: dict[str, Any], made: dict[str, Any], override: Override, sentence: str) -> None:
    assert overridden(asked_for(**asked), given_certificate(**made)) == (override,)
    assert str(override) == sentence


def test_all_of_it_in_order() -> None:
    found = overridden(asked_for(), given_certificate(subject="CN=x", usage=None, eku=(), extensions=[]))
    assert [override.property for override in found] == [
        "subject",
        "subject_alt_name",
        "key_usage",
        "extended_key_usage",
    ]


def test_an_extension_that_cannot_be_read_is_not_given() -> None:
    damaged = [
        (x509.UnrecognizedExtension(kind.oid, b"\x30\x05"), False)
        for kind in (x509.SubjectAlternativeName, x509.KeyUsage, x509.ExtendedKeyUsage)
    ]
    found = overridden(asked_for(), given_certificate(usage=None, eku=(), extensions=damaged))
    assert [(override.property, override.given) for override in found] == [
        ("subject_alt_name", ()),
        ("key_usage", ()),
        ("extended_key_usage", ()),
    ]


RDNS = [{"CN": "a"}, {"O": "b"}, {"OU": "c"}, {"OU": "d"}, {"DC": "e"}]


@given(st.permutations(RDNS), st.permutations(PLAIN_NAMES))
def test_no_order_is_an_override(rdns: list[dict[str, str]], names: list[str]) -> None:
    asked = Asked(plain_name(read_subject(rdns)), tuple(names))
    assert overridden(asked, REORDERED) == ()


REORDERED = certificate(read_subject(RDNS), rsa_key("device"), extensions=[(NAMES, False)])
