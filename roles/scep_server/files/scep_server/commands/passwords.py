# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""otp, challenge."""

from __future__ import annotations

from pathlib import Path

from .. import challenges
from ..errors import ServerError
from ..store import epoch
from . import Arguments, Command, Outcome, columns, moment, opened, option, positive


def _otp_create(state: Path, arguments: Arguments) -> Outcome:
    """Print new one-time passwords. They are stored as HMACs: this is the only time they can be seen."""
    with opened(state) as server:
        passwords, expires = challenges.create(server, arguments.count)
    return Outcome({"passwords": passwords, "expires": moment(expires)}, passwords)


def _otp_list(state: Path, _arguments: Arguments) -> Outcome:
    """List the one-time passwords that are remembered, without the passwords: unused, used or expired."""
    with opened(state) as server:
        rows, now = server.store.challenges.all(), epoch(server.clock())
    listed = [
        {
            "id": row["id"],
            "state": "used" if row["used"] is not None else "expired" if row["expires"] <= now else "unused",
            "created": moment(row["created"]),
            "expires": moment(row["expires"]),
            "used": moment(row["used"]),
        }
        for row in rows
    ]
    head = ("ID", "STATE", "CREATED", "EXPIRES")
    lines = columns([head, *((str(row["id"]), row["state"], row["created"], row["expires"]) for row in listed)])
    return Outcome({"passwords": listed}, lines)


def _challenge_show(state: Path, _arguments: Arguments) -> Outcome:
    """Print the challenge password of the modes single and static."""
    with opened(state) as server:
        password = challenges.reusable(server)
    return Outcome({"password": password}, [password])


def _challenge_set(state: Path, arguments: Arguments) -> Outcome:
    """Replace the challenge password: by a given one (mode static), or by a new one of the server's (mode single)."""
    given = None
    if arguments.file is not None:
        given = _read(arguments.file)
    with opened(state) as server:
        password, changed = challenges.set_reusable(server, given)
    return Outcome({"changed": changed, "password": password}, [password])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ServerError(f"{file} is not a text in UTF-8.") from None


COMMANDS = (
    Command(
        ("otp", "create"),
        _otp_create,
        (option("--count", type=positive, default=1, metavar="N", help="how many (default: 1)"),),
    ),
    Command(("otp", "list"), _otp_list),
    Command(("challenge", "show"), _challenge_show),
    Command(
        ("challenge", "set"),
        _challenge_set,
        (option("--file", type=Path, metavar="FILE", help="where the static password is; /dev/stdin will do"),),
    ),
)
