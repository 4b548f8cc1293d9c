# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of scep_certificate_pipe: what there is comes in options, what there is then goes out in return values.

The record travels as `{"enrolment": ..., "transaction": ...}`, each part only where there is one. The former is the
content of the file that scep_certificate writes, the latter that of its open transaction, sealed: Ansible masks a
returned text that equals a secret option, and a transaction that waits for several runs has to travel through all.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Sequence
from typing import Any

from .. import _deps
from ..context import Context
from ..errors import OptionError, Place
from ..scep.certificates import load_certificate, public_key
from ..scep.errors import DecodeError
from .held import Held
from .pending import OpenTransaction, read_pending, write_pending
from .record import digest, read_record, write_record
from .results import chain_pem, pem
from .store import Enrolled
from .task import Order

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

_SALT = 12
"""Octets in front of a sealed transaction; a multiple of three, so that they have Base64 digits of their own."""


def seal(transaction: OpenTransaction) -> str:
    """One line of text, another one in every call, none of which contains another."""
    return base64.b64encode(os.urandom(_SALT) + write_pending(transaction)).decode("ascii")


def unseal(text: str) -> OpenTransaction | None:
    """The transaction; None for any other text: then the certificate is asked for anew."""
    try:
        return read_pending(base64.b64decode(text.encode("utf-8"), validate=True)[_SALT:])
    except binascii.Error:
        return None


class ContentStore:
    """See Store. Nothing outlives the run but what is returned."""

    def __init__(self, context: Context, order: Order) -> None:
        """Reads the options. Raises OptionError."""
        params = context.params
        self._check_mode, self._key_form = context.check_mode, order.key_form
        given, travelled = order.request.given, params["record"] or {}
        enrolment, transaction = travelled.get("enrolment"), travelled.get("transaction")
        certificate = (params["certificate_content"] or "").encode("utf-8")
        self._record = read_record(json.dumps(enrolment).encode("utf-8")) if enrolment else None
        self._transaction = unseal(transaction) if transaction else None
        self._new: dict[str, Any] = {}
        self.held = Held(
            Place(
                "privatekey_content",
                "the given content",
                "leave the option out to have a new key made, or give another one",
            ),
            Place("record", "the given record", "leave the option out to enrol anew"),
            _certificate(certificate) if certificate.strip() else None,
            self._record,
            _key_data(params["privatekey_content"]),
            order.key_form.passphrase,
            self._transaction,
            None if given is None else given.public_key,
            lambda: [certificate],
        )

    @property
    def title(self) -> str:
        """There is no path."""
        return "certificate"

    @property
    def outdated(self) -> bool:
        """Whether the given record has an open transaction that is none any more."""
        return self.held.pending is not None and self._transaction is None

    def returned(self) -> dict[str, Any]:
        """What is new, and the record as the next run should get it."""
        record: dict[str, Any] = {}
        if self._record is not None:
            record["enrolment"] = json.loads(write_record(self._record))
        if self._transaction is not None:
            record["transaction"] = seal(self._transaction)
        return {**self._new, "record": record}

    def check(self, *, new_key: bool) -> None:
        """Values can always be returned."""

    def keep(self, transaction: OpenTransaction) -> None:
        """For the end of this run, if it comes to one."""
        self._transaction = transaction

    def forget(self) -> None:
        """The record goes on without it."""
        self._transaction = None

    def save(self, enrolled: Enrolled) -> None:
        """For the end of this run."""
        self._record = enrolled.record
        self._return(enrolled.certificate, enrolled.chain, enrolled.key_data)

    def tidy(self, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> list[str]:
        """The key alone may be written otherwise than wanted."""
        key = self.held.rewritten_key(self._key_form)
        if key is not None and self._record is not None and not self._check_mode:
            self._record = self._record.with_key_file(digest(key))
        self._return(certificate, chain, None if self._check_mode else key)
        return [] if key is None else ["form of privatekey"]

    def _return(self, certificate: x509.Certificate, chain: Sequence[x509.Certificate], key_data: bytes | None) -> None:
        self._transaction = None
        self._new = {
            "chain": [pem(one).decode("ascii") for one in chain],
            "fullchain": (pem(certificate) + chain_pem(chain)).decode("ascii"),
        }
        if key_data is not None:
            self._new["privatekey"] = key_data.decode("ascii")


def _key_data(content: str | None) -> bytes | None:
    """The key as it was returned, byte for byte: many a way of keeping a text costs it its last line break."""
    text = (content or "").strip()
    return f"{text}\n".encode() if text else None


def _certificate(data: bytes) -> x509.Certificate:
    try:
        certificate = load_certificate(data)
        public_key(certificate)
    except DecodeError:
        raise OptionError(
            "certificate_content",
            "it is not a certificate in PEM; leave the option out to have one made, or correct it.",
        ) from None
    return certificate
