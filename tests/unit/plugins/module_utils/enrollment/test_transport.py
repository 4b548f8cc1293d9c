# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import transport as transport_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.transport import Transport
from ansible_collections.netcert.ndes.plugins.module_utils.errors import OptionError, TransportError
from ansible_collections.netcert.ndes.plugins.module_utils.http_client import MAX_BODY, Connection

from support.awkward import Answer, Awkward

TlsFiles = Callable[[str], "tuple[Path, Path, Path]"]
PAGE = b"<!DOCTYPE html>\n<html><body>Not here</body></html>"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_PAUSE", 0.01)


def ask(connection: Connection, operation: str = "GetCACert") -> bytes:
    with Transport(connection) as transport:
        if operation == "GetCACert":
            return transport.ca_certificates()
        return transport.pki_operation(b"0message", post=True)


def sentence(connection: Connection, operation: str = "GetCACert") -> str:
    with pytest.raises(TransportError) as caught:
        ask(connection, operation)
    return str(caught.value)


def test_proper(server: Awkward) -> None:
    server.answers["PKIOperation"] = Answer(b"0reply")
    with Transport(Connection(server.url)) as transport:
        assert transport.capabilities().post
        assert transport.ca_certificates()[:1] == b"0"
        message = bytes(range(256))
        assert transport.pki_operation(message, post=True) == b"0reply"
        assert transport.pki_operation(message, post=False) == b"0reply"
    assert [(one.method, one.operation) for one in server.received] == [
        ("GET", "GetCACaps"),
        ("GET", "GetCACert"),
        ("POST", "PKIOperation"),
        ("GET", "PKIOperation"),
    ]
    assert server.received[2].message == server.received[3].message == message


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://host/scep", "url: 'ftp://host/scep' is not an address that begins with http:// or https://."),
        ("host/scep", "url: 'host/scep' is not an address that begins with http:// or https://."),
        ("http:///scep", "url: 'http:///scep' is not an address that begins with http:// or https://."),
        ("http://me:s3cret@host/", "url: it holds a login, which is not taken from there; leave out all up to the @."),
        ("http://me:s3cret@:0/", "url: it holds a login, which is not taken from there; leave out all up to the @."),
    ],
)
def test_wrong_url(url: str, complaint: str) -> None:
    with pytest.raises(OptionError) as caught:
        Connection(url)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    "proxy",
    [
        "me:s3cret@proxy:3128",
        "http://me:s3cret@",
        "http://me:s3cret@proxy:port",
        "http://me:s3cret@[::1",
        "http://me:s3/cret@proxy:3128",
        "http:///me:s3cret@proxy",
    ],
)
def test_wrong_proxy(proxy: str) -> None:
    """Its password is not shown."""
    with pytest.raises(OptionError) as caught:
        Connection("http://host/scep", proxy=proxy)
    assert str(caught.value) == "proxy: it is not the address of a proxy, such as http://proxy.example.com:3128."


def test_no_time() -> None:
    with pytest.raises(OptionError) as caught:
        Connection("http://host/", timeout=0)
    assert str(caught.value) == "timeout: 0 seconds is no time; give a positive number up to 86400."


ANSWERS: dict[str, tuple[Answer, str]] = {
    "404": (
        Answer(PAGE, 404, "text/html"),
        "HTTP 404 (Not Found); check the path in url; that of NDES ends in /certsrv/mscep/mscep.dll.",
    ),
    "401": (
        Answer(b"", 401),
        "HTTP 401 (Unauthorized); it wants a login, which SCEP does not have; url may lead to the administration page.",
    ),
    "500": (Answer(PAGE, 500, "text/html"), "HTTP 500 (Internal Server Error); its log should say why."),
    "503": (
        Answer(b"", 503),
        "HTTP 503 (Service Unavailable); the service is not running, or overloaded.",
    ),
    "799": (Answer(b"", 799), "HTTP 799 (a status of its own); its log should say why."),
    "page": (
        Answer(PAGE, content_type="text/html; charset=utf-8"),
        "a web page, so it is no SCEP server; check the path in url.",
    ),
    "page of no type": (
        Answer(b"\n " + PAGE, content_type=None),
        "a web page, so it is no SCEP server; check the path in url.",
    ),
    "nothing": (Answer(b""), "nothing at all; its log should say why."),
    "too much": (Answer(b"0" * (MAX_BODY + 1)), f"more than {MAX_BODY} octets; check url."),
}


@pytest.mark.parametrize("operation", ["GetCACert", "PKIOperation"])
@pytest.mark.parametrize(("answer", "complaint"), ANSWERS.values(), ids=ANSWERS)
def test_no_scep_answer(server: Awkward, operation: str, answer: Answer, complaint: str) -> None:
    server.answers[operation] = answer
    assert sentence(Connection(server.url), operation) == (
        f"The server at {server.url} answers {operation} with {complaint}"
    )
    assert len(server.received) == 1


def test_long_message_by_get(server: Awkward) -> None:
    server.answers["PKIOperation"] = Answer(b"", 414)
    with Transport(Connection(server.url)) as transport, pytest.raises(TransportError) as caught:
        transport.pki_operation(b"x" * 3000, post=False)
    phrase = str(caught.value)
    assert phrase.startswith(f"The server at {server.url} answers PKIOperation with HTTP 414 (")
    assert phrase.endswith(
        "); the message is too long for a GET, and the server offers no POST; raise its limit for request lines."
    )


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/x-pki-message; charset=x", None])
def test_content_types_are_read_leniently(server: Awkward, content_type: str | None) -> None:
    server.answers["PKIOperation"] = Answer(b"\x30\x03\x02\x01\x00", content_type=content_type)
    assert ask(Connection(server.url), "PKIOperation") == b"\x30\x03\x02\x01\x00"


@pytest.mark.parametrize(
    "answer", [Answer(b"", 404), Answer(b""), Answer(PAGE, content_type="text/html"), Answer(PAGE)]
)
def test_server_without_capabilities(server: Awkward, answer: Answer) -> None:
    server.answers["GetCACaps"] = answer
    with Transport(Connection(server.url)) as transport:
        assert transport.capabilities().words == frozenset()


def test_redirection_is_told_and_not_followed(server: Awkward) -> None:
    server.answers["GetCACert"] = Answer(b"", 301, headers={"Location": "https://new.example/scep?operation=GetCACert"})
    assert sentence(Connection(server.url)) == (
        f"The server at {server.url} sends GetCACert on to https://new.example/scep; "
        "if that is the SCEP server, give it as url."
    )
    assert len(server.received) == 1


def test_no_such_host() -> None:
    assert sentence(Connection("http://scep.invalid/scep")) == (
        "The host scep.invalid is not known; check url and name resolution."
    )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    url = f"http://127.0.0.1:{port}/scep"
    complaint = f"Nothing listens on port {port} of 127.0.0.1; check url and the server."
    assert sentence(Connection(url)) == complaint
    assert len(pauses) == 2
    assert sentence(Connection(url), "PKIOperation") == complaint
    assert len(pauses) == 2, "a challenge password is sent once"


@pytest.fixture
def dropping() -> Iterator[tuple[str, list[bytes]]]:
    """(URL, first lines) of a server that closes every connection after it has read."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[bytes] = []

    def run() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                lines.append(connection.recv(65536).split(b"\r\n")[0])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/scep", lines
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_connection_that_is_dropped(dropping: tuple[str, list[bytes]]) -> None:
    url, lines = dropping
    broken = "The server 127.0.0.1 closed the connection before its answer to {} was complete."
    assert sentence(Connection(url)) == broken.format("GetCACert")
    assert len(lines) == 3
    assert sentence(Connection(url), "PKIOperation") == broken.format("PKIOperation")
    assert len(lines) == 4


def test_truncated_answer(server: Awkward) -> None:
    server.answers["PKIOperation"] = Answer(b"\x30" * 10, declared=100)
    assert sentence(Connection(server.url), "PKIOperation") == (
        "The server 127.0.0.1 closed the connection before its answer to PKIOperation was complete."
    )


@pytest.mark.parametrize("pause", [0.05, 5])
def test_slow_server(server: Awkward, pause: float) -> None:
    server.answers["GetCACert"] = Answer(b"0" * 1000 if pause < 1 else b"00", pause=pause)
    begin = time.monotonic()
    assert sentence(Connection(server.url, timeout=0.3)) == (
        f"The server at {server.url} did not complete its answer to GetCACert within 0.3 seconds; "
        "raise timeout if it is merely slow."
    )
    assert time.monotonic() - begin < 3


@pytest.fixture
def tls_server(tls_files: TlsFiles) -> Iterator[tuple[Awkward, Path, Path]]:
    """(server, its CA, another CA)."""
    certificate, key, ca = tls_files("one")
    other = tls_files("two")[2]
    server = Awkward((certificate, key))
    yield server, ca, other
    server.close()


NOT_TRUSTED = "The TLS certificate of 127.0.0.1 is not trusted ("


def test_tls(tls_server: tuple[Awkward, Path, Path]) -> None:
    server, ca, other = tls_server
    assert ask(Connection(server.url, ca_path=str(ca)))
    assert ask(Connection(server.url, validate_certs=False))
    for path in (None, str(other)):
        complaint = sentence(Connection(server.url, ca_path=path))
        assert complaint.startswith(NOT_TRUSTED)
        assert complaint.endswith("); give the CA that issued it as ca_path.")
    assert [one.operation for one in server.received] == ["GetCACert"] * 2


def test_environment_does_not_win(tls_server: tuple[Awkward, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA bundle in the environment counts less than what the task says."""
    server, ca, other = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(other))
    with Transport(Connection(server.url, ca_path=str(ca))) as transport:
        for _unused in range(2):
            assert transport.ca_certificates()
    assert ask(Connection(server.url, validate_certs=False))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    assert sentence(Connection(server.url, ca_path=str(other))).startswith(NOT_TRUSTED)
    assert ask(Connection(server.url)), "where the task says nothing, the environment does"


def test_tls_with_a_server_that_has_none(server: Awkward) -> None:
    assert sentence(Connection(server.url.replace("http:", "https:"))).startswith("TLS with 127.0.0.1 fails: ")


def test_unusable_files_of_tls(tls_server: tuple[Awkward, Path, Path], tmp_path: Path) -> None:
    server, ca, _unused = tls_server
    (tmp_path / "garbage").write_text("garbage")
    complaint = sentence(Connection(server.url, ca_path=str(ca), client_cert=str(tmp_path / "garbage")))
    assert complaint.count("\n") == 0
    assert "127.0.0.1" in complaint


def test_login_of_the_machine_is_not_sent(server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(*_words: Any, **_options: Any) -> None:
        raise AssertionError(".netrc was asked for a login")

    monkeypatch.setattr("requests.sessions.get_netrc_auth", looked_up)
    assert ask(Connection(server.url))


def test_cookie_goes_back(server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load balancer may keep a client with one of several servers by it, each with RA certificates of its own."""
    seen: list[Any] = []
    send = requests.adapters.HTTPAdapter.send

    def sent(self: Any, request: Any, **options: Any) -> Any:
        seen.append(dict(request.headers))
        return send(self, request, **options)

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", sent)
    server.answers["GetCACaps"] = Answer(b"AES", content_type="text/plain", headers={"Set-Cookie": "node=2; Path=/"})
    with Transport(Connection(server.url)) as transport:
        transport.capabilities()
        transport.ca_certificates()
    usual = {"User-Agent": "netcert.ndes", "Accept-Encoding": "identity", "Accept": "*/*", "Connection": "keep-alive"}
    assert seen == [usual, {**usual, "Cookie": "node=2"}]


def test_proxy(server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    refused = "The proxy on the way to 127.0.0.1 cannot be used: Connection refused."
    assert sentence(Connection(server.url)) == refused
    assert ask(Connection(server.url, proxy=""))
    monkeypatch.setenv("http_proxy", "")
    assert sentence(Connection(server.url, proxy=f"http://127.0.0.1:{port}")) == refused
    for login in ("", "me:s3cret@"):
        assert ask(Connection("http://scep.invalid/scep", proxy=f"http://{login}{server.url[7:-5]}"))
    monkeypatch.setenv("http_proxy", "http:///me:s3cret@proxy")
    assert sentence(Connection(server.url)) == (
        "What the environment names as proxy is not the address of one; correct http_proxy and https_proxy, "
        "or give proxy."
    )
    monkeypatch.setenv("http_proxy", f"http://me:s3cret@127.0.0.1:{port}")
    assert sentence(Connection(server.url)) == refused
