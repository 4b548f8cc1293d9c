# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages with mistakes in them cost the server nothing that lasts."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator

from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_crl
from scep_device import message

from benchmark.processes import memory_mib
from support.damage import damaged

from .clients import connected
from .conftest import WORKERS, Site

SEED, ROUNDS, WARMING = 8894, 6000, 500
AT_A_TIME = 20
"""Messages on one connection: each new one may come to another worker."""
TAKEN = 0.5
"""How much the workers may grow together, as a part of the bytes that they were sent. Whoever keeps the messages, or as
much for each of them, grows by all of it. SQLite's caches do grow with the audit, and threads use their share of the
heap one after the other: that was a fifth when this was written."""


def _bodies(site: Site, dice: random.Random) -> Iterator[bytes]:
    """Without end: damaged outside, and damaged before it was signed, which gets past the signature."""
    fleet, device, identity = site.fleet, site.fleet.devices[0], site.fleet.identities[0]
    csr = device.csr("wrong")
    enrol = fleet.request("wrong").message
    crl = get_crl(fleet.ca.ca.subject, 1, identity, fleet.ca.recipient, "sha256", "aes-128-cbc").message
    while True:
        yield damaged(enrol, dice)
        yield damaged(crl, dice)
        yield message(damaged(csr, dice), identity, fleet.ca.recipient).message


def _send(site: Site, bodies: Iterator[bytes], count: int) -> tuple[Counter[int], int]:
    """(how often which status was answered, bytes sent)."""
    statuses: Counter[int] = Counter()
    sent = 0
    for start in range(0, count, AT_A_TIME):
        with connected(site.node(start // AT_A_TIME).url) as connection:
            for body in itertools.islice(bodies, AT_A_TIME):
                statuses[connection.ask("POST", "PKIOperation", body)[0]] += 1
                sent += len(body)
    return statuses, sent


def _memory(site: Site) -> dict[int, float]:
    """Resident MiB of each worker."""
    return {pid: memory_mib(pid, "VmRSS") for node in site.nodes for pid in node.workers()}


def test_damaged_messages(site: Site) -> None:
    bodies = _bodies(site, random.Random(SEED))
    warm, _sent = _send(site, bodies, WARMING * WORKERS * len(site.nodes))
    before = _memory(site)
    statuses, sent = _send(site, bodies, ROUNDS)
    after = _memory(site)
    assert set(warm | statuses) == {200, 400}, (warm, statuses)
    assert set(before) == set(after), "a worker ended"
    growth = sum(after.values()) - sum(before.values())
    assert growth * 2**20 < sent * TAKEN, (before, after, sent)
