# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that refuse, fail or lie: one sentence, no file touched, and the next run at a proper server succeeds."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import transport as transport_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.pending import SUFFIX
from ansible_collections.netcert.ndes.plugins.module_utils.http_client import MAX_BODY
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo

from support import forge
from support import pki as pki_module
from support import variations as var
from support.answers import namesake
from support.awkward import Answer, Awkward
from support.pki import rsa_key
from support.task import Run

from .conftest import key_and_certificate_match, sentence

OPERATION = "PKIOperation"
TODAY = dt.datetime.now(dt.timezone.utc)
NO_CERTIFICATE = "The reply has no certificate for the key that was requested."
NOT_TRUSTED = "None of the RA certificates that the server offers can be trusted with a request: "
NO_MESSAGE = "The server at {url} answers {operation} with something that is no SCEP message: "
OUT_OF_DATE = "is valid from 2025-06-01 12:00 to 2026-06-01 12:00 UTC"
NO_CHAIN = (
    "The issued certificate of CN=sw1.example.com,O=Example does not chain to the trust anchor, or is out of date."
)
REPLAY = "The recipientNonce of the reply is not the senderNonce of the request; it may be a replay."
OTHER_TRANSACTION = "The reply belongs to another transaction: its transactionID is {}, that of the request {{asked}}."


@dataclass(frozen=True)
class Case:
    """A server, the sentence, and whether the request is kept to be sent again, because no answer to it is known."""

    change: var.Change
    sentence: str
    kept: bool = True
    options: dict[str, Any] = field(default_factory=dict)


# Where the server has shown so little of itself that nothing is sent to it.
BEFORE_TRUST = {
    "a web page for GetCACert": Case(
        var.answers("GetCACert", var.PAGE),
        "The server at {url} answers GetCACert with a web page, so it is no SCEP server; check the path in url.",
    ),
    "404": Case(
        var.answers("GetCACert", Answer(b"", 404)),
        "The server at {url} answers GetCACert with HTTP 404 (Not Found); check the path in url; that of NDES ends in "
        "/certsrv/mscep/mscep.dll.",
    ),
    "sent on": Case(
        var.answers("GetCACert", Answer(b"", 302, headers={"Location": "https://other.example/scep?x=y"})),
        "The server at {url} sends GetCACert on to https://other.example/scep; if that is the SCEP server, give it as "
        "url.",
    ),
    "garbage for GetCACert": Case(
        var.answers("GetCACert", Answer(b"garbage")), f"{NO_MESSAGE}The ASN.1 structure is truncated."
    ),
    "the CA cut off": Case(var.ca_cut_off, f"{NO_MESSAGE}The ASN.1 structure is truncated."),
    "the CA in PEM": Case(
        var.ca_in_pem,
        f"{NO_MESSAGE}The ASN.1 structure is followed by bytes that do not belong to it.",
    ),
    "an empty set": Case(
        var.answers("GetCACert", Answer(forge.degenerate([]))),
        f"{NO_MESSAGE}The server answers with an empty set of CA certificates.",
    ),
    "no CA certificate": Case(
        var.offered("ra_sign", "other_ca"),
        "None of the certificates that the server offers is the pinned CA or issued by it (pinned: SHA-256 {pin}). "
        "Offered, with SHA-256 fingerprints: CN=Test RA: {ra}; CN=Other CA: {other}.",
    ),
    "a device poses as RA": Case(
        var.offered("enrolled", "ca"),
        f"{NOT_TRUSTED}CN=enrolled is not marked as a registration authority (it has no certificate request agent "
        "extended key usage).",
    ),
    "nobody to encrypt to": Case(var.offered("ra_sign", "ca"), f"{NOT_TRUSTED}CN=Test RA is not for encryption."),
    "an expired RA": Case(var.expired_ra, f"{NOT_TRUSTED}CN=Old RA {OUT_OF_DATE}."),
    "no digest that is allowed": Case(
        var.capabilities(b"SHA-1\nAES"),
        "The server offers no digest that is allowed here; it offers SHA-1. allow_sha1 would allow it; a server that "
        "can do better is safer.",
        options={"allow_sha1": False},
    ),
}

HTTP = {
    "500": Case(
        var.answers(OPERATION, Answer(b"", 500)),
        "The server at {url} answers PKIOperation with HTTP 500 (Internal Server Error); its log should say why.",
    ),
    "a web page for the reply": Case(
        var.answers(OPERATION, var.PAGE),
        "The server at {url} answers PKIOperation with a web page, so it is no SCEP server; check the path in url.",
    ),
    "nothing for the reply": Case(
        var.answers(OPERATION, Answer(b"")),
        "The server at {url} answers PKIOperation with nothing at all; its log should say why.",
    ),
    "the connection ends early": Case(
        var.wrapped(declared=9000),
        "The server 127.0.0.1 closed the connection before its answer to PKIOperation was complete.",
    ),
    "too slow": Case(
        var.wrapped(pause=20),
        "The server at {url} did not complete its answer to PKIOperation within 3 seconds; raise timeout if it is "
        "merely slow.",
        options={"timeout": 3.0},
    ),
    "too much": Case(
        var.answers(OPERATION, Answer(b"0" * (MAX_BODY + 1))),
        "The server at {url} answers PKIOperation with more than 4194304 octets; check url.",
    ),
    "garbage for the reply": Case(
        var.reply(lambda server, request: asn1.sequence()),
        f"{NO_MESSAGE}An ASN.1 element that should be there is missing.",
    ),
    "the message cut off": Case(
        var.reply(lambda server, request: server.issue(request)[:-7]), f"{NO_MESSAGE}The ASN.1 structure is truncated."
    ),
    "compressed, though that was not asked": Case(
        var.reply(lambda server, request: gzip.compress(server.issue(request), mtime=0)),
        f"{NO_MESSAGE}The ASN.1 structure uses a tag that no SCEP message has.",
    ),
    "in Base64": Case(
        var.reply(lambda server, request: base64.b64encode(server.issue(request))),
        f"{NO_MESSAGE}The ASN.1 structure is followed by bytes that do not belong to it.",
    ),
}

FAILURES = {
    "wrong password": Case(
        var.refuse(FailInfo.BAD_REQUEST, text="The challenge password is wrong"),
        "The server refuses the request with failInfo badRequest (the request is not permitted or not supported); it "
        "says 'The challenge password is wrong'. Cause: usually a challenge password that is wrong, used or expired, "
        "otherwise names, key size or template; get a new challenge password, or ask for what the CA allows.",
        kept=False,
    ),
    "as NDES refuses": Case(
        var.refuse(FailInfo.BAD_REQUEST, hresult=0x80070490, empty_content=b"\0", include=[]),
        "The server refuses the request with failInfo badRequest and HRESULT 0x80070490 (ERROR_NOT_FOUND: NDES did not "
        "find what it looked for). Cause: usually a challenge password that is unknown to NDES, used, expired, or "
        "forgotten with a restart of its application pool; get a new challenge password and use it at once.",
        kept=False,
    ),
    "without a reason": Case(
        var.forged(2),
        "The server refuses the request with no failInfo (it gives no reason). Cause: not known; look into the log of "
        "the server.",
        kept=False,
    ),
    "with a reason that there is not": Case(
        var.attribute(forge.FAIL_INFO, asn1.printable("9"), status=2),
        "The server refuses the request with failInfo '9' (RFC 8894 has no such value). Cause: not known; look into "
        "the log of the server.",
        kept=False,
    ),
}

SIGNATURE = {
    "signed by another CA": Case(
        var.signed_by(lambda server: server.pki.other_ca),
        "The reply is signed by CN=Other CA, whose certificate does not chain to the trust anchor.",
    ),
    "signed by a namesake of the CA": Case(
        var.signed_by(lambda server: namesake()),
        "The reply is signed by CN=Test CA, whose certificate does not chain to the trust anchor.",
    ),
    "signed by a device of the CA": Case(
        var.signed_by(lambda server: server.pki.enrolled),
        "The reply is signed by CN=enrolled, whose certificate is not marked as a registration authority (it has no "
        "certificate request agent extended key usage).",
    ),
    "signed by an expired RA": Case(
        var.signed_by_an_expired_ra, f"The reply is signed by CN=Old RA, whose certificate {OUT_OF_DATE}."
    ),
    "signed by somebody unknown": Case(
        var.forged(signer=lambda server, request: server.pki.other_ca, certificates=[]),
        "The reply brings no certificate of its signer, and GetCACert offers none that fits either.",
    ),
    "signed with another key": Case(
        var.forged(key=lambda server, request: rsa_key("attacker")),
        "A signature does not verify with the key that should have made it.",
    ),
    "two signers": Case(var.forged(signers=2), f"{NO_MESSAGE}The reply has 2 signers; a SCEP message has one."),
    "another messageDigest": Case(
        var.attribute(forge.MESSAGE_DIGEST, asn1.octet_string(bytes(32))),
        "The signed messageDigest attribute is not the digest of the content.",
    ),
    "MD5": Case(
        var.forged(digest="md5"),
        "A signature uses MD5, which is not allowed here. legacy_algorithms would allow it; a server that can do "
        "better is safer.",
    ),
    "an unknown digest": Case(
        var.forged(digest="sha224"), "The message uses a digest that SCEP does not know (2.16.840.1.101.3.4.2.4)."
    ),
}

ADDRESSEE = {
    "another transactionID": Case(
        var.attribute(forge.TRANSACTION_ID, asn1.printable("other")), OTHER_TRANSACTION.format("other")
    ),
    "the transactionID in lower case": Case(
        var.forged(
            attributes=lambda server, request: {
                forge.TRANSACTION_ID: [asn1.printable(request.header.transaction_id.lower())]
            }
        ),
        OTHER_TRANSACTION.format("{lower}"),
    ),
    "no transactionID": Case(var.attribute(forge.TRANSACTION_ID), f"{NO_MESSAGE}The message has no transactionID."),
    "another recipientNonce": Case(var.attribute(forge.RECIPIENT_NONCE, asn1.octet_string(bytes(16))), REPLAY),
    "no recipientNonce": Case(var.attribute(forge.RECIPIENT_NONCE), REPLAY),
    "no messageType": Case(var.attribute(forge.MESSAGE_TYPE), "The reply is a SCEP message, but no CertRep."),
    "a request in return": Case(
        var.attribute(forge.MESSAGE_TYPE, asn1.printable("19")), "The reply is a SCEP message, but no CertRep."
    ),
    "no pkiStatus": Case(var.attribute(forge.PKI_STATUS), "The reply has no pkiStatus."),
    "pkiStatus 1": Case(
        var.attribute(forge.PKI_STATUS, asn1.printable("1")),
        "The pkiStatus of the message is '1', which RFC 8894 does not have.",
    ),
}

CONTENT = {
    "no content": Case(var.forged(content=None), "The reply says SUCCESS and has no content."),
    "not encrypted": Case(var.reply(var.not_encrypted), f"{NO_MESSAGE}The message is CMS, but not EnvelopedData."),
    "encrypted for somebody else": Case(
        var.enveloped(recipients=lambda server, request: [server.pki.enrolled.certificate]),
        "The content is not encrypted to a certificate of the receiver.",
    ),
    "a content key that is none": Case(
        var.enveloped(encrypted_key=b"\1" * 256),
        "The encrypted content does not decrypt, is not what the messageType says, or its own signature does not "
        "verify.",
    ),
    "single DES": Case(
        var.enveloped(cipher="des-cbc"),
        "The message is encrypted with single DES, which is not allowed here. legacy_algorithms would allow it; a "
        "server that can do better is safer.",
    ),
    "an unknown cipher": Case(
        var.enveloped(cipher_oid="1.2.840.113549.3.2"),
        "The message uses a cipher that SCEP does not know (1.2.840.113549.3.2).",
    ),
    "a bare certificate": Case(
        var.enveloped(plain=lambda server, request: pki_module.der(server.certify(request))),
        "The content of the reply is no set of certificates: An ASN.1 OBJECT IDENTIFIER was expected.",
    ),
    "no certificate": Case(var.inside(), NO_CERTIFICATE, kept=False),
    "the CA's certificate alone": Case(var.inside("ca"), NO_CERTIFICATE, kept=False),
    "the certificate of another key": Case(var.inside("enrolled", "ca"), NO_CERTIFICATE, kept=False),
    "issued by another CA": Case(var.issued_by_another_ca, NO_CHAIN, kept=False),
    "expired already": Case(
        var.template(start=TODAY - dt.timedelta(days=9), end=TODAY - dt.timedelta(days=1)), NO_CHAIN, kept=False
    ),
    "of tomorrow": Case(var.template(start=TODAY + dt.timedelta(days=1)), NO_CHAIN, kept=False),
}

CASES = {**BEFORE_TRUST, **HTTP, **FAILURES, **SIGNATURE, **ADDRESSEE, **CONTENT}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_PAUSE", 0.01)


def expected(case: Case, name: str, server: Awkward) -> str:
    pki, transaction = server.pki, "".join(request.header.transaction_id for request in server.requests)
    return case.sentence.format(
        url=server.url,
        operation="GetCACert" if name in BEFORE_TRUST else OPERATION,
        pin=fingerprint(pki.ca.certificate),
        ra=fingerprint(pki.ra_sign.certificate),
        other=fingerprint(pki.other_ca.certificate),
        asked=transaction,
        lower=transaction.lower(),
    )


@pytest.mark.parametrize("name", CASES)
def test_first_enrolment(certificate_task: Run, given_key: Any, server: Awkward, name: str) -> None:
    """Nothing is there afterwards but, where it is kept, the request; a proper server then answers it, or a new one."""
    case, folder = CASES[name], certificate_task.folder
    case.change(server)
    found = sentence(certificate_task, **case.options)
    assert found == expected(case, name, server)
    sent = server.operations.count(OPERATION)
    assert sent == (name not in BEFORE_TRUST), "no secret before trust, never twice"
    assert (folder / f"sw1.pem{SUFFIX}").exists() is (sent == 1 and case.kept)
    before = [request.header.transaction_id for request in server.requests]
    server.behave()
    result = perform(ensure_certificate, certificate_task.context())
    assert (result["failed"], result["status"]) == (False, "issued")
    assert key_and_certificate_match(folder)
    if before:
        assert (before == [server.requests[-1].header.transaction_id]) is case.kept


@pytest.mark.parametrize("name", CASES)
def test_later_enrolment(certificate_task: Run, given_key: Any, server: Awkward, name: str) -> None:
    """Key and certificate of an earlier run stay."""
    case, folder = CASES[name], certificate_task.folder
    assert perform(ensure_certificate, certificate_task.context())["changed"]
    server.received.clear()
    server.requests.clear()
    case.change(server)
    assert sentence(certificate_task, force=True, **case.options) == expected(case, name, server)
    assert key_and_certificate_match(folder)
    assert server.operations.count(OPERATION) == (name not in BEFORE_TRUST)
