# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies as real servers send them, and replies that are wrong in one field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    BadRequest,
    DecodeError,
    DecryptionFailed,
    DigestMismatch,
    MalformedContent,
    ReplyError,
    ScepError,
    SignatureInvalid,
    TrustError,
    WrongRecipient,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import (
    failure,
    open_reply,
    pending,
    select_issued,
    success,
)

from support import forge
from support import pki as pki_module
from support.answers import asked, attribute, enveloped, forged, issued, ndes, opened
from support.forge import Envelope, SignedMessage
from support.pki import NOW, Pki, der, rsa_key

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
    "two failInfos": (
        lambda: attribute(forge.FAIL_INFO, asn1.printable("1"), asn1.printable("2"), status=2),
        BadRequest,
        "2 values",
    ),
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
    assert caught.value.__class__ is kind


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


@pytest.mark.parametrize("value", ["9", "-1", "", "\u0665", "x" * 30])
def test_a_failure_is_one_whatever_its_fail_info(value: str) -> None:
    reply = opened(attribute(forge.FAIL_INFO, asn1.utf8(value), status=2))
    assert (reply.status, reply.fail_info) == (PkiStatus.FAILURE, value.encode().decode("latin-1")[:20])
