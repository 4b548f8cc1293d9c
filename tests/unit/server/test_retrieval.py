# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be fetched: certificates by GetCert, CRLs by GetCRL and by plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_cert, get_crl
from cryptography import x509
from scep_device import Bench, Device

from scep_server.authority import Authority
from scep_server.crl import REASONS

ELSEWHERE = x509.Name.from_rfc4514_string("CN=Another CA")
SERIALS = [0, 1, -1, -(1 << 127), 1 << 127, (1 << 160) - 1, 1 << 160]


def certificate_of(bench: Bench, device: Device, serial: int, issuer: x509.Name | None = None) -> Reply:
    """The answer to a GetCert; the issuer is the CA if none is given."""
    return bench.answer(get_cert(*_asked(bench, device, serial, issuer)))


def crl_of(bench: Bench, device: Device, serial: int, issuer: x509.Name | None = None) -> Reply:
    """The answer to a GetCRL for this certificate."""
    return bench.answer(get_crl(*_asked(bench, device, serial, issuer)))


def _asked(bench: Bench, device: Device, serial: int, issuer: x509.Name | None) -> Any:
    issuer = bench.pki.ca.certificate.subject if issuer is None else issuer
    return issuer, serial, device.identity, bench.pki.encryption.certificate, "sha256", "aes-128-cbc"


def read(body: bytes, issuer: Authority) -> x509.CertificateRevocationList:
    """A CRL, after a check of who signed it."""
    crl = x509.load_der_x509_crl(body)
    assert crl.issuer == issuer.ca.certificate.subject
    assert crl.is_signature_valid(issuer.ca.certificate.public_key())  # type: ignore[arg-type]
    return crl


def revoked(crl: x509.CertificateRevocationList) -> list[int]:
    """The serial numbers in it."""
    return [entry.serial_number for entry in crl]


# GetCert


def test_certificates(bench: Bench, device: Device, other: Device) -> None:
    """What was issued, to whomever, revoked or not; and the CA's and the RA's own."""
    issued = [bench.issued(one).certificate for one in (device, other)]
    bench.revoke(issued[1])
    for certificate in (*issued, *bench.pki.certificates):
        reply = certificate_of(bench, device, certificate.serial_number)
        assert (reply.status, reply.certificates, reply.crls) == (PkiStatus.SUCCESS, (certificate,), ())
    line = bench.server.store.audit.records()[-1]
    assert (line["outcome"], line["message_type"]) == ("found", "GET_CERT")
    assert int(line["serial"], 16) == bench.pki.ca.certificate.serial_number


@pytest.mark.parametrize("serial", SERIALS)
def test_unknown_serial_numbers(bench: Bench, device: Device, serial: int) -> None:
    assert certificate_of(bench, device, serial).fail_info is FailInfo.BAD_CERT_ID
    reply = crl_of(bench, device, serial)
    assert reply.status is PkiStatus.SUCCESS and len(reply.crls) == 1, "the CRL is that of the issuer"


def test_a_serial_number_that_none_can_be(bench: Bench, device: Device) -> None:
    for fetch in (certificate_of, crl_of):
        assert fetch(bench, device, 1 << 20000).fail_info is FailInfo.BAD_CERT_ID


def test_other_issuers(bench: Bench, device: Device) -> None:
    serial = bench.issued(device).certificate.serial_number
    for issuer in (ELSEWHERE, x509.Name([]), bench.pki.signer.certificate.subject):
        for fetch in (certificate_of, crl_of):
            assert fetch(bench, device, serial, issuer).fail_info is FailInfo.BAD_CERT_ID


# CRLs


def test_crl(bench: Bench, device: Device) -> None:
    reply = crl_of(bench, device, 1)
    assert (reply.status, reply.certificates) == (PkiStatus.SUCCESS, ())
    assert not revoked(read(reply.crls[0], bench.pki))
    for path in ("/crl", "/scep/crl", f"/crl/{bench.pki.id}", f"/some/where/crl/{bench.pki.id}"):
        plain = bench.http(path=path)
        assert (plain.status, plain.body, plain.content_type) == (200, reply.crls[0], "application/pkix-crl")
    assert bench.http("HEAD", path="/crl").body == b""


@pytest.mark.parametrize("ca_id", ["", "0" * 16, "x", "..", "ID\u00ff", "crl", "a" * 10000])
def test_crl_of_an_unknown_ca(bench: Bench, ca_id: str) -> None:
    response = bench.http(path=f"/crl/{ca_id}")
    assert response.status == (200 if ca_id == "crl" else 404), response.body
    assert bench.pki.id not in response.body.decode("latin-1")


def test_crl_numbers_grow(bench: Bench) -> None:
    def number() -> int:
        crl = read(bench.http(path="/crl").body, bench.pki)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert [number(), number()] == [1, 1]
    bench.clock.forward(days=4)  # half of the seven days and a little
    assert [number(), number()] == [2, 2]
    bench.clock.forward(days=-30)
    assert [number(), number()] == [3, 3], "the clock was put back"


@pytest.mark.parametrize("reason", ["", "unspecified", *REASONS])
def test_crl_lists_what_is_revoked(bench: Bench, device: Device, reason: str) -> None:
    kept, gone = bench.issued(device).certificate, bench.issued(device).certificate
    assert not revoked(read(bench.http(path="/crl").body, bench.pki))
    bench.revoke(gone, reason)
    crl = read(crl_of(bench, device, kept.serial_number).crls[0], bench.pki)
    (entry,) = crl
    assert entry.serial_number == gone.serial_number
    assert entry.revocation_date_utc == bench.clock()
    assert [extension.value.reason for extension in entry.extensions] == (
        [REASONS[reason]] if reason in REASONS else []
    )


def test_crl_lists_many(bench: Bench, device: Device) -> None:
    for count in range(1, 4):
        bench.revoke(bench.issued(device).certificate)
        assert len(revoked(read(bench.http(path="/crl").body, bench.pki))) == count
