# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of scep_certificate and scep_certificate_pipe: compare, decide, obtain, save.

The flow is the same for both. They differ in their store alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .. import _deps
from ..context import Context
from ..errors import FileError, Refused
from ..scep._compat import not_after
from ..scep.certificates import fingerprint, public_key_fingerprint
from .client import Client, utc_now
from .content_store import ContentStore
from .decide import Action, Decision, decide
from .file_store import FileStore, backed_up, read_held
from .files import Transaction, check_writable, delete
from .obtain import Obtained, obtain
from .options import Outputs, read_outputs, read_pkcs12_form
from .overrides import overridden
from .record import Record, digest, timestamp
from .results import described, difference, paths, pem
from .store import Enrolled, Store
from .task import Order, Task, read_order

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

Chain = Optional[Sequence["x509.Certificate"]]


def ensure_certificate(context: Context) -> dict[str, Any]:
    """See to it that the certificate is there, or that it is not. Raises EnrollmentError or ScepError."""
    outputs = read_outputs(context)
    transaction = Transaction(outputs.certificate.path)
    if context.params["state"] == "absent":
        return _absent(context, outputs, transaction)
    order, pkcs12_form = read_order(context), read_pkcs12_form(context)
    if context.check_mode and transaction.interrupted:
        return {"changed": True, "msg": "To be completed: what an interrupted run began.", "paths": paths(outputs)}
    recovered = False if context.check_mode else transaction.recover((*outputs.all(), outputs.pending))
    result = _ensure(context, order, FileStore(context, outputs, order, pkcs12_form, transaction))
    if recovered:
        result.update(changed=True, msg=f"Completed what an interrupted run began. {result['msg']}")
    return result


def ensure_content(context: Context) -> dict[str, Any]:
    """The same for a certificate that is in the options, and whose successor is returned. Raises as before."""
    order = read_order(context)
    store = ContentStore(context, order)
    try:
        return _ensure(context, order, store)
    except Refused as refused:
        if not store.outdated:
            raise
        raise Refused(
            f"{refused} The given record still has this request; set force for one run to make another.",
            refused.fail_info,
        ) from None


def _ensure(context: Context, order: Order, store: Store) -> dict[str, Any]:
    with Client(order.server) as client:
        task = Task(context, order, store, client)
        decision, chain = _decide(task)
        return _tidy(task, chain or ()) if decision.action is Action.NOTHING else _obtain(task, decision)


def _decide(task: Task) -> tuple[Decision, Chain]:
    """Ask the server only where everything fits and nothing here tells whether the given CA issued it."""
    now, held, wanted = utc_now(), task.held, task.wanted
    pending, url = held.found_pending(), task.context.params["url"]
    chain: Chain = held.chain(task.order.server, now)
    decision = decide(wanted, held.found(wanted.asked, True if chain is not None else None), pending, url, now)
    if decision.action is Action.LOOK_UP and held.certificate is not None:
        chain = task.client.ca().trust.path(held.certificate, now)
        decision = decide(wanted, held.found(wanted.asked, chain is not None), pending, url, now)
    return decision, chain


def _tidy(task: Task, chain: Sequence[x509.Certificate]) -> dict[str, Any]:
    """The certificate stays."""
    certificate = task.held.certificate
    if certificate is None:  # decide() leaves no certificate alone that is not there
        raise AssertionError
    done = task.store.tidy(certificate, chain)
    until = f"The certificate is what is asked for, and valid until {timestamp(not_after(certificate))}."
    message = f"{'To be set' if task.context.check_mode else 'Set'}: {', '.join(done)}. {until}" if done else until
    result = {
        "changed": bool(done),
        "status": "issued",
        "msg": message,
        **described(certificate, overridden(task.wanted.asked, certificate)),
        **task.store.returned(),
    }
    if done:
        result["diff"] = {"before": dict.fromkeys(done, "differs"), "after": dict.fromkeys(done, "as wanted")}
    if task.held.current is not None:
        result["transaction_id"] = task.held.current.transaction_id
    return result


def _obtain(task: Task, decision: Decision) -> dict[str, Any]:
    context, store = task.context, task.store
    reason = "; ".join(decision.reasons)
    _check_key(task, decision)
    store.check(new_key=decision.new_key)
    diff = difference(task, decision)
    if context.check_mode:
        return {"changed": True, "msg": f"{_TO_BE[decision.action]}: {reason}.", "diff": diff, **store.returned()}
    obtained = obtain(task, decision)
    issued = obtained.issued
    if issued is None:
        return {
            "changed": obtained.begun,
            "status": "pending",
            "msg": "The request waits for approval at the CA; run this again to ask for the answer.",
            "transaction_id": obtained.transaction_id,
            **({"diff": diff} if obtained.begun else {}),
            **store.returned(),
        }
    overrides = overridden(task.wanted.asked, issued.certificate)
    if overrides:
        context.warn(f"The CA gave {'; '.join(override.difference() for override in overrides)}.")
    record = _record(task, obtained)
    store.save(Enrolled(issued.certificate, issued.chain, obtained.key, obtained.key_data, record))
    return {
        "changed": True,
        "status": "issued",
        "msg": f"{'Renewed' if obtained.renewed else 'Enrolled'}: {reason}.",
        "diff": diff,
        **described(issued.certificate, overrides),
        "transaction_id": issued.transaction_id,
        **store.returned(),
    }


_TO_BE = {
    Action.ENROL: "To be enrolled",
    Action.RENEW: "To be renewed",
    Action.RESUME: "To be asked for once more, as an earlier run has",
}


def _check_key(task: Task, decision: Decision) -> None:
    """A key that is there and was not made here is used as it is, or refused, but never replaced."""
    key, wanted, place = task.held.found_key(), task.wanted.key_bits, task.held.key_place
    if decision.new_key or decision.action is Action.RESUME or key is None or wanted is None:
        return
    if key.bits < wanted:
        raise FileError(
            f"{place.option}: the key in {place.name} has {key.bits} bits, and privatekey_size asks for at "
            f"least {wanted}; {place.advice}."
        )


def _record(task: Task, obtained: Obtained) -> Record:
    issued = obtained.issued
    if issued is None:
        raise AssertionError
    data = obtained.key_data if obtained.key_data is not None else task.held.key_data
    public = task.request.given.public_key if task.request.given is not None else obtained.key.public_key()
    return Record(
        asked=task.wanted.asked,
        url=task.context.params["url"],
        transaction_id=issued.transaction_id,
        time=timestamp(utc_now()),
        certificate=fingerprint(issued.certificate),
        public_key=public_key_fingerprint(public),
        key_bits=public.key_size,
        key_made=obtained.key_made,
        key_file="" if data is None else digest(data),
        chain=tuple(pem(certificate).decode("ascii") for certificate in issued.chain),
    )


def _absent(context: Context, outputs: Outputs, transaction: Transaction) -> dict[str, Any]:
    """Remove what an enrolment has written; a private key that was not made here is its owner's, and stays."""
    if not context.check_mode:
        transaction.recover((*outputs.all(), outputs.pending))
    made = read_held(outputs).key_made
    # The record, which tells that the key is ours, goes last: a killed run leaves the next one what it needs to know.
    *others, record = outputs.all()
    ordered = (outputs.pending, *reversed(others), record)
    targets = [target for target in ordered if made or target is not outputs.key]
    there = [target for target in targets if target.path.exists()]
    copies: list[str] = []
    if there and not context.check_mode:
        check_writable(there, touch=False)
        copies = backed_up(context, [target for target in there if target not in (outputs.record, outputs.pending)])
        delete(there)
    gone = [str(target.path) for target in there]
    verb = "To be removed" if context.check_mode else "Removed"
    result = {
        "changed": bool(there),
        "status": "absent",
        "msg": f"{verb}: {', '.join(gone)}." if gone else "There is nothing to remove.",
        "paths": paths(outputs),
        "diff": {"before": dict.fromkeys(gone, "present"), "after": dict.fromkeys(gone, "absent")},
    }
    return {**result, "backup_files": copies} if copies else result
