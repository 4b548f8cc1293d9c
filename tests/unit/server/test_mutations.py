# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No bytes give a 500."""

from __future__ import annotations

import random
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_crl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scep_device import Bench, Device, message

from support.mutation import mutated

EXPECTED = {200, 400, 405, 413}
SEED, ROUNDS = 8894, 400


def test_mutated_messages(bench: Bench, device: Device) -> None:
    """Mutated outside, and mutated before it was signed: the second kind gets past the signature."""
    dice = random.Random(SEED)
    recipient = bench.pki.encryption.certificate
    csr = device.csr("wrong")
    enroll = bench.request(device, "wrong")
    crl = get_crl(bench.pki.ca.certificate.subject, 1, device.identity, recipient, "sha256", "aes-128-cbc")
    signer = device.identity
    statuses: dict[int, int] = {}
    for number in range(ROUNDS):
        body = (
            mutated(dice, enroll.message),
            mutated(dice, crl.message),
            message(mutated(dice, csr), signer, recipient).message,
        )[number % 3]
        response = bench.post(body)
        statuses[response.status] = statuses.get(response.status, 0) + 1
        assert b"Traceback" not in response.body
    assert set(statuses) == {200, 400}, statuses


@given(
    method=st.sampled_from(["GET", "POST", "HEAD"]), query=st.text(st.characters(max_codepoint=255)), body=st.binary()
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request(bench: Bench, method: str, query: str, body: bytes) -> None:
    for asked in (query, "operation=PKIOperation&message=" + query, "operation=PKIOperation"):
        response = bench.http(method, asked, body)
        assert response.status in EXPECTED
        assert method == "HEAD" or response.body


@given(names=st.recursive(st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content(bench: Bench, device: Device, names: Any) -> None:
    """Well-formed envelopes around whatever ASN.1."""
    request = message(_encode(names), device.identity, bench.pki.encryption.certificate)
    assert bench.post(request.message).status == 200


def _encode(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"\x04" + bytes([len(value)]) + value
    content = b"".join(map(_encode, value))
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content
