# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`serve --daemon`, `status` and `stop`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from .conftest import COMMAND, LISTENING

Command = Callable[..., tuple[int, dict[str, Any]]]


def test_start_look_stop(make_state: Callable[..., Path], command: Command) -> None:
    state = make_state(workers=1)
    status, started = command(state, "serve", "--daemon", "--bind", "127.0.0.1:0")
    assert (status, started["changed"]) == (0, True)
    try:
        assert requests.get(f"{started['url']}?operation=GetCACaps", timeout=10).status_code == 200
        assert os.getsid(started["pid"]) == started["pid"], "the server has a session of its own"
        open_files = [str(file.readlink()) for file in Path(f"/proc/{started['pid']}/fd").iterdir()]
        assert str(state / "scep-server.log") in open_files, "whoever started it need not stay to read its output"
        assert command(state, "status") == (0, {"running": True, "pid": started["pid"]})
        assert command(state, "serve", "--daemon") == (0, {"changed": False, "pid": started["pid"]})
        status, result = command(state, "serve", "--bind", "127.0.0.1:0")
        assert status == 1 and "is running already" in result["error"]
        assert command(state, "otp", "create")[0] == 0, "commands work beside the server"
    finally:
        stopped = command(state, "stop")
    assert stopped == (0, {"changed": True})
    assert command(state, "status")[0] == 3
    assert not (state / "scep-server.pid").exists()
    assert (state / "scep-server.log").stat().st_mode & 0o777 == 0o600


def test_in_the_foreground_it_is_one_object_too(make_state: Callable[..., Path]) -> None:
    command = [*COMMAND, "--state", str(make_state(workers=1)), "serve", "--bind", "127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        patience = threading.Timer(60, process.kill)
        patience.start()
        assert any(LISTENING.search(line) for line in process.stderr)
        process.terminate()
        assert (json.loads(process.stdout.read()), process.wait(60)) == ({"changed": True}, 0)
        patience.cancel()


def test_after_the_master_was_killed(make_state: Callable[..., Path], command: Command) -> None:
    state = make_state(workers=1)
    _unused, first = command(state, "serve", "--daemon", "--bind", "127.0.0.1:0")
    os.kill(first["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while command(state, "status")[0] == 0:  # the worker sees it within a second, and ends
        assert time.monotonic() < deadline
    assert (state / "scep-server.pid").exists(), "stale"
    status, second = command(state, "serve", "--daemon", "--bind", "127.0.0.1:0")
    assert (status, second["changed"]) == (0, True)
    assert command(state, "stop") == (0, {"changed": True})


def test_what_keeps_it_from_starting(make_state: Callable[..., Path], command: Command) -> None:
    state = make_state()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for words in (("serve",), ("serve", "--daemon")):
            status, result = command(state, *words, "--bind", address)
            assert (status, result["error"]) == (
                1,
                f"The server cannot listen on {address}: Address already in use.",
            )
    status, result = command(state, "serve", "--daemon", "--bind", "192.0.2.1:8080")
    assert status == 1 and "cannot listen on 192.0.2.1:8080" in result["error"]
    assert not (state / "scep-server.pid").exists()
