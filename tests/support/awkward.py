# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small SCEP server for tests of the client: proper by default, and as awkward as a test wants it.

It answers with what a test put into `answers`, otherwise with what the protocol core makes of the shared PKI. All that
arrives is written down in `received`.
"""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import wire
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest, open_request
from cryptography import x509

from . import pki as pki_module

CAPABILITIES = b"AES\nDES3\nPOSTPKIOperation\nSHA-256\nSHA-1\nSCEPStandard\n"


@dataclass
class Answer:
    """An HTTP answer. `pause` is the time in seconds between its octets, when it is to be slow."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0
    declared: int | None = None
    """A Content-Length other than the real one."""
    framing: str = "length"
    """How the end of the body is told: by its `length`, by `chunks`, or by the `close` of the connection."""


@dataclass(frozen=True)
class Received:
    """What arrived."""

    method: str
    operation: str
    message: bytes


class Awkward:
    """The server. `answers` maps an operation to an Answer; `reply` makes the CertRep for a request."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        """Listen on a port of its own. `tls`: files of certificate and key."""
        self.pki = pki_module.shared()
        self.received: list[Received] = []
        self.requests: list[IncomingRequest] = []
        self.behave()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.daemon_threads = True
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._http.server_address[1]}/scep"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def behave(self) -> None:
        """Be a proper server, from now on."""
        self.answers: dict[str, Answer] = {}
        self.files: dict[str, Answer] = {}
        """What a plain GET finds, by its path, such as a CRL at a distribution point."""
        self.offered = self.pki.ndes
        self.recipients = [self.pki.ra_encrypt, self.pki.ca]
        """Who can read requests."""
        self.reply: Callable[[IncomingRequest], bytes] = self.issue
        self.wrap: Callable[[bytes], Answer] = lambda body: Answer(body, content_type=wire.CONTENT_TYPES["pki_message"])
        """Puts the reply into an HTTP answer."""
        self.protocol = "HTTP/1.1"
        self.end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=365)
        self.template: dict[str, Any] = {}
        """What a certificate gets whatever was asked for, in the words of `pki.certificate`."""

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def operations(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [received.operation for received in self.received]

    def issue(self, request: IncomingRequest) -> bytes:
        """The usual reply: a certificate as it was asked for, except for what the template says."""
        return success(request.header, self.pki.ra_sign, [self.certify(request)])

    def certify(self, request: IncomingRequest) -> x509.Certificate:
        """A certificate for the key of the request."""
        csr = request.csr
        assert csr is not None
        fields: dict[str, Any] = {
            "subject": csr.subject,
            "issuer": self.pki.ca,
            "usage": None,
            "start": self.end - dt.timedelta(days=400),
            "end": self.end,
            "extensions": [(extension.value, extension.critical) for extension in csr.extensions],
            **self.template,
        }
        return pki_module.certificate(key=_KeyOf(csr.public_key), **fields)

    def answer(self, operation: str, message: bytes) -> Answer:
        """What to send back."""
        if operation in self.answers:
            return self.answers[operation]
        if operation == "GetCACaps":
            return Answer(CAPABILITIES, content_type="text/plain")
        if operation == "GetCACert":
            body, content_type = write_ca_certificates(self.offered)
            return Answer(body, content_type=content_type)
        request = open_request(message, self.recipients, policy())
        self.requests.append(request)
        return self.wrap(self.reply(request))


@dataclass(frozen=True)
class _KeyOf:
    """Stands for the owner of a public key, whose private key nobody here has."""

    key: Any

    def public_key(self) -> Any:
        """The key."""
        return self.key


def _framed(answer: Answer) -> tuple[bytes, tuple[str, str]]:
    """(body as it is sent, the header that tells its end)."""
    body, step = answer.body, 1000
    if answer.framing == "chunks":
        chunks = [body[at : at + step] for at in range(0, len(body), step)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
        return framed, ("Transfer-Encoding", "chunked")
    if answer.framing == "close":
        return body, ("Connection", "close")
    return body, ("Content-Length", str(len(body) if answer.declared is None else answer.declared))


def _handler(server: Awkward) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def setup(self) -> None:
            self.protocol_version = server.protocol
            super().setup()

        def do_GET(self) -> None:
            if self.path in server.files:
                server.received.append(Received("GET", self.path, b""))
                self._send(server.files[self.path])
                return
            query = wire.parse_query(self.path.partition("?")[2])
            self._answer(query.operation, wire.decode_get_message(query.message) if query.message else b"")

        def do_POST(self) -> None:
            query = wire.parse_query(self.path.partition("?")[2])
            self._answer(query.operation, self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, operation: str, message: bytes) -> None:
            server.received.append(Received(self.command, operation, message))
            self._send(server.answer(operation, message))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            if answer.content_type is not None:
                self.send_header("Content-Type", answer.content_type)
            body, (name, value) = _framed(answer)
            self.send_header(name, value)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not answer.pause:
                self.wfile.write(body)
            else:
                for octet in body:
                    try:
                        self.wfile.write(bytes((octet,)))
                    except OSError:
                        break
                    time.sleep(answer.pause)
            if answer.declared is not None or answer.framing == "close":
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the base class
            pass

    return Handler
