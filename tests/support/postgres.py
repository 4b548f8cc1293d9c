# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL for the time of the tests, with a fresh database for whoever asks.

It listens on a socket in a folder that nobody else may enter, and nowhere else: no port, no password. What was
committed is on the disk, as in production.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

BINARIES = "usr/lib/postgresql/*/bin"
"""Where Debian has initdb and postgres, which are not on PATH: a pattern under /."""
OWNER = "postgres"
"""Who runs it, and who owns the databases. Debian's package makes this user; root itself is refused."""
PATIENCE = 60


class Cluster:
    """A running PostgreSQL. Made by `cluster`."""

    def __init__(self, binaries: Path, folder: Path, user: dict[str, Any]) -> None:
        self._binaries, self._folder, self._user = binaries, folder, user
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()

    def initialise(self) -> None:
        """Make the cluster's files."""
        words = ("--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", *words, f"--pgdata={self._data}")

    def start(self) -> None:
        """Start and wait until it answers."""
        words = ["-D", self._data, "-k", self._folder, "-c", "listen_addresses=", "-c", "fsync=on"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError as error:
                assert self._process.poll() is None and time.monotonic() < deadline, f"{error}\n{self.log()}"
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it. SIGINT ends all connections and writes what is open; SIGQUIT leaves that to the next start."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def log(self) -> str:
        """What it printed."""
        return self._log.read_text(errors="replace")

    def url(self, database: str) -> str:
        """In the form of the server's setting `database`."""
        return f"postgresql+psycopg://{OWNER}@/{database}?host={self._folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped afterwards together with its connections."""
        name = f"test{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(host=str(self._folder), user=OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, name: str, *words: str) -> None:
        done = subprocess.run(
            [self._binaries / name, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            timeout=PATIENCE,
            **self._user,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def cluster(binaries: Path) -> Iterator[Cluster]:
    """A cluster of its own, gone afterwards. `binaries` is the folder of initdb and postgres."""
    user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="netcert-pg-"))  # short: the name of a socket has 107 bytes at most
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        made = Cluster(binaries, folder, user)
        made.initialise()
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)
