# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies: each status there and back, and who may sign them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    CIPHERS,
    DIGESTS,
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    NoSignerCertificate,
    ReplyError,
    TrustError,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import (
    failure,
    open_reply,
    pending,
    select_crl,
    select_issued,
    success,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    RequestHeader,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    RaRules,
)
from cryptography import x509

from support import pki as pki_module
from support.answers import asked, ca_certificates, crl, issued, namesake, ndes, opened
from support.pki import CMC_RA, NOW, RA_EKU, Pki, leaf

# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_success(cipher: str, digest: str, pki: Pki, legacy: AlgorithmPolicy) -> None:
    request, header = asked(digest, cipher)
    body = success(header, pki.ra_sign, [issued(), pki.ca.certificate])
    reply = open_reply(body, request, ndes(), legacy, NOW)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, digest, cipher)
    assert (reply.fail_info, reply.fail_info_text, reply.hresult) == (None, None, None)
    assert reply.certificates == (issued(), pki.ca.certificate)
    assert reply.signer == pki.ra_sign.certificate
    assert select_issued(reply, pki.device.key.public_key(), ndes(), NOW) == (issued(), (pki.ca.certificate,))


def test_success_with_other_algorithms_than_asked(pki: Pki) -> None:
    reply = opened(success(asked()[1], pki.ra_sign, [issued()], digest="sha512", cipher="des-ede3-cbc"))
    assert (reply.digest, reply.cipher) == ("sha512", "des-ede3-cbc")


@pytest.mark.parametrize("fail_info", FailInfo)
@pytest.mark.parametrize(
    ("text", "hresult"), [(None, None), ("Das Passwort ist ungültig.", None), (None, 0x80070057), ("both", 0x0000FFFF)]
)
def test_failure(fail_info: FailInfo, text: str | None, hresult: int | None, pki: Pki) -> None:
    body = failure(asked()[1], pki.ra_sign, fail_info, text=text, hresult=hresult)
    reply = opened(body)
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, fail_info)
    assert (reply.fail_info_text, reply.hresult) == (text, hresult)
    assert (reply.certificates, reply.crls, reply.cipher) == ((), (), None)
    with pytest.raises(ReplyError):
        select_issued(reply, pki.device.key.public_key(), ndes(), NOW)


def test_pending(pki: Pki) -> None:
    reply = opened(pending(asked()[1], pki.ra_sign))
    assert (reply.status, reply.fail_info, reply.certificates) == (PkiStatus.PENDING, None, ())


def test_get_crl(pki: Pki) -> None:
    reply = opened(success(asked()[1], pki.ra_sign, [], crl=crl()))
    assert reply.certificates == ()
    assert select_crl(reply) == crl()
    assert x509.load_der_x509_crl(select_crl(reply)).issuer == pki.ca.certificate.subject
    with pytest.raises(ReplyError, match="no CRL"):
        select_crl(opened(success(asked()[1], pki.ra_sign, [issued()])))


def test_get_cert_brings_whichever_certificate(pki: Pki) -> None:
    assert opened(success(asked()[1], pki.ra_sign, [pki.enrolled.certificate])).certificates == (
        pki.enrolled.certificate,
    )


@pytest.mark.parametrize("nonce", [b"", b"n" * 8, b"n" * 16, b"n" * 64])
@pytest.mark.parametrize(
    "transaction", ["plain", "SSCEP transactionId", "q1/+Zz==", "user@x_y*", "\xe9\xff", "9" * 255]
)
def test_transaction_id_and_nonce_go_back_octet_for_octet(transaction: str, nonce: bytes, pki: Pki) -> None:
    header = replace(asked()[1], transaction_id=transaction, sender_nonce=nonce)
    request = replace(asked()[0], transaction_id=transaction, sender_nonce=nonce)
    for body in (failure(header, pki.ra_sign, FailInfo.BAD_REQUEST), success(header, pki.ra_sign, [issued()])):
        assert open_reply(body, request, ndes(), policy(), NOW).status is not PkiStatus.PENDING


def test_a_refused_request_is_answered_with_what_is_known_of_it(pki: Pki) -> None:
    header = RequestHeader(None, "T", b"", None, "sha256", None)
    body = failure(header, pki.ra_sign, FailInfo.BAD_ALG)
    request = replace(asked()[0], transaction_id="T", sender_nonce=b"")
    assert open_reply(body, request, ndes(), policy(), NOW).fail_info is FailInfo.BAD_ALG
    with pytest.raises(NoSignerCertificate):
        success(header, pki.ra_sign, [issued()])


def test_sender_nonces_of_replies_are_fresh(pki: Pki) -> None:
    bodies = {failure(asked()[1], pki.ra_sign, FailInfo.BAD_REQUEST) for _unused in range(10)}
    assert len(bodies) == 10
    assert not any(asked()[0].sender_nonce in body.replace(asked()[0].sender_nonce, b"", 1) for body in bodies)


# --- who may sign ----------------------------------------------------------------------------------------------------


def test_the_ca_itself_may_sign(pki: Pki) -> None:
    single = ca_certificates([pki.ca.certificate], pki.ca.certificate)
    for ca in (ndes(), single):
        assert opened(success(asked()[1], pki.ca, [issued()]), ca).signer == pki.ca.certificate


def test_an_ec_ca_may_sign(pki: Pki) -> None:
    ca = ca_certificates([pki.ec_ca.certificate, pki.ec_ra.certificate], pki.ec_ca.certificate)
    reply = opened(success(asked()[1], pki.ec_ca, [issued()], digest="sha384"), ca)
    assert (reply.signer, reply.digest) == (pki.ec_ca.certificate, "sha384")


def test_a_reply_without_certificates_is_verified_with_those_of_get_ca_cert(pki: Pki) -> None:
    for body in (
        failure(asked()[1], pki.ra_sign, FailInfo.BAD_REQUEST, include=[]),
        pending(asked()[1], pki.ra_sign, include=[]),
        success(asked()[1], pki.ra_sign, [issued()], include=[]),
    ):
        assert opened(body).signer == pki.ra_sign.certificate
    with pytest.raises(NoSignerCertificate, match="GetCACert"):
        single = ca_certificates([pki.ca.certificate], pki.ca.certificate)
        opened(failure(asked()[1], pki.ra_sign, FailInfo.BAD_REQUEST, include=[]), single)


def test_an_ra_that_get_ca_cert_does_not_offer_may_sign_when_it_is_marked(pki: Pki) -> None:
    single = ca_certificates([pki.ca.certificate], pki.ca.certificate)
    for eku in (RA_EKU, CMC_RA):
        newcomer = leaf("New RA", "other", pki.ca, eku=[eku])
        assert opened(pending(asked()[1], newcomer), single).signer == newcomer.certificate


def _attacker() -> Identity:
    return leaf("Attacker", "attacker", None)


def _ra_ofnamesake() -> Identity:
    return leaf("Test RA", "attacker", namesake(), eku=[RA_EKU])


def _expired_ra() -> Identity:
    return leaf("Old RA", "attacker", pki_module.shared().ca, eku=[RA_EKU], end=NOW - dt.timedelta(days=1))


SIGNERS: dict[str, tuple[Callable[[], Identity], str]] = {
    "nobody": (_attacker, "does not chain"),
    "the device itself": (lambda: pki_module.shared().device, "does not chain"),
    "a device of the same CA": (lambda: pki_module.shared().enrolled, "not marked as a registration authority"),
    "a namesake of the CA": (namesake, "does not chain"),
    "the RA of a namesake": (_ra_ofnamesake, "does not chain"),
    "another CA": (lambda: pki_module.shared().other_ca, "does not chain"),
    "the RA of another CA": (lambda: pki_module.shared().ec_ra, "does not chain"),
    "an expired RA": (_expired_ra, "is valid from"),
}


@pytest.mark.parametrize("who", SIGNERS)
@pytest.mark.parametrize("status", ["success", "failure", "pending"])
def test_who_may_not_sign(who: str, status: str, pki: Pki) -> None:
    make, words = SIGNERS[who]
    signer = make()
    include = [signer.certificate, namesake().certificate, pki.ca.certificate]
    body = {
        "success": lambda: success(asked()[1], signer, [issued()], include=include),
        "failure": lambda: failure(asked()[1], signer, FailInfo.BAD_REQUEST, include=include),
        "pending": lambda: pending(asked()[1], signer, include=include),
    }[status]()
    with pytest.raises(TrustError, match=words):
        opened(body)


def test_a_device_of_the_same_ca_may_sign_only_where_the_rule_is_relaxed(pki: Pki) -> None:
    body = pending(asked()[1], pki.enrolled)
    relaxed = ca_certificates(pki.ndes, pki.ca.certificate, RaRules(require_eku=False))
    assert opened(body, relaxed).status is PkiStatus.PENDING


def test_every_message_type_of_a_request_can_be_answered(pki: Pki) -> None:
    for kind in MessageType:
        header = replace(asked()[1], message_type=kind)
        assert opened(success(header, pki.ra_sign, [issued()])).status is PkiStatus.SUCCESS
