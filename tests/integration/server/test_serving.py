# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server over real sockets: what it serves, what it refuses, and who cannot keep it from serving others."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep import trust, wire
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply, open_reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request
from cryptography import x509
from scep_device import LENIENT, Device, message, new_key

MEBIBYTE = 1024 * 1024


class Client:
    """A SCEP client with one connection."""

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        if ca_file is not None:
            self.http.verify = ca_file
        offered = read_ca_certificates(self.get("GetCACert").content)
        now = dt.datetime.now(dt.UTC)
        self.ca = trust.resolve(offered, trust.TrustAnchor(certificates=(offered[2],)), LENIENT, now)

    def get(self, operation: str, content: bytes | None = None) -> requests.Response:
        return self.http.get(wire.build_url(self.url, operation, content), timeout=60)

    def post(self, body: Any) -> requests.Response:
        return self.http.post(wire.build_url(self.url, "PKIOperation"), data=body, timeout=60)

    def request(self, device: Device, password: str) -> Request:
        return message(device.csr(password), device.identity, self.ca.recipient)

    def read(self, response: requests.Response, request: Request) -> Reply:
        assert (response.status_code, response.headers["Content-Type"]) == (200, "application/x-pki-message")
        return open_reply(response.content, request, self.ca, LENIENT, dt.datetime.now(dt.UTC))

    def enroll(self, device: Device, password: str) -> Reply:
        request = self.request(device, password)
        return self.read(self.post(request.message), request)


def device(bits: int = 2048) -> Device:
    return Device(new_key(bits), since=dt.datetime.now(dt.UTC))


@pytest.fixture
def state(make_state: Callable[..., Path]) -> Path:
    return make_state(workers=1, threads=2, request_seconds=2, keep_alive_seconds=3)


@pytest.fixture
def server(state: Path, serve: Callable[..., Any]) -> Any:
    return serve(state)


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    client = Client(server.url)
    yield client
    client.http.close()


def is_served(url: str, ca_file: str | None = None) -> float:
    """Seconds until a new client got an answer."""
    start = time.monotonic()
    response = requests.get(f"{url}?operation=GetCACaps", timeout=30, verify=ca_file or True)
    assert response.status_code == 200 and response.headers["Content-Type"] == "text/plain"
    return time.monotonic() - start


def raw(server: Any, data: bytes) -> bytes:
    """Send bytes on a connection of their own and read to the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_enrolment_by_post_and_by_get(state: Path, client: Client, command: Callable[..., Any]) -> None:
    one, two, three = command(state, "otp", "create", "--count", "3")[1]["passwords"]
    reply = client.enroll(device(), one)
    assert reply.status is PkiStatus.SUCCESS
    large = device(4096)
    names = x509.SubjectAlternativeName([x509.DNSName(f"name{number}.device.example") for number in range(100)])
    csr = large.csr(two, [(names, False)])
    request = message(csr, large.identity, client.ca.recipient)
    url = wire.build_url(client.url, "PKIOperation", request.message)
    assert 8190 < len(url) < 65536, "more than the HTTP server takes by itself"
    assert client.read(client.get("PKIOperation", request.message), request).status is PkiStatus.SUCCESS
    request = client.request(large, three)
    unescaped = f"{client.url}?operation=PKIOperation&message={base64.b64encode(request.message).decode()}"
    prepared = requests.Request("GET", client.url).prepare()
    prepared.url = unescaped  # a raw '+', as some clients send it
    assert client.read(client.http.send(prepared, timeout=60), request).status is PkiStatus.SUCCESS


def test_enrolment_over_tls(
    state: Path, serve: Callable[..., Any], tls: tuple[Path, Path], command: Callable[..., Any]
) -> None:
    certificate, key = tls
    server = serve(state, "--tls-certificate", str(certificate), "--tls-key", str(key))
    assert server.url.startswith("https://")
    client = Client(server.url, str(certificate))
    (password,) = command(state, "otp", "create")[1]["passwords"]
    assert client.enroll(device(), password).status is PkiStatus.SUCCESS
    client.http.close()
    assert b"HTTP/1.1 5" not in raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "no TLS at all"
    assert is_served(server.url, str(certificate)) < 5


def test_eight_connections(
    make_state: Callable[..., Path], serve: Callable[..., Any], command: Callable[..., Any]
) -> None:
    state = make_state(workers=2, threads=4)
    server = serve(state)
    one = device()
    passwords = command(state, "otp", "create", "--count", "80")[1]["passwords"]

    def enroll(part: list[str]) -> list[int]:
        client = Client(server.url)
        replies = [client.enroll(one, password) for password in part]
        client.http.close()
        return [reply.certificates[0].serial_number for reply in replies]

    with ThreadPoolExecutor(8) as pool:
        serials = [serial for part in pool.map(enroll, [passwords[at::8] for at in range(8)]) for serial in part]
    assert len(set(serials)) == 80


def test_request_line(server: Any) -> None:
    def ask(length: int) -> bytes:
        start, end = b"GET /?operation=GetCACaps&message=", b" HTTP/1.1"
        line = start + b"A" * (length - len(start) - len(end)) + end
        assert len(line) == length
        return raw(server, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert ask(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    head, _unused, body = ask(65537).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 414 ") and b"Content-Type: text/plain" in head
    assert body.count(b"\n") == 1


def test_too_many_headers(server: Any) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(60))
    assert raw(server, b"GET / HTTP/1.1\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "data",
    [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"],
)
def test_not_http(server: Any, data: bytes) -> None:
    answer = raw(server, data)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"<html" not in answer


@pytest.mark.parametrize("rest", [b"zz\r\n", b"0\r\nno trailer\r\n\r\n", b"5\r\nhello0\r\n\r\n"])
def test_a_body_that_nobody_reads_gets_no_answer_of_its_own(server: Any, rest: bytes) -> None:
    """There would be two, and the second one would be taken for that of the next request."""
    head = b"GET /?operation=GetCACaps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(server, head + rest)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1 ") == 1


def test_oversized_bodies(client: Client, server: Any) -> None:
    def pieces() -> Iterator[bytes]:
        for _unused in range(40):
            yield b"0" * 32768

    for body in (b"0" * (MEBIBYTE + 1), pieces()):
        with contextlib.suppress(requests.ConnectionError):  # where the answer overtakes the body
            response = client.post(body)
            assert (response.status_code, response.text.count("\n")) == (413, 1)
    head = b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"
    assert raw(server, head).startswith(b"HTTP/1.1 413 ")
    assert is_served(server.url) < 5


def test_largest_body(client: Client) -> None:
    start = time.monotonic()
    response = client.post(b"\x30" * MEBIBYTE)
    assert (response.status_code, response.text.count("\n")) == (400, 1)
    assert time.monotonic() - start < 5


def test_chunked_body(state: Path, client: Client, command: Callable[..., Any]) -> None:
    request = client.request(device(), command(state, "otp", "create")[1]["passwords"][0])
    half = len(request.message) // 2
    response = client.post(iter([request.message[:half], request.message[half:]]))
    assert client.read(response, request).status is PkiStatus.SUCCESS
    head = b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(_at(client), head + b"zz\r\n").startswith(b"HTTP/1.1 400 ")


def _at(client: Client) -> Any:
    class At:
        port = int(client.url.rsplit(":", 1)[1].split("/")[0])

    return At


STALLS = {
    "silent": b"",
    "in the request line": b"GET /?operation=GetCA",
    "in a header": b"GET / HTTP/1.1\r\nHost: ",
    "in the body": b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0",
    "in a chunk": b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n0",
}


def test_stalled_clients(server: Any) -> None:
    """Five times as many as threads, and then somebody who means it."""
    with contextlib.ExitStack() as stack:
        stalled = {}
        for where in list(STALLS) * 2:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(STALLS[where])
            stalled[where] = connection
        assert is_served(server.url) < 15
        for where, connection in stalled.items():
            assert _ends(connection), where


def test_stalled_clients_over_tls(state: Path, serve: Callable[..., Any], tls: tuple[Path, Path]) -> None:
    certificate, key = tls
    server = serve(state, "--tls-certificate", str(certificate), "--tls-key", str(key))
    context = ssl.create_default_context(cafile=str(certificate))
    with contextlib.ExitStack() as stack:
        stalled: dict[str, socket.socket] = {}
        for where in STALLS:  # one after the other: a handshake needs a thread for a moment
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            if STALLS[where]:
                with contextlib.suppress(OSError):  # cut off already: it was crowded
                    plain = stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
                    plain.sendall(STALLS[where])
            stalled[where] = plain
        for number in range(4):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            plain.sendall(b"\x16\x03\x01\x02")
            stalled[f"in the handshake {number}"] = plain
        assert is_served(server.url, str(certificate)) < 20
        for where, connection in stalled.items():
            assert _ends(connection), where


def test_two_requests_in_one_record(state: Path, serve: Callable[..., Any], tls: tuple[Path, Path]) -> None:
    """The first one ends where a read of the parser does, so that the second one is left within TLS."""
    server = serve(state, "--tls-certificate", str(tls[0]), "--tls-key", str(tls[1]))
    head = b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    size = 8192 - len(head % 8000)
    first = head % size + b"x" * size
    context = ssl.create_default_context(cafile=str(tls[0]))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(first + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.startswith(b"HTTP/1.1 400 ") and answers.endswith(b"\r\n\r\nok\n")


def _ends(connection: socket.socket) -> bool:
    """Whether the server closes the connection."""
    connection.settimeout(30)
    try:
        while connection.recv(65536):
            pass
    except OSError as error:
        return not isinstance(error, TimeoutError)
    return True


def test_a_client_that_never_reads(server: Any, client: Client) -> None:
    """Asks again and again, and takes nothing."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            for _unused in range(20000):
                connection.sendall(b"GET /?operation=GetCACert HTTP/1.1\r\nHost: x\r\n\r\n")
        assert is_served(server.url) < 15


def test_a_killed_worker_is_replaced(server: Any, client: Client) -> None:
    client.http.close()
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while worker in server.workers() or not server.workers():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert is_served(server.url) < 15


def test_sigterm_finishes_what_is_under_way(
    state: Path, server: Any, client: Client, command: Callable[..., Any]
) -> None:
    request = client.request(device(), command(state, "otp", "create")[1]["passwords"][0])
    head = b"POST /?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(request.message)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head + request.message[:100])
        time.sleep(0.5)
        workers = server.workers()
        server.process.terminate()
        time.sleep(0.5)
        connection.sendall(request.message[100:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert server.process.wait(30) == 0
    assert not (state / "scep-server.pid").exists()
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_sigterm_does_not_wait_for_stalled_clients(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(STALLS["in the body"])
        time.sleep(0.5)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 10


def test_sigterm_does_not_wait_for_who_says_nothing(make_state: Callable[..., Path], serve: Callable[..., Any]) -> None:
    """Browsers connect in advance, and devices leave connections open."""
    patient = serve(make_state(workers=1, threads=2, request_seconds=60, keep_alive_seconds=60))
    with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
        with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as used:
            used.sendall(b"GET /?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n")
            assert used.recv(65536).startswith(b"HTTP/1.1 200 OK")
            start = time.monotonic()
            assert patient.stop() == 0
            assert time.monotonic() - start < 20
        assert connection.recv(1) == b""
