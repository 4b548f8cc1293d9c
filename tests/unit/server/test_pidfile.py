# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pid files: held, stale, and fought over."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scep_server import pidfile
from scep_server.errors import ServerError
from scep_server.pidfile import PidFile


def test_held_and_released(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    held = PidFile(path)
    held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    assert pidfile.running(path) == os.getpid()
    with pytest.raises(ServerError, match=f"running already \\(pid {os.getpid()}"):
        PidFile(path).acquire()
    held.release()
    assert pidfile.running(path) is None and not path.exists()


@pytest.mark.parametrize("content", ["1\n", "", "nonsense"])
def test_stale_files_are_taken_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pid"
    path.write_text(content)
    assert pidfile.running(path) is None
    held = PidFile(path)
    held.acquire()
    assert pidfile.running(path) == os.getpid()
    held.release()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    program = (
        f"import sys, time; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\nfrom scep_server.pidfile import PidFile\n"
        f"held = PidFile(Path({str(path)!r})); held.acquire(); print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert pidfile.running(path) == process.pid
        process.kill()
        process.wait()
    assert path.exists() and pidfile.running(path) is None


def test_unwritable(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be written"):
        PidFile(tmp_path / "missing" / "pid").acquire()


def test_whoever_looks_keeps_no_server_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    done = threading.Timer(0.05, os.close, (looking,))
    done.start()
    held = PidFile(path)
    held.acquire()
    done.join()
    assert pidfile.running(path) == os.getpid()
    held.release()


def test_a_stale_file_is_removed_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    pidfile.remove_stale(path)
    held = PidFile(path)
    held.acquire()
    pidfile.remove_stale(path)
    assert path.exists(), "a server that starts between the look and the removal keeps its file"
    held.release()
    path.write_text("1\n")
    pidfile.remove_stale(path)
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_not_taken_for_a_server_that_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.symlink_to(path)
    with pytest.raises(ServerError, match="cannot be read"):
        pidfile.running(path)
