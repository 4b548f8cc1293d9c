# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""fault."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .. import pki
from ..errors import ServerError
from ..faults.active import Active, FaultFile, Wanted
from ..faults.table import EVERYTHING, TABLE, fault_file, wanted
from ..server import utc_now
from . import Arguments, Command, Outcome, columns, moment, option, positive

_WORDS = tuple(Wanted.__dataclass_fields__)


def _file(state: Path) -> FaultFile:
    pki.read_index(state)  # raises StateError for a folder that is not initialised
    return fault_file(state, utc_now)


def _row(active: Active) -> dict[str, Any]:
    asked = active.wanted
    return {
        "name": active.name,
        "left": active.left,
        "until": moment(active.until),
        "delay": asked.delay,
        "only": asked.only,
        "about": TABLE[active.name].about,
    }


def _set(state: Path, arguments: Arguments) -> Outcome:
    """Let the server fail on purpose: so often, for so long, or until 'fault clear'. Counts also while it runs."""
    changed = _file(state).set(wanted({word: getattr(arguments, word) for word in _WORDS}))
    return Outcome({"changed": changed}, [f"Set: {arguments.name}." if changed else "Set before."])


def _clear(state: Path, arguments: Arguments) -> Outcome:
    """End the named faults, or all of them."""
    changed = _file(state).clear(arguments.name)
    return Outcome({"changed": changed}, ["Cleared." if changed else "There was nothing to clear."])


def _list(state: Path, _arguments: Arguments) -> Outcome:
    """List the faults that are set, with how often they will still strike and until when."""
    rows = [_row(one) for one in _file(state).listed()]
    head = ("NAME", "LEFT", "UNTIL", "ONLY", "ABOUT")
    told = ("name", "left", "until", "only", "about")
    lines = columns([head, *(tuple("" if row[word] is None else str(row[word]) for word in told) for row in rows)])
    return Outcome({"faults": rows}, lines)


def _apply(state: Path, arguments: Arguments) -> Outcome:
    """Let there be the faults of a list and no others. The same list again changes nothing, also when they are over."""
    try:
        rows = json.loads(arguments.list)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServerError('The faults are no list in JSON, as in [{"name": "http-503", "count": 3}].')
    faults = [wanted(row) for row in rows]
    if twice := sorted({one.name for one in faults if [other.name for other in faults].count(one.name) > 1}):
        raise ServerError(f"The list has the fault {', '.join(twice)} more than once.")
    changed = _file(state).apply(faults)
    return Outcome({"changed": changed}, ["Applied." if changed else "Applied before."])


def _name(text: str) -> str:
    if text not in TABLE:
        raise argparse.ArgumentTypeError(f"there is no fault {text!r}, only {', '.join(TABLE)}")
    return text


_ABOUT = "; ".join(f"{name}: {fault.about}" for name, fault in TABLE.items())

COMMANDS = (
    Command(
        ("fault", "set"),
        _set,
        (
            option("name", type=_name, metavar="NAME", help=_ABOUT),
            option("--count", type=positive, metavar="N", help="it strikes so often; default: until it is cleared"),
            option("--duration", type=positive, metavar="SECONDS", help="it is over then, whatever is left of N"),
            option("--delay", type=float, metavar="SECONDS", help="for slow: by how much an answer is late"),
            option("--only", choices=EVERYTHING, help="the one kind of request at which it strikes"),
        ),
    ),
    Command(
        ("fault", "clear"),
        _clear,
        (option("name", type=_name, nargs="*", metavar="NAME", help="default: all"),),
    ),
    Command(("fault", "list"), _list),
    Command(
        ("fault", "apply"),
        _apply,
        (option("list", metavar="LIST", help="JSON; each fault has a name, and the options of 'fault set'"),),
    ),
)
