# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gunicorn's threaded worker, with a deadline for clients that stall.

A thread of the original waits for the rest of a request, or for a response to be taken, as long as the client likes: as
many stalled clients as threads, and nobody else is served. Here a watchdog shuts the connection down at a deadline, and
sooner while others wait for a thread. It works below TLS, on the socket itself.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors, message
from gunicorn.workers import gthread

from .app import BODY_COMPLETE, Environ, StartResponse
from .exchange import Response, environ_of

log = logging.getLogger("scep_server")

REQUEST_LINE = 65536
# gunicorn caps its setting at this constant; requests by GET of large RSA keys are longer than its 8190.
message.MAX_REQUEST_LINE = REQUEST_LINE

CROWDED_SECONDS = 1.0
"""The deadline while other connections wait for a thread."""
NEXT_MILLISECONDS = 5
"""How long a thread waits for the next request of the client that it has just answered."""
LINGER_SECONDS = 1.0
"""How long a closed connection may still send, so that our last answer is not lost to a reset."""
LINGER_BYTES = 262144

# What a request that is no HTTP is answered with; the first that fits counts, and nothing fits what is our own fault.
_STATUS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
    ssl.SSLError: HTTPStatus.BAD_REQUEST,
}
_NO_REQUEST = "this is not a request that the server reads"
_OUR_FAULT = "the server could not handle this request, and its log says why"


@dataclass(slots=True)
class _Watched:
    connection: Any
    since: float


class Worker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """One process that answers requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watched: dict[int, _Watched] = {}  # by thread
        self._queued: set[Any] = set()  # connections without a thread
        self._here = threading.local()
        self.request_seconds: float = 10

    # What follows runs in the main thread.

    def enqueue_req(self, conn: Any) -> None:
        """A connection has something to say."""
        self._queued.add(conn)
        super().enqueue_req(conn)

    def notify(self) -> None:
        """Called by the main loop at least once a second, while it runs and while it ends."""
        super().notify()
        self._cut_stalled()

    def _cut_stalled(self) -> None:
        now = time.monotonic()
        limit = CROWDED_SECONDS if self._queued else self.request_seconds
        for watched in list(self._watched.values()):
            if now - watched.since > limit:
                log.info("%s: cut off after %.1f s without a request", watched.connection.client, now - watched.since)
                shut(watched.connection.sock, socket.SHUT_RDWR)

    def _cap_keepalive(self, deadline: float) -> None:
        """The end has begun: whoever has said nothing is waited for no longer than those who said something.

        Browsers open such connections in advance; the original waits for them until its grace is over.
        """
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def load_wsgi(self) -> None:
        """Wrap the application, so that the watchdog sleeps while it works."""
        super().load_wsgi()
        # Each request asks for two dozen of gunicorn's settings, of which each takes two calls to look up as they are.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        application: Any = self.app.wsgi()

        def watched(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            environ[BODY_COMPLETE] = self._unwatch
            try:
                answer: Iterable[bytes] = application(environ, start_response)
                return answer
            finally:
                self._watch()

        self.wsgi = watched

    # What follows runs in the threads.

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection; True keeps it alive."""
        self._queued.discard(conn)
        if not conn.initialized and not conn.data_ready and not conn.wait_for_data(0):
            return gthread._DEFER  # silent so far: the main loop waits for it, without a thread
        self._here.connection = conn
        self._watch()
        try:
            keep = super().handle(conn)
            while keep and self._says_more(conn):
                self._watch()
                keep = super().handle(conn)
            if not keep:
                self._linger(conn)
            return keep
        finally:
            self._unwatch()

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer one request in one piece; whether the connection stays."""
        if req._expected_100_continue:
            conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        response = Response()
        body = b"".join(self.wsgi(environ_of(req, conn), response.start_response))
        crowded = len(self.keepalived_conns) >= self.max_keepalived
        keep = bool(
            self.alive and self.cfg.keepalive and not crowded and not response.closes and not req.should_close()
        )
        conn.sock.sendall(response.octets(req.version, body, keep=keep))
        return keep

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """The answer is sent: the rest of a request that cannot be read gets no other one, and ends the connection."""
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except (errors.ParseException, OSError) as error:
            log.info("%s: closed, as its request does not end: %s", conn.client[0], type(error).__name__)
            return False

    def _says_more(self, conn: Any) -> bool:
        """Whether a client that stays has its next request here at once, while nobody else needs the thread.

        Many have, and the way of a connection through the main loop and back costs as much as a short wait.
        """
        self._unwatch()
        try:
            _take_from_tls(conn)
            if self._queued or not self.alive:
                return False
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            return bool(poll.poll(NEXT_MILLISECONDS))
        except (OSError, ValueError):  # cut off meanwhile
            return False

    def _watch(self) -> None:
        self._watched[threading.get_ident()] = _Watched(self._here.connection, time.monotonic())

    def _unwatch(self) -> None:
        self._watched.pop(threading.get_ident(), None)

    def _linger(self, conn: Any) -> None:
        """Half-close and read on for a moment; the original does so in the main loop, where all others wait."""
        if isinstance(conn.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                conn.sock.settimeout(LINGER_SECONDS)
                conn.sock.unwrap()  # close_notify
        shut(conn.sock, socket.SHUT_WR)
        deadline, taken = time.monotonic() + LINGER_SECONDS, 0
        with contextlib.suppress(OSError, ValueError):
            while taken < LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
                conn.sock.settimeout(left)
                if not (data := socket.socket.recv(conn.sock, 65536)):
                    break
                taken += len(data)
        shut(conn.sock, socket.SHUT_RD)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP request, or what nobody foresaw, with one line."""
        status, text = next(
            ((status, _NO_REQUEST) for kind, status in _STATUS.items() if isinstance(exc, kind)),
            (HTTPStatus.INTERNAL_SERVER_ERROR, _OUR_FAULT),
        )
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("a connection was not foreseen", exc_info=exc)
        log.info("%s: %s: %s", addr[0] if addr else "", status.phrase, type(exc).__name__)
        text = f"{status.phrase}: {text}.\n"
        answer = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}"
        )
        with contextlib.suppress(OSError, ValueError):
            client.settimeout(LINGER_SECONDS)
            client.sendall(answer.encode("ascii"))


def _take_from_tls(conn: Any) -> None:
    """Have gunicorn keep what TLS has taken off the socket already: there, nobody would look for it again.

    It is another request, behind one that ended where a read did.
    """
    if isinstance(conn.sock, ssl.SSLSocket) and (octets := conn.sock.pending()):
        unreader = conn.parser.unreader
        unreader.unread(unreader.take_buffered() + conn.sock.recv(octets))


def shut(connection: socket.socket, how: int) -> None:
    """Shut a connection down below TLS, whatever state it is in."""
    with contextlib.suppress(OSError, ValueError):
        # past SSLSocket.shutdown(), which would take the TLS layer away from the thread that uses it
        socket.socket.shutdown(connection, how)
