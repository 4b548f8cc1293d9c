# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook without its second of imports: a process that has made them forks for each run.

`python -m support.player` reads the words of a command line as JSON, one run a line, and prints the process id of the
run. When the last process of the run is gone, it prints the exit code; that of a run that was killed is negative.

A run leaves its sessions and process groups to several processes, and whoever outlives his parent comes to this one. So
all that belongs to the run stands below this process in the tree, whatever was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

PATIENCE = 120
_PR_SET_CHILD_SUBREAPER = 36


def children(pid: int) -> list[int]:
    """Process ids of the children of all threads; empty for a process that is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def below(pid: int) -> Iterator[int]:
    """Process ids of all descendants."""
    for child in children(pid):
        yield child
        yield from below(child)


class Player:
    """The process, as a test sees it: one run at a time."""

    def __init__(self, folder: Path, log: Path, environment: dict[str, str]) -> None:
        """Start it, in a folder and with an environment for all runs; the log gets what they print."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.player"],
                cwd=folder,
                env={**environment, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
            )

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_all()
        self._process.kill()
        self._process.communicate()

    def start(self, *words: str) -> int:
        """Run ansible-playbook with these words; the process id of the run."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        return self._answer()

    def wait(self) -> int:
        """Wait until nothing of the run is left; its exit code."""
        return self._answer()

    def running(self) -> dict[int, bytes]:
        """The processes of the run, with their command lines."""
        found = {}
        for pid in below(self._process.pid):
            with contextlib.suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
        return found

    def kill_all(self) -> None:
        """Kill all processes of the run at once: each is stopped before its children are looked for."""
        while children(self._process.pid):
            stopped: list[int] = []
            for child in children(self._process.pid):
                stopped += _stopped(child)
            for pid in stopped:
                _send(pid, signal.SIGKILL)

    def _answer(self) -> int:
        output = self._process.stdout
        assert output is not None
        assert select.select([output], [], [], PATIENCE)[0], f"no end after {PATIENCE} s; see {self._log}"
        return int(output.readline())


def _stopped(pid: int) -> list[int]:
    _send(pid, signal.SIGSTOP)
    return [pid, *(other for child in children(pid) for other in _stopped(child))]


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _play(words: list[str]) -> None:
    """One run, in a process of its own. It never returns."""
    from ansible.cli import playbook

    os.setsid()
    os.dup2(2, 1)
    try:
        playbook.main(["ansible-playbook", *words])
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


def _reap(run: int) -> int:
    """Wait for all children; the exit code of the run."""
    code = 0
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == run:
                code = os.waitstatus_to_exitcode(status)
    return code


def _warm_up() -> None:
    """Load what a run needs: modules, and the documentation of plugins, which is where their options stand."""
    from ansible.cli import playbook  # noqa: F401
    from ansible.executor import playbook_executor  # noqa: F401
    from ansible.plugins import loader
    from ansible.plugins.strategy import linear  # noqa: F401

    loader.init_plugin_loader()
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")  # by a run, once more
    for kind in ("become", "cache", "callback", "connection", "inventory", "shell", "vars"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    loader.action_loader.get("netcert.ndes.scep_certificate", class_only=True)


def main() -> None:
    """Serve the runs."""
    _warm_up()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        run = os.fork()
        if run == 0:
            _play(json.loads(line))
        _tell(run)
        _tell(_reap(run))


if __name__ == "__main__":
    main()
