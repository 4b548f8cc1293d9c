# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#12 files (RFC 7292): key, certificate and chain in one, for devices that import nothing else.

There is no file without a passphrase here: the key is in it, and what such files are made for is to be carried around.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import warnings
from collections.abc import Sequence
from typing import Any

from .. import _deps
from ..errors import OptionError
from ..scep import asn1
from ..scep._compat import UNREADABLE_KEY, VERSION, pkcs12_encryption
from ..scep.certificates import der, public_key_fingerprint
from ..scep.constants import OID_DATA
from ..scep.errors import DecodeError
from .keys import passphrase_octets
from .names import CONTROL

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs12
except ImportError as exc:
    _deps.missing("cryptography", exc)

ENCRYPTIONS = ("modern", "legacy")
"""PBES2 with AES-256-CBC and a SHA-256 MAC; 3DES and a SHA-1 MAC, all that many an old device knows."""

_OID_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_OID_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
_OID_SHA1 = "1.3.14.3.2.26"
_OID_SHA256 = "2.16.840.1.101.3.4.2.1"
_MAC_DIGESTS = {_OID_SHA1: "sha1", _OID_SHA256: "sha256"}
_OID_PBES1_3DES = "1.2.840.113549.1.12.1.3"
_OID_PBES2 = "1.2.840.113549.1.5.13"
_OID_AES_256_CBC = "2.16.840.1.101.3.4.1.42"

# (how keys and certificates are encrypted, digest of the MAC)
_KNOWN = {(_OID_AES_256_CBC, _OID_SHA256): "modern", (_OID_PBES1_3DES, _OID_SHA1): "legacy"}

_UNREADABLE: tuple[type[Exception], ...] = (DecodeError, *UNREADABLE_KEY)

_MAC_ROUNDS = 2048
_MOST_MAC_ROUNDS = 10_000_000
"""Seconds of work. The MAC is checked before all else, so damage to any other number of rounds costs nothing."""


def write_pkcs12(
    key: Any,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    passphrase: str,
    friendly_name: str | None,
    encryption: str,
) -> bytes:
    """The file, encrypted in one of ENCRYPTIONS. Raises OptionError."""
    if encryption not in ENCRYPTIONS:
        raise OptionError("pkcs12_encryption", f"'{encryption}' is not known here; choose {' or '.join(ENCRYPTIONS)}.")
    secret = passphrase_octets("pkcs12_passphrase", passphrase)
    if friendly_name and (CONTROL.search(friendly_name) or max(friendly_name) > "\uffff"):
        raise OptionError(
            "pkcs12_friendly_name",
            f"{friendly_name!r} holds a control character, or one that a BMPString cannot hold; leave that out.",
        )
    how = pkcs12_encryption(secret, modern=encryption == "modern")
    if how is None:
        raise OptionError(
            "pkcs12_encryption",
            f"cryptography {VERSION[0]} on this host cannot write 'modern'; install 38 or later, or choose 'legacy'.",
        )
    try:
        data = pkcs12.serialize_key_and_certificates(_name_octets(friendly_name), key, certificate, list(chain), how)
    except UnsupportedAlgorithm:
        raise OptionError(
            "pkcs12_encryption", f"the OpenSSL of this host does not allow '{encryption}'; choose the other one."
        ) from None
    return data if VERSION >= (38, 0) else _with_sha1_mac(data, passphrase)


def _name_octets(friendly_name: str | None) -> bytes | None:
    return friendly_name.encode("utf-8") if friendly_name else None


def _with_sha1_mac(data: bytes, passphrase: str) -> bytes:
    """The same file with a SHA-1 MAC (RFC 7292 section 5.1): versions up to 37 leave its digest to OpenSSL."""
    version, content = asn1.read(data).children()[:2]
    salt = os.urandom(8)
    key = _mac_key("sha1", passphrase, salt, _MAC_ROUNDS)
    mac = hmac.new(key, content.child(1).child(0).octets(), hashlib.sha1).digest()
    digest = asn1.sequence(asn1.sequence(asn1.oid(_OID_SHA1), asn1.ASN1_NULL), asn1.octet_string(mac))
    mac_data = asn1.sequence(digest, asn1.octet_string(salt), asn1.integer(_MAC_ROUNDS))
    return asn1.sequence(version.raw, content.raw, mac_data)


def _mac_key(digest: str, passphrase: str, salt: bytes, rounds: int) -> bytes:
    """RFC 7292 appendix B.2 with ID 3, for digests with blocks of 64 octets.

    The key has the size of one digest, so one turn of its loop does.
    """

    def filled(text: bytes) -> bytes:
        size = -(-len(text) // 64) * 64
        return (text * size)[:size]

    block = b"\x03" * 64 + filled(salt) + filled(passphrase.encode("utf-16-be") + b"\0\0")
    for _round in range(rounds):
        block = hashlib.new(digest, block).digest()
    return block


def _is_authentic(pfx: asn1.Element, passphrase: str) -> bool:
    """Whether the file has a MAC that holds."""
    mac = pfx.child(2)
    oid, rounds = _mac(pfx)
    digest = _MAC_DIGESTS.get(oid)
    if digest is None:
        return False
    key = _mac_key(digest, passphrase, mac.child(1).octets(), rounds)
    expected = hmac.new(key, _explicit_octets(pfx.child(1)), digest).digest()
    return hmac.compare_digest(expected, mac.child(0).child(1).octets())


def holds(
    data: bytes,
    passphrase: str,
    key_fingerprint: str,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    friendly_name: str | None,
) -> bool:
    """Whether a file holds exactly this; False for a wrong passphrase, damage and whatever else.

    `key_fingerprint` is that of the public key, SHA-256 in colon hex. The order of the chain does not count: a reader
    puts it together by names, and the versions of the library do not keep it.
    """
    try:
        pfx = asn1.read(data)
        if not 0 < _mac(pfx)[1] <= _MOST_MAC_ROUNDS:
            return False
        if VERSION < (38, 0) and not _is_authentic(pfx, passphrase):  # its OpenSSL does not survive all damage
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions warn of some damage; it is answered with False
            found = pkcs12.load_pkcs12(data, passphrase.encode("utf-8"))
        if found.key is None or found.cert is None:
            return False
        return (
            public_key_fingerprint(found.key.public_key()) == key_fingerprint
            and found.cert.certificate == certificate
            and found.cert.friendly_name == _name_octets(friendly_name)
            and sorted(der(other.certificate) for other in found.additional_certs) == sorted(map(der, chain))
        )
    except _UNREADABLE:
        return False


def encryption_of(data: bytes) -> str | None:
    """Which of ENCRYPTIONS a file has all through, by its structure alone; None for any other, and for damage."""
    try:
        pfx = asn1.read(data)
        ciphers = set(_ciphers(pfx))
        return _KNOWN.get((ciphers.pop(), _mac(pfx)[0])) if len(ciphers) == 1 else None
    except DecodeError:
        return None


def _mac(pfx: asn1.Element) -> tuple[str, int]:
    """(digest of the MAC, its rounds). Raises DecodeError for a file without one."""
    mac = pfx.child(2)
    rounds = mac.child(2).integer() if len(mac.children()) > 2 else 1
    return mac.child(0).child(0).child(0).oid(), rounds


def _ciphers(pfx: asn1.Element) -> list[str]:
    """What each part of the file is encrypted with; parts in the clear go by their own object identifier."""
    found = []
    for part in asn1.read(_explicit_octets(pfx.child(1))).children():
        kind = part.child(0).oid()
        if kind == _OID_ENCRYPTED_DATA:
            found.append(_cipher(part.child(1).child(0).child(1).child(1)))
        elif kind == OID_DATA:
            bags = asn1.read(_explicit_octets(part)).children()
            found += [_bag_cipher(bag) for bag in bags]
        else:
            found.append(kind)
    return found


def _explicit_octets(content_info: asn1.Element) -> bytes:
    return content_info.child(1).child(0).octets()


def _bag_cipher(bag: asn1.Element) -> str:
    kind = bag.child(0).oid()
    return _cipher(bag.child(1).child(0).child(0)) if kind == _OID_SHROUDED_KEY_BAG else kind


def _cipher(algorithm: asn1.Element) -> str:
    """The scheme of PKCS#5 version 1, or the cipher within version 2 (RFC 8018 appendix A.4)."""
    scheme = algorithm.child(0).oid()
    return algorithm.child(1).child(1).child(0).oid() if scheme == _OID_PBES2 else scheme
