# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import pki as pki_module


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle of the machine that runs the tests."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path, Path]]:
    """(certificate, key, CA) of a TLS server on 127.0.0.1, by the label of its CA."""

    def make(label: str) -> tuple[Path, Path, Path]:
        folder = tmp_path_factory.mktemp("tls")
        ca = pki_module.authority(f"TLS CA {label}", f"tls-{label}")
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
        leaf = pki_module.leaf("127.0.0.1", "tls-server", ca, extensions=[(address, False), (key_id, False)])
        files = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
        files[0].write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files[2].write_bytes(ca.certificate.public_bytes(Encoding.PEM))
        return files

    return make
