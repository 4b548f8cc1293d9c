# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that every enrolment runs, compiled once for each kind of database.

To execute a statement SQLAlchemy takes several times as long as SQLite does: these go to the driver's own connection.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

# Both drivers are given parameters by their names; SQLite's is not by default.
_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named")}


class Prepared:
    """One statement, whose values are of types that drivers take and give as they are: text, whole numbers, octets."""

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}  # by dialect; made twice by two threads, it is equal

    def run(self, connection: sa.Connection, values: dict[str, Any]) -> Any:
        """Run it within the connection's transaction, if there is one: the driver's cursor.

        Raises what SQLAlchemy raises.
        """
        dialect = connection.dialect
        text, constants = self._compiled.get(dialect.name) or self._compile(dialect)
        driver: Any = connection.connection.dbapi_connection
        try:
            cursor = driver.cursor()
            cursor.execute(text, {**constants, **values})
            return cursor
        except dialect.loaded_dbapi.Error as error:
            raise sa.exc.DBAPIError.instance(
                text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
            ) from error

    def _compile(self, dialect: sa.Dialect) -> tuple[str, dict[str, Any]]:
        compiled = self._statement.compile(dialect=_DIALECTS.get(dialect.name, dialect))
        constants = {name: value for name, value in (compiled.params or {}).items() if value is not None}
        found = self._compiled[dialect.name] = str(compiled), constants
        return found
