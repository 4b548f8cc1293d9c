# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as processes see them: arguments in, JSON out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import Spec
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import success
from ansible_collections.netcert.ndes.plugins.modules import (
    scep_ca_info,
    scep_certificate,
    scep_certificate_pipe,
    scep_crl,
    scep_trust_store,
)
from cryptography.hazmat.primitives.serialization import Encoding

from support import pki as pki_module
from support.awkward import Awkward

INJECTED = {f"_ansible_{name}": True for name in {"inject_invocation"} & set(PASS_VARS)}
"""Makes a module return what it was called with, which it does anyway before ansible-core 2.20."""
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.fixture
def server() -> Iterator[Awkward]:
    server = Awkward()
    yield server
    server.close()


def call(module: Any, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, dict[str, Any]]:
    """(exit code, result), with what it was called with."""
    capsys.readouterr()
    with patch_module_args({**INJECTED, **options}), pytest.raises(SystemExit) as caught:
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


def test_pipe(server: Awkward, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"url": server.url, "ca_fingerprint": fingerprint(server.pki.ca.certificate)}
    options.update(challenge_password="Pa55-word", subject={"CN": "sw1"})
    code, result = call(scep_certificate_pipe, capsys, **options, _ansible_check_mode=True)
    assert (code, result["changed"], result["record"]) == (0, True, {})
    assert not server.received
    code, first = call(scep_certificate_pipe, capsys, **options)
    assert (code, first["changed"], first["msg"]) == (0, True, "Enrolled: there is no certificate.")
    options.update(certificate_content=first["fullchain"], privatekey_content=first["privatekey"])
    options.update(record=first["record"])
    code, second = call(scep_certificate_pipe, capsys, **options)
    assert (code, second["changed"], second["record"]) == (0, False, first["record"])
    assert "Pa55-word" not in json.dumps([first, second])
    assert "privatekey" not in second and second["invocation"]["module_args"]["privatekey_content"] == HIDDEN
    code, result = call(scep_certificate_pipe, capsys, **{**options, "certificate_content": "x"})
    assert (code, result["failed"], result["changed"]) == (1, True, False)


def test_crl(server: Awkward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now, ca = dt.datetime.now(dt.UTC), server.pki.ca
    crl = pki_module.crl(ca, now - dt.timedelta(hours=1), now + dt.timedelta(days=6))
    server.reply = lambda request: success(request.header, server.pki.ra_sign, [], crl=crl)
    pem = server.pki.enrolled.certificate.public_bytes(Encoding.PEM).decode()
    options: dict[str, Any] = {"url": server.url, "ca_fingerprint": fingerprint(ca.certificate)}
    options.update(certificate_content=pem, path=str(tmp_path / "crl"))
    for check_mode, changed in ((True, True), (False, True), (False, False)):
        code, result = call(scep_crl, capsys, **options, _ansible_check_mode=check_mode)
        assert (code, result["changed"], result["revoked"]) == (0, changed, False)
    assert (tmp_path / "crl").read_bytes() == crl
    code, result = call(scep_crl, capsys, **{**options, "path": str(tmp_path)})
    assert (code, result["failed"], result["changed"]) == (1, True, False)


def test_trust_store(server: Awkward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"url": server.url, "ca_fingerprint": fingerprint(server.pki.ca.certificate)}
    options.update(path=str(tmp_path / "ca.pem"))
    for check_mode, changed in ((True, True), (False, True), (False, False)):
        code, result = call(scep_trust_store, capsys, **options, _ansible_check_mode=check_mode)
        assert (code, result["changed"], len(result["certificates"])) == (0, changed, 1)
    assert (tmp_path / "ca.pem").read_bytes() == server.pki.ca.certificate.public_bytes(Encoding.PEM)
    code, result = call(scep_trust_store, capsys, **{**options, "state": "absent"})
    assert (code, result["changed"]) == (0, True)
    assert not list(tmp_path.iterdir())
    code, result = call(scep_trust_store, capsys, **{**options, "ca_fingerprint": "x"})
    assert (code, result["failed"], result["changed"]) == (1, True, False)


SECRETS = {
    "proxy": "http://me:S3cret-0@127.0.0.1:1",
    "challenge_password": "S3cret-1",
    "privatekey_passphrase": "S3cret-2",
    "pkcs12_passphrase": "S3cret-3",
    "privatekey_content": "S3cret-4",
    "record": {"transaction": "S3cret-5"},
}


@pytest.mark.parametrize("module", [scep_ca_info, scep_certificate, scep_certificate_pipe, scep_crl, scep_trust_store])
@pytest.mark.parametrize("more", [{}, {"timeout": "soon"}], ids=["no server", "wrong option"])
def test_neither_result_nor_log_has_a_secret(
    module: Any,
    more: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log is that of the system, into which every module writes what it was called with."""
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, message, log_args=None: logged.append(str(message)))
    spec = next(value for name, value in vars(module).items() if isinstance(value, Spec))
    right = {"subject": "CN=x", "serial_number": 5, "path": str(tmp_path / "f"), "privatekey_path": str(tmp_path / "k")}
    given = {name: value for name, value in {**SECRETS, **right}.items() if name in spec.options}
    code, result = call(module, capsys, url="http://scep.invalid/", ca_fingerprint="ab" * 32, **given, **more)
    assert (code, result["failed"]) == (1, True)
    assert result["invocation"]["module_args"]["proxy"] == HIDDEN
    assert "S3cret" not in json.dumps(result)
    assert bool(logged) is not bool(more)
    assert "S3cret" not in "".join(logged)


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
