# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""100 SIGKILLs of a playbook: files fit together at once, the next run completes, and nothing is asked for twice.

The seed of the dice is printed when the test fails. It decides what is killed, and when; how far the work is by then is
up to the machine.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.pending import read_pending
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.record import read_record
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    load_certificate,
    same_key,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from support import kept
from support.player import Player
from support.servers import our_server

from .conftest import HERE, MODULE_WAY, Playbooks

LANES = 2
SPARE = 50
"""Devices for runs that end before they are killed."""
AGAIN = 0.2
"""How likely the run that repairs is killed as well."""
SOON = 0.4
"""The part of a run that may pass between the moment when a request is kept and the kill."""
LONGER, SHORTER = 1.03, 0.8
IN_PROCESS, MODULE = "in-process", "module"
NOTHING, REQUESTED, UNDER_WAY, DONE = "nothing kept", "request kept", "to be completed", "done"


@dataclass(frozen=True)
class Device:
    """The files of a device, and its one-time password."""

    folder: Path
    name: str
    password: str

    @property
    def pending(self) -> Path:
        """What is kept of a request without an answer."""
        return self.folder / f"{self.name}.pem.scep-pending.json"

    @property
    def journal(self) -> Path:
        """From this file on, the new set counts as written."""
        return self.folder / f".{self.name}.pem.scep-journal"

    @property
    def settled(self) -> set[str]:
        """The names of the files that an enrolment leaves."""
        return {f"{self.name}{suffix}" for suffix in (".key", ".pem", ".full.pem", ".pem.scep.json")}

    def files(self) -> set[str]:
        """The names of all files."""
        return {path.name for path in self.folder.iterdir()}

    def certificate(self, ca: x509.Certificate) -> str | None:
        """The fingerprint of the certificate, if all files are whole and of one enrolment; None if there are none."""
        found = self.files() & self.settled
        if not found:
            return None
        assert found == self.settled
        key: Any = load_pem_private_key((self.folder / f"{self.name}.key").read_bytes(), None)
        leaf = (self.folder / f"{self.name}.pem").read_bytes()
        certificate = load_certificate(leaf)
        assert same_key(key.public_key(), certificate.public_key()), "key and certificate do not belong together"
        assert (self.folder / f"{self.name}.full.pem").read_bytes() == leaf + ca.public_bytes(Encoding.PEM)
        record = read_record((self.folder / f"{self.name}.pem.scep.json").read_bytes())
        assert record is not None and record.certificate == fingerprint(certificate)
        return record.certificate


@dataclass
class Lane:
    """Plays and kills, one run after the other. `options` are those of all tasks, `seen` is what kills left."""

    number: int
    dice: random.Random
    player: Player
    folder: Path
    ca: x509.Certificate
    options: dict[str, Any]
    usual: dict[str, float] = field(default_factory=dict)
    """Seconds that a run takes, by its way: less where a kill came too late, more where it did not."""
    seen: Counter[str] = field(default_factory=Counter)

    def start(self, way: str, device: Device) -> int:
        """Begin a run; its process id."""
        given = {"device": device.name, "folder": str(device.folder), "password": device.password, **self.options}
        words = (f"--inventory={self.folder / 'hosts.yml'}", f"--extra-vars={json.dumps(given)}")
        return self.player.start(*words, str(self.folder / f"{way}.yml"))

    def complete(self, device: Device, way: str = IN_PROCESS) -> str:
        """A run that nobody disturbs; the fingerprint of the certificate."""
        begin = time.monotonic()
        self.start(way, device)
        assert self.player.wait() == 0, "a run failed that nobody had killed"
        self.usual.setdefault(way, time.monotonic() - begin)
        assert device.files() == device.settled, "something is left over"
        certificate = device.certificate(self.ca)
        assert certificate is not None
        return certificate

    def kill(self, kill: Kill, device: Device, before: str | None) -> bool:
        """Kill a run and look at what it leaves; whether it was not over already."""
        run = self.start(kill.way, device)
        if kill.when(self, kill.way, device):
            time.sleep(self.dice.random() * self.usual[kill.way] * kill.within)
        kill.whom(self, run)
        code = self.player.wait()
        assert code in (0, kill.code)
        if device.pending.exists():
            assert read_pending(device.pending.read_bytes()) is not None, "the request is not whole"
        if device.journal.exists():
            self.seen[UNDER_WAY] += 1
        elif device.certificate(self.ca) != before:
            self.seen[DONE] += 1
        else:
            self.seen[REQUESTED if device.pending.exists() else NOTHING] += 1
        self.usual[kill.way] *= LONGER if code else SHORTER
        return code != 0

    def until(self, holds: Callable[[], bool]) -> bool:
        """Wait until something is the case, or the run is over; whether it still runs."""
        while not holds():
            if not self.player.running():
                return False
            time.sleep(0.002)
        return True

    def modules(self) -> list[int]:
        """The processes of modules, without the shells around them."""
        found = self.player.running().items()
        return [pid for pid, words in found if b"AnsiballZ_scep_certificate" in words and b"-c\0" not in words]


def _any_moment(_lane: Lane, _way: str, _device: Device) -> bool:
    return True


def _request_kept(lane: Lane, _way: str, device: Device) -> bool:
    return lane.until(device.pending.exists)


def _module_runs(lane: Lane, _way: str, _device: Device) -> bool:
    return lane.until(lambda: bool(lane.modules()))


def _all(lane: Lane, _run: int) -> None:
    lane.player.kill_all()


def _playbook(lane: Lane, run: int) -> None:
    """Its worker goes on, and comes to an end by itself."""
    if run in lane.player.running():
        _kill(run)


def _module(lane: Lane, _run: int) -> None:
    for pid in lane.modules():
        _kill(pid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Kill:
    """How to kill: in which kind of run, from which moment on and how long after it (as a part of a run), and whom."""

    way: str
    when: Callable[[Lane, str, Device], bool]
    within: float
    whom: Callable[[Lane, int], None]
    code: int = -signal.SIGKILL
    """Exit code of a run that was hit."""


# How, how often while devices enrol, and how often while they renew with a new key: 100 in all
PLAN = (
    (Kill(IN_PROCESS, _any_moment, 1, _all), 28, 12),
    (Kill(IN_PROCESS, _request_kept, SOON, _all), 18, 10),
    (Kill(IN_PROCESS, _any_moment, 1, _playbook), 8, 4),
    (Kill(MODULE, _any_moment, 1, _all), 5, 1),
    (Kill(MODULE, _request_kept, SOON / 2, _all), 5, 1),
    (Kill(MODULE, _module_runs, SOON, _module, code=2), 6, 2),
)


def plays(folder: Path) -> None:
    """The playbook, whose task stays in the process of Ansible or goes into one of its own."""
    options = {
        "url": "{{ url }}",
        "ca_fingerprint": "{{ ca_fingerprint }}",
        "challenge_password": "{{ password }}",
        "subject": "CN={{ device }}",
        "path": "{{ folder }}/{{ device }}.pem",
        "privatekey_path": "{{ folder }}/{{ device }}.key",
        "fullchain_path": "{{ folder }}/{{ device }}.full.pem",
        "remaining_days": "{{ remaining_days }}",
    }
    for way, environment in ((IN_PROCESS, {}), (MODULE, MODULE_WAY)):
        task = {"netcert.ndes.scep_certificate": options, "environment": environment}
        play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
        (folder / f"{way}.yml").write_text(yaml.safe_dump([play]))
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"controller": HERE}}}))


Held = dict[Device, "str | None"]
"""Devices, and the fingerprints of their certificates."""


def work(lane: Lane, kills: Sequence[Kill], held: Held) -> Held:
    """Give devices (new) certificates, with a kill on the way; those that got one."""
    waiting, done = dict(held), Held()
    for way in [way for way in (IN_PROCESS, MODULE) if way not in lane.usual]:
        device, before = waiting.popitem()
        done[device] = lane.complete(device, way)
        assert done[device] != before
    for kill in kills:
        hit = False
        while not hit:
            assert waiting, "too many runs ended before they were killed"
            device, before = waiting.popitem()
            hit = lane.kill(kill, device, before)
            if lane.dice.random() < AGAIN:
                lane.kill(kill, device, before)
            done[device] = lane.complete(device)
            assert done[device] != before
    return done


def together(lanes: Sequence[Lane], kills: Sequence[Kill], held: Sequence[tuple[Device, str | None]]) -> Held:
    """The work of all lanes at once."""
    shares = [(lane, kills[lane.number :: LANES], Held(held[lane.number :: LANES])) for lane in lanes]
    with ThreadPoolExecutor(LANES) as pool:
        return Held(entry for done in pool.map(lambda share: work(*share), shares) for entry in done.items())


def made(folder: Path, passwords: Sequence[str]) -> list[tuple[Device, str | None]]:
    """Devices, each with an empty folder and a password."""
    devices = [Device(folder / f"d{number}", f"d{number}", word) for number, word in enumerate(passwords)]
    for device in devices:
        device.folder.mkdir()
    return [(device, None) for device in devices]


def test_kills(playbooks: Playbooks, tmp_path: Path) -> None:
    seed = int(os.environ.get("KILLS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"KILLS_SEED={seed}")
    dice = random.Random(seed)
    enrolments, renewals = (
        dice.sample(kills, len(kills))
        for kills in ([kill for kill, *counts in PLAN for _unused in range(counts[at])] for at in (0, 1))
    )
    assert len(enrolments) + len(renewals) == 100
    plays(tmp_path)
    store = f"sqlite:///{tmp_path / 'state' / 'store.sqlite3'}"
    with our_server(tmp_path / "state", certificate_days=10) as server, ExitStack() as stack:
        options = {"url": server.url, "ca_fingerprint": fingerprint(server.ca), "remaining_days": 0}
        lanes = []
        for number in range(LANES):
            player = stack.enter_context(Player(tmp_path, tmp_path / f"log{number}", playbooks.variables()))
            lanes.append(Lane(number, random.Random(dice.random()), player, tmp_path, server.ca, options))
        devices = made(playbooks.files, server.passwords(len(enrolments) + SPARE))
        enrolled = together(lanes, enrolments, devices)
        first = kept.read(store)
        first.check([])
        assert {certificate.fingerprint for certificate in first.certificates} == set(enrolled.values())

        options.update(url=server.restarted(certificate_days=365).url, password="", remaining_days=30)
        renewed = together(lanes, renewals, list(enrolled.items()))
        both = kept.read(store)
        both.check([])
        issued = [certificate.fingerprint for certificate in both.certificates]
        assert sorted(issued) == sorted([*enrolled.values(), *renewed.values()])
        assert both.used == first.used, "a renewal took a password"
    outcomes = both.outcomes()
    assert set(outcomes) == {"issued", "repeated"}, outcomes
    seen = sum((lane.seen for lane in lanes), Counter())
    print(seen, outcomes)
    assert {NOTHING, REQUESTED, DONE} <= set(seen)
