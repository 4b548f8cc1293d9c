# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to log in to the administration page: one class for each, and one table of them.

`validate()` looks at what is given, without a network; `authenticate()` gives what requests takes as `auth`.
"""

from __future__ import annotations

import base64
import importlib
import struct
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .. import _deps
from ..errors import OptionError, TransportError
from .binding import end_point_binding

_SPOKEN: tuple[type[Exception], ...] = ()
"""What the libraries raise to say why there is no log-in."""
try:
    import spnego
    from requests_ntlm import HttpNtlmAuth

    _SPOKEN += (spnego.exceptions.SpnegoError,)
except ImportError as exc:
    _deps.optional("requests-ntlm", exc)
try:
    krb5 = importlib.import_module("krb5")  # requests-kerberos can be imported without it, and then does nothing
    import requests_kerberos

    _SPOKEN += (krb5.Krb5Error,)
except ImportError as exc:
    _deps.optional("requests-kerberos", exc)

_RAISED: tuple[type[Exception], ...] = (*_SPOKEN, LookupError, ValueError, struct.error)
"""What they raise at all: when an answer is not what they expect, errors that are not theirs."""


@dataclass(frozen=True)
class Login:
    """Base of the ways to log in. `username` may be given as DOMAIN\\user or user@REALM."""

    username: str | None = None
    password: str | None = None
    channel_binding: bool = True
    """Whether the log-in is bound to the TLS connection, where there is one; IIS calls it extended protection."""

    library = ""
    """The Python distribution that is needed, if any."""

    def validate(self) -> None:
        """Raise OptionError for what cannot work. Nothing is sent."""
        absent = _deps.absent(self.library)
        if absent is not None:
            raise OptionError(
                "auth",
                f"it needs the library {self.library}, which {sys.executable} lacks ({absent}); install it there.",
            )

    def authenticate(self, url: str) -> Any:
        """What requests takes as `auth` for this address. Raises TransportError."""
        raise NotImplementedError

    def _need_both(self) -> None:
        for option, value in (("username", self.username), ("password", self.password)):
            if not value:
                raise OptionError(option, "it is not given, and this auth cannot do without.")

    def _need_both_or_none(self) -> None:
        if bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            raise OptionError(
                missing, "it is not given; give username and password, or neither for the ticket of whoever runs this."
            )


class NoLogin(Login):
    """Nothing: for products that imitate NDES and guard their page by other means."""

    def validate(self) -> None:
        """See Login."""
        for option, value in (("username", self.username), ("password", self.password)):
            if value:
                raise OptionError(option, "it is given although auth is none; leave it out, or choose another auth.")

    def authenticate(self, url: str) -> Any:
        """See Login."""
        return _unchanged


class Basic(Login):
    """The password itself, base64: over TLS alone, or it is everybody's."""

    def validate(self) -> None:
        """See Login."""
        self._need_both()

    def authenticate(self, url: str) -> Any:
        """See Login."""
        encoded = f"{self.username}:{self.password}".encode()
        header = f"Basic {base64.b64encode(encoded).decode('ascii')}"

        def sign(request: Any) -> Any:
            request.headers["Authorization"] = header
            return request

        return sign


class Ntlm(Login):
    """NTLM, which authenticates a connection."""

    library = "requests-ntlm"

    def validate(self) -> None:
        """See Login."""
        super().validate()
        self._need_both()

    def authenticate(self, url: str) -> Any:
        """See Login."""
        return _Told(HttpNtlmAuth(self.username, self.password, send_cbt=self.channel_binding))


class Kerberos(Login):
    """Kerberos inside of Negotiate, with the ticket of whoever runs this, or with a user and his password."""

    library = "requests-kerberos"

    def validate(self) -> None:
        """See Login."""
        super().validate()
        self._need_both_or_none()

    def authenticate(self, url: str) -> Any:
        """See Login. A ticket for the server is fetched here already: later its absence would look like a 401."""
        host = urlsplit(url).hostname or ""
        auth = requests_kerberos.HTTPKerberosAuth(
            mutual_authentication=requests_kerberos.OPTIONAL,
            principal=self.username,
            password=self.password,
            send_cbt=self.channel_binding,
        )
        try:
            spnego.client(self.username, self.password, hostname=host, service="HTTP", protocol="kerberos").step()
        except _SPOKEN as error:
            raise TransportError(f"auth: there is no Kerberos ticket for HTTP/{host}: {_reason(error)}.") from None
        return _Told(auth)


class Negotiate(Login):
    """SPNEGO: Kerberos where there is a ticket for the server, NTLM otherwise."""

    library = "requests-ntlm"

    def validate(self) -> None:
        """See Login."""
        super().validate()
        self._need_both_or_none()

    def authenticate(self, url: str) -> Any:
        """See Login."""
        return _SpnegoAuth(self)


LOGINS: dict[str, type[Login]] = {
    "ntlm": Ntlm,
    "kerberos": Kerberos,
    "negotiate": Negotiate,
    "basic": Basic,
    "none": NoLogin,
}
"""Option auth -> the way to log in."""


class _Told:
    """A log-in of requests-ntlm or requests-kerberos, which raise errors of all kinds when a server does not go on as
    it should: they are told in a sentence."""

    def __init__(self, auth: Any) -> None:
        self._auth = auth

    def __call__(self, request: Any) -> Any:
        request = self._auth(request)
        (self._hook,) = request.hooks["response"]
        request.hooks["response"] = [self._answer]
        return request

    def _answer(self, response: Any, **options: Any) -> Any:
        try:
            return self._hook(response, **options)
        except PermissionError:  # refused before anything was proved
            return response
        except _RAISED:
            raise _broken_off(response.url, "the challenge of the server is missing or damaged") from None


class _SpnegoAuth:
    """requests' protocol for a log-in by SPNEGO (RFC 4559): as many rounds as the mechanism takes."""

    _ROUNDS = 5

    def __init__(self, login: Login) -> None:
        self._login = login

    def __call__(self, request: Any) -> Any:
        request.headers["Connection"] = "Keep-Alive"
        request.register_hook("response", self._answer)
        return request

    def _answer(self, response: Any, **options: Any) -> Any:
        if response.status_code != 401 or _token(response) is None:
            return response
        host = urlsplit(response.url).hostname or ""
        binding = _channel_binding(response) if self._login.channel_binding else None
        context = spnego.client(
            self._login.username,
            self._login.password,
            hostname=host,
            service="HTTP",
            protocol="negotiate",
            channel_bindings=binding,
        )
        for number in range(self._ROUNDS):
            token = _token(response)
            refused = token is None or (number > 0 and not token)
            if response.status_code != 401 or refused or context.complete:
                break
            try:
                out = context.step(token or None)
            except _RAISED as error:
                if token:  # a refusal, or what only a server that refuses would send
                    break
                response.close()
                raise _broken_off(response.url, _reason(error)) from None
            if out is None:
                break
            for _chunk in response.iter_content(4096):  # to the end, so that the connection can be used again
                pass
            response.raw.release_conn()
            request = response.request.copy()
            request.headers["Authorization"] = f"Negotiate {base64.b64encode(out).decode('ascii')}"
            response = response.connection.send(request, **options)
        return response


def _token(response: Any) -> bytes | None:
    """The token of a Negotiate challenge, empty for the first one; None when Negotiate is not offered."""
    for challenge in response.headers.get("WWW-Authenticate", "").split(","):
        scheme, _blank, value = challenge.strip().partition(" ")
        if scheme.lower() == "negotiate":
            try:
                return base64.b64decode(value, validate=True)
            except ValueError:  # binascii.Error is one, and what is not ASCII another
                return None
    return None


def _channel_binding(response: Any) -> Any:
    """The binding to the TLS connection that brought the response (RFC 5929 section 4); None without TLS."""
    try:
        certificate = response.raw._fp.fp.raw._sock.getpeercert(True)
    except AttributeError:
        return None
    return spnego.channel_bindings.GssChannelBindings(application_data=end_point_binding(certificate))


def _broken_off(url: str, reason: str) -> TransportError:
    return TransportError(f"auth: the log-in at {urlsplit(url).hostname} breaks off: {reason}.")


def _unchanged(request: Any) -> Any:
    return request


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
