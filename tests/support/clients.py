# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of others, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .servers import PATIENCE

Done = subprocess.CompletedProcess[bytes]


def run(*words: object, folder: Path, **environment: str) -> Done:
    """Run a command to its end; `environment` is added to ours."""
    with started(*words, folder=folder, **environment) as process:
        out, err = process.communicate(timeout=PATIENCE * 2)
    return Done(process.args, process.returncode, out, err)


@contextmanager
def started(*words: object, folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs beside the test, and no longer than it."""
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
