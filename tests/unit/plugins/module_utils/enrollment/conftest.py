# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CA_INFO, CERTIFICATE
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import keys as keys_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.pending import SUFFIX as PENDING_SUFFIX
from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import load_private_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint, same_key
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import pki as pki_module
from support.awkward import Awkward
from support.pki import Pki
from support.task import Run


@pytest.fixture(scope="session")
def pki() -> Pki:
    """The session's small PKI."""
    return pki_module.shared()


@pytest.fixture
def server() -> Iterator[Awkward]:
    """A SCEP server that behaves until it is told otherwise."""
    server = Awkward()
    yield server
    server.close()


def pem_key(key: Any) -> bytes:
    """PKCS#8 in PEM."""
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


@pytest.fixture
def certificate_task(tmp_path: Path, server: Awkward) -> Run:
    """A task of scep_certificate, pinned to the server's CA, with files in the test's folder."""
    return Run(
        tmp_path,
        CERTIFICATE,
        url=server.url,
        ca_fingerprint=[fingerprint(server.pki.ca.certificate)],
        challenge_password="Pa55-word",
        subject="CN=sw1.example.com,O=Example",
        subject_alt_name=["DNS:sw1.example.com"],
        path="sw1.pem",
        privatekey_path="sw1.key",
        timeout=5.0,
    )


@pytest.fixture
def given_key(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The key of that task, which is there already; what it costs to check it is left out."""
    key, load = pki_module.rsa_key("given"), keys_module.load_private_key
    (certificate_task.folder / "sw1.key").write_bytes(pem_key(key))
    monkeypatch.setattr(keys_module, "load_private_key", lambda data, *rest, known: load(data, *rest, known=True))
    return key


@pytest.fixture
def info_task(tmp_path: Path, server: Awkward) -> Run:
    """A task of scep_ca_info, without a trust anchor."""
    return Run(tmp_path, CA_INFO, url=server.url, timeout=5.0)


def sentence(task: Run, **options: Any) -> str:
    """The sentence of a call that fails, and leaves the folder as it was, but for a transaction without an answer."""
    before = snapshot(task.folder)
    result = perform(ensure_certificate, task.context(**options))
    assert result.pop("failed")
    assert not result.pop("changed")
    assert snapshot(task.folder) == before
    text = str(result.pop("msg"))
    assert not result
    assert "\n" not in text
    assert text.endswith(".")
    return text


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file with content, mode and time of its last change."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(PENDING_SUFFIX)
    }


def key_and_certificate_match(folder: Path) -> bool:
    """Whether those on disk belong together."""
    key = load_private_key((folder / "sw1.key").read_bytes(), known=True)
    certificate = x509.load_pem_x509_certificate((folder / "sw1.pem").read_bytes())
    return same_key(key.public_key(), certificate.public_key())
