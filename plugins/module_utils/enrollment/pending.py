# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A transaction without an answer, kept beside the certificate: a JSON file with all that sends the same request again.

It is written before the request leaves, so that whatever happens afterwards, the next run asks for the answer instead
of a second certificate. It holds the new private key and, inside the PKCS#10 request, the challenge password: its mode
is 0600, and it goes away with the answer.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Any

from .decide import Asked
from .record import check_types, read_asked

FORMAT = 1
SUFFIX = ".scep-pending.json"

SENT, WAITING = "sent", "waiting"
"""No answer was seen; or the server said PENDING."""

SIGNED_BY_KEY, SIGNED_BY_CERTIFICATE, SIGNED_BY_OWN = "key", "certificate", "own"
"""Who signs the pkiMessage: the key of the request, the certificate that is renewed, or a key made for this alone."""


@dataclass(frozen=True)
class OpenTransaction:
    """What is kept. `csr` is DER; keys and `signer` (a certificate) are PEM.

    `key` is None where the private key lies in a file of its own already; `own_key` is there for SIGNED_BY_OWN.
    """

    asked: Asked
    url: str
    transaction_id: str
    time: str
    status: str
    csr: bytes
    public_key: str
    key_bits: int
    key: str | None
    key_made: bool
    signed_by: str
    signer: str
    own_key: str | None = None


def write_pending(transaction: OpenTransaction) -> bytes:
    """The content of the file."""
    fields = {**asdict(transaction), "csr": base64.b64encode(transaction.csr).decode("ascii")}
    return (json.dumps({"format": FORMAT, **fields}, indent=2) + "\n").encode("utf-8")


def read_pending(data: bytes) -> OpenTransaction | None:
    """The transaction, or None when the file is of another format or damaged: then it is asked for anew."""
    try:
        fields: dict[str, Any] = json.loads(data)
        if fields.pop("format") != FORMAT:
            return None
        asked = read_asked(fields.pop("asked"))
        csr = base64.b64decode(fields.pop("csr"), validate=True)
        transaction = OpenTransaction(asked=asked, csr=csr, **fields)
        check_types(transaction)
        return transaction
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return None
