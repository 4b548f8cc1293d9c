# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one CA to the next: announced by GetNextCACert, followed by running servers, the old one's CRL living on."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import trust
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates, read_next_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import issued_by
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from cryptography import x509
from scep_device import LENIENT, Bench, Device, ServedWith
from test_retrieval import certificate_of, crl_of, read, revoked

from scep_server import authority, pki
from scep_server.authority import Authority
from scep_server.settings import Settings

NEXT = "operation=GetNextCACert"


@pytest.fixture(scope="session")
def namesake(initialised: object) -> Authority:
    """A next CA with the name of the first, as most have it, and a key of its own."""
    start = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
    return authority.make(Settings(layout="ca_only"), start, authority.Given())


def capabilities(bench: Bench) -> list[str]:
    """The words of GetCACaps."""
    return bench.http(query="operation=GetCACaps").body.decode().split()


def trusted(bench: Bench) -> trust.CaCertificates:
    """What a client believes of GetCACert that has pinned the CA."""
    offered = read_ca_certificates(bench.http(query="operation=GetCACert").body)
    anchor = trust.TrustAnchor(certificates=(bench.pki.ca.certificate,))
    return trust.resolve(offered, anchor, LENIENT, bench.clock())


@pytest.mark.parametrize("signer", ["ca", "ra"])
def test_the_next_ca_is_announced(bench: Bench, served_with: ServedWith, coming: Authority, signer: str) -> None:
    serving = served_with(next_ca_signer=signer)
    assert serving.http(query=NEXT).status == 404 and "GetNextCACert" not in capabilities(serving)
    pki.add_next(bench.state, coming)
    response = serving.http(query=NEXT)
    assert (response.status, response.content_type) == (200, "application/x-x509-next-ca-cert")
    assert "GetNextCACert" in capabilities(serving)
    told = read_next_ca(response.body, trusted(serving), LENIENT, serving.clock())
    assert told[0] == coming.ca.certificate and set(told) == set(coming.certificates)
    pki.cancel_next(bench.state)
    assert serving.http(query=NEXT).status == 404 and "GetNextCACert" not in capabilities(serving)


def test_a_running_server_follows(bench: Bench, device: Device, coming: Authority) -> None:
    before = bench.pki
    old = bench.issued(device).certificate
    bench.roll_over(coming)
    assert bench.http(query=NEXT).status == 404
    assert read_ca_certificates(bench.http(query="operation=GetCACert").body) == coming.certificates
    new = bench.issued(device).certificate
    assert issued_by(new, coming.ca.certificate, LENIENT) and not issued_by(new, before.ca.certificate, LENIENT)
    bench.revoke(old)
    old_name, new_name = before.ca.certificate.subject, coming.ca.certificate.subject
    assert revoked(read(crl_of(bench, device, old.serial_number, old_name).crls[0], before)) == [old.serial_number]
    assert revoked(read(bench.http(path=f"/crl/{before.id}").body, before)) == [old.serial_number]
    assert not revoked(read(bench.http(path="/crl").body, coming))
    bench.revoke(new)
    assert revoked(read(crl_of(bench, device, new.serial_number, new_name).crls[0], coming)) == [new.serial_number]
    assert certificate_of(bench, device, old.serial_number, old_name).certificates == (old,)
    assert certificate_of(bench, device, old.serial_number, new_name).fail_info is FailInfo.BAD_CERT_ID
    for certificate in before.certificates:
        assert certificate_of(bench, device, certificate.serial_number, old_name).certificates == (certificate,)


def test_two_cas_of_one_name(bench: Bench, device: Device, namesake: Authority) -> None:
    """The serial number tells whose CRL is asked for; one that nobody knows gets that of today."""
    before = bench.pki
    old = bench.issued(device).certificate
    bench.roll_over(namesake)
    new = bench.issued(device).certificate
    assert before.issuer_der == namesake.issuer_der and before.id != namesake.id
    for certificate, issuer in ((old, before), (new, namesake)):
        bench.revoke(certificate)
        serial = certificate.serial_number
        assert revoked(read(crl_of(bench, device, serial).crls[0], issuer)) == [serial]
        assert certificate_of(bench, device, serial).certificates == (certificate,)
    read(crl_of(bench, device, 1).crls[0], namesake)


def test_a_request_to_the_ca_of_before(bench: Bench, device: Device, coming: Authority) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.roll_over(coming)
    assert bench.refused(request) is FailInfo.BAD_MESSAGE_CHECK
    assert bench.server.store.challenges.outstanding(0) == 1


def _index(state_index: str, **changes: object) -> str:
    return json.dumps(json.loads(state_index) | changes)


@pytest.mark.parametrize("next_", [5, 0, False, [], {}, "nowhere", ""], ids=repr)
def test_a_next_ca_that_is_none_changes_nothing(bench: Bench, device: Device, next_: object) -> None:
    index = bench.state / "pki" / pki.INDEX
    _broken_then_whole(bench, device, _index(index.read_text(), next=next_))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "\xff", '{"current": "nowhere", "next": null, "previous": []}', '{"current": "."}'],
    ids=repr,
)
def test_a_broken_index_changes_nothing(bench: Bench, device: Device, text: str) -> None:
    _broken_then_whole(bench, device, text)


@pytest.mark.parametrize("previous", [7, [7], ["nowhere"], None, [None]], ids=repr)
def test_previous_cas_that_are_none_change_nothing(bench: Bench, device: Device, previous: object) -> None:
    index = bench.state / "pki" / pki.INDEX
    _broken_then_whole(bench, device, _index(index.read_text(), previous=previous))


def _broken_then_whole(bench: Bench, device: Device, text: str) -> None:
    index, before = bench.state / "pki" / pki.INDEX, bench.pki
    whole = index.read_bytes()
    index.write_text(text, encoding="latin-1")
    reply = bench.enroll(device)
    assert reply.status is PkiStatus.SUCCESS
    assert issued_by(reply.certificates[0], before.ca.certificate, LENIENT)
    index.unlink()
    assert bench.enroll(device).status is PkiStatus.SUCCESS
    index.write_bytes(whole)
    assert bench.pki.certificates == before.certificates


def test_a_next_ca_whose_keys_are_damaged(bench: Bench, device: Device, coming: Authority) -> None:
    before = bench.pki
    pki.add_next(bench.state, coming)
    key = bench.state / "pki" / coming.id / "ca.key"
    whole = key.read_bytes()
    pki.activate_next(bench.state, bench.clock())
    key.write_bytes(b"")
    assert issued_by(bench.issued(device).certificate, before.ca.certificate, LENIENT)
    key.write_bytes(whole)
    assert issued_by(bench.issued(device).certificate, coming.ca.certificate, LENIENT), "as soon as they are there"


def test_certificates_name_the_crl_of_their_ca(served_with: ServedWith, device: Device, coming: Authority) -> None:
    bench = served_with(crl_url="http://ca.example/crl/{ca}")

    def crl_path() -> str:
        points = bench.issued(device).certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        return str(points[0].full_name[0].value).removeprefix("http://ca.example")  # type: ignore[index]

    first, before = crl_path(), bench.pki
    bench.roll_over(coming)
    read(bench.http(path=first).body, before)
    read(bench.http(path=crl_path()).body, coming)
