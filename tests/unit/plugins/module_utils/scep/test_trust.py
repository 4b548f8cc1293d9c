# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a client trusts with a challenge password, and whom it does not."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import certificates, trust
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    Fingerprint,
    fingerprint,
    parse_fingerprint,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import TrustError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    CaCertificates,
    RaRules,
    TrustAnchor,
    resolve,
)
from cryptography import x509

from support import pki as pki_module
from support.pki import CA_USAGE, CLIENT_AUTH, CMC_RA, NOW, RA_EKU, Pki, certificate, leaf, rsa_key

DAY = dt.timedelta(days=1)


def pin(cert: x509.Certificate, digest: str = "sha256") -> Fingerprint:
    return parse_fingerprint(fingerprint(cert, digest))


def ra(usage: list[str], eku: list[str], label: str = "ra-encrypt", **more: object) -> x509.Certificate:
    return leaf("Some RA", label, pki_module.shared().ca, usage=usage, eku=eku, **more).certificate


KE, BOTH = ["key_encipherment"], ["digital_signature", "key_encipherment"]


@dataclass
class Case:
    """What is offered and pinned, and the names of CA, recipient and chain that come of it."""

    offered: list[x509.Certificate]
    pinned: TrustAnchor
    ca: x509.Certificate | None = None
    recipient: x509.Certificate | None = None
    chain: list[x509.Certificate] = field(default_factory=list)
    ra: RaRules | None = None
    allowed: AlgorithmPolicy = field(default_factory=policy)
    words: str = ""

    def resolve(self) -> CaCertificates:
        return resolve(self.offered, self.pinned, self.allowed, NOW, self.ra)


def by_fingerprint(*certs: x509.Certificate, digest: str = "sha256") -> TrustAnchor:
    return TrustAnchor(fingerprints=tuple(pin(cert, digest) for cert in certs))


def by_certificate(*certs: x509.Certificate) -> TrustAnchor:
    return TrustAnchor(certificates=certs)


def single_ca(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case([ca], by_fingerprint(ca), ca, ca, [ca])


def ra_pair(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case(list(p.ndes), by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def one_ra(p: Pki) -> Case:
    ca, both = p.ca.certificate, ra(BOTH, [RA_EKU])
    return Case([both, ca], by_fingerprint(ca), ca, both, [ca])


def cmc_ra(p: Pki) -> Case:
    ca, both = p.ca.certificate, ra(BOTH, [CMC_RA])
    return Case([both, ca], by_fingerprint(ca), ca, both, [ca])


def ra_without_key_usage(p: Pki) -> Case:
    ca = p.ca.certificate
    plain = leaf("Some RA", "ra-encrypt", p.ca, usage=None, eku=[RA_EKU]).certificate
    return Case([plain, ca], by_fingerprint(ca), ca, plain, [ca])


def renewed_ra(p: Pki) -> Case:
    ca, new = p.ca.certificate, ra(KE, [RA_EKU], "other", start=NOW - DAY)
    return Case([*p.ndes, new], by_fingerprint(ca), ca, new, [ca])


def expired_ra_beside_its_successor(p: Pki) -> Case:
    ca, old = p.ca.certificate, ra(KE, [RA_EKU], "other", end=NOW - DAY)
    return Case([old, *p.ndes], by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def future_ra_beside_todays(p: Pki) -> Case:
    ca, coming = p.ca.certificate, ra(KE, [RA_EKU], "other", start=NOW + DAY)
    return Case([coming, *p.ndes], by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def device_beside_the_ra(p: Pki) -> Case:
    ca = p.ca.certificate
    newest = leaf("device", "enrolled", p.ca, eku=[CLIENT_AUTH], start=NOW - DAY).certificate
    return Case([newest, *p.ndes], by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def ra_by_fingerprint(p: Pki) -> Case:
    ca, unmarked = p.ca.certificate, ra(BOTH, [])
    return Case([unmarked, ca], by_fingerprint(ca), ca, unmarked, [ca], ra=RaRules((pin(unmarked),)))


def ra_by_relaxed_rule(p: Pki) -> Case:
    ca, unmarked = p.ca.certificate, ra(BOTH, [])
    return Case([unmarked, ca], by_fingerprint(ca), ca, unmarked, [ca], ra=RaRules(require_eku=False))


def intermediate_with_its_ra(p: Pki) -> Case:
    chain = [p.intermediate.certificate, p.root.certificate]
    offered = [p.intermediate_ra.certificate, *chain]
    return Case(offered, by_fingerprint(p.root.certificate), chain[0], p.intermediate_ra.certificate, chain)


def intermediate_pinned(p: Pki) -> Case:
    ca = p.intermediate.certificate
    return Case([ca, p.root.certificate], by_fingerprint(ca), ca, ca, [ca])


def intermediate_and_root_pinned(p: Pki) -> Case:
    ca = p.intermediate.certificate
    return Case([ca, p.root.certificate], by_fingerprint(p.root.certificate, ca), ca, ca, [ca])


def intermediate_named_as_ra(p: Pki) -> Case:
    chain = [p.intermediate.certificate, p.root.certificate]
    return Case(chain, by_fingerprint(p.root.certificate), chain[0], chain[0], chain, ra=RaRules((pin(chain[0]),)))


def root_as_certificate_not_offered(p: Pki) -> Case:
    chain = [p.intermediate.certificate, p.root.certificate]
    offered = [p.intermediate_ra.certificate, chain[0]]
    return Case(offered, by_certificate(p.root.certificate), chain[0], p.intermediate_ra.certificate, chain)


def ca_as_certificate_ra_alone_offered(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case([p.ra_encrypt.certificate], by_certificate(ca), ca, p.ra_encrypt.certificate, [ca])


def ec_ca_with_rsa_ra(p: Pki) -> Case:
    ca = p.ec_ca.certificate
    return Case([ca, p.ec_ra.certificate], by_fingerprint(ca), ca, p.ec_ra.certificate, [ca])


def md5_pin(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case(list(p.ndes), by_fingerprint(ca, digest="md5"), ca, p.ra_encrypt.certificate, [ca])


def sha1_pin(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case(list(p.ndes), by_fingerprint(ca, digest="sha1"), ca, p.ra_encrypt.certificate, [ca])


def one_of_two_pins(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case(list(p.ndes), by_fingerprint(p.other_ca.certificate, ca), ca, p.ra_encrypt.certificate, [ca])


def offered_twice(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case([*p.ndes, *p.ndes], by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def an_unrelated_ca_beside(p: Pki) -> Case:
    ca = p.ca.certificate
    return Case([p.other_ca.certificate, *p.ndes], by_fingerprint(ca), ca, p.ra_encrypt.certificate, [ca])


def single_ca_without_extensions(p: Pki) -> Case:
    plain = certificate("Plain CA", p.ca.key, ca=None, usage=None)
    return Case([plain], by_fingerprint(plain), plain, plain, [plain])


def sha1_signed_ra(p: Pki) -> Case:
    ca, signed = p.ca.certificate, pki_module.signed_with(p.ra_encrypt.certificate, p.ca.key, "sha1")
    return Case([signed, ca], by_fingerprint(ca), ca, signed, [ca])


def md5_signed_ra_with_the_switch(p: Pki) -> Case:
    ca, signed = p.ca.certificate, pki_module.signed_with(p.ra_encrypt.certificate, p.ca.key, "md5")
    return Case([signed, ca], by_fingerprint(ca), ca, signed, [ca], allowed=policy(legacy=True))


def two_generations(p: Pki) -> Case:
    """Old and new CA, each with its RA: the newest RA is taken, with the CA that issued it."""
    new_ca = pki_module.authority("Test CA G2", "other", start=NOW - 2 * DAY)
    new_ra = leaf("RA G2", "enrolled", new_ca, usage=KE, eku=[RA_EKU], start=NOW - DAY).certificate
    pins = by_fingerprint(p.ca.certificate, new_ca.certificate)
    return Case([*p.ndes, new_ca.certificate, new_ra], pins, new_ca.certificate, new_ra, [new_ca.certificate])


TRUSTED: list[Callable[[Pki], Case]] = [
    single_ca,
    ra_pair,
    one_ra,
    cmc_ra,
    ra_without_key_usage,
    renewed_ra,
    expired_ra_beside_its_successor,
    future_ra_beside_todays,
    device_beside_the_ra,
    ra_by_fingerprint,
    ra_by_relaxed_rule,
    intermediate_with_its_ra,
    intermediate_pinned,
    intermediate_and_root_pinned,
    intermediate_named_as_ra,
    root_as_certificate_not_offered,
    ca_as_certificate_ra_alone_offered,
    ec_ca_with_rsa_ra,
    md5_pin,
    sha1_pin,
    one_of_two_pins,
    offered_twice,
    an_unrelated_ca_beside,
    single_ca_without_extensions,
    sha1_signed_ra,
    md5_signed_ra_with_the_switch,
    two_generations,
]


@pytest.mark.parametrize("make", TRUSTED, ids=lambda make: make.__name__)
def test_trusted_in_whichever_order(make: Callable[[Pki], Case], pki: Pki) -> None:
    case = make(pki)
    for order in itertools.islice(itertools.permutations(case.offered), 24):
        case.offered = list(order)
        found = case.resolve()
        assert (found.ca, found.recipient) == (case.ca, case.recipient)
        assert list(found.chain) == case.chain
        assert set(found.offered) == set(order)


# --- refused ---------------------------------------------------------------------------------------------------------


def device_posing_as_ra(p: Pki) -> Case:
    """The negative test of the issue: a certificate of the same CA, any device's, in the place of the RA's."""
    return Case([p.enrolled.certificate, p.ca.certificate], by_fingerprint(p.ca.certificate),
                words="enrolled is not marked as a registration authority")  # fmt: skip


def device_posing_as_ra_alone(p: Pki) -> Case:
    return Case([p.enrolled.certificate], by_certificate(p.ca.certificate), words="not marked as a registration")


def expired_ra(p: Pki) -> Case:
    old = ra(BOTH, [RA_EKU], end=NOW - DAY)
    return Case(
        [old, p.ca.certificate], by_fingerprint(p.ca.certificate), words="Some RA is valid from .* to 2026-05-31"
    )


def future_ra(p: Pki) -> Case:
    coming = ra(BOTH, [RA_EKU], start=NOW + DAY)
    return Case([coming, p.ca.certificate], by_fingerprint(p.ca.certificate), words="Some RA is valid from 2026-06-02")


def expired_ra_by_fingerprint(p: Pki) -> Case:
    case = expired_ra(p)
    case.ra = RaRules((pin(case.offered[0]),), require_eku=False)
    return case


def ra_of_another_ca(p: Pki) -> Case:
    other = leaf("Other RA", "ra-encrypt", p.other_ca, eku=[RA_EKU]).certificate
    offered = [other, p.other_ca.certificate, p.ca.certificate]
    return Case(offered, by_fingerprint(p.ca.certificate), words="Other RA does not chain to the trust anchor")


def ra_of_another_ca_by_relaxed_rule(p: Pki) -> Case:
    case = ra_of_another_ca(p)
    case.ra = RaRules((pin(case.offered[0]),), require_eku=False)
    return case


def ra_of_a_namesake(p: Pki) -> Case:
    namesake = pki_module.authority("Test CA", "attacker")
    fake = leaf("Test RA", "attacker", namesake, eku=[RA_EKU]).certificate
    return Case([fake, namesake.certificate, p.ca.certificate], by_fingerprint(p.ca.certificate),
                words="Test RA does not chain")  # fmt: skip


def ra_issued_by_a_device(p: Pki) -> Case:
    fake = leaf("Test RA", "attacker", p.enrolled, eku=[RA_EKU]).certificate
    return Case([fake, p.enrolled.certificate, p.ca.certificate], by_fingerprint(p.ca.certificate),
                words="Test RA does not chain")  # fmt: skip


def ra_for_signatures_alone(p: Pki) -> Case:
    return Case([p.ra_sign.certificate, p.ca.certificate], by_fingerprint(p.ca.certificate),
                words="Test RA is not for encryption")  # fmt: skip


def ra_with_an_ec_key(p: Pki) -> Case:
    key = pki_module.ec_key("device")
    curve = certificate("EC RA", key, p.ca, eku=[RA_EKU])
    return Case([curve, p.ca.certificate], by_fingerprint(p.ca.certificate), words="EC RA is not for encryption")


def another_ca(p: Pki) -> Case:
    return Case([p.other_ca.certificate], by_fingerprint(p.ca.certificate),
                words="None of the certificates that the server offers is the pinned CA or issued by it")  # fmt: skip


def another_ca_than_the_given_certificate(p: Pki) -> Case:
    return Case([p.other_ca.certificate], TrustAnchor(certificates=(p.ca.certificate,)),
                words="None of the certificates that the server offers is the pinned CA or issued by it")  # fmt: skip


def nothing_pinned(p: Pki) -> Case:
    return Case(list(p.ndes), TrustAnchor(), words="None of the certificates")


def nothing_offered(p: Pki) -> Case:
    return Case([], by_fingerprint(p.ca.certificate), words=r"Offered, with SHA-256 fingerprints: none")


def pin_of_the_ra(p: Pki) -> Case:
    pins = by_fingerprint(p.ra_encrypt.certificate)
    return Case(list(p.ndes), pins, words="pinned certificate of CN=Test RA is not that of a CA")


def pin_of_a_device(p: Pki) -> Case:
    return Case([p.enrolled.certificate, *p.ndes], by_fingerprint(p.enrolled.certificate), words="not that of a CA")


def expired_ca(p: Pki) -> Case:
    old = certificate("Old CA", p.ca.key, ca=True, usage=CA_USAGE, end=NOW - DAY)
    return Case([old], by_fingerprint(old), words="The pinned CA certificate of CN=Old CA is valid from")


def expired_root_above(p: Pki) -> Case:
    old = certificate("Test Root", p.root.key, ca=True, usage=CA_USAGE, end=NOW - DAY)
    offered = [p.intermediate_ra.certificate, p.intermediate.certificate, old]
    return Case(offered, by_fingerprint(old), words="The pinned CA certificate of CN=Test Root is valid from")


def expired_intermediate(p: Pki) -> Case:
    old = certificate("Test Intermediate", p.intermediate.key, p.root, ca=True, usage=CA_USAGE, end=NOW - DAY)
    offered = [p.intermediate_ra.certificate, old, p.root.certificate]
    return Case(offered, by_fingerprint(p.root.certificate), words="does not chain")


def intermediate_missing(p: Pki) -> Case:
    offered = [p.intermediate_ra.certificate, p.root.certificate]
    return Case(offered, by_fingerprint(p.root.certificate), words="Intermediate RA does not chain")


def intermediate_alone_under_a_pinned_root(p: Pki) -> Case:
    offered = [p.intermediate.certificate, p.root.certificate]
    return Case(offered, by_fingerprint(p.root.certificate), words="pin that certificate itself")


def ec_ca_alone(p: Pki) -> Case:
    return Case([p.ec_ca.certificate], by_fingerprint(p.ec_ca.certificate), words="no certificate with an RSA key")


def md5_signed_ra(p: Pki) -> Case:
    case = md5_signed_ra_with_the_switch(p)
    case.allowed = policy()
    case.words = "Test RA does not chain"
    return case


def sha1_signed_ra_without_sha1(p: Pki) -> Case:
    case = sha1_signed_ra(p)
    case.allowed = policy(allow_sha1=False)
    case.words = "Test RA does not chain"
    return case


def device_as_intermediate(p: Pki) -> Case:
    """A certificate that says it is a CA, but was issued by a device."""
    fake = pki_module.authority("Fake CA", "attacker", p.enrolled)
    fake_ra = leaf("Fake RA", "other", fake, eku=[RA_EKU]).certificate
    offered = [fake_ra, fake.certificate, p.enrolled.certificate, p.ca.certificate]
    return Case(offered, by_fingerprint(p.ca.certificate), words="Fake RA does not chain")


REFUSED: list[Callable[[Pki], Case]] = [
    device_posing_as_ra,
    device_posing_as_ra_alone,
    expired_ra,
    future_ra,
    expired_ra_by_fingerprint,
    ra_of_another_ca,
    ra_of_another_ca_by_relaxed_rule,
    ra_of_a_namesake,
    ra_issued_by_a_device,
    ra_for_signatures_alone,
    ra_with_an_ec_key,
    another_ca,
    another_ca_than_the_given_certificate,
    nothing_pinned,
    nothing_offered,
    pin_of_the_ra,
    pin_of_a_device,
    expired_ca,
    expired_root_above,
    expired_intermediate,
    intermediate_missing,
    intermediate_alone_under_a_pinned_root,
    ec_ca_alone,
    md5_signed_ra,
    sha1_signed_ra_without_sha1,
    device_as_intermediate,
]


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_refused_in_whichever_order(make: Callable[[Pki], Case], pki: Pki) -> None:
    case = make(pki)
    for order in itertools.islice(itertools.permutations(case.offered), 24):
        case.offered = list(order)
        with pytest.raises(TrustError, match=case.words) as caught:
            case.resolve()
        assert caught.value.fail_info is None
        assert str(caught.value).endswith(".")


def test_the_sentence_names_what_was_pinned_and_what_was_offered(pki: Pki) -> None:
    with pytest.raises(TrustError) as caught:
        another_ca(pki).resolve()
    assert str(pin(pki.ca.certificate)) in str(caught.value)
    assert fingerprint(pki.other_ca.certificate) in str(caught.value)


# --- chains in bounded time ------------------------------------------------------------------------------------------


def test_many_cross_signed_namesakes_are_looked_at_once(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """GetCACert is not authenticated: whoever answers it may offer any number of CAs that have signed each other."""
    key = rsa_key("attacker")
    crowd = [certificate("Crowd", key, ca=True, usage=CA_USAGE) for _unused in range(20)]
    checked = 0
    genuine = certificates.verify_issued_by

    def counting(cert: x509.Certificate, issuer: x509.Certificate, allowed: AlgorithmPolicy) -> None:
        nonlocal checked
        checked += 1
        genuine(cert, issuer, allowed)

    monkeypatch.setattr(certificates, "verify_issued_by", counting)
    with pytest.raises(TrustError):
        resolve([*crowd, pki.other_ca.certificate], by_fingerprint(pki.ca.certificate), policy(), NOW)
    assert checked <= 21 * 21


def test_a_chain_of_any_length_is_found(pki: Pki) -> None:
    issuer = pki.root
    links = [issuer.certificate]
    for level in range(12):
        issuer = pki_module.authority(f"Level {level}", "other" if level % 2 else "attacker", issuer)
        links.append(issuer.certificate)
    device = certificate("device", pki.device.key, issuer)
    judged = trust.Trust(by_fingerprint(pki.root.certificate), RaRules(), policy(), tuple(links))
    assert judged.path(device, NOW) == tuple(reversed(links))


def test_the_shortest_path_is_taken(pki: Pki) -> None:
    """A cross certificate beside the direct one."""
    detour = certificate("Test Intermediate", pki.intermediate.key, pki.other_ca, ca=True, usage=CA_USAGE)
    longer = certificate("Other CA", pki.other_ca.key, pki.root, ca=True, usage=CA_USAGE)
    pool = (detour, longer, pki.intermediate.certificate, pki.root.certificate)
    judged = trust.Trust(by_fingerprint(pki.root.certificate), RaRules(), policy(), pool)
    device = certificate("device", pki.device.key, pki.intermediate)
    assert judged.path(device, NOW) == (pki.intermediate.certificate, pki.root.certificate)
