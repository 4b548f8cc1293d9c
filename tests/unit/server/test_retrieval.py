# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be fetched: certificates and CRLs."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import get_crl
from cryptography import x509
from scep_device import Bench, Device


def test_crl(bench: Bench, device: Device) -> None:
    recipient, issuer = bench.pki.encryption.certificate, bench.pki.ca.certificate.subject
    reply = bench.answer(get_crl(issuer, 1, device.identity, recipient, "sha256", "aes-128-cbc"))
    assert (reply.status, reply.certificates) == (PkiStatus.SUCCESS, ())
    crl = x509.load_der_x509_crl(reply.crls[0])
    assert crl.is_signature_valid(bench.pki.ca.certificate.public_key())  # type: ignore[arg-type]
    plain = bench.http(path="/scep/crl")
    assert (plain.body, plain.content_type) == (reply.crls[0], "application/pkix-crl")


def test_crl_numbers_grow(bench: Bench) -> None:
    def number() -> int:
        crl = x509.load_der_x509_crl(bench.http(path="/crl").body)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert [number(), number()] == [1, 1]
    bench.clock.forward(days=4)  # half of the seven days and a little
    assert [number(), number()] == [2, 2]


def test_crl_lists_what_is_revoked(bench: Bench, device: Device) -> None:
    (certificate,) = bench.enroll(device).certificates
    assert not list(x509.load_der_x509_crl(bench.http(path="/crl").body))
    with bench.server.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE certificates SET revoked = 1780000000, reason = 'keyCompromise'")
    crl = x509.load_der_x509_crl(bench.http(path="/crl").body)
    (entry,) = list(crl)
    assert entry.serial_number == certificate.serial_number
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
