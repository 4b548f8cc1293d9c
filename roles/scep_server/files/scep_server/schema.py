# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 1

metadata = sa.MetaData()

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Time = sa.BigInteger

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# A password itself is nowhere: `mac` is its HMAC-SHA-256 under the server's key.
otp = sa.Table(
    "otp",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("mac", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("created", _Time, nullable=False),
    sa.Column("expires", _Time, nullable=False),
    sa.Column("used", _Time),
    sqlite_autoincrement=True,
)
sa.Index("otp_expires", otp.c.expires)

# A certificate with the request that it answers. The unique constraint lets one of two simultaneous identical requests
# win; `generation` lets a client come back with the same request when the certificate has served its time.
certificates = sa.Table(
    "certificates",
    metadata,
    sa.Column("serial", sa.String(40), primary_key=True),
    sa.Column("der", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("not_before", _Time, nullable=False),
    sa.Column("not_after", _Time, nullable=False),
    sa.Column("issued", _Time, nullable=False),
    sa.Column("transaction_id", sa.String(255), nullable=False),
    sa.Column("signer_key", sa.LargeBinary(32), nullable=False),
    sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("challenge_id", _Id),
    sa.Column("revoked", _Time),
    sa.Column("reason", sa.String(32)),
    sa.UniqueConstraint("transaction_id", "signer_key", "request_digest", "generation", name="one_answer"),
)
sa.Index("certificates_revoked", certificates.c.revoked, sqlite_where=certificates.c.revoked.is_not(None))

crls = sa.Table(
    "crls",
    metadata,
    sa.Column("number", _Id, primary_key=True, autoincrement=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    sa.Column("this_update", _Time, nullable=False),
    sa.Column("next_update", _Time, nullable=False),
    sa.Column("revoked", sa.Integer, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("time", _Time, nullable=False),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("message_type", sa.String(16), nullable=False),
    sa.Column("transaction_id", sa.String(255), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("challenge_id", _Id),
    sa.Column("serial", sa.String(40)),
    sqlite_autoincrement=True,
)
for _change in ("UPDATE", "DELETE"):
    _trigger: Any = sa.DDL(  # type: ignore[no-untyped-call]
        f"CREATE TRIGGER IF NOT EXISTS audit_no_{_change.lower()} BEFORE {_change} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    )
    sa.event.listen(audit, "after_create", _trigger.execute_if(dialect="sqlite"))
