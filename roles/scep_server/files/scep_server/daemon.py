# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server in the background where no service manager is there: starting, stopping, looking."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from . import pidfile, serve
from .errors import ServerError
from .settings import Settings

START_SECONDS = 60
_STEP = 0.05


def start(state: Path, settings: Settings, pid_file: Path, log_file: Path) -> tuple[int, str]:
    """Start the server in a session of its own and wait until it answers: (pid, URL).

    Raises ServerError with what the log says when it does not come up.
    """
    if (pid := pidfile.running(pid_file)) is not None:
        raise ServerError(f"A server is running already (pid {pid}, {pid_file}).")
    serve.check_to_start(state, settings)
    log_from = log_file.stat().st_size if log_file.exists() else 0
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _become_server(state, settings, pid_file, log_file, writing)
    os.close(writing)
    answer = _read_line(reading)
    os.close(reading)
    if not answer:
        _reap(pid)
        raise ServerError(f"The server did not start: {_last_line(log_file, log_from)}")
    return pid, str(json.loads(answer)["url"])


def stop(pid_file: Path, seconds: float) -> bool:
    """End the server that holds the pid file; False when none does. Whoever is not gone after `seconds` is killed."""
    if (pid := pidfile.running(pid_file)) is None:
        pidfile.remove_stale(pid_file)
        return False
    _signal(pid, signal.SIGTERM)
    if not _wait(pid_file, seconds):
        _signal_group(pid, signal.SIGKILL)
        if not _wait(pid_file, 10):
            raise ServerError(f"The server (pid {pid}) does not end.")
    pidfile.remove_stale(pid_file)
    return True


def _become_server(state: Path, settings: Settings, pid_file: Path, log_file: Path, ready: int) -> None:
    """In the child: let go of the caller's terminal, files and session, and serve. Does not return."""
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.set_inheritable(ready, False)
        os.closerange(3, ready)
        os.closerange(ready + 1, 65536)
        serve.run(state, settings, pid_file, ready, log_file)
        status = 0
    except ServerError as error:
        print(f"scep-server: {error}", file=sys.stderr)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        print(f"scep-server: {type(error).__name__}: {error}", file=sys.stderr)
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _read_line(handle: int) -> bytes:
    """One line of the pipe; empty when the server ended or START_SECONDS are over."""
    os.set_blocking(handle, False)
    deadline, line = time.monotonic() + START_SECONDS, b""
    while time.monotonic() < deadline:
        try:
            part = os.read(handle, 4096)
        except BlockingIOError:
            time.sleep(_STEP)
            continue
        line += part
        if not part or b"\n" in line:
            break
    first, newline, _rest = line.partition(b"\n")  # each process writes one
    return first if newline else b""


def _last_line(log_file: Path, start: int) -> str:
    try:
        lines = log_file.read_bytes()[start:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"see {log_file}."


def _wait(pid_file: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if pidfile.running(pid_file) is None:
            return True
        time.sleep(_STEP)
    return False


def _reap(pid: int) -> None:
    _signal_group(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # the master is gone, its workers follow
    except PermissionError:
        raise ServerError(f"The server (pid {pid}) belongs to another user.") from None


def _signal_group(pid: int, number: int) -> None:
    """A server started here leads a process group of its own, which holds its workers too."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        _signal(pid, number)
