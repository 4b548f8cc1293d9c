# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""requests, audit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .. import approval
from ..certificate import serial_text
from ..errors import ServerError
from ..server import Server
from ..store.answers import STATES
from . import Arguments, Command, Outcome, columns, moment, opened, option, positive, words

T = TypeVar("T")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("id", "state", "subject", "client", "transaction_id", "reason", "serial")}
    return told | {"created": moment(row["created"]), "decided": moment(row["decided"])}


def _list(state: Path, arguments: Arguments) -> Outcome:
    """List the requests that wait for approval, or those that were decided."""
    wanted = None if arguments.state_of_request == "all" else arguments.state_of_request
    with opened(state) as server:
        rows = [_row(row) for row in server.store.answers.requests(wanted)]
    head = ("ID", "STATE", "CREATED", "CLIENT", "SUBJECT")
    lines = columns(
        [head, *((str(row["id"]), row["state"], str(row["created"]), row["client"], row["subject"]) for row in rows)]
    )
    return Outcome({"requests": rows}, lines)


def _approve(state: Path, arguments: Arguments) -> Outcome:
    """Issue the certificates; their clients get them with the next CertPoll."""
    with opened(state) as server:
        done, errors = _each(arguments, lambda number: _issued(server, number))
    result = {"changed": bool(done), "approved": list(done), "serials": list(done.values())}
    return _partly(result, [f"Issued {serial}" for serial in done.values()], errors)


def _issued(server: Server, number: int) -> str:
    return serial_text(approval.approve(server, number).serial_number)


def _deny(state: Path, arguments: Arguments) -> Outcome:
    """Refuse the requests; their clients are told the reason."""
    with opened(state) as server:
        done, errors = _each(arguments, lambda number: approval.deny(server, number, arguments.reason))
    return _partly({"changed": bool(done), "denied": list(done)}, [f"Denied {number}" for number in done], errors)


def _each(arguments: Arguments, decide: Callable[[int], T]) -> tuple[dict[int, T], list[str]]:
    """(what came out for each request, what was wrong with the others): one wrong id keeps no other from its answer."""
    done: dict[int, T] = {}
    errors = []
    for number in dict.fromkeys(arguments.id):
        try:
            done[number] = decide(number)
        except ServerError as error:
            errors.append(str(error))
    return done, errors


def _partly(result: dict[str, Any], lines: list[str], errors: list[str]) -> Outcome:
    if errors:
        result |= {"error": " ".join(errors)}
    return Outcome(result, lines, int(bool(errors)), errors)


def _audit(state: Path, arguments: Arguments) -> Outcome:
    """Print what was asked of the server, by whom, and what became of it; the oldest first."""
    with opened(state) as server:
        rows = [row | {"time": moment(row["time"])} for row in server.store.audit.records(arguments.limit)]
    told = ("time", "client", "message_type", "transaction_id", "outcome", "subject", "reason")
    lines = columns([tuple(word.upper() for word in told), *(tuple(str(row[word]) for word in told) for row in rows)])
    return Outcome({"records": rows}, lines)


_IDS = option("id", type=positive, nargs="+", metavar="ID", help="as 'requests list' shows them")

COMMANDS = (
    Command(
        ("requests", "list"),
        _list,
        (
            option(
                "--state",
                dest="state_of_request",
                choices=(*STATES, "all"),
                default=STATES[0],
                help=f"default: {STATES[0]}",
            ),
        ),
    ),
    Command(("requests", "approve"), _approve, (_IDS,)),
    Command(
        ("requests", "deny"),
        _deny,
        (_IDS, option("--reason", type=words, default="", metavar="TEXT", help="what the client is told")),
    ),
    Command(
        ("audit",),
        _audit,
        (option("--limit", type=positive, default=100, metavar="N", help="only the newest N (default: 100)"),),
    ),
)
