# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that are compared, each started on loopback with a fresh store and stopped for sure."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import socket
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmark.load import ALLOWED, now

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "roles" / "scep_server" / "files"
STEP_CA = ROOT / ".cache" / "peers" / "step-ca"
STEP_CA_MODULE = "github.com/smallstep/certificates/cmd/step-ca@v0.30.2"
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


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
    port = _free_port()
    serve = command(state, "serve", "--bind", f"127.0.0.1:{port}")
    with _running(serve, folder, port, "/scep", passwords) as running:
        yield running


@contextlib.contextmanager
def micromdm(folder: Path, challenges: int) -> Iterator[Running]:
    """Debian's scepserver, with an RSA-2048 key."""
    depot, port = folder / "depot", _free_port()
    make = ["scepserver", "ca", "-init", "-depot", depot, "-keySize", "2048"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    serve = ["scepserver", "-depot", depot, "-port", str(port), "-challenge", CHALLENGE, "-allowrenew", "0"]
    with _running([*serve], folder, port, "/scep", [CHALLENGE] * challenges) as running:
        yield running


@contextlib.contextmanager
def step_ca(folder: Path, challenges: int) -> Iterator[Running]:
    """step-ca with a root and an RSA-2048 intermediate that decrypts and signs everything."""
    port, secure = _free_port(), _free_port()
    _step_ca_keys(folder)
    claims = {"maxTLSCertDuration": "8760h", "defaultTLSCertDuration": "8760h", "disableRenewal": False}
    provisioner = {"type": "SCEP", "name": "bench", "challenge": CHALLENGE, "encryptionAlgorithmIdentifier": 2}
    settings = {
        "root": str(folder / "root.pem"),
        "crt": str(folder / "intermediate.pem"),
        "key": str(folder / "intermediate.key"),
        "address": f"127.0.0.1:{secure}",
        "insecureAddress": f"127.0.0.1:{port}",
        "dnsNames": ["localhost"],
        "db": {"type": "badgerv2", "dataSource": str(folder / "db")},
        "authority": {"claims": claims, "provisioners": [provisioner]},
    }
    (folder / "ca.json").write_text(json.dumps(settings))
    with _running([STEP_CA, folder / "ca.json"], folder, port, "/scep/bench", [CHALLENGE] * challenges) as running:
        yield running


def _step_ca_keys(folder: Path) -> None:
    root_key, key = (rsa.generate_private_key(65537, 2048) for _key in range(2))
    root = _ca_certificate("Bench Root", "Bench Root", root_key, root_key, 1)
    intermediate = _ca_certificate("Bench Intermediate", "Bench Root", key, root_key, 0)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "intermediate.pem").write_bytes(intermediate.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "intermediate.key").write_bytes(pem)


def _ca_certificate(
    subject: str, issuer: str, key: rsa.RSAPrivateKey, issuer_key: rsa.RSAPrivateKey, path_length: int
) -> x509.Certificate:
    usages = ("digital_signature", "key_encipherment", "key_cert_sign", "crl_sign")
    others = ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    usage = x509.KeyUsage(**dict.fromkeys(usages, True), **dict.fromkeys(others, False))
    start = now() - dt.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def missing(name: str) -> str | None:
    """What has to be done before a server can be measured; step-ca is built on first use where Go is recent enough."""
    if name == "micromdm":
        return None if shutil.which("scepserver") else "needs Debian's package scep: apt-get install scep"
    if STEP_CA.exists():
        return None
    if not shutil.which("go"):
        return f"needs Go 1.25 or later, to build {STEP_CA_MODULE}"
    print(f"building {STEP_CA_MODULE}, a few minutes, once", file=sys.stderr, flush=True)
    variables = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(STEP_CA.parent)}
    done = subprocess.run(
        ["go", "install", STEP_CA_MODULE], check=False, env=variables, stderr=subprocess.PIPE, text=True
    )
    return None if done.returncode == 0 else f"does not build: {done.stderr.strip().splitlines()[-1]}"
