# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an enrolment: a JSON file beside the certificate, without secrets.

It says what was asked, so that a later run can tell whether the same is asked again, and it spares that run the private
key: as long as the key file has the digest in the record, its public key is the one in the record.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .decide import Asked, Recorded

FORMAT = 1
SUFFIX = ".scep.json"


@dataclass(frozen=True)
class Record:
    """What is kept. `chain` is PEM, issuing CA first; `time` is ISO 8601; fingerprints are SHA-256 in colon hex."""

    asked: Asked
    url: str
    transaction_id: str
    time: str
    certificate: str
    public_key: str
    key_bits: int
    key_made: bool
    key_file: str
    """SHA-256 of the key file. The key has far too many unknown bits for this to say anything about it."""
    chain: tuple[str, ...]

    def with_key_file(self, key_file: str) -> Record:
        """The same, after the key was written in another form."""
        return replace(self, key_file=key_file)

    def recorded(self) -> Recorded:
        """The part that decisions need."""
        return Recorded(self.asked, self.certificate, self.public_key, self.key_bits, self.key_made)


def digest(data: bytes) -> str:
    """How `key_file` is computed."""
    return hashlib.sha256(data).hexdigest()


def timestamp(moment: dt.datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_record(record: Record) -> bytes:
    """The content of the file."""
    return (json.dumps({"format": FORMAT, **asdict(record)}, indent=2) + "\n").encode("utf-8")


def read_record(data: bytes) -> Record | None:
    """The record, or None when the file is of another format or damaged: then the certificate is judged by itself."""
    try:
        fields = json.loads(data)
        if fields.pop("format") != FORMAT:
            return None
        asked = read_asked(fields.pop("asked"))
        chain = tuple(str(certificate) for certificate in fields.pop("chain"))
        return Record(asked=asked, chain=chain, **fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_asked(fields: Mapping[str, Any]) -> Asked:
    """What was asked, from JSON. Raises ValueError, TypeError, KeyError or AttributeError."""
    subject = tuple(tuple((str(word), str(value)) for word, value in rdn) for rdn in fields["subject"])
    others: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items() if name != "subject"
    }
    return Asked(subject=subject, **others)
