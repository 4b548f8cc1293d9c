# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP: the one place that sends anything. What goes wrong on the way becomes one sentence.

The session says once what the environment has to say about the way to the server. Requests then go along without its
help, which would work that out again for each, look for logins and prepare redirects: a third of what HTTP costs. TLS
options are not the session's own: those would lose against REQUESTS_CA_BUNDLE in the environment.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from . import _deps
from .errors import OptionError, TransportError

try:
    import requests
    import urllib3
except ImportError as exc:
    _deps.missing("requests", exc)

MAX_BODY = 4 * 1024 * 1024
"""Octets of an answer that are read; CA certificates and issued ones are a thousandth of it."""
LONGEST_TIMEOUT = 86400
"""Seconds; a day."""

_CHUNK = 65536
_HEADERS = {
    "User-Agent": "netcert.ndes",
    "Accept-Encoding": "identity",
    "Accept": "*/*",
    "Connection": "keep-alive",
}


def no_login(request: Any) -> Any:
    """requests' `auth` for nobody: without one a user's name in the URL would be sent as one."""
    return request


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
            raise OptionError("url", "it holds a login, which is not taken from there; leave out all up to the @.")
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


@dataclass(frozen=True)
class Answer:
    """What came back. The body is read of status 200 alone; `location` is where a redirect leads."""

    status: int
    body: bytes = b""
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def phrase(self) -> str:
        """The status in words."""
        return _phrase(self.status)


class NotConnected(TransportError):
    """No connection, or a broken one: worth another try where nothing can be spent by it."""


class NotSent(NotConnected):
    """No connection came about."""

    sent = False


class Unreachable(TransportError):
    """No connection came about, and another try would not help."""

    sent = False


class Http:
    """Requests to one server over one connection. Everything raises TransportError with a sentence."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._session: requests.Session | None = None
        self._way: dict[str, Any] = {}

    def __enter__(self) -> Http:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()

    def exchange(
        self,
        what: str,
        url: str,
        body: bytes | None = None,
        content_type: str | None = None,
        auth: Callable[[Any], Any] = no_login,
    ) -> Answer:
        """A GET, or a POST of `body`. `what` is the name that the request has in sentences. Redirects are not followed:
        a POST would arrive there as a GET."""
        options = self._connection
        headers = _HEADERS if content_type is None else {**_HEADERS, "Content-Type": content_type}
        deadline = time.monotonic() + options.timeout
        with warnings.catch_warnings(), self._explained(what):
            if not options.validate_certs:  # it was asked for, so there is nothing to warn about
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            if self._session is None:
                self._session = requests.Session()
            method, cookies = "GET" if body is None else "POST", self._session.cookies
            request = requests.Request(method, url, headers, data=body, auth=auth, cookies=cookies).prepare()
            if not self._way:
                self._way = self._find_way(self._session, str(request.url))
            how = {"timeout": options.timeout, **self._way}
            first = self._session.get_adapter(url).send(request, **how)
            with _logged_in(request, first, how) as response:
                cookies.update(response.cookies)  # by which a load balancer knows its client
                status = response.status_code
                read = self._read(what, response, deadline) if status == 200 else b""
                location = response.headers.get("Location") if response.is_redirect else None
                return Answer(status, read, location, response.headers)

    def _find_way(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Proxy and TLS options: those of the connection, then those of the environment."""
        options = self._connection
        proxies = {} if options.proxy is None else dict.fromkeys(("http", "https", "all"), options.proxy)
        verify = options.validate_certs and (options.ca_path or True)
        client: Any = (options.client_cert, options.client_key) if options.client_key else options.client_cert
        return dict(session.merge_environment_settings(url, proxies, True, verify, client))

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Put what the libraries raise into a sentence."""
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._explain(what, error) from None

    def _read(self, what: str, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in iter(_reader(response), b""):
            body += chunk
            if len(body) > MAX_BODY:
                raise TransportError(
                    f"The server at {self._connection.url} answers {what} with more than {MAX_BODY} octets; check url."
                )
            if time.monotonic() > deadline:
                raise self._timed_out(what)
        if len(body) < _declared(response):
            raise self._cut_off(what)
        return bytes(body)

    def _timed_out(self, what: str) -> TransportError:
        options = self._connection
        return TransportError(
            f"The server at {options.url} did not complete its answer to {what} within {options.timeout:g} "
            "seconds; raise timeout if it is merely slow."
        )

    def _cut_off(self, what: str) -> TransportError:
        return NotConnected(
            f"The server {self._connection.host} closed the connection before its answer to {what} was complete."
        )

    def _explain(self, what: str, error: Exception) -> TransportError:
        """One sentence for what the library raised, found by what caused it."""
        options = self._connection
        causes = list(_causes(error))
        port = urlsplit(options.url).port or (443 if options.url.startswith("https:") else 80)
        if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
            return NotSent(f"The proxy on the way to {options.host} cannot be used: {_innermost(causes)}.")
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Unreachable(
                    f"The TLS certificate of {options.host} is not trusted ({cause.verify_message}); "
                    "give the CA that issued it as ca_path."
                )
            if isinstance(cause, (ssl.SSLError, requests.exceptions.SSLError)):
                reason = getattr(cause, "reason", None)
                if not isinstance(reason, str):
                    continue
                return TransportError(f"TLS with {options.host} fails: {reason.replace('_', ' ').lower()}.")
            if isinstance(cause, (socket.gaierror, UnicodeError)) or type(cause).__name__ == "NameResolutionError":
                return Unreachable(f"The host {options.host} is not known; check url and name resolution.")
            if isinstance(cause, ConnectionRefusedError):
                return NotSent(f"Nothing listens on port {port} of {options.host}; check url and the server.")
            if isinstance(cause, requests.exceptions.ConnectTimeout):
                return NotSent(
                    f"The server {options.host} did not take the connection within {options.timeout:g} seconds."
                )
            if isinstance(cause, (requests.exceptions.Timeout, socket.timeout)):
                return self._timed_out(what)
            if isinstance(cause, (ConnectionError, http.client.HTTPException)):
                return self._cut_off(what)
        if isinstance(error, requests.exceptions.InvalidProxyURL):
            return TransportError(
                "What the environment names as proxy is not the address of one; correct http_proxy and https_proxy, "
                "or give proxy."
            )
        return TransportError(f"{what} cannot be sent to {options.host}: {_innermost(causes)}.")


def _logged_in(request: requests.PreparedRequest, response: Any, how: Mapping[str, Any]) -> Any:
    """The last answer of a log-in, which goes on from the first one in hooks of its own."""
    for hook in request.hooks["response"]:
        response = hook(response, **how)
    return response


def _reader(response: requests.Response) -> Callable[[], bytes]:
    """Reads what has arrived, without waiting for more of it: otherwise a trickle would outlast every timeout."""
    raw: Any = response.raw
    if hasattr(raw, "read1"):  # urllib3 2
        return lambda: bytes(raw.read1(_CHUNK))
    return lambda: bytes(raw._fp.read1(_CHUNK))


def _declared(response: requests.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


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
