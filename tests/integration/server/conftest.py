# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers, started with the command line."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

_ROOT = Path(__file__).resolve().parents[3]
SERVER = _ROOT / "roles" / "scep_server" / "files"
for _folder in (_ROOT / "tests" / "unit" / "server", SERVER):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: E402

_PROGRAM = f"import sys; sys.path.insert(0, {str(SERVER)!r}); from scep_server.cli import main; sys.exit(main())"
COMMAND = [sys.executable, "-c", _PROGRAM]
LISTENING = re.compile(r"process \d+ serves (\S+)")


class RunningServer:
    """`scep-server serve` in the foreground, as a child process, on a port of its own."""

    def __init__(self, state: Path, log: Path, *options: str) -> None:
        self.state, self.log = state, log
        with log.open("wb") as stream:
            command = [*COMMAND, "--state", str(state), "serve", "--bind", "127.0.0.1:0", *options]
            self.process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        self.url = self._wait()

    def _wait(self) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := LISTENING.search(self.text()):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(self.text())

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def text(self) -> str:
        """The log."""
        return self.log.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in children.split()]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def scep_server(state: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run a command to its end: (exit code, result)."""
    done = subprocess.run(
        [*COMMAND, "--state", str(state), *words, "--json"], capture_output=True, text=True, check=False, timeout=90
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def command() -> Callable[..., tuple[int, dict[str, Any]]]:
    """`scep-server --state STATE WORDS --json`."""
    return scep_server


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder to copy: keys take a while to make."""
    state = tmp_path_factory.mktemp("initialised") / "state"
    status, result = scep_server(state, "init", "--set", "ca_subject=CN=Integration Test CA")
    assert status == 0, result
    return state


@pytest.fixture
def make_state(initialised: Path, tmp_path: Path) -> Callable[..., Path]:
    """A fresh state folder with these settings."""

    def make(**settings: Any) -> Path:
        state = Path(shutil.copytree(initialised, tmp_path / "state"))
        (state / "settings.json").write_text(json.dumps(settings))
        return state

    return make


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers that end with the test; none of them may have logged a traceback."""
    running: list[RunningServer] = []

    def start(state: Path, *options: str) -> RunningServer:
        running.append(RunningServer(state, tmp_path / f"log{len(running)}", *options))
        return running[-1]

    yield start
    for server in running:
        server.stop()
    for server in running:
        assert "Traceback" not in server.text(), server.text()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key) for 127.0.0.1 and localhost."""
    import ipaddress

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=127.0.0.1")
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.key").touch(mode=0o600)
    (folder / "tls.key").write_bytes(private)
    return folder / "tls.pem", folder / "tls.key"


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _working_in(folder: Path) -> list[str]:
    """The processes whose command line names the folder."""
    mine, found = str(folder).encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = mine in (process / "cmdline").read_bytes()
        except OSError:
            continue
        if named and int(process.name) != os.getpid() and alive(int(process.name)):
            found.append(process.name)
    return found


@pytest.fixture(autouse=True)
def nothing_left_running(tmp_path: Path) -> Iterator[None]:
    """After each test no process works in its folder; those of a browser end after it, each by itself."""
    yield
    deadline = time.monotonic() + 5
    while (left := _working_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


@pytest.fixture
def session(tls: tuple[Path, Path]) -> Iterator[requests.Session]:
    """Connections of requests, which trust the server's certificate and nothing in the environment."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(tls[0])
        yield session
