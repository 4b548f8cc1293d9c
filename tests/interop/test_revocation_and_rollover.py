# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our modules at our server, as both run: a revocation seen in the CRL, and a rollover followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils import argspec
from ansible_collections.netcert.ndes.plugins.module_utils.context import Context, Driver, perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.crl import ensure_crl
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.trust_store import ensure_trust_store
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint

from support.servers import OurServer, command, our_server


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[OurServer]:
    """A server of its own, as the tests change its CA."""
    with our_server(tmp_path / "state") as running:
        yield running


def run(server: OurServer, folder: Path, spec: argspec.Spec, driver: Driver, **options: Any) -> dict[str, Any]:
    """One call, pinned to the server's first CA."""
    params: dict[str, Any] = {name: option.get("default") for name, option in spec.options.items()}
    params.update(url=server.url, proxy="", ca_fingerprint=[fingerprint(server.ca)], **options)
    result = perform(driver, Context(params, False, folder, lambda _text: None))
    assert not result["failed"], result["msg"]
    return result


def enrolled(server: OurServer, folder: Path) -> dict[str, Any]:
    given = {"subject": "CN=sw1.example.com", "challenge_password": server.password()}
    files = {"path": "sw1.pem", "privatekey_path": "sw1.key"}
    return run(server, folder, argspec.CERTIFICATE, ensure_certificate, **given, **files)


def test_a_revocation_is_seen(rolling: OurServer, tmp_path: Path) -> None:
    serial = enrolled(rolling, tmp_path)["serial_number"]

    def crl(**options: Any) -> dict[str, Any]:
        return run(rolling, tmp_path, argspec.CRL, ensure_crl, path="ca.crl", **options)

    before = crl(certificate_path="sw1.pem")
    assert (before["changed"], before["source"], before["revoked"]) == (True, "scep", False)
    command(rolling.state, "certificates", "revoke", f"{serial:x}", "--reason", "keyCompromise")
    unchanged = crl(certificate_path="sw1.pem")
    assert (unchanged["changed"], unchanged["source"], unchanged["revoked"]) == (False, "file", False)
    after = crl(serial_number=serial, force=True)
    assert (after["changed"], after["number"]) == (True, before["number"] + 1)
    assert (after["revoked"], after["revocation_reason"], after["revoked_count"]) == (True, "keyCompromise", 1)
    assert after["certificate"] == (tmp_path / "sw1.pem").read_text()


def test_a_rollover_is_followed(rolling: OurServer, tmp_path: Path) -> None:
    def store() -> dict[str, Any]:
        return run(rolling, tmp_path, argspec.TRUST_STORE, ensure_trust_store, path="ca.pem")

    def roles(result: dict[str, Any]) -> dict[str, str]:
        return {one["fingerprint"]: one["role"] for one in result["certificates"]}

    enrolled(rolling, tmp_path)
    old = fingerprint(rolling.ca)
    assert roles(store()) == {old: "current"}
    new = command(rolling.state, "ca", "rollover")["next"]["ca"]["fingerprint_sha256"]
    announced = store()
    assert (announced["changed"], roles(announced)) == (True, {old: "current", new: "next"})
    command(rolling.state, "ca", "rollover", "--activate")
    followed = store()
    assert (followed["changed"], roles(followed)) == (False, {old: "previous", new: "current"})
    trusted = {"ca_certificate_path": "ca.pem", "certificate_path": "sw1.pem", "path": "old.crl"}
    params = {name: option.get("default") for name, option in argspec.CRL.options.items()}
    context = Context({**params, "url": rolling.url, "proxy": "", **trusted}, False, tmp_path, lambda _text: None)
    result = perform(ensure_crl, context)
    assert (result["failed"], result.get("revoked")) == (False, False), result["msg"]
