# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the server share: a device that makes requests, right and wrong ones, and a bench that serves them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, attributes, cms, trust
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import self_signed
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import (
    OID_MESSAGE_TYPE,
    FailInfo,
    MessageType,
    PkiStatus,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply, open_reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    Request,
    cert_poll,
    new_transaction_id,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from scep_server import challenges, pki
from scep_server.app import Application
from scep_server.authority import Authority
from scep_server.certificate import serial_text
from scep_server.faults.table import with_faults
from scep_server.ndes.admin import open_pages
from scep_server.ndes.logs import Logs
from scep_server.server import open_server
from scep_server.settings import parse, read_values
from scep_server.store import epoch
from scep_server.store.audit import Record

LENIENT = policy(legacy=True)
NONCE = bytes(range(16))


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A fresh RSA key."""
    return rsa.generate_private_key(65537, bits)


@dataclass
class Clock:
    """A clock that stands until the test moves it."""

    now: dt.datetime

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        """Move on, by `minutes=` and the like."""
        self.now += dt.timedelta(**parts)


@dataclass
class Device:
    """A key and a name, and all the ways to write a request with them."""

    key: Any
    name: str = "CN=device.example,O=Example"
    since: dt.datetime = field(default_factory=lambda: dt.datetime(2026, 6, 1, tzinfo=dt.UTC))

    @property
    def subject(self) -> x509.Name:
        """The subject that is asked for."""
        return x509.Name.from_rfc4514_string(self.name) if self.name else x509.Name([])

    @property
    def identity(self) -> Identity:
        """The key with a self-signed certificate."""
        return Identity(self_signed(self.key, self.subject, self.since, 30), self.key)

    def csr(
        self,
        password: str | None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        digest: str = "sha256",
    ) -> bytes:
        """A PKCS#10 request."""
        return build_csr(self.key, self.subject, challenge_password=password, extensions=extensions, digest=digest)


def message(
    content: bytes,
    signer: Identity,
    recipient: x509.Certificate,
    *,
    kind: int | None = MessageType.PKCS_REQ,
    transaction_id: str | None = "",
    nonce: bytes | None = NONCE,
    digest: str = "sha256",
    cipher: str = "aes-128-cbc",
    envelope: bytes | None = b"",
    include: Sequence[x509.Certificate] | None = None,
) -> Request:
    """A pkiMessage, every part of which can be left out or be wrong; an empty transactionID or envelope is made."""
    transaction_id = new_transaction_id() if transaction_id == "" else transaction_id
    pairs = []
    if kind is not None:
        pairs.append((OID_MESSAGE_TYPE, asn1.printable(str(int(kind)))))
    if transaction_id is not None:
        pairs.append(attributes.transaction_id(transaction_id))
    if nonce is not None:
        pairs.append(attributes.sender_nonce(nonce))
    sealed = cms.write_enveloped(content, recipient, cipher) if envelope == b"" else envelope
    enclosed = [signer.certificate] if include is None else include
    body = cms.write_signed_data(sealed, pairs, signer.certificate, signer.key, digest, enclosed)
    return Request(body, MessageType.PKCS_REQ, transaction_id or "", nonce or b"", signer)


@dataclass(frozen=True)
class Response:
    """An HTTP response of the application."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type, as sent."""
        return self.headers["Content-Type"]


class Bench:
    """The WSGI application on a state folder, called without any network."""

    def __init__(self, state: Path, clock: Clock, **settings: Any) -> None:
        self.state, self.clock = state, clock
        opened = open_server(state, settings=parse(read_values(state) | settings), clock=clock)
        self.server = with_faults(replace(opened, logs=Logs(state, opened.settings)), state)
        self.application = Application(self.server, open_pages(state, self.server.settings))

    @property
    def pki(self) -> Authority:
        """The CA that issues now."""
        return self.server.authority

    def close(self) -> None:
        """Give back the database."""
        self.server.store.close()

    def passwords(self, count: int = 1) -> list[str]:
        """Fresh one-time passwords."""
        return challenges.create(self.server, count)[0]

    def http(
        self, method: str = "GET", query: str = "", body: bytes = b"", path: str = "/", **environ: Any
    ) -> Response:
        """One request."""
        sent: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            sent.update(status=int(status.split()[0]), headers=dict(headers))

        parts = self.application(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_ADDR": "192.0.2.7",
                "wsgi.input": io.BytesIO(body),
                **environ,
            },
            start_response,
        )
        return Response(sent["status"], sent["headers"], b"".join(parts))

    def post(self, body: bytes) -> Response:
        """PKIOperation."""
        return self.http("POST", "operation=PKIOperation", body)

    def request(self, device: Device, password: str | None, **parts: Any) -> Request:
        """A PKCSReq; `parts` as in `message`, and `extensions` of the PKCS#10."""
        csr = device.csr(password, parts.pop("extensions", ()), parts.pop("csr_digest", "sha256"))
        return message(csr, parts.pop("signer", device.identity), self.pki.encryption.certificate, **parts)

    def answer(self, request: Request) -> Reply:
        """Send and verify as a client does: signature, chain to the CA, transactionID, nonce."""
        response = self.post(request.message)
        assert response.status == 200, response.body
        assert response.content_type == "application/x-pki-message"
        offered = read_ca_certificates(self.http(query="operation=GetCACert").body)
        anchor = trust.TrustAnchor(certificates=(self.pki.ca.certificate,))
        ca = trust.resolve(offered, anchor, LENIENT, self.clock())
        return open_reply(response.body, request, ca, LENIENT, self.clock())

    def enroll(self, device: Device) -> Reply:
        """Ask for a certificate with a fresh password."""
        return self.answer(self.request(device, self.passwords()[0]))

    def issued(self, device: Device, **parts: Any) -> Identity:
        """A certificate for the device, with its key."""
        (certificate,) = self.answer(self.request(device, self.passwords()[0], **parts)).certificates
        return Identity(certificate, device.key)

    def renewal(self, device: Device, old: Identity, password: str | None = None, **parts: Any) -> Request:
        """A RenewalReq of the device, signed by a certificate."""
        return self.request(device, password, signer=old, kind=parts.pop("kind", MessageType.RENEWAL_REQ), **parts)

    def revoke(self, certificate: x509.Certificate, reason: str = "") -> None:
        """Revoke what was issued."""
        line = Record(epoch(self.clock()), "", "", "", "revoked")
        assert self.server.store.certificates.revoke(serial_text(certificate.serial_number), reason, line)

    def poll(self, signer: Identity, transaction_id: str, issuer: x509.Name | None = None) -> Request:
        """A CertPoll; the issuer is the CA if none is given."""
        issuer = self.pki.ca.certificate.subject if issuer is None else issuer
        recipient = self.pki.encryption.certificate
        subject = signer.certificate.subject
        return cert_poll(issuer, subject, signer, recipient, "sha256", "aes-128-cbc", transaction_id=transaction_id)

    def roll_over(self, coming: Authority) -> None:
        """Let another CA issue from now on."""
        pki.add_next(self.state, coming)
        pki.activate_next(self.state, self.clock())

    def refusal(self, request: Request) -> Reply:
        """The CertRep FAILURE that the request gets, with a sentence."""
        reply = self.answer(request)
        assert reply.status is PkiStatus.FAILURE and not reply.certificates
        assert reply.fail_info_text and reply.fail_info_text.endswith(".")
        return reply

    def refused(self, request: Request) -> FailInfo | None:
        """The failInfo that the request gets."""
        return self.refusal(request).fail_info

    def lines(self) -> list[tuple[str, str]]:
        """(outcome, reason) of the audit."""
        return [(line["outcome"], line["reason"]) for line in self.server.store.audit.records()]


ServedWith = Callable[..., Bench]
"""Serves the state folder of the test with other settings, for as long as the test runs."""

ServedNew = Callable[..., Bench]
"""Makes a state folder by its settings, the CA included, and serves it for as long as the test runs."""
