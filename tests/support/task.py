# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of the modules without Ansible: options as a playbook has them, handed to the driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CERTIFICATE, Spec
from ansible_collections.netcert.ndes.plugins.module_utils.context import Context, perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import load_private_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    load_certificate,
    same_key,
)
from cryptography import x509


class Run:
    """A call of a driver with options as a task has them, defaults filled in."""

    def __init__(self, folder: Path, spec: Spec, **options: Any) -> None:
        self.folder, self.spec, self.options, self.warnings = folder, spec, options, []  # type: ignore[var-annotated]

    def context(self, *, check_mode: bool = False, **options: Any) -> Context:
        """The context of one call."""
        params: dict[str, Any] = {name: option.get("default") for name, option in self.spec.options.items()}
        given = {**self.options, **options}
        assert set(given) <= set(params)
        return Context({**params, **given}, check_mode, self.folder, self.warnings.append)


class Device:
    """A device that enrols at a server over HTTP: the task scep_certificate with files in a folder of its own."""

    def __init__(self, folder: Path, url: str, ca: x509.Certificate, name: str = "device", **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        names: dict[str, Any] = {"subject": f"CN={name}.example.com,O=Example"}
        names["subject_alt_name"] = [f"DNS:{name}.example.com"]
        files = {"path": f"{name}.pem", "privatekey_path": f"{name}.key"}
        pinned = [fingerprint(ca)]
        self.task = Run(folder, CERTIFICATE, url=url, proxy="", ca_fingerprint=pinned, **names, **files, **options)
        self.path, self.key = folder / files["path"], folder / files["privatekey_path"]
        self.pending = folder / f"{name}.pem.scep-pending.json"

    def __call__(self, **options: Any) -> dict[str, Any]:
        """Run the task; its result."""
        result = perform(ensure_certificate, self.task.context(**options))
        assert not result.pop("failed"), result["msg"]
        return result

    def fails(self, **options: Any) -> str:
        """Run the task, which has to fail; its sentence."""
        result = perform(ensure_certificate, self.task.context(**options))
        assert result["failed"], result
        return str(result["msg"])

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate on disk."""
        return load_certificate(self.path.read_bytes())

    def check_pair(self) -> None:
        """Key and certificate on disk belong together, and no transaction is open."""
        key = load_private_key(self.key.read_bytes())
        assert same_key(key.public_key(), self.certificate.public_key())
        assert not self.pending.exists()
