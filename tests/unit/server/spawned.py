# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line in processes of its own: several at once, and whatever is around them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PATIENCE = 120


def spawned(state: Path, *words: str, **details: Any) -> subprocess.Popen[bytes]:
    """`scep-server --state STATE WORDS` as a child, its output in pipes; `details` as for Popen."""
    program = f"import sys; sys.path[:0] = {sys.path!r}; from scep_server.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--state", str(state), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **details)


def at_once(count: int, state: Path, *words: str) -> list[tuple[int, dict[str, Any]]]:
    """(exit code, result) of so many identical commands, started together."""
    processes = [spawned(state, *words, "--json") for _unused in range(count)]
    printed = [process.communicate(timeout=_PATIENCE) for process in processes]
    assert not [error for _out, error in printed if b"Traceback" in error], printed
    return [(process.returncode, json.loads(out)) for process, (out, _err) in zip(processes, printed, strict=True)]
