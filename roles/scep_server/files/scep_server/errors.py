# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's own errors. Their text is one sentence for whoever runs the server, or for the client."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo


class ServerError(Exception):
    """Something that the person who runs the server has to know; the command line prints it and exits with 1."""


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
    """A request is refused: `fail_info` and `text` go to the client, `reason` (by default the text) to the audit."""

    def __init__(
        self, fail_info: FailInfo, text: str, *, reason: str | None = None, challenge_id: int | None = None
    ) -> None:
        super().__init__(text)
        self.fail_info = fail_info
        self.text = text
        self.reason = reason or text
        self.challenge_id = challenge_id


def one_line(cause: object) -> str:
    """What a library or a driver says, which may be several lines, to be put into a sentence."""
    return " ".join(str(cause).split()).rstrip(".")
