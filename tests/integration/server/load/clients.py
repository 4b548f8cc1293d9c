# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients by the dozen: requests made beforehand, kept connections, and answers looked at afterwards."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from ansible_collections.netcert.ndes.plugins.module_utils.scep import trust
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import is_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply, open_reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, Request
from cryptography.hazmat.primitives.serialization import Encoding
from scep_device import LENIENT, Device, message, new_key

KEYS = 4
BITS = 1024
"""Small keys for the devices: the tests wait for the server's work, not for their own. The server's keys have 2,048."""
SECONDS = 30
"""How long a client waits for an answer."""

T = TypeVar("T")


class Lost(Exception):
    """The connection broke, or the server cannot answer now: nobody knows what became of the request."""


class Connection:
    """One kept connection to a node, made anew after it broke. The node may come back at another address."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._connection: http.client.HTTPConnection | None = None

    def open(self) -> http.client.HTTPConnection:
        """The connection, which is made if there is none. Raises OSError."""
        if self._connection is None:
            parts = urlsplit(self._url())
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, method: str, operation: str, body: bytes = b"") -> tuple[int, bytes]:
        """(status, body) of the answer. Raises Lost."""
        try:
            connection = self._sent(method, operation, body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(repr(error)) from None
        if answer.will_close:
            self.close()
        return answer.status, content

    def post(self, request: Request) -> bytes:
        """The pkiMessage that answers the request. Raises Lost, also for 503; any other status is a mistake."""
        status, content = self.ask("POST", "PKIOperation", request.message)
        if status == 503:
            raise Lost("503")
        assert status == 200, (status, content)
        return content

    def forsake(self, request: Request) -> None:
        """Send the request and hang up before the answer comes. Raises Lost."""
        try:
            self._sent("POST", "PKIOperation", request.message)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(repr(error)) from None
        finally:
            self.close()

    def _sent(self, method: str, operation: str, body: bytes) -> http.client.HTTPConnection:
        connection = self.open()
        connection.request(method, f"/scep?operation={operation}", body or None)
        return connection


@contextlib.contextmanager
def connected(url: Callable[[], str]) -> Iterator[Connection]:
    """A connection, closed at the end."""
    connection = Connection(url)
    try:
        yield connection
    finally:
        connection.close()


class Fleet:
    """A few devices of one CA. Their keys and self-signed certificates are made once: they are not what is tested."""

    def __init__(self, url: str) -> None:
        now = dt.datetime.now(dt.UTC)
        with connected(lambda: url) as connection:
            offered = read_ca_certificates(connection.ask("GET", "GetCACert")[1])
        anchors = tuple(certificate for certificate in offered if is_ca(certificate))
        self.ca = trust.resolve(offered, trust.TrustAnchor(certificates=anchors), LENIENT, now)
        self.devices = [Device(new_key(BITS), since=now) for _number in range(KEYS)]
        self.identities: list[Identity] = [device.identity for device in self.devices]

    def request(self, password: str, number: int = 0) -> Request:
        """A PKCSReq of device `number` (modulo how many there are)."""
        at = number % KEYS
        return message(self.devices[at].csr(password), self.identities[at], self.ca.recipient)

    def requests(self, passwords: Sequence[str]) -> list[Request]:
        """One request for each password."""
        return [self.request(password, number) for number, password in enumerate(passwords)]

    def read(self, content: bytes, request: Request) -> Reply:
        """Verify an answer as a client does."""
        return open_reply(content, request, self.ca, LENIENT, dt.datetime.now(dt.UTC))

    def certificate(self, content: bytes, request: Request) -> bytes:
        """The issued certificate in an answer, DER."""
        reply = self.read(content, request)
        assert reply.status is PkiStatus.SUCCESS, reply.fail_info_text
        return reply.certificates[0].public_bytes(Encoding.DER)


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(number)` in as many threads, which all start at the same moment, and return what they return."""
    barrier = threading.Barrier(count)

    def start(number: int) -> T:
        barrier.wait(SECONDS)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))
