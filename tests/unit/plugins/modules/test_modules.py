# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as processes see them: arguments in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.modules import scep_ca_info, scep_certificate

from support.awkward import Awkward


@pytest.fixture
def server() -> Iterator[Awkward]:
    server = Awkward()
    yield server
    server.close()


def call(module: Any, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, dict[str, Any]]:
    """(exit code, result)."""
    capsys.readouterr()
    with patch_module_args(options), pytest.raises(SystemExit) as caught:
        module.main()
    code = caught.value.code
    assert isinstance(code, int)
    return code, json.loads(capsys.readouterr().out)


def test_certificate(server: Awkward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {
        "url": server.url,
        "ca_fingerprint": fingerprint(server.pki.ca.certificate),
        "challenge_password": "Pa55-word",
        "subject": {"CN": "sw1"},
        "path": str(tmp_path / "c"),
        "privatekey_path": str(tmp_path / "k"),
    }
    code, result = call(scep_certificate, capsys, **options, _ansible_check_mode=True)
    assert (code, result["changed"], result["msg"]) == (0, True, "To be enrolled: there is no certificate.")
    assert not server.received
    code, result = call(scep_certificate, capsys, **options)
    assert (code, result["changed"], result["msg"]) == (0, True, "Enrolled: there is no certificate.")
    assert "Pa55-word" not in json.dumps(result)
    code, result = call(scep_certificate, capsys, **options)
    assert (code, result["changed"]) == (0, False)
    code, result = call(scep_certificate, capsys, **{**options, "url": "scep"})
    assert (code, result["failed"], result["changed"]) == (1, True, False)
    assert result["msg"] == "url: 'scep' is not an address that begins with http:// or https://."


def test_trust_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"url": "http://h/", "subject": "CN=x", "path": "c", "privatekey_path": "k"}
    code, result = call(scep_certificate, capsys, **options)
    assert code == 1
    assert result["msg"] == (
        "state is present but any of the following are missing: "
        "ca_fingerprint, ca_certificate_path, ca_certificate_content"
    )


def test_ca_info(server: Awkward, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = call(scep_ca_info, capsys, url=server.url, _ansible_check_mode=True)
    assert (code, result["changed"], result["trusted"]) == (0, False, False)
    assert len(result["certificates"]) == 3
