# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nobody else can read a file that holds a secret, at no moment of a run, not even where the umask forbids nothing."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import files as files_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import pending, success

from support.awkward import CAPABILITIES, Answer, Awkward
from support.task import Run

CLIENT = str(Path(files_module.__file__).parent)
SECRET = (b"PRIVATE KEY-----", b'"csr": ')
"""A private key in PEM, and a request with its challenge password."""


class Watch:
    """Looks at all files whenever a line of the client's code is done.

    Whoever opens a file while that is allowed can read what is written into it later, so a file that was open to others
    stays so as long as it is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.looks = folder, 0
        self.open: set[int] = set()
        self.secret: set[str] = set()
        self.exposed: set[str] = set()
        self._read: dict[tuple[int, int, int], bool] = {}

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """The trace function."""
        if not frame.f_code.co_filename.startswith(CLIENT):
            return None
        self._look()
        return self

    def _look(self) -> None:
        self.looks += 1
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(self.folder)}
        self.open &= {status.st_ino for status in found.values()}
        self.open |= {status.st_ino for status in found.values() if status.st_mode & 0o077}
        for name, status in found.items():
            if self._holds_secret(name, status):
                (self.exposed if status.st_ino in self.open else self.secret).add(name)

    def _holds_secret(self, name: str, status: os.stat_result) -> bool:
        which = (status.st_ino, status.st_size, status.st_mtime_ns)
        if which not in self._read:
            data = (self.folder / name).read_bytes()
            self._read[which] = ".p12" in name or any(mark in data for mark in SECRET)
        return self._read[which]


@pytest.fixture
def watch(certificate_task: Run) -> Iterator[Watch]:
    """At work until the test ends."""
    watch, umask, before = Watch(certificate_task.folder), os.umask(0), sys.gettrace()
    sys.settrace(watch)
    yield watch
    sys.settrace(before)
    os.umask(umask)


def test_never_open_to_others(certificate_task: Run, server: Awkward, watch: Watch) -> None:
    """First enrolment, a new key with backups, approval, renewal, refusal, removal."""
    task = certificate_task
    container = {"pkcs12_path": "sw1.p12", "pkcs12_passphrase": "container", "pkcs12_encryption": "legacy"}
    task.options.update(chain_path="chain.pem", backup=True, **container)

    def run(**options: Any) -> Any:
        result = perform(ensure_certificate, task.context(**options))
        return result.get("status", result["msg"]), result["changed"]

    server.end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=9)
    assert run() == ("issued", True)
    assert run(privatekey_size=2304) == ("issued", True)
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    assert run(privatekey_size=2560) == ("pending", True)
    asked = server.requests[-1]
    server.reply = lambda request: success(request.header, server.pki.ra_sign, [server.certify(asked)])
    assert run(privatekey_size=2560) == ("issued", True)
    server.reply = server.issue
    server.answers["GetCACaps"] = Answer(CAPABILITIES + b"Renewal\n")
    assert run(privatekey_size=2560, remaining_days=30, challenge_password=None) == ("issued", True)
    server.answers["PKIOperation"] = Answer(b"", 500)
    said, changed = run(privatekey_size=2560, force=True)
    assert "HTTP 500" in said and not changed
    assert run(state="absent") == ("absent", True)
    assert not watch.exposed
    assert watch.looks > 1000
    assert {name.split(".2")[0] for name in watch.secret} >= {
        "sw1.key",
        ".sw1.key.scep-new",
        ".sw1.key.scep-old",
        "sw1.p12",
        ".sw1.p12.scep-new",
        "sw1.pem.scep-pending.json",
        ".sw1.pem.scep-pending.json.scep-new",
    }
    assert any(name.startswith("sw1.key.2") for name in watch.secret)
