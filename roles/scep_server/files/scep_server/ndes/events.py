# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events of NDES that the server has an equivalent of, in one table.

Ids, levels and what each is about are known; of the texts next to nothing is, so they are worded here. Which codes
belong to which event is known where one is given. Ids of which it is not known what they are about are never raised.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    BadAlgorithm,
    BadKeySize,
    DecryptionFailed,
    MessageError,
    NotFound,
    WrongRecipient,
)

PROVIDER = "Microsoft-Windows-NetworkDeviceEnrollmentService"
INFORMATION, ERROR = "Information", "Error"


class Event(enum.IntEnum):
    """What happened; the values are the ids."""

    STARTED = 1
    NOT_STARTED = 2
    STOPPED = 3
    NO_PERMISSION = 6
    NO_CA_CERTIFICATES = 7
    NO_INFORMATION = 8
    NO_RA_CERTIFICATE = 10
    NOT_DECODED = 16
    NOT_READ = 17
    NOT_DECRYPTED = 18
    NO_CHALLENGE = 29
    NOT_SUBMITTED = 31
    NO_STATIC_PASSWORD = 49


@dataclass(frozen=True)
class Row:
    """Its level, its text, and the HRESULT where nothing more exact is known (None: it has no code)."""

    level: str
    text: str
    hresult: int | None = 0x80004005  # E_FAIL
    symbol: str = ""


TABLE: dict[Event, Row] = {
    Event.STARTED: Row(INFORMATION, "The service has started.", None),
    Event.NOT_STARTED: Row(ERROR, "The service cannot start."),
    Event.STOPPED: Row(INFORMATION, "The service has stopped.", None),
    Event.NO_PERMISSION: Row(ERROR, "Somebody who asked for a password has no right to one.", 0x80094012),
    Event.NO_CA_CERTIFICATES: Row(ERROR, "The certificates of the CA could not be handed out."),
    Event.NO_INFORMATION: Row(ERROR, "The CA could not be asked."),
    Event.NO_RA_CERTIFICATE: Row(ERROR, "A certificate that the service needs as an RA cannot be used.", 0x80070002),
    Event.NOT_DECODED: Row(ERROR, "An HTTP request has no message that can be decoded."),
    Event.NOT_READ: Row(ERROR, "A message is not the signed structure that it should be.", 0x8009310B),
    Event.NOT_DECRYPTED: Row(ERROR, "The content of a message cannot be decrypted.", 0x80090005),
    Event.NO_CHALLENGE: Row(ERROR, "The challenge password of a request is not valid.", 0x80070490),
    Event.NOT_SUBMITTED: Row(ERROR, "The CA does not take a request.", symbol="EVENT_MSCEP_FAIL_SUBMIT"),
    Event.NO_STATIC_PASSWORD: Row(ERROR, "The lasting challenge password cannot be decrypted.", 0x8009000B),
}

# What a message that cannot be opened is an event of. Of algorithms none is known; all else is about the structure.
_OPENING: tuple[tuple[tuple[type[MessageError], ...], Event | None], ...] = (
    ((BadKeySize,), Event.NOT_SUBMITTED),
    ((BadAlgorithm,), None),
    ((DecryptionFailed, WrongRecipient, NotFound), Event.NOT_DECRYPTED),
    ((MessageError,), Event.NOT_READ),
)


def of_message(error: MessageError) -> Event | None:
    """The event of a message that cannot be opened."""
    return next(event for kinds, event in _OPENING if isinstance(error, kinds))
