# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No bytes give a 500."""

from __future__ import annotations

import gc
import ipaddress
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, cms
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scep_device import Bench, Device, ServedWith, message

from support.damage import damaged

EXPECTED = {200, 400, 405, 413}
SEED, ROUNDS, TRACED = 8894, 2000, 500
MAX_KEPT = 256 * 1024
"""Bytes that may be kept of the last TRACED messages, caches and all. They have some 3,000 octets each."""


@dataclass(frozen=True)
class Original:
    """A valid message: its type, what is encrypted in it, and who signs it."""

    kind: MessageType
    content: bytes
    signer: Identity


def _originals(bench: Bench, device: Device) -> list[Original]:
    """One of each type, all of which the server grants."""
    (certificate,) = bench.answer(bench.request(device, None)).certificates
    issued, issuer = Identity(certificate, device.key), bench.pki.issuer_der
    names = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    rich = device.csr("password", [(names, False), (build_key_usage("digital_signature"), True)])
    by_serial = asn1.sequence(issuer, asn1.integer(certificate.serial_number))
    return [
        Original(MessageType.PKCS_REQ, rich, device.identity),
        Original(MessageType.RENEWAL_REQ, device.csr(None), issued),
        Original(MessageType.CERT_POLL, asn1.sequence(issuer, device.subject.public_bytes()), issued),
        Original(MessageType.GET_CERT, by_serial, issued),
        Original(MessageType.GET_CRL, by_serial, issued),
    ]


def _made(dice: random.Random, bench: Bench, original: Original, depth: int) -> bytes:
    """Damaged outside (0), in the envelope (1) or in the content (2): the last two get past the signature."""
    recipient = bench.pki.encryption.certificate
    parts = {"kind": original.kind, "transaction_id": "T"}
    if depth == 2:
        return message(damaged(original.content, dice), original.signer, recipient, **parts).message
    envelope = cms.write_enveloped(original.content, recipient, dice.choice(("aes-128-cbc", "des-ede3-cbc")))
    if depth == 1:
        envelope = damaged(envelope, dice)
    body = message(b"", original.signer, recipient, envelope=envelope, **parts).message
    return damaged(body, dice) if depth == 0 else body


def test_damaged_messages(served_with: ServedWith, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing but 200 and 400, no traceback, and no memory that is kept."""
    bench = served_with(challenge="none", allow_no_challenge=True, threads=1)
    with bench.server.store.database.reading() as connection:  # the one connection of this server
        connection.exec_driver_sql("PRAGMA synchronous=OFF")  # the disk is not what is tested
    dice = random.Random(SEED)
    originals = _originals(bench, device)
    statuses: Counter[int] = Counter()

    def send(numbers: Iterable[int]) -> None:
        for number in numbers:
            original, depth = originals[number % len(originals)], number // len(originals) % 3
            response = bench.post(_made(dice, bench, original, depth))
            assert b"Traceback" not in response.body
            statuses[response.status] += 1

    send(range(ROUNDS - TRACED))
    gc.collect()
    tracemalloc.start()
    send(range(ROUNDS - TRACED, ROUNDS))
    gc.collect()
    kept, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(statuses) == {200, 400} and min(statuses.values()) > ROUNDS // 20, statuses
    assert not [record for record in caplog.records if record.exc_info]
    assert kept < MAX_KEPT, f"{kept} bytes are kept of {TRACED} messages"


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
