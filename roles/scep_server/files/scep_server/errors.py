# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's own errors. Their text is one sentence for whoever runs the server, or for the client."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo

from .ndes.events import Event

# HRESULTs, by the names in Microsoft's headers.
E_FAIL = 0x80004005
E_INVALIDARG = 0x80070057
RPC_S_SERVER_UNAVAILABLE = 0x800706BA
ERROR_NOT_FOUND = 0x80070490
TRUST_E_CERT_SIGNATURE = 0x80096004
CERTSRV_E_BAD_REQUESTSUBJECT = 0x80094001
CERTSRV_E_TEMPLATE_DENIED = 0x80094012
CERTSRV_E_ADMIN_DENIED_REQUEST = 0x80094014
CERTSRV_E_UNSUPPORTED_CERT_TYPE = 0x80094800
CERTSRV_E_KEY_LENGTH = 0x80094811


class ServerError(Exception):
    """Something that the person who runs the server has to know; the command line prints it and exits with 1.

    `event` is what NDES would log of it, besides that it cannot start.
    """

    def __init__(self, text: str, event: Event | None = None) -> None:
        super().__init__(text)
        self.event = event


class SettingsError(ServerError):
    """A setting is unknown or has an impossible value."""


class StateError(ServerError):
    """The state folder is not initialised, is damaged, or belongs to a newer version."""


class StoreBusy(ServerError):
    """The database could not be reached in time; the client may try again."""


class Unavailable(ServerError):
    """There is nothing here of what a client asks for with a plain GET; the answer is 404."""


class TooManyPasswords(ServerError):
    """As many one-time passwords as may be are unused."""


class LoginRefused(Exception):
    """A log-in failed. The text is for the log; whoever tried learns nothing but that."""


class Refusal(Exception):
    """A request is refused: `fail_info` and `text` go to the client, `reason` (by default the text) to the audit.

    `hresult` is what NDES says where it would refuse the same, `event` what it logs, as far as that is known.
    """

    def __init__(
        self,
        fail_info: FailInfo,
        text: str,
        *,
        reason: str | None = None,
        challenge_id: int | None = None,
        hresult: int = E_FAIL,
        event: Event | None = None,
    ) -> None:
        super().__init__(text)
        self.fail_info = fail_info
        self.text = text
        self.reason = reason or text
        self.challenge_id = challenge_id
        self.hresult = hresult
        self.event = event


def one_line(cause: object) -> str:
    """What a library or a driver says, which may be several lines, to be put into a sentence."""
    return " ".join(str(cause).split()).rstrip(".")
