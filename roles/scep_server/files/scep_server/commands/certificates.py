# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificates."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..approval import REASONS, UNSPECIFIED, issued, revoke
from ..certificate import serial_text
from ..store import epoch
from ..store.certificates import STATES, state_of
from . import Arguments, Command, Outcome, columns, moment, opened, option, positive, words


def serial(text: str) -> str:
    """For argparse: a serial number in hexadecimal, colons allowed, as the database has it."""
    digits = text.replace(":", "")
    if not re.fullmatch("[0-9A-Fa-f]{1,40}", digits):  # 20 octets at most (RFC 5280 section 4.1.2.2)
        raise argparse.ArgumentTypeError(
            f"{text!r} is no serial number in hexadecimal, as 'certificates list' has them"
        )
    return serial_text(int(digits, 16))


def _row(row: dict[str, Any], now: int) -> dict[str, Any]:
    told = {name: row[name] for name in ("serial", "issuer", "subject", "transaction_id", "replaces", "reason")}
    times = {name: moment(row[name]) for name in ("not_before", "not_after", "issued", "revoked")}
    return told | times | {"state": state_of(row, now)}


def _list(state: Path, arguments: Arguments) -> Outcome:
    """List certificates, the newest first."""
    with opened(state) as server:
        now = epoch(server.clock())
        found = server.store.certificates.newest(
            state=arguments.state_of_certificate, subject=arguments.subject, now=now, limit=arguments.limit
        )
    rows = [_row(row, now) for row in found]
    head = ("SERIAL", "STATE", "NOT AFTER", "SUBJECT")
    lines = columns([head, *((row["serial"], row["state"], str(row["not_after"]), row["subject"]) for row in rows)])
    return Outcome({"certificates": rows}, lines)


def _show(state: Path, arguments: Arguments) -> Outcome:
    """Print a certificate and what is known of it."""
    with opened(state) as server:
        row, now = issued(server, arguments.serial), epoch(server.clock())
    certificate = x509.load_der_x509_certificate(row["der"])
    pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
    told = _row(row, now) | {"fingerprint_sha256": fingerprint(certificate)}
    lines = [f"{name:20} {value}" for name, value in told.items() if value is not None]
    return Outcome(told | {"pem": pem}, [*lines, pem.rstrip()])


def _revoke(state: Path, arguments: Arguments) -> Outcome:
    """Revoke a certificate: it is in the next CRL, which is signed when it is next asked for, and renews no more."""
    with opened(state) as server:
        changed = revoke(server, arguments.serial, arguments.reason)
    text = f"Revoked {arguments.serial}" if changed else f"{arguments.serial} was revoked before."
    return Outcome({"changed": changed, "serial": arguments.serial}, [text])


_SERIAL = option("serial", type=serial, metavar="SERIAL", help="serial number in hexadecimal")

COMMANDS = (
    Command(
        ("certificates", "list"),
        _list,
        (
            option("--state", dest="state_of_certificate", choices=tuple(STATES), help="only those"),
            option("--subject", type=words, metavar="TEXT", help="only those with this text in their subject"),
            option("--limit", type=positive, default=100, metavar="N", help="the newest N (default: 100)"),
        ),
    ),
    Command(("certificates", "show"), _show, (_SERIAL,)),
    Command(
        ("certificates", "revoke"),
        _revoke,
        (
            _SERIAL,
            option("--reason", choices=REASONS, default=UNSPECIFIED, help=f"default: {UNSPECIFIED}"),
        ),
    ),
)
