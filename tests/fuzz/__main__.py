# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: each target in a process of its own for its share of the time; what it finds is left in build/fuzz."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
MAX_BYTES = 32 * 1024
"""Of one input: the limit on elements is reached at 12,000."""
MAX_MEBIBYTES = 512
MAX_SECONDS = 20
"""For one input: a hang, not a slow machine."""
GRACE_SECONDS = 120
"""Beyond its share: imports, keys, the corpus of earlier runs."""


def fuzz(name: str, seconds: int) -> bool:
    """Whether the target got through its time; the log is build/fuzz/NAME.log."""
    prefix = FOLDER / f"{name}-"
    options = {
        "max_total_time": seconds,
        "max_len": MAX_BYTES,
        "rss_limit_mb": MAX_MEBIBYTES,
        "timeout": MAX_SECONDS,
        "mutate_depth": 2,
        "artifact_prefix": prefix,
        "print_final_stats": 1,
    }
    before = set(FOLDER.glob(f"{name}-*"))
    log = FOLDER / f"{name}.log"
    command = [sys.executable, "-m", "fuzz.one", name, *(f"-{word}={value}" for word, value in options.items())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with log.open("wb") as output:
        try:
            code = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=seconds + MAX_SECONDS + GRACE_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    printed = log.read_text(encoding="utf-8", errors="replace")
    counted = re.search(r"stat::number_of_executed_units: *(\d+)", printed)
    inputs = int(counted[1]) if counted else 0
    good = code == 0 and inputs > 0
    print(f"{name:16} {inputs:>9} inputs  {'good' if good else 'FAILED'}", flush=True)
    if not good:
        print("\n".join(f"    | {line}" for line in printed.splitlines()[-40:]))
        for path in sorted(set(FOLDER.glob(f"{name}-*")) - before):
            again = f"PYTHONPATH=tests {_short(sys.executable)} -m fuzz.one {name} {_short(path)}"
            print(f"    the input: {_short(path)}; once more:\n    {again}")
    return good


def _short(path: Path | str) -> str:
    return os.path.relpath(path, ROOT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the message reader.")
    parser.add_argument("seconds", type=int, help="for all targets together")
    parser.add_argument("target", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all by default")
    arguments = parser.parse_args()
    names = arguments.target or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    share = max(1, arguments.seconds // len(names))
    results = [fuzz(name, share) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
