# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the forks of one run share about the challenge passwords of one administration page.

NDES keeps few unused passwords. Forks that asked at will would fill its cache with passwords that wait for slow hosts,
and the next host would get none. So whoever takes one holds a place here until its request was answered. A password
whose request never left is kept for the next host: NDES binds none to a subject.

The ledger is a file in the run's own temporary folder, which nobody else can read and which ends with the run. Without
such a folder, as on a managed host, each task is on its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .otp import Otp, fresh

_KEPT = dt.timedelta(hours=1)
"""How long a place counts whose holder never said what became of it: as long as NDES keeps a password by default."""


@dataclass(frozen=True)
class Place:
    """One's place among the outstanding passwords; `otp` was left by somebody whose request never left."""

    number: int
    otp: Otp | None


class Ledger:
    """The ledger of one page. Safe between threads and processes."""

    def __init__(self, folder: Path, url: str) -> None:
        """`folder` exists and is the run's own."""
        self._path = folder / f"netcert-otp-{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def enter(self, limit: int, now: dt.datetime) -> Place | None:
        """A place, None while `limit` others hold one."""
        with self._open() as state:
            held = {number: until for number, until in state["held"].items() if _time(until) > now}
            spare = [otp for otp in map(_otp, state["spare"]) if fresh(otp, now)]
            found = spare.pop(0) if spare else None
            state["spare"] = [_plain(otp) for otp in spare]
            state["held"] = held
            if found is None and len(held) >= limit:
                return None
            state["number"] += 1
            held[str(state["number"])] = (now + _KEPT).isoformat()
            return Place(state["number"], found)

    def leave(self, place: Place, unused: Otp | None = None) -> None:
        """Give the place back; `unused` is a password that nobody was shown."""
        with self._open() as state:
            state["held"].pop(str(place.number), None)
            if unused is not None:
                state["spare"].append(_plain(unused))

    @contextlib.contextmanager
    def _open(self) -> Iterator[dict[str, Any]]:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            text = file.read()
            state = json.loads(text) if text else {"number": 0, "held": {}, "spare": []}
            yield state
            file.seek(0)
            file.truncate()
            json.dump(state, file)
            file.flush()


def _plain(otp: Otp) -> dict[str, Any]:
    return {**otp.__dict__, "issued": otp.issued.isoformat()}


def _otp(values: dict[str, Any]) -> Otp:
    return Otp(**{**values, "issued": _time(values["issued"])})


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
