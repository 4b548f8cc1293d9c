# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd service, as far as it can be judged where systemd is not the first process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import COMMAND

TEMPLATE = Path(__file__).resolve().parents[3] / "roles" / "scep_server" / "templates" / "scep-server.service.j2"
EXPOSURE = 3.0
"""The worst mark of `systemd-analyze security` that the unit may get; 10 is no protection at all."""


@pytest.mark.parametrize("port", [80, 8080])
def test_systemd_understands_the_unit(need_command: Callable[[str, str], Path], tmp_path: Path, port: int) -> None:
    analyze = need_command("systemd-analyze", "systemd")
    unit = tmp_path / "scep-server.service"
    variables = {
        "__scep_server_user": "daemon",
        "__scep_server_command": "/bin/true",
        "scep_server_state_folder": "/var/lib/scep-server/state",
        "scep_server_home": "/var/lib/scep-server",
        "__scep_server_settings": {"bind": f"127.0.0.1:{port}"},
    }
    ansible = Path(sys.executable).with_name("ansible")
    render = [ansible, "localhost", "-c", "local", "-m", "ansible.builtin.template"]
    interpreter = ["-e", f"ansible_python_interpreter={sys.executable}", "-e", json.dumps(variables)]
    quiet = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0"}
    subprocess.run([*render, "-a", f"src={TEMPLATE} dest={unit}", *interpreter], check=True, env=quiet, cwd=tmp_path)
    judged = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stderr) == (0, "")
    security = [analyze, "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", unit]
    marked = subprocess.run(security, capture_output=True, text=True, check=False)
    assert marked.returncode == 0, marked.stdout


def test_the_server_tells_systemd_when_it_is_ready(tmp_path: Path) -> None:
    state, address = tmp_path / "state", tmp_path / "notify"
    subprocess.run([*COMMAND, "--state", state, "init"], check=True, stdout=subprocess.DEVNULL)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(address))
        notices.settimeout(30)
        variables = {**os.environ, "NOTIFY_SOCKET": str(address)}
        serve = [*COMMAND, "--state", state, "serve", "--bind", "127.0.0.1:0"]
        with subprocess.Popen(serve, env=variables, stderr=subprocess.DEVNULL) as process:
            try:
                assert b"READY=1" in notices.recv(4096)
            finally:
                process.send_signal(signal.SIGTERM)
        assert process.returncode == 0
