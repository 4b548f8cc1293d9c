# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.decide import Asked
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.errors import OptionError
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.extensions import (
    build_extensions,
    extended_key_usage,
)
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.names import (
    display_name,
    plain_alt_name,
    plain_name,
    read_alt_names,
    read_subject,
)
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

CN_O_C = ((("C", "DE"),), (("O", "Example"),), (("CN", "sw1"),))
SUBJECTS: list[tuple[Any, Any]] = [
    ("CN=sw1,O=Example,C=DE", CN_O_C),
    (" cn = sw1 , o=Example, countryName=DE", CN_O_C),
    ({"C": "DE", "O": "Example", "CN": "sw1"}, CN_O_C),
    ([{"C": "DE"}, {"O": "Example"}, {"CN": "sw1"}], CN_O_C),
    ([{"organizationName": "Example"}, {"2.5.4.3": "sw1"}], CN_O_C[1:]),
    ("2.5.4.3=sw1", ((("CN", "sw1"),),)),
    ("1.2.3.4=x,CN=y", ((("CN", "y"),), (("1.2.3.4", "x"),))),
    ({"OU": ["a", "b"], "CN": "x"}, ((("OU", "a"),), (("OU", "b"),), (("CN", "x"),))),
    ([{"OU": "a", "CN": "x"}], ((("CN", "x"), ("OU", "a")),)),
    ("CN=x+OU=a", ((("CN", "x"), ("OU", "a")),)),
    (r"CN=a\,b\+c\\,O=\ x\ ", ((("O", " x "),), (("CN", "a,b+c\\"),))),
    (r"CN=M\C3\BCller", ((("CN", "Müller"),),)),
    ("CN=Müller", ((("CN", "Müller"),),)),
    ("CN=a=b", ((("CN", "a=b"),),)),
    ("DC=example,DC=com", ((("DC", "com"),), (("DC", "example"),))),
    ({"CN": 42}, ((("CN", "42"),),)),
]
KNOWN = (
    "CN, SN, serialNumber, C, L, ST, street, O, OU, title, postalCode, GN, initials, dnQualifier, pseudonym, UID, DC, "
    "emailAddress, unstructuredName, unstructuredAddress, or a dotted OID"
)


@pytest.mark.parametrize(("written", "plain"), SUBJECTS)
def test_subject(written: Any, plain: Any) -> None:
    assert plain_name(read_subject(written)) == plain


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("", "subject: it is empty; name at least a common name, such as CN=host.example.com."),
        ([], "subject: it is empty; name at least a common name, such as CN=host.example.com."),
        ("sw1", "subject: 'sw1' is not of the form CN=value."),
        ("CN=sw1,Example", "subject: 'Example' is not of the form CN=value."),
        ("XY=sw1", f"subject: 'XY' is not an attribute that is known here ({KNOWN})."),
        ("CN=", "subject: the value of 'CN' is empty; leave the attribute out."),
        (["CN=sw1"], "subject: each entry of the list has to be a mapping such as CN: host, not 'CN=sw1'."),
    ],
)
def test_subject_that_cannot_be_meant(written: Any, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_subject(written)
    assert str(caught.value) == sentence


def test_country_of_three_letters() -> None:
    with pytest.raises(OptionError, match=r"^subject: it cannot be encoded: .*\.$"):
        read_subject("CN=x,C=DEU")


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["CN", "O", "OU", "L"]), WORDS), min_size=1, max_size=4))
def test_what_is_displayed_reads_back(pairs: list[tuple[str, str]]) -> None:
    plain = tuple(((word, value),) for word, value in pairs)
    assert plain_name(read_subject(display_name(plain))) == plain


def test_alternative_names() -> None:
    written = ["DNS:Host.Example.COM", "IP:192.0.2.1", "ip:2001:DB8::1", "email:a@example.com", "URI:urn:x:y"]
    assert [plain_alt_name(name) for name in read_alt_names(written)] == [
        "DNS:host.example.com",
        "IP:192.0.2.1",
        "IP:2001:db8::1",
        "email:a@example.com",
        "URI:urn:x:y",
    ]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("host", "subject_alt_name: 'host' does not begin with DNS:, IP:, email: or URI:."),
        ("FOO:x", "subject_alt_name: 'FOO:x' does not begin with DNS:, IP:, email: or URI:."),
        ("DNS:", "subject_alt_name: 'DNS:' does not begin with DNS:, IP:, email: or URI:."),
        (
            "DNS:müller.example",
            "subject_alt_name: 'DNS:müller.example' cannot be used: "
            "write the host name in its ASCII form, which begins with xn--.",
        ),
        (
            "IP:300.1.1.1",
            "subject_alt_name: 'IP:300.1.1.1' cannot be used: "
            "'300.1.1.1' does not appear to be an IPv4 or IPv6 address.",
        ),
    ],
)
def test_alternative_name_that_cannot_be_meant(written: str, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_alt_names([written])
    assert str(caught.value) == sentence


def test_kinds_of_names_that_only_others_ask_for() -> None:
    names = [
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.DirectoryName(read_subject("CN=x,O=y")),
    ]
    assert [plain_alt_name(name) for name in names] == [
        "otherName:1.3.6.1.4.1.311.20.2.3;0c0161",
        "RID:1.2.3",
        "dirName:CN=x,O=y",
    ]


def test_extended_key_usage() -> None:
    assert [extended_key_usage(word) for word in ("serverauth", "1.3.6.1.5.5.7.3.2", "1.2.3")] == [
        "serverAuth",
        "clientAuth",
        "1.2.3",
    ]
    with pytest.raises(OptionError, match=r"^extended_key_usage: 'server' is not a purpose that is known here \("):
        extended_key_usage("server")


def test_extensions() -> None:
    asked = Asked((), ("DNS:a",), ("digitalSignature", "keyEncipherment"), True, ("clientAuth", "1.2.3"), False)
    (names, names_critical), (usage, usage_critical), (purposes, purposes_critical) = build_extensions(asked)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["a"]
    assert isinstance(usage, x509.KeyUsage)
    assert usage.digital_signature
    assert usage.key_encipherment
    assert not usage.key_cert_sign
    assert isinstance(purposes, x509.ExtendedKeyUsage)
    assert [purpose.dotted_string for purpose in purposes] == ["1.3.6.1.5.5.7.3.2", "1.2.3"]
    assert (names_critical, usage_critical, purposes_critical) == (False, True, False)
    assert not build_extensions(Asked(()))


def test_key_usage_against_the_rules() -> None:
    with pytest.raises(OptionError, match=r"^key_usage: .*\.$"):
        build_extensions(Asked((), key_usage=("encipherOnly",)))
