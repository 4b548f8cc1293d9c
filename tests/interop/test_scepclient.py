# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""micromdm's scepclient at our server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    load_certificate,
    same_key,
    verify_issued_by,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support.clients import Done, run, started
from support.pki import common_name
from support.relay import Exchange
from support.servers import OurServer


@dataclass(frozen=True)
class Scepclient:
    """scepclient in a fresh folder: it leaves its request, csr.pem, beside the key, and sends it again the next time.

    Its -ca-fingerprint is left out: it would verify replies with the one certificate pinned, which in our layout is the
    encrypting RA's, never the signer's.
    """

    binary: Path
    folder: Path

    def words(self, server: OurServer, challenge: str) -> list[object]:
        """The command; without a challenge for a renewal, which it makes by itself where there is a certificate."""
        more = ["-challenge", challenge] if challenge else []
        files = ["-private-key", self.folder / "device.key", "-certificate", self.folder / "device.pem"]
        return [self.binary, "-server-url", server.url, "-cn", "device.example.com", *files, *more]

    def __call__(self, server: OurServer, challenge: str = "") -> Done:
        """Run it to its end."""
        return run(*self.words(server, challenge), folder=self.folder)

    def issued(self, server: OurServer) -> x509.Certificate:
        """The certificate that it wrote: from our CA, as asked for, and for its key."""
        issued = load_certificate((self.folder / "device.pem").read_bytes())
        verify_issued_by(issued, server.ca, policy())
        assert common_name(issued) == "device.example.com"
        key = load_pem_private_key((self.folder / "device.key").read_bytes(), None)
        assert same_key(issued.public_key(), key.public_key())
        return issued


@pytest.fixture
def scepclient(need_command: Callable[[str, str], Path], tmp_path: Path) -> Scepclient:
    return Scepclient(need_command("scepclient", "scep"), tmp_path)


@pytest.mark.interop(
    peer="scepclient", does="enrols", how="with legacy_algorithms; layouts ra_pair, ra_single, ca_only"
)
@pytest.mark.interop(peer="scepclient", does="renews", how="with the same key; no password")
@pytest.mark.parametrize("layout", ["ra_pair", "ra_single", "ca_only"])
def test_scepclient_enrols_and_renews(
    scepclient: Scepclient, servers: Callable[..., OurServer], exchanges: list[Exchange], layout: str
) -> None:
    server = servers(legacy_algorithms=True, **({} if layout == "ra_pair" else {"layout": layout}))
    done = scepclient(server, server.password())
    assert done.returncode == 0, done.stderr
    first = scepclient.issued(server)

    (scepclient.folder / "csr.pem").unlink()  # it has the password in it
    done = scepclient(server)
    assert done.returncode == 0, done.stderr
    second = scepclient.issued(server)
    assert server.replaces(second) == first.serial_number
    assert exchanges[-1].request.kind == "RENEWAL_REQ"
    assert same_key(first.public_key(), second.public_key())


@pytest.mark.interop(
    peer="scepclient",
    does="polls",
    how="run again after the approval, with the request that it kept; that it asks again by itself is not tested, for "
    "its 30 seconds of waiting cannot be shortened",
)
def test_scepclient_gets_what_was_approved_meanwhile(
    scepclient: Scepclient, servers: Callable[..., OurServer], until_pending: Callable[[str], None]
) -> None:
    server = servers(legacy_algorithms=True, approval="all")
    with started(*scepclient.words(server, server.password()), folder=scepclient.folder) as process:
        until_pending("PKCS_REQ")
        assert process.stderr is not None
        assert any(b"pkiStatus=PENDING" in line and b"sleeping for 30 seconds" in line for line in process.stderr)
    server.decide("approve")
    done = scepclient(server)
    assert done.returncode == 0, done.stderr
    scepclient.issued(server)


@pytest.mark.interop(peer="scepclient", does="password", how="refused")
def test_scepclient_with_a_wrong_password_is_refused(scepclient: Scepclient, legacy_server: OurServer) -> None:
    done = scepclient(legacy_server, "0" * 32)
    assert done.returncode != 0
    assert not (scepclient.folder / "device.pem").exists()


@pytest.mark.interop(
    peer="scepclient",
    does="enrols",
    works=False,
    how="without legacy_algorithms it is refused, because it knows single DES and SHA-1 alone",
)
def test_scepclient_is_refused_without_the_switch(scepclient: Scepclient, server: OurServer) -> None:
    done = scepclient(server, server.password())
    assert done.returncode != 0
    assert not (scepclient.folder / "device.pem").exists()
    log = (server.state / "scep-server.log").read_text()
    assert (
        "refused with badAlg" in log and "The message is encrypted with single DES, which is not allowed here." in log
    )
