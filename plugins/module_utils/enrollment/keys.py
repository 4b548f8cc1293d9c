# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys: making them, and reading those that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import _deps
from ..scep._compat import generate_rsa_key, load_private_key
from ..scep.csr import MAX_RSA_BITS
from .errors import FileError

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
except ImportError as exc:
    _deps.missing("cryptography", exc)


def make_key(bits: int) -> tuple[Any, bytes]:
    """(a fresh RSA key, its file: PKCS#8 in PEM)."""
    key = generate_rsa_key(bits)
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(path: Path, data: bytes, *, known: bool = False) -> Any:
    """The RSA key in a file. `known`: these very bytes were read here before, so they need no primality check.

    Raises FileError.
    """
    advice = "remove the file to have a new key made, or name another one"
    try:
        key = load_private_key(data, known=known)
    except TypeError:
        raise FileError(
            f"privatekey_path: the key in '{path}' is protected by a passphrase, which is not supported; {advice}."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise FileError(f"privatekey_path: '{path}' holds no private key that can be read; {advice}.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FileError(f"privatekey_path: the key in '{path}' is not an RSA key, as SCEP needs it; {advice}.")
    if key.key_size > MAX_RSA_BITS:
        raise FileError(
            f"privatekey_path: the key in '{path}' has {key.key_size} bits, and {MAX_RSA_BITS} are the most; {advice}."
        )
    return key
