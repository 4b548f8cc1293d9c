# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.names import (
    alt_names,
    display_name,
    plain_alt_name,
    plain_name,
    read_alt_names,
    read_subject,
    sid_name,
)
from ansible_collections.netcert.ndes.plugins.module_utils.errors import OptionError
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from support import pki as pki_module

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


COUNTRY = "write the two letters of ISO 3166, such as DE."
BLANK_PART = (
    "has a blank part beside a comma or a plus sign; remove that sign, or write a backslash before it if it belongs to "
    "a value."
)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("CN=a,", f"'CN=a,' {BLANK_PART}"),
        (",CN=a", f"',CN=a' {BLANK_PART}"),
        ("CN=a, ,O=b", f"'CN=a, ,O=b' {BLANK_PART}"),
        ("CN=a+,O=b", f"'CN=a+,O=b' {BLANK_PART}"),
        ("CN=a+", f"'CN=a+' {BLANK_PART}"),
        ("C=Germany", f"the value of 'C' is 'Germany'; {COUNTRY}"),
        ("CN=x,C=DEU", f"the value of 'C' is 'DEU'; {COUNTRY}"),
        ("countryName=D", f"the value of 'countryName' is 'D'; {COUNTRY}"),
        ("2.5.4.6=D1", f"the value of '2.5.4.6' is 'D1'; {COUNTRY}"),
        ({"C": "Ü1"}, f"the value of 'C' is 'Ü1'; {COUNTRY}"),
        ({"CN": ""}, "the value of 'CN' is empty; leave the attribute out."),
        ({"CN": " \u00a0"}, "the value of 'CN' is blank; leave the attribute out."),
        ({"1.2.3": "\t"}, "the value of '1.2.3' is blank; leave the attribute out."),
        ({"CN": "a\nb"}, r"the value of 'CN' is 'a\nb', with a control character in it; leave that out."),
        ({"O": "a\0"}, r"the value of 'O' is 'a\x00', with a control character in it; leave that out."),
        ({"1.2.3": "a\u2028b"}, r"the value of '1.2.3' is 'a\u2028b', with a control character in it; leave that out."),
        ({"DC": "ü"}, "the value of 'DC' is 'ü', and only ASCII fits there; write it without other letters."),
        ({"emailAddress": "a@ü"}, "the value of 'emailAddress' is 'a@ü', and only ASCII fits there; write it without "
         "other letters."),
        ([{"CN": []}], "a part of it has no attribute; leave that part out."),
        ([{"CN": ["a", "a"]}], "CN=a stands twice in one part; leave one out."),
        ("OU=a+2.5.4.11=a", "OU=a stands twice in one part; leave one out."),
        ("1.99=a", f"'1.99' is not an attribute that is known here ({KNOWN})."),
        ("1.2.03=a", f"'1.2.03' is not an attribute that is known here ({KNOWN})."),
        ("1.2.268435376=a", f"'1.2.268435376' is not an attribute that is known here ({KNOWN})."),
        (f"1.2.{'9' * 5000}=a", f"'1.2.{'9' * 5000}' is not an attribute that is known here ({KNOWN})."),
    ],
)  # fmt: skip
def test_odd_subject(written: Any, complaint: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_subject(written)
    assert str(caught.value) == f"subject: {complaint}"


@pytest.mark.parametrize(
    ("word", "most"),
    [
        ("CN", 64),
        ("O", 64),
        ("OU", 64),
        ("L", 128),
        ("ST", 128),
        ("serialNumber", 64),
        ("title", 64),
        ("pseudonym", 128),
        ("emailAddress", 255),
    ],
)
def test_upper_bounds(word: str, most: int) -> None:
    assert plain_name(read_subject({word: "a" * most})) == (((word, "a" * most),),)
    with pytest.raises(OptionError) as caught:
        read_subject({word: "a" * (most + 1)})
    assert str(caught.value) == (
        f"subject: the value of '{word}' is '{'a' * 39}…', of {most + 1} characters, and {most} are the most "
        "(RFC 5280); shorten it."
    )


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20).filter(str.strip)


@given(st.lists(st.tuples(st.sampled_from(["CN", "O", "OU", "L"]), WORDS), min_size=1, max_size=4))
def test_what_is_displayed_reads_back(pairs: list[tuple[str, str]]) -> None:
    plain = tuple(((word, value),) for word, value in pairs)
    assert plain_name(read_subject(display_name(plain))) == plain


ALT_NAMES = [
    ("DNS:Host.Example.COM", "DNS:host.example.com"),
    ("dns: host ", "DNS:host"),
    ("DNS:*.example.com", "DNS:*.example.com"),
    ("DNS:_service.a-b.xn--mller-kva.example", "DNS:_service.a-b.xn--mller-kva.example"),
    (f"DNS:{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}", f"DNS:{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}"),
    ("IP:192.0.2.1", "IP:192.0.2.1"),
    ("ip:2001:DB8:0:0::1", "IP:2001:db8::1"),
    ("IP:::1", "IP:::1"),
    ("IP:::ffff:c000:201", "IP:::ffff:192.0.2.1"),
    ("email:a@example.com", "email:a@example.com"),
    ("URI:urn:x:y", "URI:urn:x:y"),
    ("uri:https://host/?a=b:c", "URI:https://host/?a=b:c"),
    ("UPN:user@example.com", "UPN:user@example.com"),
    ("upn:Jörg@Example.com", "UPN:Jörg@Example.com"),
    ("RID:1.2.3.4", "RID:1.2.3.4"),
    ("rid:2.268435375", "RID:2.268435375"),
    (f"RID:1.2{'.1' * 62}", f"RID:1.2{'.1' * 62}"),
]


@pytest.mark.parametrize(("written", "plain"), ALT_NAMES)
def test_alternative_name(written: str, plain: str) -> None:
    (name,) = read_alt_names([written])
    assert plain_alt_name(name) == plain
    assert read_alt_names([plain]) == (name,)
    certificate = pki_module.certificate(
        "x", pki_module.rsa_key("device"), extensions=[(x509.SubjectAlternativeName([name]), False)]
    )
    assert alt_names(certificate) == (plain,)


def test_alternative_names_that_are_there_twice() -> None:
    written = ["DNS:b", "DNS:a", "dns:B", "IP:2001:db8::1", "IP:2001:DB8:0::1", "DNS:a"]
    assert [plain_alt_name(name) for name in read_alt_names(written)] == ["DNS:b", "DNS:a", "IP:2001:db8::1"]


def test_alternative_names_of_a_certificate() -> None:
    key = pki_module.rsa_key("device")
    assert alt_names(pki_module.certificate("x", key)) == ()
    names = x509.SubjectAlternativeName([x509.DNSName("b"), x509.DNSName("A"), x509.DNSName("a")])
    assert alt_names(pki_module.certificate("x", key, extensions=[(names, False)])) == ("DNS:a", "DNS:b")
    oid = x509.SubjectAlternativeName.oid
    damaged = x509.UnrecognizedExtension(oid, b"\x30\x05")
    assert alt_names(pki_module.certificate("x", key, extensions=[(damaged, False)])) == ()


KINDS = "does not begin with DNS:, IP:, email:, URI:, UPN: or RID:."
NOTHING = "there is nothing behind the colon; write the name there, or leave the entry out"
IDN = "write the host name in its ASCII form, which begins with xn--"
BLANK = "a part between its dots is blank; write it as in host.example.com"
WILDCARD = "a wildcard can be the whole first part and nothing else, as in *.example.com"
NO_HOST = "it is no host name; each part has up to 63 letters, digits and hyphens, and no hyphen at its ends"
NO_ADDRESS = "it is not the address of one host, such as 192.0.2.1 or 2001:db8::1"
EMAIL = "write it in ASCII, as in name@example.com"
URI = "write it in ASCII, without blanks and with its scheme, as in https://host.example.com/"
UPN = "write the user principal name as in user@example.com"
NO_OID = "it is no object identifier, such as 1.3.6.1.4.1.311"


@pytest.mark.parametrize("written", ["host", "FOO:x", "", ":x", "IP192.0.2.1"])
def test_no_kind_of_alternative_name(written: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_alt_names([written])
    assert str(caught.value) == f"subject_alt_name: '{written}' {KINDS}"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("DNS:", NOTHING),
        ("UPN:  ", NOTHING),
        ("DNS:müller.example", IDN),
        ("DNS:a..b", BLANK),
        ("DNS:host.", BLANK),
        ("DNS:.host", BLANK),
        ("DNS:a. .b", BLANK),
        ("DNS:*", WILDCARD),
        ("DNS:a.*.b", WILDCARD),
        ("DNS:*.*.b", WILDCARD),
        ("DNS:w*.example.com", WILDCARD),
        ("DNS:*w.example.com", WILDCARD),
        ("DNS:a b", NO_HOST),
        ("DNS:host:8443", NO_HOST),
        ("DNS:-a.b", NO_HOST),
        ("DNS:a-.b", NO_HOST),
        ("DNS:https://host/", NO_HOST),
        ("IP:300.1.1.1", NO_ADDRESS),
        ("IP:192.0.2.0/24", NO_ADDRESS),
        ("IP:192.0.2", NO_ADDRESS),
        ("IP:[2001:db8::1]", NO_ADDRESS),
        ("IP:fe80::1%eth0", NO_ADDRESS),
        ("IP:host", NO_ADDRESS),
        ("email:nobody", EMAIL),
        ("email:a@b@c", EMAIL),
        ("email:a b@c", EMAIL),
        ("email:Max <a@b>", EMAIL),
        ("email:a@ü", EMAIL),
        ("URI:host", URI),
        ("URI:urn: x", URI),
        ("URI:https://ü/", URI),
        ("URI:1x:y", URI),
        ("UPN:user", UPN),
        ("UPN:@example.com", UPN),
        ("UPN:a b@example.com", UPN),
        ("RID:1", NO_OID),
        ("RID:3.1", NO_OID),
        ("RID:1.40", NO_OID),
        ("RID:1.2.03", NO_OID),
        ("RID:1.2.268435376", NO_OID),
        ("RID:2.25.32980073569858662929564197851", NO_OID),
    ],
)
def test_alternative_name_that_cannot_be_meant(written: str, complaint: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_alt_names([written])
    assert str(caught.value) == f"subject_alt_name: '{written}' cannot be used: {complaint}."


def test_an_object_identifier_of_too_many_octets() -> None:
    with pytest.raises(
        OptionError, match=r"^subject_alt_name: 'RID:1\.2\.1.*…' cannot be used: it is no object identif"
    ):
        read_alt_names([f"RID:1.2{'.1' * 63}"])


@pytest.mark.parametrize(
    ("kind", "text", "most"),
    [
        ("DNS", "a." * 126 + "ab", 253),
        ("IP", "1" * 254, 253),
        ("email", "a@" + "b" * 254, 255),
        ("URI", "urn:" + "b" * 2045, 2048),
        ("UPN", "a@" + "b" * 1023, 1024),
        ("RID", "1." * 127 + "1", 253),
    ],
)
def test_long_alternative_names(kind: str, text: str, most: int) -> None:
    with pytest.raises(OptionError) as caught:
        read_alt_names([f"{kind}:{text}"])
    assert str(caught.value) == (
        f"subject_alt_name: '{f'{kind}:{text}'[:39]}…' cannot be used: it has {len(text)} characters, and {most} are "
        "the most; shorten it."
    )


@pytest.mark.parametrize("kind", ["DNS", "IP", "email", "URI", "UPN", "RID"])
@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\u2028"])
def test_control_characters_in_alternative_names(kind: str, character: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_alt_names([f"{kind}:a{character}"])
    assert str(caught.value) == (
        f"subject_alt_name: {f'{kind}:a{character}'!r} cannot be used: it holds a control character; leave that out."
    )


@given(st.sampled_from(["DNS", "IP", "email", "URI", "UPN", "RID", "otherName", ""]), st.text(max_size=300))
def test_any_text_is_read_or_refused_in_one_line(kind: str, text: str) -> None:
    """And what is read, reads back."""
    try:
        names = read_alt_names([f"{kind}:{text}"])
    except OptionError as error:
        assert str(error).startswith("subject_alt_name: ")
        assert str(error).endswith(".")
        assert len(str(error).splitlines()) == 1
    else:
        assert read_alt_names([plain_alt_name(name) for name in names]) == names


@given(st.ip_addresses().filter(lambda address: "%" not in str(address)))
def test_every_address_reads_back(address: Any) -> None:
    (name,) = read_alt_names([f"IP:{address}"])
    assert isinstance(name, x509.IPAddress)
    assert name.value == address
    assert read_alt_names([plain_alt_name(name)]) == (name,)


def test_kinds_of_names_that_only_others_ask_for() -> None:
    upn = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
    names = [
        x509.OtherName(upn, asn1.utf8("a")),
        x509.OtherName(upn, b"\x16\x01a"),  # an IA5String
        x509.OtherName(upn, b"\x0c\x81\x01a"),  # not DER
        x509.OtherName(upn, b"\x0c\x01\xff"),  # not UTF-8
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), asn1.utf8("a")),
        x509.DirectoryName(read_subject("CN=x,O=y")),
    ]
    assert [plain_alt_name(name) for name in names] == [
        "UPN:a",
        "otherName:1.3.6.1.4.1.311.20.2.3;160161",
        "otherName:1.3.6.1.4.1.311.20.2.3;0c810161",
        "otherName:1.3.6.1.4.1.311.20.2.3;0c01ff",
        "otherName:1.2.3;0c0161",
        "dirName:CN=x,O=y",
    ]


SID = "S-1-5-21-1004336348-1177238915-682003330-1105"


@pytest.mark.parametrize("written", [SID, f" {SID.lower()}\n"])
def test_sid(written: str) -> None:
    name = sid_name(written)
    assert name == f"URI:tag:microsoft.com,2022-09-14:sid:{SID}"
    assert plain_alt_name(read_alt_names([name])[0]) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        "CORP\\sw1$",
        "S-1-5-32-544",
        "S-1-5-21-1-2-3",
        "S-1-5-21-1-2-3-4-5",
        "S-1-5-21-1-2-3-04",
        "S-1-5-21-1-2-3-4294967296",
        "S-1-5-21-1-2-3-²",
        "S-1-5-21-1-2-3-x",
        "S-2-5-21-1-2-3-4",
    ],
)
def test_no_sid(written: str) -> None:
    with pytest.raises(OptionError) as caught:
        sid_name(written)
    assert str(caught.value) == (
        f"sid: {written!r} is not the SID of an account in a domain; Get-ADComputer and Get-ADUser print it, and it "
        "looks like S-1-5-21-1004336348-1177238915-682003330-1105."
    )
