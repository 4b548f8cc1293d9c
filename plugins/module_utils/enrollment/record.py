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
from dataclasses import asdict, dataclass, fields, replace
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
        found = json.loads(data)
        if found.pop("format") != FORMAT:
            return None
        asked = read_asked(found.pop("asked"))
        chain = tuple(str(certificate) for certificate in found.pop("chain"))
        record = Record(asked=asked, chain=chain, **found)
        check_types(record)
        return record
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_asked(found: Mapping[str, Any]) -> Asked:
    """What was asked, from JSON. Raises ValueError, TypeError, KeyError or AttributeError."""
    subject = tuple(tuple((str(word), str(value)) for word, value in rdn) for rdn in found["subject"])
    others: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items() if name != "subject"
    }
    asked = Asked(subject=subject, **others)
    check_types(asked)
    return asked


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "bool": (bool,),
    "tuple[str, ...]": (tuple,),
}


def check_types(value: Any) -> None:
    """Look at the simple fields of a dataclass that was made of JSON. Raises TypeError."""
    for field in fields(value):
        if field.type in _TYPES and not isinstance(getattr(value, field.name), _TYPES[str(field.type)]):
            raise TypeError(field.name)
