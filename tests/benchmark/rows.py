# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the table: what each measures, and against which figure it is held.

Every figure is a ratio within one run, a count, a size, or processor time that does not depend on what else runs.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmark import client as clients
from benchmark import servers
from benchmark.load import Devices, Outcome, floor_seconds, post
from benchmark.processes import cpu_seconds, family, forget_peak, memory_mib
from benchmark.servers import Running
from benchmark.store import fill

COUNT = 300
ROUNDS = 3
ENROLMENTS = 15
HOSTILE = 1024 * 1024
HOSTILE_BODIES = {
    "one octet again and again": b"\x30" * HOSTILE,
    "indefinite lengths in each other": b"\x30\x80" * (HOSTILE // 2),
    "very many small elements": b"\x30\x83\x0f\xff\xfb" + b"\x05\x00" * ((HOSTILE - 5) // 2),
}

Result = dict[str, "float | int | str"]
Start = Callable[[Path, int], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Row:
    """One figure: its name in build/bench.json, what it says, the aim, and from where on it is a defect."""

    name: str
    about: str
    aim: str


ROWS = (
    Row("bench.python", "the Python that ran server and client", ""),
    Row("server.floor_ratio", "CPU of one enrolment, divided by its bare RSA operations", "1.5, defect above 1.8"),
    Row("server.vs_stepca", "CPU of step-ca for one enrolment, divided by ours", "1.4, defect below 1.1"),
    Row("server.vs_micromdm", "CPU of micromdm scepserver for one, divided by ours", "1.65, defect below 1.3"),
    Row("server.failures", "failed or doubly numbered of 300 enrolments over 8 connections", "0"),
    Row(
        "server.growth",
        "CPU with 100,000 certificates stored, divided by that with 100",
        "1.05, defect above 1.2",
    ),
    Row("server.scaling", "enrolments per second over 8 connections, 2 workers divided by 1", ""),
    Row("server.rss_mib", "memory of one worker after 300 enrolments", "under 80"),
    Row("server.hostile_ms", "CPU of the dearest hostile request of 1 MiB", "under 20"),
    Row("server.hostile_mib", "growth of a worker's memory under hostile requests of 1 MiB", "under 10"),
    Row("client.floor_ratio", "CPU of one enrolment with a known key, divided by its bare RSA operations", "2.5"),
    Row("client.unchanged_ms", "CPU of a task whose certificate is as asked, in a warm process", "under 3"),
)


@contextlib.contextmanager
def _started(start: Start, challenges: int) -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="netcert-bench-"))
    try:
        with start(folder, challenges) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cost(server: Running, devices: Devices, count: int = COUNT) -> tuple[float, Outcome]:
    """(CPU seconds of one enrolment over one connection, what became of all). Raises when one failed."""
    warm, *requests = devices.requests(server, count + 1)
    post(server, [warm])
    before = cpu_seconds(server.pid)
    outcome = post(server, requests)
    spent = cpu_seconds(server.pid) - before
    if outcome.failures:
        raise RuntimeError(f"{len(outcome.failures)} of {count} enrolments failed: {outcome.failures[0]}")
    return spent / count, outcome


def compare(devices: Devices) -> Result:
    """Ours, step-ca, micromdm and the bare RSA operations, in turn, in each of the rounds."""
    rivals: dict[str, Start] = {"stepca": servers.step_ca, "micromdm": servers.micromdm}
    absent = {name: reason for name in rivals if (reason := servers.missing(name)) is not None}
    floors: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in rivals}
    result: Result = {}
    for _round in range(ROUNDS):
        with _started(servers.ours, COUNT + 1) as server:
            mine, _outcome = _cost(server, devices)
            result["server.rss_mib"] = round(max(memory_mib(pid, "VmRSS") for pid in family(server.pid)[1:]), 1)
        floors.append(mine / floor_seconds(devices.keys[0]))
        for name, start in rivals.items():
            if name not in absent:
                with _started(start, COUNT + 1) as server:
                    ratios[name].append(_cost(server, devices)[0] / mine)
    result["server.floor_ratio"] = round(statistics.median(floors), 2)
    for name in rivals:
        figure = absent.get(name) or round(statistics.median(ratios[name]), 2)
        result[f"server.vs_{name}"] = figure
    return result


def concurrency(devices: Devices) -> Result:
    """Eight connections at once, against one worker and against two."""
    rates, failures = {}, 0
    for workers in (1, 2):

        def start(folder: Path, challenges: int, workers: int = workers) -> AbstractContextManager[Running]:
            return servers.ours(folder, challenges, workers=workers)

        with _started(start, COUNT + 8) as server:
            requests = devices.requests(server, COUNT + 8)
            post(server, requests[:8], connections=8)
            outcome = post(server, requests[8:], connections=8)
        failures += len(outcome.failures) + len(outcome.serials) - len(set(outcome.serials))
        rates[workers] = COUNT / outcome.seconds
    return {"server.failures": failures, "server.scaling": round(rates[2] / rates[1], 2)}


def growth(devices: Devices) -> Result:
    """The same load on a small store and on a large one, in turn."""
    ratios = []
    for _round in range(ROUNDS):
        costs = {}
        for size in (100, 100_000):
            with _started(servers.ours, COUNT + 1) as server:
                fill(server, size)
                costs[size], _outcome = _cost(server, devices)
        ratios.append(costs[100_000] / costs[100])
    return {"server.growth": round(statistics.median(ratios), 2)}


def hostile(devices: Devices) -> Result:
    """Requests made to be dear to whoever reads them; afterwards an honest one is served."""
    dearest = 0.0
    with _started(servers.ours, 12) as server:
        post(server, devices.requests(server, 10))
        workers = family(server.pid)[1:]
        for pid in workers:
            forget_peak(pid)
        resting = {pid: memory_mib(pid, "VmRSS") for pid in workers}
        for body in HOSTILE_BODIES.values():
            before = cpu_seconds(server.pid)
            for _time in range(10):
                _send(server, body)
            dearest = max(dearest, (cpu_seconds(server.pid) - before) / 10)
        grown = max(memory_mib(pid, "VmHWM") - resting[pid] for pid in workers)
        if post(server, devices.requests(server, 1)).failures:
            raise RuntimeError("The server does not enrol any more.")
    return {"server.hostile_ms": round(dearest * 1000, 1), "server.hostile_mib": round(grown, 1)}


def _send(server: Running, body: bytes) -> None:
    head = f"POST {server.path}?operation=PKIOperation HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((server.host, server.port), 30) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        while connection.recv(65536):
            pass


def client(devices: Devices) -> Result:
    """Tasks in this process, in three rounds: certificates asked for again with their keys, then left as they are.

    The first enrolment with a key checks its primes, 54 ms for RSA-2048; that is left out.
    """
    ratios, unchanged = [], []
    with _started(servers.ours, ENROLMENTS * (ROUNDS + 1)) as server, tempfile.TemporaryDirectory() as folder:
        tasks = clients.Tasks(server, Path(folder), devices.keys[0])

        def enrol(number: int) -> bool:
            return tasks.run(number, server.challenges.pop())

        _timed(enrol)
        for _round in range(ROUNDS):
            floor = clients.floor_seconds(devices.keys[0])
            enrolled, spent = _timed(enrol)
            changed, again = _timed(tasks.run)
            if enrolled != ENROLMENTS or changed:
                raise RuntimeError(f"{enrolled} of {ENROLMENTS} were enrolled, and {changed} again.")
            ratios.append(spent / floor)
            unchanged.append(again)
    ratio, milliseconds = statistics.median(ratios), statistics.median(unchanged) * 1000
    return {"client.floor_ratio": round(ratio, 2), "client.unchanged_ms": round(milliseconds, 2)}


def _timed(work: Callable[[int], bool]) -> tuple[int, float]:
    """(how many of ENROLMENTS calls said that something changed, CPU seconds of one)."""
    began = time.process_time()
    changed = sum(work(number) for number in range(ENROLMENTS))
    return changed, (time.process_time() - began) / ENROLMENTS


PARTS: tuple[Callable[[Devices], Result], ...] = (compare, concurrency, growth, hostile, client)
