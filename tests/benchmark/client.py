# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client costs in a warm process, by the entrance that a task on the controller takes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.netcert.ndes.plugins.action.scep_certificate import ActionModule
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmark.servers import Running


class Tasks:
    """Tasks of scep_certificate, for keys that are given: making keys is not what is measured."""

    def __init__(self, server: Running, folder: Path, key: rsa.RSAPrivateKey) -> None:
        self.server, self.folder = server, folder
        self._key = folder / "device.key"
        self._key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._key.chmod(0o600)
        self._loader = DataLoader()
        self._connection = SimpleNamespace(transport="local", become=None, _shell=SimpleNamespace(tmpdir=None))

    def run(self, number: int, challenge: str | None = None) -> bool:
        """See to certificate `number`: whether it was enrolled. Raises RuntimeError when the task fails."""
        options: dict[str, Any] = {
            "url": f"http://{self.server.host}:{self.server.port}{self.server.path}",
            "ca_fingerprint": fingerprint(self.server.ca.ca),
            "subject": f"CN=bench-{number}.example.test,O=Example",
            "subject_alt_name": [f"DNS:bench-{number}.example.test"],
            "path": str(self.folder / f"{number}.pem"),
            "privatekey_path": str(self._key),
        }
        if challenge is not None:
            options.update(challenge_password=challenge, force=True)
        task = SimpleNamespace(
            args=options,
            action="netcert.ndes.scep_certificate",
            async_val=0,
            check_mode=False,
            connection="local",
            delegate_to=None,
            diff=False,
            environment=[],
        )
        templar = Templar(self._loader)
        action = ActionModule(cast("Any", task), cast("Any", self._connection), None, self._loader, templar, None)
        result = action.run(task_vars={})
        if result.get("failed"):
            raise RuntimeError(f"scep_certificate failed: {result['msg']}")
        return bool(result["changed"])


def floor_seconds(key: rsa.RSAPrivateKey, rounds: int = 200) -> float:
    """CPU of the RSA operations of one enrolment at the client: signatures of the request, of the self-signed
    certificate and of the message, and an encryption to the RA; then a decryption, and verifications of the reply, of
    the certificate, and of the two certificates of the RA."""
    public, scheme, digest = key.public_key(), padding.PKCS1v15(), hashes.SHA256()
    data = os.urandom(300)
    encrypted, signature = public.encrypt(data[:16], scheme), key.sign(data, scheme, digest)
    began = time.process_time()
    for _round in range(rounds):
        for _signature in range(3):
            key.sign(data, scheme, digest)
        public.encrypt(data[:16], scheme)
        key.decrypt(encrypted, scheme)
        for _signature in range(4):
            public.verify(signature, data, scheme, digest)
    return (time.process_time() - began) / rounds
