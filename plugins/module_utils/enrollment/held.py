# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is already: certificate, key, record and open transaction, put into the words of `decide`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _deps
from ..errors import Place
from ..scep._compat import not_after, not_before
from ..scep.certificates import fingerprint, public_key, public_key_fingerprint
from ..scep.errors import DecodeError
from ..scep.trust import Trust
from .decide import Asked, Found, FoundCertificate, FoundKey, Pending
from .keys import encode_key, key_form, read_key
from .names import alt_names, plain_name
from .options import KeyForm, Server, read_certificates
from .overrides import overridden
from .pending import SIGNED_BY_OWN, OpenTransaction
from .record import Record, digest

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


@dataclass
class Held:
    """What a store holds; None for what is not there.

    `key_data` is the PEM or DER of the private key, `above` brings texts in which certificates of the CA may be.
    `foreign_key` is the public key of a given PKCS#10 request: then there is no private key to be looked at.
    """

    key_place: Place
    pending_place: Place
    certificate: x509.Certificate | None
    record: Record | None
    key_data: bytes | None
    passphrase: str | None
    pending: OpenTransaction | None
    foreign_key: Any
    above: Callable[[], Sequence[bytes]]
    loaded_key: Any = None

    @property
    def key_known(self) -> bool:
        """Whether the key is byte for byte the one of the last enrolment."""
        return self.record is not None and self.key_data is not None and digest(self.key_data) == self.record.key_file

    @property
    def key_made(self) -> bool:
        """Whether the key was made here."""
        return self.key_known and self.record is not None and self.record.key_made

    @property
    def current(self) -> Record | None:
        """The record, while it speaks of the certificate that is there."""
        if self.record is None or self.certificate is None:
            return None
        return self.record if self.record.certificate == fingerprint(self.certificate) else None

    def key(self) -> Any:
        """The private key. Raises FileError for one that does not fit."""
        if self.loaded_key is None and self.key_data is not None:
            self.loaded_key = read_key(self.key_place, self.key_data, self.passphrase, known=self.key_known)
        return self.loaded_key

    def rewritten_key(self, form: KeyForm) -> bytes | None:
        """A key that was made here, in the wanted form, when it has another one: its header tells, without loading it.

        Raises FileError or OptionError.
        """
        if self.key_data is None or not self.key_made:
            return None
        if key_form(self.key_data) == (form.format, form.passphrase is not None):
            return None
        return encode_key(self.key(), form.format, form.passphrase)

    def found_key(self) -> FoundKey | None:
        """What is known of the key, without loading it where the record knows."""
        if self.foreign_key is not None:
            return FoundKey(public_key_fingerprint(self.foreign_key), self.foreign_key.key_size)
        if self.key_data is None:
            return None
        if self.record is not None and self.key_known:
            return FoundKey(self.record.public_key, self.record.key_bits)
        public = self.key().public_key()
        return FoundKey(public_key_fingerprint(public), public.key_size)

    def found(self, asked: Asked, trusted: bool | None) -> Found:
        """All of it, for `decide`."""
        found = None
        if self.certificate is not None:
            found = _found_certificate(self.certificate, asked, trusted)
        return Found(found, self.found_key(), None if self.record is None else self.record.recorded())

    def found_pending(self) -> Pending | None:
        """The open transaction, for `decide`."""
        kept = self.pending
        if kept is None:
            return None
        answered = self.current is not None and self.current.transaction_id == kept.transaction_id
        new_key = kept.key is not None or kept.signed_by == SIGNED_BY_OWN
        return Pending(kept.asked, kept.url, kept.public_key, kept.key_bits, new_key, answered)

    def chain(self, server: Server, now: dt.datetime) -> tuple[x509.Certificate, ...] | None:
        """The certificates above the one that is there, up to the trust anchor, as far as known here; else None."""
        if self.certificate is None:
            return None
        pool: list[x509.Certificate] = []
        for pem in self.current.chain if self.current else ():
            pool += _certificates(pem.encode("utf-8"))
        if not pool:
            for data in self.above():
                pool += _certificates(data)
        return Trust(server.anchor, server.ra, server.allowed, tuple(pool)).path(self.certificate, now)


def _certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return read_certificates(data)
    except DecodeError:
        return ()


def _found_certificate(certificate: x509.Certificate, asked: Asked, trusted: bool | None) -> FoundCertificate:
    return FoundCertificate(
        fingerprint(certificate),
        public_key_fingerprint(public_key(certificate)),
        plain_name(certificate.subject),
        alt_names(certificate),
        not_before(certificate),
        not_after(certificate),
        trusted,
        tuple(f"the CA gave {override.difference()}" for override in overridden(asked, certificate)),
    )
