# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An acceptor for support.admin: the system's GSSAPI, with MIT's Kerberos, and NTLM by gss-ntlmssp."""

from __future__ import annotations

from pathlib import Path

import gssapi

from .acceptors import Refused

_NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
_CHANNEL_BOUND = 0x800
"""GSS_C_CHANNEL_BOUND_FLAG: the client gave the right binding. The libraries refuse a wrong one, and take none."""


class Gss:
    """A log-in by kerberos with the keys of the keytab, by ntlm with the users of NTLM_USER_FILE."""

    def __init__(self, keytab: Path, login: str, binding: bytes | None) -> None:
        if login == "ntlm":
            credentials = gssapi.Credentials(usage="accept", mechs=[_NTLM])
        else:
            credentials = gssapi.Credentials(usage="accept", store={"keytab": str(keytab)})
        bindings = None if binding is None else gssapi.raw.ChannelBindings(application_data=binding)
        self._bound = binding is not None
        self._context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)
        self.user = ""

    def step(self, token: bytes) -> bytes:
        """See Acceptor."""
        try:
            out = self._context.step(token)
            complete = self._context.complete  # raises what step keeps back
        except gssapi.exceptions.GSSError as error:
            raise Refused(str(error)) from None
        if complete:
            if self._bound and not int(self._context.actual_flags) & _CHANNEL_BOUND:
                raise Refused("no binding")
            self.user = str(self._context.initiator_name).rstrip("\0")
        return bytes(out or b"")

    def close(self) -> None:
        """See Acceptor."""
