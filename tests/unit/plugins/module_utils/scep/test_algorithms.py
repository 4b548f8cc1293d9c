# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which algorithms are taken, which are refused, and that the ciphers and signatures are the real ones."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, constants
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    CIPHERS,
    DIGESTS,
    AlgorithmPolicy,
    choose,
    decrypt,
    encrypt,
    policy,
    sign,
    signature_digest,
    signer_digest,
    verify,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import parse_capabilities
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    BadMessageCheck,
    DecryptionFailed,
    SignatureInvalid,
)
from asn1crypto import algos
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from support import forge
from support import pki as pki_module

NDES = b"POSTPKIOperation\nRenewal\nSHA-512\nSHA-256\nSHA-1\nDES3"
FULL = b"AES\nDES3\nSHA-1\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard"


@pytest.mark.parametrize(
    ("body", "allowed", "digest", "cipher"),
    [
        (NDES, policy(), "sha256", "des-ede3-cbc"),
        (FULL, policy(), "sha256", "aes-128-cbc"),
        (b"SCEPStandard", policy(), "sha256", "aes-128-cbc"),
        (b"AES\nSHA-512", policy(), "sha512", "aes-128-cbc"),
        (b"AES\nSHA-384", policy(), "sha384", "aes-128-cbc"),
        (b"AES\nSHA-1", policy(), "sha1", "aes-128-cbc"),
        (b"DES3", policy(), "sha1", "des-ede3-cbc"),
        (b"", policy(), "sha1", "des-ede3-cbc"),
        (b"", policy(legacy=True), "sha1", "des-ede3-cbc"),
        (b"SHA-1\nSHA-256\nDES3", policy(allow_sha1=False), "sha256", "des-ede3-cbc"),
        (FULL, AlgorithmPolicy(frozenset({"sha512"}), frozenset({"des-ede3-cbc"})), "sha512", "des-ede3-cbc"),
    ],
)
def test_choose(body: bytes, allowed: AlgorithmPolicy, digest: str, cipher: str) -> None:
    assert choose(parse_capabilities(body), allowed) == (digest, cipher)


@pytest.mark.parametrize(
    ("body", "allowed", "words"),
    [
        (b"", policy(allow_sha1=False), "no digest that is allowed here; it offers SHA-1"),
        (b"AES\nSHA-1", policy(allow_sha1=False), "no digest"),
        (FULL, AlgorithmPolicy(frozenset({"sha256"}), frozenset({"aes-256-cbc"})), "it offers 3DES, AES-128"),
    ],
)
def test_choose_refuses_with_a_sentence(body: bytes, allowed: AlgorithmPolicy, words: str) -> None:
    with pytest.raises(BadAlgorithm, match=words):
        choose(parse_capabilities(body), allowed)


@pytest.mark.parametrize(
    ("allowed", "digests", "ciphers"),
    [
        (policy(), {"sha1", "sha256", "sha384", "sha512"}, set(CIPHERS) - {"des-cbc"}),
        (policy(allow_sha1=False), {"sha256", "sha384", "sha512"}, set(CIPHERS) - {"des-cbc"}),
        (policy(legacy=True), set(DIGESTS), set(CIPHERS)),
        (policy(legacy=True, allow_sha1=False), set(DIGESTS) - {"sha1"}, set(CIPHERS)),
    ],
)
def test_policy(allowed: AlgorithmPolicy, digests: set[str], ciphers: set[str]) -> None:
    assert (allowed.digests, allowed.ciphers) == (digests, ciphers)
    for name, digest in DIGESTS.items():
        if name in digests:
            assert allowed.digest(digest.oid) is digest
        else:
            with pytest.raises(BadAlgorithm, match=f"{digest.label}, which is not allowed"):
                allowed.digest(digest.oid)
    for name, cipher in CIPHERS.items():
        if name in ciphers:
            assert allowed.cipher(cipher.oid) is cipher
        else:
            with pytest.raises(BadAlgorithm, match=f"{cipher.label}, which is not allowed"):
                allowed.cipher(cipher.oid)
    for oid in ("1.2.840.113549.3.2", "2.16.840.1.101.3.4.1.6"):  # RC2, AES-128-GCM
        with pytest.raises(BadAlgorithm, match=oid):
            allowed.cipher(oid)


def test_object_identifiers_are_the_registered_ones() -> None:
    for name, digest in DIGESTS.items():
        assert algos.DigestAlgorithmId(digest.oid).native == name
        assert algos.SignedDigestAlgorithmId(digest.rsa_oid).native == f"{name}_rsa"
        if digest.ecdsa_oid:
            assert algos.SignedDigestAlgorithmId(digest.ecdsa_oid).native == f"{name}_ecdsa"
    native = {"des-cbc": "des", "des-ede3-cbc": "tripledes_3key"}
    for name, cipher in CIPHERS.items():
        expected = native.get(name, name.replace("-", "", 1).replace("-", "_"))
        assert algos.EncryptionAlgorithmId(cipher.oid).native == expected


# --- ciphers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIPHERS)
@given(content=st.binary(max_size=100))
def test_every_cipher_there_and_back(name: str, content: bytes) -> None:
    key, vector, ciphertext = encrypt(name, content)
    cipher = CIPHERS[name]
    assert (len(key), len(vector)) == (cipher.key_bytes, cipher.block_bytes)
    assert len(ciphertext) > len(content)  # there is always padding
    assert decrypt(cipher, key, vector, ciphertext) == content
    padded = forge.decrypt(name, key, vector, ciphertext)
    assert padded[: len(content)] == content


def test_keys_and_vectors_are_fresh() -> None:
    drawn = [encrypt("aes-128-cbc", b"x") for _unused in range(50)]
    assert len({key for key, _unused, _unused in drawn}) == len({vector for _unused, vector, _unused in drawn}) == 50


def test_single_des_is_3des_with_one_key_three_times() -> None:
    # FIPS 81 appendix C: CBC of "Now is the time for all "
    key, vector = bytes.fromhex("0123456789abcdef"), bytes.fromhex("1234567890abcdef")
    expected = bytes.fromhex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6")
    assert forge.encrypt("des-cbc", key, vector, b"Now is the time for all ") == expected
    plain, rest = b"Now is the time for all "[:16], b"\x08" * 8
    ciphertext = forge.encrypt("des-cbc", key, vector, plain + rest)
    assert ciphertext[:16] == expected[:16]
    assert decrypt(CIPHERS["des-cbc"], key, vector, ciphertext) == plain


AES128 = CIPHERS["aes-128-cbc"]


@pytest.mark.parametrize(
    "padded",
    [
        b"fifteen octets.\x00",
        b"fifteen octets.\x11",
        b"fourteen octet\x01\x02",
        b"thirteen octe\x02\x03\x03",
        b"\x10" * 15 + b"\x0f",
        b"\xff" * 16,
        b"\x0f" + b"\x10" * 15,
    ],
)
def test_wrong_padding(padded: bytes) -> None:
    key, vector = b"k" * 16, b"v" * 16
    with pytest.raises(DecryptionFailed):
        decrypt(AES128, key, vector, forge.encrypt("aes-128-cbc", key, vector, padded))


@pytest.mark.parametrize(
    ("key", "vector", "ciphertext"),
    [
        (b"k" * 15, b"v" * 16, b"c" * 16),
        (b"k" * 24, b"v" * 16, b"c" * 16),
        (b"", b"v" * 16, b"c" * 16),
        (b"k" * 16, b"v" * 8, b"c" * 16),
        (b"k" * 16, b"", b"c" * 16),
        (b"k" * 16, b"v" * 16, b""),
        (b"k" * 16, b"v" * 16, b"c" * 17),
        (b"k" * 256, b"v" * 16, b"c" * 16),  # what an implicitly rejecting RSA decryption may return
    ],
)
def test_what_cannot_be_decrypted(key: bytes, vector: bytes, ciphertext: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(AES128, key, vector, ciphertext)


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", DIGESTS)
def test_rsa_signatures(digest: str) -> None:
    key = pki_module.rsa_key("device")
    signature = sign(key, b"data", digest)
    verify(key.public_key(), signature, b"data", DIGESTS[digest])
    for other, data in ((signature, b"Data"), (signature[:-1] + b"\0", b"data"), (b"", b"data"), (b"x" * 999, b"data")):
        with pytest.raises(SignatureInvalid):
            verify(key.public_key(), other, data, DIGESTS[digest])


@pytest.mark.parametrize("digest", [name for name, digest in DIGESTS.items() if digest.ecdsa_oid])
def test_ec_signatures(digest: str) -> None:
    key = pki_module.ec_key("ec-ca")
    signature = sign(key, b"data", digest)
    verify(key.public_key(), signature, b"data", DIGESTS[digest])
    for other, data in ((signature, b"Data"), (b"", b"data"), (b"\x30\x00", b"data")):
        with pytest.raises(SignatureInvalid):
            verify(key.public_key(), other, data, DIGESTS[digest])


def test_other_keys_are_refused_by_name() -> None:
    with pytest.raises(BadAlgorithm, match="RSA and EC"):
        verify(ed25519.Ed25519PrivateKey.generate().public_key(), b"", b"", DIGESTS["sha256"])


def test_a_key_too_small_for_the_digest_is_no_crash() -> None:
    key: Any = pki_module.rsa_key("tiny", 1024).public_key()
    with pytest.raises(BadMessageCheck):
        verify(key, b"x" * 128, b"data", DIGESTS["sha512"], pss_salt=120)


def element(encoded: bytes) -> asn1.Element:
    return asn1.read(encoded)


@pytest.mark.parametrize(
    ("identifier", "digest", "salt"),
    [
        (pki_module.rsa_identifier("sha1"), "sha1", None),
        (pki_module.rsa_identifier("sha512"), "sha512", None),
        (asn1.sequence(asn1.oid("1.2.840.10045.4.3.3")), "sha384", None),
        (pki_module.pss_identifier("sha256", 32), "sha256", 32),
        (pki_module.pss_identifier("sha512", 0), "sha512", 0),
        (pki_module.pss_identifier("", 0, defaults=True), "sha1", 20),
    ],
)
def test_signature_identifiers(identifier: bytes, digest: str, salt: int | None) -> None:
    assert signature_digest(element(identifier), policy()) == (DIGESTS[digest], salt)
    # in a SignerInfo, too, the digest of the signature rules
    assert signer_digest(element(identifier), DIGESTS["sha256"], policy()) == (DIGESTS[digest], salt)


def test_a_signer_may_name_the_kind_of_key_alone() -> None:
    for oid in (constants.OID_RSA, constants.OID_EC):
        identifier = element(asn1.sequence(asn1.oid(oid), asn1.ASN1_NULL))
        assert signer_digest(identifier, DIGESTS["sha384"], policy()) == (DIGESTS["sha384"], None)
        with pytest.raises(BadAlgorithm):  # in a certificate that says nothing of the digest
            signature_digest(identifier, policy())


@pytest.mark.parametrize(
    "identifier",
    [
        pki_module.rsa_identifier("md5"),
        asn1.sequence(asn1.oid("1.2.840.113549.1.1.14"), asn1.ASN1_NULL),  # SHA-224
        asn1.sequence(asn1.oid("1.3.101.112")),  # Ed25519
        pki_module.pss_identifier("sha256", -1),
        pki_module.pss_identifier("sha256", 100000),
    ],
)
def test_signature_identifiers_that_are_refused(identifier: bytes) -> None:
    with pytest.raises(BadAlgorithm):
        signature_digest(element(identifier), policy())


def test_sha1_in_a_signature_falls_under_the_switch_wherever_it_stands() -> None:
    strict = policy(allow_sha1=False)
    for identifier in (
        pki_module.rsa_identifier("sha1"),
        asn1.sequence(asn1.oid("1.2.840.10045.4.1")),
        pki_module.pss_identifier("sha1", 20),
        pki_module.pss_identifier("", 0, defaults=True),
    ):
        with pytest.raises(BadAlgorithm, match="SHA-1"):
            signature_digest(element(identifier), strict)
        with pytest.raises(BadAlgorithm, match="SHA-1"):
            signer_digest(element(identifier), DIGESTS["sha256"], strict)
