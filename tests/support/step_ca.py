# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""step-ca as a SCEP server, with a root and an RSA-2048 intermediate that decrypts and signs everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from . import pki
from .servers import OtherServer, free_port, serving


@dataclass(frozen=True)
class Settings:
    """What it starts from: its file, the path of its URL, and its certificate authorities."""

    file: Path
    path: str
    root: Identity
    intermediate: Identity


def settings(folder: Path, port: int, challenge: str) -> Settings:
    """Keys, certificates and ca.json, for plain HTTP on a port of loopback."""
    root = _authority("Step Root", "step-root")
    intermediate = _authority("Step Intermediate", "step-intermediate", root)
    files = {name: folder / name for name in ("root.pem", "intermediate.pem", "intermediate.key", "ca.json")}
    files["root.pem"].write_bytes(root.certificate.public_bytes(Encoding.PEM))
    files["intermediate.pem"].write_bytes(intermediate.certificate.public_bytes(Encoding.PEM))
    key = intermediate.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    files["intermediate.key"].write_bytes(key)
    claims = {"maxTLSCertDuration": "8760h", "defaultTLSCertDuration": "8760h", "disableRenewal": False}
    provisioner = {"type": "SCEP", "name": "scep", "challenge": challenge, "encryptionAlgorithmIdentifier": 2}
    content = {
        "root": str(files["root.pem"]),
        "crt": str(files["intermediate.pem"]),
        "key": str(files["intermediate.key"]),
        "address": f"127.0.0.1:{free_port()}",
        "insecureAddress": f"127.0.0.1:{port}",
        "dnsNames": ["localhost"],
        "db": {"type": "badgerv2", "dataSource": str(folder / "db")},
        "authority": {"claims": claims, "provisioners": [provisioner]},
    }
    files["ca.json"].write_text(json.dumps(content), encoding="utf-8")
    return Settings(files["ca.json"], "/scep/scep", root, intermediate)


def _authority(subject: str, label: str, issuer: Identity | None = None) -> Identity:
    usage: Any = (*pki.CA_USAGE, "key_encipherment")
    key = pki.rsa_key(label)
    return Identity(pki.certificate(subject, key, issuer, ca=True, usage=usage), key)


@dataclass(frozen=True)
class StepCa(OtherServer):
    """step-ca, running; `ca` is its intermediate."""

    root: x509.Certificate


@contextmanager
def step_ca_server(binary: Path, folder: Path, challenge: str = "secret") -> Iterator[StepCa]:
    """step-ca on a free port of loopback."""
    port = free_port()
    made = settings(folder, port, challenge)
    url = f"http://127.0.0.1:{port}{made.path}"
    with serving([binary, made.file], url):
        yield StepCa(url, made.intermediate.certificate, challenge, made.root.certificate)
