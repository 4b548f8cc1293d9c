# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL in the middle of the work: what was answered is kept, what was lost is had by asking again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request

from .clients import Connection, Lost, connected
from .conftest import SECONDS, Node, Site, gone, wait_until

SEED = 8894
CLIENTS, EACH = 8, 8
FORSAKEN = 0.1
"""How likely a client hangs up before it is answered, and asks again."""
REPEATED = 64


def _worker(node: Node, dice: random.Random) -> None:
    before = node.workers()
    victim = dice.choice(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in node.server.workers(), "the killed worker is gone")


def _master(node: Node, _dice: random.Random) -> None:
    _kill(node, [])


def _node(node: Node, _dice: random.Random) -> None:
    _kill(node, node.workers())


def _kill(node: Node, as_well: list[int]) -> None:
    """The master first: it would replace its workers."""
    family = node.workers()
    node.server.process.kill()
    for pid in as_well:
        os.kill(pid, signal.SIGKILL)
    node.server.process.wait(SECONDS)
    wait_until(gone(family), "the workers follow their master")


# What is killed, and how often: on one node, and on one of two.
KILLS: dict[int, dict[Callable[[Node, random.Random], None], int]] = {
    1: {_worker: 12, _master: 4, _node: 4},
    2: {_worker: 2, _master: 2, _node: 4},
}


class Round:
    """Clients that enrol, each until it has all its certificates, whatever happens to the servers."""

    def __init__(self, site: Site, dice: random.Random) -> None:
        self._site = site
        self.received: list[tuple[Request, bytes]] = []
        self._more = threading.Condition()
        self._pool = ThreadPoolExecutor(CLIENTS)
        passwords = site.passwords(CLIENTS * EACH)
        self._clients: list[Future[None]] = [
            self._pool.submit(self._enrol, number, random.Random(dice.random()), passwords[number::CLIENTS])
            for number in range(CLIENTS)
        ]

    def wait_for(self, count: int) -> None:
        """Wait until there are so many certificates."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.received) >= count, SECONDS), len(self.received)

    def finish(self) -> None:
        """Wait until all clients have what they want."""
        for client in self._clients:
            client.result(SECONDS * EACH)
        self._pool.shutdown()

    def _enrol(self, number: int, dice: random.Random, passwords: Sequence[str]) -> None:
        nodes = self._site.nodes[number % len(self._site.nodes) :] + self._site.nodes[: number % len(self._site.nodes)]
        connections = [Connection(node.url) for node in nodes]
        try:
            for password in passwords:
                request = self._site.fleet.request(password, number)
                if dice.random() < FORSAKEN:
                    with contextlib.suppress(Lost):
                        connections[0].forsake(request)
                certificate = self._site.fleet.certificate(_insist(connections, request), request)
                with self._more:
                    self.received.append((request, certificate))
                    self._more.notify_all()
        finally:
            for connection in connections:
                connection.close()


def _insist(connections: Sequence[Connection], request: Request) -> bytes:
    """Send the identical request until it is answered, to one node after the other."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for connection in connections:
            with contextlib.suppress(Lost):
                return connection.post(request)
        time.sleep(0.05)
    raise AssertionError(f"no answer within {SECONDS} s")


def test_kills(site: Site) -> None:
    dice = random.Random(SEED)
    received: list[tuple[Request, bytes]] = []
    kills = [kill for kill, count in KILLS[len(site.nodes)].items() for _unused in range(count)]
    dice.shuffle(kills)
    for kill in kills:
        work = Round(site, dice)
        work.wait_for(dice.randrange(1, CLIENTS * EACH // 2))
        node = dice.choice(site.nodes)
        kill(node, dice)
        if len(site.nodes) > 1:
            work.finish()  # on the other node alone, if this one is dead
        if node.server.process.returncode is not None:
            node.start()
        work.finish()
        received += work.received
    kept = site.kept()
    kept.check(certificate for _request, certificate in received)
    assert len(kept.certificates) == len(received) == len(kills) * CLIENTS * EACH, "something was issued to nobody"
    repeated = kept.outcomes()["repeated"]
    assert repeated, "no answer was lost after the certificate had been kept"

    for node in site.nodes:
        with connected(node.url) as connection:
            for request, certificate in dice.sample(received, REPEATED):
                assert site.fleet.certificate(connection.post(request), request) == certificate
    afterwards = site.kept()
    assert (afterwards.certificates, afterwards.used) == (kept.certificates, kept.used), "asking again took something"
    assert afterwards.outcomes()["repeated"] == repeated + REPEATED * len(site.nodes)
