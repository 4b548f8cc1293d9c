# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our client at our server, both as they run: over HTTP, with every kind of CA key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.client import Client
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.errors import EnrollmentError
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.options import Request, Server
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.transport import Connection
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint, parse_fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import TrustError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import RaRules, TrustAnchor

from support.pki import name, rsa_key
from support.relay import Exchange, relayed
from support.servers import OurServer, our_server

REQUEST = Request(name("device.example.com", organization_name="Example"), ())


@pytest.fixture(scope="module", params=["rsa-2048", "rsa-4096", "ec-p256", "ec-p384"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, exchanges: list[Exchange]
) -> Iterator[OurServer]:
    state = tmp_path_factory.mktemp("server") / "state"
    with our_server(state, ca_key=request.param) as running, relayed(running, exchanges) as watched:
        yield watched


def client(server: OurServer, pinned: str | None = None) -> Client:
    pin = parse_fingerprint(pinned or fingerprint(server.ca))
    return Client(Server(Connection(server.url, proxy=""), TrustAnchor((pin,)), RaRules(), policy(allow_sha1=False)))


@pytest.mark.interop(peer="ours", does="ca", how="tells CA and encrypting RA apart")
@pytest.mark.interop(peer="ours", does="enrols", how="CA keys RSA-2048, RSA-4096, P-256, P-384")
@pytest.mark.interop(peer="ours", does="password", how="a spent one is refused and told badRequest")
def test_enrols_once_with_each_password(server: OurServer) -> None:
    password, key = server.password(), rsa_key("device")
    with client(server) as ours:
        issued = ours.enrol(key, REQUEST, password)
        assert ours.ca().recipient == server.ra_encryption
        assert issued.certificate.subject == REQUEST.subject
        assert issued.chain == (server.ca,)
        with pytest.raises(EnrollmentError, match="badRequest"):
            ours.enrol(rsa_key("enrolled"), REQUEST, password)


def test_the_ra_pinned_in_place_of_the_ca_gets_no_challenge(server: OurServer) -> None:
    with client(server, fingerprint(server.ra_encryption)) as ours, pytest.raises(TrustError, match="not that of a CA"):
        ours.enrol(rsa_key("device"), REQUEST, server.password())
