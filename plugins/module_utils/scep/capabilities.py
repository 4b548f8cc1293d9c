# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetCACaps: what a SCEP server says that it can do (RFC 8894 section 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import DecodeError

SERVER_WORDS = (
    "AES",
    "DES3",
    "GetNextCACert",
    "POSTPKIOperation",
    "Renewal",
    "SHA-1",
    "SHA-256",
    "SHA-384",
    "SHA-512",
    "SCEPStandard",
)
"""What this implementation offers, AES ahead of DES3 because some clients take the first cipher they find."""

_DIGESTS = {
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SCEPSTANDARD": "sha256",
}
_CIPHERS = {"AES": "aes-128-cbc", "DES3": "des-ede3-cbc", "SCEPSTANDARD": "aes-128-cbc"}
_MAX_BODY = 16384


@dataclass(frozen=True)
class Capabilities:
    """The words of a GetCACaps answer, in upper case; SCEPStandard implies others (RFC 8894 section 3.5.2)."""

    words: frozenset[str]

    @property
    def post(self) -> bool:
        """PKIOperation may be sent by POST."""
        return bool(self.words & {"POSTPKIOPERATION", "SCEPSTANDARD"})

    @property
    def renewal(self) -> bool:
        """A request signed by an issued certificate renews it."""
        return "RENEWAL" in self.words

    @property
    def next_ca(self) -> bool:
        """The server answers GetNextCACert."""
        return "GETNEXTCACERT" in self.words

    @property
    def digests(self) -> frozenset[str]:
        """Names of the digests offered."""
        return frozenset(name for word, name in _DIGESTS.items() if word in self.words)

    @property
    def ciphers(self) -> frozenset[str]:
        """Names of the ciphers offered; AES stands for AES-128-CBC, which every such server has."""
        return frozenset(name for word, name in _CIPHERS.items() if word in self.words)


def parse_capabilities(body: bytes) -> Capabilities:
    """Read a GetCACaps answer: words on lines of their own, any case, LF or CRLF, unknown words kept.

    Raises DecodeError when the body is plainly something else, such as a web page.
    """
    text = body[:_MAX_BODY].decode("latin-1").strip()
    if text.startswith("<") or len(body) > _MAX_BODY or "\0" in text:
        raise DecodeError("The answer to GetCACaps is not a list of capabilities.")
    return Capabilities(frozenset(line.strip().upper() for line in text.splitlines() if line.strip()))


def format_capabilities(words: Sequence[str]) -> bytes:
    """The body of a GetCACaps answer."""
    return "".join(f"{word}\n" for word in words).encode("ascii")
