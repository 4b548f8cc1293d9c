# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages at the addresses where NDES has them: that for devices, and behind a log-in that of the administrator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from ansible_collections.netcert.ndes.plugins.module_utils.ndes.binding import end_point_binding
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import der
from cryptography import x509

from .. import challenges
from ..app import Environ, Headers, HttpError, client_of, expect_no_more
from ..app import Pages as OtherPages
from ..errors import ServerError, TooManyPasswords
from ..faults.active import Place
from ..operations import Answer
from ..server import Server
from ..settings import Settings
from ..store.audit import printable
from . import pages, templates
from .acceptors import LOGINS, Given, Login
from .epa import Protection
from .events import Event
from .gate import Admitted, Gate
from .pages import Style

log = logging.getLogger("scep_server")

_MAX_HOST = 255
_NOT_KEPT = ("Cache-Control", "no-store")


class Pages:
    """What Application asks first: the pages of NDES, and other pages. None: it is no page."""

    def __init__(self, gate: Gate, style: Style, others: OtherPages | None = None) -> None:
        self._gate = gate
        self._style = style
        self._others = others

    def __call__(self, server: Server, environ: Environ) -> Answer | None:
        """Raises HttpError for everything but a page."""
        answer = _PATHS.get(environ.get("PATH_INFO", "").lower())
        if answer is not None:
            return answer(self, server, environ)
        return None if self._others is None else self._others(server, environ)

    def device(self, server: Server, environ: Environ) -> Answer | None:
        """For a person who looks at the address for devices; devices have a query, or post."""
        if environ.get("QUERY_STRING") or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        if server.settings.policy_module:
            raise HttpError(HTTPStatus.FORBIDDEN, "A policy module decides about requests here.")
        host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
        return Answer(pages.device(self._style, host[:_MAX_HOST]), pages.CONTENT_TYPE)

    def redirect(self, _server: Server, environ: Environ) -> Answer:
        """To the address with the slash, for whoever is logged in."""
        headers = self._admit(environ).headers
        location = ("Location", environ["PATH_INFO"] + "/")
        raise HttpError(HTTPStatus.MOVED_PERMANENTLY, "The page is at the address with a slash.", (location, *headers))

    def admin(self, server: Server, environ: Environ) -> Answer:
        """A password, or why there is none. Scripts ask by GET and by POST; what they send along does not matter."""
        if environ["REQUEST_METHOD"] not in ("GET", "POST"):
            allow = ("Allow", "GET, POST")
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "This page is asked for with GET or POST.", (allow,))
        admitted = self._admit(environ)
        headers: Headers = (*admitted.headers, _NOT_KEPT)
        if (objection := templates.objection(server.settings, admitted.user)) is not None:
            log.info("%s: no password for %s, %s", client_of(environ), printable(admitted.user), objection.text)
            server.journal.report(Event.NO_PERMISSION, f"{admitted.user}, {objection.text}.", objection.hresult)
            return Answer(pages.no_permission(self._style), pages.CONTENT_TYPE, headers)
        certificate = der(server.authority.ca.certificate)
        says = server.faults.around(Place.PAGE, _MODES[server.settings.challenge])
        body, what = says(server, self._style, certificate)
        log.info("%s: %s for %s", client_of(environ), what, printable(admitted.user))
        return Answer(body, pages.CONTENT_TYPE, headers)

    def _admit(self, environ: Environ) -> Admitted:
        expect_no_more(environ)
        return self._gate.admit(environ)


def _one_time(server: Server, style: Style, certificate: bytes) -> tuple[bytes, str]:
    settings = server.settings
    try:
        (password,), _expires = challenges.create(server, 1)
    except TooManyPasswords:
        return pages.cache_full(style, settings.otp_minutes, settings.otp_outstanding), "no password is left"
    return pages.issued(style, certificate, password, settings.otp_minutes), "a one-time password"


def _reusable(server: Server, style: Style, certificate: bytes) -> tuple[bytes, str]:
    return pages.single(style, certificate, challenges.reusable(server)), "the lasting password"


def _none(_server: Server, style: Style, certificate: bytes) -> tuple[bytes, str]:
    return pages.not_required(style, certificate), "no password is needed"


# What the page says, by the setting challenge: its body, and for the log what became of the visit.
_MODES: dict[str, Callable[[Server, Style, bytes], tuple[bytes, str]]] = {
    "one_time": _one_time,
    "single": _reusable,
    "static": _reusable,
    "none": _none,
}

# Paths in lower case, as IIS does not mind the case.
_PATHS: dict[str, Callable[[Pages, Server, Environ], Answer | None]] = {
    "/certsrv/mscep/": Pages.device,
    "/certsrv/mscep/mscep.dll": Pages.device,
    "/certsrv/mscep/mscep.dll/pkiclient.exe": Pages.device,
    "/certsrv/mscep_admin": Pages.redirect,
    "/certsrv/mscep_admin/": Pages.admin,
}


def open_pages(state: Path, settings: Settings, log_file: Path | None = None) -> Pages | None:
    """The pages of a server; None when the setting admin_page is off. Raises ServerError when nobody could log in.

    `log_file` is where the server's log goes, if that is a file.
    """
    if not settings.admin_page:
        return None
    given = Given(
        _protection(state, settings),
        state / settings.users_file if settings.users_file else None,
        state / settings.keytab if settings.keytab else None,
    )
    logins: dict[str, Login] = {word: LOGINS[word](given) for word in settings.admin_auth}
    for login in logins.values():
        login.check()
    gate, style = Gate(logins), Style(settings.admin_page_encoding, settings.admin_page_nul)
    if not settings.people_page:
        return Pages(gate, style)
    from ..people.page import PeoplePage  # here, as its template engine takes longer to load than a command to run

    return Pages(gate, style, PeoplePage(gate, log_file))


def _protection(state: Path, settings: Settings) -> Protection:
    if settings.admin_epa == "none":
        return Protection("none")
    path = state / settings.tls_certificate
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())  # the first one; the chain follows it
    except (OSError, ValueError) as error:
        raise ServerError(f"The TLS certificate {path} cannot be read: {error}.") from None
    return Protection(settings.admin_epa, end_point_binding(der(certificate)))
