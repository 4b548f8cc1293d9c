# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies: what a server answers, and how a client opens it (RFC 8894 sections 3.3 and 3.4)."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import _deps
from . import attributes, cms, constants
from ._compat import not_before
from .algorithms import AlgorithmPolicy
from .certificates import issued_by, load_certificate, name, public_key, same_key
from .constants import FailInfo, MessageType, PkiStatus
from .errors import DecodeError, MalformedContent, NoSignerCertificate, ReplyError, TrustError
from .header import RequestHeader
from .requests import Identity, Request
from .trust import CaCertificates

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


@dataclass(frozen=True)
class Reply:
    """A CertRep whose signature, addressee and content were verified.

    `fail_info` is a text where RFC 8894 has no such value, `hresult` the unsigned 32-bit code of the Microsoft error
    attribute. `certificates` and `crls` (DER) are empty
    unless the status is SUCCESS.
    """

    status: PkiStatus
    fail_info: FailInfo | str | None
    fail_info_text: str | None
    hresult: int | None
    certificates: tuple[x509.Certificate, ...]
    crls: tuple[bytes, ...]
    digest: str
    cipher: str | None
    signer: x509.Certificate


def success(
    header: RequestHeader,
    signer: Identity,
    certificates: Sequence[x509.Certificate],
    *,
    crl: bytes | None = None,
    digest: str | None = None,
    cipher: str | None = None,
    include: Sequence[x509.Certificate] | None = None,
) -> bytes:
    """CertRep SUCCESS: certificates (the issued one first) or a CRL, encrypted to the request's signer.

    `digest` and `cipher` default to those of the request; `include`, the certificates of the SignedData, to the
    signer's.
    """
    if header.signer is None:
        raise NoSignerCertificate("A reply cannot be encrypted without the certificate of the request's signer.")
    content = cms.write_degenerate(certificates, [crl] if crl is not None else [])
    envelope = cms.write_enveloped(content, header.signer, cipher or header.cipher or "aes-128-cbc")
    return _cert_rep(header, signer, PkiStatus.SUCCESS, [], envelope, digest, include)


def failure(
    header: RequestHeader,
    signer: Identity,
    fail_info: FailInfo,
    *,
    text: str | None = None,
    hresult: int | None = None,
    digest: str | None = None,
    include: Sequence[x509.Certificate] | None = None,
    empty_content: bytes | None = None,
) -> bytes:
    """CertRep FAILURE.

    `empty_content` stands where the RFC has nothing at all: some clients cannot verify a reply without content, and
    some servers send one zero octet there.
    """
    more = [attributes.fail_info(fail_info)]
    if text is not None:
        more.append(attributes.fail_info_text(text))
    if hresult is not None:
        more.append(attributes.ms_error(hresult))
    return _cert_rep(header, signer, PkiStatus.FAILURE, more, empty_content, digest, include)


def pending(
    header: RequestHeader,
    signer: Identity,
    *,
    digest: str | None = None,
    include: Sequence[x509.Certificate] | None = None,
    empty_content: bytes | None = None,
) -> bytes:
    """CertRep PENDING: somebody has to approve the request (RFC 8894 section 3.4); `empty_content` as in `failure`."""
    return _cert_rep(header, signer, PkiStatus.PENDING, [], empty_content, digest, include)


def _cert_rep(
    header: RequestHeader,
    signer: Identity,
    status: PkiStatus,
    more: Sequence[tuple[str, bytes]],
    content: bytes | None,
    digest: str | None,
    include: Sequence[x509.Certificate] | None,
) -> bytes:
    pairs = [
        attributes.message_type(MessageType.CERT_REP),
        attributes.pki_status(status),
        attributes.transaction_id(header.transaction_id),
        attributes.sender_nonce(os.urandom(constants.NONCE_BYTES)),
        *more,
    ]
    if header.sender_nonce:
        pairs.append(attributes.recipient_nonce(header.sender_nonce))
    enclosed = [signer.certificate] if include is None else include
    return cms.write_signed_data(content, pairs, signer.certificate, signer.key, digest or header.digest, enclosed)


def open_reply(body: bytes, request: Request, ca: CaCertificates, allowed: AlgorithmPolicy, now: dt.datetime) -> Reply:
    """Verify, decrypt and read the answer to `request`.

    The signer is looked for among the reply's own certificates and those of GetCACert, has to be entitled to act for
    the CA, and the reply has to answer this very request. Raises DecodeError, MessageError, TrustError or ReplyError.
    """
    signed = cms.read_signed_data(body)
    if len(signed.signers) != 1:
        raise DecodeError(f"The reply has {len(signed.signers)} signers; a SCEP message has one.")
    info = signed.signers[0]
    enclosed = tuple(load_certificate(encoded) for encoded in signed.certificates)
    signer = _signer(info, enclosed, ca)
    objection = ca.trust.with_more(enclosed).objection(signer, now)
    if objection is not None:
        raise TrustError(f"The reply is signed by {name(signer)}, whose certificate {objection}.")
    digest = cms.verify_signer(signed, info, public_key(signer), allowed)
    status = _check_addressee(info, request)
    if status is None:
        raise ReplyError("The reply has no pkiStatus.")
    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    cipher = None
    if status is PkiStatus.SUCCESS:
        if not signed.content:
            raise ReplyError("The reply says SUCCESS and has no content.")
        certificates, crls, cipher = _open_content(signed.content, request.signer, allowed)
    return Reply(
        status,
        attributes.read_fail_info(info),
        attributes.read_text(info, constants.OID_FAIL_INFO_TEXT, "failInfoText"),
        attributes.read_hresult(info),
        certificates,
        crls,
        digest.name,
        cipher,
        signer,
    )


def _signer(info: cms.SignerInfo, enclosed: Sequence[x509.Certificate], ca: CaCertificates) -> x509.Certificate:
    for certificate in (*enclosed, *ca.offered, *ca.chain):
        if info.sid.names(certificate):
            return certificate
    raise NoSignerCertificate(
        "The reply brings no certificate of its signer, and GetCACert offers none that fits either."
    )


def _check_addressee(info: cms.SignerInfo, request: Request) -> PkiStatus | None:
    kind = attributes.read_number(info, constants.OID_MESSAGE_TYPE, "messageType", MessageType)
    if kind is not MessageType.CERT_REP:
        raise ReplyError("The reply is a SCEP message, but no CertRep.")
    transaction_id = attributes.read_transaction_id(info)
    if transaction_id != request.transaction_id:
        raise ReplyError(
            f"The reply belongs to another transaction: its transactionID is {transaction_id}, "
            f"that of the request {request.transaction_id}."
        )
    nonce = attributes.read_nonce(info, constants.OID_RECIPIENT_NONCE, "recipientNonce")
    if nonce != request.sender_nonce:
        raise ReplyError("The recipientNonce of the reply is not the senderNonce of the request; it may be a replay.")
    return attributes.read_number(info, constants.OID_PKI_STATUS, "pkiStatus", PkiStatus)


def _open_content(
    content: bytes, receiver: Identity, allowed: AlgorithmPolicy
) -> tuple[tuple[x509.Certificate, ...], tuple[bytes, ...], str]:
    plain, cipher = cms.open_enveloped(cms.read_enveloped(content), [(receiver.certificate, receiver.key)], allowed)
    try:
        inner = cms.read_signed_data(plain)
    except DecodeError as error:
        raise MalformedContent(f"The content of the reply is no set of certificates: {error}") from None
    return tuple(load_certificate(encoded) for encoded in inner.certificates), inner.crls, cipher


def select_issued(
    reply: Reply, key: Any, ca: CaCertificates, now: dt.datetime
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """(the certificate that was issued for the public key `key`, its chain from the issuing CA up to the trust anchor).

    Raises ReplyError when the reply has none, TrustError when it does not hang on the trust anchor.
    """
    fitting = [certificate for certificate in reply.certificates if same_key(public_key(certificate), key)]
    if not fitting:
        raise ReplyError("The reply has no certificate for the key that was requested.")
    issued = max(fitting, key=not_before)
    chain = ca.trust.with_more(reply.certificates).path(issued, now)
    if chain is None:
        raise TrustError(
            f"The issued certificate of {name(issued)} does not chain to the trust anchor, or is out of date."
        )
    if not chain:
        raise ReplyError("The reply returns the CA's own certificate.")
    return issued, chain


def select_crl(reply: Reply) -> bytes:
    """The CRL (DER) of a reply to GetCRL. Raises ReplyError without one."""
    if not reply.crls:
        raise ReplyError("The reply has no CRL.")
    return reply.crls[0]


def select_certificate(reply: Reply, serial: int, ca: CaCertificates) -> x509.Certificate:
    """The certificate with this serial number in a reply to GetCert, issued by the CA; it may be out of date.

    Raises ReplyError when the reply has none.
    """
    for certificate in reply.certificates:
        if certificate.serial_number == serial and issued_by(certificate, ca.ca, ca.trust.allowed):
            return certificate
    raise ReplyError("The reply has no certificate of the CA with the serial number that was asked for.")
