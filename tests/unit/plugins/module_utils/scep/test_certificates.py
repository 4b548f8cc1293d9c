# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading, naming and comparing certificates, and who issued whom."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    Fingerprint,
    fingerprint,
    identity,
    is_ca,
    issued_by,
    load_certificate,
    parse_fingerprint,
    same_key,
    self_signed,
    valid_at,
    verify_issued_by,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    DecodeError,
    SignatureInvalid,
)
from asn1crypto import x509 as oracle
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from support import pki as pki_module
from support.pki import NOW, Pki, authority, certificate, rsa_key


def test_der_and_pem_are_loaded(pki: Pki) -> None:
    one, two = pki.ca.certificate, pki.root.certificate
    assert load_certificate(one.public_bytes(Encoding.DER)) == one
    assert load_certificate(b"text ahead\n" + one.public_bytes(Encoding.PEM) + two.public_bytes(Encoding.PEM)) == one


def name_with(*values: bytes) -> bytes:
    return asn1.sequence(*(asn1.tlv(0x31, asn1.sequence(asn1.oid("2.5.4.3"), value)) for value in values))


def subject_alternative_name(general_name: bytes) -> bytes:
    extension = asn1.sequence(asn1.oid("2.5.29.17"), asn1.octet_string(asn1.sequence(general_name)))
    return asn1.tlv(0xA3, asn1.sequence(extension))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"\x30\x00",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"\x30\x82\x01\x00",
    ],
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(DecodeError):
        load_certificate(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, b"\xa0\x03\x02\x01\x07"),  # version 8
        (3, name_with(asn1.tlv(0x0C, b"\xff\xfe"))),
        (5, name_with(asn1.tlv(0x0C, b"\xff\xfe"))),
        (5, name_with(asn1.tlv(0x02, b"\x05"))),
        (4, asn1.sequence(asn1.tlv(0x17, b"991332000000Z"), asn1.tlv(0x17, b"300101000000Z"))),
    ],
)
def test_fields_that_the_library_reads_late_are_judged_at_once(pki: Pki, field: int, value: bytes) -> None:
    data = pki_module.replace_fields(pki.device.certificate, {field: value}, pki.device.key)
    with pytest.raises(DecodeError):
        load_certificate(data)


@pytest.mark.parametrize(
    "general_name",
    [
        asn1.tlv(0xA3, b""),  # x400Address
        asn1.tlv(0xA5, asn1.tlv(0xA1, asn1.utf8("x"))),  # ediPartyName
        asn1.tlv(0x87, b"123"),  # an address of three octets
        asn1.tlv(0x82, b"\xff"),
    ],
)
def test_an_extension_that_cannot_be_read_grants_nothing(pki: Pki, general_name: bytes) -> None:
    fields = {7: subject_alternative_name(general_name)}
    odd = load_certificate(pki_module.replace_fields(pki.ca.certificate, fields, pki.ca.key))
    assert not is_ca(odd)
    assert certificates.key_usage(odd) is None
    assert certificates.extended_key_usages(odd) == frozenset()
    assert certificates.subject_key_identifier(odd) is None


def test_an_unknown_kind_of_key_is_a_decode_error(pki: Pki) -> None:
    spki = asn1.sequence(asn1.sequence(asn1.oid("1.2.3.4")), asn1.bit_string(b"key"))
    odd = load_certificate(pki_module.replace_fields(pki.device.certificate, {6: spki}, pki.device.key))
    with pytest.raises(DecodeError, match="CN=device"):
        certificates.public_key(odd)


def test_identity_is_taken_from_the_octets(pki: Pki) -> None:
    judge = oracle.Certificate.load(pki_module.der(pki.ra_sign.certificate))
    assert identity(pki.ra_sign.certificate) == (judge.issuer.dump(), judge.serial_number)


@pytest.mark.filterwarnings("ignore:Parsed a")
@pytest.mark.parametrize("serial", [b"A" * 32 + b"\0", b"\x7f" * 32, b"\x00\xff", b"\x01", b"\x80" + bytes(31)])
def test_serial_numbers_of_any_length(pki: Pki, serial: bytes) -> None:
    data = pki_module.replace_fields(pki.device.certificate, {1: asn1.tlv(2, serial)}, pki.device.key)
    found = identity(load_certificate(data))[1]
    assert found == int.from_bytes(serial, "big", signed=True)
    assert asn1.integer(found) == asn1.tlv(2, serial)


# --- fingerprints ----------------------------------------------------------------------------------------------------


def test_fingerprint_is_the_digest_of_the_der(pki: Pki) -> None:
    encoded = pki_module.der(pki.ca.certificate)
    for digest in ("md5", "sha1", "sha256", "sha384", "sha512"):
        assert fingerprint(pki.ca.certificate, digest) == hashlib.new(digest, encoded).digest().hex(":")


SHA256 = "0123456789abcdef" * 4
SHA1 = "0123456789abcdef0123456789abcdef01234567"
MD5 = "0123456789abcdef" * 2


def colons(text: str, between: str = ":") -> str:
    return between.join(text[at : at + 2] for at in range(0, len(text), 2))


@pytest.mark.parametrize(
    ("text", "digest", "digits"),
    [
        (SHA256, "sha256", SHA256),
        (SHA256.upper(), "sha256", SHA256),
        (colons(SHA256), "sha256", SHA256),
        (colons(SHA256.upper()), "sha256", SHA256),
        (colons(SHA256, " "), "sha256", SHA256),
        (colons(SHA256, "-"), "sha256", SHA256),
        ("0123ABCD 4567EFAB " * 2, "md5", "0123abcd4567efab" * 2),  # as the NDES pages group them
        (f" {SHA1}\r\n", "sha1", SHA1),
        (f"\u200e{colons(SHA1, ' ')}", "sha1", SHA1),  # out of the certificate window of Windows
        (MD5, "md5", MD5),
        ("ab" * 48, "sha384", "ab" * 48),
        ("ab" * 64, "sha512", "ab" * 64),
        (f"SHA256 Fingerprint={colons(SHA256.upper())}", "sha256", SHA256),
        (f"sha256 Fingerprint={colons(SHA256.upper())}", "sha256", SHA256),
        (f"SHA1 Fingerprint={colons(SHA1)}", "sha1", SHA1),
        (f"sha256:{SHA256}", "sha256", SHA256),
        (f"SHA-256: {colons(SHA256)}", "sha256", SHA256),
        (f"SHA-256 {colons(SHA256)}", "sha256", SHA256),
        (f"MD5 {MD5}", "md5", MD5),
    ],
)
def test_forms_of_a_fingerprint(text: str, digest: str, digits: str) -> None:
    found = parse_fingerprint(text)
    assert found == Fingerprint(digest, bytes.fromhex(digits))
    assert parse_fingerprint(str(found)) == found
    assert found.weak == (digest in ("md5", "sha1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 hexadecimal digits"),
        ("ab", "2 hexadecimal digits"),
        (SHA256[:-2], "62 hexadecimal digits"),
        (SHA256[:-1], "hexadecimal digits are expected"),
        ("zz" * 32, "hexadecimal digits are expected"),
        ("sha256:", "0 hexadecimal digits"),
        ("CN=Test CA", "hexadecimal digits are expected"),
        (SHA256 + SHA1, "hexadecimal digits"),
        ("\u0661" * 64, "hexadecimal digits are expected"),
    ],
)
def test_what_is_no_fingerprint(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_fingerprint(text)


def test_a_label_that_contradicts_the_digits_is_refused() -> None:
    for text in (f"SHA-256 {SHA1}", f"sha1:{SHA256}", f"MD5 Fingerprint={colons(SHA1)}"):
        with pytest.raises(ValueError, match="hexadecimal digits"):
            parse_fingerprint(text)


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_a_fingerprint_matches_its_certificate_alone(pki: Pki, digest: str) -> None:
    pin = parse_fingerprint(fingerprint(pki.ca.certificate, digest))
    assert pin.matches(pki.ca.certificate)
    assert not pin.matches(pki.other_ca.certificate)


# --- keys, roles, times ----------------------------------------------------------------------------------------------


def test_same_key(pki: Pki) -> None:
    assert same_key(pki.ra_sign.certificate.public_key(), pki.intermediate_ra.key.public_key())
    assert not same_key(pki.ra_sign.key.public_key(), pki.ra_encrypt.key.public_key())
    assert not same_key(pki.ec_ca.key.public_key(), pki.ca.key.public_key())


@pytest.mark.parametrize(
    ("ca", "usage", "expected"),
    [
        (True, ["key_cert_sign"], True),
        (True, None, True),
        (True, ["digital_signature", "key_encipherment"], False),
        (False, ["key_cert_sign"], False),
        (False, None, False),
        (None, ["key_cert_sign"], False),
        (None, None, False),
    ],
)
def test_is_ca(ca: bool | None, usage: list[str] | None, expected: bool) -> None:
    assert is_ca(certificate("somebody", rsa_key("device"), ca=ca, usage=usage)) is expected


HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW, True),
        (NOW - HOUR, True),  # a fresh certificate, and a clock that is late
        (NOW - HOUR - dt.timedelta(seconds=1), False),
        (NOW + HOUR, True),
        (NOW + HOUR + dt.timedelta(seconds=1), False),
    ],
)
def test_valid_at(at: dt.datetime, expected: bool) -> None:
    assert valid_at(certificate("somebody", rsa_key("device"), start=NOW, end=NOW + HOUR), at) is expected


def test_the_ends_of_time_are_no_crash(pki: Pki) -> None:
    validity = asn1.sequence(asn1.tlv(0x18, b"00010101000000Z"), asn1.tlv(0x18, b"99991231235959Z"))
    data = pki_module.replace_fields(pki.device.certificate, {4: validity}, pki.device.key)
    assert valid_at(load_certificate(data), NOW)


def test_times_are_aware_on_every_version(pki: Pki) -> None:
    assert certificates.not_before(pki.ca.certificate) == pki_module.START
    assert certificates.not_after(pki.ca.certificate) == pki_module.END


@pytest.mark.parametrize("key", [pytest.param(rsa_key, id="rsa"), pytest.param(pki_module.ec_key, id="ec")])
def test_self_signed(key: Any, allowed: AlgorithmPolicy) -> None:
    subject = pki_module.name("device", organization_name="Example")
    found = self_signed(key("device"), subject, NOW, days=3)
    assert found.subject == found.issuer == subject
    assert issued_by(found, found, allowed)
    assert valid_at(found, NOW)
    assert not valid_at(found, NOW + dt.timedelta(days=3, seconds=1))
    usage = certificates.key_usage(found)
    assert usage is not None
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
    assert not is_ca(found)
    assert same_key(found.public_key(), key("device").public_key())
    assert 0 < oracle.Certificate.load(pki_module.der(found)).serial_number < 1 << 160


# --- who issued whom -------------------------------------------------------------------------------------------------


def test_issued_by(pki: Pki, allowed: AlgorithmPolicy) -> None:
    table = [
        (pki.ra_sign, pki.ca, True),
        (pki.intermediate, pki.root, True),
        (pki.intermediate_ra, pki.intermediate, True),
        (pki.ec_ra, pki.ec_ca, True),
        (pki.ca, pki.ca, True),
        (pki.ra_sign, pki.other_ca, False),
        (pki.intermediate_ra, pki.root, False),
        (pki.ca, pki.ra_sign, False),
    ]
    for one, issuer, expected in table:
        assert issued_by(one.certificate, issuer.certificate, allowed) is expected


def test_a_namesake_with_another_key_is_not_the_issuer(pki: Pki, allowed: AlgorithmPolicy) -> None:
    namesake = authority("Test CA", "other")
    assert namesake.certificate.subject == pki.ca.certificate.subject
    with pytest.raises(SignatureInvalid):
        verify_issued_by(pki.ra_sign.certificate, namesake.certificate, allowed)


def test_the_right_key_under_another_name_is_not_the_issuer(pki: Pki, allowed: AlgorithmPolicy) -> None:
    renamed = certificate("Renamed CA", pki.ca.key, ca=True)
    with pytest.raises(DecodeError, match="was not issued by CN=Renamed CA"):
        verify_issued_by(pki.ra_sign.certificate, renamed, allowed)


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha384", "sha512"])
def test_digests_that_the_library_refuses_are_verified_here(pki: Pki, digest: str) -> None:
    """From version 42 on cryptography's own verification refuses SHA-1 and MD5; servers still send them."""
    signed = pki_module.signed_with(pki.enrolled.certificate, pki.ca.key, digest)
    verify_issued_by(signed, pki.ca.certificate, policy(legacy=True))
    broken = pki_module.signed_with(pki.enrolled.certificate, pki.other_ca.key, digest)
    with pytest.raises(SignatureInvalid):
        verify_issued_by(broken, pki.ca.certificate, policy(legacy=True))


@pytest.mark.parametrize(
    ("digest", "allowed", "label"),
    [("md5", policy(), "MD5"), ("sha1", policy(allow_sha1=False), "SHA-1"), ("md5", policy(allow_sha1=False), "MD5")],
)
def test_weak_digests_are_refused_without_their_switch(
    pki: Pki, digest: str, allowed: AlgorithmPolicy, label: str
) -> None:
    signed = pki_module.signed_with(pki.enrolled.certificate, pki.ca.key, digest)
    with pytest.raises(BadAlgorithm, match=label):
        verify_issued_by(signed, pki.ca.certificate, allowed)
    assert not issued_by(signed, pki.ca.certificate, allowed)


@pytest.mark.parametrize(
    ("digest", "salt", "defaults"),
    [("sha256", 32, False), ("sha512", 64, False), ("sha256", 0, False), ("sha1", 20, True)],
)
def test_pss_signed_certificates(pki: Pki, allowed: AlgorithmPolicy, digest: str, salt: int, defaults: bool) -> None:
    signed = pki_module.pss_signed(pki.ca.certificate, pki.ca.key, digest, salt, defaults=defaults)
    verify_issued_by(signed, signed, allowed)
    other = pki_module.pss_signed(pki.ca.certificate, pki.other_ca.key, digest, salt, defaults=defaults)
    with pytest.raises(SignatureInvalid):
        verify_issued_by(other, pki.ca.certificate, allowed)


def test_a_pss_salt_other_than_named_does_not_verify(pki: Pki, allowed: AlgorithmPolicy) -> None:
    signed = pki_module.pss_signed(pki.ca.certificate, pki.ca.key, "sha256", 32)
    outer = asn1.read(pki_module.der(signed))
    algorithm = pki_module.HASHES["sha256"]()
    signature = pki.ca.key.sign(outer.child(0).raw, padding.PSS(padding.MGF1(algorithm), 20), algorithm)
    other = x509.load_der_x509_certificate(
        asn1.sequence(outer.child(0).raw, outer.child(1).raw, asn1.bit_string(signature))
    )
    with pytest.raises(SignatureInvalid):
        verify_issued_by(other, pki.ca.certificate, allowed)
