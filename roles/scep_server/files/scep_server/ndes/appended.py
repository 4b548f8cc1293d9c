# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of lines to which many threads and processes append, and which begins anew when it is too long."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..files import locked, private_folder

PATIENCE = 2.0
"""Seconds for which a request waits for others who put the file aside. Then it is left to the next one."""


@dataclass(frozen=True)
class Appended:
    """The file, and how many octets are too many. The one before is kept beside it, so there are twice as many."""

    path: Path
    limit: int

    @property
    def before(self) -> Path:
        """The file that was full last."""
        return self.path.with_name(f"{self.path.name}.1")

    @property
    def size(self) -> int:
        """Octets; zero where there is no file, also for the moment in which another one is begun."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def add(self, line: str) -> None:
        """Append a line, whole: the system puts each write at the end, whoever writes at the same time.

        A line never goes astray: who opened the file just before another process put it aside writes into the one that
        was put aside. Raises OSError, or StateError when others keep the folder.
        """
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        size = self._write(data)
        if size > self.limit:
            self._put_aside()

    def _write(self, data: bytes) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            handle = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            private_folder(self.path.parent)
            handle = os.open(self.path, flags, 0o600)
        try:
            os.write(handle, data)
            return os.fstat(handle).st_size
        finally:
            os.close(handle)

    def _put_aside(self) -> None:
        with locked(self.path.parent, PATIENCE):
            if self.size > self.limit:  # or somebody else was faster
                self.path.replace(self.before)
