# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module scep_certificate: compare, decide, enrol, write."""

from __future__ import annotations

from typing import Any, Optional

from .. import _deps
from ..scep._compat import not_after, not_before
from ..scep.certificates import fingerprint, public_key, public_key_fingerprint
from .client import Client, Issued, utc_now
from .context import Context
from .decide import Action, Decision, Wanted, decide
from .disk import Disk, read_disk
from .errors import FileError
from .files import Target, Transaction, attributes_differ, back_up, check_writable, read_file, set_attributes
from .keys import make_key
from .names import display_name, plain_name
from .options import Outputs, Request, Server, read_outputs, read_server, read_wanted
from .record import Record, digest, timestamp, write_record

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as exc:
    _deps.missing("cryptography", exc)

Chain = Optional[tuple["x509.Certificate", ...]]


def ensure_certificate(context: Context) -> dict[str, Any]:
    """See to it that the certificate is there. Raises EnrollmentError or ScepError."""
    server = read_server(context)
    wanted, request = read_wanted(context)
    outputs = read_outputs(context)
    transaction = Transaction(outputs.certificate.path)
    if context.check_mode and transaction.interrupted:
        return {"changed": True, "msg": "To be completed: what an interrupted run began.", "paths": _paths(outputs)}
    recovered = False if context.check_mode else transaction.recover(outputs.all())
    disk = read_disk(outputs)
    with Client(server) as client:
        decision, chain = _decide(wanted, disk, server, client)
        if decision.action is Action.NOTHING:
            result = _tidy(context, transaction, disk, chain)
        else:
            result = _enrol(context, transaction, wanted, request, decision, disk, client)
    if recovered:
        result.update(changed=True, msg=f"Completed what an interrupted run began. {result['msg']}")
    return result


def _decide(wanted: Wanted, disk: Disk, server: Server, client: Client) -> tuple[Decision, Chain]:
    """Ask the server only where everything fits and local files do not tell whether the given CA issued it."""
    now = utc_now()
    chain = disk.chain(server, now)
    decision = decide(wanted, disk.found(True if chain is not None else None), None, now)
    if decision.action is Action.LOOK_UP and disk.certificate is not None:
        chain = client.ca().trust.path(disk.certificate, now)
        decision = decide(wanted, disk.found(chain is not None), None, now)
    return decision, chain


def _tidy(context: Context, transaction: Transaction, disk: Disk, chain: Chain) -> dict[str, Any]:
    """The certificate stays. Chain files and the attributes of files may still differ."""
    outputs, certificate = disk.outputs, disk.certificate
    if certificate is None:  # decide() leaves no certificate alone that is not there
        raise AssertionError
    missing = [
        (target, data)
        for target, data in _chain_files(outputs, certificate, chain or ())
        if read_file(target.option, target.path) != data
    ]
    rewritten = {target.path for target, _data in missing}
    others = [
        target
        for target in outputs.all()
        if target.path not in rewritten and target.path.exists() and attributes_differ(target)
    ]
    done = [f"content of {target.option}" for target, _data in missing]
    done += [f"mode, owner or group of {target.option}" for target in others]
    copies: list[str] = []
    if not context.check_mode:
        if missing:
            check_writable([target for target, _data in missing], touch=True)
            copies = _copies(context, [target for target, _data in missing])
            transaction.commit(missing)
        for target in others:
            set_attributes(target)
    until = f"The certificate is what is asked for, and valid until {timestamp(not_after(certificate))}."
    message = f"{'To be set' if context.check_mode else 'Set'}: {', '.join(done)}. {until}" if done else until
    result = {"changed": bool(done), "msg": message, **_facts(certificate), "paths": _paths(outputs)}
    if done:
        result["diff"] = {"before": dict.fromkeys(done, "differs"), "after": dict.fromkeys(done, "as wanted")}
    if disk.current is not None:
        result["transaction_id"] = disk.current.transaction_id
    return _with_copies(result, copies)


def _enrol(
    context: Context,
    transaction: Transaction,
    wanted: Wanted,
    request: Request,
    decision: Decision,
    disk: Disk,
    client: Client,
) -> dict[str, Any]:
    outputs = disk.outputs
    reason = "; ".join(decision.reasons)
    _check_key(wanted, decision, disk)
    written = [target for target in outputs.all() if decision.new_key or target is not outputs.key]
    check_writable(written, touch=not context.check_mode)
    common = {"changed": True, "paths": _paths(outputs), "diff": _diff(wanted, decision, disk)}
    if context.check_mode:
        return {**common, "msg": f"To be enrolled: {reason}."}
    client.ca()  # before a key is made for nothing
    key, key_data = make_key(wanted.key_bits) if decision.new_key else (disk.key(), disk.key_data or b"")
    issued = client.enrol(key, request, context.params["challenge_password"])
    record = _record(context, wanted, issued, key, key_data, made=decision.new_key or _made_here(disk))
    contents = [(outputs.key, key_data)] if decision.new_key else []
    contents.append((outputs.certificate, _pem(issued.certificate)))
    contents += _chain_files(outputs, issued.certificate, issued.chain)
    contents.append((outputs.record, write_record(record)))
    copies = _copies(context, [target for target, _data in contents if target is not outputs.record])
    transaction.commit(contents)
    if not decision.new_key and attributes_differ(outputs.key):
        set_attributes(outputs.key)
    facts = _facts(issued.certificate)
    return _with_copies(
        {**common, "msg": f"Enrolled: {reason}.", **facts, "transaction_id": issued.transaction_id}, copies
    )


def _check_key(wanted: Wanted, decision: Decision, disk: Disk) -> None:
    """A key that is there and was not made here is used as it is, or refused, but never replaced."""
    if decision.new_key:
        return
    bits = disk.key().key_size
    if bits < wanted.key_bits:
        raise FileError(
            f"privatekey_path: the key in '{disk.outputs.key.path}' has {bits} bits, and privatekey_size asks for at "
            f"least {wanted.key_bits}; remove the file to have a new key made, or name another one."
        )


def _made_here(disk: Disk) -> bool:
    return disk.key_known and disk.record is not None and disk.record.key_made


def _record(context: Context, wanted: Wanted, issued: Issued, key: Any, key_data: bytes, *, made: bool) -> Record:
    return Record(
        asked=wanted.asked,
        url=context.params["url"],
        transaction_id=issued.transaction_id,
        time=timestamp(utc_now()),
        certificate=fingerprint(issued.certificate),
        public_key=public_key_fingerprint(key.public_key()),
        key_bits=key.key_size,
        key_made=made,
        key_file=digest(key_data),
        chain=tuple(_pem(certificate).decode("ascii") for certificate in issued.chain),
    )


def _chain_files(
    outputs: Outputs, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
) -> list[tuple[Target, bytes]]:
    above = b"".join(_pem(one) for one in chain)
    wanted = ((outputs.chain, above), (outputs.fullchain, _pem(certificate) + above))
    return [(target, data) for target, data in wanted if target is not None]


def _copies(context: Context, targets: list[Target]) -> list[str]:
    if not context.params["backup"]:
        return []
    moment = f"{utc_now():%Y%m%dT%H%M%SZ}"
    return [str(copy) for copy in (back_up(target, moment) for target in targets) if copy is not None]


def _with_copies(result: dict[str, Any], copies: list[str]) -> dict[str, Any]:
    return {**result, "backup_files": copies} if copies else result


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _facts(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "certificate": _pem(certificate).decode("ascii"),
        "subject": display_name(plain_name(certificate.subject)),
        "issuer": display_name(plain_name(certificate.issuer)),
        "serial_number": certificate.serial_number,
        "not_before": timestamp(not_before(certificate)),
        "not_after": timestamp(not_after(certificate)),
        "fingerprint": fingerprint(certificate),
        "public_key_fingerprint": public_key_fingerprint(public_key(certificate)),
    }


def _paths(outputs: Outputs) -> dict[str, str]:
    named = (
        ("privatekey", outputs.key),
        ("certificate", outputs.certificate),
        ("chain", outputs.chain),
        ("fullchain", outputs.fullchain),
        ("record", outputs.record),
    )
    return {name: str(target.path) for name, target in named if target is not None}


def _diff(wanted: Wanted, decision: Decision, disk: Disk) -> dict[str, Any]:
    """Before and after, in the words of the request."""
    path = str(disk.outputs.certificate.path)
    before: dict[str, Any] = {}
    if disk.current is not None:
        before = disk.current.asked.shown()
    elif disk.certificate is not None:
        found = disk.found(None).certificate
        before = (
            {}
            if found is None
            else {
                "subject": display_name(found.subject),
                "subject_alt_name": found.subject_alt_name,
            }
        )
    if disk.certificate is not None:
        before["certificate"] = fingerprint(disk.certificate)
    after = {**wanted.asked.shown(), "certificate": "a new one"}
    key = disk.found_key()
    if key is not None:
        before["privatekey_size"] = key.bits
    after["privatekey_size"] = wanted.key_bits if decision.new_key or key is None else key.bits
    return {"before_header": path, "after_header": path, "before": before, "after": after}
