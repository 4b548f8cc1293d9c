# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certmonger at our server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    load_certificate,
    same_key,
    verify_issued_by,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from support.certmonger import DAEMON, Certmonger, Tracked, running
from support.pki import common_name
from support.relay import Exchange
from support.servers import OurServer

Servers = Callable[..., OurServer]
GOOD = Tracked("MONITORING", "")
TOLD = "Transaction either is not permitted or is not supported by server."
"""certmonger's words for badRequest."""


@pytest.fixture(scope="module")
def certmonger(
    need_command: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Certmonger]:
    need_command("dbus-run-session", "dbus")
    need_command(DAEMON, "certmonger")
    with running(tmp_path_factory.mktemp("certmonger")) as started:
        assert started("list-cas").returncode == 0  # the bus starts no second daemon: it is this one that answers
        yield started


def check_issued(certmonger: Certmonger, server: OurServer, identifier: str) -> x509.Certificate:
    """The certificate of an enrolment that went well: from our CA, as asked for, for the key beside it."""
    issued = load_certificate(certmonger.path(identifier, "pem").read_bytes())
    verify_issued_by(issued, server.ca, policy())
    assert common_name(issued) == identifier
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{identifier}.example.com"]
    key = load_pem_private_key(certmonger.path(identifier, "key").read_bytes(), None)
    assert same_key(issued.public_key(), key.public_key())
    return issued


@pytest.mark.interop(peer="certmonger", does="ca", how="fetches them")
@pytest.mark.interop(peer="certmonger", does="enrols")
def test_certmonger_enrols_with_the_certificates_that_it_fetches(certmonger: Certmonger, server: OurServer) -> None:
    certmonger.add("fetched", server.url)
    tracked = certmonger.request("fetched", "device1", server.password())
    assert tracked == GOOD
    check_issued(certmonger, server, "device1")


@pytest.mark.interop(peer="certmonger", does="ca", how="takes them from files")
@pytest.mark.interop(peer="certmonger", does="enrols")
def test_certmonger_enrols_with_the_certificates_that_it_is_given(
    certmonger: Certmonger, server: OurServer, tmp_path: Path
) -> None:
    ca, ra = tmp_path / "ca.pem", tmp_path / "ra.pem"
    ca.write_bytes(server.ca.public_bytes(Encoding.PEM))
    ra.write_bytes(server.ra_encryption.public_bytes(Encoding.PEM))
    certmonger.add("given", server.url, "-N", ca, "-r", ra)
    tracked = certmonger.request("given", "device2", server.password())
    assert tracked == GOOD
    check_issued(certmonger, server, "device2")


@pytest.mark.interop(peer="certmonger", does="password", how="refused")
@pytest.mark.interop(
    peer="certmonger",
    does="password",
    works=False,
    how="without empty_reply=empty it is not told why, because it cannot verify a reply without content; it says "
    "CA_UNREACHABLE",
)
def test_certmonger_with_a_wrong_password_is_refused(certmonger: Certmonger, server: OurServer) -> None:
    certmonger.add("wrong", server.url)
    tracked = certmonger.request("wrong", "device3", "0" * 32)
    assert tracked.status == "CA_UNREACHABLE"
    assert "no content" in tracked.error
    assert not certmonger.path("device3", "pem").exists()
    assert (
        "refused with badRequest (the request is not permitted or not supported): challenge password"
        in (server.state / "scep-server.log").read_text()
    )


@pytest.mark.interop(peer="certmonger", does="password", how="with empty_reply=empty told so, it says CA_REJECTED")
def test_certmonger_with_a_wrong_password_is_told(certmonger: Certmonger, servers: Servers) -> None:
    certmonger.add("told", servers(empty_reply="empty", renewal=False).url)
    assert certmonger.request("told", "device4", "0" * 32) == Tracked("CA_REJECTED", TOLD)


@pytest.mark.interop(peer="certmonger", does="enrols", how="layouts ra_pair, ra_single, ca_only")
def test_certmonger_enrols_with_one_ra_certificate(certmonger: Certmonger, servers: Servers) -> None:
    server = servers(layout="ra_single")
    certmonger.add("single", server.url)
    assert certmonger.request("single", "device5", server.password()) == GOOD
    check_issued(certmonger, server, "device5")


@pytest.mark.interop(
    peer="certmonger",
    does="ca",
    works=False,
    how="in the layout ca_only it verifies no reply with what it fetched; it has to be given the CA's certificate (-N)",
)
def test_certmonger_has_to_be_given_a_ca_without_ra(certmonger: Certmonger, servers: Servers, tmp_path: Path) -> None:
    server = servers(layout="ca_only")
    certmonger.add("ca-fetched", server.url)
    tracked = certmonger.request("ca-fetched", "device6", server.password())
    assert tracked.status == "CA_UNREACHABLE"
    assert "certificate verify error" in tracked.error
    (tmp_path / "ca.pem").write_bytes(server.ca.public_bytes(Encoding.PEM))
    certmonger.add("ca-given", server.url, "-N", tmp_path / "ca.pem")
    assert certmonger.request("ca-given", "device7", server.password()) == GOOD
    check_issued(certmonger, server, "device7")


@pytest.mark.interop(peer="certmonger", does="renews", how="resubmit with the same key; rekey with a new one")
@pytest.mark.interop(peer="certmonger", does="renews", how="the used one-time password does no harm")
def test_certmonger_renews(certmonger: Certmonger, server: OurServer, exchanges: list[Exchange]) -> None:
    """It signs with the certificate that it has, so that the password that it sends again is not looked at."""
    certmonger.add("renews", server.url)
    assert certmonger.request("renews", "device8", server.password()) == GOOD
    old = check_issued(certmonger, server, "device8")
    for verb, same in (("resubmit", True), ("rekey", False)):
        assert certmonger.again(verb, "device8", exchanges, GOOD) == GOOD
        new = check_issued(certmonger, server, "device8")
        assert exchanges[-1].request.renewing
        assert server.replaces(new) == old.serial_number
        assert same_key(new.public_key(), old.public_key()) == same
        old = new


@pytest.mark.interop(
    peer="certmonger",
    does="renews",
    works=False,
    how="with renewal=false and challenge=one_time it is refused, because it sends the used password again",
)
def test_certmonger_without_renewal_sends_the_used_password(
    certmonger: Certmonger, servers: Servers, exchanges: list[Exchange]
) -> None:
    server = servers(empty_reply="empty", renewal=False)
    certmonger.add("no-renewal", server.url)
    assert certmonger.request("no-renewal", "device9", server.password()) == GOOD
    old = check_issued(certmonger, server, "device9")
    ends = (Tracked("MONITORING", TOLD), GOOD)  # it goes on with what it has, and does not always keep the reason
    for verb in ("resubmit", "rekey"):
        assert certmonger.again(verb, "device9", exchanges, *ends) in ends
        assert exchanges[-1].reply is not None
        assert exchanges[-1].reply.status == "FAILURE"
        assert check_issued(certmonger, server, "device9") == old
    log = (server.state / "scep-server.log").read_text()
    assert log.count(": challenge password already used") == 2


@pytest.mark.interop(
    peer="certmonger", does="polls", how="with empty_reply=empty; getcert refresh asks at once; told of a denial"
)
@pytest.mark.parametrize(
    ("identifier", "verb", "end"),
    [("device10", "approve", GOOD), ("device11", "deny", Tracked("CA_REJECTED", TOLD))],
    ids=["approved", "denied"],
)
def test_certmonger_waits_for_approval(
    certmonger: Certmonger,
    servers: Servers,
    exchanges: list[Exchange],
    identifier: str,
    verb: str,
    end: Tracked,
) -> None:
    server = servers(empty_reply="empty", approval="enrolment")
    certmonger.add(verb, server.url)
    assert certmonger.request(verb, identifier, server.password()).status == "CA_WORKING"
    server.decide(verb)
    assert certmonger.again("refresh", identifier, exchanges, end) == end
    if end == GOOD:
        check_issued(certmonger, server, identifier)


@pytest.mark.interop(
    peer="certmonger",
    does="polls",
    works=False,
    how="without empty_reply=empty it does not learn that it has to wait; it says CA_UNREACHABLE",
)
def test_certmonger_cannot_verify_pending_without_content(certmonger: Certmonger, servers: Servers) -> None:
    server = servers(approval="enrolment")
    certmonger.add("pending", server.url)
    tracked = certmonger.request("pending", "device12", server.password())
    assert tracked.status == "CA_UNREACHABLE"
    assert "no content" in tracked.error
