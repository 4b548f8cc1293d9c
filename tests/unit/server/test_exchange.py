# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application gets of a request, and what is sent of its response."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from wsgiref.validate import validator

import pytest
from gunicorn.http import errors

from scep_server.app import Environ
from scep_server.exchange import Response, environ_of
from scep_server.worker import Worker


def _request(headers: list[tuple[str, str]]) -> SimpleNamespace:
    return SimpleNamespace(
        method="GET",
        path="/a%0d%0Ab/%C3%A4",
        query="operation=GetCACaps",
        version=(1, 1),
        scheme="http",
        body=io.BytesIO(b"body"),
        headers=headers,
    )


_CONNECTION = SimpleNamespace(client=("192.0.2.1", 4711), server=("127.0.0.1", 80), sock=object())


def test_the_environ_is_one_of_wsgi() -> None:
    def application(_environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    response = Response()

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
        response.start_response(status, headers)
        return lambda _octets: None

    told = validator(application)(environ_of(_request([("HOST", "a")]), _CONNECTION), start_response)
    assert list(told) == [b"ok"]
    told.close()


def test_headers_and_path_are_as_they_came() -> None:
    headers = [("CONTENT-LENGTH", "4"), ("CONTENT-TYPE", "a/b"), ("X-ONE-TWO", "1"), ("X-ONE-TWO", "2")]
    environ = environ_of(_request(headers), _CONNECTION)
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"], environ["HTTP_X_ONE_TWO"]) == ("4", "a/b", "1,2")
    assert environ["PATH_INFO"].encode("latin-1") == "/a\r\nb/ä".encode()
    assert (environ["REMOTE_ADDR"], environ["SERVER_PORT"]) == ("192.0.2.1", "80")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


@pytest.mark.parametrize(
    ("headers", "keep", "connection"),
    [
        ([], True, b"Connection: keep-alive"),
        ([], False, b"Connection: close"),
        ([("Connection", "close")], False, b"Connection: close"),
    ],
)
def test_an_answer_says_once_what_becomes_of_the_connection(
    headers: list[tuple[str, str]], keep: bool, connection: bytes
) -> None:
    response = Response()
    response.start_response("200 OK", [("Content-Length", "2"), *headers])
    head, body = response.octets((1, 0), b"ok", keep=keep).split(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first, body) == (b"HTTP/1.0 200 OK", b"ok")
    assert [line for line in lines if line.startswith(b"Connection")] == [connection]
    assert b"Content-Length: 2" in lines and any(line.startswith(b"Date: ") for line in lines)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_no_header_becomes_two(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Response().start_response("302 Found", [("Content-Length", "0"), ("Location", value)])


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [
        (errors.InvalidChunkSize(b"zz"), b"400 Bad Request", logging.INFO),
        (errors.LimitRequestHeaders("many"), b"431 Request Header Fields Too Large", logging.INFO),
        (ValueError("A header of the answer has a line break in it."), b"500 Internal Server Error", logging.ERROR),
    ],
)
def test_whose_fault_it_is(error: Exception, status: bytes, logged: int, caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, caplog.at_level(logging.INFO):
        Worker.handle_error(None, None, ours, ("192.0.2.1", 4711), error)
        answer = theirs.recv(65536)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert max(record.levelno for record in caplog.records) == logged
