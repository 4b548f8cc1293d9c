# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCEP over HTTP (RFC 8894 section 4), and downloads from where a CA leaves its CRLs."""

from __future__ import annotations

import time
from types import TracebackType

from ..errors import TransportError
from ..http_client import Answer, Connection, Http, NotConnected
from ..scep.capabilities import Capabilities, parse_capabilities
from ..scep.errors import DecodeError
from ..scep.wire import CONTENT_TYPES, build_url

_ATTEMPTS = 3
_PAUSE = 0.5
DOWNLOAD = "a download"
"""What a plain GET is called in sentences, in place of an operation."""
HINTS = {
    401: "it wants a login, which SCEP does not have; url may lead to the administration page",
    403: "it does not let this host in",
    404: "check the path in url; that of NDES ends in /certsrv/mscep/mscep.dll",
    405: "it does not take this way of sending; check the path in url",
    413: "the message is too large for it",
    414: "the message is too long for a GET, and the server offers no POST; raise its limit for request lines",
    502: "a proxy in front of the server cannot reach it",
    503: "the service is not running, or overloaded",
}
"""HTTP statuses -> what to look at first."""
DEFAULT_HINT = "its log should say why"


class Transport:
    """Sends requests to one server over one connection. Everything raises TransportError with a sentence."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._http = Http(connection)

    def __enter__(self) -> Transport:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._http.__exit__(kind, error, traceback)

    def capabilities(self) -> Capabilities:
        """GetCACaps. An HTTP error and a page in place of the list mean: none (RFC 8894 section 3.5.1)."""
        try:
            return parse_capabilities(self._again("GetCACaps", self._url("GetCACaps")))
        except (_Answered, DecodeError):
            return Capabilities(frozenset())

    def ca_certificates(self) -> bytes:
        """The body of a GetCACert answer."""
        return self._again("GetCACert", self._url("GetCACert"))

    def next_ca_certificates(self) -> bytes | None:
        """The body of a GetNextCACert answer; None for an HTTP error, as there is no next CA yet then."""
        try:
            return self._again("GetNextCACert", self._url("GetNextCACert"))
        except _Answered:
            return None

    def download(self) -> bytes:
        """What lies at the address itself, without any operation."""
        return self._again(DOWNLOAD, self._connection.url)

    def pki_operation(self, message: bytes, *, post: bool) -> bytes:
        """Send a pkiMessage and return the answer; sent once, because a challenge password may be used once."""
        if post:
            return self._exchange("PKIOperation", self._url("PKIOperation"), message)
        return self._exchange("PKIOperation", self._url("PKIOperation", message), None)

    def _url(self, operation: str, message: bytes | None = None) -> str:
        return build_url(self._connection.url, operation, message)

    def _again(self, operation: str, url: str) -> bytes:
        """Ask a question that changes nothing, a few times if no connection comes about."""
        for attempt in range(1, _ATTEMPTS):
            try:
                return self._exchange(operation, url, None)
            except NotConnected:
                time.sleep(_PAUSE * attempt)
        return self._exchange(operation, url, None)

    def _exchange(self, operation: str, url: str, body: bytes | None) -> bytes:
        content_type = None if body is None else CONTENT_TYPES["pki_message"]
        answer = self._http.exchange(operation, url, body, content_type)
        where = f"The server at {self._connection.url}"
        if operation == DOWNLOAD and answer.status != 200:
            raise _Answered(f"{where} has no file for this client: HTTP {answer.status} ({answer.phrase}).")
        if answer.location is not None or answer.status in (300, 304, 305):
            target = (answer.location or answer.headers.get("Location", "nowhere")).split("?")[0]
            raise _Answered(f"{where} sends {operation} on to {target}; if that is the SCEP server, give it as url.")
        if answer.status != 200:
            hint = HINTS.get(answer.status, DEFAULT_HINT)
            raise _Answered(f"{where} answers {operation} with HTTP {answer.status} ({answer.phrase}); {hint}.")
        if operation != DOWNLOAD and _is_page(answer):
            raise _Answered(
                f"{where} answers {operation} with a web page, so it is no SCEP server; check the path in url."
            )
        if not answer.body and operation != "GetCACaps":
            raise TransportError(f"{where} answers {operation} with nothing at all; its log should say why.")
        return answer.body


class _Answered(TransportError):
    """HTTP came to an end, and not with what was asked for."""


def _is_page(answer: Answer) -> bool:
    """Whether it is HTML; the Content-Type alone does not say, as servers send SCEP messages under many."""
    if answer.body[:1] == b"\x30":  # a DER SEQUENCE, whatever it is called
        return False
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") or answer.body[:512].lstrip()[:1] == b"<"
