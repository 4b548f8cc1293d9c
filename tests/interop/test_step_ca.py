# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our client at step-ca, whose intermediate CA signs and decrypts everything, and which signs with SHA-1 alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CRL
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ca_info import ca_info
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.crl import ensure_crl
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography.hazmat.primitives.serialization import Encoding

from support.pki import common_name
from support.relay import Exchange
from support.step_ca import StepCa
from support.task import Device, Run

WRONG = (
    "The server refuses the request with failInfo badRequest (the request is not permitted or not supported); it says "
    "'failed validating challenge password'. Cause: usually a challenge password that is wrong, used or expired, "
    "otherwise names, key size or template; get a new challenge password, or ask for what the CA allows."
)
DUE = {"remaining_days": 3650}
"""Every certificate of the server's is to be renewed."""

Make = Callable[..., Device]


@pytest.fixture
def device(step_ca: StepCa, tmp_path: Path) -> Make:
    """A device with the password of the server, and options as given."""

    def make(**options: Any) -> Device:
        return Device(tmp_path, step_ca.url, step_ca.ca, **{"challenge_password": step_ca.challenge, **options})

    return make


@pytest.fixture
def asked(exchanges: list[Exchange]) -> Callable[[], list[str]]:
    """The kinds of the requests of this test, so far."""
    before = len(exchanges)
    return lambda: [exchange.request.kind for exchange in exchanges[before:]]


@pytest.mark.interop(peer="stepca", does="ca", how="one certificate for all, which is an intermediate CA's")
def test_what_it_says_of_itself(device: Make, step_ca: StepCa) -> None:
    told = ca_info(device().task.context())
    assert told["post"] and told["trusted"] and told["renewal"] and not told["next_ca_offered"]
    (ca,) = told["certificates"]
    assert ca["fingerprints"]["sha256"] == fingerprint(step_ca.ca)


@pytest.mark.interop(peer="stepca", does="enrols")
def test_enrols_once(device: Make, asked: Callable[[], list[str]]) -> None:
    own = device()
    first = own(chain_path="chain.pem")
    assert (first["status"], first["ca_overrode"]) == ("issued", [])
    assert common_name(own.certificate) == "device.example.com"
    own.check_pair()
    assert not own(chain_path="chain.pem")["changed"]
    assert asked() == ["PKCS_REQ"]


@pytest.mark.interop(
    peer="stepca",
    does="enrols",
    works=False,
    how="with allow_sha1=false its reply is refused, because it signs with SHA-1 whatever it was asked with",
)
def test_without_sha1_one_sentence_says_what_is_in_the_way(device: Make) -> None:
    told = device().fails(allow_sha1=False)
    assert told.startswith("A signature uses SHA-1, which is not allowed here. allow_sha1 would allow it")


@pytest.mark.interop(
    peer="stepca",
    does="ca",
    works=False,
    how="its root alone is not enough to pin, because its intermediate CA opens requests and is not marked as an RA; "
    "pin the intermediate, or name it as ra_fingerprint too",
)
def test_the_root_alone_gets_no_password(device: Make, step_ca: StepCa, asked: Callable[[], list[str]]) -> None:
    root = step_ca.root.public_bytes(Encoding.PEM).decode()
    pinned: dict[str, Any] = {"ca_fingerprint": None, "ca_certificate_content": root}
    told = device().fails(**pinned)
    assert told.startswith("The CA certificate of CN=Step Intermediate is not marked as a registration authority")
    assert fingerprint(step_ca.ca) in told
    assert not asked()
    assert device()(**pinned, ra_fingerprint=[fingerprint(step_ca.ca)])["status"] == "issued"


@pytest.mark.interop(peer="stepca", does="password", how="refused and told badRequest, with its reason")
@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_challenge_is_refused_and_said(device: Make, password: str | None) -> None:
    assert device().fails(challenge_password=password) == WRONG


@pytest.mark.interop(
    peer="stepca",
    does="renews",
    works=False,
    how="it offers Renewal, and refuses a RenewalReq without the password, with badRequest; where the password is "
    "given, a new enrolment follows, and that it grants",
)
@pytest.mark.parametrize("rekey", [True, False])
def test_renews_by_enrolment_with_the_password(device: Make, asked: Callable[[], list[str]], rekey: bool) -> None:
    own = device()
    own()
    old = own.certificate
    assert own.fails(**DUE, rekey=rekey, challenge_password=None) == WRONG
    assert own.certificate == old
    own.check_pair()
    assert own(**DUE, rekey=rekey)["msg"].startswith("Enrolled: ")
    assert asked() == ["PKCS_REQ", "RENEWAL_REQ", "RENEWAL_REQ", "PKCS_REQ"]
    assert own.certificate != old
    own.check_pair()


@pytest.mark.interop(peer="stepca", does="asks", works=False, how="GetCert and GetCRL are answered with HTTP 500")
@pytest.mark.parametrize("by_serial", [True, False])
def test_it_tells_of_no_crl(device: Make, step_ca: StepCa, asked: Callable[[], list[str]], by_serial: bool) -> None:
    own = device()
    own()
    which = {"serial_number": own.certificate.serial_number} if by_serial else {"certificate_path": str(own.path)}
    pinned = [fingerprint(step_ca.ca)]
    task = Run(own.task.folder, CRL, url=step_ca.url, proxy="", ca_fingerprint=pinned, path="crl", **which)
    told = perform(ensure_crl, task.context())
    assert told["failed"]
    why = "answers PKIOperation with HTTP 500 (Internal Server Error); its log should say why."
    nowhere = "" if by_serial else " The certificate names no place of its CRL with http."
    assert told["msg"].endswith(why + nowhere)
    assert asked() == ["PKCS_REQ", "GET_CERT" if by_serial else "GET_CRL"]
    assert not (own.task.folder / "crl").exists()
