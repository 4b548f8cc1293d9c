# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One-time passwords, and the secret that is good many times, encrypted by whoever keeps it here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..errors import TooManyPasswords
from .database import OTP_LOCK, Database
from .prepared import Prepared
from .schema import meta, otp

_unused = otp.c.used.is_(None)
_FIND = Prepared(sa.select(otp.c.id, otp.c.expires, otp.c.used).where(otp.c.mac == sa.bindparam("mac")))
_USE = Prepared(
    sa.update(otp)
    .where(otp.c.id == sa.bindparam("otp_id"), _unused, otp.c.expires > sa.bindparam("now"))
    .values(used=sa.bindparam("now"))
)
_COUNT = sa.select(sa.func.count()).select_from(otp).where(_unused, otp.c.expires > sa.bindparam("now"))
_DROP = sa.delete(otp).where(otp.c.expires < sa.bindparam("before"))
_FORGET = sa.delete(otp).where(_unused)
_ADD = sa.insert(otp)
_LIST = sa.select(otp.c.id, otp.c.created, otp.c.expires, otp.c.used).order_by(otp.c.id)
# Whoever counts passwords before adding some holds this row until the commit, so that two cannot count at once.
_LOCK = sa.update(meta).where(meta.c.name == OTP_LOCK).values(value=meta.c.value)

_KEPT = "challenge "  # the name of a row of meta begins with it
_FIND_KEPT = sa.select(meta.c.value).where(meta.c.name == sa.bindparam("kept"))
_CHANGE_KEPT = sa.update(meta).where(meta.c.name == sa.bindparam("kept")).values(value=sa.bindparam("sealed"))


@dataclass(frozen=True, slots=True)
class Challenge:
    """A stored one-time password, without the password."""

    id: int
    expires: int
    used: int | None


def use(connection: sa.Connection, challenge_id: int, now: int) -> bool:
    """Use a password up, within somebody's transaction; False when it is used or expired."""
    return bool(_USE.run(connection, {"otp_id": challenge_id, "now": now}).rowcount == 1)


class Challenges:
    """The passwords of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, macs: Sequence[bytes], *, now: int, expires: int, limit: int, keep: int) -> None:
        """Add unused passwords, all or none; those that expired before `keep` are forgotten.

        Raises TooManyPasswords when more than `limit` would be unused.
        """
        with self._database.writing() as connection:
            connection.execute(_LOCK)
            connection.execute(_DROP, {"before": keep})
            unused = connection.execute(_COUNT, {"now": now}).scalar_one()
            if unused + len(macs) > limit:
                raise TooManyPasswords(
                    f"{unused} one-time passwords are unused and {len(macs)} more would exceed the limit of {limit}: "
                    "use some up, wait until they expire, or raise the setting otp_outstanding."
                )
            connection.execute(_ADD, [{"mac": mac, "created": now, "expires": expires} for mac in macs])

    def find(self, mac: bytes) -> Challenge | None:
        """The password with this HMAC, used or not."""
        with self._database.reading() as connection:
            row = _FIND.run(connection, {"mac": mac}).fetchone()
        return None if row is None else Challenge(*row)

    def forget_unused(self) -> int:
        """Delete the passwords that nobody has used; how many there were."""
        with self._database.writing() as connection:
            return int(connection.execute(_FORGET).rowcount)

    def outstanding(self, now: int) -> int:
        """How many passwords are neither used nor expired."""
        with self._database.reading() as connection:
            return int(connection.execute(_COUNT, {"now": now}).scalar_one())

    def all(self) -> list[dict[str, Any]]:
        """id, created, expires and used of every password that is remembered, oldest first."""
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(_LIST)]

    def unused(self, now: int, limit: int) -> list[dict[str, Any]]:
        """The same of those that are neither used nor expired: the `limit` that expire first."""
        select = _LIST.order_by(None).where(_unused, otp.c.expires > now).order_by(otp.c.expires, otp.c.id).limit(limit)
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select)]

    def kept(self, kind: str) -> str | None:
        """The encrypted secret of this kind, if there is one."""
        with self._database.reading() as connection:
            found: str | None = connection.execute(_FIND_KEPT, {"kept": _KEPT + kind}).scalar()
        return found

    def keep(self, kind: str, sealed: str, *, replace: bool) -> bool:
        """Store an encrypted secret; False when there is one already that is not to be replaced."""
        if replace and self._change(kind, sealed):
            return True
        try:
            with self._database.writing() as connection:
                connection.execute(sa.insert(meta), {"name": _KEPT + kind, "value": sealed})
        except IntegrityError:  # somebody else was faster; from then on there is one
            return replace and self._change(kind, sealed)
        return True

    def _change(self, kind: str, sealed: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(_CHANGE_KEPT, {"kept": _KEPT + kind, "sealed": sealed}).rowcount == 1
