# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into certificates: names by pattern and order, Windows accounts, usages, validity."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from cryptography import x509
from cryptography.x509.oid import NameOID
from scep_device import Bench, Device, ServedNew, ServedWith, message

_UPN, _SID_VALUE = "1.3.6.1.4.1.311.20.2.3", "1.3.6.1.4.1.311.25.2.1"
SID_OID = x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2")
OID_IPSEC = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.17")
SID = "S-1-5-21-2000478354-1708537768-1957994488-1105"


def named(device: Device, name: str) -> Device:
    """The device under another name."""
    return Device(device.key, name)


def upn(text: bytes) -> x509.OtherName:
    """A user principal name."""
    return x509.OtherName(x509.ObjectIdentifier(_UPN), text)


def names(*values: x509.GeneralName) -> list[tuple[x509.ExtensionType, bool]]:
    """A request for these alternative names."""
    return [(x509.SubjectAlternativeName(values), False)]


def certified(bench: Bench, device: Device, **parts: Any) -> x509.Certificate:
    """The certificate that the request gets."""
    return bench.issued(device, **parts).certificate


def verdict(bench: Bench, device: Device, **parts: Any) -> PkiStatus:
    """Whether the request is granted; one that is not is refused with badRequest."""
    reply = bench.answer(bench.request(device, bench.passwords()[0], **parts))
    assert reply.status is PkiStatus.SUCCESS or reply.fail_info is FailInfo.BAD_REQUEST
    return reply.status


# Names


@pytest.mark.parametrize(
    ("name", "granted"),
    [
        ("CN=r1.example,O=Example", True),
        ("CN=r22.example,O=Example", True),
        ("CN=r1.example", True),
        ("O=Example,CN=r1.example", False),
        ("CN=r1.example,O=Example,OU=more", False),
        ("CN=xr1.example,O=Example", False),
        ("CN=r1-example,O=Example", False),
        ("CN=r1.example\\,O=Example", False),
    ],
)
def test_subject_patterns(served_with: ServedWith, device: Device, name: str, granted: bool) -> None:
    bench = served_with(subject_patterns=[r"CN=r\d+\.example,O=Example", r"CN=r1\.example"])
    assert (verdict(bench, named(device, name)) is PkiStatus.SUCCESS) == granted


def test_no_subject_needs_no_pattern(served_with: ServedWith, device: Device) -> None:
    bench = served_with(subject_patterns=["CN=r1"], alternative_name_patterns=["dns:r1"])
    assert verdict(bench, named(device, ""), extensions=names(x509.DNSName("r1"))) is PkiStatus.SUCCESS


@pytest.mark.parametrize(
    ("name", "granted"),
    [
        (x509.DNSName("r1.example"), True),
        (x509.DNSName("r1.example.evil"), False),
        (x509.DNSName("r1\nexample"), False),
        (x509.RFC822Name("r1.example"), False),
        (upn(asn1.utf8("user@corp.example")), True),
        (upn(asn1.utf8("admin@corp.example")), False),
        (upn(asn1.utf8("user@corp.example\n")), False),
        (upn(asn1.integer(5)), False),
        (upn(asn1.tlv(asn1.UTF8_STRING, b"\xff")), False),
    ],
    ids=str,
)
def test_alternative_name_patterns(
    served_with: ServedWith, device: Device, name: x509.GeneralName, granted: bool
) -> None:
    bench = served_with(alternative_name_patterns=[r"dns:r\d\.example", "upn:user@corp.example"])
    assert (verdict(bench, device, extensions=names(name)) is PkiStatus.SUCCESS) == granted
    if not granted:
        both = names(x509.DNSName("r1.example"), name)
        assert verdict(bench, device, extensions=both) is PkiStatus.FAILURE, "every name has to match"


def test_what_is_refused_forges_no_line_of_the_log(
    served_with: ServedWith, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    bench = served_with(subject_patterns=["CN=r1"])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x\n192.0.2.1: transaction 1 issued\x1b[2J")])
    with caplog.at_level("INFO"):
        assert verdict(bench, named(device, name.rfc4514_string())) is PkiStatus.FAILURE
    assert [record for record in caplog.records if record.name == "scep_server"]
    assert not [record for record in caplog.records if {"\n", "\x1b"} & set(record.getMessage())]
    (line,) = bench.server.store.audit.records()
    assert line["subject"] == "CN=x?192.0.2.1: transaction 1 issued?[2J"


ORDERS = {
    "CN=a,O=b,C=DE": "C=DE,O=b,CN=a",
    "O=b,CN=a": "O=b,CN=a",
    "OU=x,CN=a,OU=y,C=DE": "C=DE,CN=a,OU=x,OU=y",
    "L=x,CN=a+OU=z,O=b": "O=b,CN=a+OU=z,L=x",
    "1.2.3.4=x,CN=a": "CN=a,1.2.3.4=x",
}


@pytest.mark.parametrize("asked", ORDERS)
def test_rdn_order(served_with: ServedWith, device: Device, asked: str) -> None:
    """As encoded, first to last: the reverse of how RFC 4514 writes them."""
    bench = served_with(rdn_order=["C", "O", "CN"])
    reverse = x509.Name(x509.Name.from_rfc4514_string(asked).rdns[::-1])
    subject = certified(bench, named(device, reverse.rfc4514_string())).subject
    assert x509.Name(subject.rdns[::-1]) == x509.Name.from_rfc4514_string(ORDERS[asked])


def test_patterns_judge_what_will_stand_in_the_certificate(served_with: ServedWith, device: Device) -> None:
    bench = served_with(rdn_order=["O", "CN"], subject_patterns=["CN=r1,O=Example"])
    assert verdict(bench, named(device, "O=Example,CN=r1")) is PkiStatus.SUCCESS


def _of_the_ca(bench: Bench) -> str:
    return bench.pki.ca.certificate.subject.rfc4514_string()


@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda name: name.replace(" ", "   ")])
def test_no_device_gets_the_name_of_the_ca(bench: Bench, device: Device, change: Any) -> None:
    """Names are compared without regard to case and blanks (RFC 5280 section 7.1)."""
    kind, text = _of_the_ca(bench).split("=")
    reply = bench.refusal(bench.request(named(device, f"{kind}={change(text)}"), bench.passwords()[0]))
    assert "name of the CA" in str(reply.fail_info_text)


def test_nor_by_way_of_the_order(served_new: ServedNew, device: Device) -> None:
    """The name of the CA, asked for the other way round, must not be put right."""
    bench = served_new(layout="ca_only", ca_subject="CN=CA,O=Example", rdn_order=["O", "CN"])
    assert verdict(bench, named(device, "CN=CA,O=Example")) is PkiStatus.FAILURE
    assert verdict(bench, named(device, "O=Example,CN=CA")) is PkiStatus.FAILURE


# Windows accounts


def sid_extension(*values: str, type_id: str = _SID_VALUE, behind: bytes = b"") -> x509.UnrecognizedExtension:
    """The extension with these SIDs, each an otherName."""
    inner = [
        asn1.tlv(
            asn1.context(0),
            asn1.oid(type_id),
            asn1.tlv(asn1.context(0), asn1.octet_string(value.encode("latin-1")), behind),
        )
        for value in values
    ]
    return x509.UnrecognizedExtension(SID_OID, asn1.sequence(*inner))


def sid_uri(value: str) -> x509.SubjectAlternativeName:
    """The alternative name that does the same."""
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"tag:microsoft.com,2022-09-14:sid:{value}")])


@pytest.mark.parametrize("taken", [[], ["extension"], ["uri"], ["extension", "uri"]])
def test_sids_that_are_allowed(served_with: ServedWith, device: Device, taken: list[str]) -> None:
    bench = served_with(windows_sids=taken)
    for form, value in (("extension", sid_extension(SID)), ("uri", sid_uri(SID))):
        assert (verdict(bench, device, extensions=[(value, False)]) is PkiStatus.SUCCESS) == (form in taken)
    if "extension" in taken:
        found = certified(bench, device, extensions=[(sid_extension(SID), True)]).extensions
        extension = found.get_extension_for_oid(SID_OID)
        assert (extension.value, extension.critical) == (sid_extension(SID), False)


NO_SIDS = (
    "",
    "S-1",
    "S-2-5-21",
    "x" + SID,
    SID + "\n",
    SID + " ",
    "s-1-5-21-1",
    "S-1-5-" + "1-" * 16 + "1",
    "S-1-5-21-é",
)
MALFORMED: dict[str, x509.UnrecognizedExtension] = {
    "nothing": x509.UnrecognizedExtension(SID_OID, b""),
    "NULL": x509.UnrecognizedExtension(SID_OID, b"\x05\x00"),
    "empty": x509.UnrecognizedExtension(SID_OID, b"\x30\x00"),
    "cut off": x509.UnrecognizedExtension(SID_OID, sid_extension(SID).value[:-1]),
    "the SID alone": x509.UnrecognizedExtension(SID_OID, asn1.octet_string(SID.encode())),
    "of another type": sid_extension(SID, type_id="1.2.3"),
    "two": sid_extension(SID, "S-1-5-21-1-2-3-500"),
    "two values in one": sid_extension(SID, behind=asn1.octet_string(b"S-1-5-21-1-2-3-500")),
    "followed by zeros": x509.UnrecognizedExtension(SID_OID, sid_extension(SID).value + b"\0\0"),
    **{f"value {value!r}": sid_extension(value) for value in NO_SIDS},
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_sid_extensions(served_with: ServedWith, device: Device, what: str) -> None:
    bench = served_with(windows_sids=["extension", "uri"])
    assert verdict(bench, device, extensions=[(MALFORMED[what], False)]) is PkiStatus.FAILURE


@pytest.mark.parametrize("value", [value for value in NO_SIDS if value.isascii()])
def test_malformed_sid_uris(served_with: ServedWith, device: Device, value: str) -> None:
    bench = served_with(windows_sids=["uri"])
    assert verdict(bench, device, extensions=[(sid_uri(value), False)]) is PkiStatus.FAILURE


# Usages

CLIENT, SIGNS_CODE = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2"), x509.ObjectIdentifier("1.3.6.1.5.5.7.3.3")
Asked = tuple[tuple[str, ...], tuple[x509.ObjectIdentifier, ...]]
LEFT: list[tuple[Asked, Asked]] = [
    ((("key_agreement",), (CLIENT,)), (("key_agreement",), (CLIENT,))),
    ((("key_agreement", "key_cert_sign"), (SIGNS_CODE, CLIENT)), (("key_agreement",), (CLIENT,))),
    ((("key_cert_sign", "crl_sign"), (SIGNS_CODE,)), (("digital_signature",), (OID_IPSEC,))),
]
"""Usages asked for, and those in the certificate."""


@pytest.mark.parametrize(("asked", "left"), LEFT)
def test_usages_that_are_not_given(served_with: ServedWith, device: Device, asked: Asked, left: Asked) -> None:
    rules = {
        "key_usages": ["key_agreement"],
        "default_key_usages": ["digital_signature"],
        "extended_key_usages": [CLIENT.dotted_string],
        "default_extended_key_usages": [OID_IPSEC.dotted_string],
    }
    usage, purposes = build_key_usage(*asked[0]), x509.ExtendedKeyUsage(asked[1])
    lenient = served_with(usages_not_given="leave_out", **rules)
    for extension in (usage, purposes):
        granted = verdict(served_with(**rules), device, extensions=[(extension, False)]) is PkiStatus.SUCCESS
        assert granted == (asked == left)
    found = certified(lenient, device, extensions=[(usage, False), (purposes, False)]).extensions
    assert found.get_extension_for_class(x509.KeyUsage).value == build_key_usage(*left[0])
    assert found.get_extension_for_class(x509.ExtendedKeyUsage).value == x509.ExtendedKeyUsage(left[1])


# The rest of the certificate


def test_a_ca_that_is_out_of_date_issues_nothing(served_with: ServedWith, device: Device) -> None:
    bench = served_with(challenge="none", allow_no_challenge=True)
    bench.clock.now = bench.pki.ca.certificate.not_valid_after_utc
    bench.clock.forward(seconds=1)
    response = bench.post(message(device.csr(None), device.identity, bench.pki.encryption.certificate).message)
    assert response.status == 200
    ((outcome, reason),) = bench.lines()
    assert (outcome, reason) == (
        "refused",
        "badRequest: The certificate of the CA is out of date: nothing can be issued.",
    )
