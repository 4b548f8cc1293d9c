# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL before each change that a run makes to files: what it leaves fits together, and the next run completes.

Only the moments between two changes differ on disk. A playbook that is killed at random hardly ever meets some of them,
so here each has its turn.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import keys as keys_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support import pki as pki_module
from support.awkward import CAPABILITIES, Answer, Awkward
from support.task import Device

WRITE = "netcert.ndes.write"
CHANGES = {WRITE, *(f"os.{name}" for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "symlink"))}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Case:
    """A run with these options, which an enrolment precedes if `enrolled`, and the files that are there in the end."""

    left: set[str]
    options: dict[str, Any] = field(default_factory=dict)
    enrolled: bool = True
    waits: bool = False
    """Whether the CA wants to see the request first."""
    asks: bool = True
    """Whether a certificate is asked for."""


PAIR = {"device.key", "device.pem", "device.pem.scep.json"}
MORE = {"fullchain_path": "full.pem", "chain_path": "chain.pem"}
DUE: dict[str, Any] = {"remaining_days": 30, "backup": True}
CASES = {
    "first": Case({*PAIR, "full.pem", "chain.pem"}, MORE, enrolled=False),
    "first, pending": Case(PAIR, enrolled=False, waits=True),
    "another subject": Case(PAIR, {"subject": "CN=another", "backup": True}),
    "renewal": Case({*PAIR, "full.pem"}, {**DUE, "fullchain_path": "full.pem"}),
    "renewal, pending": Case(PAIR, DUE, waits=True),
    "other files": Case({*PAIR, "full.pem", "chain.pem"}, {**MORE, "privatekey_format": "pkcs1"}, asks=False),
    "absent": Case(set(), {"state": "absent", "backup": True}, asks=False),
}


def die_at(change: int, folder: Path) -> None:
    """From now on this process is killed before the nth time that it changes a file in the folder."""
    count = 0

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in CHANGES and not (event == "open" and arguments[2] & WRITING):
            return
        if isinstance(arguments[0], int) or str(arguments[0]).startswith(str(folder)):
            count += 1
            if count == change:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def killed(device: Device, change: int, options: dict[str, Any]) -> bool:
    """Run in a child, which dies before the nth change; whether it came so far."""
    child = os.fork()
    if child == 0:
        die_at(change, device.task.folder)
        os._exit(int(perform(ensure_certificate, device.task.context(**options))["failed"]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def split(device: Device) -> tuple[dict[str, bytes], list[bytes]]:
    """The files that belong to the enrolment, and the contents of backups; others are none of a user's business."""
    files = {path.name: path.read_bytes() for path in device.task.folder.iterdir() if not path.name.startswith(".")}
    files.pop(device.pending.name, None)
    copies = [files.pop(name) for name in list(files) if name.endswith("~")]
    return files, copies


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are there already, and no waiting for the disk: a killed process loses nothing that it wrote."""
    count = itertools.count()
    monkeypatch.setattr(keys_module, "generate_rsa_key", lambda _bits: pki_module.rsa_key(f"made {next(count) % 2}"))
    monkeypatch.setattr(os, "fsync", lambda _unused: None)
    fdopen = os.fdopen

    def opened(descriptor: int, *mode: str) -> Any:
        """Between the moments when a file is made and when it has its content lies one more."""
        sys.audit(WRITE, descriptor)
        return fdopen(descriptor, *mode)

    monkeypatch.setattr(os, "fdopen", opened)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_killed_before_each_change(tmp_path: Path, server: Awkward, quick: None, case: Case) -> None:
    device = Device(tmp_path / "files", server.url, server.pki.ca.certificate, challenge_password="Pa55-word")
    server.answers["GetCACaps"] = Answer(CAPABILITIES + b"Renewal\n", content_type="text/plain")
    if case.enrolled:
        later, server.end = server.end, dt.datetime.now(dt.UTC) + dt.timedelta(days=10)
        device()
        server.end = later
    before, _copies = split(device)
    folder = device.task.folder

    def waiting(request: IncomingRequest) -> bytes:
        return pending(request.header, server.pki.ra_sign)

    def approved(request: IncomingRequest) -> bytes:
        """A poll asks for what an earlier request has asked for."""
        asked = request if request.csr is not None else server.requests[0]
        return success(request.header, server.pki.ra_sign, [server.certify(asked)])

    undecided = 0
    for change in itertools.count(1):
        for path in folder.iterdir():
            path.unlink()
        for name, data in before.items():
            (folder / name).write_bytes(data)
        server.requests.clear()
        server.reply = waiting if case.waits else server.issue
        died = killed(device, change, case.options)
        left, copies_left = split(device)
        completing = (folder / f".{device.path.name}.scep-journal").exists()
        undecided += completing

        server.reply = approved
        device(**case.options)
        after, copies = split(device)
        assert set(after) == case.left
        assert not device.pending.exists() and not [path for path in folder.iterdir() if path.name.startswith(".")]
        assert {*copies, *copies_left} <= set(before.values()), "a backup is not whole"
        if case.left:
            key: Any = load_pem_private_key(device.key.read_bytes(), None)
            assert same_key(key.public_key(), device.certificate.public_key())
        transactions = {request.header.transaction_id for request in server.requests}
        assert len(transactions) == int(case.asks), "another certificate was asked for"
        if completing:
            assert all(data in (before.get(name), after.get(name)) for name, data in left.items())
        elif case.left:
            assert left in (before, after)
        else:
            assert left.items() <= before.items()
        if not died:
            break
    assert not device(**case.options)["changed"]
    assert change > 5
    # what waits is one file, which needs no journal
    assert undecided > 2 or case.waits or not case.left
