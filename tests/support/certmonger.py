# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certmonger as a user's own daemon, on a bus of its own; the system bus is not touched."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .relay import Exchange
from .servers import PATIENCE

DAEMON = "/usr/lib/certmonger/certmonger-session"
# dbus-run-session ends the bus when the daemon ends, so the daemon's process id is all that is needed to end both.
START = 'echo "$$ $DBUS_SESSION_BUS_ADDRESS"; exec "$0" -s -n >&2'


@dataclass(frozen=True)
class Tracked:
    """What certmonger says of one request: its state and the reason for it, if there is one."""

    status: str
    error: str


class Certmonger:
    """The daemon, running, with `folder` as its home. Nicknames of CAs and identifiers of requests are used once."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment

    def __call__(self, *words: object) -> subprocess.CompletedProcess[str]:
        """getcert WORDS."""
        verb, *rest = map(str, words)
        command = ["getcert", verb, "--session", *rest]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=PATIENCE * 2
        )

    def add(self, ca: str, url: str, *more: object) -> None:
        """Make a SCEP server known under the nickname `ca`."""
        done = self("add-scep-ca", "-c", ca, "-u", url, *more)
        assert done.returncode == 0, (done.stdout, done.stderr)

    def request(self, ca: str, identifier: str, password: str, *more: object) -> Tracked:
        """Let it make a key, enrol and wait for the end: IDENTIFIER.key and .pem in the folder."""
        files = ["-k", self.path(identifier, "key"), "-f", self.path(identifier, "pem")]
        names = ["-N", f"CN={identifier},O=Example", "-D", f"{identifier}.example.com", "-L", password]
        self("request", "-c", ca, "-I", identifier, *files, *names, "-w", *more)
        return self.tracked(identifier)

    def again(self, verb: str, identifier: str, exchanges: Sequence[Exchange], *ends: Tracked) -> Tracked:
        """Let it renew (resubmit, rekey) or ask for what was approved (refresh), and wait until it stands at one end.

        getcert's own waiting may be over before the daemon has begun. So wait until there is one more of `exchanges`,
        which the relay writes down, with its reply, and from then on for the end; where the reply is a certificate, for
        that too. The last that was seen is returned when none comes.
        """
        before, deadline = len(exchanges), time.monotonic() + PATIENCE * 2
        certificate = self.path(identifier, "pem")
        old = certificate.read_bytes() if certificate.exists() else b""
        self(verb, "-i", identifier)
        while True:
            reply = exchanges[-1].reply if len(exchanges) > before else None
            answered, tracked = reply is not None, self.tracked(identifier)
            kept = reply is None or reply.status != "SUCCESS" or certificate.read_bytes() != old
            if answered and kept and tracked in ends:
                return tracked
            if time.monotonic() >= deadline:
                assert answered and kept, (verb, tracked)
                return tracked
            time.sleep(0.1)

    def tracked(self, identifier: str) -> Tracked:
        """How the request stands."""
        listed = self("list", "-i", identifier).stdout

        def field(name: str) -> str:
            found = re.search(rf"^\s*{name}: (.*)$", listed, re.MULTILINE)
            return found[1] if found else ""

        return Tracked(field("status"), field("ca-error"))

    def path(self, identifier: str, suffix: str) -> Path:
        """One of the request's files."""
        return self.folder / f"{identifier}.{suffix}"


@contextmanager
def running(folder: Path) -> Iterator[Certmonger]:
    """The daemon and its bus, for as long as it is needed."""
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with (folder / "certmonger.log").open("wb") as log:
        process = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", START, DAEMON],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    daemon = 0
    try:
        ready, _none, _neither = select.select([process.stdout], [], [], PATIENCE)
        assert ready, "no bus came up"
        number, address = process.stdout.readline().decode().split()
        daemon = int(number)
        yield Certmonger(folder, {**environment, "DBUS_SESSION_BUS_ADDRESS": address})
    finally:
        try:
            if daemon:
                os.kill(daemon, signal.SIGTERM)
                process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
            process.stdout.close()
