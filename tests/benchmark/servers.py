# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that are compared, each started on loopback with a fresh store and stopped for sure."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import is_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import CaCertificates, TrustAnchor, resolve

from benchmark.load import ALLOWED, now
from support.servers import free_port
from support.step_ca import settings
from toolchain import peers
from toolchain.places import Failure

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "roles" / "scep_server" / "files"
CHALLENGE = "benchmark"


@dataclass(frozen=True)
class Running:
    """A server that answers: its process, where it listens, and its CA. `challenges` may be used once each."""

    pid: int
    host: str
    port: int
    path: str
    ca: CaCertificates
    challenges: list[str]


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> CaCertificates:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}?operation=GetCACert", timeout=5) as answer:
            offered = read_ca_certificates(answer.read())
            anchor = next(certificate for certificate in offered if is_ca(certificate))
            return resolve(offered, TrustAnchor(certificates=(anchor,)), ALLOWED, now())
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not come up: {log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def _running(command: list[str | Path], folder: Path, port: int, path: str, challenges: list[str]) -> Iterator[Running]:
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=folder)
    try:
        ca = _wait(f"http://127.0.0.1:{port}{path}", process, log)
        yield Running(process.pid, "127.0.0.1", port, path, ca, challenges)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def command(state: Path, *words: str) -> list[str | Path]:
    """scep-server of this checkout."""
    program = f"import sys; sys.path.insert(0, {str(SERVER)!r}); from scep_server.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "--state", state, *words]


def one_time_passwords(state: Path, count: int) -> list[str]:
    """Fresh one-time passwords of a server of ours."""
    words = ("otp", "create", "--count", str(count), "--json")
    done = subprocess.run(command(state, *words), check=True, stdout=subprocess.PIPE)
    passwords: list[str] = json.loads(done.stdout)["passwords"]
    return passwords


def prepare(folder: Path, **settings: object) -> Path:
    """A state folder of ours with these settings."""
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "settings.json").write_text(json.dumps({"otp_outstanding": 1000000, **settings}))
    subprocess.run(command(state, "init"), check=True, stdout=subprocess.DEVNULL)
    return state


@contextlib.contextmanager
def ours(folder: Path, challenges: int, **settings: object) -> Iterator[Running]:
    """The reference server, one worker unless said otherwise."""
    state = prepare(folder, **{"workers": 1, **settings})
    passwords = one_time_passwords(state, challenges)
    port = free_port()
    serve = command(state, "serve", "--bind", f"127.0.0.1:{port}")
    with _running(serve, folder, port, "/scep", passwords) as running:
        yield running


@contextlib.contextmanager
def micromdm(folder: Path, challenges: int) -> Iterator[Running]:
    """Debian's scepserver, with an RSA-2048 key."""
    depot, port = folder / "depot", free_port()
    make = ["scepserver", "ca", "-init", "-depot", depot, "-keySize", "2048"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    serve = ["scepserver", "-depot", depot, "-port", str(port), "-challenge", CHALLENGE, "-allowrenew", "0"]
    with _running([*serve], folder, port, "/scep", [CHALLENGE] * challenges) as running:
        yield running


@contextlib.contextmanager
def step_ca(folder: Path, challenges: int) -> Iterator[Running]:
    """step-ca, with a certificate authority of its own."""
    port = free_port()
    made = settings(folder, port, CHALLENGE)
    serve: list[str | Path] = [peers.built(peers.STEP_CA), made.file]
    with _running(serve, folder, port, made.path, [CHALLENGE] * challenges) as running:
        yield running


def missing(name: str) -> str | None:
    """What has to be done before a server can be measured; step-ca is built on first use."""
    if name == "micromdm":
        return None if shutil.which("scepserver") else "needs Debian's package scep: apt-get install scep"
    try:
        peers.built(peers.STEP_CA)
    except Failure as failure:
        return str(failure)
    return None
