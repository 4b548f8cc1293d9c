# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not be seen: challenge passwords and private keys, whatever is printed and left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint

from support.awkward import Awkward

from .conftest import Playbooks

CHALLENGE = "C0rrect-horse-battery"


def texts(folder: Path) -> dict[str, bytes]:
    """Every file below."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.mark.parametrize("module", [False, True], ids=["in process", "as a module"])
def test_nothing_is_told(
    playbooks: Playbooks, server: Awkward, task: Callable[..., dict[str, Any]], module: bool
) -> None:
    """Not by -vvv, results, the log, backups, the record, nor by what lies in temporary folders afterwards."""
    given = {
        "ca_fingerprint": fingerprint(server.pki.ca.certificate),
        "challenge_password": "{{ otp }}",
        "subject": "CN=sw1",
        "path": "files/c.pem",
        "privatekey_path": "files/k.pem",
        "backup": True,
    }
    (playbooks.folder / "otp.json").write_text(json.dumps({"otp": CHALLENGE}))
    played = playbooks.play(
        [
            task(module=module, register="first", **given),
            task(module=module, register="second", **given),
            task(module=module, register="third", **{**given, "subject": "CN=sw2", "privatekey_size": 3072}),
            task(module=module, register="fourth", **{**given, "subject": "not a subject"}),
        ],
        "-vvv",
        "--diff",
        f"--extra-vars=@{playbooks.folder / 'otp.json'}",
        environment={"ANSIBLE_LOG_PATH": str(playbooks.folder / "ansible.log")},
    )
    results = played.results
    assert [results[name]["changed"] for name in ("first", "second", "third")] == [True, False, True]
    assert results["fourth"]["failed"]
    csrs = [request.csr for request in server.requests]
    assert [csr.challenge_password for csr in csrs if csr is not None] == [CHALLENGE] * 2
    (playbooks.folder / "otp.json").unlink()

    key = (playbooks.files / "k.pem").read_text().splitlines()[2]
    (old_key,) = playbooks.files.glob("k.pem.*~")
    secrets = [CHALLENGE, key, old_key.read_text().splitlines()[2]]
    allowed = {str(playbooks.files / "k.pem"), str(old_key)}
    for secret in secrets:
        assert secret not in played.output
        for path, data in texts(playbooks.folder).items():
            if path not in allowed:
                assert secret.encode() not in data, path
    assert oct(old_key.stat().st_mode & 0o777) == "0o600"
    assert sorted(path.name.partition(".pem")[2][:2] for path in playbooks.files.iterdir()) == [
        "",
        "",
        ".2",
        ".2",
        ".s",
    ]
    assert not [path for path in playbooks.files.iterdir() if path.name.startswith(".")]
