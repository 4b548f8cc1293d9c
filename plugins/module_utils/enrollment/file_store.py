# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of scep_certificate: files, which are written as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import _deps
from ..context import Context
from ..errors import FileError, Place
from ..scep.certificates import load_certificate, public_key
from ..scep.errors import DecodeError
from .client import utc_now
from .files import Target, Transaction, attributes_differ, back_up, check_writable, delete, read_file, set_attributes
from .held import Held
from .options import Outputs, Pkcs12Form
from .pending import OpenTransaction, read_pending, write_pending
from .pkcs12 import encryption_of, holds, write_pkcs12
from .record import digest, read_record, write_record
from .results import chain_pem, paths, pem
from .store import Enrolled
from .task import Order

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

Chain = Sequence["x509.Certificate"]
Contents = list[tuple[Target, bytes]]


def read_held(outputs: Outputs, passphrase: str | None = None, foreign_key: Any = None) -> Held:
    """Read the files. Raises FileError for a certificate or a key that is none: it is somebody's, and stays."""
    data, record, pending = (
        read_file(target.option, target.path) for target in (outputs.certificate, outputs.record, outputs.pending)
    )
    key = outputs.key
    return Held(
        Place(
            "privatekey_path",
            f"'{key.path if key is not None else ''}'",
            "remove the file to have a new key made, or name another one",
        ),
        Place(outputs.pending.option, f"'{outputs.pending.path}'", "remove the file to enrol anew"),
        None if data is None else _certificate(outputs.certificate, data),
        None if record is None else read_record(record),
        None if key is None else read_file(key.option, key.path),
        passphrase,
        None if pending is None else read_pending(pending),
        foreign_key,
        lambda: _above(outputs),
    )


def _certificate(target: Target, data: bytes) -> x509.Certificate:
    try:
        certificate = load_certificate(data)
        public_key(certificate)
    except DecodeError:
        raise FileError(
            f"{target.option}: '{target.path}' exists and is not a certificate; remove it, or name another file."
        ) from None
    return certificate


def _above(outputs: Outputs) -> list[bytes]:
    targets = [target for target in (outputs.chain, outputs.fullchain) if target is not None]
    return [data for data in (read_file(target.option, target.path) for target in targets) if data]


class FileStore:
    """See Store. `transaction` has completed already what an interrupted run began."""

    def __init__(
        self,
        context: Context,
        outputs: Outputs,
        order: Order,
        pkcs12_form: Pkcs12Form | None,
        transaction: Transaction,
    ) -> None:
        """Reads the files. Raises FileError."""
        self._context, self._outputs, self._transaction = context, outputs, transaction
        self._key_form, self._pkcs12_form = order.key_form, pkcs12_form
        given = order.request.given
        self.held = read_held(outputs, order.key_form.passphrase, None if given is None else given.public_key)
        self._copies: list[str] = []

    @property
    def title(self) -> str:
        """The path of the certificate."""
        return str(self._outputs.certificate.path)

    def returned(self) -> dict[str, Any]:
        """Paths, and what was backed up."""
        copies = {"backup_files": self._copies} if self._copies else {}
        return {"paths": paths(self._outputs), **copies}

    def check(self, *, new_key: bool) -> None:
        """Whether all files can be written; in check mode without trying it."""
        outputs = self._outputs
        written = [target for target in outputs.all() if new_key or target is not outputs.key]
        check_writable([*written, outputs.pending], touch=not self._context.check_mode)

    def keep(self, transaction: OpenTransaction) -> None:
        """In a file of its own."""
        self._transaction.commit([(self._outputs.pending, write_pending(transaction))])

    def forget(self) -> None:
        """Remove that file."""
        delete([self._outputs.pending])

    def save(self, enrolled: Enrolled) -> None:
        """Write all files or none."""
        outputs = self._outputs
        contents: Contents = []
        if enrolled.key_data is not None and outputs.key is not None:
            contents.append((outputs.key, enrolled.key_data))
        contents.append((outputs.certificate, pem(enrolled.certificate)))
        contents += self._chain_files(enrolled.certificate, enrolled.chain)
        if outputs.pkcs12 is not None:
            contents.append((outputs.pkcs12, self._pkcs12(enrolled.key, enrolled.certificate, enrolled.chain)))
        contents.append((outputs.record, write_record(enrolled.record)))
        self._back_up(target for target, _data in contents if target is not outputs.record)
        self._transaction.commit(contents, remove=[outputs.pending])
        if enrolled.key_data is None and outputs.key is not None and attributes_differ(outputs.key):
            set_attributes(outputs.key)

    def tidy(self, certificate: x509.Certificate, chain: Chain) -> list[str]:
        """Other files may be missing or written otherwise, and attributes may differ."""
        outputs, record = self._outputs, self.held.record
        missing = self._key_rewritten()
        missing += [
            (target, data)
            for target, data in self._chain_files(certificate, chain)
            if read_file(target.option, target.path) != data
        ]
        missing += self._pkcs12_rewritten(certificate, chain)
        if missing and missing[0][0] is outputs.key and record is not None:
            missing.append((outputs.record, write_record(record.with_key_file(digest(missing[0][1])))))
        rewritten = {target.path for target, _data in missing}
        others = [
            target
            for target in outputs.all()
            if target.path not in rewritten and target.path.exists() and attributes_differ(target)
        ]
        named = [target for target, _data in missing if target is not outputs.record]
        if not self._context.check_mode:
            if missing:
                check_writable([target for target, _data in missing], touch=True)
                self._back_up(named)
                self._transaction.commit(missing)
            for target in others:
                set_attributes(target)
            self.forget()  # what it asked for is here
        done = [f"content of {target.option}" for target in named]
        return done + [f"mode, owner or group of {target.option}" for target in others]

    def _key_rewritten(self) -> Contents:
        target, data = self._outputs.key, self.held.rewritten_key(self._key_form)
        return [] if target is None or data is None else [(target, data)]

    def _pkcs12_rewritten(self, certificate: x509.Certificate, chain: Chain) -> Contents:
        target, form = self._outputs.pkcs12, self._pkcs12_form
        if target is None or form is None:
            return []
        data = read_file(target.option, target.path)
        key = self.held.found_key()
        if (
            data is not None
            and key is not None
            and encryption_of(data) == form.encryption
            and holds(data, form.passphrase, key.public_key, certificate, chain, form.friendly_name)
        ):
            return []
        return [(target, self._pkcs12(self.held.key(), certificate, chain))]

    def _pkcs12(self, key: Any, certificate: x509.Certificate, chain: Chain) -> bytes:
        form = self._pkcs12_form
        if form is None:
            raise AssertionError
        return write_pkcs12(key, certificate, chain, form.passphrase, form.friendly_name, form.encryption)

    def _chain_files(self, certificate: x509.Certificate, chain: Chain) -> Contents:
        wanted = ((self._outputs.chain, chain), (self._outputs.fullchain, (certificate, *chain)))
        return [(target, chain_pem(content)) for target, content in wanted if target is not None]

    def _back_up(self, targets: Iterable[Target]) -> None:
        self._copies += backed_up(self._context, targets)


def backed_up(context: Context, targets: Iterable[Target]) -> list[str]:
    """Copy the files that there are, where that is wanted; the paths of the copies. Raises FileError."""
    if not context.params["backup"]:
        return []
    moment = f"{utc_now():%Y%m%dT%H%M%SZ}"
    return [str(copy) for copy in (back_up(target, moment) for target in targets) if copy is not None]
