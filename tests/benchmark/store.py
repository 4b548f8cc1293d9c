# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store with a history, written straight into the database."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from benchmark.servers import Running


def fill(server: Running, size: int) -> None:
    """Copy the newest certificate of the store `size` times, as if so many devices had enrolled."""
    folder = Path(f"/proc/{server.pid}/cwd").readlink()
    with sqlite3.connect(folder / "state" / "store.sqlite3") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(certificates)")]
        now = int(time.time())
        row = dict.fromkeys(columns)
        row.update(
            der=os.urandom(900),
            issuer="0123456789abcdef",
            subject="CN=history",
            not_before=now,
            not_after=now + 31536000,
            issued=now,
            generation=0,
        )
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO certificates ({', '.join(columns)}) VALUES ({marks})"
        rows = (
            {
                **row,
                "serial": f"{number:032x}",
                "transaction_id": f"history-{number}",
                "signer_key": os.urandom(32),
                "request_digest": os.urandom(32),
            }
            for number in range(size)
        )
        database.executemany(statement, ([entry[column] for column in columns] for entry in rows))
    database.close()
