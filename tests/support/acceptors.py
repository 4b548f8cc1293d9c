# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who checks the log-ins of support.admin: nobody of ours, so that the client is not tested against itself."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

import spnego

if TYPE_CHECKING:
    from .samba import Domain


class Refused(Exception):
    """A log-in came to nothing; the acceptor's own words. The server answers 401, or another status without more."""

    def __init__(self, words: str, status: int = 401) -> None:
        super().__init__(words)
        self.status = status


class Acceptor(Protocol):
    """One log-in, on one connection."""

    user: str
    """Who has logged in; empty until then."""

    def step(self, token: bytes) -> bytes:
        """What the client gets to its message, which may be nothing at the end. Raises Refused."""

    def close(self) -> None:
        """The connection has ended."""


class Pyspnego:
    """Python's, with the users of NTLM_USER_FILE. It verifies the binding that it is given."""

    def __init__(self, protocol: str, binding: bytes | None) -> None:
        bindings = binding and spnego.channel_bindings.GssChannelBindings(application_data=binding)
        self._context: Any = spnego.server(protocol=protocol, channel_bindings=bindings)
        self.user = ""

    def step(self, token: bytes) -> bytes:
        """See Acceptor."""
        try:
            out = self._context.step(token)
        except (spnego.exceptions.SpnegoError, StopIteration) as error:  # the latter for a wrong one within SPNEGO
            raise Refused(str(error)) from None
        if self._context.complete:
            self.user = self._context.client_principal
        return out or b""

    def close(self) -> None:
        """See Acceptor."""


_HELPERS = {"ntlm": "squid-2.5-ntlmssp", "negotiate": "gss-spnego"}
"""Ways to log in -> the protocol of ntlm_auth. The second has one more word in each answer, for a token."""


class NtlmAuth:
    """Samba's ntlm_auth, with the users of the domain. It knows of no bindings."""

    def __init__(self, domain: Domain, login: str) -> None:
        command, environment = domain.ntlm_auth(_HELPERS[login])
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment)
        self._word = "YR"
        self.user = ""

    def step(self, token: bytes) -> bytes:
        """See Acceptor."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{self._word} {base64.b64encode(token).decode()}\n".encode())
        self._process.stdin.flush()
        self._word = "KK"
        answer, *words = self._process.stdout.readline().decode().rstrip("\n").split(" ")
        if answer == "TT":
            return base64.b64decode(words[0])
        if answer != "AF":
            raise Refused(words[-1])
        self.user = words[-1]
        return b"" if words[0] in ("*", self.user) else base64.b64decode(words[0])

    def close(self) -> None:
        """See Acceptor."""
        with self._process:  # closes its input, which ends it
            pass
