# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between the supported versions of cryptography, 36.0 up to the newest, in this one place."""

from __future__ import annotations

import datetime as dt
from typing import Any

from .. import _deps

VERSION: tuple[int, ...] = ()
"""(major, minor) of the library."""

UNREADABLE: tuple[type[Exception], ...] = ()
"""What the versions of the library raise between them for a certificate or a request that they cannot read."""

UNREADABLE_KEY: tuple[type[Exception], ...] = ()
"""The same for a private key, or for a file that holds one; TypeError says there that a passphrase is needed."""

try:
    import cryptography
    from cryptography import x509
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.ciphers import algorithms
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        PrivateFormat,
        load_der_private_key,
        load_pem_private_key,
        pkcs12,
    )

    try:  # since 43.0; its old place warns, and goes away
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        TripleDES = algorithms.TripleDES  # type: ignore[misc]  # one name for both places

    VERSION = tuple(int(part) for part in cryptography.__version__.split(".")[:2])
    UNREADABLE = (
        ValueError,
        TypeError,
        KeyError,
        UnsupportedAlgorithm,
        InternalError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.ExtensionNotFound,
        x509.UnsupportedGeneralNameType,
    )
    UNREADABLE_KEY = (ValueError, UnsupportedAlgorithm, InternalError)
except ImportError as exc:
    _deps.missing("cryptography", exc)


def triple_des(key: bytes) -> Any:
    """The 3DES block cipher for a key of 24 bytes; 3DES with one key three times is single DES."""
    return TripleDES(key)


def not_before(certificate: x509.Certificate) -> dt.datetime:
    """Start of the validity, aware, in UTC."""
    if VERSION >= (42, 0):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=dt.timezone.utc)


def not_after(certificate: x509.Certificate) -> dt.datetime:
    """End of the validity, aware, in UTC."""
    if VERSION >= (42, 0):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=dt.timezone.utc)


def crl_dates(crl: x509.CertificateRevocationList) -> tuple[dt.datetime, dt.datetime | None]:
    """(thisUpdate, nextUpdate where there is one) of a CRL, aware, in UTC."""
    if VERSION >= (42, 0):
        return crl.last_update_utc, crl.next_update_utc
    end = crl.next_update
    start = crl.last_update.replace(tzinfo=dt.timezone.utc)
    return start, None if end is None else end.replace(tzinfo=dt.timezone.utc)


def revocation_date(entry: x509.RevokedCertificate) -> dt.datetime:
    """When a certificate was revoked, aware, in UTC."""
    if VERSION >= (42, 0):
        return entry.revocation_date_utc
    return entry.revocation_date.replace(tzinfo=dt.timezone.utc)


def load_private_key(data: bytes, password: bytes | None = None, *, known: bool = False) -> Any:
    """A private key from PEM or DER.

    `known` says that the key was made here and has not changed since: the primality check, 54 ms for RSA-2048, is left
    out where the library can (39.0 and later). Raises what the library raises: ValueError, TypeError or
    UnsupportedAlgorithm.
    """
    options = {"unsafe_skip_rsa_key_validation": True} if known and VERSION >= (39, 0) else {}
    load: Any = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    return load(data, password, **options)


def pkcs12_encryption(passphrase: bytes, *, modern: bool) -> Any:
    """How a PKCS#12 file is encrypted: PBES2 with AES-256 and a SHA-256 MAC, or 3DES with a SHA-1 MAC.

    Up to 37 the library has no choice but 3DES, and the version of OpenSSL below it chooses the MAC: then None for the
    modern one, and the caller sees to the MAC of the other.
    """
    if VERSION >= (38, 0):
        scheme = pkcs12.PBES.PBESv2SHA256AndAES256CBC if modern else pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC
        builder = PrivateFormat.PKCS12.encryption_builder().key_cert_algorithm(scheme)
        return builder.hmac_hash(hashes.SHA256() if modern else hashes.SHA1()).build(passphrase)
    return None if modern else BestAvailableEncryption(passphrase)


def generate_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """A fresh RSA key with the public exponent 65537."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)
