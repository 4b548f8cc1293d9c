# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request that was opened, its line in the audit, and answers to it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .errors import Refusal
from .server import Server
from .store import epoch
from .store.audit import Record, printable

# Clients that send single DES read 3DES as well, and single DES protects nothing.
_REPLY_CIPHERS = {"des-cbc": "des-ede3-cbc"}
_EMPTY = {"absent": None, "empty": b"", "zero": b"\0"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was opened, from whom it came, and when. `records`: what was to be written of it to the audit."""

    incoming: IncomingRequest
    client: str
    now: dt.datetime
    records: list[Record] = field(default_factory=list)

    @property
    def header(self) -> RequestHeader:
        """The header of the request."""
        return self.incoming.header

    def record(self, outcome: str, **values: Any) -> Record:
        """The audit line of this call."""
        line = record(self.header, self.client, self.now, outcome, **values)
        self.records.append(line)
        return line

    def success(self, server: Server, certificates: Sequence[x509.Certificate], crl: bytes | None = None) -> bytes:
        """A CertRep SUCCESS with the cipher of the request, unless it is too weak to answer with."""
        cipher = _REPLY_CIPHERS.get(self.header.cipher or "", self.header.cipher)
        return success(self.header, server.authority.signer, certificates, crl=crl, cipher=cipher)


def waits(server: Server, header: RequestHeader) -> bytes:
    """A CertRep PENDING."""
    return pending(header, server.authority.signer, empty_content=_EMPTY[server.settings.empty_reply])


def refused(server: Server, header: RequestHeader, refusal: Refusal) -> bytes:
    """A CertRep FAILURE."""
    settings = server.settings
    return failure(
        header,
        server.authority.signer,
        refusal.fail_info,
        text=refusal.text if settings.refusal_text else None,
        hresult=refusal.hresult if settings.error_attribute else None,
        include=None if settings.refusal_certificates else (),
        empty_content=_EMPTY[settings.empty_reply],
    )


def record(header: RequestHeader, client: str, now: dt.datetime, outcome: str, **values: Any) -> Record:
    """The audit line of a request of which at least the header could be read."""
    kind = header.message_type.name if header.message_type is not None else ""
    return Record(epoch(now), client, kind, header.transaction_id, outcome, **values)


def subject_text(csr: CertificateRequest) -> str:
    """The subject for people and for the database (RFC 4514)."""
    return printable(csr.subject.rfc4514_string())


def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the public key: by it a client is known again."""
    return public_key_digest(certificate.public_key())


def public_key_digest(key: Any) -> bytes:
    """The same of a key alone."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
