# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks, run by the ansible-core of this environment against a server in this process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.awkward import Awkward

BIN = Path(sys.executable).parent
AS_MODULE = re.compile(r"Using module file \S+/modules/(?:scep|ndes)_")
"""What -vvv says of a task that is sent as a module."""
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
"""Variables of a host that is this machine."""


@dataclass(frozen=True)
class Played:
    """What a run of ansible-playbook came to: everything it printed, and the values it registered."""

    code: int
    output: str
    results: dict[str, Any]


class Playbooks:
    """Runs plays in a folder of its own, which is also where relative paths begin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir()

    def variables(self) -> dict[str, str]:
        """The process environment of a run."""
        return {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_INJECT_INVOCATION": "true",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible-local"),
            "ANSIBLE_CONNECTION_PLUGINS": str(self.folder / "connections"),
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    def play(
        self,
        tasks: list[dict[str, Any]],
        *options: str,
        inventory: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        umask: int = -1,
        **variables: Any,
    ) -> Played:
        """Play the tasks; what they register is in the result."""
        registered = sorted({task["register"] for task in tasks if "register" in task})
        pairs = ", ".join(f"'{name}': {name}" for name in registered)
        save = {
            "ansible.builtin.copy": {
                "content": f"{{{{ {{{pairs}}} | to_json }}}}",
                "dest": str(self.folder / "results.json"),
                "mode": "0600",
            },
            "check_mode": False,
            "diff": False,
            "no_log": True,
            "delegate_to": "localhost",
            "become": False,
            "connection": "local",
            "vars": HERE,
        }
        play = {"hosts": "all", "gather_facts": False, "tasks": [*tasks, *([save] if registered else [])]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        hosts = {"device": inventory or HERE}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        (self.folder / "vars.json").write_text(json.dumps(variables))
        (self.folder / "results.json").unlink(missing_ok=True)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        done = subprocess.run(
            [
                str(BIN / "ansible-playbook"),
                str(self.folder / "play.yml"),
                f"--inventory={self.folder / 'hosts.yml'}",
                f"--extra-vars=@{self.folder / 'vars.json'}",
                *options,
            ],
            cwd=elsewhere,
            env={**self.variables(), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            umask=umask,
        )
        results = self.folder / "results.json"
        return Played(
            done.returncode,
            done.stdout + done.stderr,
            json.loads(results.read_text()) if results.exists() else {},
        )


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    """A folder to play in."""
    return Playbooks(tmp_path)


@pytest.fixture
def server() -> Iterator[Awkward]:
    """A SCEP server that behaves until it is told otherwise."""
    server = Awkward()
    yield server
    server.close()


MODULE_WAY = {"NETCERT": "in a module"}
"""A task environment, because of which a task is sent as a module."""


@pytest.fixture
def task(server: Awkward) -> Callable[..., dict[str, Any]]:
    """A task of one of the modules, as a module if told so."""

    def make(action: str = "scep_certificate", *, module: bool = False, **more: Any) -> dict[str, Any]:
        keywords = {name: more.pop(name) for name in ("register", "vars", "connection", "become") if name in more}
        return {
            f"netcert.ndes.{action}": {"url": server.url, **more},
            "ignore_errors": True,
            **({"environment": MODULE_WAY} if module else {}),
            **keywords,
        }

    return make
