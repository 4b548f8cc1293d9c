# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to a SCEP server (RFC 8894 section 4), and to where its CA leaves CRLs: the one place that sends anything.

TLS options go with every single request: a session's own would lose against REQUESTS_CA_BUNDLE in the environment.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import re
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from .. import _deps
from ..scep.capabilities import Capabilities, parse_capabilities
from ..scep.errors import DecodeError
from ..scep.wire import CONTENT_TYPES, build_url
from .errors import OptionError, TransportError

try:
    import requests
    import urllib3
except ImportError as exc:
    _deps.missing("requests", exc)

MAX_BODY = 4 * 1024 * 1024
"""Octets of an answer that are read; CA certificates and issued ones are a thousandth of it."""

_ATTEMPTS = 3
_PAUSE = 0.5
_CHUNK = 65536
_HEADERS = {"User-Agent": "netcert.ndes", "Accept-Encoding": "identity"}
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


LONGEST_TIMEOUT = 86400
"""Seconds; a day."""


@dataclass(frozen=True)
class Connection:
    """How to reach the server. `proxy` None: what the environment says; an empty one: none at all."""

    url: str
    timeout: float = 30.0
    proxy: str | None = None
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def __post_init__(self) -> None:
        """Raise OptionError for what cannot be an address. What may hold a password is not shown."""
        if "@" in _authority(self.url):
            raise OptionError("url", "it holds a login, which SCEP does not have; leave out all up to the @.")
        if not _is_address(self.url) or urlsplit(self.url).scheme not in ("http", "https"):
            raise OptionError("url", f"'{self.url}' is not an address that begins with http:// or https://.")
        if self.proxy and not _is_address(self.proxy):
            raise OptionError("proxy", "it is not the address of a proxy, such as http://proxy.example.com:3128.")
        if not 0 < self.timeout <= LONGEST_TIMEOUT:
            raise OptionError(
                "timeout", f"{self.timeout} seconds is no time; give a positive number up to {LONGEST_TIMEOUT}."
            )

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.url).hostname or ""


def _authority(url: str) -> str:
    """What stands between the scheme and the path, whether it is right or not."""
    return re.split(r"[/?#]", url.partition("://")[2])[0]


def _is_address(url: str) -> bool:
    """Whether it has a scheme and a host, and no port that is none."""
    try:
        parts = urlsplit(url)
        return "://" in url and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


class Transport:
    """Sends requests to one server over one connection. Everything raises TransportError with a sentence."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._session = requests.Session()

    def __enter__(self) -> Transport:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._session.close()

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
            except _NotConnected:
                time.sleep(_PAUSE * attempt)
        return self._exchange(operation, url, None)

    def _exchange(self, operation: str, url: str, body: bytes | None) -> bytes:
        options = self._connection
        proxies: Any = None
        if options.proxy is not None:
            proxies = dict.fromkeys(("http", "https", "all"), options.proxy)
        verify: Any = options.validate_certs and (options.ca_path or True)
        client: Any = (options.client_cert, options.client_key) if options.client_key else options.client_cert
        deadline = time.monotonic() + options.timeout
        with warnings.catch_warnings(), self._explained(operation):
            if not options.validate_certs:  # it was asked for, so there is nothing to warn about
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            with self._session.request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers=_HEADERS if body is None else {**_HEADERS, "Content-Type": CONTENT_TYPES["pki_message"]},
                timeout=options.timeout,
                proxies=proxies,
                verify=verify,
                cert=client,
                auth=_no_login,  # otherwise a .netrc would be asked
                allow_redirects=False,  # a POST would arrive there as a GET
                stream=True,
            ) as response:
                return self._read(operation, response, deadline)

    @contextlib.contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        """Put what the libraries raise into a sentence."""
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._explain(operation, error) from None

    def _read(self, operation: str, response: requests.Response, deadline: float) -> bytes:
        where = f"The server at {self._connection.url}"
        status = response.status_code
        if operation == DOWNLOAD and status != 200:
            raise _Answered(f"{where} has no file for this client: HTTP {status} ({_phrase(status)}).")
        if response.is_redirect or status in (300, 304, 305):
            target = response.headers.get("Location", "nowhere").split("?")[0]
            raise _Answered(f"{where} sends {operation} on to {target}; if that is the SCEP server, give it as url.")
        if status != 200:
            hint = HINTS.get(status, DEFAULT_HINT)
            raise _Answered(f"{where} answers {operation} with HTTP {status} ({_phrase(status)}); {hint}.")
        body = bytearray()
        for chunk in iter(_reader(response), b""):
            body += chunk
            if len(body) > MAX_BODY:
                raise TransportError(f"{where} answers {operation} with more than {MAX_BODY} octets; check url.")
            if time.monotonic() > deadline:
                raise self._timed_out(operation)
        if len(body) < _declared(response):
            raise self._cut_off(operation)
        if operation != DOWNLOAD and _is_page(response.headers.get("Content-Type", ""), bytes(body[:512])):
            raise _Answered(
                f"{where} answers {operation} with a web page, so it is no SCEP server; check the path in url."
            )
        if not body and operation != "GetCACaps":
            raise TransportError(f"{where} answers {operation} with nothing at all; its log should say why.")
        return bytes(body)

    def _timed_out(self, operation: str) -> TransportError:
        options = self._connection
        return TransportError(
            f"The server at {options.url} did not complete its answer to {operation} within {options.timeout:g} "
            "seconds; raise timeout if it is merely slow."
        )

    def _cut_off(self, operation: str) -> TransportError:
        return _NotConnected(
            f"The server {self._connection.host} closed the connection before its answer to {operation} was complete."
        )

    def _explain(self, operation: str, error: Exception) -> TransportError:
        """One sentence for what the library raised, found by what caused it."""
        options = self._connection
        causes = list(_causes(error))
        port = urlsplit(options.url).port or (443 if options.url.startswith("https:") else 80)
        if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
            return _NotConnected(f"The proxy on the way to {options.host} cannot be used: {_innermost(causes)}.")
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return TransportError(
                    f"The TLS certificate of {options.host} is not trusted ({cause.verify_message}); "
                    "give the CA that issued it as ca_path."
                )
            if isinstance(cause, (ssl.SSLError, requests.exceptions.SSLError)):
                reason = getattr(cause, "reason", None)
                if not isinstance(reason, str):
                    continue
                return TransportError(f"TLS with {options.host} fails: {reason.replace('_', ' ').lower()}.")
            if isinstance(cause, (socket.gaierror, UnicodeError)) or type(cause).__name__ == "NameResolutionError":
                return TransportError(f"The host {options.host} is not known; check url and name resolution.")
            if isinstance(cause, ConnectionRefusedError):
                return _NotConnected(f"Nothing listens on port {port} of {options.host}; check url and the server.")
            if isinstance(cause, requests.exceptions.ConnectTimeout):
                return _NotConnected(
                    f"The server {options.host} did not take the connection within {options.timeout:g} seconds."
                )
            if isinstance(cause, (requests.exceptions.Timeout, socket.timeout)):
                return self._timed_out(operation)
            if isinstance(cause, (ConnectionError, http.client.HTTPException)):
                return self._cut_off(operation)
        if isinstance(error, requests.exceptions.InvalidProxyURL):
            return TransportError(
                "What the environment names as proxy is not the address of one; correct http_proxy and https_proxy, "
                "or give proxy."
            )
        return TransportError(f"{operation} cannot be sent to {options.host}: {_innermost(causes)}.")


def _reader(response: requests.Response) -> Callable[[], bytes]:
    """Reads what has arrived, without waiting for more of it: otherwise a trickle would outlast every timeout."""
    raw: Any = response.raw
    if hasattr(raw, "read1"):  # urllib3 2
        return lambda: bytes(raw.read1(_CHUNK))
    return lambda: bytes(raw._fp.read1(_CHUNK))


def _declared(response: requests.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


class _Answered(TransportError):
    """HTTP came to an end, and not with what was asked for."""


class _NotConnected(TransportError):
    """No connection, or a broken one: worth another try where nothing can be spent by it."""


def _no_login(request: Any) -> Any:
    return request


def _is_page(content_type: str, start: bytes) -> bool:
    """Whether it is HTML; the Content-Type alone does not say, as servers send SCEP messages under many."""
    if start[:1] == b"\x30":  # a DER SEQUENCE, whatever it is called
        return False
    kind = content_type.split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") or start.lstrip()[:1] == b"<"


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "a status of its own"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was made of; the libraries pass causes on in several ways."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        current = todo.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [getattr(current, "reason", None), *current.args, current.__cause__, current.__context__]


def _innermost(causes: list[BaseException]) -> str:
    """The plainest words about an error: those of the operating system, or the last ones."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    text = str(causes[-1]) or type(causes[-1]).__name__
    return re.sub(r"<[^>]*>|\s+", " ", text).strip(" .'\"")
