# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRLs: what is read in them, and what is held against them."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.crls import (
    Crl,
    check_dates,
    check_scope,
    distribution_points,
    load_crl,
    verify_crl,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    DecodeError,
    ScepError,
    TrustError,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from support import pki as pki_module
from support.damage import damaged
from support.pki import NOW, Pki

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
URL = "http://crl.example.com/ca.crl"


def made(pki: Pki, **more: Any) -> Crl:
    return load_crl(pki_module.crl(pki.ca, **{"start": NOW - DAY, "end": NOW + 6 * DAY, **more}))


def signed_again(crl: Crl, key: Any, digest: str, fields: dict[int, bytes]) -> bytes:
    """The CRL with other fields in its TBSCertList (an empty one is left out), and with any digest."""
    identifier = pki_module.rsa_identifier(digest)
    fields = {1: identifier, **fields}
    old = asn1.read(crl.raw).child(0).children()
    tbs = asn1.sequence(*(fields.get(at, field.raw) for at, field in enumerate(old)))
    signature = key.sign(tbs, padding.PKCS1v15(), pki_module.HASHES[digest]())
    return asn1.sequence(tbs, identifier, asn1.bit_string(signature))


def test_what_it_says(pki: Pki) -> None:
    date = NOW - 2 * DAY
    crl = made(pki, number=7, revoked=[(5, date, x509.ReasonFlags.key_compromise), (6, date, None)])
    assert (crl.number, crl.count, crl.issuer) == (7, 2, pki.ca.certificate.subject)
    assert (crl.this_update, crl.next_update) == (NOW - DAY, NOW + 6 * DAY)
    reasons = []
    for serial in (5, 6):
        found = crl.find(serial)
        assert found is not None
        assert found.date == date
        reasons.append(found.reason)
    assert reasons == ["keyCompromise", None]
    assert crl.find(7) is None
    verify_crl(crl, pki.ca.certificate, policy(allow_sha1=False))
    check_dates(crl, NOW)
    check_scope(crl, pki.enrolled.certificate)
    assert str(crl) == "number 7, of 2026-05-31 12:00 UTC"


def test_pem_and_no_number(pki: Pki) -> None:
    crl = made(pki, number=None)
    again = load_crl(b"text around\n" + crl.parsed.public_bytes(Encoding.PEM))
    assert (again.raw, again.number) == (crl.raw, None)
    assert str(again) == "without a number, of 2026-05-31 12:00 UTC"


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"-----BEGIN X509 CRL-----\n=\n-----END X509 CRL-----\n", b"\x30\x03\x02\x01\x05"]
)
def test_no_crl(data: bytes) -> None:
    with pytest.raises(DecodeError, match="not a CRL"):
        load_crl(data)


def test_a_certificate_and_a_crl_without_end(pki: Pki) -> None:
    with pytest.raises(DecodeError, match="not a CRL"):
        load_crl(pki_module.der(pki.ca.certificate))
    with pytest.raises(DecodeError, match="does not say when the next one is due"):
        load_crl(signed_again(made(pki), pki.ca.key, "sha256", {4: b""}))


def test_signature(pki: Pki) -> None:
    with pytest.raises(TrustError, match="one of CN=Test CA, and that of CN=Other CA is wanted"):
        verify_crl(made(pki), pki.other_ca.certificate, policy())
    with pytest.raises(TrustError, match="not signed with the key of CN=Test CA"):
        verify_crl(made(pki, key=pki.root.key), pki.ca.certificate, policy())
    mute = pki_module.certificate("Test CA", pki.ca.key, ca=True, usage=["key_cert_sign"])
    with pytest.raises(TrustError, match="does not allow to sign a CRL"):
        verify_crl(made(pki), mute, policy())
    verify_crl(load_crl(pki_module.crl(pki.ec_ca, NOW, NOW + DAY)), pki.ec_ca.certificate, policy())


def test_digests_are_those_of_the_table(pki: Pki) -> None:
    crl = load_crl(signed_again(made(pki), pki.ca.key, "md5", {}))
    with pytest.raises(BadAlgorithm, match="MD5"):
        verify_crl(crl, pki.ca.certificate, policy())
    verify_crl(crl, pki.ca.certificate, policy(legacy=True))


def test_any_change_of_what_is_signed_is_noticed(pki: Pki) -> None:
    dice = random.Random(8894)
    raw = made(pki, revoked=[(5, NOW, None)]).raw
    signed = asn1.read(raw).child(0).raw
    for _unused in range(200):
        changed = damaged(raw, dice)
        try:
            verify_crl(load_crl(changed), pki.ca.certificate, policy())
        except ScepError:
            continue
        assert asn1.read(changed).child(0).raw == signed


DATES: dict[str, tuple[dt.timedelta, dt.timedelta, str]] = {
    "clock that is ahead": (HOUR, DAY, ""),
    "future": (2 * HOUR, DAY, "yet to come"),
    "over": (-DAY, -HOUR, "out of date: the next one was due at 2026-06-01 11:00 UTC"),
    "over just now": (-DAY, 0 * DAY, "out of date"),
}


@pytest.mark.parametrize("what", DATES)
def test_dates(what: str, pki: Pki) -> None:
    start, end, complaint = DATES[what]
    crl = made(pki, start=NOW + start, end=NOW + end)
    if not complaint:
        check_dates(crl, NOW)
        return
    with pytest.raises(TrustError, match=complaint):
        check_dates(crl, NOW)


@pytest.mark.parametrize(
    ("start", "end", "remaining", "fresh"),
    [
        (-DAY, 6 * DAY, DAY, True),
        (-6 * DAY, 23 * HOUR, DAY, False),
        (-HOUR, 5 * HOUR, DAY, True),
        (-3 * HOUR, 3 * HOUR, DAY, False),
        (-DAY, HOUR, 0 * HOUR, True),
    ],
)
def test_fresh(start: dt.timedelta, end: dt.timedelta, remaining: dt.timedelta, fresh: bool, pki: Pki) -> None:
    assert made(pki, start=NOW + start, end=NOW + end).fresh(NOW, remaining) is fresh


def test_older(pki: Pki) -> None:
    first, second = made(pki, number=1), made(pki, number=2, start=NOW - 2 * DAY)
    assert first.older_than(second)
    assert not second.older_than(first)
    assert not first.older_than(first)
    unnumbered = made(pki, number=None, start=NOW - 3 * DAY)
    assert unnumbered.older_than(first)
    assert not first.older_than(unnumbered)


def scope(**more: Any) -> tuple[x509.ExtensionType, bool]:
    fields: dict[str, Any] = {"full_name": None, "relative_name": None, "only_some_reasons": None}
    for word in ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"):
        fields[word] = False
    return x509.IssuingDistributionPoint(**{**fields, **more}), True


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
SCOPES: dict[str, tuple[tuple[x509.ExtensionType, bool], str]] = {
    "unknown": ((UNKNOWN, False), ""),
    "unknown and critical": ((UNKNOWN, True), r"not understood \(1.2.3.4\)"),
    "delta": ((x509.DeltaCRLIndicator(1), True), r"not understood \(a delta CRL\)"),
    "users": (scope(only_contains_user_certs=True), ""),
    "authorities": (scope(only_contains_ca_certs=True), "for other certificates"),
    "indirect": (scope(indirect_crl=True), "an indirect one"),
    "attributes": (scope(only_contains_attribute_certs=True), "attribute certificates alone"),
    "reasons": (scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])), "some reasons"),
    "its point": (scope(full_name=[x509.UniformResourceIdentifier(URL)]), ""),
    "another point": (scope(full_name=[x509.UniformResourceIdentifier(URL + "2")]), "for other certificates"),
}


def point(url: str, reasons: frozenset[x509.ReasonFlags] | None = None) -> x509.DistributionPoint:
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, reasons, None)


@pytest.mark.parametrize("what", SCOPES)
def test_scope(what: str, pki: Pki) -> None:
    extension, complaint = SCOPES[what]
    points = x509.CRLDistributionPoints([point(URL)])
    device = pki_module.leaf("device", "device", pki.ca, extensions=[(points, False)]).certificate
    crl = made(pki, extensions=[extension])
    if not complaint:
        check_scope(crl, device)
        return
    with pytest.raises(TrustError, match=complaint):
        check_scope(crl, device)


def test_distribution_points(pki: Pki) -> None:
    some = point("http://some/", frozenset([x509.ReasonFlags.key_compromise]))
    names = [x509.DirectoryName(pki_module.name("CA")), x509.UniformResourceIdentifier("ldap://x/")]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None), some, point(URL)])
    device = pki_module.leaf("device", "device", pki.ca, extensions=[(points, False)]).certificate
    assert distribution_points(device) == ("ldap://x/", URL)
    assert distribution_points(pki.enrolled.certificate) == ()
