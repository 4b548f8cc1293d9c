# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests: what a client sends, and how a server opens it (RFC 8894 sections 3.1 to 3.3)."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .. import _deps
from . import asn1, attributes, cms, constants
from .algorithms import AlgorithmPolicy
from .certificates import load_certificate, public_key
from .constants import MessageType
from .csr import CertificateRequest, check_rsa_key, read_csr
from .errors import (
    BadRequest,
    DecodeError,
    DecryptionFailed,
    MalformedContent,
    MessageError,
    NoSignerCertificate,
    NotFound,
)
from .header import RequestHeader

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key (RSA; a CA's may be EC where it signs and never decrypts)."""

    certificate: x509.Certificate
    key: Any


@dataclass(frozen=True)
class Request:
    """A request as a client sends it: the DER `message`, and what is needed to judge the reply."""

    message: bytes
    message_type: MessageType
    transaction_id: str
    sender_nonce: bytes
    signer: Identity


@dataclass(frozen=True)
class IncomingRequest:
    """A request as a server opened it.

    PKCSReq and RenewalReq have `csr`; CertPoll has `issuer` and `subject`; GetCert and GetCRL have `issuer` and
    `serial`. Names are DER as received.
    """

    header: RequestHeader
    csr: CertificateRequest | None = None
    issuer: bytes | None = None
    subject: bytes | None = None
    serial: int | None = None

    @property
    def kind(self) -> MessageType:
        """The messageType, which is known of a request that was opened."""
        return cast(MessageType, self.header.message_type)


def new_transaction_id() -> str:
    """A fresh transactionID: 32 upper-case hexadecimal characters (RFC 8894 section 3.2.1.1)."""
    return os.urandom(16).hex().upper()


def pkcs_req(
    csr: bytes,
    signer: Identity,
    recipient: x509.Certificate,
    digest: str,
    cipher: str,
    *,
    transaction_id: str | None = None,
    renewal: bool = False,
) -> Request:
    """PKCSReq, or RenewalReq when `signer` is the certificate to be renewed (RFC 8894 sections 3.3.1 and 3.3.2)."""
    kind = MessageType.RENEWAL_REQ if renewal else MessageType.PKCS_REQ
    return _request(kind, csr, signer, recipient, digest, cipher, transaction_id)


def cert_poll(
    issuer: x509.Name,
    subject: x509.Name,
    signer: Identity,
    recipient: x509.Certificate,
    digest: str,
    cipher: str,
    *,
    transaction_id: str,
) -> Request:
    """CertPoll for a pending transaction (RFC 8894 section 3.3.3): subject of the CA, subject of the PKCS#10."""
    content = asn1.sequence(issuer.public_bytes(), subject.public_bytes())
    return _request(MessageType.CERT_POLL, content, signer, recipient, digest, cipher, transaction_id)


def get_cert(
    issuer: x509.Name, serial: int, signer: Identity, recipient: x509.Certificate, digest: str, cipher: str
) -> Request:
    """GetCert (RFC 8894 section 3.3.4)."""
    content = _issuer_and_serial(issuer, serial)
    return _request(MessageType.GET_CERT, content, signer, recipient, digest, cipher, None)


def get_crl(
    issuer: x509.Name, serial: int, signer: Identity, recipient: x509.Certificate, digest: str, cipher: str
) -> Request:
    """GetCRL for the CRL that covers one certificate (RFC 8894 section 3.3.4)."""
    content = _issuer_and_serial(issuer, serial)
    return _request(MessageType.GET_CRL, content, signer, recipient, digest, cipher, None)


def _issuer_and_serial(issuer: x509.Name, serial: int) -> bytes:
    return asn1.sequence(issuer.public_bytes(), asn1.integer(serial))


def _request(
    kind: MessageType,
    content: bytes,
    signer: Identity,
    recipient: x509.Certificate,
    digest: str,
    cipher: str,
    transaction_id: str | None,
) -> Request:
    transaction_id = transaction_id or new_transaction_id()
    nonce = os.urandom(constants.NONCE_BYTES)
    message = cms.write_signed_data(
        cms.write_enveloped(content, recipient, cipher),
        [
            attributes.message_type(kind),
            attributes.transaction_id(transaction_id),
            attributes.sender_nonce(nonce),
        ],
        signer.certificate,
        signer.key,
        digest,
        [signer.certificate],
    )
    return Request(message, kind, transaction_id, nonce, signer)


def open_request(
    body: bytes,
    recipients: Sequence[Identity],
    allowed: AlgorithmPolicy,
    kinds: Collection[MessageType] | None = None,
) -> IncomingRequest:
    """Verify, decrypt and read a request.

    `kinds` are those that the server serves, all by default: others are refused before anything is decrypted, because
    a refusal afterwards would tell that the decryption succeeded (see `UNPROVEN`). For the same reason, a server that
    does not find what a CertPoll, GetCert or GetCRL asks for answers with `NotFound`.

    Signature, digest, content type, recipient and structure are checked here. Whether the PKCS#10 is signed by its own
    key, whose key it is, and whether the signer's certificate is one that may renew, is the server's policy: see
    `verify_csr` and `same_key`.

    Raises DecodeError when the message cannot be answered, otherwise MessageError, whose `request` is the header.
    """
    signed = cms.read_signed_data(body)
    if len(signed.signers) != 1:
        raise DecodeError(f"The message has {len(signed.signers)} signers; a SCEP message has one.")
    signer = signed.signers[0]
    # What the header of a refusal has: as much as is known by then.
    known: dict[str, Any] = {
        "message_type": None,
        "transaction_id": attributes.read_transaction_id(signer),
        "sender_nonce": attributes.read_nonce(signer, constants.OID_SENDER_NONCE, "senderNonce"),
        "signer": None,
        "digest": "sha256",
        "cipher": None,
    }
    try:
        known["digest"] = allowed.digest(signer.digest_oid).name
        certificate = known["signer"] = _signer_certificate(signed, signer, allowed)
        cms.verify_signer(signed, signer, public_key(certificate), allowed)
        kind = attributes.read_number(signer, constants.OID_MESSAGE_TYPE, "messageType", MessageType)
        known["message_type"] = kind
        if kind not in _CONTENT_READERS:
            raise BadRequest("The message has no messageType of a request.")
        if kinds is not None and kind not in kinds:
            raise BadRequest(f"The server does not support {kind.name}.")
        if not known["sender_nonce"]:
            raise BadRequest("The message has no senderNonce.")
        if not signed.content:
            raise BadRequest("The message has no content.")
        enveloped = cms.read_enveloped(signed.content)
        return _open_content(known, kind, enveloped, recipients, allowed)
    except DecodeError as error:  # whatever is malformed behind the transactionID can be answered
        refusal: MessageError = BadRequest(str(error))
        refusal.request = RequestHeader(**known)
        raise refusal from None
    except MessageError as error:
        error.request = RequestHeader(**known)
        raise


def _signer_certificate(signed: cms.SignedData, signer: cms.SignerInfo, allowed: AlgorithmPolicy) -> x509.Certificate:
    for encoded in signed.certificates:
        certificate = load_certificate(encoded)
        if signer.sid.names(certificate):
            check_rsa_key(public_key(certificate), allowed, "the signer's certificate")
            return certificate
    raise NoSignerCertificate("The message does not contain the certificate of its signer.")


def _open_content(
    known: dict[str, Any],
    kind: MessageType,
    enveloped: cms.Enveloped,
    recipients: Sequence[Identity],
    allowed: AlgorithmPolicy,
) -> IncomingRequest:
    keys = [(identity.certificate, identity.key) for identity in recipients]
    answer = DecryptionFailed if kind in (MessageType.PKCS_REQ, MessageType.RENEWAL_REQ) else NotFound
    try:
        content, cipher = cms.open_enveloped(enveloped, keys, allowed)
        return _CONTENT_READERS[kind](RequestHeader(**{**known, "cipher": cipher}), content)
    except DecryptionFailed:
        raise answer from None
    except (DecodeError, MalformedContent) as error:
        raise answer from error


def _read_pkcs_req(header: RequestHeader, content: bytes) -> IncomingRequest:
    return IncomingRequest(header, csr=read_csr(content))


def _read_cert_poll(header: RequestHeader, content: bytes) -> IncomingRequest:
    issuer, subject = _two_fields(content, "CertPoll")
    return IncomingRequest(header, issuer=issuer.raw, subject=subject.raw)


def _read_issuer_and_serial(header: RequestHeader, content: bytes) -> IncomingRequest:
    issuer, serial = _two_fields(content, "GetCert or GetCRL")
    return IncomingRequest(header, issuer=issuer.raw, serial=serial.integer())


def _two_fields(content: bytes, what: str) -> list[asn1.Element]:
    fields = asn1.read(content).expect(asn1.SEQUENCE, f"content of a {what}").children()
    if len(fields) != 2 or fields[0].tag != asn1.SEQUENCE:
        raise MalformedContent(f"The content is not that of a {what}.")
    return fields


_CONTENT_READERS = {
    MessageType.PKCS_REQ: _read_pkcs_req,
    MessageType.RENEWAL_REQ: _read_pkcs_req,
    MessageType.CERT_POLL: _read_cert_poll,
    MessageType.GET_CERT: _read_issuer_and_serial,
    MessageType.GET_CRL: _read_issuer_and_serial,
}
