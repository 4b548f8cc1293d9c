# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clients at once: who gets a certificate, and that all do who should."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from cryptography.hazmat.primitives.serialization import Encoding

from .clients import connected, together
from .conftest import Site

RACERS = 64
CONNECTIONS, EACH = 8, 500


def test_one_password_for_all(site: Site) -> None:
    (password,) = site.passwords(1)
    requests = site.fleet.requests([password] * RACERS)

    def race(number: int) -> bytes:
        with connected(site.node(number).url) as connection:
            return connection.post(requests[number])

    replies = [site.fleet.read(*pair) for pair in zip(together(RACERS, race), requests, strict=True)]
    (winner,) = [reply for reply in replies if reply.status is PkiStatus.SUCCESS]
    refused = [reply for reply in replies if reply.status is PkiStatus.FAILURE]
    assert [reply.fail_info for reply in refused] == [FailInfo.BAD_REQUEST] * (RACERS - 1)
    kept = site.kept()
    assert [winner.certificates[0].public_bytes(Encoding.DER)] == [certificate.der for certificate in kept.certificates]
    assert kept.outcomes() == {"issued": 1, "refused": RACERS - 1}
    assert {line.challenge_id for line in kept.audit} == kept.used
    kept.check([])


def test_eight_connections(site: Site) -> None:
    requests = site.fleet.requests(site.passwords(CONNECTIONS * EACH))
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]

    def enrol(number: int) -> list[bytes]:
        with connected(site.node(number).url) as connection:
            return [connection.post(request) for request in shares[number]]

    answers = together(CONNECTIONS, enrol)
    received = [
        site.fleet.certificate(*pair)
        for share in zip(answers, shares, strict=True)
        for pair in zip(*share, strict=True)
    ]
    kept = site.kept()
    kept.check(received)
    assert len(set(received)) == len(kept.certificates) == CONNECTIONS * EACH
    assert kept.outcomes() == {"issued": CONNECTIONS * EACH}
