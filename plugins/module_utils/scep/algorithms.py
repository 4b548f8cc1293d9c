# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests, ciphers and signatures: which there are, which are allowed, which one to take.

What is allowed is decided by the tables of this module, not by the library: newer versions of cryptography refuse to
verify a certificate whose signature uses SHA-1, which servers in the field still send.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _deps
from . import asn1, constants
from ._compat import triple_des
from .errors import BadAlgorithm, BadMessageCheck, DecryptionFailed, SignatureInvalid

if TYPE_CHECKING:
    from .capabilities import Capabilities

try:
    from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
    from cryptography.hazmat.primitives.ciphers import algorithms, modes
except ImportError as exc:
    _deps.missing("cryptography", exc)


Named = TypeVar("Named")


@lru_cache(maxsize=16)
def _hash_algorithm(class_name: str) -> hashes.HashAlgorithm:
    algorithm: hashes.HashAlgorithm = getattr(hashes, class_name)()
    return algorithm


@dataclass(frozen=True)
class Digest:
    """A digest: its name here, its class in the library, and its object identifiers (alone, with RSA, with ECDSA)."""

    name: str
    label: str
    class_name: str
    oid: str
    rsa_oid: str
    ecdsa_oid: str

    def new(self) -> hashes.HashAlgorithm:
        """An instance of the library's class."""
        return _hash_algorithm(self.class_name)

    def of(self, data: bytes) -> bytes:
        """The digest of `data`."""
        context = hashes.Hash(self.new())
        context.update(data)
        return context.finalize()


@dataclass(frozen=True)
class Cipher:
    """A block cipher in CBC mode: names, object identifier, octets of its key and block."""

    name: str
    label: str
    oid: str
    key_bytes: int
    block_bytes: int


_PKCS1 = "1.2.840.113549.1.1"
DIGESTS = {
    digest.name: digest
    for digest in (
        Digest("md5", "MD5", "MD5", "1.2.840.113549.2.5", f"{_PKCS1}.4", ""),
        Digest("sha1", "SHA-1", "SHA1", "1.3.14.3.2.26", f"{_PKCS1}.5", "1.2.840.10045.4.1"),
        Digest("sha256", "SHA-256", "SHA256", "2.16.840.1.101.3.4.2.1", f"{_PKCS1}.11", "1.2.840.10045.4.3.2"),
        Digest("sha384", "SHA-384", "SHA384", "2.16.840.1.101.3.4.2.2", f"{_PKCS1}.12", "1.2.840.10045.4.3.3"),
        Digest("sha512", "SHA-512", "SHA512", "2.16.840.1.101.3.4.2.3", f"{_PKCS1}.13", "1.2.840.10045.4.3.4"),
    )
}
CIPHERS = {
    cipher.name: cipher
    for cipher in (
        Cipher("des-cbc", "single DES", "1.3.14.3.2.7", 8, 8),
        Cipher("des-ede3-cbc", "3DES", "1.2.840.113549.3.7", 24, 8),
        Cipher("aes-128-cbc", "AES-128", "2.16.840.1.101.3.4.1.2", 16, 16),
        Cipher("aes-192-cbc", "AES-192", "2.16.840.1.101.3.4.1.22", 24, 16),
        Cipher("aes-256-cbc", "AES-256", "2.16.840.1.101.3.4.1.42", 32, 16),
    )
}
_DIGEST_BY_OID = {digest.oid: digest for digest in DIGESTS.values()}
_CIPHER_BY_OID = {cipher.oid: cipher for cipher in CIPHERS.values()}
_SIGNATURE_DIGEST = {oid: digest for digest in DIGESTS.values() for oid in (digest.rsa_oid, digest.ecdsa_oid) if oid}

_PLAIN_KEYS = frozenset({constants.OID_RSA, constants.OID_EC})

_LEGACY_DIGESTS = frozenset({"md5"})
_LEGACY_CIPHERS = frozenset({"des-cbc"})
_DIGEST_PREFERENCE = ("sha256", "sha512", "sha384", "sha1", "md5")
_CIPHER_PREFERENCE = ("aes-256-cbc", "aes-192-cbc", "aes-128-cbc", "des-ede3-cbc", "des-cbc")


@dataclass(frozen=True)
class AlgorithmPolicy:
    """What may be used, for writing and for reading alike. `min_rsa_bits` binds the keys that are certified."""

    digests: frozenset[str]
    ciphers: frozenset[str]
    min_rsa_bits: int = 2048

    def digest(self, oid: str) -> Digest:
        """The digest with this object identifier; raises BadAlgorithm when unknown or not allowed."""
        return self.allowed_digest(_known(_DIGEST_BY_OID, oid, "digest"))

    def cipher(self, oid: str) -> Cipher:
        """The cipher with this object identifier; raises BadAlgorithm when unknown or not allowed."""
        cipher = _known(_CIPHER_BY_OID, oid, "cipher")
        if cipher.name not in self.ciphers:
            raise BadAlgorithm(f"The message is encrypted with {cipher.label}, which is not allowed here.", cipher.name)
        return cipher

    def allowed_digest(self, digest: Digest) -> Digest:
        """The digest itself; raises BadAlgorithm when it is not allowed."""
        if digest.name not in self.digests:
            raise BadAlgorithm(f"A signature uses {digest.label}, which is not allowed here.", digest.name)
        return digest


def policy(*, allow_sha1: bool = True, legacy: bool = False, min_rsa_bits: int = 2048) -> AlgorithmPolicy:
    """An AlgorithmPolicy from the switches that users have; `legacy` adds MD5 and single DES (RFC 8894 section 2.9)."""
    digests = frozenset(DIGESTS) if legacy else frozenset(DIGESTS) - _LEGACY_DIGESTS
    ciphers = frozenset(CIPHERS) if legacy else frozenset(CIPHERS) - _LEGACY_CIPHERS
    return AlgorithmPolicy(digests if allow_sha1 else digests - {"sha1"}, ciphers, min_rsa_bits)


def choose(capabilities: Capabilities, allowed: AlgorithmPolicy) -> tuple[str, str]:
    """The (digest, cipher) with which a client sends its requests.

    A server that names none is an old one: SHA-1 and 3DES are what such servers read (RFC 8894 section 3.5.2).
    Raises BadAlgorithm when nothing that the server offers is allowed.
    """
    digests = capabilities.digests or frozenset({"sha1"})
    ciphers = capabilities.ciphers or frozenset({"des-ede3-cbc"})
    return (
        _best(_DIGEST_PREFERENCE, digests, allowed.digests, DIGESTS, "digest"),
        _best(_CIPHER_PREFERENCE, ciphers, allowed.ciphers, CIPHERS, "cipher"),
    )


def _best(preference: tuple[str, ...], offered: frozenset[str], allowed: frozenset[str], table: Any, what: str) -> str:
    for name in preference:
        if name in offered and name in allowed:
            return name
    names = ", ".join(sorted(table[name].label for name in offered))
    raise BadAlgorithm(f"The server offers no {what} that is allowed here; it offers {names}.", *sorted(offered))


def _known(table: dict[str, Named], oid: str, what: str) -> Named:
    if oid not in table:
        raise BadAlgorithm(f"The message uses a {what} that SCEP does not know ({oid}).")
    return table[oid]


def encrypt(cipher_name: str, content: bytes) -> tuple[bytes, bytes, bytes]:
    """Encrypt under a fresh key, with the padding of RFC 5652 section 6.3.

    Returns (key, initialisation vector, ciphertext).
    """
    cipher = CIPHERS[cipher_name]
    key, vector = os.urandom(cipher.key_bytes), os.urandom(cipher.block_bytes)
    padding_bytes = cipher.block_bytes - len(content) % cipher.block_bytes
    encryptor = BlockCipher(_block_cipher(cipher, key), modes.CBC(vector)).encryptor()
    padded = content + bytes((padding_bytes,)) * padding_bytes
    return key, vector, encryptor.update(padded) + encryptor.finalize()


def decrypt(cipher: Cipher, key: bytes, vector: bytes, ciphertext: bytes) -> bytes:
    """Undo `encrypt`. Raises DecryptionFailed for a key, vector, length or padding that cannot be."""
    block = cipher.block_bytes
    if len(key) != cipher.key_bytes or len(vector) != block or not ciphertext or len(ciphertext) % block:
        raise DecryptionFailed
    decryptor = BlockCipher(_block_cipher(cipher, key), modes.CBC(vector)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    count = padded[-1]
    if not 1 <= count <= block or padded[-count:] != bytes((count,)) * count:
        raise DecryptionFailed
    return padded[:-count]


def _block_cipher(cipher: Cipher, key: bytes) -> Any:
    if cipher.block_bytes == 16:
        return algorithms.AES(key)
    return triple_des(key * 3 if len(key) == 8 else key)  # the library has no DES: one key three times is the same


def sign(key: Any, data: bytes, digest_name: str) -> bytes:
    """Sign with an RSA key (PKCS#1 v1.5) or an EC key (ECDSA)."""
    algorithm = DIGESTS[digest_name].new()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(algorithm))
    signature: bytes = key.sign(data, padding.PKCS1v15(), algorithm)
    return signature


def verify(public_key: Any, signature: bytes, data: bytes, digest: Digest, pss_salt: int | None = None) -> None:
    """Verify over the original bytes; `pss_salt` is the length of an RSA-PSS signature's salt in octets.

    Raises SignatureInvalid, BadAlgorithm for other kinds of keys, BadMessageCheck for keys that cannot be used.
    """
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            scheme: Any = padding.PKCS1v15()
            if pss_salt is not None:
                scheme = padding.PSS(padding.MGF1(digest.new()), pss_salt)
            public_key.verify(signature, data, scheme, digest.new())
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, data, ec.ECDSA(digest.new()))
        else:
            raise BadAlgorithm("A signature was made with a kind of key that SCEP does not know; RSA and EC are known.")
    except InvalidSignature:
        raise SignatureInvalid("A signature does not verify with the key that should have made it.") from None
    except (ValueError, UnsupportedAlgorithm, InternalError) as error:  # such as a modulus that is too small, or 0
        raise BadMessageCheck(f"A signature cannot be checked with its key: {error}.") from None


def signature_digest(identifier: asn1.Element, allowed: AlgorithmPolicy) -> tuple[Digest, int | None]:
    """(digest, salt octets when RSA-PSS) of the AlgorithmIdentifier of a certificate's or a request's signature."""
    oid = identifier.expect(asn1.SEQUENCE, "signature algorithm").child(0).oid()
    if oid != constants.OID_RSA_PSS:
        return allowed.allowed_digest(_known(_SIGNATURE_DIGEST, oid, "signature algorithm")), None
    digest, salt = DIGESTS["sha1"], 20  # the defaults of RFC 8017 appendix A.2.3
    for field in identifier.child(1).children():
        if field.tag == asn1.context(0):
            digest = _known(_DIGEST_BY_OID, field.child(0).child(0).oid(), "digest")
        elif field.tag == asn1.context(2):
            salt = field.child(0).integer()
    if not 0 <= salt <= 512:
        raise BadAlgorithm("An RSA-PSS signature names an impossible length of salt.")
    return allowed.allowed_digest(digest), salt


def signer_digest(identifier: asn1.Element, digest: Digest, allowed: AlgorithmPolicy) -> tuple[Digest, int | None]:
    """As `signature_digest`, for a SignerInfo, which may name the kind of key alone and the digest beside it."""
    if identifier.expect(asn1.SEQUENCE, "signature algorithm").child(0).oid() in _PLAIN_KEYS:
        return digest, None
    return signature_digest(identifier, allowed)
