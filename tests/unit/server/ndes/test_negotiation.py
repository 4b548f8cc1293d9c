# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPNEGO tokens, beside those of a library."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError

from scep_server.ndes import negotiation
from scep_server.ndes.negotiation import KERBEROS, NTLM, Init, Response

SPNEGO = "1.3.6.1.5.5.2"


def field(number: int, *parts: bytes) -> bytes:
    return asn1.tlv(asn1.context(number), *parts)


def mechanisms(*dotted: str) -> bytes:
    return field(0, asn1.sequence(*(asn1.oid(one) for one in dotted)))


def init(*fields: bytes, mechanism: str = SPNEGO) -> bytes:
    return asn1.tlv(0x60, asn1.oid(mechanism), field(0, asn1.sequence(*fields)))


def response(*fields: bytes) -> bytes:
    return field(1, asn1.sequence(*fields))


def octets(number: int, value: bytes) -> bytes:
    return field(number, asn1.octet_string(value))


def test_the_first_token() -> None:
    token = negotiation.read(init(mechanisms(KERBEROS, NTLM), octets(2, b"token"), octets(3, b"mic")))
    listed = asn1.sequence(asn1.oid(KERBEROS), asn1.oid(NTLM))
    assert token == Init((KERBEROS, NTLM), listed, b"token", b"mic")
    assert negotiation.read(init(mechanisms(NTLM))) == Init((NTLM,), asn1.sequence(asn1.oid(NTLM)), None, None)


def test_further_tokens() -> None:
    state = field(0, asn1.tlv(0x0A, b"\0"))
    assert negotiation.read(response(state, octets(2, b"token"), octets(3, b"mic"))) == Response(b"token", b"mic")
    assert negotiation.read(response(state)) == Response(None, None)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"\x60",
        b"\x60\0",
        b"NTLMSSP\0",
        init(mechanisms(NTLM), mechanism=KERBEROS),
        init(),
        init(mechanisms()),
        init(mechanisms(*([NTLM] * 17))),
        init(mechanisms(NTLM), mechanisms(KERBEROS)),
        init(asn1.oid(NTLM)),
        init(field(0)),
        init(mechanisms(NTLM), field(2, asn1.integer(1))),
        asn1.tlv(0x60, asn1.oid(SPNEGO)),
        field(1),
        field(2, asn1.sequence()),
        response(octets(2, b"one"), octets(2, b"two")),
        response(asn1.octet_string(b"x")),
        response(asn1.tlv(0x62, asn1.octet_string(b"x"))),
        response(asn1.tlv(0x82, asn1.octet_string(b"x"))),
        response(octets(2, b"token"))[:-1],
    ],
)
def test_what_is_no_token(token: bytes) -> None:
    with pytest.raises(DecodeError):
        negotiation.read(token)
    assert not negotiation.is_kerberos(token) or token[:1] == b"\x60"


def test_damage_is_always_told() -> None:
    whole = init(mechanisms(KERBEROS, NTLM), octets(2, b"token"), octets(3, b"mic"))
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :]):
            with contextlib.suppress(DecodeError):
                negotiation.read(damaged)
            negotiation.is_kerberos(damaged)


def test_a_bare_token_of_kerberos_is_known() -> None:
    assert negotiation.is_kerberos(asn1.tlv(0x60, asn1.oid(KERBEROS), b"\1\0", asn1.tlv(0x6E, b"AP-REQ")))
    assert not negotiation.is_kerberos(init(mechanisms(KERBEROS)))
    assert not negotiation.is_kerberos(b"\x60\x10" + asn1.oid(KERBEROS))


def test_the_answer_is_what_a_library_reads() -> None:
    from spnego._spnego import NegState, unpack_token

    token = unpack_token(negotiation.answer(negotiation.REQUEST_MIC, NTLM, b"token", b"mic"))
    assert (token.neg_state, token.supported_mech) == (NegState.request_mic, NTLM)
    assert (token.response_token, token.mech_list_mic) == (b"token", b"mic")
    bare = unpack_token(negotiation.answer(negotiation.ACCEPT_COMPLETED))
    assert (bare.neg_state, bare.supported_mech, bare.response_token, bare.mech_list_mic) == (
        NegState.accept_complete,
        None,
        None,
        None,
    )
