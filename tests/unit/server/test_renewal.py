# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal: a certificate of this server stands in for a password, once and for its own names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import issued_by, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from scep_device import LENIENT, Bench, Device, ServedWith

from scep_server.authority import Authority

NAMES = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.DNSName("b.example")])
MORE = x509.SubjectAlternativeName([*NAMES, x509.DNSName("c.example")])
WINDOW = 60  # retransmission_minutes


def with_key_of(key: Device, names: Device) -> Device:
    """A device with the name of another."""
    return Device(key.key, names.name)


def sid(value: str) -> x509.UnrecognizedExtension:
    """The extension that names a Windows account."""
    text = asn1.tlv(asn1.context(0), asn1.octet_string(value.encode()))
    name = asn1.tlv(asn1.context(0), asn1.oid("1.3.6.1.4.1.311.25.2.1"), text)
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2"), asn1.sequence(name))


@pytest.mark.parametrize("kind", [MessageType.RENEWAL_REQ, MessageType.PKCS_REQ])
@pytest.mark.parametrize("same", [True, False], ids=["same key", "new key"])
@pytest.mark.parametrize("password", [None, "used up"])
def test_renewal(
    bench: Bench, device: Device, other: Device, kind: MessageType, same: bool, password: str | None
) -> None:
    """Some clients, sscep among them, send the request of the first enrolment again, old password and all."""
    (first,) = bench.passwords()
    (certificate,) = bench.answer(bench.request(device, first, extensions=[(NAMES, False)])).certificates
    old = Identity(certificate, device.key)
    new = device if same else with_key_of(other, device)
    request = bench.renewal(new, old, password and first, kind=kind, extensions=[(NAMES, False)])
    (renewed,) = bench.answer(request).certificates
    assert renewed != certificate and renewed.subject == certificate.subject
    assert same_key(renewed.public_key(), new.key.public_key())
    line = bench.server.store.audit.records()[-1]
    assert (line["outcome"], line["challenge_id"], line["message_type"]) == ("issued", None, kind.name)
    row = bench.server.store.certificates.find(f"{renewed.serial_number:032x}")
    assert row is not None and int(row["replaces"], 16) == certificate.serial_number


def test_a_renewal_consumes_no_password(bench: Bench, device: Device) -> None:
    old = bench.issued(device)
    (fresh,) = bench.passwords()
    assert bench.answer(bench.renewal(device, old, fresh)).status is PkiStatus.SUCCESS
    assert bench.server.store.challenges.outstanding(0) == 1


def test_names_in_another_order(bench: Bench, device: Device) -> None:
    old = bench.issued(device, extensions=[(NAMES, False)])
    turned = Device(device.key, "O=Example,CN=device.example")
    names = x509.SubjectAlternativeName(list(NAMES)[::-1])
    assert bench.answer(bench.renewal(turned, old, extensions=[(names, False)])).status is PkiStatus.SUCCESS


OTHER_NAMES: dict[str, tuple[str, x509.SubjectAlternativeName | None]] = {
    "another subject": ("CN=other.example,O=Example", NAMES),
    "more subject": ("CN=device.example,O=Example,OU=more", NAMES),
    "less subject": ("CN=device.example", NAMES),
    "another letter case": ("CN=Device.example,O=Example", NAMES),
    "other alternative names": ("", x509.SubjectAlternativeName([x509.DNSName("z.example")])),
    "more alternative names": ("", MORE),
    "fewer alternative names": ("", x509.SubjectAlternativeName([x509.DNSName("a.example")])),
    "no alternative names": ("", None),
}


@pytest.mark.parametrize("what", OTHER_NAMES)
def test_other_names(bench: Bench, served_with: ServedWith, device: Device, what: str) -> None:
    subject, names = OTHER_NAMES[what]
    old = bench.issued(device, extensions=[(NAMES, False)])
    asking = Device(device.key, subject or device.name)
    request = bench.renewal(asking, old, extensions=[] if names is None else [(names, False)])
    assert "of the old certificate" in str(bench.refusal(request).fail_info_text)
    lenient = served_with(renewal_same_names=False)
    assert lenient.answer(request).status is PkiStatus.SUCCESS


def test_a_renewal_brings_no_other_windows_account(served_with: ServedWith, device: Device) -> None:
    bench = served_with(windows_sids=["extension"])
    own, administrator = sid("S-1-5-21-1-2-3-1105"), sid("S-1-5-21-1-2-3-500")
    old = bench.issued(device, extensions=[(own, False)])
    assert "SID" in str(bench.refusal(bench.renewal(device, old, extensions=[(administrator, False)])).fail_info_text)
    plain = bench.issued(device)
    assert bench.refused(bench.renewal(device, plain, extensions=[(own, False)])) is FailInfo.BAD_REQUEST
    for extensions in ([(own, False)], []):
        assert bench.answer(bench.renewal(device, old, extensions=extensions)).status is PkiStatus.SUCCESS


def _expired(bench: Bench, _device: Device, old: Identity) -> Identity:
    bench.clock.forward(days=366)
    return old


def _not_ours(_bench: Bench, device: Device, old: Identity) -> Identity:
    """Issuer name and serial number of ours, signed by the device itself."""
    ours = old.certificate
    builder = x509.CertificateBuilder(ours.issuer, ours.subject, device.key.public_key(), ours.serial_number)
    builder = builder.not_valid_before(ours.not_valid_before_utc).not_valid_after(ours.not_valid_after_utc)
    return Identity(builder.sign(device.key, hashes.SHA256()), device.key)


def _as_it_is(_bench: Bench, _device: Device, old: Identity) -> Identity:
    return old


Make = Callable[[Bench, Device, Identity], Identity]
OBJECTIONS: dict[str, tuple[Make, dict[str, Any], str]] = {
    "expired": (_expired, {}, "out of date"),
    "not ours": (_not_ours, {}, "did not issue"),
    "switched off": (_as_it_is, {"renewal": False}, "does not renew"),
    "too early": (_as_it_is, {"renewal_days": 30}, "30 days before"),
}


@pytest.mark.parametrize("kind", [MessageType.RENEWAL_REQ, MessageType.PKCS_REQ])
@pytest.mark.parametrize("what", OBJECTIONS)
def test_no_renewal_but_an_enrolment(
    served_with: ServedWith, device: Device, other: Device, what: str, kind: MessageType
) -> None:
    """Refused without a password; with one it is an enrolment like any other, for the key that signs it."""
    make, settings, says = OBJECTIONS[what]
    bench = served_with(**settings)
    signer = make(bench, device, bench.issued(device))
    assert says in str(bench.refusal(bench.renewal(device, signer, kind=kind)).fail_info_text)
    assert bench.refused(bench.renewal(device, signer, "wrong", kind=kind)) is FailInfo.BAD_REQUEST
    stolen, good = bench.passwords(2)
    reply = bench.refusal(bench.renewal(with_key_of(other, device), signer, stolen, kind=kind))
    assert "another key" in str(reply.fail_info_text)
    assert bench.answer(bench.renewal(device, signer, good, kind=kind)).status is PkiStatus.SUCCESS
    assert bench.server.store.audit.records()[-1]["challenge_id"] is not None


def test_without_passwords_a_refused_renewal_is_an_enrolment(served_with: ServedWith, device: Device) -> None:
    bench = served_with(challenge="none", allow_no_challenge=True)
    signer = _expired(bench, device, Identity(bench.answer(bench.request(device, None)).certificates[0], device.key))
    assert bench.answer(bench.renewal(device, signer)).status is PkiStatus.SUCCESS
    assert bench.answer(bench.renewal(device, device.identity)).status is PkiStatus.SUCCESS


def test_within_the_window(served_with: ServedWith, device: Device) -> None:
    bench = served_with(renewal_days=30)
    old = bench.issued(device)
    bench.clock.forward(days=335)
    assert bench.answer(bench.renewal(device, old)).status is PkiStatus.SUCCESS


def test_a_revoked_certificate_gets_nothing(bench: Bench, device: Device, other: Device) -> None:
    old = bench.issued(device)
    bench.revoke(old.certificate)
    for password in (None, "wrong", bench.passwords()[0]):
        for asking in (device, with_key_of(other, device)):
            assert "revoked" in str(bench.refusal(bench.renewal(asking, old, password)).fail_info_text)
    assert bench.server.store.challenges.outstanding(0) == 1


# Whoever records a renewal may send it again.


def test_a_renewal_that_is_replayed_gives_the_same_certificate(bench: Bench, device: Device, other: Device) -> None:
    old = bench.issued(device)
    bench.clock.forward(days=200)
    request = bench.renewal(with_key_of(other, device), old)
    first = bench.answer(request).certificates
    for later in ({"minutes": WINDOW + 1}, {"days": 200}):  # the old certificate is out of date then
        bench.clock.forward(**later)
        assert bench.answer(request).certificates == first


def test_a_renewal_is_not_replayed_past_its_end(served_with: ServedWith, device: Device, other: Device) -> None:
    """Where the setting changed, what was renewed may end before what it was renewed with."""
    old = served_with(certificate_days=1000).issued(device)
    bench = served_with(certificate_days=10)
    request = bench.renewal(with_key_of(other, device), old)
    bench.answer(request)
    bench.clock.forward(days=11)
    assert "out of date" in str(bench.refusal(request).fail_info_text)


def test_a_renewal_is_not_replayed_past_a_revocation(bench: Bench, device: Device, other: Device) -> None:
    """The key that was revoked must not come back by a message from before, signed by the key ahead of it."""
    old = bench.issued(device)
    request = bench.renewal(with_key_of(other, device), old)
    (renewed,) = bench.answer(request).certificates
    bench.revoke(renewed)
    for _again in range(2):
        assert "revoked" in str(bench.refusal(request).fail_info_text)
        bench.clock.forward(minutes=WINDOW + 1)


def test_the_same_words_a_year_later(bench: Bench, device: Device) -> None:
    """Constant transactionID, same key, same PKCS#10: signed by the renewed certificate, it is another renewal."""
    certificates: list[x509.Certificate] = []
    requests = []
    signer = bench.issued(device)
    for _year in range(3):
        bench.clock.forward(days=200)
        request = bench.renewal(device, signer, transaction_id="SSCEP transactionId")
        (certificate,) = bench.answer(request).certificates
        requests.append(request)
        certificates.append(certificate)
        signer = Identity(certificate, device.key)
    assert len({certificate.serial_number for certificate in certificates}) == 3
    bench.clock.forward(minutes=WINDOW + 1)
    assert [bench.answer(request).certificates[0] for request in requests[1:]] == certificates[1:]
    assert "out of date" in str(bench.refusal(requests[0]).fail_info_text), "signed by what ended long ago"


def test_the_same_words_at_once(bench: Bench, device: Device) -> None:
    """certmonger's resubmit can be the request of the enrolment, but for the certificate that it is signed with."""
    (password,) = bench.passwords()
    words = {"transaction_id": "SSCEP transactionId"}
    (first,) = bench.answer(bench.request(device, password, **words)).certificates
    request = bench.renewal(device, Identity(first, device.key), password, **words)
    (second,) = bench.answer(request).certificates
    assert second != first
    assert bench.answer(request).certificates == (second,), "and sent again, it gets the same answer"
    assert [outcome for outcome, _unused in bench.lines()] == ["issued", "issued", "repeated"]


def test_a_certificate_from_before_a_rollover(bench: Bench, device: Device, coming: Authority) -> None:
    old = bench.issued(device)
    bench.roll_over(coming)
    (renewed,) = bench.answer(bench.renewal(device, old)).certificates
    assert issued_by(renewed, coming.ca.certificate, LENIENT)
    assert renewed.subject == old.certificate.subject
