# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import pki, settings
from ..errors import ServerError
from ..ndes.logs import FILES, Logs, by_settings
from . import Arguments, Command, Outcome, columns, option

_WORDS = {"on": True, "off": False, "default": None}
_ABOUT = {"events": "events, with the ids of NDES", "mscep": "what becomes of each request, line by line"}


def _logs(state: Path) -> Logs:
    pki.read_index(state)  # raises StateError for a folder that is not initialised
    return Logs(state, settings.load(state))


def _set(state: Path, arguments: Arguments) -> Outcome:
    """Switch logs on or off, or leave them to the settings again. Counts also while the server runs."""
    given = {name: getattr(arguments, name) for name in FILES}
    wanted = {name: _WORDS[word] for name, word in given.items() if word is not None}
    if not wanted:
        raise ServerError(f"Nothing is to be switched: give {' or '.join(f'--{name}' for name in FILES)}.")
    changed = _logs(state).switch(wanted)
    return Outcome({"changed": changed}, ["Switched." if changed else "Switched before."])


def _show(state: Path, _arguments: Arguments) -> Outcome:
    """List the logs: whether each is on, who said so, and where it is."""
    logs = _logs(state)
    rows = [_row(logs, name, on) for name, on in by_settings(logs.settings).items()]
    head = ("NAME", "ON", "BY", "OCTETS", "FILE")
    told = ("name", "on", "by", "octets", "file")
    lines = columns([head, *(tuple(_text(row[word]) for word in told) for row in rows)])
    return Outcome({"logs": rows}, lines)


def _row(logs: Logs, name: str, wanted: bool) -> dict[str, Any]:
    switched, file = logs.switched(), logs.file(name)
    return {
        "name": name,
        "on": switched.get(name, wanted),
        "by": "command" if name in switched else "setting",
        "octets": file.size,
        "file": str(file.path),
    }


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


COMMANDS = (
    Command(
        ("log", "set"),
        _set,
        tuple(option(f"--{name}", choices=tuple(_WORDS), help=about) for name, about in _ABOUT.items()),
    ),
    Command(("log", "show"), _show),
)
