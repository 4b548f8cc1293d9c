# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a verified request to a certificate.

Checks and signatures come first, outside of any transaction. Then one short transaction uses up the password, keeps
the certificate and writes the audit line; where nothing was used up, the certificate is discarded. The reply is ready
before, and leaves only after the commit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import challenges, pki
from .errors import Refusal
from .policy import certificate_builder
from .server import Server
from .store import Issued, Key, Record, epoch

# Clients that send single DES read 3DES as well, and single DES protects nothing.
_REPLY_CIPHERS = {"des-cbc": "des-ede3-cbc"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SUBJECT_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was opened, from whom it came, and when."""

    incoming: IncomingRequest
    client: str
    now: dt.datetime

    @property
    def header(self) -> RequestHeader:
        """The header of the request."""
        return self.incoming.header

    def record(self, outcome: str, **values: Any) -> Record:
        """The audit line of this call."""
        return record(self.header, self.client, self.now, outcome, **values)


def record(header: RequestHeader, client: str, now: dt.datetime, outcome: str, **values: Any) -> Record:
    """The audit line of a request of which at least the header could be read."""
    kind = header.message_type.name if header.message_type is not None else ""
    return Record(epoch(now), client, kind, header.transaction_id, outcome, **values)


def subject_text(csr: CertificateRequest) -> str:
    """The subject for people and for the database: RFC 4514, without control characters, of limited length."""
    return _CONTROL.sub("?", csr.subject.rfc4514_string())[:_SUBJECT_LENGTH]


def reply_cipher(header: RequestHeader) -> str | None:
    """The cipher of the answer: that of the request, unless it is too weak to answer with."""
    return _REPLY_CIPHERS.get(header.cipher or "", header.cipher)


def enroll(server: Server, call: Call) -> bytes:
    """Answer a PKCSReq (RFC 8894 section 3.3.1) with a CertRep SUCCESS.

    Raises Refusal, or MessageError for a request that does not prove possession of its key.
    """
    csr, signer = call.incoming.csr, call.header.signer
    if csr is None or signer is None:
        raise Refusal(FailInfo.BAD_REQUEST, "The message is no request for a certificate.")
    key = _key(call, csr, signer)
    earlier = server.store.find_issued(key)
    if earlier is not None and _is_retransmission(server, earlier, call.now):
        return _again(server, call, csr, earlier)
    verify_csr(csr, server.allowed)
    if server.settings.signer_key_must_match and not same_key(csr.public_key, signer.public_key()):
        raise Refusal(FailInfo.BAD_REQUEST, "The request is signed with another key than the one it asks to certify.")
    try:
        return _first(server, call, csr, key, 0 if earlier is None else earlier.generation + 1)
    except Refusal:
        # The same request, sent twice at once: the other one was faster, and the password is gone.
        winner = server.store.find_issued(key)
        if winner is None or not _is_retransmission(server, winner, call.now):
            raise
        return _again(server, call, csr, winner)


def _first(server: Server, call: Call, csr: CertificateRequest, key: Key, generation: int) -> bytes:
    challenge_id = challenges.check(server.store, server.pki.otp_key, csr.challenge_password, call.now)
    serial = pki.new_serial()
    builder = certificate_builder(csr, server.settings, server.pki, serial, call.now)
    try:
        certificate = builder.sign(server.pki.ca.key, server.pki.hash)
    except (ValueError, TypeError) as error:  # a name that can be read but not be written
        raise Refusal(FailInfo.BAD_REQUEST, f"The request cannot be certified: {error}.") from None
    answer = _answer(server, call, certificate)
    row = _row(call, key, certificate, subject_text(csr), generation)
    row["challenge_id"] = challenge_id
    line = call.record("issued", subject=row["subject"], challenge_id=challenge_id, serial=row["serial"])
    if not server.store.issue(row, challenge_id, line):
        raise challenges.lost(challenge_id)
    return answer


def _key(call: Call, csr: CertificateRequest, signer: x509.Certificate) -> Key:
    encoded = signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(call.header.transaction_id, hashlib.sha256(encoded).digest(), hashlib.sha256(csr.raw).digest())


def _is_retransmission(server: Server, issued: Issued, now: dt.datetime) -> bool:
    age = epoch(now) - issued.issued
    recent = age <= server.settings.retransmission_minutes * 60
    return recent and issued.revoked is None and epoch(now) < issued.not_after


def _again(server: Server, call: Call, csr: CertificateRequest, issued: Issued) -> bytes:
    answer = _answer(server, call, x509.load_der_x509_certificate(issued.der))
    server.store.add_record(call.record("repeated", subject=subject_text(csr), serial=issued.serial))
    return answer


def _answer(server: Server, call: Call, certificate: x509.Certificate) -> bytes:
    return success(call.header, server.pki.signer, [certificate], cipher=reply_cipher(call.header))


def _row(call: Call, key: Key, certificate: x509.Certificate, subject: str, generation: int) -> dict[str, Any]:
    return {
        "serial": f"{certificate.serial_number:032x}",
        "der": certificate.public_bytes(Encoding.DER),
        "subject": subject,
        "not_before": epoch(certificate.not_valid_before_utc),
        "not_after": epoch(certificate.not_valid_after_utc),
        "issued": epoch(call.now),
        "transaction_id": key.transaction_id,
        "signer_key": key.signer_key,
        "request_digest": key.request_digest,
        "generation": generation,
    }
