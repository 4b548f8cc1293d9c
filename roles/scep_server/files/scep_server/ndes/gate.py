# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks: a request is let through with the name of a user, or answered with 401."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ..app import Environ, Headers, HttpError, client_of
from ..errors import LoginRefused, ServerError
from ..store.audit import printable
from .acceptors import Login
from .connections import Connections

log = logging.getLogger("scep_server")

MAX_TOKEN = 49152
"""Octets of a token: what Windows takes, whose tickets list the groups of a user."""
CONNECTION = "gunicorn.socket"
"""Key in the environ of what stands for the connection, as long as it lasts."""

_TEXT = "Log in to see this page."


@dataclass(frozen=True)
class Admitted:
    """A user, and what has to be among the headers of the answer."""

    user: str
    headers: Headers = ()


class Gate:
    """For one table of log-ins, by their schemes."""

    def __init__(self, logins: Mapping[str, Login], connections: Connections | None = None) -> None:
        self._logins = {login.scheme.lower(): login for login in logins.values()}
        self.connections = connections or Connections()

    def admit(self, environ: Environ) -> Admitted:
        """Raises HttpError with status 401 for whoever has to log in, or to go on with it."""
        connection = environ.get(CONNECTION)
        scheme, _blank, encoded = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if not scheme and (user := self.connections.user(connection)) is not None:
            return Admitted(user)
        waiting = self.connections.take(connection, scheme.lower())
        login = self._logins.get(scheme.lower())
        if login is None:
            raise self._unauthorized()
        try:
            token = _decode(encoded)
            handshake = login.begin() if login.starts(token) else waiting
            if handshake is None:
                raise LoginRefused("the log-in did not begin on this connection")
            step = handshake.step(token)
        except ServerError:  # the server's own fault, such as a file of users that cannot be read
            raise
        except Exception as error:  # libraries raise whatever they like for a broken token
            reason = str(error) if isinstance(error, LoginRefused) else type(error).__name__
            log.info("%s: log-in by %s refused: %s", client_of(environ), login.scheme, reason)
            raise self._unauthorized() from None
        answer = None if step.token is None else f"{login.scheme} {base64.b64encode(step.token).decode('ascii')}"
        if step.user is None:
            self.connections.goes_on(connection, scheme.lower(), handshake)
            raise _challenge(answer or login.scheme)
        if login.lasting:
            self.connections.logged_in(connection, step.user)
        log.info("%s: %s logged in by %s", client_of(environ), printable(step.user), login.scheme)
        return Admitted(step.user, () if answer is None else (("WWW-Authenticate", answer),))

    def _unauthorized(self) -> HttpError:
        return _challenge(*(login.challenge for login in self._logins.values()))


def _challenge(*challenges: str) -> HttpError:
    return HttpError(HTTPStatus.UNAUTHORIZED, _TEXT, tuple(("WWW-Authenticate", one) for one in challenges))


def _decode(encoded: str) -> bytes:
    if len(encoded) > MAX_TOKEN * 4 // 3 + 4:
        raise LoginRefused("the token is too long")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise LoginRefused("the token is not base64") from None
