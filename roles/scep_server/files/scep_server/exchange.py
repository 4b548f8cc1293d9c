# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its answer, between gunicorn's parser and a WSGI application whose answers have a length.

gunicorn's own way is made for any application: it looks at each header of an answer with patterns, makes a handful of
objects for each request, and sends head and body apart. An enrolment spends as long on that as on reading its message.
"""

from __future__ import annotations

import functools
import sys
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

from .app import Environ

SERVER = "scep-server"
_OF_EACH: Environ = {
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "SERVER_SOFTWARE": SERVER,
    "SCRIPT_NAME": "",
}
_WITHOUT_PREFIX = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}


def environ_of(request: Any, connection: Any) -> Environ:
    """The WSGI environ (PEP 3333) of a request that gunicorn has parsed; headers that come twice are joined."""
    client, server = connection.client, connection.server
    environ = _OF_EACH | {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": _protocol(request.version),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": request.body,
        "gunicorn.socket": connection.sock,
    }
    for name, value in request.headers:
        key = _WITHOUT_PREFIX.get(name) or _variable(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _protocol(version: tuple[int, int]) -> str:
    return f"HTTP/{version[0]}.{version[1]}"


@functools.lru_cache(maxsize=64)
def _variable(header: str) -> str:
    return "HTTP_" + header.replace("-", "_")


class Response:
    """What the application answers, and the `start_response` of PEP 3333 that it says the head with."""

    __slots__ = ("closes", "head", "status")

    def start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Keep status and headers. Raises ValueError when one of them has a line break: it would become two."""
        self.status = status
        self.head = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if self.head.count("\n") != len(headers) or self.head.count("\r") != len(headers):
            raise ValueError("A header of the answer has a line break in it.")
        self.closes = ("Connection", "close") in headers

    def octets(self, version: tuple[int, int], body: bytes, *, keep: bool) -> bytes:
        """Head and body, as they are sent."""
        connection = "" if self.closes else f"Connection: {'keep-alive' if keep else 'close'}\r\n"
        first = f"{_protocol(version)} {self.status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\n"
        return f"{first}{connection}{self.head}\r\n".encode("latin-1") + body


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
