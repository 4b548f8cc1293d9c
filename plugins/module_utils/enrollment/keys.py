# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys: making them, writing them in their formats, and reading those that are there."""

from __future__ import annotations

import re
from typing import Any

from .. import _deps
from ..errors import FileError, OptionError, Place
from ..scep._compat import UNREADABLE_KEY, generate_rsa_key, load_private_key
from ..scep.csr import MAX_RSA_BITS
from .names import CONTROL

try:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
except ImportError as exc:
    _deps.missing("cryptography", exc)

KEY_FORMATS = {"pkcs8": "PKCS8", "pkcs1": "TraditionalOpenSSL"}
"""Formats of a key file (RFC 5958, RFC 8017 appendix A.1.2) -> words of the library."""

MAX_PASSPHRASE_OCTETS = 1023
"""OpenSSL takes no more."""

_HEADER = re.compile(rb"^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[ \t]*\r?\n(Proc-Type: 4,ENCRYPTED)?", re.MULTILINE)
_FORMS = {
    b"PRIVATE KEY": ("pkcs8", False),
    b"ENCRYPTED PRIVATE KEY": ("pkcs8", True),
    b"RSA PRIVATE KEY": ("pkcs1", False),
}


def passphrase_octets(option: str, passphrase: str) -> bytes:
    """A passphrase as the formats take it, in UTF-8. Raises OptionError, which never shows it."""
    if not passphrase:
        raise OptionError(option, "it is empty; give a passphrase of at least one character.")
    if CONTROL.search(passphrase):
        raise OptionError(option, "it holds a control character, such as a line break at its end; leave that out.")
    octets = passphrase.encode("utf-8")
    if len(octets) > MAX_PASSPHRASE_OCTETS:
        raise OptionError(option, f"it has {len(octets)} octets, and {MAX_PASSPHRASE_OCTETS} are the most; shorten it.")
    return octets


def encode_key(key: Any, format: str, passphrase: str | None) -> bytes:  # noqa: A002  # the option's own word
    """The PEM file of a key; `format` is one of KEY_FORMATS. Raises OptionError.

    With a passphrase the key is encrypted as well as the format allows: PBES2 with AES-256 in PKCS#8. PKCS#1 has
    nothing but OpenSSL's own way, in which a guess costs an attacker a single MD5.
    """
    if format not in KEY_FORMATS:
        raise OptionError("privatekey_format", f"'{format}' is not known here; choose {' or '.join(KEY_FORMATS)}.")
    encryption: Any = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(passphrase_octets("privatekey_passphrase", passphrase))
    encoded: bytes = key.private_bytes(Encoding.PEM, getattr(PrivateFormat, KEY_FORMATS[format]), encryption)
    return encoded


def make_key(bits: int, format: str = "pkcs8", passphrase: str | None = None) -> tuple[Any, bytes]:  # noqa: A002
    """(a fresh RSA key, its file as of `encode_key`). Raises OptionError."""
    key = generate_rsa_key(bits)
    return key, encode_key(key, format, passphrase)


def key_form(data: bytes) -> tuple[str, bool] | None:
    """(format, whether it is encrypted) by the header of a PEM file, without loading the key.

    None for DER and for keys of other kinds: nothing but loading tells about those.
    """
    found = _HEADER.search(data)
    form = None if found is None else _FORMS.get(found[1])
    if found is None or form is None:
        return None
    return form[0], form[1] or (form[0] == "pkcs1" and found[2] is not None)


def read_key(place: Place, data: bytes, passphrase: str | None = None, known: bool = False) -> Any:
    """The RSA key in a PEM or DER file; a passphrase that the key does not need is left aside.

    `known`: these very bytes were read here before, so they need no primality check. Raises EnrollmentError.
    """
    key = _load(place, data, passphrase, known)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FileError(f"{place.option}: the key in {place.name} is not an RSA key, as SCEP needs it; {place.advice}.")
    if key.key_size > MAX_RSA_BITS:
        raise FileError(
            f"{place.option}: the key in {place.name} has {key.key_size} bits, and {MAX_RSA_BITS} are the most; "
            f"{place.advice}."
        )
    return key


def _load(place: Place, data: bytes, passphrase: str | None, known: bool) -> Any:
    password = None if passphrase is None else passphrase_octets("privatekey_passphrase", passphrase)
    unreadable = FileError(f"{place.option}: {place.name} holds no private key that can be read; {place.advice}.")
    try:
        return load_private_key(data, known=known)
    except UNREADABLE_KEY:
        raise unreadable from None
    except TypeError:  # well-formed, and encrypted
        if password is None:
            raise FileError(
                f"privatekey_passphrase: the key in {place.name} is protected by a passphrase, and none is given; "
                f"give it, or {place.advice}."
            ) from None
    try:
        return load_private_key(data, password, known=known)
    except UNREADABLE_KEY:
        raise FileError(
            f"privatekey_passphrase: the given one does not open the key in {place.name}; give the one with which the "
            f"key was written, or {place.advice}."
        ) from None
