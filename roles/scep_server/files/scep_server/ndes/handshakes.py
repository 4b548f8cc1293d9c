# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log-ins that have several steps: NTLM, Kerberos, and either inside SPNEGO.

NTLM is pyspnego's. SPNEGO around it is ours, because of two things that the library does not offer: the message that
was authenticated, to read its binding from, and a context that is complete only when its mechanism is, whatever a
client claims. Kerberos is that of the system by way of gssapi, which tells whether a context is bound.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError

from ..errors import LoginRefused, ServerError
from . import negotiation
from .epa import Protection

_NO_SPNEGO = _NO_GSSAPI = ""
try:
    import spnego
except ImportError as exc:
    _NO_SPNEGO = str(exc)
try:
    import gssapi
except (ImportError, OSError) as exc:  # OSError: there is no Kerberos library of the system
    _NO_GSSAPI = str(exc)

_NTLM_START = b"NTLMSSP\0\x01"
_NTLM = b"NTLMSSP\0"
_SPNEGO_START = 0x60
_CHANNEL_BOUND = 0x800
"""GSS_C_CHANNEL_BOUND_FLAG of MIT Kerberos 1.19 and later: the client's bindings were there, and right."""
_ANONYMOUS = 0x40


@dataclass(frozen=True)
class Step:
    """What a step gave: a token for the client, and who it is when the log-in is complete."""

    token: bytes | None = None
    user: str | None = None


class Handshake(Protocol):
    """A log-in that has begun."""

    def step(self, token: bytes) -> Step:
        """Go on with what the client sent. Raises LoginRefused, and whatever a library raises for a broken token."""


class Mechanism(Handshake, Protocol):
    """One that can be inside SPNEGO, and then vouches for the list of mechanisms."""

    def sign(self, data: bytes) -> bytes:
        """A MIC of the server."""

    def verify(self, data: bytes, mic: bytes) -> None:
        """Raises what the library raises when the client's MIC is wrong."""


Mechanisms = Mapping[str, Callable[[], Mechanism]]


class NtlmHandshake:
    """NTLM version 2."""

    def __init__(self, protection: Protection) -> None:
        self._protection = protection
        self._context: Any = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)

    def step(self, token: bytes) -> Step:
        """See Handshake."""
        answer = self._context.step(token)
        if not self._context.complete:
            return Step(answer)
        self._protection.check_ntlm(token)
        return Step(answer, self._context.client_principal)

    def sign(self, data: bytes) -> bytes:
        """See Mechanism."""
        return bytes(self._context.sign(data))

    def verify(self, data: bytes, mic: bytes) -> None:
        """See Mechanism."""
        self._context.verify(data, mic)


class KerberosHandshake:
    """Kerberos, with any key of the keytab."""

    def __init__(self, keytab: Path, protection: Protection) -> None:
        self._protection = protection
        bindings = None
        if protection.expected is not None:
            bindings = gssapi.raw.ChannelBindings(application_data=protection.expected)
        credentials = gssapi.Credentials(
            usage="accept", mechs=[gssapi.MechType.kerberos], store={"keytab": str(keytab)}
        )
        self._context: Any = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)

    def step(self, token: bytes) -> Step:
        """See Handshake. Bindings that are there and wrong are refused by the library."""
        answer = self._context.step(token)
        if not self._context.complete:
            return Step(answer)
        flags = int(self._context.actual_flags)
        if self._protection.required and not flags & _CHANNEL_BOUND:
            raise LoginRefused("the log-in by Kerberos is not bound to the TLS connection")
        if flags & _ANONYMOUS:
            raise LoginRefused("the ticket is that of nobody")
        return Step(answer, str(self._context.initiator_name).rstrip("\0"))

    def sign(self, data: bytes) -> bytes:
        """See Mechanism."""
        return bytes(self._context.get_signature(data))

    def verify(self, data: bytes, mic: bytes) -> None:
        """See Mechanism."""
        self._context.verify_signature(data, mic)


class SpnegoHandshake:
    """SPNEGO, and for the clients that leave it out the bare mechanisms."""

    def __init__(self, mechanisms: Mechanisms) -> None:
        self._mechanisms = mechanisms
        self._inner: Mechanism | None = None
        self._bare = False
        self._list = b""
        self._mic_needed = False
        self._user: str | None = None

    def step(self, token: bytes) -> Step:
        """See Handshake."""
        bare = negotiation.NTLM if token.startswith(_NTLM) else None
        if bare is None and negotiation.is_kerberos(token):
            bare = negotiation.KERBEROS
        if bare is not None:
            return self._step_bare(bare, token)
        try:
            message = negotiation.read(token)
        except DecodeError as error:
            raise LoginRefused(f"the token is not SPNEGO: {error}") from None
        if isinstance(message, negotiation.Init):
            return self._begin(message)
        if self._inner is None or self._bare:
            raise LoginRefused("the log-in did not begin with this")
        return self._go_on(self._inner, message.token, message.mic, None)

    def _step_bare(self, mechanism: str, token: bytes) -> Step:
        if self._inner is None:
            self._inner, self._bare = self._make(mechanism), True
        if not self._bare:
            raise LoginRefused("the log-in began with SPNEGO and goes on without")
        return self._inner.step(token)

    def _make(self, mechanism: str) -> Mechanism:
        if mechanism not in self._mechanisms:
            raise LoginRefused("the client offers no mechanism that is taken here")
        return self._mechanisms[mechanism]()

    def _begin(self, message: negotiation.Init) -> Step:
        if self._inner is not None:
            raise LoginRefused("the log-in has begun already")
        chosen = next((one for one in message.mechanisms if one in self._mechanisms), "")
        self._inner, self._list = self._make(chosen), message.mechanisms_der
        self._mic_needed = chosen != message.mechanisms[0]
        if self._mic_needed or message.token is None:  # the token, if any, is that of another mechanism
            state = negotiation.REQUEST_MIC if self._mic_needed else negotiation.ACCEPT_INCOMPLETE
            return Step(negotiation.answer(state, chosen))
        return self._go_on(self._inner, message.token, message.mic, chosen)

    def _go_on(self, inner: Mechanism, token: bytes | None, mic: bytes | None, chosen: str | None) -> Step:
        """A step of the mechanism, and at its end the MICs of the list: ours answers the client's, or asks for it."""
        if self._user is not None:  # ours has been sent
            if mic is None:
                raise LoginRefused("the list of mechanisms is not signed")
            inner.verify(self._list, mic)
            return Step(negotiation.answer(negotiation.ACCEPT_COMPLETED), self._user)
        if token is None:
            raise LoginRefused("the token is empty")
        step = inner.step(token)
        if step.user is None:
            return Step(negotiation.answer(negotiation.ACCEPT_INCOMPLETE, chosen, step.token))
        if mic is not None:
            inner.verify(self._list, mic)
        elif self._mic_needed:
            self._user = step.user
            ours = inner.sign(self._list)
            return Step(negotiation.answer(negotiation.ACCEPT_INCOMPLETE, chosen, step.token, ours))
        answered = inner.sign(self._list) if mic is not None else None
        return Step(negotiation.answer(negotiation.ACCEPT_COMPLETED, chosen, step.token, answered), step.user)


def starts(token: bytes) -> bool:
    """Whether a log-in begins with this token, as opposed to going on with it."""
    return token.startswith(_NTLM_START) or token[:1] == bytes((_SPNEGO_START,))


def prepare_ntlm(users_file: Path) -> None:
    """Tell pyspnego where the users are, which it takes from the environment alone. Raises ServerError without it."""
    if _NO_SPNEGO:
        raise ServerError(
            "Log-ins by ntlm and negotiate (setting admin_auth) need pyspnego, which the server's environment lacks "
            f"({_NO_SPNEGO}): install it there, or set admin_auth to basic alone."
        )
    os.environ["NTLM_USER_FILE"] = str(users_file)


def check_kerberos(keytab: Path) -> None:
    """Raises ServerError when there can be no Kerberos."""
    if _NO_GSSAPI:
        raise ServerError(
            "Kerberos (setting keytab) needs gssapi, which the server's environment lacks "
            f"({_NO_GSSAPI}): install it there, or leave the setting keytab empty."
        )
    try:
        keytab.open("rb").close()
    except OSError as error:
        raise ServerError(f"The file {keytab} of the setting keytab cannot be read: {error.strerror}.") from None
