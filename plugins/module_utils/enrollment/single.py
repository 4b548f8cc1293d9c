# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One public file that a module sees to, with a record beside it of what a later run has to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..http_client import MAX_BODY
from .client import utc_now
from .files import (
    Transaction,
    attributes_differ,
    back_up,
    check_writable,
    delete,
    read_file,
    read_target,
    set_attributes,
)
from .options import read_output
from .ownership import Attributes, read_attributes
from .record import SUFFIX

_FORMAT = 1
_LIMIT = 2 * MAX_BODY
"""Octets of a file: what is sent in DER takes a third more in PEM."""


@dataclass(frozen=True)
class Settled:
    """What was done to the file, or would be in check mode: parts of a sentence, and the path of a backup."""

    done: tuple[str, ...]
    copy: str | None = None

    def returned(self) -> dict[str, Any]:
        """The return values about it."""
        copies = {} if self.copy is None else {"backup_files": [self.copy]}
        return {"changed": bool(self.done), **copies}


class SingleFile:
    """The file of the option `path`. What a killed run began is completed at once. Everything raises EnrollmentError.

    `data` is its content, None without a file.
    """

    def __init__(self, context: Context) -> None:
        params = context.params
        wanted = read_attributes("", params["mode"], params["owner"], params["group"], 0o644)
        self.target = read_output(context, "path", wanted)
        beside = self.target.path.with_name(self.target.path.name + SUFFIX)
        self._record = read_target("path", beside, Attributes(mode=0o600, default_mode=0o600))
        self._context = context
        self._transaction = Transaction(self.target.path)
        if context.check_mode:
            self._completed = self._transaction.interrupted
        else:
            self._completed = self._transaction.recover((self.target, self._record))
        self.data = read_file("path", self.target.path, _LIMIT)

    def record(self) -> Mapping[str, Any]:
        """What `settle` wrote down; empty when there is nothing that can be read."""
        data = read_file("path", self._record.path)
        try:
            found = json.loads(data or b"")
            return found if found["format"] == _FORMAT else {}
        except (ValueError, TypeError, KeyError):
            return {}

    def settle(self, data: bytes, record: Mapping[str, Any]) -> Settled:
        """See to content, attributes and record; the latter alone is no change that a user would know of."""
        done = ["what an interrupted run began"] if self._completed else []
        kept = {"format": _FORMAT, **record}
        contents = [(self.target, data)] if data != self.data else []
        if contents:
            done.append("content")
        elif attributes_differ(self.target):
            done.append("mode, owner or group")
        if kept != self.record():
            contents.append((self._record, (json.dumps(kept, indent=2) + "\n").encode("utf-8")))
        if self._context.check_mode:
            check_writable([target for target, _data in contents], touch=False)
            return Settled(tuple(done))
        copy = None
        if contents:
            check_writable([target for target, _data in contents], touch=True)
            copy = self._back_up() if contents[0][0] is self.target else None
            self._transaction.commit(contents)
        if attributes_differ(self.target):
            set_attributes(self.target)
        return Settled(tuple(done), copy)

    def remove(self) -> Settled:
        """See to it that neither is there."""
        there = [target for target in (self.target, self._record) if target.path.exists()]
        if not there or self._context.check_mode:
            return Settled(tuple(str(target.path) for target in there))
        check_writable(there, touch=False)
        copy = self._back_up()
        delete(there)
        return Settled(tuple(str(target.path) for target in there), copy)

    def _back_up(self) -> str | None:
        if not self._context.params["backup"]:
            return None
        copy = back_up(self.target, f"{utc_now():%Y%m%dT%H%M%SZ}")
        return None if copy is None else str(copy)
