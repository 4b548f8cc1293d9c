# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SCEP client: one server, its capabilities and certificates, and what is asked of it (RFC 8894 section 2)."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .. import _deps
from ..errors import NotRenewed, Refused, TransportError
from ..scep import requests as scep_requests
from ..scep._compat import generate_rsa_key
from ..scep.algorithms import choose
from ..scep.cacerts import read_ca_certificates, read_next_ca
from ..scep.capabilities import Capabilities
from ..scep.certificates import self_signed
from ..scep.constants import PkiStatus
from ..scep.csr import build_csr
from ..scep.errors import DecodeError, ReplyError, TrustError
from ..scep.failures import explain, names_challenge
from ..scep.replies import Reply, open_reply, select_certificate, select_crl, select_issued
from ..scep.requests import Identity, cert_poll, get_cert, get_crl, pkcs_req
from ..scep.trust import CaCertificates, resolve
from .options import Request, Server
from .transport import Transport

try:
    from cryptography import x509
    from cryptography.x509.oid import NameOID
except ImportError as exc:
    _deps.missing("cryptography", exc)

_OWN_KEY_BITS = 2048


def utc_now() -> dt.datetime:
    """The time, aware, in UTC."""
    return dt.datetime.now(dt.timezone.utc)


@dataclass(frozen=True)
class Prepared:
    """A request that can be sent again as it is.

    `csr` is DER, `public_key` the key in it. `signer` signs the pkiMessage and opens the reply; `renewal` says that it
    is the certificate which is to be renewed.
    """

    csr: bytes
    subject: x509.Name
    public_key: Any
    transaction_id: str
    signer: Identity
    renewal: bool = False


@dataclass(frozen=True)
class Issued:
    """What an enrolment brought. `chain`: issuing CA first, up to the trust anchor."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    transaction_id: str


class Client:
    """Talks to one server. What is asked for once is kept. Everything raises EnrollmentError or ScepError."""

    def __init__(self, server: Server) -> None:
        """Nothing is sent yet."""
        self._server = server
        self._transport = Transport(server.connection)
        self._capabilities: Capabilities | None = None
        self._offered: tuple[x509.Certificate, ...] | None = None
        self._ca: CaCertificates | None = None

    def __enter__(self) -> Client:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._transport.__exit__(kind, error, traceback)

    def capabilities(self) -> Capabilities:
        """What the server says that it can do."""
        if self._capabilities is None:
            self._capabilities = self._transport.capabilities()
        return self._capabilities

    def offered(self) -> tuple[x509.Certificate, ...]:
        """The certificates of GetCACert, not yet judged."""
        if self._offered is None:
            body = self._transport.ca_certificates()
            with self._understood("GetCACert"):
                self._offered = read_ca_certificates(body)
        return self._offered

    def ca(self) -> CaCertificates:
        """The same, judged by the trust anchor: no secret is sent before this succeeds."""
        if self._ca is None:
            server = self._server
            self._ca = resolve(self.offered(), server.anchor, server.allowed, utc_now(), server.ra)
        return self._ca

    @contextlib.contextmanager
    def _understood(self, operation: str) -> Iterator[None]:
        """Say of which answer it is that its bytes make no sense."""
        try:
            yield
        except DecodeError as error:
            url = self._server.connection.url
            raise TransportError(
                f"The server at {url} answers {operation} with something that is no SCEP message: {error}"
            ) from None

    def request(self, key: Any, request: Request, challenge_password: str | None) -> bytes:
        """A PKCS#10 request, signed with what the server offers."""
        digest, _cipher = choose(self.capabilities(), self._server.allowed)
        return build_csr(
            key,
            request.subject,
            challenge_password=challenge_password,
            extensions=request.extensions,
            digest=digest,
        )

    def submit(self, prepared: Prepared) -> Issued | None:
        """PKCSReq or RenewalReq: the certificate, or None when the server keeps the request for approval.

        Raises Refused for a FAILURE.
        """
        digest, cipher = choose(self.capabilities(), self._server.allowed)
        message = pkcs_req(
            prepared.csr,
            prepared.signer,
            self.ca().recipient,
            digest,
            cipher,
            transaction_id=prepared.transaction_id,
            renewal=prepared.renewal,
        )
        return self._ask(message, prepared)

    def poll(self, prepared: Prepared) -> Issued | None:
        """CertPoll for a request that was submitted before; the answer as for `submit`."""
        digest, cipher = choose(self.capabilities(), self._server.allowed)
        ca = self.ca()
        message = cert_poll(
            ca.ca.subject,
            prepared.subject,
            prepared.signer,
            ca.recipient,
            digest,
            cipher,
            transaction_id=prepared.transaction_id,
        )
        return self._ask(message, prepared)

    def next_ca(self) -> tuple[x509.Certificate, ...]:
        """The certificates of the coming CA, when today's signed them; empty where the server has none to offer."""
        if not self.capabilities().next_ca:
            return ()
        ca = self.ca()
        body = self._transport.next_ca_certificates()
        if body is None:
            return ()
        with self._understood("GetNextCACert"):
            return read_next_ca(body, ca, self._server.allowed, utc_now())

    def certificate(self, serial: int) -> x509.Certificate:
        """GetCert for a certificate of the CA, as `select_certificate` takes it. Raises Refused for a FAILURE."""
        return select_certificate(self._look_up(get_cert, self.ca().ca.subject, serial), serial, self.ca())

    def crl(self, certificate: x509.Certificate) -> bytes:
        """GetCRL for the CRL (DER, not judged) that covers a certificate. Raises Refused for a FAILURE."""
        return select_crl(self._look_up(get_crl, certificate.issuer, certificate.serial_number))

    def _look_up(self, build: Callable[..., scep_requests.Request], issuer: x509.Name, serial: int) -> Reply:
        """GetCert or GetCRL, signed by a key that is made for this alone: the answer is no secret."""
        digest, cipher = choose(self.capabilities(), self._server.allowed)
        recipient, key = self.ca().recipient, generate_rsa_key(_OWN_KEY_BITS)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "netcert.ndes")])
        signer = Identity(self_signed(key, name, utc_now()), key)
        reply = self._reply(build(issuer, serial, signer, recipient, digest, cipher))
        if reply.status is PkiStatus.PENDING:
            raise Refused("The server keeps a question for approval that has nothing to approve.")
        return reply

    def _reply(self, message: scep_requests.Request) -> Reply:
        """Send a message, and open the answer. Raises Refused for a FAILURE."""
        ca, allowed = self.ca(), self._server.allowed
        body = self._transport.pki_operation(message.message, post=self.capabilities().post)
        with self._understood("PKIOperation"):
            reply = open_reply(body, message, ca, allowed, utc_now())
        if reply.status is PkiStatus.FAILURE:
            raise Refused(explain(reply), reply.fail_info, challenge=names_challenge(reply))
        return reply

    def _ask(self, message: scep_requests.Request, prepared: Prepared) -> Issued | None:
        reply, ca = self._reply(message), self.ca()
        if reply.status is PkiStatus.PENDING:
            return None
        if prepared.renewal and set(reply.certificates) <= {prepared.signer.certificate, *ca.chain}:
            raise NotRenewed(
                "The server answers the renewal with the certificate that is to be renewed. NDES does so for some "
                "minutes after it has issued one, while it remembers the request; try again later."
            )
        try:
            certificate, chain = select_issued(reply, prepared.public_key, ca, utc_now())
        except (ReplyError, TrustError) as error:  # the answer of the server itself, which it would give again
            raise Refused(str(error)) from None
        return Issued(certificate, chain, prepared.transaction_id)
