# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server has to do so that the clients in the field enrol: one test for each point of that list, by its number.

The details of each point are tested where they belong; what a running server adds (its Content-Type headers, its
profiles of capabilities) is tested with the server.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import SERVER_WORDS
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import BadAlgorithm, DecryptionFailed
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import open_reply, select_issued, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, open_request, pkcs_req
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import TrustAnchor, resolve
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import (
    CONTENT_TYPES,
    decode_get_message,
    parse_query,
)
from asn1crypto import cms
from cryptography import x509

from support import forge
from support import pki as pki_module
from support.bench import Bench
from support.forge import Envelope
from support.pki import NOW, Pki, name


@pytest.mark.parametrize("layout", ["signing RA, encrypting RA, CA", "one RA, CA", "CA alone"])
def test_point_1_layouts(layout: str, pki: Pki, bench: Bench, allowed: AlgorithmPolicy) -> None:
    both = pki_module.leaf("RA", "ra-sign", pki.ca, eku=[pki_module.RA_EKU])
    offered, signer, receiver = {
        "signing RA, encrypting RA, CA": (pki.ndes, pki.ra_sign, pki.ra_encrypt),
        "one RA, CA": ((both.certificate, pki.ca.certificate), both, both),
        "CA alone": ((pki.ca.certificate,), pki.ca, pki.ca),
    }[layout]
    ca = resolve(offered, TrustAnchor(certificates=(pki.ca.certificate,)), allowed, NOW)
    request = pkcs_req(bench.csr, pki.device, ca.recipient, "sha256", "aes-128-cbc")
    incoming = open_request(request.message, [receiver], allowed)
    assert incoming.csr is not None
    issued = pki.issue(pki.device.key, incoming.csr.subject)
    reply = open_reply(success(incoming.header, signer, [issued]), request, ca, allowed, NOW)
    assert select_issued(reply, pki.device.key.public_key(), ca, NOW) == (issued, (pki.ca.certificate,))


def test_point_2_recipient_info_by_issuer_and_serial_among_several(pki: Pki, bench: Bench) -> None:
    body = bench.sealed(recipients=pki.ndes)
    for one in (pki.ra_sign, pki.ra_encrypt, pki.ca):
        assert open_request(body, [one], policy()).csr is not None


def test_point_2_a_wrong_key_is_one_answer_whether_the_library_rejects_it_openly_or_not(pki: Pki, bench: Bench) -> None:
    """RSA decryption of newer OpenSSL returns random octets for a wrong key, that of older ones an error."""
    wrong = Identity(pki.ra_encrypt.certificate, pki.ra_sign.key)
    for cipher in ("aes-128-cbc", "aes-256-cbc", "des-ede3-cbc"):
        with pytest.raises(DecryptionFailed):
            open_request(bench.sealed(cipher=cipher), [wrong], policy())
    for size in (0, 1, 8, 15, 24, 32, 245):  # what random octets may look like
        with pytest.raises(DecryptionFailed):
            bench.open(bench.sealed(key=b"k" * size))


def test_point_3_single_des_behind_the_switch_and_never_in_a_reply_by_chance(
    pki: Pki, bench: Bench, legacy: AlgorithmPolicy
) -> None:
    body = bench.sealed(cipher="des-cbc")
    with pytest.raises(BadAlgorithm):
        bench.open(body)
    header = bench.open(body, legacy).header
    assert header.cipher == "des-cbc"
    reply = success(header, pki.ra_sign, [pki.enrolled.certificate], cipher="des-ede3-cbc")
    content = cms.ContentInfo.load(reply)["content"]["encap_content_info"]["content"].native
    inner = cms.ContentInfo.load(content)["content"]["encrypted_content_info"]
    assert inner["content_encryption_algorithm"]["algorithm"].native == "tripledes_3key"


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_point_4_the_reply_follows_the_digest_names_rsa_encryption_and_brings_its_signer(
    digest: str, pki: Pki, bench: Bench
) -> None:
    header = bench.open(bench.signed(digest=digest)).header
    signed = cms.ContentInfo.load(success(header, pki.ra_sign, [pki.enrolled.certificate]))["content"]
    info = signed["signer_infos"][0]
    assert info["digest_algorithm"]["algorithm"].native == digest
    assert info["signature_algorithm"]["algorithm"].dotted == "1.2.840.113549.1.1.1"
    assert [one.chosen.dump() for one in signed["certificates"]] == [pki_module.der(pki.ra_sign.certificate)]


def test_point_5_the_leaf_comes_first(pki: Pki, bench: Bench) -> None:
    request = pkcs_req(bench.csr, pki.device, pki.ra_encrypt.certificate, "sha256", "aes-128-cbc")
    header = open_request(request.message, [pki.ra_encrypt], policy()).header
    ca = resolve(pki.ndes, TrustAnchor(certificates=(pki.ca.certificate,)), policy(), NOW)
    # a leaf that sorts behind its CA, whatever the encoding of the set would prefer
    leaf = min((pki.issue(pki.device.key) for _unused in range(3)), key=pki_module.der)
    for order in ([leaf, pki.ca.certificate], [leaf, pki.intermediate.certificate, pki.ca.certificate], [leaf]):
        reply = open_reply(success(header, pki.ra_sign, order), request, ca, policy(), NOW)
        assert list(reply.certificates) == order


def test_point_6_content_types(pki: Pki) -> None:
    assert CONTENT_TYPES["pki_message"] == "application/x-pki-message"
    assert CONTENT_TYPES["caps"] == "text/plain"
    assert write_ca_certificates([pki.ca.certificate])[1] == "application/x-x509-ca-cert"
    assert write_ca_certificates(pki.ndes)[1] == "application/x-x509-ca-ra-cert"


@pytest.mark.parametrize(
    "write",
    [
        lambda text: quote(text, safe=""),
        lambda text: text,
        lambda text: "%0A".join(text[at : at + 64] for at in range(0, len(text), 64)),
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    ],
    ids=["percent-encoded", "raw plus", "lines", "no padding", "URL-safe"],
)
def test_point_7_get(write: Callable[[str], str], bench: Bench) -> None:
    body = bench.message.build()
    query = parse_query("operation=PKIOperation&message=" + write(base64.b64encode(body).decode()))
    assert decode_get_message(query.message or "") == body


@pytest.mark.parametrize("message", ["", "0", "1", "CAIdentifier", "ca", "SCEP%20Authority"])
def test_point_7_message_of_get_ca_caps_and_get_ca_cert_is_ignored(message: str) -> None:
    for operation in ("GetCACaps", "GetCACert"):
        assert parse_query(f"operation={operation}&message={message}").operation == operation


def test_point_8_ber_constructed_and_indefinite(bench: Bench) -> None:
    for style in ("go", "indefinite"):
        body = bench.signed(content=replace(bench.envelope, style=style).build(), pieces=1000)
        assert bench.open(body).csr is not None


def test_point_8_unsorted_attributes_of_the_request(bench: Bench, allowed: AlgorithmPolicy) -> None:
    parts = asn1.read(bench.csr).child(0).children()
    attributes = sorted((one.raw for one in parts[3].children()), reverse=True)
    information = asn1.sequence(*(one.raw for one in parts[:3]), asn1.tlv(0xA0, *attributes))
    assert information != asn1.read(bench.csr).child(0).raw
    signature = pki_module.rsa_key("device").sign(information, forge.padding.PKCS1v15(), pki_module.HASHES["sha256"]())
    csr = asn1.sequence(information, pki_module.rsa_identifier("sha256"), asn1.bit_string(signature))
    found = bench.open(bench.sealed(plain=csr)).csr
    assert found is not None
    assert found.challenge_password == "secret"
    verify_csr(found, allowed)


def test_point_8_unsorted_signed_attributes_as_received_and_as_sorted(bench: Bench) -> None:
    for signed_in_order in (True, False):
        assert bench.open(bench.signed(sent_in_order=True, signed_in_order=signed_in_order)).csr is not None


def test_point_8_serials_over_20_octets(pki: Pki, bench: Bench) -> None:
    serial = asn1.tlv(2, b"D41D8CD98F00B204E9800998ECF8427E\0")
    long = x509.load_der_x509_certificate(
        pki_module.replace_fields(pki.device.certificate, {1: serial}, pki.device.key)
    )
    signer = Identity(long, pki.device.key)
    header = bench.open(bench.signed(signer=signer)).header
    assert header.signer == long
    reply = success(header, pki.ra_sign, [pki.enrolled.certificate])
    content = cms.ContentInfo.load(reply)["content"]["encap_content_info"]["content"].native
    rid = cms.ContentInfo.load(content)["content"]["recipient_infos"][0].chosen["rid"].chosen
    assert rid["serial_number"].native == long.serial_number


@pytest.mark.parametrize("challenge", [asn1.printable("secret"), asn1.utf8("secret")])
def test_point_8_challenges_as_printable_string_and_utf8_string(challenge: bytes, pki: Pki, bench: Bench) -> None:
    attribute = asn1.sequence(asn1.oid("1.2.840.113549.1.9.7"), asn1.tlv(0x31, challenge))
    parts = [one.raw for one in asn1.read(bench.csr).child(0).children()[:3]]
    information = asn1.sequence(*parts, asn1.tlv(0xA0, attribute))
    csr = asn1.sequence(information, pki_module.rsa_identifier("sha256"), asn1.bit_string(bytes(256)))
    found = bench.open(bench.sealed(plain=csr)).csr
    assert found is not None
    assert found.challenge_password == "secret"


@pytest.mark.parametrize("text", ["q1/+Zz0ZkI4mVwYb8n+PuR3sVnE=", "7" * 78, "SSCEP transactionId", "0", "a" * 40])
def test_point_8_any_printable_transaction_id(text: str, bench: Bench) -> None:
    body = bench.with_attribute(forge.TRANSACTION_ID, asn1.printable(text))
    assert bench.open(body).header.transaction_id == text


def test_point_9_the_same_transaction_id_with_another_request_and_signer(pki: Pki, bench: Bench) -> None:
    """Nothing in the core remembers a transactionID."""
    first = bench.open(bench.message.build())
    other = Identity(pki_module.certificate(name("other"), pki.enrolled.key), pki.enrolled.key)
    again = bench.open(bench.signed(signer=other, content=Envelope(bench.csr, [pki.ra_encrypt.certificate]).build()))
    assert first.header.transaction_id == again.header.transaction_id
    assert first.header.signer != again.header.signer


def test_point_10_order_of_capabilities() -> None:
    words = list(SERVER_WORDS)
    assert words.index("AES") < words.index("DES3")
    assert {"AES", "DES3", "SHA-256", "SHA-384", "POSTPKIOperation", "Renewal", "SCEPStandard"} <= set(words)
