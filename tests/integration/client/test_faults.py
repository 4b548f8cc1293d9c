# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What scep_certificate and ndes_otp say about each fault of a server that behaves like NDES."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import OTP
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.ndes import otp as otp_module
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.hand_out import hand_out
from cryptography.x509.oid import NameOID

from support.servers import SERVER_FILES, OurServer, command_here, our_server
from support.task import Device, Run

SPECIFICATION = SERVER_FILES.parent / "meta" / "argument_specs.yml"
SECONDS = 1.5
HTTP = "The server at {url} answers GetCACert with HTTP "
PAGE = "The server at {page} answers the request for a challenge password with HTTP "
REFUSED = "The server refuses the request with failInfo badRequest and HRESULT "

# Fault -> (its options, what scep_certificate says; None: it takes no notice)
CERTIFICATE: dict[str, tuple[list[str], str | None]] = {
    "template-not-published": (
        [],
        REFUSED
        + "0x80094800 (CERTSRV_E_UNSUPPORTED_CERT_TYPE: the CA does not issue the template that was asked for).",
    ),
    "ca-unreachable": ([], REFUSED + "0x800706BA (RPC_S_SERVER_UNAVAILABLE: NDES does not reach the CA)."),
    "password-expired": (
        [],
        REFUSED + "0x80070490 (ERROR_NOT_FOUND: NDES did not find what it looked for). Cause: usually"
        " a challenge password that is unknown to NDES, used, expired, or",
    ),
    "cache-full": ([], None),
    "policy-module": ([], None),
    "ra-expired": ([], HTTP + "500 (Internal Server Error); its log should say why."),
    "http-500": ([], HTTP + "500 (Internal Server Error); its log should say why."),
    "http-503": ([], HTTP + "503 (Service Unavailable); the service is not running, or overloaded."),
    "http-414": (
        [],
        "The server at {url} answers PKIOperation with HTTP 414 (Request-URI Too Long); the message is too long for a "
        "GET, and the server offers no POST; raise its limit for request lines.",
    ),
    "dropped": (
        ["--only", "PKIOperation"],
        "The server 127.0.0.1 closed the connection before its answer to PKIOperation was complete.",
    ),
    "slow": (
        ["--only", "PKIOperation", "--delay", str(2 * SECONDS)],
        f"The server at {{url}} did not complete its answer to PKIOperation within {SECONDS} seconds; raise timeout if "
        "it is merely slow.",
    ),
}
# Fault -> (its options, what ndes_otp says)
OTPS: dict[str, tuple[list[str], str]] = {
    "cache-full": (
        [],
        "The page at {page} has no place for another password: its cache is full (after 0 for this call).",
    ),
    "policy-module": (
        [],
        PAGE + "403 (Forbidden); an NDES policy module, such as that of Intune, is installed and gives the passwords "
        "itself;",
    ),
    "ra-expired": ([], PAGE + "500 (Internal Server Error); NDES could not start: its RA certificates, its account"),
    "http-500": ([], PAGE + "500 (Internal Server Error); NDES could not start"),
    "http-503": ([], PAGE + "503 (Service Unavailable); the application pool SCEP is stopped."),
    "dropped": (
        [],
        "The server 127.0.0.1 closed the connection before its answer to the request for a challenge password was "
        "complete.",
    ),
    "slow": (
        ["--delay", str(2 * SECONDS)],
        "The server at {page} did not complete its answer to the request for a challenge password within "
        f"{SECONDS} seconds; raise timeout if it is merely slow.",
    ),
}
OTHER_TESTS = {"pending-forever", "wrong-subject"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """One server for all tests; its clients send by GET, so that they meet HTTP 414 too."""
    folder = tmp_path_factory.mktemp("faults")
    users = folder / "users"
    users.write_text("CORP:alice:Pw1\n")
    settings = {"profile": "ndes", "admin_auth": ["basic"], "users_file": str(users), "otp_outstanding": 100}
    capabilities = ["Renewal", "SHA-256", "DES3"]
    with our_server(folder / "state", **settings, capabilities=capabilities, workers=1) as server:
        yield server


@pytest.fixture
def server(served: OurServer) -> Iterator[OurServer]:
    """The same, without faults before and after the test."""
    yield served
    command_here(served.state, "fault", "clear")


def password(server: OurServer) -> str:
    """A fresh one-time password."""
    return str(command_here(server.state, "otp", "create")["passwords"][0])


@pytest.fixture
def device(server: OurServer, tmp_path: Path) -> Device:
    """A device with a password."""
    return Device(tmp_path, server.url, server.ca, challenge_password=password(server), timeout=60.0)


def page_of(server: OurServer) -> str:
    """The address of the administration page."""
    return server.url.replace("/scep", "/certsrv/mscep_admin/")


def otp(server: OurServer, folder: Path, **options: Any) -> dict[str, Any]:
    """The result of ndes_otp."""
    given = {"auth": "basic", "username": "CORP\\alice", "password": "Pw1", "allow_http": True, "proxy": ""}
    return perform(hand_out, Run(folder, OTP, url=page_of(server), **given, **options).context())


def test_every_fault_is_here() -> None:
    specification = yaml.safe_load(SPECIFICATION.read_text(encoding="utf-8"))
    faults = specification["argument_specs"]["main"]["options"]["scep_server_faults"]["options"]["name"]["choices"]
    assert {*CERTIFICATE, *OTPS} | OTHER_TESTS == set(faults)


@pytest.mark.parametrize("name", CERTIFICATE)
def test_scep_certificate(server: OurServer, device: Device, name: str) -> None:
    options, says = CERTIFICATE[name]
    command_here(server.state, "fault", "set", name, *options)
    timeout = {"timeout": SECONDS} if name == "slow" else {}
    if says is None:
        assert device()["changed"]
    else:
        # Python's name of 414 is another one from 3.13 on
        said = device.fails(**timeout).replace("(URI Too Long)", "(Request-URI Too Long)")
        assert said.startswith(says.format(url=server.url)), said
        assert not device.path.exists()
        command_here(server.state, "fault", "clear")
        assert device(challenge_password=password(server))["changed"], "it is over"
    device.check_pair()


@pytest.mark.parametrize("name", OTPS)
def test_ndes_otp(server: OurServer, tmp_path: Path, name: str) -> None:
    options, says = OTPS[name]
    command_here(server.state, "fault", "set", name, *options)
    result = otp(server, tmp_path, timeout=SECONDS if name == "slow" else 60.0)
    assert result["failed"] and result["msg"].startswith(says.format(page=page_of(server))), result["msg"]
    assert "Pw1" not in result["msg"]
    command_here(server.state, "fault", "clear")
    assert otp(server, tmp_path, timeout=60.0)["challenge_password"]


def test_a_full_cache_is_waited_out(server: OurServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otp_module, "PAUSE", 0.1)
    command_here(server.state, "fault", "set", "cache-full", "--count", "2")
    assert otp(server, tmp_path, timeout=60.0, retry_timeout=60.0)["challenge_password"]
    assert command_here(server.state, "fault", "list")["faults"] == []


def test_pending_for_ever(server: OurServer, device: Device) -> None:
    command_here(server.state, "fault", "set", "pending-forever")
    for changed in (True, False):
        result = device(wait=0.0)
        assert (result["changed"], result["status"]) == (changed, "pending")
        assert result["msg"] == "The request waits for approval at the CA; run this again to ask for the answer."
    (waiting,) = command_here(server.state, "requests", "list")["requests"]
    command_here(server.state, "requests", "deny", str(waiting["id"]))
    assert device.fails().startswith("The server refuses the request with failInfo badRequest")


def test_a_wrong_subject(server: OurServer, device: Device) -> None:
    """Templates may build the subject by themselves, so the certificate is kept, and a warning says what is in it."""
    command_here(server.state, "fault", "set", "wrong-subject")
    assert device()["changed"]
    names = device.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["wrong-subject.invalid"]
    (warning,) = device.task.warnings
    assert warning == (
        "The CA gave another subject than was asked for: "
        "CN=wrong-subject.invalid instead of CN=device.example.com,O=Example."
    )
    assert not device()["changed"], "asked for again, it would come to the same"
