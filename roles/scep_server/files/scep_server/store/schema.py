# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 3

metadata = sa.MetaData()

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Time = sa.BigInteger
_Serial = sa.String(40)
_TransactionId = sa.String(255)
_Digest = sa.LargeBinary(32)
_Issuer = sa.String(16)

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
    sa.Column("mac", _Digest, nullable=False, unique=True),
    sa.Column("created", _Time, nullable=False),
    sa.Column("expires", _Time, nullable=False),
    sa.Column("used", _Time),
    sqlite_autoincrement=True,
)
sa.Index("otp_expires", otp.c.expires)

# A certificate with the request that it answers. The unique constraint lets one of two simultaneous identical requests
# win; `generation` lets a client come back with the same request when the certificate has served its time. `issuer` is
# the id of the CA, `replaces` the serial number of the certificate that a renewal was signed with.
certificates = sa.Table(
    "certificates",
    metadata,
    sa.Column("serial", _Serial, primary_key=True),
    sa.Column("issuer", _Issuer, nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("not_before", _Time, nullable=False),
    sa.Column("not_after", _Time, nullable=False),
    sa.Column("issued", _Time, nullable=False),
    sa.Column("transaction_id", _TransactionId, nullable=False),
    sa.Column("signer_key", _Digest, nullable=False),
    sa.Column("request_digest", _Digest, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("challenge_id", _Id),
    sa.Column("replaces", _Serial),
    sa.Column("revoked", _Time),
    sa.Column("reason", sa.String(32)),
    sa.UniqueConstraint("transaction_id", "signer_key", "request_digest", "generation", name="one_answer"),
)
_revoked = certificates.c.revoked.is_not(None)
sa.Index("certificates_revoked", certificates.c.revoked, sqlite_where=_revoked, postgresql_where=_revoked)
sa.Index("certificates_issued", certificates.c.issued)

# A request that waits, or waited, for a person. `state` is pending, issued or denied.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("transaction_id", _TransactionId, nullable=False),
    sa.Column("signer_key", _Digest, nullable=False),
    sa.Column("request_digest", _Digest, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("csr", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("challenge_id", _Id),
    sa.Column("replaces", _Serial),
    sa.Column("created", _Time, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("decided", _Time),
    sa.Column("reason", sa.Text),
    sa.Column("serial", _Serial),
    sa.UniqueConstraint("transaction_id", "signer_key", "request_digest", "generation", name="one_request"),
    sqlite_autoincrement=True,
)
sa.Index("requests_state", requests.c.state)

crls = sa.Table(
    "crls",
    metadata,
    sa.Column("issuer", _Issuer, primary_key=True),
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
    sa.Column("transaction_id", _TransactionId, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("challenge_id", _Id),
    sa.Column("serial", _Serial),
    sqlite_autoincrement=True,
)

# How often the audit has each outcome of each message type; the database itself counts. In shards, so that two nodes
# seldom wait for the same row: lines that follow each other take turns.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("message_type", sa.String(16), primary_key=True),
    sa.Column("outcome", sa.String(16), primary_key=True),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)
SHARDS = 64  # a power of two


def _when_made(dialect: str, *statements: str) -> None:
    for statement in statements:
        ddl: Any = sa.DDL(statement)  # type: ignore[no-untyped-call]
        sa.event.listen(audit, "after_create", ddl.execute_if(dialect=dialect))


_COUNT = (
    "INSERT INTO counters (message_type, outcome, shard, value) "
    f"VALUES (NEW.message_type, NEW.outcome, NEW.id & {SHARDS - 1}, 1) "
    "ON CONFLICT (message_type, outcome, shard) DO UPDATE SET value = counters.value + 1;"
)

# The audit is append-only, and each line is counted, whoever writes.
_when_made(
    "sqlite",
    *(
        f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for change in ("UPDATE", "DELETE")
    ),
    f"CREATE TRIGGER audit_counted AFTER INSERT ON audit BEGIN {_COUNT} END",
)
_when_made(
    "postgresql",
    "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$body$ BEGIN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation'; "
    "END $body$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE OR REPLACE FUNCTION audit_is_counted() RETURNS trigger LANGUAGE plpgsql AS "
    f"$body$ BEGIN {_COUNT} RETURN NULL; END $body$",
    "CREATE TRIGGER audit_counted AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_counted()",
)
