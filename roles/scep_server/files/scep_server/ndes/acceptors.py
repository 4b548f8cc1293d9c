# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to log in to a page: one class for each, and one table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LoginRefused
from . import negotiation, users
from .epa import Protection
from .handshakes import (
    Handshake,
    KerberosHandshake,
    Mechanism,
    Mechanisms,
    NtlmHandshake,
    SpnegoHandshake,
    Step,
    check_kerberos,
    prepare_ntlm,
    starts,
)


@dataclass(frozen=True)
class Given:
    """What log-ins are checked against."""

    protection: Protection
    users_file: Path | None = None
    keytab: Path | None = None


class Login:
    """Base of the ways to log in."""

    scheme = ""
    """The word in WWW-Authenticate and Authorization; a token in base64 follows."""
    lasting = True
    """Whether it is the connection that is logged in, with all requests that follow on it."""

    def __init__(self, given: Given) -> None:
        self._given = given

    @property
    def challenge(self) -> str:
        """WWW-Authenticate for somebody who is to log in."""
        return self.scheme

    def check(self) -> None:
        """Raises ServerError with a sentence when nobody could log in this way."""
        if self._given.users_file is not None:
            users.read(self._given.users_file)

    def starts(self, token: bytes) -> bool:
        """Whether a log-in begins with this token."""
        return starts(token)

    def begin(self) -> Handshake:
        """A log-in of its own."""
        raise NotImplementedError


class Basic(Login):
    """The password itself."""

    scheme = "Basic"
    lasting = False

    @property
    def challenge(self) -> str:
        """See Login."""
        return 'Basic realm="NDES", charset="UTF-8"'

    def starts(self, token: bytes) -> bool:
        """See Login."""
        return True

    def begin(self) -> Handshake:
        """See Login."""
        return self

    def step(self, token: bytes) -> Step:
        """See Handshake."""
        name, _colon, password = token.decode("utf-8").partition(":")
        user = users.authenticate(self._users_file, name, password)
        if user is None:
            raise LoginRefused("user or password is wrong")
        return Step(user=user.full_name)

    @property
    def _users_file(self) -> Path:
        if self._given.users_file is None:
            raise LoginRefused("there are no users")
        return self._given.users_file


class Ntlm(Login):
    """NTLM without SPNEGO around it."""

    scheme = "NTLM"

    def check(self) -> None:
        """See Login."""
        super().check()
        if self._given.users_file is not None:
            prepare_ntlm(self._given.users_file)

    def begin(self) -> Handshake:
        """See Login."""
        return NtlmHandshake(self._given.protection)


class Negotiate(Ntlm):
    """SPNEGO with Kerberos where there is a keytab, and with NTLM where there are users."""

    scheme = "Negotiate"

    def check(self) -> None:
        """See Login."""
        super().check()
        if self._given.keytab is not None:
            check_kerberos(self._given.keytab)

    def begin(self) -> Handshake:
        """See Login."""
        return SpnegoHandshake(self._mechanisms())

    def _mechanisms(self) -> Mechanisms:
        protection = self._given.protection
        found: dict[str, Callable[[], Mechanism]] = {}
        if (keytab := self._given.keytab) is not None:

            def kerberos() -> KerberosHandshake:
                return KerberosHandshake(keytab, protection)

            found |= {negotiation.KERBEROS: kerberos, negotiation.MICROSOFT_KERBEROS: kerberos}
        if self._given.users_file is not None:
            found[negotiation.NTLM] = lambda: NtlmHandshake(protection)
        return found


LOGINS: dict[str, type[Login]] = {"negotiate": Negotiate, "ntlm": Ntlm, "basic": Basic}
"""Words of the setting admin_auth -> the way to log in."""
