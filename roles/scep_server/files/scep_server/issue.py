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
from dataclasses import dataclass
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import der, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest, verify_csr
from cryptography import x509

from . import challenges, renewal
from .call import Call, key_digest, public_key_digest, subject_text, waits
from .certificate import new_serial, serial_text
from .errors import CERTSRV_E_ADMIN_DENIED_REQUEST, CERTSRV_E_KEY_LENGTH, CERTSRV_E_UNSUPPORTED_CERT_TYPE, Refusal
from .faults.active import Place
from .ndes.events import Event
from .policy import certificate_builder
from .server import Server
from .store import epoch
from .store.answers import DENIED, Issued, Key, Waiting

# Setting approval -> what waits for a person: enrolments (False), renewals (True)
_BY_HAND = {"none": (), "enrolment": (False,), "all": (False, True)}


@dataclass(frozen=True, slots=True)
class Granted:
    """Why a request is granted: by a one-time password, by the certificate that it renews, or by neither."""

    challenge_id: int | None = None
    replaces: str | None = None


def enroll(server: Server, call: Call) -> bytes:
    """Answer a PKCSReq or RenewalReq (RFC 8894 sections 3.3.1 and 3.3.2) with a CertRep SUCCESS or PENDING.

    Raises Refusal, or MessageError for a request that does not prove possession of its key.
    """
    csr, signer = call.incoming.csr, call.header.signer
    if csr is None or signer is None:
        raise Refusal(FailInfo.BAD_REQUEST, "The message is no request for a certificate.")
    key = Key(call.header.transaction_id, key_digest(signer), hashlib.sha256(csr.raw).digest())
    earlier = server.store.answers.find(key)
    if earlier is not None and _is_retransmission(server, call, earlier):
        return again(server, call, earlier, csr)
    # A certificate renews once by the same words, however often they are sent: whoever recorded them may send them too.
    renewed = None if earlier is None else server.store.answers.find_renewal(key, serial_text(signer.serial_number))
    if renewed is not None and epoch(call.now) < renewed.not_after:
        return again(server, call, renewed, csr)
    if (cached := _cached(server, call, csr)) is not None:
        return again(server, call, cached, csr)
    server = server.for_request(csr)
    verify_csr(csr, server.allowed)
    try:
        return _first(server, call, csr, key, 0 if earlier is None else earlier.generation + 1, renewed is not None)
    except Refusal:
        # The same request, sent twice at once: the other one was faster, and the password is gone.
        winner = server.store.answers.find(key)
        if winner is None or not _is_retransmission(server, call, winner):
            raise
        return again(server, call, winner, csr)


def _cached(server: Server, call: Call, csr: CertificateRequest) -> Issued | None:
    """What NDES would hand out once more, because it remembers the transaction or the key (setting CacheRequest)."""
    minutes = server.settings.cache_request_minutes
    if not minutes:
        return None
    since = epoch(call.now) - minutes * 60
    return server.store.answers.find_cached(call.header.transaction_id, public_key_digest(csr.public_key), since)


def _first(server: Server, call: Call, csr: CertificateRequest, key: Key, generation: int, renewed: bool) -> bytes:
    granted = _authorise(server, call, csr)
    if granted.replaces is not None and renewed:
        text = "The request renewed the certificate of its signer before, and that renewal is out of date."
        raise Refusal(FailInfo.BAD_REQUEST, text)
    subject = subject_text(csr)
    asked = {
        "transaction_id": key.transaction_id,
        "signer_key": key.signer_key,
        "request_digest": key.request_digest,
        "generation": generation,
        "challenge_id": granted.challenge_id,
        "replaces": granted.replaces,
        "subject": subject,
    }
    answer = wait if (granted.replaces is not None) in _BY_HAND[server.settings.approval] else _issue
    try:
        return server.faults.around(Place.DECISION, answer)(server, call, csr, asked)
    except Refusal as refusal:
        refusal.challenge_id, refusal.event = granted.challenge_id, refusal.event or Event.NOT_SUBMITTED
        raise


def _authorise(server: Server, call: Call, csr: CertificateRequest) -> Granted:
    judged = renewal.judge(server, call, csr)
    if judged.replaces is not None:
        return Granted(replaces=judged.replaces)
    without_proof = not csr.challenge_password and server.settings.challenge != "none"
    if without_proof and judged.objection is not None:
        raise Refusal(FailInfo.BAD_REQUEST, judged.objection)
    if without_proof and call.incoming.kind is MessageType.RENEWAL_REQ:
        raise Refusal(
            FailInfo.BAD_REQUEST, "The request is to renew a certificate, and is not signed by one of this CA."
        )
    challenge_id = challenges.check(server, csr.challenge_password, call.now)
    signer = call.header.signer
    if (
        signer is not None
        and server.settings.signer_key_must_match
        and not same_key(csr.public_key, signer.public_key())
    ):
        text = "The request is signed with another key than the one it asks to certify."
        raise Refusal(FailInfo.BAD_REQUEST, text, challenge_id=challenge_id)
    return Granted(challenge_id)


def _issue(server: Server, call: Call, csr: CertificateRequest, asked: dict[str, Any]) -> bytes:
    certificate = sign(server, csr, call.now)
    answer = call.success(server, [certificate])
    row = asked | certificate_row(server, certificate, call.now)
    line = call.record(
        "issued",
        reason=by_template(server),
        subject=row["subject"],
        challenge_id=row["challenge_id"],
        serial=row["serial"],
    )
    if not server.store.answers.issue(row, row["challenge_id"], line):
        raise challenges.lost(row["challenge_id"])
    return answer


def wait(server: Server, call: Call, csr: CertificateRequest, asked: dict[str, Any]) -> bytes:
    """Keep a request for a person to decide. `asked`: its row in the database, as far as it is known."""
    # what is against the policy need not wait for a person
    _builder(server, csr, call.now)
    row = asked | {"csr": csr.raw, "client": call.client, "created": epoch(call.now)}
    line = call.record(
        "pending", reason=by_template(server), subject=asked["subject"], challenge_id=asked["challenge_id"]
    )
    if server.store.answers.pend(row, asked["challenge_id"], line) is None:
        raise challenges.lost(asked["challenge_id"])
    return waits(server, call.header)


def by_template(server: Server) -> str:
    """For the audit: the template by which a request is judged, where there are templates."""
    return f"template {server.template}" if server.template else ""


def _builder(server: Server, csr: CertificateRequest, now: dt.datetime) -> x509.CertificateBuilder:
    if not server.settings.published:
        what = f"the {by_template(server)}" if server.template else "certificates"
        text = f"The CA does not issue {what}."
        raise Refusal(FailInfo.BAD_REQUEST, text, hresult=CERTSRV_E_UNSUPPORTED_CERT_TYPE)
    bits, least = csr.public_key.key_size, server.settings.min_rsa_bits
    if bits < least:  # as the template wants it; what the server wants was looked at before the password
        text = f"The key of the request has {bits} bits; the {by_template(server)} takes {least} and more."
        raise Refusal(FailInfo.BAD_REQUEST, text, hresult=CERTSRV_E_KEY_LENGTH)
    return certificate_builder(csr, server.settings, server.authority, new_serial(), now)


def sign(server: Server, csr: CertificateRequest, now: dt.datetime) -> x509.Certificate:
    """The certificate for a request, by the policy. Raises Refusal (badRequest)."""
    authority = server.authority
    builder = _builder(server, csr, now)
    try:
        return builder.sign(authority.ca.key, authority.hash)
    except (ValueError, TypeError) as error:  # a name that can be read but not be written
        raise Refusal(FailInfo.BAD_REQUEST, f"The request cannot be certified: {error}.") from None


def certificate_row(server: Server, certificate: x509.Certificate, now: dt.datetime) -> dict[str, Any]:
    """What the database keeps of a certificate, besides the request that it answers."""
    return {
        "serial": serial_text(certificate.serial_number),
        "issuer": server.authority.id,
        "der": der(certificate),
        "not_before": epoch(certificate.not_valid_before_utc),
        "not_after": epoch(certificate.not_valid_after_utc),
        "issued": epoch(now),
    }


def _is_retransmission(server: Server, call: Call, earlier: Issued | Waiting) -> bool:
    """Whether an identical request gets the answer that it got already.

    A request for approval does, always, and so does one whose certificate was revoked: it gets no other for that key.
    A certificate is handed out again for some time: later the client may mean another one by the same words. Signed
    with that certificate itself, they ask for its renewal.
    """
    if isinstance(earlier, Waiting) or earlier.revoked is not None:
        return True
    if call.header.signer is not None and der(call.header.signer) == earlier.der:
        return False
    if epoch(call.now) >= earlier.not_after:
        return False
    return epoch(call.now) - earlier.issued <= server.settings.retransmission_minutes * 60


def again(server: Server, call: Call, earlier: Issued | Waiting, csr: CertificateRequest | None = None) -> bytes:
    """The answer that a request got already. Raises Refusal when it was denied, or what was issued is revoked."""
    subject = "" if csr is None else subject_text(csr)
    if isinstance(earlier, Issued):
        if earlier.revoked is not None:
            raise Refusal(FailInfo.BAD_REQUEST, "The certificate that the request was answered with is revoked.")
        answer = call.success(server, [x509.load_der_x509_certificate(earlier.der)])
        server.store.audit.add(call.record("repeated", subject=subject, serial=earlier.serial))
        return answer
    if earlier.state == DENIED:
        text = f"The request was denied: {earlier.reason or 'no reason was given'}."
        raise Refusal(FailInfo.BAD_REQUEST, text, hresult=CERTSRV_E_ADMIN_DENIED_REQUEST, event=Event.NOT_SUBMITTED)
    answer = waits(server, call.header)
    server.store.audit.add(call.record("waiting", subject=subject))
    return answer
