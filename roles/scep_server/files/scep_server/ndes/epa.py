# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extended protection for authentication (EPA): log-ins that are bound to the TLS connection.

The reading of NTLM's side of it ([MS-NLMP] 2.2.1.3, 2.2.2.1, 2.2.2.7) is here and not left to a library: a binding of
sixteen zero octets means that the client has none, and must not pass for the right one.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from ..errors import LoginRefused

POLICIES = ("none", "allow", "require")

_SIGNATURE = b"NTLMSSP\0"
_AUTHENTICATE = 3
_HEADER = struct.Struct("<8sI")
_NT_RESPONSE = 20
_FIELDS = struct.Struct("<HHI")
_PAIR = struct.Struct("<HH")
_PAIRS = 16 + 28
"""Where the pairs begin in a response of version 2: behind the proof and the fixed part of the client's challenge."""
_END, _CHANNEL_BINDINGS = 0, 10
_DIGEST = 16
_NONE = bytes(_DIGEST)


def ntlm_binding(message: bytes) -> bytes | None:
    """MsvAvChannelBindings of an AUTHENTICATE message, None when it has none.

    Raises LoginRefused for anything else, and for version 1 of NTLM, which cannot be bound.
    """
    try:
        signature, kind = _HEADER.unpack_from(message)
        length, _room, offset = _FIELDS.unpack_from(message, _NT_RESPONSE)
    except struct.error:
        raise LoginRefused("the NTLM message is too short") from None
    if (signature, kind) != (_SIGNATURE, _AUTHENTICATE):
        raise LoginRefused("an NTLM message AUTHENTICATE was expected")
    response = message[offset : offset + length]
    if len(response) < length:
        raise LoginRefused("the NTLM message is cut off")
    if length < _PAIRS:
        raise LoginRefused("version 1 of NTLM is not taken")
    found = [value for identifier, value in _pairs(response) if identifier == _CHANNEL_BINDINGS]
    if len(found) > 1 or any(len(value) != _DIGEST for value in found):
        raise LoginRefused("the NTLM message has an impossible channel binding")
    return found[0] if found else None


def _pairs(response: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    offset = _PAIRS
    while True:
        if offset + _PAIR.size > len(response):
            raise LoginRefused("the pairs of the NTLM message have no end")
        identifier, length = _PAIR.unpack_from(response, offset)
        if identifier == _END:
            return found
        offset += _PAIR.size
        found.append((identifier, response[offset : offset + length]))
        offset += length


@dataclass(frozen=True)
class Protection:
    """What is demanded of a log-in, and the binding of this server's TLS certificate (RFC 5929), without TLS None.

    none: bindings are not looked at. allow: one that is given has to be right. require: it has to be given as well.
    """

    policy: str
    binding: bytes | None = None

    @property
    def expected(self) -> bytes | None:
        """The binding that is compared with."""
        return None if self.policy == "none" else self.binding

    @property
    def required(self) -> bool:
        """Whether a log-in without a binding is refused."""
        return self.policy == "require"

    def check_ntlm(self, message: bytes) -> None:
        """Raises LoginRefused when the AUTHENTICATE message is not bound as it has to be, or is of version 1."""
        given = ntlm_binding(message)
        if self.expected is None:
            return
        if given is None or given == _NONE:
            if self.required:
                raise LoginRefused("the log-in by NTLM is not bound to the TLS connection")
        elif not hmac.compare_digest(given, ntlm_digest(self.expected)):
            raise LoginRefused("the log-in by NTLM is bound to another TLS connection")


def ntlm_digest(binding: bytes) -> bytes:
    """MD5 of gss_channel_bindings_struct: no addresses, and the binding as application data."""
    packed = struct.pack("<5I", 0, 0, 0, 0, len(binding)) + binding
    return hashlib.md5(packed, usedforsecurity=False).digest()
