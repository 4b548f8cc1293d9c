# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command scep-server, by a clock that is slow: what it certifies for a day is over in seconds.

Arguments: by how many seconds, the archive of the server, then those of the command.
"""

from __future__ import annotations

import datetime as dt
import sys
from types import SimpleNamespace


def main() -> int:
    """Slow down the one clock of the server, and run it."""
    slow = dt.timedelta(seconds=int(sys.argv.pop(1)))
    sys.path.insert(0, sys.argv.pop(1))
    from scep_server import cli, server

    clock = SimpleNamespace(now=lambda zone: dt.datetime.now(zone) - slow)
    server.dt = SimpleNamespace(datetime=clock, UTC=dt.UTC)
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
