# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate that was asked for, found in a reply, and its chain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import parse_fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    ReplyError,
    TrustError,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import (
    Reply,
    select_issued,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    CaCertificates,
    TrustAnchor,
    resolve,
)
from cryptography import x509

from support import pki as pki_module
from support.answers import ca_certificates, issued, namesake, ndes
from support.pki import NOW, Pki

# --- the certificate that was asked for ------------------------------------------------------------------------------


def reply_with(*certificates: x509.Certificate) -> Reply:
    signer = pki_module.shared().ra_sign.certificate
    return Reply(PkiStatus.SUCCESS, None, None, None, certificates, (), "sha256", "aes-128-cbc", signer)


def chosen(*certificates: x509.Certificate, ca: CaCertificates | None = None) -> tuple[Any, ...]:
    return select_issued(reply_with(*certificates), pki_module.shared().device.key.public_key(), ca or ndes(), NOW)


def test_the_leaf_is_found_in_any_order_and_company(pki: Pki) -> None:
    for order in (
        [issued()],
        [issued(), pki.ca.certificate],
        [pki.ca.certificate, issued()],
        [pki.enrolled.certificate, pki.other_ca.certificate, issued(), pki.ra_sign.certificate],
    ):
        assert chosen(*order) == (issued(), (pki.ca.certificate,))


def test_of_two_certificates_for_the_key_the_newer_one_counts(pki: Pki) -> None:
    old = pki_module.certificate("device", pki.device.key, pki.ca, start=pki_module.START - dt.timedelta(days=5))
    assert chosen(old, issued())[0] == issued()
    assert chosen(issued(), old)[0] == issued()


def test_the_chain_goes_up_to_the_pinned_root_in_whichever_order(pki: Pki) -> None:
    device = pki.issue(pki.device.key, issuer=pki.intermediate)
    expected = (device, (pki.intermediate.certificate, pki.root.certificate))
    offered = [pki.root.certificate, pki.intermediate_ra.certificate, pki.intermediate.certificate]
    for order in (offered, offered[::-1]):
        assert chosen(device, ca=ca_certificates(order, pki.root.certificate)) == expected
    # the intermediate one may also come with the reply alone, the root with the user alone
    root_alone = ca_certificates([pki.root.certificate], pki.root.certificate)
    assert chosen(pki.intermediate.certificate, device, ca=root_alone) == expected
    without_root = ca_certificates(offered[1:], pki.root.certificate)
    assert chosen(device, ca=without_root) == expected


def test_no_certificate_for_the_key(pki: Pki) -> None:
    for company in ([], [pki.enrolled.certificate], [pki.ca.certificate]):
        with pytest.raises(ReplyError, match="no certificate for the key"):
            chosen(*company)


@pytest.mark.parametrize(
    "make",
    [
        lambda pki: pki.issue(pki.device.key, issuer=pki.other_ca),
        lambda pki: pki.issue(pki.device.key, issuer=namesake()),
        lambda pki: pki.device.certificate,
        lambda pki: pki_module.certificate("device", pki.device.key, pki.ca, end=NOW - dt.timedelta(days=1)),
        lambda pki: pki_module.certificate("device", pki.device.key, pki.ca, start=NOW + dt.timedelta(days=1)),
        lambda pki: pki_module.certificate("device", pki.device.key, pki.enrolled),
        lambda pki: pki_module.signed_with(issued(), pki.ca.key, "md5"),
    ],
    ids=["another CA", "a namesake", "self-signed", "expired", "not yet valid", "issued by a device", "MD5"],
)
def test_a_certificate_that_does_not_hang_on_the_anchor(make: Callable[[Pki], x509.Certificate], pki: Pki) -> None:
    strict = resolve(pki.ndes, TrustAnchor((parse_fingerprint(pki_sha256(pki)),)), policy(), NOW)
    with pytest.raises(TrustError, match="does not chain to the trust anchor, or is out of date"):
        chosen(make(pki), pki.other_ca.certificate, namesake().certificate, ca=strict)


def pki_sha256(pki: Pki) -> str:
    return pki_module.sha256(pki.ca.certificate)


def test_the_cas_own_certificate_is_not_what_was_asked_for(pki: Pki) -> None:
    with pytest.raises(ReplyError, match="CA's own certificate"):
        select_issued(reply_with(pki.ca.certificate), pki.ca.key.public_key(), ndes(), NOW)
