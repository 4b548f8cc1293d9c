# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCEP operations: one table for `operation=`, one for messageType (RFC 8894 sections 3.3 and 4)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_next_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import SERVER_WORDS, format_capabilities
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadKeySize,
    DecodeError,
    MessageError,
    NotFound,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import FAIL_INFOS
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import open_request
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import CONTENT_TYPES
from cryptography import x509

from . import crl
from .authority import Authority
from .call import Call, key_digest, record, refused, subject_text
from .certificate import serial_text
from .errors import CERTSRV_E_KEY_LENGTH, E_INVALIDARG, Refusal, Unavailable
from .faults.active import Place
from .issue import again, enroll
from .ndes import events
from .ndes.events import Event
from .server import Server
from .store import epoch
from .store.audit import Record, printable

log = logging.getLogger("scep_server")

# Words that are true only under a condition.
_CONDITIONS: dict[str, Callable[[Server], bool]] = {
    "SHA-1": lambda server: "sha1" in server.allowed.digests,
    "Renewal": lambda server: server.settings.renewal,
    "GetNextCACert": lambda server: server.settings.next_ca and server.pki.next is not None,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an HTTP request asks of an operation: the pkiMessage (empty for those without) and who asks."""

    message: bytes
    client: str
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and its exact Content-Type, with what other headers there are."""

    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: what answers it, by which HTTP methods, and whether `message` is a pkiMessage."""

    answer: Callable[[Server, Asked], Answer]
    methods: tuple[str, ...]
    takes_message: bool = False


def _get_ca_caps(server: Server, _asked: Asked) -> Answer:
    told = server.settings.capabilities or SERVER_WORDS
    words = [word for word in told if word not in _CONDITIONS or _CONDITIONS[word](server)]
    return Answer(format_capabilities(words), server.settings.capabilities_content_type)


def _get_ca_cert(server: Server, _asked: Asked) -> Answer:
    return Answer(*server.authority.ca_certificates(server.settings.ca_certificates_order))


def _get_next_ca_cert(server: Server, _asked: Asked) -> Answer:
    """RFC 8894 section 4.7. Raises Unavailable as long as there is no next CA."""
    pki = server.pki
    if not server.settings.next_ca:
        raise Unavailable("This server does not answer GetNextCACert.")
    if pki.next is None:
        raise Unavailable("There is no next CA yet.")
    signer = {"ca": pki.current.ca, "ra": pki.current.signer}[server.settings.next_ca_signer]
    coming = dict.fromkeys((pki.next.ca.certificate, *pki.next.certificates))  # the CA ahead of its RA
    return Answer(write_next_ca(list(coming), signer, "sha256"), CONTENT_TYPES["next_ca_cert"])


def _pki_operation(server: Server, asked: Asked) -> Answer:
    """Raises DecodeError, or MessageError without a request header, for what cannot be answered with a CertRep."""
    try:
        incoming = open_request(asked.message, server.authority.recipients, server.allowed, HANDLERS)
    except DecodeError as error:
        _record_malformed(server, asked, error)
        raise
    except MessageError as error:
        if error.request is None:
            _record_malformed(server, asked, error)
            raise
        body = _refuse(server, asked, error.request, _as_refusal(error, events.of_message(error)), "")
        return Answer(body, CONTENT_TYPES["pki_message"])
    call = Call(incoming, asked.client, asked.now)
    server.journal.opened(incoming)
    try:
        with server.store.database.held():
            body = server.faults.around(Place.MESSAGE, HANDLERS[incoming.kind])(server, call)
        server.journal.answered(call.records)
    except (Refusal, MessageError) as error:
        refusal = error if isinstance(error, Refusal) else _as_refusal(error)
        subject = "" if incoming.csr is None else subject_text(incoming.csr)
        body = _refuse(server, asked, incoming.header, refusal, subject)
    return Answer(body, CONTENT_TYPES["pki_message"])


def _record_malformed(server: Server, asked: Asked, error: Exception) -> None:
    server.store.audit.add(Record(epoch(asked.now), asked.client, "", "", "malformed", reason=str(error)))
    server.journal.malformed(error)


def _as_refusal(error: MessageError, event: Event | None = None) -> Refusal:
    """Some errors tell a client less than they know: the cause is for the log and the audit."""
    fail_info = error.fail_info if error.fail_info is not None else FailInfo.BAD_REQUEST
    reason = f"{error} ({error.__cause__})" if error.__cause__ is not None else str(error)
    if isinstance(error, BadKeySize):
        return Refusal(fail_info, str(error), reason=reason, hresult=CERTSRV_E_KEY_LENGTH, event=Event.NOT_SUBMITTED)
    return Refusal(fail_info, str(error), reason=reason, event=event)


def _refuse(server: Server, asked: Asked, header: RequestHeader, refusal: Refusal, subject: str) -> bytes:
    name, meaning = refusal.fail_info.camel, FAIL_INFOS[refusal.fail_info].meaning
    why, transaction = printable(refusal.reason), printable(header.transaction_id)
    log.info("%s: transaction %s refused with %s (%s): %s", asked.client, transaction, name, meaning, why)
    reason = f"{name}: {refusal.reason}"
    line = record(
        header, asked.client, asked.now, "refused", reason=reason, subject=subject, challenge_id=refusal.challenge_id
    )
    used_up = refusal.challenge_id if server.settings.challenge_used_up == "match" else None
    server.store.answers.refuse(used_up, line)
    server.journal.refused(header, refusal)
    return refused(server, header, refusal)


def _issuers(server: Server, call: Call) -> tuple[Authority, ...]:
    """The CAs that a GetCert or GetCRL names. Raises NotFound, see there why it says no more, or Refusal."""
    if not server.settings.lookups:
        text = "This server does not answer GetCert and GetCRL."
        raise Refusal(FailInfo.BAD_REQUEST, text, hresult=E_INVALIDARG)
    named = server.pki.named(call.incoming.issuer or b"")
    if not named:
        raise NotFound
    return named


def _get_crl(server: Server, call: Call) -> bytes:
    """GetCRL (RFC 8894 section 3.3.4); of CAs with the same name, the one that issued the certificate answers."""
    named = _issuers(server, call)
    row = server.store.certificates.find(serial_text(call.incoming.serial or 0))
    issuer = next((one for one in named if row is not None and row["issuer"] == one.id), named[0])
    answer = call.success(server, [], crl.current(server, issuer, call.now).der)
    server.store.audit.add(call.record("crl"))
    return answer


def _get_cert(server: Server, call: Call) -> bytes:
    """GetCert (RFC 8894 section 3.3.4): what a CA of this server issued, its own and the RA's certificates included."""
    named = _issuers(server, call)
    certificate = _by_serial(server, named, call.incoming.serial or 0)
    if certificate is None:
        raise NotFound
    answer = call.success(server, [certificate])
    server.store.audit.add(call.record("found", serial=serial_text(certificate.serial_number)))
    return answer


def _by_serial(server: Server, named: tuple[Authority, ...], serial: int) -> x509.Certificate | None:
    for authority in named:
        for certificate in authority.certificates:
            if certificate.serial_number == serial and certificate.issuer == authority.ca.certificate.subject:
                return certificate
    row = server.store.certificates.find(serial_text(serial)) if serial > 0 else None
    if row is None or row["issuer"] not in {authority.id for authority in named}:
        return None
    return x509.load_der_x509_certificate(row["der"])


def _cert_poll(server: Server, call: Call) -> bytes:
    """CertPoll (RFC 8894 section 3.3.3): the answer to an earlier request of the same transaction and signer key.

    The issuer has to be right to the octet: a name is longer than a cipher block, so that nobody can put his own
    CertPoll together from octets of a stranger's envelope, and learn from the answer whether that decrypts.
    """
    signer = call.header.signer
    if signer is None or call.incoming.issuer not in server.authority.names_der:
        raise NotFound
    found = server.store.answers.find_for_signer(call.header.transaction_id, key_digest(signer))
    if found is None:
        raise NotFound
    return again(server, call, found)


OPERATIONS: dict[str, Operation] = {
    "GetCACaps": Operation(_get_ca_caps, ("GET", "HEAD")),
    "GetCACert": Operation(_get_ca_cert, ("GET", "HEAD")),
    "GetNextCACert": Operation(_get_next_ca_cert, ("GET", "HEAD")),
    "PKIOperation": Operation(_pki_operation, ("GET", "POST"), takes_message=True),
}

# Whatever is not here is refused with badRequest.
HANDLERS: dict[MessageType, Callable[[Server, Call], bytes]] = {
    MessageType.PKCS_REQ: enroll,
    MessageType.RENEWAL_REQ: enroll,
    MessageType.CERT_POLL: _cert_poll,
    MessageType.GET_CERT: _get_cert,
    MessageType.GET_CRL: _get_crl,
}
