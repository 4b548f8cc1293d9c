# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#10: what is written, and what devices really send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr, read_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    UNPROVEN,
    BadAlgorithm,
    BadRequest,
    DecodeError,
    MalformedContent,
    ScepError,
    SignatureInvalid,
)
from asn1crypto import csr as oracle
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from support import pki as pki_module
from support.pki import ec_key, name, rsa_key

CHALLENGE, EXTENSIONS, FRIENDLY_NAME = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14", "1.2.840.113549.1.9.20"
SAN = asn1.sequence(asn1.oid("2.5.29.17"), asn1.octet_string(asn1.sequence(asn1.tlv(0x82, b"device.example.com"))))


def attribute(oid: str, *values: bytes) -> bytes:
    return asn1.sequence(asn1.oid(oid), asn1.tlv(0x31, *values))


def request(
    attributes: Sequence[bytes] = (),
    key: Any = None,
    *,
    sign_with: Any = None,
    digest: str = "sha256",
    identifier: bytes | None = None,
    fields: dict[int, bytes] | None = None,
    signature: bytes | None = None,
) -> bytes:
    """A PKCS#10 request with its attributes as given, in that order."""
    key = key or rsa_key("device")
    own = [
        asn1.integer(0),
        name("device").public_bytes(),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        asn1.tlv(0xA0, *attributes),
    ]
    information = asn1.sequence(*((fields or {}).get(at, field) for at, field in enumerate(own)))
    if signature is None:
        signature = (sign_with or key).sign(information, padding.PKCS1v15(), pki_module.HASHES[digest]())
    return asn1.sequence(information, identifier or pki_module.rsa_identifier(digest), asn1.bit_string(signature))


# --- written ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("make_key", [rsa_key, ec_key])
def test_what_is_written_is_read_by_others(make_key: Any, digest: str) -> None:
    key = make_key("device")
    subject = name("device", country_name="CH", organization_name="Öffentlich")
    san = x509.SubjectAlternativeName([x509.DNSName("device.example.com")])
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(pki_module.CLIENT_AUTH)])
    encoded = build_csr(
        key, subject, challenge_password="secret 1", extensions=[(san, False), (usage, True)], digest=digest
    )

    judge = oracle.CertificationRequest.load(encoded, strict=True)
    information = judge["certification_request_info"]
    assert information["subject"].dump() == subject.public_bytes()
    assert judge.dump(force=True) == encoded  # DER
    found = {entry["type"].native: entry["values"] for entry in information["attributes"]}
    assert found["challenge_password"][0].native == "secret 1"
    assert [entry["extn_id"].native for entry in found["extension_request"][0]] == [
        "subject_alt_name",
        "extended_key_usage",
    ]
    assert [entry["critical"].native for entry in found["extension_request"][0]] == [False, True]

    library = x509.load_der_x509_csr(encoded)
    if digest != "sha1":  # newer versions refuse it
        assert library.is_signature_valid
    assert library.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == san

    own = read_csr(encoded)
    assert own.raw == encoded
    assert own.subject == subject
    assert own.challenge_password == "secret 1"
    assert same_key(own.public_key, key.public_key())
    assert len(own.extensions) == 2


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Secret-1 '()+,./:=?", asn1.PRINTABLE_STRING),
        ("1B2C3D4E5F607182", asn1.PRINTABLE_STRING),
        ("pass@word", asn1.UTF8_STRING),
        ("under_score", asn1.UTF8_STRING),
        ("st*r", asn1.UTF8_STRING),
        ("pässwörd", asn1.UTF8_STRING),
        ("\U0001f511", asn1.UTF8_STRING),
        ("", asn1.PRINTABLE_STRING),
    ],
)
def test_string_type_of_a_challenge(text: str, tag: int) -> None:
    encoded = build_csr(rsa_key("device"), name("device"), challenge_password=text)
    value = asn1.read(encoded).child(0).child(3).child(0).child(1).child(0)
    assert value.tag == tag
    assert read_csr(encoded).challenge_password == text


def test_without_challenge_and_extensions() -> None:
    encoded = build_csr(rsa_key("device"), name("device"))
    assert x509.load_der_x509_csr(encoded).is_signature_valid
    found = read_csr(encoded)
    assert found.challenge_password is None
    assert len(found.extensions) == 0


@given(st.text(max_size=64))
def test_any_challenge(text: str) -> None:
    key = ec_key("device")
    assert read_csr(build_csr(key, name("device"), challenge_password=text)).challenge_password == text


# --- read ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (asn1.printable("secret"), "secret"),
        (asn1.printable("a@b_c"), "a@b_c"),  # outside of its alphabet, and sent all the same
        (asn1.utf8("pässwörd"), "pässwörd"),
        (asn1.tlv(asn1.T61_STRING, b"p\xe4ss"), "päss"),
        (asn1.tlv(asn1.BMP_STRING, "päss".encode("utf-16-be")), "päss"),
        (asn1.tlv(asn1.UNIVERSAL_STRING, "päss".encode("utf-32-be")), "päss"),
        (asn1.tlv(asn1.IA5_STRING, b"secret"), "secret"),
        (asn1.printable(""), ""),
    ],
)
def test_string_types_of_challenges(value: bytes, text: str, allowed: AlgorithmPolicy) -> None:
    found = read_csr(request([attribute(CHALLENGE, value)]))
    assert found.challenge_password == text
    verify_csr(found, allowed)


def test_attributes_in_any_order(allowed: AlgorithmPolicy) -> None:
    """One client writes them unsorted, which the library refuses; another adds a friendlyName."""
    attributes = [
        attribute(CHALLENGE, asn1.printable("secret")),
        attribute(EXTENSIONS, asn1.sequence(SAN)),
        attribute(FRIENDLY_NAME, asn1.tlv(asn1.BMP_STRING, "device".encode("utf-16-be"))),
    ]
    orders = (attributes, attributes[::-1], sorted(attributes), sorted(attributes, reverse=True))
    for order in orders:
        encoded = request(order)
        found = read_csr(encoded)
        assert found.raw == encoded
        assert found.challenge_password == "secret"
        assert found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        verify_csr(found, allowed)
    # the signature covers the order as sent: what is sorted afterwards is another request
    outer = asn1.read(request(sorted(attributes, reverse=True)))
    fields = [field.raw for field in outer.child(0).children()[:3]]
    sorted_since = asn1.sequence(
        asn1.sequence(*fields, asn1.tlv(0xA0, *sorted(attributes))), outer.child(1).raw, outer.child(2).raw
    )
    with pytest.raises(SignatureInvalid):
        verify_csr(read_csr(sorted_since), allowed)


def test_padding_behind_a_request_is_no_part_of_it(allowed: AlgorithmPolicy) -> None:
    encoded = request()
    found = read_csr(encoded + bytes(7))
    assert found.raw == encoded
    verify_csr(found, allowed)


def test_no_attributes(allowed: AlgorithmPolicy) -> None:
    found = read_csr(request([]))
    assert found.challenge_password is None
    verify_csr(found, allowed)


BAD_NAME = asn1.sequence(asn1.tlv(0x31, asn1.sequence(asn1.oid("2.5.4.3"), asn1.tlv(0x0C, b"\xff"))))
BAD_SAN = asn1.sequence(asn1.oid("2.5.29.17"), asn1.octet_string(b"x"))
MALFORMED: dict[str, Callable[[], bytes]] = {
    "name is no UTF-8": lambda: request(fields={1: BAD_NAME}),
    "name is a number": lambda: request(fields={1: asn1.integer(1)}),
    "unknown key": lambda: request(fields={2: asn1.sequence(asn1.sequence(asn1.oid("1.2.3")), asn1.bit_string(b"k"))}),
    "empty key": lambda: request(fields={2: asn1.sequence()}),
    "attribute is a number": lambda: request([asn1.integer(1)]),
    "challenge without a value": lambda: request([attribute(CHALLENGE)]),
    "challenge is a number": lambda: request([attribute(CHALLENGE, asn1.integer(5))]),
    "challenge is no UTF-8": lambda: request([attribute(CHALLENGE, asn1.tlv(0x0C, b"\xff"))]),
    "extensions without a value": lambda: request([attribute(EXTENSIONS)]),
    "extensions are a number": lambda: request([attribute(EXTENSIONS, asn1.integer(5))]),
    "extension is rubbish": lambda: request([attribute(EXTENSIONS, asn1.sequence(BAD_SAN))]),
    "extension twice": lambda: request([attribute(EXTENSIONS, asn1.sequence(SAN, SAN))]),
    "two challenges": lambda: request([attribute(CHALLENGE, asn1.printable(text)) for text in ("one", "two")]),
    "two sets of extensions": lambda: request([attribute(EXTENSIONS, asn1.sequence(*each)) for each in ([SAN], [])]),
    "empty": asn1.sequence,
    "empty inside": lambda: asn1.sequence(asn1.sequence(), asn1.sequence(), asn1.bit_string(b"")),
    "a number": lambda: asn1.integer(5),
    "a string": lambda: asn1.octet_string(b"text"),
    "a certificate": lambda: pki_module.der(pki_module.shared().ca.certificate),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_requests(what: str) -> None:
    with pytest.raises(MalformedContent):
        read_csr(MALFORMED[what]())


@pytest.mark.parametrize("kind", [asn1.tlv(0xA3, b""), asn1.tlv(0xA5, asn1.tlv(0xA1, asn1.utf8("x")))])
def test_names_that_the_library_does_not_know(kind: bytes) -> None:
    odd = asn1.sequence(asn1.oid("2.5.29.17"), asn1.octet_string(asn1.sequence(kind)))
    with pytest.raises(MalformedContent):
        read_csr(request([attribute(EXTENSIONS, asn1.sequence(odd))]))


@pytest.mark.parametrize("encoded", [b"", b"\x30", b"random", b"\x30\x82\xff\xff"])
def test_what_is_no_structure_at_all(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        read_csr(encoded)


# --- verified --------------------------------------------------------------------------------------------------------


EC_SPKI = ec_key("device").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
UNSIGNED: dict[str, Callable[[], bytes]] = {
    "by another key": lambda: request(sign_with=rsa_key("enrolled")),
    "no signature": lambda: request(signature=b""),
    "zeros": lambda: request(signature=bytes(256)),
    "too long": lambda: request(signature=b"\x01" * 257),
    "another digest": lambda: request(identifier=pki_module.rsa_identifier("sha512")),
    "unknown algorithm": lambda: request(identifier=asn1.sequence(asn1.oid("1.2.3.4"))),
    "no digest": lambda: request(identifier=asn1.sequence(asn1.oid("1.2.840.113549.1.1.1"), asn1.ASN1_NULL)),
    "PSS said, PKCS#1 done": lambda: request(identifier=pki_module.pss_identifier("sha256", 32)),
    "a small key, signed by another": lambda: request(key=rsa_key("tiny", 1024), sign_with=rsa_key("device")),
    "an EC key, signed by RSA": lambda: request(fields={2: EC_SPKI}),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_whatever_is_wrong_with_the_signature_is_one_sentence(what: str, allowed: AlgorithmPolicy) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify_csr(read_csr(UNSIGNED[what]()), allowed)
    assert str(caught.value) == UNPROVEN


def test_algorithms_are_judged_by_the_policy_once_the_signature_holds() -> None:
    for digest, refusing, accepting in (
        ("sha1", policy(allow_sha1=False), policy()),
        ("md5", policy(), policy(legacy=True)),
    ):
        verify_csr(read_csr(request(digest=digest)), accepting)
        with pytest.raises(BadAlgorithm):
            verify_csr(read_csr(request(digest=digest)), refusing)
        with pytest.raises(SignatureInvalid):
            verify_csr(read_csr(request(digest=digest, sign_with=rsa_key("enrolled"))), refusing)


def test_sizes_and_kinds_of_keys(allowed: AlgorithmPolicy) -> None:
    verify_csr(read_csr(request(key=rsa_key("tiny", 1024))), policy(min_rsa_bits=1024))
    with pytest.raises(BadRequest, match="has 1024 bits; 2048 to 8192 are accepted"):
        verify_csr(read_csr(request(key=rsa_key("tiny", 1024))), allowed)
    with pytest.raises(BadRequest, match="3072 to 8192"):
        verify_csr(read_csr(request()), policy(min_rsa_bits=3072))
    with pytest.raises(BadAlgorithm, match="not an RSA key"):
        verify_csr(read_csr(build_csr(ec_key("device"), name("device"))), allowed)


def test_a_huge_key_is_no_crash(allowed: AlgorithmPolicy) -> None:
    modulus = asn1.sequence(asn1.integer((1 << 20000) + 1), asn1.integer(65537))
    spki = asn1.sequence(asn1.sequence(asn1.oid("1.2.840.113549.1.1.1"), asn1.ASN1_NULL), asn1.bit_string(modulus))
    encoded = request(fields={2: spki}, signature=bytes(2501))
    with pytest.raises(ScepError):
        verify_csr(read_csr(encoded), allowed)


def test_a_key_without_a_modulus_is_no_crash(allowed: AlgorithmPolicy) -> None:
    """Version 36 of the library reads it, and then raises an InternalError when it is to verify with it."""
    nothing = asn1.sequence(asn1.integer(0), asn1.integer(65537))
    spki = asn1.sequence(asn1.sequence(asn1.oid("1.2.840.113549.1.1.1"), asn1.ASN1_NULL), asn1.bit_string(nothing))
    with pytest.raises((MalformedContent, SignatureInvalid)):
        verify_csr(read_csr(request(fields={2: spki}, signature=bytes(256))), allowed)


def test_pss_signed_requests(allowed: AlgorithmPolicy) -> None:
    identifier = pki_module.pss_identifier("sha256", 32)
    information = asn1.read(request()).child(0).raw
    algorithm = pki_module.HASHES["sha256"]()
    signature = rsa_key("device").sign(information, padding.PSS(padding.MGF1(algorithm), 32), algorithm)
    verify_csr(read_csr(request(identifier=identifier, signature=signature)), allowed)
