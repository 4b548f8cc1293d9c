# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our client at our server, both as they run: over HTTP, with every kind of CA key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    load_certificate,
    verify_issued_by,
)

from support.relay import Exchange, relayed
from support.servers import OurServer, command, our_server
from support.task import Device

DUE = {"remaining_days": 3650}
"""Every certificate of the server's is to be renewed."""


@pytest.fixture(scope="module", params=["rsa-2048", "rsa-4096", "ec-p256", "ec-p384"])
def every_ca(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, exchanges: list[Exchange]
) -> Iterator[OurServer]:
    state = tmp_path_factory.mktemp("server") / "state"
    with our_server(state, ca_key=request.param) as running, relayed(running, exchanges) as watched:
        yield watched


@pytest.fixture(scope="module")
def approving(tmp_path_factory: pytest.TempPathFactory, exchanges: list[Exchange]) -> Iterator[OurServer]:
    """Our server, where somebody has to approve what is asked for the first time."""
    state = tmp_path_factory.mktemp("approving") / "state"
    with our_server(state, approval="enrolment") as running, relayed(running, exchanges) as watched:
        yield watched


def device(folder: Path, server: OurServer, **options: Any) -> Device:
    return Device(folder, server.url, server.ca, allow_sha1=False, timeout=30.0, **options)


def waiting(server: OurServer) -> str:
    (request,) = command(server.state, "requests", "list")["requests"]
    return str(request["id"])


def kinds(exchanges: list[Exchange], before: int) -> list[str]:
    return [exchange.request.kind for exchange in exchanges[before:]]


def check_pair(device: Device, server: OurServer) -> None:
    verify_issued_by(device.certificate, server.ca, policy())
    device.check_pair()


@pytest.mark.interop(peer="ours", does="ca", how="tells CA and encrypting RA apart")
@pytest.mark.interop(peer="ours", does="enrols", how="CA keys RSA-2048, RSA-4096, P-256, P-384")
@pytest.mark.interop(peer="ours", does="password", how="a spent one is refused and told badRequest")
def test_enrols_once_with_each_password(every_ca: OurServer, tmp_path: Path) -> None:
    password = every_ca.password()
    first = device(tmp_path, every_ca, challenge_password=password)
    assert first()["status"] == "issued"
    check_pair(first, every_ca)
    assert not first()["changed"]
    assert "badRequest" in device(tmp_path / "second", every_ca, challenge_password=password).fails()


def test_the_ra_pinned_in_place_of_the_ca_gets_no_challenge(
    server: OurServer, tmp_path: Path, exchanges: list[Exchange]
) -> None:
    before = len(exchanges)
    pinned = [fingerprint(server.ra_encryption)]
    told = device(tmp_path, server, challenge_password=server.password()).fails(ca_fingerprint=pinned)
    assert "not that of a CA" in told
    assert not kinds(exchanges, before)


@pytest.mark.interop(peer="ours", does="renews", how="with a new key or the old one")
@pytest.mark.parametrize("rekey", [True, False])
def test_renews_with_the_old_certificate(
    every_ca: OurServer, tmp_path: Path, exchanges: list[Exchange], rekey: bool
) -> None:
    own = device(tmp_path, every_ca)
    own(challenge_password=every_ca.password())
    old, old_key, before = own.certificate, own.key.read_bytes(), len(exchanges)
    assert own(rekey=rekey, **DUE)["msg"].startswith("Renewed: ")
    assert kinds(exchanges, before) == ["RENEWAL_REQ"]
    assert own.certificate.serial_number != old.serial_number
    assert (own.key.read_bytes() != old_key) is rekey
    check_pair(own, every_ca)


@pytest.mark.interop(peer="ours", does="renews", how="with a new password where Renewal is not offered")
def test_renews_by_enrolment_where_the_server_offers_nothing_else(tmp_path: Path, exchanges: list[Exchange]) -> None:
    with our_server(tmp_path / "state", renewal=False) as running, relayed(running, exchanges) as watched:
        own = device(tmp_path / "own", watched)
        own(challenge_password=watched.password())
        old, before = own.certificate, len(exchanges)
        assert "does not offer Renewal; give a challenge_password" in own.fails(**DUE)
        assert kinds(exchanges, before) == []
        assert own(challenge_password=watched.password(), **DUE)["msg"].startswith("Enrolled: ")
        assert kinds(exchanges, before) == ["PKCS_REQ"]
        assert own.certificate.serial_number != old.serial_number
        check_pair(own, watched)


@pytest.mark.interop(
    peer="ours", does="renews", works=False, how="a revoked certificate is not renewed, and a new password is needed"
)
def test_a_revoked_certificate_is_not_renewed(server: OurServer, tmp_path: Path, exchanges: list[Exchange]) -> None:
    own = device(tmp_path, server)
    own(challenge_password=server.password())
    old, before = own.certificate, len(exchanges)
    command(server.state, "certificates", "revoke", f"{old.serial_number:x}")
    assert "badRequest" in own.fails(**DUE)
    assert own.certificate == old
    assert not own.pending.exists()
    assert own(challenge_password=server.password(), **DUE)["msg"].startswith("Enrolled: ")
    assert kinds(exchanges, before) == ["RENEWAL_REQ", "RENEWAL_REQ", "PKCS_REQ"]
    check_pair(own, server)


@pytest.mark.interop(peer="ours", does="polls", how="within a run and across runs")
def test_polls_until_somebody_approves(approving: OurServer, tmp_path: Path, exchanges: list[Exchange]) -> None:
    own = device(tmp_path, approving, challenge_password=approving.password())
    before = len(exchanges)
    first = own()
    assert (first["status"], first["changed"]) == ("pending", True)
    second = own(wait=1.0, poll_interval=0.3)
    assert (second["status"], second["changed"]) == ("pending", False)
    command(approving.state, "requests", "approve", waiting(approving))
    assert own()["status"] == "issued"
    first_kind, *others = kinds(exchanges, before)
    assert first_kind == "PKCS_REQ" and len(others) >= 3 and set(others) == {"CERT_POLL"}
    check_pair(own, approving)
    assert own(**DUE)["msg"].startswith("Renewed: "), "a renewal waits for nobody here"


@pytest.mark.interop(peer="ours", does="polls", how="a refusal is told with its reason")
def test_polls_until_somebody_refuses(approving: OurServer, tmp_path: Path) -> None:
    own = device(tmp_path, approving, challenge_password=approving.password())
    own()
    command(approving.state, "requests", "deny", waiting(approving), "--reason", "Nobody knows this device.")
    assert "Nobody knows this device." in own.fails()
    assert not own.pending.exists()
    assert sorted(tmp_path.iterdir()) == []


@pytest.mark.interop(peer="ours", does="renews", how="at the next CA and its RA, when that is pinned too")
def test_renews_at_the_next_ca(tmp_path: Path, exchanges: list[Exchange]) -> None:
    with our_server(tmp_path / "state") as running, relayed(running, exchanges) as watched:
        own = device(tmp_path / "own", watched)
        own(challenge_password=watched.password())
        command(watched.state, "ca", "rollover")
        command(watched.state, "ca", "rollover", "--activate")
        following = load_certificate(command(watched.state, "ca", "show")["ca"]["pem"].encode())
        assert following != watched.ca
        old, before = own.certificate, len(exchanges)
        assert "fingerprint" in own.fails(**DUE)
        assert kinds(exchanges, before) == [], "nothing is asked of a CA that is not pinned"
        both = [fingerprint(watched.ca), fingerprint(following)]
        assert own(ca_fingerprint=both, **DUE)["msg"].startswith("Renewed: ")
        verify_issued_by(own.certificate, following, policy())
        assert own.certificate.not_valid_after_utc > dt.datetime.now(dt.UTC)
        assert own.certificate != old
