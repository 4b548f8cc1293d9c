"""One leg under way: it runs commands, keeps their output in a log and counts what passed."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from toolchain import interpreters
from toolchain.environments import Environment
from toolchain.places import BUILD, CACHE, LOGS, ROOT

LIMIT_SECONDS = 1500
GRACE_SECONDS = 10

# Settings of the caller's shell that would change what is tested.
_LEFT_OUT = ("ANSIBLE_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "MOLECULE_")


class Stopped(Exception):
    """A leg cannot go on: a step on which the rest stands has failed."""


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class _Processes:
    """Every process group that legs have started, so that an interrupt leaves nothing running."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, argv: list[str], cwd: Path, environ: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """A command in a process group of its own, which prints into the log.

        Raises:
            Stopped: The run has been interrupted.
            OSError: There is no such command.
        """
        with self._lock:
            if self._closed:
                raise Stopped("interrupted")
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Interrupt the process if it still runs, and end what it may have left behind in its group."""
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with self._lock:
            self._running.discard(process)

    def end_all(self) -> None:
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            self.end(process)


PROCESSES = _Processes()


@dataclass
class Job:
    """What a leg's function gets to work with."""

    name: str
    environment: Environment
    counts: Counts = field(default_factory=Counts)
    started: float = field(default_factory=time.monotonic)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def home(self) -> Path:
        """A home of its own: a collection or a setting in the user's home would shadow the checkout's."""
        return CACHE / "home" / self.name

    def note(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def variables(self, extra: dict[str, str], folders: list[str]) -> dict[str, str]:
        """The process environment: the leg's commands first on PATH, pyenv's shims gone, a scratch home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        user = Path.home()
        return {
            # pip and Go go on using the user's caches and configuration
            "PIP_CACHE_DIR": str(user / ".cache" / "pip"),
            "GOENV": str(user / ".config" / "go" / "env"),
            "GOCACHE": str(user / ".cache" / "go-build"),
            "GOMODCACHE": str(user / "go" / "pkg" / "mod"),
            **_pip_configuration(user),
            **kept,
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.environment.bin), *folders, *interpreters.plain_path()]),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            **extra,
        }

    def run(
        self,
        *argv: str | Path,
        cwd: Path = ROOT,
        variables: dict[str, str] | None = None,
        folders: list[str] | None = None,
    ) -> tuple[int, str]:
        """Run one command; its exit code and what it printed, which the log has too."""
        command = [str(word) for word in argv]
        self.home.mkdir(parents=True, exist_ok=True)
        self.note(f"$ {shlex.join(command)}")
        with self.log.open("ab") as log:
            begin = log.tell()
            try:
                process = PROCESSES.start(command, cwd, self.variables(variables or {}, folders or []), log)
            except FileNotFoundError as error:
                self.note(f"{error}")
                return 127, str(error)
            try:
                code = process.wait(LIMIT_SECONDS - (time.monotonic() - self.started))
            except subprocess.TimeoutExpired:
                code = 124
            finally:
                PROCESSES.end(process)
        printed = self.log.read_bytes()[begin:].decode(errors="replace")
        if code == 124:
            self.note(f"ended: the leg has run for more than {LIMIT_SECONDS} s")
        elif code:
            self.note(f"exit code {code}")
        return code, printed

    def check(
        self,
        *argv: str | Path,
        cwd: Path = ROOT,
        variables: dict[str, str] | None = None,
        folders: list[str] | None = None,
    ) -> bool:
        """Run a command that is one check of its own, and count it."""
        code, _printed = self.run(*argv, cwd=cwd, variables=variables, folders=folders)
        self.count(code == 0)
        return code == 0

    def need(self, *argv: str | Path, cwd: Path = ROOT, variables: dict[str, str] | None = None) -> str:
        """Run a command on which the rest of the leg stands; what it printed.

        Raises:
            Stopped: It failed.
        """
        code, printed = self.run(*argv, cwd=cwd, variables=variables)
        if code:
            raise Stopped(f"{argv[0]} failed")
        return printed

    def count(self, good: bool) -> None:
        self.counts.add(Counts(passed=1) if good else Counts(failed=1))

    def skip(self, reason: str) -> None:
        self.note(f"skipped: {reason}")
        self.counts.add(Counts(skipped=1))

    def pytest(self, *argv: str) -> None:
        """Run pytest and count its tests; no test at all is a failure."""
        report = BUILD / "junit" / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        code, _printed = self.run(
            "pytest", f"--junit-xml={report}", f"--override-ini=cache_dir={CACHE / 'pytest' / self.name}", *argv
        )
        if report.is_file():
            self.counts.add(junit_counts(report))
        if code and not self.counts.failed:
            self.count(False)


def _pip_configuration(user: Path) -> dict[str, str]:
    path = user / ".config" / "pip" / "pip.conf"
    return {"PIP_CONFIG_FILE": str(path)} if path.is_file() else {}


def junit_counts(report: Path) -> Counts:
    """What a JUnit file says."""
    counts = Counts()
    for suite in ET.parse(report).iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(name) or 0) for name in ("tests", "failures", "errors", "skipped")
        )
        counts.add(Counts(tests - failures - errors - skipped, failures + errors, skipped))
    return counts
