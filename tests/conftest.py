# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all tests. Also loaded by the lowest-versions leg: Python 3.9, no ansible-core."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):  # no ansible-core: a plain namespace package does
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.fixture(scope="session")
def need_command() -> Callable[[str, str], Path]:
    """A command of the system and the Debian package it is in: its path, or the test is skipped (fails under CI)."""

    def need(command: str, package: str) -> Path:
        path = shutil.which(command)
        if path is None:
            absent = f"the command {command} is not on PATH: install it with 'apt-get install {package}'"
            (pytest.fail if CI else pytest.skip)(absent)
        return Path(path)

    return need
