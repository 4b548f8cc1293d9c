# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WSGI application: HTTP on one side, operations on the other.

Any path will do, as RFC 8894 section 4.1 advises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError, MessageError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import Query, decode_get_message, parse_query

from . import crl, metrics
from .errors import ServerError, StoreBusy, Unavailable
from .faults.active import Place
from .operations import OPERATIONS, Answer, Asked, Operation
from .server import Server

log = logging.getLogger("scep_server")

MAX_BODY = 1024 * 1024
_LENGTH_DIGITS = 18  # of a Content-Length: more are too much in any case, and int() takes 4,300

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Headers = tuple[tuple[str, str], ...]

BODY_COMPLETE = "scep_server.body_complete"
"""Key of a function in the environ, called when nothing more is expected from the client."""
ADDED_HEADERS = "scep_server.added_headers"
"""Key in the environ of headers that the answer gets, whatever it becomes."""

_CLOSE = ("Connection", "close")


class HttpError(Exception):
    """An answer that is not SCEP: a status, and one line of text or a page."""

    def __init__(self, status: HTTPStatus, text: str, headers: Headers = (), page: Answer | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers
        self.page = page


Pages = Callable[[Server, Environ], "Answer | None"]


class Application:
    """Answers requests for one `Server`; safe to call from many threads.

    `pages` has its own answers to some paths, and is asked first.
    """

    def __init__(self, server: Server, pages: Pages | None = None) -> None:
        self._server = server
        self._pages = pages

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI (PEP 3333). Nothing that a client sends gets an exception past this."""
        status: HTTPStatus = HTTPStatus.OK
        headers: Headers = ()
        try:
            answer = self._answer(environ)
            headers = answer.headers
        except HttpError as error:
            status, headers, answer = error.status, error.headers, error.page or _line(error.text)
        except (DecodeError, MessageError) as error:
            log.info("%s: not a SCEP message: %s", client_of(environ), error)
            status, answer = HTTPStatus.BAD_REQUEST, _line(str(error))
        except Unavailable as error:
            status, answer = HTTPStatus.NOT_FOUND, _line(str(error))
        except StoreBusy as error:
            log.warning("%s", error)
            status, headers = HTTPStatus.SERVICE_UNAVAILABLE, (("Retry-After", "5"),)
            answer = _line("The server cannot reach its database; try again later.")
        except Exception as error:
            if isinstance(error, ServerError):  # such as a file of users that cannot be read
                log.error("%s: %s", client_of(environ), error)
            else:
                log.exception("a request was not foreseen")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            answer = _line("The server could not handle this request; its log says why.")
        named = (("Content-Type", answer.content_type),) if answer.content_type else ()
        length = ("Content-Length", str(len(answer.body)))
        added = environ.get(ADDED_HEADERS, ())
        start_response(f"{status.value} {status.phrase}", [*named, length, *headers, *added])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: Environ) -> Answer:
        server = self._server.at_this_moment(client_of(environ))
        return server.journal.around(server.faults.around(Place.HTTP, self._found))(server, environ)

    def _found(self, server: Server, environ: Environ) -> Answer:
        method = environ["REQUEST_METHOD"]
        if self._pages is not None and (shown := self._pages(server, environ)) is not None:
            return shown
        query_string = environ.get("QUERY_STRING", "")
        if not query_string and method in ("GET", "HEAD"):
            above, _slash, page = environ.get("PATH_INFO", "").rpartition("/")
            if page in PLAIN:
                return PLAIN[page](server)
            if above.rpartition("/")[2] == "crl":
                return _crl_of(server, page)
        query, operation = _operation(query_string, method)
        message = _message(environ, method, query) if operation.takes_message else b""
        expect_no_more(environ)
        return operation.answer(server, Asked(message, client_of(environ), server.clock()))


def _operation(query_string: str, method: str) -> tuple[Query, Operation]:
    if not query_string and method == "POST":  # some clients leave it out: there is only one operation to post
        query_string = "operation=PKIOperation"
    query = parse_query(query_string)
    operation = OPERATIONS.get(query.operation)
    if operation is None:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"This server has the operations {', '.join(OPERATIONS)}, no other.")
    if method not in operation.methods:
        allow = ", ".join(operation.methods)
        text = f"{query.operation} is asked for with {allow}."
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, text, (("Allow", allow), _CLOSE))
    return query, operation


def _message(environ: Environ, method: str, query: Query) -> bytes:
    if method == "GET":
        if not query.message:
            raise HttpError(HTTPStatus.BAD_REQUEST, "PKIOperation over GET needs a message.")
        return decode_get_message(query.message)
    return read_body(environ, MAX_BODY, "A SCEP message")


def read_body(environ: Environ, most: int, what: str) -> bytes:
    """The body, of at most so many bytes. The connection of a client that has more to say, or falls silent, is closed.

    Raises HttpError, in which the body is called `what`.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    announced = int(length.lstrip("0")[:_LENGTH_DIGITS] or 0) if length.isdecimal() else None
    if announced is None and not environ.get("wsgi.input_terminated"):
        announced = 0
    too_much = HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"{what} has at most {most} bytes here.",
        (_CLOSE,),
    )
    if announced is not None and announced > most:
        raise too_much
    try:
        body: bytes = environ["wsgi.input"].read(most + 1 if announced is None else announced)
    except Exception as error:  # whatever the HTTP server raises for a broken body
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body cannot be read.", (_CLOSE,)) from error
    if len(body) > most:
        raise too_much
    if announced is not None and len(body) < announced:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body ended too early.", (_CLOSE,))
    return body


def expect_no_more(environ: Environ) -> None:
    """What the client may send from here on is not waited for: now it waits for the server."""
    if (body_complete := environ.get(BODY_COMPLETE)) is not None:
        body_complete()


def client_of(environ: Environ) -> str:
    """The client's address, for the log."""
    return str(environ.get("REMOTE_ADDR", ""))[:64]


def _line(text: str) -> Answer:
    printable = " ".join(text.split()).encode("ascii", "backslashreplace")
    return Answer(printable + b"\n", "text/plain")


def _health(server: Server) -> Answer:
    server.store.database.ping()
    return _line("ok")


def _metrics(server: Server) -> Answer:
    return Answer(metrics.render(server).encode("utf-8"), "text/plain; version=0.0.4")


def _crl(server: Server) -> Answer:
    return _crl_of(server, server.authority.id)


def _crl_of(server: Server, ca_id: str) -> Answer:
    authority = server.pki.by_id(ca_id)
    if authority is None:
        raise Unavailable("No CA of this server has that id.")
    return Answer(crl.current(server, authority, server.clock()).der, "application/pkix-crl")


# The last part of a path that is asked for without a query: for monitoring, and for CRL distribution points. The CRL of
# each CA, those before a rollover too, is at crl/ID.
PLAIN: dict[str, Callable[[Server], Answer]] = {
    "healthz": _health,
    "metrics": _metrics,
    "crl": _crl,
}
