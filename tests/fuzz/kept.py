# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates that outlive the run, so that an input which was found can be tried again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import load_private_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import load_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import pki as pki_module
from support.pki import Pki


def use_kept_pki(folder: Path) -> None:
    """Let `support.pki.shared` be the PKI in `folder`, which is made there when it is not there yet."""
    names = [entry.name for entry in dataclasses.fields(Pki)]
    if not all((folder / f"{name}.{suffix}").is_file() for name in names for suffix in ("key", "pem")):
        _keep(pki_module.shared(), folder)
    kept = Pki(**{name: _load(folder / name) for name in names})
    pki_module.shared = lambda: kept


def _keep(made: Pki, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in dataclasses.fields(Pki):
        identity: Identity = getattr(made, entry.name)
        key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{entry.name}.key").write_bytes(key)
        (folder / f"{entry.name}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))


def _load(path: Path) -> Identity:
    certificate = load_certificate(path.with_suffix(".pem").read_bytes())
    return Identity(certificate, load_private_key(path.with_suffix(".key").read_bytes(), known=True))
