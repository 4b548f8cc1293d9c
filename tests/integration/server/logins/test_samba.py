# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from support import samba

from ..conftest import alive

_PROGRAM = """\
import sys, time
sys.path.insert(0, sys.argv[1])
from support.samba import domain
with domain() as started:
    print(started.folder, flush=True)
    time.sleep(600)
"""


def test_it_ends_with_its_tests_however_they_end(corp: samba.Domain) -> None:
    """`corp` for the packages alone: this is a domain of its own, whose process is killed."""
    words = [sys.executable, "-c", _PROGRAM, str(Path(samba.__file__).parents[1])]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        process.kill()
    try:
        pids = [int((folder / f"{name}.pid").read_text()) for name in ("samba", "winbindd")]
        end = time.monotonic() + samba.PATIENCE
        while any(map(alive, pids)):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        samba.remove(folder)
