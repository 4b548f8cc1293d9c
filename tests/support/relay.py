# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay between a SCEP client and a server: it passes everything on and writes down what the messages say in clear.

So a test can state what really went over the wire, and not what it believes a client of others to do.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ansible_collections.netcert.ndes.plugins.module_utils.scep import attributes, cms, constants, wire
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import load_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import ScepError
from cryptography import x509

from .servers import PATIENCE

_EVERYTHING = policy(legacy=True)
_PASSED_ON = ("Content-Type", "Accept", "User-Agent")

Server = TypeVar("Server", bound=Any)


@dataclass(frozen=True)
class Message:
    """What a pkiMessage says without being decrypted; `cipher` is empty when it has no content.

    `renewing`: it is signed by a certificate that somebody else issued, not by one made for the occasion.
    """

    kind: str
    digest: str
    cipher: str = ""
    status: str = ""
    renewing: bool = False


@dataclass(frozen=True)
class Exchange:
    """One PKIOperation; `reply` is None when the server answered with something else than a pkiMessage."""

    method: str
    request: Message
    reply: Message | None


def read_message(body: bytes) -> Message:
    """What a pkiMessage says in clear. Raises ScepError."""
    signed = cms.read_signed_data(body)
    signer = signed.signers[0]
    kind = attributes.read_number(signer, constants.OID_MESSAGE_TYPE, "messageType", MessageType)
    status = attributes.read_number(signer, constants.OID_PKI_STATUS, "pkiStatus", PkiStatus)
    cipher = ""
    if signed.content and signed.content != b"\0":
        cipher = _EVERYTHING.cipher(cms.read_enveloped(signed.content).cipher_oid).label
    return Message(
        "" if kind is None else kind.name,
        _EVERYTHING.digest(signer.digest_oid).label,
        cipher,
        "" if status is None else status.name,
        status is None and any(_issued(load_certificate(one), signer.sid) for one in signed.certificates),
    )


def _issued(certificate: x509.Certificate, signer: cms.CertificateId) -> bool:
    return signer.names(certificate) and certificate.issuer != certificate.subject


@contextmanager
def relayed(server: Server, exchanges: list[Exchange]) -> Iterator[Server]:
    """`server`, a dataclass with an `url`, behind a relay on loopback that appends each PKIOperation to `exchanges`."""
    relay = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server.url, exchanges))
    relay.daemon_threads = True
    thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield replace(server, url=f"http://127.0.0.1:{relay.server_address[1]}{urlsplit(server.url).path}")
    finally:
        relay.shutdown()
        relay.server_close()
        thread.join()


def _exchange(method: str, message: bytes, reply: bytes) -> Exchange:
    try:
        answered = read_message(reply)
    except ScepError:
        answered = None
    return Exchange(method, read_message(message), answered)


def _handler(url: str, exchanges: list[Exchange]) -> type[BaseHTTPRequestHandler]:
    where = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = PATIENCE

        def do_GET(self) -> None:
            self._relay(b"")

        def do_POST(self) -> None:
            self._relay(self.rfile.read(int(self.headers["Content-Length"])))

        def _relay(self, body: bytes) -> None:
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            onward = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
            try:
                onward.request(self.command, self.path, body or None, headers)
                answer = onward.getresponse()
                reply = answer.read()
            finally:
                onward.close()
            query = wire.parse_query(self.path.partition("?")[2])
            if query.operation == "PKIOperation":
                message = body or wire.decode_get_message(query.message or "")
                exchanges.append(_exchange(self.command, message, reply))
            self.send_response(answer.status)
            for name in ("Content-Type", "Retry-After"):
                if answer.headers[name] is not None:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the base class
            pass

    return Handler
