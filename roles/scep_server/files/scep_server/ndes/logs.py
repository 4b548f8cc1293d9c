# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which logs there are, and what switches them.

Settings say whether there are any, commands say otherwise in a file of the state folder, and all processes of a server
read that. Where both logs are off, a request costs one look at the folder.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import StateError, one_line
from ..files import locked, private_folder, write_atomically
from ..settings import Settings
from .appended import Appended
from .journal import SILENT, Journal, Reported, Told

log = logging.getLogger("scep_server")

FOLDER = "log"
SWITCHES = "switches.json"
FILES = {"events": "ndes-events.jsonl", "mscep": "mscep.log"}
"""The logs by the words of commands, with their files."""
_MEGABYTE = 1_000_000


def by_settings(settings: Settings) -> dict[str, bool]:
    """Which of the logs the settings want."""
    return {"events": settings.event_log, "mscep": settings.mscep_log}


@dataclass
class Logs:
    """The logs of a state folder, and what switches them. Safe to use from many threads and processes at once."""

    state: Path
    settings: Settings
    _seen: tuple[Any, dict[str, Appended]] = field(default=(None, {}), init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.folder = self.state / FOLDER
        self._switches = self.folder / SWITCHES
        self._limit = self.settings.log_megabytes * _MEGABYTE
        self._files = {name: Appended(self.folder / file, self._limit) for name, file in FILES.items()}
        self._wanted = self._chosen({})
        self._numbers = itertools.count(1)

    def now(self, client: str = "") -> Journal:
        """That of a client's request at this moment."""
        files = self._current()
        if not files:
            return SILENT
        events, swapped = files.get("events"), self.settings.event_31_swapped
        if (told := files.get("mscep")) is None:
            return Reported(events, swapped, client)
        return Told(told, events, swapped, client, next(self._numbers))

    def _current(self) -> dict[str, Appended]:
        try:
            status = self._switches.stat()
        except OSError:
            return self._wanted
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        seen, files = self._seen
        if seen != stamp:
            try:
                files = self._chosen(self.switched())
            except StateError as error:
                log.error("%s", error)
                files = self._wanted
            self._seen = (stamp, files)
        return files

    def _chosen(self, switched: Mapping[str, bool]) -> dict[str, Appended]:
        on = {**by_settings(self.settings), **switched}
        return {name: file for name, file in self._files.items() if on[name]}

    def file(self, name: str) -> Appended:
        """What a log is written to."""
        return self._files[name]

    def switched(self) -> dict[str, bool]:
        """What commands have said. Raises StateError when the file cannot be read."""
        try:
            found: dict[str, bool] = dict(json.loads(self._switches.read_bytes()))
            if not set(found) <= set(FILES) or not all(isinstance(on, bool) for on in found.values()):
                raise ValueError("it is not what 'log set' writes")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            raise StateError(
                f"The switches in {self._switches} cannot be read: {one_line(error)}; remove the file, and set them "
                "anew."
            ) from None
        return found

    def switch(self, wanted: Mapping[str, bool | None]) -> bool:
        """Switch logs on or off, or (None) leave them to the settings; whether that changes anything."""
        private_folder(self.folder)
        with locked(self.folder):
            before = self.switched()
            after = {name: on for name, on in {**before, **wanted}.items() if on is not None}
            if after == before:
                return False
            if after:
                write_atomically(self._switches, json.dumps(after).encode() + b"\n", mode=0o600)
            else:
                self._switches.unlink(missing_ok=True)
            return True
