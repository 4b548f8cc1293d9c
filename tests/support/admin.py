# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server with an administration page, whose log-ins are checked by an acceptor of others."""

from __future__ import annotations

import base64
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.ndes.binding import end_point_binding

from .acceptors import Acceptor, Pyspnego, Refused

USER, PASSWORD, DOMAIN = "operator", "Pass-w0rd", "EXAMPLE"
LOGIN = f"{DOMAIN}\\{USER}"
PATH = "/certsrv/mscep_admin/"
THUMBPRINT = "A656FA66AB12B433A2DA5CF7CC153D9A"


def page(password: str | None, sentence: str = "", thumbprint: str = THUMBPRINT) -> bytes:
    """A page in the shape of NDES, in its encoding."""
    groups = " ".join(thumbprint[start : start + 8] for start in range(0, len(thumbprint), 8))
    parts = [f"<P> The thumbprint (hash value) for the CA certificate is: <B> {groups} </B>"] if thumbprint else []
    if password is not None:
        parts.append(f"<P> The enrollment challenge password is: <B> {password} </B>")
    return f"<HTML><Body>{''.join(parts)}<P> {sentence}</Body></HTML>\0".encode("utf-16-le")


ONCE = "This password can be used only once and will expire within 60 minutes."
FULL = page(None, "The password cache is full.", "")
SCHEMES = {"ntlm": "NTLM", "negotiate": "Negotiate", "kerberos": "Negotiate", "basic": "Basic", "none": ""}
"""Ways to log in -> the word of HTTP."""


@dataclass
class Admin:
    """The server. `pages` are given out one after the other, the last one again and again."""

    pages: list[bytes | int] = field(default_factory=list)
    login: str = "ntlm"
    redirect: dict[str, str] = field(default_factory=dict)
    binding: bytes | None = None
    """The application data of the channel binding that a log-in must have."""
    acceptor: Callable[[str, bytes | None], Acceptor] = Pyspnego
    """Who checks a log-in: of the way to log in, and the binding."""
    refused: list[str] = field(default_factory=list)
    """Why log-ins came to nothing, in the acceptor's words."""
    asked: list[str] = field(default_factory=list)
    """Who got an answer, in order."""
    logins: int = 0
    url: str = ""

    def next_page(self) -> bytes | int:
        """What comes now."""
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


@contextmanager
def running(admin: Admin, folder: Path, tls: tuple[Path, Path] | None = None) -> Iterator[Admin]:
    """Serve on a port of its own. `tls`: files of certificate and key."""
    users = folder / "users"
    users.write_text(f"{DOMAIN}:{USER}:{PASSWORD}\n")
    before = os.environ.get("NTLM_USER_FILE")
    os.environ["NTLM_USER_FILE"] = str(users)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(admin))
    http.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        http.socket = context.wrap_socket(http.socket, server_side=True)
        admin.binding = end_point_binding(ssl.PEM_cert_to_DER_cert(tls[0].read_text()))
    admin.url = f"http{'s' if tls else ''}://127.0.0.1:{http.server_address[1]}{PATH}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield admin
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
        if before is None:
            os.environ.pop("NTLM_USER_FILE", None)
        else:
            os.environ["NTLM_USER_FILE"] = before


def _handler(admin: Admin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.acceptor: Acceptor | None = None
            self.user = ""
            self.status = 401
            self.proof: dict[str, str] = {}
            """The acceptor's last token, which belongs to the answer: by it the client knows the server."""

        def finish(self) -> None:
            self._forget()
            super().finish()

        def _forget(self) -> None:
            if self.acceptor is not None:
                self.acceptor.close()
            self.acceptor = None

        def do_GET(self) -> None:
            if self.path in admin.redirect:
                self._send(301, b"", Location=admin.redirect[self.path])
            elif not self._knows():
                return
            else:
                admin.asked.append(self.user)
                found = admin.next_page()
                if isinstance(found, int):
                    self._send(found, b"")
                else:
                    self._send(200, found)

        def _knows(self) -> bool:
            """Whether somebody is logged in on this connection; otherwise the next step was answered."""
            scheme, _blank, value = self.headers.get("Authorization", "").partition(" ")
            wanted = SCHEMES[admin.login]
            if admin.login == "none":
                return True
            if scheme == "Basic" == wanted:
                self.user, _colon, password = base64.b64decode(value).decode().partition(":")
                if password == PASSWORD:
                    return True
            elif scheme == wanted and value:
                if self._step(wanted, base64.b64decode(value)):
                    return True
                if self.acceptor is not None:
                    return False
            elif self.user:
                return True
            self._send(self.status, b"", **({"WWW-Authenticate": wanted} if self.status == 401 else {}))
            return False

        def _step(self, scheme: str, token: bytes) -> bool:
            if self.acceptor is None:
                admin.logins += 1
                self.acceptor = admin.acceptor(admin.login, admin.binding)
            try:
                out = self.acceptor.step(token)
            except Refused as error:
                admin.refused.append(str(error))
                self.status = error.status
                self._forget()
                return False
            answer = {"WWW-Authenticate": f"{scheme} {base64.b64encode(out).decode()}"}
            if self.acceptor.user:
                self.user = self.acceptor.user
                self.proof = answer if out else {}
                self._forget()
                return True
            self._send(401, b"", **answer)
            return False

        def _send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            headers, self.proof = {**headers, **self.proof}, {}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    return Handler
