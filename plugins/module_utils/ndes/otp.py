# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the administration page of NDES for challenge passwords.

Each GET of the page takes a place in the server's cache of unused passwords, so none is repeated but one that brought
no password. NDES keeps five of them for an hour; a full cache is waited out.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import OptionError, TransportError
from ..http_client import Answer, Connection, Http
from .login import LOGINS, Login
from .page import DIGESTS, AdminPage, PageKind, read_page

_WHAT = "the request for a challenge password"
_FRESH = 0.95
"""The part of its lifetime in which a password is offered to a server: clocks differ, and requests take time."""
PAUSE = 10.0
_JITTER = 0.3
_MOST = 1000

HINTS = {
    401: "the log-in was refused; check auth, username and password, and that the server offers this way to log in",
    403: "an NDES policy module, such as that of Intune, is installed and gives the passwords itself; otherwise the "
    "page wants TLS or a client certificate",
    404: "check the path in url; that of NDES is /certsrv/mscep_admin/",
    500: "NDES could not start: its RA certificates, its account or its registry; look at event 2 and 10 on that host",
    503: "the application pool SCEP is stopped",
}
"""HTTP statuses of the page -> what to look at first."""
DEFAULT_HINT = "the log of the web server should say why"


@dataclass(frozen=True)
class AdminServer:
    """The page: how to reach it, and how to log in."""

    connection: Connection
    login: Login
    retry_timeout: float = 0.0
    """Seconds in which a full cache is asked again."""


@dataclass(frozen=True)
class Otp:
    """A challenge password. `thumbprint` of the CA certificate, hexadecimal; `lifetime_minutes` None: it says none."""

    password: str
    thumbprint: str | None
    lifetime_minutes: int | None
    reusable: bool
    issued: dt.datetime

    @property
    def thumbprint_digest(self) -> str | None:
        """The digest that a thumbprint of this length is made with; None without one, and for any other length."""
        return DIGESTS.get(len(self.thumbprint or ""))

    @property
    def stale_at(self) -> dt.datetime | None:
        """When it should not be offered to a server any more; None: it does not expire."""
        if self.lifetime_minutes is None:
            return None
        return self.issued + dt.timedelta(minutes=self.lifetime_minutes) * _FRESH


class NoPassword(TransportError):
    """The page answers, and has no password for this user."""

    def __init__(self, text: str, kind: PageKind) -> None:
        super().__init__(text)
        self.kind = kind


def read_admin_server(params: Mapping[str, Any], connection: Connection) -> AdminServer:
    """Of the options. Raises OptionError for what cannot work, before anything is sent."""
    login = LOGINS[params["auth"]](params["username"], params["password"], params["channel_binding"])
    login.validate()
    if params["auth"] != "none" and urlsplit(connection.url).scheme != "https" and not params["allow_http"]:
        raise OptionError(
            "url",
            f"'{connection.url}' is no https address, and everybody on the way could read or take over the log-in; "
            "give the https address, or set allow_http.",
        )
    if params["retry_timeout"] < 0:
        raise OptionError("retry_timeout", f"{params['retry_timeout']:g} seconds is no time; give 0 or more.")
    return AdminServer(connection, login, params["retry_timeout"])


def check_count(count: int) -> int:
    """The number of passwords. Raises OptionError."""
    if not 1 <= count <= _MOST:
        raise OptionError("count", f"{count} is no number of passwords; give 1 to {_MOST}.")
    return count


def fetch(server: AdminServer, count: int = 1) -> list[Otp]:
    """`count` passwords. Raises TransportError, or NoPassword; those that came before are lost then, and expire."""
    deadline = time.monotonic() + server.retry_timeout
    with Http(server.connection) as http:
        auth = server.login.authenticate(server.connection.url)
        found: list[Otp] = []
        while len(found) < count:
            page = _page(server, http, auth)
            if page.password is not None:
                now = dt.datetime.now(dt.timezone.utc)
                found.append(Otp(page.password, page.thumbprint, page.lifetime_minutes, page.reusable, now))
                continue
            wait = PAUSE * random.uniform(1 - _JITTER, 1 + _JITTER)
            if page.kind is not PageKind.CACHE_FULL or time.monotonic() + wait > deadline:
                raise NoPassword(_no_password(server, page, len(found)), page.kind)
            time.sleep(wait)
    return found


def _page(server: AdminServer, http: Http, auth: Callable[[Any], Any]) -> AdminPage:
    url = server.connection.url
    answer = http.exchange(_WHAT, url, auth=auth)
    target = _same_page(url, answer)
    if target is not None:
        answer = http.exchange(_WHAT, target, auth=auth)
    where = f"The server at {url}"
    if answer.location is not None:
        target = answer.location.split("?")[0]
        raise TransportError(f"{where} sends {_WHAT} on to {target}; if the page is there, give that as url.")
    if answer.status != 200:
        hint = HINTS.get(answer.status, DEFAULT_HINT)
        raise TransportError(f"{where} answers {_WHAT} with HTTP {answer.status} ({answer.phrase}); {hint}.")
    return read_page(answer.body)


def _same_page(url: str, answer: Answer) -> str | None:
    """Where a redirect leads that adds the slash to the folder, as IIS does; no log-in is taken anywhere else."""
    if answer.location is None:
        return None
    target, here = urlsplit(urljoin(url, answer.location)), urlsplit(url)
    same = (target.scheme, target.netloc) == (here.scheme, here.netloc)
    return target.geturl() if same and target.path.lower() == f"{here.path}/".lower() else None


def _no_password(server: AdminServer, page: AdminPage, count: int) -> str:
    where = f"The page at {server.connection.url}"
    if page.kind is PageKind.CACHE_FULL:
        return (
            f"{where} has no place for another password: its cache is full (after {count} for this call). Wait until "
            "unused ones expire, by default an hour, and raise retry_timeout; the administrator can raise PasswordMax, "
            "or recycle the application pool SCEP, which voids all that were handed out."
        )
    if page.kind is PageKind.NO_PERMISSION:
        return (
            f"{where} gives this user no password: he needs the right to enrol on all three templates that NDES is set "
            "to, and the CA has to issue them."
        )
    if page.kind is PageKind.NOT_REQUIRED:
        return f"{where} offers no password: NDES is set to take requests without one (EnforcePassword is 0)."
    return f"{where} is none that is known here; it says: '{page.text}'."


def fresh(otp: Otp, now: dt.datetime) -> bool:
    """Whether a server may still take it."""
    return otp.stale_at is None or now < otp.stale_at
