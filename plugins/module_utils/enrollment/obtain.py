# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Getting a certificate from the server: asking, waiting, and asking again after an interruption.

Before a request leaves, all that sends it again is given to the store. Whatever happens then, a store that outlives the
run lets the next one send the very same request, to which a SCEP server gives the very same answer, and for which it
wants no second password.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import Any

from .. import _deps
from ..errors import FileError, NotRenewed, Refused, TransportError
from ..scep._compat import generate_rsa_key
from ..scep.certificates import load_certificate, public_key_fingerprint, self_signed
from ..scep.constants import FailInfo
from ..scep.csr import read_csr
from ..scep.errors import ScepError
from ..scep.requests import Identity, new_transaction_id
from .client import Issued, Prepared, utc_now
from .decide import Action, Decision
from .keys import encode_key, make_key, read_key
from .pending import (
    SENT,
    SIGNED_BY_CERTIFICATE,
    SIGNED_BY_KEY,
    SIGNED_BY_OWN,
    WAITING,
    OpenTransaction,
)
from .record import timestamp
from .task import Task

try:
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as exc:
    _deps.missing("cryptography", exc)

_OWN_KEY_BITS = 2048
_JITTER = 0.2


@dataclass(frozen=True)
class Obtained:
    """What came of it. `issued` is None while the request waits for approval.

    `key` is None where it is somewhere else; `key_data` is there for a new one.
    """

    issued: Issued | None
    key: Any
    key_data: bytes | None
    key_made: bool
    renewed: bool
    transaction_id: str
    begun: bool
    """Whether the request was made now, not in an earlier run."""


@dataclass(frozen=True)
class _Open:
    """A transaction under way: what is kept of it, and what sends it."""

    kept: OpenTransaction
    prepared: Prepared
    key: Any


def obtain(task: Task, decision: Decision) -> Obtained:
    """Ask for the certificate, or for the answer to an earlier request. Raises EnrollmentError or ScepError."""
    if decision.action is Action.RESUME:
        opened = _reopen(task)
        try:
            return _obtained(opened, _ask_again(task, opened), begun=False)
        except Refused:
            task.store.forget()
            if opened.kept.status == WAITING:
                raise
            # Nobody knows whether the first attempt was answered; what is offered now may be another password.
            decision = replace(decision, action=Action.ENROL, new_key=opened.kept.key is not None)
    return _begin(task, decision)


def _begin(task: Task, decision: Decision) -> Obtained:
    challenges = task.order.challenges
    renewing = decision.action is Action.RENEW and task.client.capabilities().renewal
    if decision.action is Action.RENEW and not renewing and not challenges.given:
        raise Refused(
            f"The certificate should be renewed ({'; '.join(decision.reasons)}), and the server does not offer "
            "Renewal; give a challenge_password for a new enrolment."
        )
    task.client.ca()  # before a key is made for nothing
    try:
        opened, issued = _send(task, new_key=decision.new_key, renewing=renewing)
    except Refused as refused:
        task.store.forget()
        # A server that still remembers the last request would answer an enrolment in the same way.
        insists = renewing and challenges.given and not isinstance(refused, NotRenewed)
        if insists or (refused.challenge and challenges.another()):
            return _begin(task, replace(decision, action=Action.ENROL))
        raise
    return _obtained(opened, _wait(task, opened, issued), begun=True)


def _send(task: Task, *, new_key: bool, renewing: bool) -> tuple[_Open, Issued | None]:
    """Make a request, keep it, and send it; whatever happens, the source of the password learns what became of it."""
    challenges, sent = task.order.challenges, False
    try:
        opened = _open(task, new_key=new_key, renewing=renewing)
        task.store.keep(opened.kept)
        sent = True
        return opened, task.client.submit(opened.prepared)
    except TransportError as error:
        sent = sent and error.sent
        if challenges.costly and not sent:  # another host gets the password that is in the request
            task.store.forget()
        raise
    finally:
        if sent:
            challenges.used()
        else:
            challenges.unused()


def _obtained(opened: _Open, issued: Issued | None, *, begun: bool) -> Obtained:
    kept = opened.kept
    return Obtained(
        issued,
        opened.key,
        None if kept.key is None else kept.key.encode("ascii"),
        kept.key_made,
        opened.prepared.renewal,
        kept.transaction_id,
        begun,
    )


def _open(task: Task, *, new_key: bool, renewing: bool) -> _Open:
    """Make key, request and signer, as far as they are not there."""
    client, held, form = task.client, task.held, task.order.key_form
    given, now = task.request.given, utc_now()
    own_key: Any = None
    key_data: bytes | None = None
    if given is not None:
        key, csr, public = None, given.raw, given.public_key
        own_key = generate_rsa_key(_OWN_KEY_BITS)
        signer, signed_by = Identity(self_signed(own_key, task.request.subject, now), own_key), SIGNED_BY_OWN
    else:
        if new_key:
            key, key_data = make_key(task.wanted.key_bits or _OWN_KEY_BITS, form.format, form.passphrase)
        else:
            key = held.key()
        public = key.public_key()
        csr = client.request(key, task.request, None if renewing else _challenge(task, key))
        if renewing and held.certificate is not None:
            signer, signed_by = Identity(held.certificate, held.key()), SIGNED_BY_CERTIFICATE
        else:
            signer, signed_by = Identity(self_signed(key, task.request.subject, now), key), SIGNED_BY_KEY
    kept = OpenTransaction(
        asked=task.wanted.asked,
        url=task.context.params["url"],
        transaction_id=new_transaction_id(),
        time=timestamp(now),
        status=SENT,
        csr=csr,
        public_key=public_key_fingerprint(public),
        key_bits=public.key_size,
        key=None if key_data is None else key_data.decode("ascii"),
        key_made=new_key or held.key_made,
        signed_by=signed_by,
        signer=signer.certificate.public_bytes(Encoding.PEM).decode("ascii"),
        own_key=None if own_key is None else encode_key(own_key, "pkcs8", None).decode("ascii"),
    )
    return _Open(kept, Prepared(csr, task.request.subject, public, kept.transaction_id, signer, renewing), key)


def _challenge(task: Task, key: Any) -> str | None:
    """The challenge password. One that costs something is fetched when nothing but the server can still refuse."""
    challenges, client = task.order.challenges, task.client
    if challenges.costly:
        client.request(key, task.request, None)
    return challenges.take(client.offered())


def _reopen(task: Task) -> _Open:
    """The transaction that an earlier run has left. Raises FileError when its parts do not fit together."""
    held, place = task.held, task.held.pending_place
    kept = held.pending
    if kept is None:
        raise AssertionError  # decide() resumes what is there
    passphrase = task.order.key_form.passphrase
    try:
        request = read_csr(kept.csr)
        certificate = load_certificate(kept.signer.encode("ascii"))
    except ScepError as error:
        raise FileError(
            f"{place.option}: the open transaction in {place.name} cannot be read: {error}; {place.advice}."
        ) from None
    key = None
    if task.request.given is None:
        key = held.key() if kept.key is None else read_key(place, kept.key.encode("ascii"), passphrase, known=True)
    signing_key: Any = key
    if kept.signed_by == SIGNED_BY_CERTIFICATE:
        signing_key = held.key()
    elif kept.own_key is not None:
        signing_key = read_key(place, kept.own_key.encode("ascii"), None, known=True)
    renewal = kept.signed_by == SIGNED_BY_CERTIFICATE
    signer = Identity(certificate, signing_key)
    return _Open(
        kept, Prepared(kept.csr, request.subject, request.public_key, kept.transaction_id, signer, renewal), key
    )


def _ask_again(task: Task, opened: _Open) -> Issued | None:
    """Poll for what waits, and send once more what may not have arrived."""
    issued = None
    if opened.kept.status == WAITING:
        try:
            issued = task.client.poll(opened.prepared)
        except Refused as refused:
            if refused.fail_info is not FailInfo.BAD_CERT_ID:
                raise
            # It does not know the transaction any more, or does not know CertPoll: the request itself it may know.
            issued = task.client.submit(opened.prepared)
    else:
        issued = task.client.submit(opened.prepared)
    return _wait(task, opened, issued)


def _wait(task: Task, opened: _Open, issued: Issued | None) -> Issued | None:
    """Poll as long as the user wants to wait; with some spread, as whole fleets wait together."""
    if issued is not None:
        return issued
    if opened.kept.status != WAITING:
        task.store.keep(replace(opened.kept, status=WAITING))
    deadline = time.monotonic() + task.context.params["wait"]
    while issued is None:
        pause = task.context.params["poll_interval"] * random.uniform(1 - _JITTER, 1 + _JITTER)
        if time.monotonic() + pause > deadline:
            return None
        time.sleep(pause)
        try:
            issued = task.client.poll(opened.prepared)
        except Refused:
            task.store.forget()
            raise
    return issued
