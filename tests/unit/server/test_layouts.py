# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each layout of CA and RA, end to end."""

from __future__ import annotations

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates, read_next_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import issued_by
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from cryptography import x509
from scep_device import LENIENT, Device, ServedNew, message
from test_retrieval import crl_of, read, revoked
from test_rollover import NEXT, trusted

from scep_server import pki
from scep_server.authority import Authority

MANY, ONE = "application/x-x509-ca-ra-cert", "application/x-x509-ca-cert"

# settings -> (certificates of GetCACert, its Content-Type, to how many of them a request may be encrypted)
LAYOUTS: dict[str, tuple[dict[str, str], int, str, int]] = {
    "one RA": ({"layout": "ra_single"}, 2, MANY, 2),
    "no RA": ({"layout": "ca_only"}, 1, ONE, 1),
    "EC P-256 and two RAs": ({"ca_key": "ec-p256"}, 3, MANY, 1),
    "EC P-384 and one RA": ({"ca_key": "ec-p384", "layout": "ra_single"}, 2, MANY, 1),
}


@pytest.mark.parametrize("what", LAYOUTS)
def test_layouts(served_new: ServedNew, device: Device, other: Device, coming: Authority, what: str) -> None:
    settings, count, content_type, recipients = LAYOUTS[what]
    bench = served_new(**settings)
    offer = bench.http(query="operation=GetCACert")
    assert (offer.content_type, len(read_ca_certificates(offer.body))) == (content_type, count)
    if count == 1:
        assert x509.load_der_x509_certificate(offer.body) == bench.pki.ca.certificate

    taken = 0
    for identity in {one.certificate: one for one in bench.pki.identities.values()}.values():
        if not isinstance(identity.key.public_key().public_numbers(), type(device.key.public_key().public_numbers())):
            continue
        request = message(device.csr(bench.passwords()[0]), device.identity, identity.certificate)
        reply = bench.answer(request)
        if reply.status is PkiStatus.SUCCESS:
            taken += 1
            assert issued_by(reply.certificates[0], bench.pki.ca.certificate, LENIENT)
        else:
            assert reply.fail_info is FailInfo.BAD_MESSAGE_CHECK, "the certificate of the RA that signs alone"
    assert taken == recipients

    old = bench.issued(device)
    assert bench.answer(bench.renewal(device, old)).status is PkiStatus.SUCCESS
    bench.revoke(old.certificate)
    serial = old.certificate.serial_number
    assert revoked(read(crl_of(bench, other, serial).crls[0], bench.pki)) == [serial]

    pki.add_next(bench.state, coming)
    told = read_next_ca(bench.http(query=NEXT).body, trusted(bench), LENIENT, bench.clock())
    assert told[0] == coming.ca.certificate
