# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server remembers, in SQLAlchemy Core.

Times are whole seconds since the epoch. Every change is one short transaction; nothing is signed within one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from .answers import Answers
from .audit import Audit
from .certificates import Certificates
from .challenges import Challenges
from .database import Database, open_database


def epoch(moment: dt.datetime) -> int:
    """Seconds since the epoch of an aware time."""
    return int(moment.timestamp())


@dataclass(frozen=True)
class Store:
    """One database, by subject. Safe to use from many threads, processes and nodes at once."""

    database: Database
    answers: Answers
    audit: Audit
    certificates: Certificates
    challenges: Challenges

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()


def open_store(url: str, state: Path, threads: int = 1, *, check: bool = True) -> Store:
    """Connect to a database made by `database.create`. Raises StateError with a sentence.

    Without `check` the database need not answer yet, and its schema is taken to be the right one.
    """
    database = open_database(url, state, threads, check=check)
    return Store(database, Answers(database), Audit(database), Certificates(database), Challenges(database))
