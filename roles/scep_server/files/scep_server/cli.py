# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `scep-server`.

Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 2 wrong command line; 3 `status`: not running.
With --json, stdout holds one JSON object, whatever happens: the result, with "error" in it when something went wrong.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .commands import Outcome, ca, certificates, faults, folder, logs, passwords, requests, running, setup
from .errors import ServerError, one_line

COMMANDS = tuple(
    command
    for module in (setup, running, passwords, requests, certificates, ca, faults, logs)
    for command in module.COMMANDS
)
_GROUPS = {
    "config": "the settings",
    "otp": "one-time passwords",
    "challenge": "the challenge password of the modes single and static",
    "requests": "requests that wait for approval",
    "certificates": "what was issued",
    "ca": "the CA",
    "fault": "faults on demand",
    "log": "the logs that are like those of NDES",
}
FAILED, WRONG_COMMAND_LINE, INTERRUPTED = 1, 2, 130


class _WrongCommandLine(Exception):
    """With the usage of the command, and what is wrong."""

    def __init__(self, usage: str, text: str) -> None:
        super().__init__(text)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    def __init__(self, **details: Any) -> None:
        super().__init__(allow_abbrev=False, **details)

    def error(self, message: str) -> NoReturn:
        raise _WrongCommandLine(self.format_usage(), message)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = _Parser(
        prog="scep-server",
        description="A SCEP server (RFC 8894) for reference and for tests. It is not a production CA.",
        epilog="Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 status: not running.",
    )
    made.add_argument("--version", action="version", version=f"scep-server {__version__}")
    made.add_argument("--state", required=True, type=folder, metavar="DIR", help="folder with keys, database, settings")
    top = made.add_subparsers(required=True, metavar="COMMAND")
    groups = {
        name: top.add_parser(name, help=about).add_subparsers(required=True, metavar="COMMAND")
        for name, about in _GROUPS.items()
    }
    for command in COMMANDS:
        parent = groups[command.words[0]] if len(command.words) > 1 else top
        about = command.run.__doc__
        added = parent.add_parser(command.words[-1], help=about, description=about)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        target = added.add_mutually_exclusive_group() if command.exclusive else added
        for names, details in command.options:
            target.add_argument(*names, **details)
        added.set_defaults(run=command.run)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a subject may have letters that the terminal does not
            stream.reconfigure(errors="backslashreplace")
    try:
        outcome = _outcome(words)
        return _print(outcome, as_json="--json" in words)
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _outcome(words: Sequence[str]) -> Outcome:
    """What the command did, or why it did not."""
    try:
        parsed = parser().parse_args(words)
        outcome: Outcome = parsed.run(parsed.state, parsed)
        return outcome
    except _WrongCommandLine as error:
        print(error.usage, end="", file=sys.stderr)
        return _failure(str(error), WRONG_COMMAND_LINE)
    except ServerError as error:
        return _failure(str(error))
    except OSError as error:
        place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return _failure(f"{place}{error.strerror or error}.")
    except KeyboardInterrupt:
        return _failure("Interrupted.", INTERRUPTED)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}, line {where.lineno}"
        return _failure(f"This was not foreseen: {type(error).__name__} in {place}: {one_line(error)}.")


def _failure(text: str, status: int = FAILED) -> Outcome:
    return Outcome({"error": text}, status=status, errors=[text])


def _print(outcome: Outcome, *, as_json: bool) -> int:
    for text in outcome.errors:
        print(f"scep-server: {text}", file=sys.stderr)
    if as_json:
        print(json.dumps(outcome.result))
    elif outcome.lines:
        print("\n".join(outcome.lines))
    sys.stdout.flush()
    return outcome.status
