# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of `scep-server`, by subject. Each is a row: its words, what it does, its own options."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..server import Server, open_server

Arguments = argparse.Namespace


@dataclass(frozen=True)
class Outcome:
    """What a command did: for --json, and as lines for people; `errors` are sentences about what it could not do."""

    result: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    status: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Command:
    """A row; `options` are names and keywords of argparse's add_argument. The docstring of `run` is the help.

    `exclusive`: at most one of the options may be given.
    """

    words: tuple[str, ...]
    run: Callable[[Path, Arguments], Outcome]
    options: tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...] = ()
    exclusive: bool = False


def option(*names: str, **details: Any) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """An option or argument of a command."""
    return names, details


@contextlib.contextmanager
def opened(state: Path) -> Iterator[Server]:
    """The server's parts, without serving."""
    server = open_server(state)
    try:
        yield server
    finally:
        server.store.close()


def positive(text: str) -> int:
    """For argparse: a whole number from 1 that a database can hold."""
    value = int(text)
    if not 1 <= value < 1 << 63:
        raise ValueError
    return value


def words(text: str) -> str:
    """For argparse: a text that a database can hold, which bytes that are no UTF-8 are not."""
    text.encode("utf-8")  # UnicodeEncodeError is a ValueError
    return text


def folder(text: str) -> Path:
    """For argparse: a folder; an unset variable of a shell is not the working folder."""
    if not text:
        raise ValueError
    return Path(text).absolute()


def moment(seconds: int | None) -> str | None:
    """Seconds since the epoch in ISO 8601, UTC."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def columns(rows: list[tuple[str, ...]], *, widest: int = 1000) -> list[str]:
    """Rows as lines with aligned columns; the last one is as long as it likes. A longer cell than `widest` moves its
    own row alone."""
    widths = [min(max(map(len, column), default=0), widest) for column in zip(*rows, strict=True)][:-1]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
