# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers for the time of a test: ours through its command, and micromdm's. None is left running."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import load_certificate
from cryptography import x509

SERVER_FILES = Path(__file__).resolve().parents[2] / "roles" / "scep_server" / "files"
PATIENCE = 20


@dataclass(frozen=True)
class OurServer:
    """Our server, running."""

    state: Path
    url: str
    ca: x509.Certificate
    ra_encryption: x509.Certificate
    ra_signing: x509.Certificate

    def password(self) -> str:
        """A fresh one-time password."""
        return self.passwords(1)[0]

    def passwords(self, count: int) -> list[str]:
        """Fresh one-time passwords."""
        found: list[str] = command(self.state, "otp", "create", "--count", str(count))["passwords"]
        return found

    def restarted(self, **settings: object) -> OurServer:
        """The same server after a restart with these settings changed, at another address."""
        command(self.state, "stop")
        file = self.state / "settings.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
        return replace(self, url=_served(self.state))

    def decide(self, verb: str, *more: str) -> None:
        """Approve or deny the one request that waits."""
        (waiting,) = command(self.state, "requests", "list")["requests"]
        command(self.state, "requests", verb, str(waiting["id"]), *more)

    def replaces(self, certificate: x509.Certificate) -> int:
        """The serial number of the certificate that this one renewed."""
        replaces = command(self.state, "certificates", "show", f"{certificate.serial_number:x}")["replaces"]
        assert replaces is not None, "it renewed none"
        return int(replaces, 16)


def command(state: Path, *arguments: str) -> dict[str, Any]:
    """Run `scep-server --state STATE ... --json`."""
    environment = {**os.environ, "PYTHONPATH": str(SERVER_FILES)}
    done = subprocess.run(
        [sys.executable, "-m", "scep_server", "--state", str(state), *arguments, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=PATIENCE * 3,
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def command_here(state: Path, *arguments: str) -> dict[str, Any]:
    """The same in this process: it takes a hundredth of the time, for tests that need many."""
    if str(SERVER_FILES) not in sys.path:
        sys.path.insert(0, str(SERVER_FILES))
    from scep_server import cli

    printed, mask = io.StringIO(), os.umask(0o077)
    try:
        with redirect_stdout(printed):
            status = cli.main(["--state", str(state), *arguments, "--json"])
    finally:
        os.umask(mask)
    assert status == 0, (arguments, printed.getvalue())
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def _served(state: Path) -> str:
    """Start the server in the background; its address."""
    return str(command(state, "serve", "--daemon", "--bind", "127.0.0.1:0")["url"])


@contextmanager
def our_server(state: Path, static: str = "", **settings: object) -> Iterator[OurServer]:
    """Our server on a free port of loopback; `static` is the password where the setting challenge is that."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    given = [word for name, text in texts.items() for word in ("--set", f"{name}={text}")]
    made = command(state, "init", *given)
    if static:
        file = state.with_name("password")
        file.write_text(static, encoding="utf-8")
        command(state, "challenge", "set", "--file", str(file))
    url = _served(state)
    try:
        roles = {role: load_certificate(made[role]["pem"].encode()) for role in ("ca", "ra_encryption", "ra_signing")}
        yield OurServer(state, url, **roles)
    finally:
        command(state, "stop")


@dataclass(frozen=True)
class OtherServer:
    """A server of others, running, with one password for all."""

    url: str
    ca: x509.Certificate
    challenge: str


@contextmanager
def micromdm_server(binary: Path, folder: Path, *words: str, challenge: str = "secret") -> Iterator[OtherServer]:
    """scepserver on a free port, with more words on its command line.

    It cannot be bound to loopback alone: the port lives as long as the test.
    """
    depot, port = folder / "depot", free_port()
    subprocess.run(
        [binary, "ca", "-init", "-depot", str(depot), "-keySize", "2048", "-organization", "Micromdm"],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    url = f"http://127.0.0.1:{port}/scep"
    with serving([binary, "-depot", depot, "-port", str(port), "-challenge", challenge, *words], url):
        yield OtherServer(url, load_certificate((depot / "ca.pem").read_bytes()), challenge)


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: Sequence[str | Path], url: str) -> Iterator[None]:
    """A command that answers GetCACaps at `url`, for as long as it is needed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"{url}?operation=GetCACaps", process)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, f"the server ended with {process.returncode}"
            assert time.monotonic() < end, f"no answer from {url}"
            time.sleep(0.05)
