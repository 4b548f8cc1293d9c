# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCEP operations: one table for `operation=`, one for messageType (RFC 8894 sections 3.3 and 4)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import SERVER_WORDS, format_capabilities
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import MessageError, NotFound
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import open_request
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import CONTENT_TYPES

from . import crl
from .errors import Refusal
from .issue import Call, enroll, record, reply_cipher
from .server import Server

log = logging.getLogger("scep_server")

# Words that are true only under a condition. Renewal: RenewalReq is refused below.
_CONDITIONS: dict[str, Callable[[Server], bool]] = {
    "SHA-1": lambda server: "sha1" in server.allowed.digests,
    "Renewal": lambda server: MessageType.RENEWAL_REQ in HANDLERS,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an HTTP request asks of an operation: the pkiMessage (empty for those without) and who asks."""

    message: bytes
    client: str
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and its exact Content-Type."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: what answers it, by which HTTP methods, and whether `message` is a pkiMessage."""

    answer: Callable[[Server, Asked], Answer]
    methods: tuple[str, ...]
    takes_message: bool = False


def _get_ca_caps(server: Server, _asked: Asked) -> Answer:
    words = [word for word in SERVER_WORDS if word not in _CONDITIONS or _CONDITIONS[word](server)]
    return Answer(format_capabilities(words), CONTENT_TYPES["caps"])


def _get_ca_cert(server: Server, _asked: Asked) -> Answer:
    return Answer(*server.pki.ca_certificates)


def _pki_operation(server: Server, asked: Asked) -> Answer:
    """Raises DecodeError, or MessageError without a request header, for what cannot be answered with a CertRep."""
    try:
        incoming = open_request(asked.message, server.pki.recipients, server.allowed, HANDLERS)
    except MessageError as error:
        if error.request is None:
            raise
        body = _refuse(server, asked, error.request, _as_refusal(error))
        return Answer(body, CONTENT_TYPES["pki_message"])
    call = Call(incoming, asked.client, asked.now)
    try:
        body = HANDLERS[incoming.kind](server, call)
    except Refusal as refusal:
        body = _refuse(server, asked, incoming.header, refusal)
    except MessageError as error:
        body = _refuse(server, asked, incoming.header, _as_refusal(error))
    return Answer(body, CONTENT_TYPES["pki_message"])


def _as_refusal(error: MessageError) -> Refusal:
    """Some errors tell a client less than they know: the cause is for the log and the audit."""
    fail_info = error.fail_info if error.fail_info is not None else FailInfo.BAD_REQUEST
    reason = f"{error} ({error.__cause__})" if error.__cause__ is not None else str(error)
    return Refusal(fail_info, str(error), reason=reason)


def _refuse(server: Server, asked: Asked, header: RequestHeader, refusal: Refusal) -> bytes:
    log.info(
        "%s: transaction %s refused with %s: %s",
        asked.client,
        header.transaction_id,
        refusal.fail_info.camel,
        refusal.reason,
    )
    reason = f"{refusal.fail_info.camel}: {refusal.reason}"
    line = record(header, asked.client, asked.now, "refused", reason=reason, challenge_id=refusal.challenge_id)
    server.store.add_record(line)
    return failure(header, server.pki.signer, refusal.fail_info, text=refusal.text)


def _get_crl(server: Server, call: Call) -> bytes:
    if call.incoming.issuer != server.pki.issuer_der:
        raise NotFound
    current = crl.current(server.store, server.pki, server.settings, call.now)
    answer = success(call.header, server.pki.signer, [], crl=current, cipher=reply_cipher(call.header))
    server.store.add_record(call.record("crl"))
    return answer


def _cert_poll(_server: Server, _call: Call) -> bytes:
    raise NotFound


OPERATIONS: dict[str, Operation] = {
    "GetCACaps": Operation(_get_ca_caps, ("GET", "HEAD")),
    "GetCACert": Operation(_get_ca_cert, ("GET", "HEAD")),
    "PKIOperation": Operation(_pki_operation, ("GET", "POST"), takes_message=True),
}

# Whatever is not here is refused with badRequest.
HANDLERS: dict[MessageType, Callable[[Server, Call], bytes]] = {
    MessageType.PKCS_REQ: enroll,
    MessageType.CERT_POLL: _cert_poll,
    MessageType.GET_CRL: _get_crl,
}
