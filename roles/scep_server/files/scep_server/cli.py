# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `scep-server`.

Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 2 wrong command line; 3 `status`: not running.
With --json, stdout holds one JSON object: the result, or {"error": "..."}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .commands import ca, certificates, passwords, requests, running, setup
from .errors import ServerError

COMMANDS = tuple(
    command for module in (setup, running, passwords, requests, certificates, ca) for command in module.COMMANDS
)
_GROUPS = {
    "config": "the settings",
    "otp": "one-time passwords",
    "challenge": "the challenge password of the modes single and static",
    "requests": "requests that wait for approval",
    "certificates": "what was issued",
    "ca": "the CA",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scep-server",
        description="A SCEP server (RFC 8894) for reference and for tests. It is not a production CA.",
        epilog="Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 status: not running.",
    )
    parser.add_argument("--version", action="version", version=f"scep-server {__version__}")
    parser.add_argument("--state", required=True, type=Path, metavar="DIR", help="folder with keys, database, settings")
    top = parser.add_subparsers(required=True, metavar="COMMAND")
    groups = {
        name: top.add_parser(name, help=about).add_subparsers(required=True, metavar="COMMAND")
        for name, about in _GROUPS.items()
    }
    for command in COMMANDS:
        parent = groups[command.words[0]] if len(command.words) > 1 else top
        about = command.run.__doc__
        added = parent.add_parser(command.words[-1], help=about, description=about)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        for names, details in command.options:
            added.add_argument(*names, **details)
        added.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        outcome = parsed.run(parsed.state.absolute(), parsed)
    except (ServerError, OSError) as error:
        print(f"scep-server: {error}", file=sys.stderr)
        if parsed.json:
            print(json.dumps({"error": str(error)}))
        return 1
    if parsed.json:
        print(json.dumps(outcome.result))
    else:
        print("\n".join(outcome.lines))
    return int(outcome.status)
