# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on the client's side, each as one sentence that a user can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scep.constants import FailInfo


@dataclass(frozen=True)
class Place:
    """Where something is, in the words of sentences: the option that brings it, what it is in, and a way out."""

    option: str
    name: str
    advice: str


class EnrollmentError(Exception):
    """Base of the client's own errors; the text is the sentence."""


class OptionError(EnrollmentError):
    """An option has a value that cannot be meant. The sentence names the option, what was found and what to do."""

    def __init__(self, option: str, complaint: str) -> None:
        super().__init__(f"{option}: {complaint}")


class FileError(EnrollmentError):
    """A file cannot be read or written."""


class TransportError(EnrollmentError):
    """The server cannot be reached, or what answers there is not what was expected."""

    sent = True
    """False where the request has surely not left."""


class Refused(EnrollmentError):
    """The server answered the request with FAILURE; `fail_info` says which, None when it did not say.

    It is a text where RFC 8894 has no such value. `challenge`: it says that the challenge password is the reason.
    """

    def __init__(self, text: str, fail_info: FailInfo | str | None = None, *, challenge: bool = False) -> None:
        super().__init__(text)
        self.fail_info = fail_info
        self.challenge = challenge


class NotRenewed(Refused):
    """The server answered a renewal with the certificate that is to be renewed."""
