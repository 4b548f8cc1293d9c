# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies: each status there and back, as real servers send them, and wrong in every field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    CIPHERS,
    DIGESTS,
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import parse_fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    BadRequest,
    DecodeError,
    DecryptionFailed,
    DigestMismatch,
    MalformedContent,
    NoSignerCertificate,
    ReplyError,
    ScepError,
    SignatureInvalid,
    TrustError,
    WrongRecipient,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import (
    Reply,
    failure,
    open_reply,
    pending,
    select_crl,
    select_issued,
    success,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    Request,
    RequestHeader,
    open_request,
    pkcs_req,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    CaCertificates,
    RaRules,
    TrustAnchor,
    resolve,
)
from cryptography import x509

from support import bench as bench_module
from support import forge
from support import pki as pki_module
from support.forge import Envelope, SignedMessage
from support.pki import CMC_RA, NOW, RA_EKU, Pki, der, leaf, rsa_key


def ca_certificates(
    offered: Sequence[x509.Certificate], pinned: x509.Certificate, ra: RaRules | None = None
) -> CaCertificates:
    return resolve(offered, TrustAnchor(certificates=(pinned,)), policy(legacy=True), NOW, ra)


@cache
def ndes() -> CaCertificates:
    pki = pki_module.shared()
    return ca_certificates(pki.ndes, pki.ca.certificate)


@cache
def asked(digest: str = "sha256", cipher: str = "aes-128-cbc") -> tuple[Request, RequestHeader]:
    """A request, and what the server knows of it."""
    bench = bench_module.bench()
    request = pkcs_req(bench.csr, bench.pki.device, bench.pki.ra_encrypt.certificate, digest, cipher)
    return request, open_request(request.message, [bench.pki.ra_encrypt], policy(legacy=True)).header


@cache
def issued() -> x509.Certificate:
    pki = pki_module.shared()
    return pki.issue(pki.device.key)


@cache
def crl() -> bytes:
    ca = pki_module.shared().ca
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + dt.timedelta(days=1))
    return pki_module.crl_der(builder, ca.key)


def opened(body: bytes, ca: CaCertificates | None = None, allowed: AlgorithmPolicy | None = None) -> Reply:
    return open_reply(body, asked()[0], ca or ndes(), allowed or policy(), NOW)


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


def _namesake() -> Identity:
    """Calls itself the CA, with a key of its own."""
    return pki_module.authority("Test CA", "attacker")


def _ra_of_namesake() -> Identity:
    return leaf("Test RA", "attacker", _namesake(), eku=[RA_EKU])


def _expired_ra() -> Identity:
    return leaf("Old RA", "attacker", pki_module.shared().ca, eku=[RA_EKU], end=NOW - dt.timedelta(days=1))


SIGNERS: dict[str, tuple[Callable[[], Identity], str]] = {
    "nobody": (_attacker, "does not chain"),
    "the device itself": (lambda: pki_module.shared().device, "does not chain"),
    "a device of the same CA": (lambda: pki_module.shared().enrolled, "not marked as a registration authority"),
    "a namesake of the CA": (_namesake, "does not chain"),
    "the RA of a namesake": (_ra_of_namesake, "does not chain"),
    "another CA": (lambda: pki_module.shared().other_ca, "does not chain"),
    "the RA of another CA": (lambda: pki_module.shared().ec_ra, "does not chain"),
    "an expired RA": (_expired_ra, "is valid from"),
}


@pytest.mark.parametrize("who", SIGNERS)
@pytest.mark.parametrize("status", ["success", "failure", "pending"])
def test_who_may_not_sign(who: str, status: str, pki: Pki) -> None:
    make, words = SIGNERS[who]
    signer = make()
    include = [signer.certificate, _namesake().certificate, pki.ca.certificate]
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


# --- wrong in every field --------------------------------------------------------------------------------------------


def forged(status: int = 0, signer: Identity | None = None, **changes: Any) -> bytes:
    """A right reply, written apart from the code under test, with changes."""
    pki = pki_module.shared()
    request = asked()[0]
    envelope = Envelope(forge.degenerate([der(issued())]), [pki.device.certificate])
    message = SignedMessage(
        envelope.build() if status == 0 else None,
        forge.reply_attributes(status, request.transaction_id, request.sender_nonce),
        signer or pki.ra_sign,
    )
    return message.but(**changes).build()


def enveloped(**changes: Any) -> bytes:
    envelope = Envelope(forge.degenerate([der(issued())]), [pki_module.shared().device.certificate])
    return forged(content=replace(envelope, **changes).build())


def attribute(oid: str, *values: bytes, status: int = 0) -> bytes:
    return forged(status, attributes={oid: list(values) or None})


RIGHT: dict[str, Callable[[], bytes]] = {
    "nothing odd": forged,
    "BER in pieces, inside and outside": lambda: forged(
        pieces=1000,
        content=Envelope(
            forge.degenerate([der(issued())]), [pki_module.shared().device.certificate], style="indefinite"
        ).build(),
    ),
    "constructed [0] inside": lambda: enveloped(style="go"),
    "sha1WithRSAEncryption": lambda: forged(digest="sha1", signature_identifier=pki_module.rsa_identifier("sha1")),
    "attributes unsorted": lambda: forged(sent_in_order=True),
    "attributes unsorted, signed as sorted": lambda: forged(sent_in_order=True, signed_in_order=False),
    "senderNonce echoes the request": lambda: attribute(forge.SENDER_NONCE, asn1.octet_string(asked()[0].sender_nonce)),
    "no senderNonce": lambda: attribute(forge.SENDER_NONCE),
    "no certificates": lambda: forged(certificates=[]),
    "all certificates of GetCACert": lambda: forged(certificates=[der(one) for one in pki_module.shared().ndes]),
    "failInfo with SUCCESS": lambda: attribute(forge.FAIL_INFO, asn1.printable("2")),
    "two recipients": lambda: enveloped(
        recipients=[pki_module.shared().ca.certificate, pki_module.shared().device.certificate]
    ),
    "3DES": lambda: enveloped(cipher="des-ede3-cbc"),
}


@pytest.mark.parametrize("what", RIGHT)
def test_odd_but_right(what: str, pki: Pki) -> None:
    reply = opened(RIGHT[what]())
    assert reply.status is PkiStatus.SUCCESS
    assert select_issued(reply, pki.device.key.public_key(), ndes(), NOW) == (issued(), (pki.ca.certificate,))


WRONG: dict[str, tuple[Callable[[], bytes], type[ScepError], str]] = {
    "nothing": (lambda: b"", DecodeError, "truncated"),
    "a web page": (lambda: b"<html>", DecodeError, ""),
    "a certificate": (lambda: der(issued()), DecodeError, ""),
    "no signer": (lambda: forge.degenerate([der(issued())]), DecodeError, "0 signers"),
    "two signers": (lambda: forged(signers=2), DecodeError, "2 signers"),
    "65 certificates": (lambda: forged(certificates=[der(issued())] * 65), DecodeError, "65 certificates"),
    "a broken certificate": (lambda: forged(certificates=[asn1.sequence()]), DecodeError, "not an X.509"),
    "another key has signed": (lambda: forged(key=rsa_key("attacker")), SignatureInvalid, ""),
    "no signature": (lambda: forged(signature=b""), SignatureInvalid, ""),
    "no signed attributes": (lambda: forged(no_attributes=True), DigestMismatch, "contentType"),
    "another contentType": (
        lambda: attribute(forge.CONTENT_TYPE, asn1.oid(forge.SIGNED)),
        DigestMismatch,
        "contentType",
    ),
    "another messageDigest": (
        lambda: attribute(forge.MESSAGE_DIGEST, asn1.octet_string(bytes(32))),
        DigestMismatch,
        "messageDigest",
    ),
    "MD5": (lambda: forged(digest="md5"), BadAlgorithm, "MD5"),
    "an unknown digest": (lambda: forged(digest="sha224"), BadAlgorithm, "2.16.840.1.101.3.4.2.4"),
    "a PKCSReq": (lambda: attribute(forge.MESSAGE_TYPE, asn1.printable("19")), ReplyError, "no CertRep"),
    "no messageType": (lambda: attribute(forge.MESSAGE_TYPE), ReplyError, "no CertRep"),
    "messageType 99": (lambda: attribute(forge.MESSAGE_TYPE, asn1.printable("99")), BadRequest, "'99'"),
    "no transactionID": (lambda: attribute(forge.TRANSACTION_ID), DecodeError, "no transactionID"),
    "another transactionID": (
        lambda: attribute(forge.TRANSACTION_ID, asn1.printable("other")),
        ReplyError,
        "another transaction",
    ),
    "transactionID in lower case": (
        lambda: attribute(forge.TRANSACTION_ID, asn1.printable(asked()[0].transaction_id.lower())),
        ReplyError,
        "another",
    ),
    "no recipientNonce": (lambda: attribute(forge.RECIPIENT_NONCE), ReplyError, "replay"),
    "another recipientNonce": (
        lambda: attribute(forge.RECIPIENT_NONCE, asn1.octet_string(bytes(16))),
        ReplyError,
        "replay",
    ),
    "a shorter recipientNonce": (
        lambda: attribute(forge.RECIPIENT_NONCE, asn1.octet_string(asked()[0].sender_nonce[:8])),
        ReplyError,
        "replay",
    ),
    "two recipientNonces": (
        lambda: attribute(forge.RECIPIENT_NONCE, *[asn1.octet_string(asked()[0].sender_nonce)] * 2),
        DecodeError,
        "2 values",
    ),
    "no pkiStatus": (lambda: attribute(forge.PKI_STATUS), ReplyError, "no pkiStatus"),
    "pkiStatus 1": (lambda: attribute(forge.PKI_STATUS, asn1.printable("1")), BadRequest, "pkiStatus"),
    "pkiStatus is a word": (lambda: attribute(forge.PKI_STATUS, asn1.printable("SUCCESS")), BadRequest, "pkiStatus"),
    "two pkiStatus": (
        lambda: attribute(forge.PKI_STATUS, asn1.printable("0"), asn1.printable("0")),
        BadRequest,
        "2 values",
    ),
    "failInfo 9": (lambda: attribute(forge.FAIL_INFO, asn1.printable("9"), status=2), BadRequest, "failInfo"),
    "SUCCESS without content": (lambda: forged(content=None), ReplyError, "no content"),
    "SUCCESS with empty content": (lambda: forged(content=b""), ReplyError, "no content"),
    "SUCCESS with one zero octet": (lambda: forged(content=b"\0"), DecodeError, ""),
    "content is not encrypted": (
        lambda: forged(content=forge.degenerate([der(issued())])),
        DecodeError,
        "EnvelopedData",
    ),
    "encrypted to somebody else": (
        lambda: enveloped(recipients=[pki_module.shared().enrolled.certificate]),
        WrongRecipient,
        "",
    ),
    "encrypted key is rubbish": (lambda: enveloped(encrypted_key=b"\1" * 256), DecryptionFailed, ""),
    "wrong padding": (lambda: enveloped(plain=bytes(16), padded=False), DecryptionFailed, ""),
    "single DES": (lambda: enveloped(cipher="des-cbc"), BadAlgorithm, "single DES, which is not allowed"),
    "content is a bare certificate": (
        lambda: enveloped(plain=der(issued())),
        MalformedContent,
        "no set of certificates",
    ),
    "content is rubbish": (lambda: enveloped(plain=b"rubbish"), MalformedContent, "no set of certificates"),
    "content has a broken certificate": (
        lambda: enveloped(plain=forge.degenerate([asn1.sequence()])),
        DecodeError,
        "not an X.509",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_in_one_field(what: str) -> None:
    build, kind, words = WRONG[what]
    with pytest.raises(ScepError, match=words or None) as caught:
        opened(build())
    assert type(caught.value) is kind


def test_sha1_may_be_switched_off() -> None:
    with pytest.raises(BadAlgorithm, match="SHA-1"):
        opened(forged(digest="sha1"), allowed=policy(allow_sha1=False))


def test_tampered_content(pki: Pki) -> None:
    body = bytearray(forged())
    where = bytes(body).index(der(pki.ra_sign.certificate)) - 40  # in the ciphertext, which comes just before
    body[where] ^= 1
    with pytest.raises(DigestMismatch):
        opened(bytes(body))


def test_a_reply_to_another_request_of_the_same_device_is_refused(pki: Pki) -> None:
    """Same transactionID, fresh nonce: a recorded answer does not pass (RFC 8894 section 3.2.1.5)."""
    old, header = asked()
    again = replace(old, sender_nonce=b"another nonce...")
    with pytest.raises(ReplyError, match="replay"):
        open_reply(success(header, pki.ra_sign, [issued()]), again, ndes(), policy(), NOW)


def test_an_expired_ra_does_not_verify_later(pki: Pki) -> None:
    body = pending(asked()[1], pki.ra_sign)
    with pytest.raises(TrustError, match="is valid from"):
        open_reply(body, asked()[0], ndes(), policy(), pki_module.END + dt.timedelta(seconds=1))


# --- what NDES really answers ----------------------------------------------------------------------------------------


def test_a_failure_as_ndes_sends_it(pki: Pki) -> None:
    """One zero octet as content, no certificates, an HRESULT, no failInfoText, SHA-1."""
    more = {"fail_info": asn1.printable("2"), "ms_error": asn1.printable("-2147024809")}
    request = asked()[0]
    attributes = forge.reply_attributes(2, request.transaction_id, request.sender_nonce, **more)
    body = SignedMessage(b"\0", attributes, pki.ra_sign, digest="sha1", certificates=[]).build()
    reply = opened(body)
    assert (reply.status, reply.fail_info, reply.hresult) == (PkiStatus.FAILURE, FailInfo.BAD_REQUEST, 0x80070057)
    assert reply.fail_info_text is None
    own = failure(
        asked("sha1")[1], pki.ra_sign, FailInfo.BAD_REQUEST, hresult=0x80070057, include=[], empty_content=b"\0"
    )
    assert open_reply(own, asked("sha1")[0], ndes(), policy(), NOW).hresult == 0x80070057


@pytest.mark.parametrize(
    ("value", "hresult"),
    [
        (asn1.printable("-2147024809"), 0x80070057),
        (asn1.printable("-2146893820"), 0x80090004),
        (asn1.printable("2147942487"), 0x80070057),
        (asn1.utf8("0"), 0),
        (asn1.printable("4294967295"), 0xFFFFFFFF),
        (asn1.printable("0x80070057"), None),
        (asn1.printable("-"), None),
        (asn1.printable(""), None),
        (asn1.printable("9" * 30), None),
        (asn1.integer(5), None),
        (asn1.utf8("\u0665"), None),
        (asn1.tlv(asn1.UTF8_STRING, b"\xff"), None),
    ],
)
def test_the_microsoft_error_attribute_never_stands_in_the_way(value: bytes, hresult: int | None) -> None:
    assert opened(attribute(forge.MS_ERROR, value, status=2)).hresult == hresult
    assert opened(attribute(forge.MS_ERROR, value, value, status=2)).hresult is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (asn1.utf8("Das Passwort ist ungültig."), "Das Passwort ist ungültig."),
        (asn1.printable("denied"), "denied"),
        (asn1.utf8("two\nlines \x1b[31m"), "two lines  [31m"),
        (asn1.utf8(""), ""),
    ],
)
def test_fail_info_text_is_for_people(value: bytes, text: str) -> None:
    assert opened(attribute(forge.FAIL_INFO_TEXT, value, status=2)).fail_info_text == text


def test_a_failure_without_fail_info() -> None:
    reply = opened(forged(2))
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, None)


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
        lambda pki: pki.issue(pki.device.key, issuer=_namesake()),
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
        chosen(make(pki), pki.other_ca.certificate, _namesake().certificate, ca=strict)


def pki_sha256(pki: Pki) -> str:
    return pki_module.sha256(pki.ca.certificate)


def test_the_cas_own_certificate_is_not_what_was_asked_for(pki: Pki) -> None:
    with pytest.raises(ReplyError, match="CA's own certificate"):
        select_issued(reply_with(pki.ca.certificate), pki.ca.key.public_key(), ndes(), NOW)


def test_every_message_type_of_a_request_can_be_answered(pki: Pki) -> None:
    for kind in MessageType:
        header = replace(asked()[1], message_type=kind)
        assert opened(success(header, pki.ra_sign, [issued()])).status is PkiStatus.SUCCESS
