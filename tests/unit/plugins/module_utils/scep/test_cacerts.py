# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetCACert and GetNextCACert answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import (
    read_ca_certificates,
    read_next_ca,
    write_ca_certificates,
    write_next_ca,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    DecodeError,
    DigestMismatch,
    NoSignerCertificate,
    ScepError,
    SignatureInvalid,
    TrustError,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import CaCertificates, TrustAnchor, resolve

from support import ber, forge
from support import pki as pki_module
from support.forge import SignedMessage
from support.pki import NOW, Pki, der, leaf


@pytest.fixture(scope="module")
def current(pki: Pki) -> CaCertificates:
    return resolve(pki.ndes, TrustAnchor(certificates=(pki.ca.certificate,)), policy(), NOW)


def test_one_certificate_is_bare_and_several_keep_their_order(pki: Pki) -> None:
    body, kind = write_ca_certificates([pki.ca.certificate])
    assert (body, kind) == (der(pki.ca.certificate), "application/x-x509-ca-cert")
    assert read_ca_certificates(body) == (pki.ca.certificate,)
    for order in (pki.ndes, pki.ndes[::-1]):
        body, kind = write_ca_certificates(order)
        assert kind == "application/x-x509-ca-ra-cert"
        assert read_ca_certificates(body) == order


def test_degenerate_answers_as_others_write_them(pki: Pki) -> None:
    encoded = [der(one) for one in pki.ndes]
    der_form = forge.degenerate(encoded)
    assert read_ca_certificates(der_form) == pki.ndes
    assert read_ca_certificates(forge.degenerate(encoded[:1])) == pki.ndes[:1]
    for forms in (0, 1, 2):
        again = ber.reencode(asn1.read(forge.degenerate([])), lambda n, forms=forms: min(forms, n - 1))  # type: ignore[misc]
        with pytest.raises(DecodeError, match="empty set"):
            read_ca_certificates(again)
    indefinite = ber.indefinite(
        0x30,
        asn1.oid(forge.SIGNED),
        ber.indefinite(
            0xA0,
            ber.indefinite(
                0x30,
                asn1.integer(1),
                asn1.set_of(),
                ber.indefinite(0x30, asn1.oid(forge.DATA)),
                ber.indefinite(0xA0, *encoded),
                ber.indefinite(0xA1),
                ber.indefinite(0x31),
            ),
        ),
    )
    assert read_ca_certificates(indefinite) == pki.ndes


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "truncated"),
        (b"<html>", "web page"),
        (b"\r\n <!DOCTYPE html>", "web page"),
        (b"\x30\x00", "missing"),
        (b"\x30\x03\x02\x01\x05", "expected"),
        (asn1.sequence(asn1.sequence()), "not an X.509 certificate"),
        (forge.degenerate([]), "empty set"),
        (forge.degenerate([asn1.sequence()]), "not an X.509 certificate"),
        (forge.degenerate([asn1.sequence()] * 65), "65 certificates"),
        (b"-----BEGIN CERTIFICATE-----\n", ""),
    ],
)
def test_what_is_no_answer_to_get_ca_cert(body: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words or None):
        read_ca_certificates(body)


def test_a_truncated_certificate(pki: Pki) -> None:
    for size in (10, 100, len(der(pki.ca.certificate)) - 1):
        with pytest.raises(DecodeError):
            read_ca_certificates(der(pki.ca.certificate)[:size])


# --- GetNextCACert ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_next_ca(digest: str, pki: Pki, current: CaCertificates) -> None:
    coming = (pki.root.certificate, pki.intermediate.certificate)
    body = write_next_ca(coming, pki.ca, digest)
    assert read_next_ca(body, current, policy(), NOW) == coming
    assert read_next_ca(write_next_ca(coming[:1], pki.ca, digest), current, policy(), NOW) == coming[:1]


def test_the_ra_may_sign_the_next_ca(pki: Pki, current: CaCertificates) -> None:
    body = write_next_ca([pki.root.certificate], pki.ra_sign, "sha256")
    assert read_next_ca(body, current, policy(), NOW) == (pki.root.certificate,)


def forged(pki: Pki, **changes: object) -> bytes:
    return SignedMessage(forge.degenerate([der(pki.root.certificate)]), {}, pki.ca).but(**changes).build()


WRONG: dict[str, tuple[Callable[[Pki], bytes], type[ScepError]]] = {
    "nothing": (lambda p: b"", DecodeError),
    "a web page": (lambda p: b"<html>", DecodeError),
    "not signed": (lambda p: forge.degenerate([der(p.root.certificate)]), DecodeError),
    "two signers": (lambda p: forged(p, signers=2), DecodeError),
    "no content": (lambda p: forged(p, content=None), DecodeError),
    "nothing in it": (lambda p: forged(p, content=forge.degenerate([])), DecodeError),
    "signed by the next CA itself": (lambda p: forged(p, signer=p.root), TrustError),
    "signed by a device": (lambda p: forged(p, signer=p.enrolled), TrustError),
    "signed by a namesake": (lambda p: forged(p, signer=pki_module.authority("Test CA", "attacker")), TrustError),
    "signed by an expired RA": (
        lambda p: forged(
            p, signer=leaf("Old RA", "other", p.ca, eku=[pki_module.RA_EKU], end=NOW - dt.timedelta(days=1))
        ),
        TrustError,
    ),
    "another key has signed": (lambda p: forged(p, key=p.root.key), SignatureInvalid),
    "another messageDigest": (
        lambda p: forged(p, attributes={forge.MESSAGE_DIGEST: [asn1.octet_string(b"")]}),
        DigestMismatch,
    ),
    "a signer nobody has": (lambda p: forged(p, signer=p.root, certificates=[]), NoSignerCertificate),
    "MD5": (lambda p: forged(p, digest="md5"), BadAlgorithm),
}


@pytest.mark.parametrize("what", WRONG)
def test_next_ca_that_is_not_taken(what: str, pki: Pki, current: CaCertificates) -> None:
    build, kind = WRONG[what]
    with pytest.raises(ScepError) as caught:
        read_next_ca(build(pki), current, policy(), NOW)
    assert caught.value.__class__ is kind


def test_the_certificate_of_todays_ca_need_not_be_sent_again(pki: Pki, current: CaCertificates) -> None:
    assert read_next_ca(forged(pki, certificates=[]), current, policy(), NOW) == (pki.root.certificate,)
