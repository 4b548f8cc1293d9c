# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended protection: which bindings of NTLM pass by which policy."""

from __future__ import annotations

import contextlib
import hashlib
import struct

import pytest
from spnego.channel_bindings import GssChannelBindings

from scep_server.errors import LoginRefused
from scep_server.ndes.epa import Protection, ntlm_binding, ntlm_digest

BINDING = b"tls-server-end-point:" + bytes(range(32))
RIGHT, WRONG, ZERO = ntlm_digest(BINDING), b"\xff" * 16, bytes(16)
CHANNEL_BINDINGS, TIMESTAMP = 10, 7


def pair(identifier: int, value: bytes) -> bytes:
    return struct.pack("<HH", identifier, len(value)) + value


def response(*pairs: bytes) -> bytes:
    """NTLMv2: a proof, the client's challenge, pairs, and the end of them."""
    return bytes(16) + b"\1\1" + bytes(26) + b"".join(pairs) + bytes(4) + bytes(4)


def authenticate(nt_response: bytes, kind: int = 3, signature: bytes = b"NTLMSSP\0") -> bytes:
    """An AUTHENTICATE message with this response and nothing else."""
    fields = struct.pack("<HHI", len(nt_response), len(nt_response), 64)
    return signature + struct.pack("<I", kind) + bytes(8) + fields + bytes(36) + nt_response


def bound(value: bytes | None) -> bytes:
    pairs = [pair(TIMESTAMP, bytes(8))] + ([pair(CHANNEL_BINDINGS, value)] if value is not None else [])
    return authenticate(response(*pairs))


@pytest.mark.parametrize("value", [RIGHT, WRONG, ZERO, None])
def test_the_binding_is_read(value: bytes | None) -> None:
    assert ntlm_binding(bound(value)) == value


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "too short"),
        (b"NTLMSSP\0\3\0\0\0", "too short"),
        (authenticate(response(), kind=1), "AUTHENTICATE was expected"),
        (authenticate(response(), signature=b"NTLMSSQ\0"), "AUTHENTICATE was expected"),
        (bound(RIGHT)[:-1], "cut off"),
        (authenticate(b""), "version 1"),
        (authenticate(bytes(24)), "version 1"),
        (authenticate(response()[:44]), "no end"),
        (authenticate(response()[:46]), "no end"),
        (authenticate(response(struct.pack("<HH", CHANNEL_BINDINGS, 65535))), "no end"),
        (authenticate(response(pair(CHANNEL_BINDINGS, RIGHT[:15]))), "impossible"),
        (authenticate(response(pair(CHANNEL_BINDINGS, b""))), "impossible"),
        (authenticate(response(pair(CHANNEL_BINDINGS, RIGHT), pair(CHANNEL_BINDINGS, ZERO))), "impossible"),
    ],
)
def test_what_is_no_message_that_can_be_bound(message: bytes, says: str) -> None:
    with pytest.raises(LoginRefused, match=says):
        ntlm_binding(message)


def test_damage_is_always_told() -> None:
    whole = bound(RIGHT)
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :]):
            with contextlib.suppress(LoginRefused):
                ntlm_binding(damaged)


def test_a_binding_behind_the_end_does_not_count() -> None:
    nt_response = response() + pair(CHANNEL_BINDINGS, RIGHT)
    assert ntlm_binding(authenticate(nt_response)) is None


PASSES = {
    # policy: bindings that pass
    "none": (RIGHT, WRONG, ZERO, None),
    "allow": (RIGHT, ZERO, None),
    "require": (RIGHT,),
}


@pytest.mark.parametrize("value", [RIGHT, WRONG, ZERO, None], ids=["right", "wrong", "zero", "absent"])
@pytest.mark.parametrize("policy", PASSES)
def test_policies(policy: str, value: bytes | None) -> None:
    protection = Protection(policy, BINDING)
    if value in PASSES[policy]:
        protection.check_ntlm(bound(value))
    else:
        with pytest.raises(LoginRefused, match="bound to"):
            protection.check_ntlm(bound(value))


@pytest.mark.parametrize("policy", PASSES)
def test_version_1_never_passes(policy: str) -> None:
    with pytest.raises(LoginRefused, match="version 1"):
        Protection(policy, BINDING).check_ntlm(authenticate(bytes(24)))


def test_the_digest_is_that_of_a_client() -> None:
    packed = GssChannelBindings(application_data=BINDING).pack()
    assert ntlm_digest(BINDING) == hashlib.md5(packed).digest()
