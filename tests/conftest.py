# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all tests. Also loaded by the lowest-versions leg: Python 3.9, no ansible-core."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.postgres import Cluster

with contextlib.suppress(ImportError):  # no ansible-core: a plain namespace package does
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.fixture(scope="session")
def need_command() -> Callable[..., Path]:
    """A command of the system and the Debian package it is in: its path, or the test is skipped (fails under CI).

    A third argument is a pattern of folders under / to look in besides PATH.
    """

    def need(command: str, package: str, folders: str = "") -> Path:
        besides = sorted(map(str, Path("/").glob(folders))) if folders else []
        path = shutil.which(command, path=os.pathsep.join([os.environ["PATH"], *besides]))
        if path is None:
            absent = f"the command {command} is not on PATH: install it with 'apt-get install {package}'"
            (pytest.fail if CI else pytest.skip)(absent)
        return Path(path)

    return need


@pytest.fixture(scope="session")
def postgres(need_command: Callable[..., Path]) -> Iterator[Cluster]:
    """Debian's PostgreSQL, for all tests of the session: `postgres.database()` is a fresh database."""
    from support import postgres

    with postgres.cluster(need_command("initdb", "postgresql", postgres.BINARIES).resolve().parent) as cluster:
        yield cluster
