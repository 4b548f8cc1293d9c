# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of the server's log."""

from __future__ import annotations

import os
import stat
from pathlib import Path

BYTES = 65536
LINES = 100
LENGTH = 400
"""Characters of a line, at most."""


def last_lines(file: Path | None) -> list[str] | None:
    """The newest line first; None when the log goes to no file that can be read."""
    if file is None:
        return None
    try:
        end = _end(file)
    except OSError:
        return None
    if end is None:
        return None
    lines = [line[:LENGTH] for line in end.decode("utf-8", "replace").split("\n") if line]
    return lines[-LINES:][::-1]


def _end(file: Path) -> bytes | None:
    """The last BYTES, from the start of a line on; None for what is no ordinary file, such as /dev/null or a pipe."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for who writes
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        begin = max(0, status.st_size - BYTES)
        stream.seek(begin)
        end = stream.read(BYTES)
    return end if begin == 0 else end.partition(b"\n")[2]
