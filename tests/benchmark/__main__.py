# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measure, print a table, write build/bench.json."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "dev"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark.load import Devices
from benchmark.rows import PARTS, ROWS, Result
from toolchain.places import BUILD


def main(names: list[str]) -> int:
    """Run all parts, or those named on the command line."""
    python = f"{platform.python_version()} {Path(sys.executable).resolve()}"
    devices, found = Devices(), Result({"bench.python": python})
    print(f"measuring with Python {python}", file=sys.stderr, flush=True)
    for part in PARTS:
        if not names or part.__name__ in names:
            print(f"measuring: {part.__name__}", file=sys.stderr, flush=True)
            found.update(part(devices))
    nested: dict[str, dict[str, float | int | str]] = {}
    for row in ROWS:
        if row.name in found:
            group, _dot, figure = row.name.partition(".")
            nested.setdefault(group, {})[figure] = found[row.name]
            print(f"{row.name:20} {found[row.name]!s:>8}   {row.about}" + f" (aim {row.aim})" * bool(row.aim))
    target = BUILD / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(nested, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
