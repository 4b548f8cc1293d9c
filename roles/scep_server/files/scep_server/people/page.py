# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page at its addresses: who may see it, and which forms are taken."""

from __future__ import annotations

import logging
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl

from ..app import ADDED_HEADERS, Environ, Headers, HttpError, client_of, expect_no_more, read_body
from ..approval import Person
from ..ndes import templates, users
from ..ndes.gate import Admitted, Gate
from ..operations import Answer
from ..server import Server
from ..settings import Settings
from ..store import epoch
from ..store.audit import printable
from . import render, views
from .actions import NotDone, carry_out
from .addresses import PAGE, asked_for
from .origin import from_elsewhere
from .tokens import LIFETIME, Tokens

log = logging.getLogger("scep_server")

MAX_FORM = 16384
_FIELDS = 10

_NOT_YOURS = (
    "This form was not sent from the page as you have it: it came from another site, from before you logged in as "
    f"this user, or from a page that has been open for more than {LIFETIME // 60} minutes. Nothing was changed. Open "
    "the page anew, and do it there."
)


class PeoplePage:
    """What Application asks first. None: it is not for the page."""

    def __init__(self, gate: Gate, log_file: Path | None) -> None:
        self._gate = gate
        self._log_file = log_file

    def __call__(self, server: Server, environ: Environ) -> Answer | None:
        """Raises HttpError for everything but the page itself."""
        asked = asked_for(environ)
        if asked is None:
            return None
        environ[ADDED_HEADERS] = render.HEADERS
        if asked == PAGE:
            return self._look(server, environ)
        return self._act(server, environ, asked)

    def _look(self, server: Server, environ: Environ) -> Answer:
        admitted = self._admit(server, environ)
        given = _fields(environ.get("QUERY_STRING", ""))
        with server.store.database.held():
            shown = views.everything(server, admitted.user, given, _tokens(server, admitted), self._log_file)
        return render.html("page.html", admitted.headers, **shown)

    def _act(self, server: Server, environ: Environ, verb: str) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            allow = ("Allow", "POST")
            raise _said(HTTPStatus.METHOD_NOT_ALLOWED, "What changes something is asked for with POST.", (allow,))
        try:
            body = read_body(environ, MAX_FORM, "A form")
        except HttpError as error:
            raise _said(error.status, error.text, error.headers) from None
        admitted = self._admit(server, environ)
        fields = _fields(body.decode("ascii", "replace"))
        target, client = fields.get("target", ""), client_of(environ)
        good = _tokens(server, admitted).good(fields.get("token", ""), verb, target)
        if from_elsewhere(environ) or not good:
            log.warning("%s: a form of %s was not taken: %s", client, printable(admitted.user), verb)
            raise _said(HTTPStatus.FORBIDDEN, _NOT_YOURS, admitted.headers)
        try:
            where = carry_out(server, verb, target, fields, Person(admitted.user, client))
        except NotDone as error:
            raise _said(error.status, str(error), admitted.headers) from None
        raise _said(HTTPStatus.SEE_OTHER, "It is done.", (("Location", where), *admitted.headers))

    def _admit(self, server: Server, environ: Environ) -> Admitted:
        expect_no_more(environ)
        admitted = self._gate.admit(environ)
        if not may_use(server.settings, admitted.user):
            log.info("%s: no page for %s, who has no right to it", client_of(environ), printable(admitted.user))
            text = f"You are logged in as {admitted.user}, who may not use this page (see the setting people_users)."
            raise _said(HTTPStatus.FORBIDDEN, text, admitted.headers)
        return admitted


def may_use(settings: Settings, user: str) -> bool:
    """Whoever is named, or where nobody is, whoever has the right to enroll."""
    if settings.people_users:
        return users.named(user, settings.people_users)
    return templates.has_right(settings, user)


def _tokens(server: Server, admitted: Admitted) -> Tokens:
    return Tokens(server.pki.otp_key, admitted.user, epoch(server.clock()))


def _fields(text: str) -> dict[str, str]:
    """The fields of a form, or of a query: of several with one name, the last."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="replace"))
    except ValueError:
        raise _said(HTTPStatus.BAD_REQUEST, "This is no form of the page.") from None


def _said(status: HTTPStatus, text: str, headers: Headers = ()) -> HttpError:
    return HttpError(status, text, headers, render.html("message.html", title=status.phrase, text=text))
