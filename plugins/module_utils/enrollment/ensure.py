# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module scep_certificate: compare, decide, obtain, write."""

from __future__ import annotations

from typing import Any, Optional

from .. import _deps
from ..scep._compat import not_after
from ..scep.certificates import fingerprint, public_key_fingerprint
from .client import Client, utc_now
from .context import Context
from .decide import Action, Decision, decide
from .disk import read_disk
from .errors import FileError
from .files import Target, Transaction, attributes_differ, back_up, check_writable, delete, read_file, set_attributes
from .keys import encode_key, key_form
from .obtain import Obtained, obtain
from .options import Outputs, Server, read_key_form, read_outputs, read_pkcs12_form, read_server, read_wanted
from .overrides import overridden
from .pkcs12 import encryption_of, holds, write_pkcs12
from .record import Record, digest, timestamp, write_record
from .results import described, difference, paths, pem
from .task import Task

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

Chain = Optional[tuple["x509.Certificate", ...]]
Contents = list[tuple[Target, bytes]]


def ensure_certificate(context: Context) -> dict[str, Any]:
    """See to it that the certificate is there, or that it is not. Raises EnrollmentError or ScepError."""
    outputs = read_outputs(context)
    transaction = Transaction(outputs.certificate.path)
    if context.params["state"] == "absent":
        return _absent(context, outputs, transaction)
    server = read_server(context)
    wanted, request = read_wanted(context)
    form, pkcs12_form = read_key_form(context), read_pkcs12_form(context)
    if context.check_mode and transaction.interrupted:
        return {"changed": True, "msg": "To be completed: what an interrupted run began.", "paths": paths(outputs)}
    recovered = False if context.check_mode else transaction.recover((*outputs.all(), outputs.pending))
    disk = read_disk(outputs, form.passphrase, None if request.given is None else request.given.public_key)
    with Client(server) as client:
        task = Task(context, wanted, request, form, pkcs12_form, transaction, disk, client)
        decision, chain = _decide(task, server)
        result = _tidy(task, chain) if decision.action is Action.NOTHING else _obtain(task, decision)
    if recovered:
        result.update(changed=True, msg=f"Completed what an interrupted run began. {result['msg']}")
    return result


def _decide(task: Task, server: Server) -> tuple[Decision, Chain]:
    """Ask the server only where everything fits and local files do not tell whether the given CA issued it."""
    now, disk, wanted = utc_now(), task.disk, task.wanted
    pending, url = disk.found_pending(), task.context.params["url"]
    chain = disk.chain(server, now)
    decision = decide(wanted, disk.found(wanted.asked, True if chain is not None else None), pending, url, now)
    if decision.action is Action.LOOK_UP and disk.certificate is not None:
        chain = task.client.ca().trust.path(disk.certificate, now)
        decision = decide(wanted, disk.found(wanted.asked, chain is not None), pending, url, now)
    return decision, chain


def _tidy(task: Task, chain: Chain) -> dict[str, Any]:
    """The certificate stays. Other files may be missing or written otherwise, and attributes may differ."""
    context, disk, outputs = task.context, task.disk, task.outputs
    certificate = disk.certificate
    if certificate is None:  # decide() leaves no certificate alone that is not there
        raise AssertionError
    missing = _key_rewritten(task)
    missing += [
        (target, data)
        for target, data in _chain_files(outputs, certificate, chain or ())
        if read_file(target.option, target.path) != data
    ]
    missing += _pkcs12_rewritten(task, certificate, chain or ())
    if missing and missing[0][0] is outputs.key and disk.record is not None:
        record = disk.record
        missing.append((outputs.record, write_record(record.with_key_file(digest(missing[0][1])))))
    rewritten = {target.path for target, _data in missing}
    others = [
        target
        for target in outputs.all()
        if target.path not in rewritten and target.path.exists() and attributes_differ(target)
    ]
    named = [target for target, _data in missing if target is not outputs.record]
    done = [f"content of {target.option}" for target in named]
    done += [f"mode, owner or group of {target.option}" for target in others]
    copies: list[str] = []
    if not context.check_mode:
        if missing:
            check_writable([target for target, _data in missing], touch=True)
            copies = _copies(context, named)
            task.transaction.commit(missing)
        for target in others:
            set_attributes(target)
        delete([outputs.pending])  # what it asked for is here
    until = f"The certificate is what is asked for, and valid until {timestamp(not_after(certificate))}."
    message = f"{'To be set' if context.check_mode else 'Set'}: {', '.join(done)}. {until}" if done else until
    result = {
        "changed": bool(done),
        "status": "issued",
        "msg": message,
        **described(certificate, overridden(task.wanted.asked, certificate)),
        "paths": paths(outputs),
    }
    if done:
        result["diff"] = {"before": dict.fromkeys(done, "differs"), "after": dict.fromkeys(done, "as wanted")}
    if disk.current is not None:
        result["transaction_id"] = disk.current.transaction_id
    return _with_copies(result, copies)


def _key_rewritten(task: Task) -> Contents:
    """The key in another form, when it is written otherwise than wanted: its header tells, without loading it."""
    target, data, form = task.outputs.key, task.disk.key_data, task.key_form
    if target is None or data is None or not task.disk.key_made:
        return []
    if key_form(data) == (form.format, form.passphrase is not None):
        return []
    return [(target, encode_key(task.disk.key(), form.format, form.passphrase))]


def _pkcs12_rewritten(task: Task, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> Contents:
    target, form = task.outputs.pkcs12, task.pkcs12_form
    if target is None or form is None:
        return []
    data = read_file(target.option, target.path)
    key = task.disk.found_key()
    if (
        data is not None
        and key is not None
        and encryption_of(data) == form.encryption
        and holds(data, form.passphrase, key.public_key, certificate, chain, form.friendly_name)
    ):
        return []
    return [(target, _pkcs12(task, task.disk.key(), certificate, chain))]


def _pkcs12(task: Task, key: Any, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> bytes:
    form = task.pkcs12_form
    if form is None:
        raise AssertionError
    return write_pkcs12(key, certificate, chain, form.passphrase, form.friendly_name, form.encryption)


def _obtain(task: Task, decision: Decision) -> dict[str, Any]:
    context, outputs = task.context, task.outputs
    reason = "; ".join(decision.reasons)
    _check_key(task, decision)
    written = [target for target in outputs.all() if decision.new_key or target is not outputs.key]
    check_writable([*written, outputs.pending], touch=not context.check_mode)
    common = {"changed": True, "paths": paths(outputs), "diff": difference(task, decision)}
    if context.check_mode:
        return {**common, "msg": f"{_TO_BE[decision.action]}: {reason}."}
    obtained = obtain(task, decision)
    issued = obtained.issued
    if issued is None:
        waits = {"status": "pending", "transaction_id": obtained.transaction_id, "changed": obtained.begun}
        text = "The request waits for approval at the CA; run this again to ask for the answer."
        if not obtained.begun:
            del common["diff"]
        return {**common, **waits, "msg": text}
    overrides = overridden(task.wanted.asked, issued.certificate)
    if overrides:
        told = "; ".join(str(override) for override in overrides)
        context.warn(f"The CA gave another certificate than was asked for: {told}.")
    contents: Contents = []
    if obtained.key_data is not None and outputs.key is not None:
        contents.append((outputs.key, obtained.key_data))
    contents.append((outputs.certificate, pem(issued.certificate)))
    contents += _chain_files(outputs, issued.certificate, issued.chain)
    if outputs.pkcs12 is not None:
        contents.append((outputs.pkcs12, _pkcs12(task, obtained.key, issued.certificate, issued.chain)))
    contents.append((outputs.record, write_record(_record(task, obtained))))
    copies = _copies(context, [target for target, _data in contents if target is not outputs.record])
    task.transaction.commit(contents, remove=[outputs.pending])
    if obtained.key_data is None and outputs.key is not None and attributes_differ(outputs.key):
        set_attributes(outputs.key)
    return _with_copies(
        {
            **common,
            "status": "issued",
            "msg": f"{'Renewed' if obtained.renewed else 'Enrolled'}: {reason}.",
            **described(issued.certificate, overrides),
            "transaction_id": issued.transaction_id,
        },
        copies,
    )


_TO_BE = {
    Action.ENROL: "To be enrolled",
    Action.RENEW: "To be renewed",
    Action.RESUME: "To be asked for once more, as an earlier run has",
}


def _check_key(task: Task, decision: Decision) -> None:
    """A key that is there and was not made here is used as it is, or refused, but never replaced."""
    key, wanted, target = task.disk.found_key(), task.wanted.key_bits, task.outputs.key
    if decision.new_key or decision.action is Action.RESUME or key is None or wanted is None or target is None:
        return
    if key.bits < wanted:
        raise FileError(
            f"privatekey_path: the key in '{target.path}' has {key.bits} bits, and privatekey_size asks for at "
            f"least {wanted}; remove the file to have a new key made, or name another one."
        )


def _record(task: Task, obtained: Obtained) -> Record:
    issued = obtained.issued
    if issued is None:
        raise AssertionError
    data = obtained.key_data if obtained.key_data is not None else task.disk.key_data
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


def _chain_files(outputs: Outputs, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> Contents:
    above = b"".join(pem(one) for one in chain)
    wanted = ((outputs.chain, above), (outputs.fullchain, pem(certificate) + above))
    return [(target, data) for target, data in wanted if target is not None]


def _copies(context: Context, targets: list[Target]) -> list[str]:
    if not context.params["backup"]:
        return []
    moment = f"{utc_now():%Y%m%dT%H%M%SZ}"
    return [str(copy) for copy in (back_up(target, moment) for target in targets) if copy is not None]


def _with_copies(result: dict[str, Any], copies: list[str]) -> dict[str, Any]:
    return {**result, "backup_files": copies} if copies else result


def _absent(context: Context, outputs: Outputs, transaction: Transaction) -> dict[str, Any]:
    """Remove what an enrolment has written; a private key that was not made here is its owner's, and stays."""
    if not context.check_mode:
        transaction.recover((*outputs.all(), outputs.pending))
    made = read_disk(outputs).key_made
    targets = [target for target in (*reversed(outputs.all()), outputs.pending) if made or target is not outputs.key]
    there = [target for target in targets if target.path.exists()]
    copies: list[str] = []
    if there and not context.check_mode:
        check_writable(there, touch=False)
        copies = _copies(context, [target for target in there if target not in (outputs.record, outputs.pending)])
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
    return _with_copies(result, copies)
