# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our client enrols at micromdm's scepserver, which answers with single DES and SHA-1 whatever it was asked with."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.client import Client
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.errors import EnrollmentError
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.options import Request, Server
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.transport import Connection
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    parse_fingerprint,
    same_key,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import BadAlgorithm, ScepError, TrustError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import RaRules, TrustAnchor
from cryptography import x509

from support.pki import name, rsa_key
from support.servers import MicromdmServer

REQUEST = Request(
    name("device.example.com", organization_name="Example"),
    ((x509.SubjectAlternativeName([x509.DNSName("device.example.com")]), False),),
)


def client(server: MicromdmServer, *, legacy: bool, pinned: str | None = None) -> Client:
    pin = parse_fingerprint(pinned or fingerprint(server.ca))
    connection = Connection(server.url, proxy="")
    return Client(Server(connection, TrustAnchor((pin,)), RaRules(), policy(legacy=legacy)))


@pytest.mark.interop(peer="scepserver", does="ca", how="one certificate for all")
def test_what_it_says_of_itself(scepserver: MicromdmServer) -> None:
    with client(scepserver, legacy=False) as ours:
        assert ours.capabilities().post
        assert ours.offered() == (scepserver.ca,)
        assert ours.ca().recipient == ours.ca().ca == scepserver.ca


@pytest.mark.interop(peer="scepserver", does="enrols", how="with legacy_algorithms")
@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_enrols_with_the_legacy_switch(scepserver: MicromdmServer, digest: str) -> None:
    key = rsa_key(f"for {digest}")  # it refuses a name and key that it has issued for already
    request = Request(name(f"{digest}.example.com"), REQUEST.extensions)
    with client(scepserver, legacy=True, pinned=fingerprint(scepserver.ca, digest)) as ours:
        issued = ours.enrol(key, request, scepserver.challenge)
    assert same_key(issued.certificate.public_key(), key.public_key())
    assert issued.certificate.subject == request.subject
    assert issued.chain == (scepserver.ca,)
    lifetime = issued.certificate.not_valid_after_utc - issued.certificate.not_valid_before_utc
    assert lifetime > dt.timedelta(days=300)


@pytest.mark.interop(
    peer="scepserver",
    does="enrols",
    works=False,
    how="without legacy_algorithms its reply is refused, because it is encrypted with single DES",
)
def test_without_the_switch_one_sentence_says_what_is_in_the_way(scepserver: MicromdmServer) -> None:
    with client(scepserver, legacy=False) as ours, pytest.raises(BadAlgorithm) as caught:
        ours.enrol(rsa_key("refused"), REQUEST, scepserver.challenge)
    assert str(caught.value) == "The message is encrypted with single DES, which is not allowed here."


@pytest.mark.interop(peer="scepserver", does="password", how="refused and told badRequest")
def test_a_wrong_challenge_is_refused_and_said(scepserver: MicromdmServer) -> None:
    with client(scepserver, legacy=True) as ours, pytest.raises(EnrollmentError) as caught:
        ours.enrol(rsa_key("refused"), REQUEST, "wrong")
    assert "badRequest" in str(caught.value)


def test_another_ca_gets_no_challenge(scepserver: MicromdmServer) -> None:
    with client(scepserver, legacy=True, pinned="00" * 32) as ours, pytest.raises(TrustError) as caught:
        ours.enrol(rsa_key("refused"), REQUEST, scepserver.challenge)
    assert fingerprint(scepserver.ca) in str(caught.value)
    assert isinstance(caught.value, ScepError)
