# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pid file that cannot lie: whoever runs holds a lock on it, which ends with the process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from .errors import ServerError

_ATTEMPTS, _STEP = 10, 0.02


class PidFile:
    """A file with a process id, locked while the process (or a child of it) lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Write this process's id. Raises ServerError when another process holds the file."""
        while True:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise ServerError(f"The pid file {self._path} cannot be written: {error.strerror}.") from None
            if not _lock(handle):
                os.close(handle)
                raise ServerError(f"A server is running already (pid {_read(self._path)}, {self._path}).")
            if _is_same_file(handle, self._path):
                break
            os.close(handle)  # removed by a server that was just ending: take the new one
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Remove the file and give up the lock."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def running(path: Path) -> int | None:
    """The id of the process that holds the file, or None: a file that nobody holds is stale, whatever it says.

    Raises ServerError when the file cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServerError(f"The pid file {path} cannot be read: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(path)
    finally:
        os.close(handle)
    return None


def remove_stale(path: Path) -> None:
    """Remove a file that nobody holds, and not that of a server which starts at this moment."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_same_file(handle, path):
            path.unlink()
    except BlockingIOError:
        return
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whoever only looks holds the lock for a moment as well, so one refusal says nothing."""
    for _attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_STEP)
    return False


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
