# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certmonger at our server: the daemon as a user's own, on a bus of its own; the system bus is not touched."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    load_certificate,
    same_key,
    verify_issued_by,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from support.pki import common_name
from support.servers import PATIENCE, OurServer

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


@pytest.fixture(scope="module")
def certmonger(
    need_command: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Certmonger]:
    need_command("dbus-run-session", "dbus")
    need_command(DAEMON, "certmonger")
    with running(tmp_path_factory.mktemp("certmonger")) as started:
        assert started("list-cas").returncode == 0  # the bus starts no second daemon: it is this one that answers
        yield started


def check_issued(certmonger: Certmonger, server: OurServer, identifier: str) -> None:
    """The files of an enrolment that went well: a certificate of our CA, as asked for, and its key."""
    issued = load_certificate(certmonger.path(identifier, "pem").read_bytes())
    verify_issued_by(issued, server.ca, policy())
    assert common_name(issued) == identifier
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{identifier}.example.com"]
    key = load_pem_private_key(certmonger.path(identifier, "key").read_bytes(), None)
    assert same_key(issued.public_key(), key.public_key())


@pytest.mark.interop(peer="certmonger", does="ca", how="fetches them")
@pytest.mark.interop(peer="certmonger", does="enrols")
def test_certmonger_enrols_with_the_certificates_that_it_fetches(certmonger: Certmonger, server: OurServer) -> None:
    certmonger.add("fetched", server.url)
    tracked = certmonger.request("fetched", "device1", server.password())
    assert tracked == Tracked("MONITORING", ""), tracked
    check_issued(certmonger, server, "device1")


@pytest.mark.interop(peer="certmonger", does="ca", how="takes them from files")
@pytest.mark.interop(peer="certmonger", does="enrols")
def test_certmonger_enrols_with_the_certificates_that_it_is_given(
    certmonger: Certmonger, server: OurServer, tmp_path: Path
) -> None:
    ca, ra = tmp_path / "ca.pem", tmp_path / "ra.pem"
    ca.write_bytes(server.ca.public_bytes(Encoding.PEM))
    ra.write_bytes(server.ra_encryption.public_bytes(Encoding.PEM))
    certmonger.add("given", server.url, "-N", ca, "-r", ra)
    tracked = certmonger.request("given", "device2", server.password())
    assert tracked == Tracked("MONITORING", ""), tracked
    check_issued(certmonger, server, "device2")


@pytest.mark.interop(peer="certmonger", does="password", how="refused")
@pytest.mark.interop(
    peer="certmonger",
    does="password",
    works=False,
    how="it is not told why, because it cannot verify a reply without content; it says CA_UNREACHABLE",
)
def test_certmonger_with_a_wrong_password_is_refused(certmonger: Certmonger, server: OurServer) -> None:
    certmonger.add("wrong", server.url)
    tracked = certmonger.request("wrong", "device3", "0" * 32)
    assert tracked.status == "CA_UNREACHABLE"
    assert "no content" in tracked.error
    assert not certmonger.path("device3", "pem").exists()
    assert "refused with badRequest: challenge password" in (server.state / "scep-server.log").read_text()
