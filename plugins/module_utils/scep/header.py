# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be known of a request to answer it, be it with a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .constants import MessageType

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True)
class RequestHeader:
    """What a server has to know of a request to answer it.

    `message_type` is None, `signer` is None, `sender_nonce` is empty and `cipher` is None as long as they are unknown,
    which happens only in the header of a refused request.
    """

    message_type: MessageType | None
    transaction_id: str
    sender_nonce: bytes
    signer: x509.Certificate | None
    digest: str
    cipher: str | None
