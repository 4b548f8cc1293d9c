# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reader of the guides."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import SERVER_FILES, command

BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The empty folder in which all is typed; whatever happens, its servers are stopped."""
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    for settings in folder.glob("*/settings.json"):
        command(settings.parent, "stop")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a reader who has installed everything."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    server = binaries / "scep-server"
    python = f"PYTHONPATH={shlex.quote(str(SERVER_FILES))} exec {shlex.quote(sys.executable)}"
    server.write_text(f'#!/bin/sh\n{python} -m scep_server "$@"\n')
    server.chmod(0o755)
    return {
        "PATH": f"{binaries}:{BIN}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "true",
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
    }
