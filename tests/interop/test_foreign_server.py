# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our client enrols at micromdm's scepserver, which answers with single DES and SHA-1 whatever it was asked with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ca_info import ca_info
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint

from support.pki import common_name
from support.relay import Exchange, relayed
from support.servers import OtherServer, micromdm_server
from support.task import Device

DUE = {"remaining_days": 3650}
"""Every certificate of the server's is to be renewed."""


def device(folder: Path, server: OtherServer, name: str, **options: Any) -> Device:
    given = {"challenge_password": server.challenge, "legacy_algorithms": True, **options}
    return Device(folder, server.url, server.ca, name, **given)


def kinds(exchanges: list[Exchange], before: int) -> list[str]:
    return [exchange.request.kind for exchange in exchanges[before:]]


@pytest.mark.interop(peer="scepserver", does="ca", how="one certificate for all")
def test_what_it_says_of_itself(scepserver: OtherServer, tmp_path: Path) -> None:
    told = ca_info(device(tmp_path, scepserver, "info").task.context())
    assert told["post"] and told["trusted"] and told["renewal"]
    (ca,) = told["certificates"]
    assert ca["fingerprints"]["sha256"] == fingerprint(scepserver.ca)
    assert ca["roles"] == ["ca"]


@pytest.mark.interop(peer="scepserver", does="enrols", how="with legacy_algorithms")
@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_enrols_with_the_legacy_switch(scepserver: OtherServer, tmp_path: Path, digest: str) -> None:
    own = device(tmp_path, scepserver, digest)  # it refuses a name that it has issued for already
    assert own(ca_fingerprint=[fingerprint(scepserver.ca, digest)])["status"] == "issued"
    assert common_name(own.certificate) == f"{digest}.example.com"
    own.check_pair()
    lifetime = own.certificate.not_valid_after_utc - own.certificate.not_valid_before_utc
    assert lifetime > dt.timedelta(days=300)


@pytest.mark.interop(
    peer="scepserver",
    does="enrols",
    works=False,
    how="without legacy_algorithms its reply is refused, because it is encrypted with single DES",
)
def test_without_the_switch_one_sentence_says_what_is_in_the_way(scepserver: OtherServer, tmp_path: Path) -> None:
    told = device(tmp_path, scepserver, "refused").fails(legacy_algorithms=False)
    assert told.startswith("The message is encrypted with single DES, which is not allowed here.")
    assert "legacy_algorithms would allow it" in told


@pytest.mark.interop(
    peer="scepserver",
    does="renews",
    works=False,
    how="even started with -allowrenew 0 it refuses a RenewalReq without a password, with badRequest; where one is "
    "given, a new enrolment follows, and that it grants",
)
@pytest.mark.parametrize("rekey", [True, False])
def test_renews_by_enrolment_with_the_password(
    need_command: Callable[[str, str], Path], tmp_path: Path, exchanges: list[Exchange], rekey: bool
) -> None:
    binary = need_command("scepserver", "scep")
    with (
        micromdm_server(binary, tmp_path, "-allowrenew", "0") as running,
        relayed(running, exchanges) as watched,
    ):
        own = device(tmp_path / "own", watched, "renewing")
        own()
        old, before = own.certificate, len(exchanges)
        assert "badRequest" in own.fails(**DUE, rekey=rekey, challenge_password=None)
        assert own.certificate == old
        assert own(**DUE, rekey=rekey)["msg"].startswith("Enrolled: ")
        assert kinds(exchanges, before) == ["RENEWAL_REQ", "RENEWAL_REQ", "PKCS_REQ"]
        assert own.certificate != old
        own.check_pair()


@pytest.mark.interop(
    peer="scepserver",
    does="renews",
    works=False,
    how="as it is started by default it refuses until the last 14 days of a certificate, with badRequest",
)
def test_does_not_renew_early(scepserver: OtherServer, tmp_path: Path, exchanges: list[Exchange]) -> None:
    own = device(tmp_path, scepserver, "early")
    own()
    old, before = own.certificate, len(exchanges)
    assert "badRequest" in own.fails(**DUE, challenge_password=None)
    assert kinds(exchanges, before) == ["RENEWAL_REQ"]
    assert own.certificate == old
    own.check_pair()


@pytest.mark.interop(peer="scepserver", does="password", how="refused and told badRequest")
def test_a_wrong_challenge_is_refused_and_said(scepserver: OtherServer, tmp_path: Path) -> None:
    assert "badRequest" in device(tmp_path, scepserver, "refused").fails(challenge_password="wrong")


def test_another_ca_gets_no_challenge(scepserver: OtherServer, tmp_path: Path, exchanges: list[Exchange]) -> None:
    before = len(exchanges)
    told = device(tmp_path, scepserver, "refused").fails(ca_fingerprint=["00" * 32])
    assert fingerprint(scepserver.ca) in told
    assert len(exchanges) == before
