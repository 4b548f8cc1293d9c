# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the page shows, as plain data. Nothing here is escaped: that is for the template."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import read_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError, MessageError
from cryptography import x509

from ..approval import REASONS
from ..faults.table import TABLE
from ..policy import name_text
from ..server import Server
from ..store import epoch
from ..store.answers import PENDING
from ..store.audit import LENGTH, printable
from ..store.certificates import STATES, state_of
from .addresses import PAGE
from .log import last_lines
from .tokens import Tokens

PASSWORDS = 10
REQUESTS = 50
CERTIFICATES = 20
"""Rows of each table, at most."""
NAMES = 20
NAME_LENGTH = 300
"""Of one request, and characters of each: a request can be a megabyte of them, and nobody could see the others then."""

_NUMBER = re.compile("[0-9]{1,18}")
_SERIAL = re.compile("[0-9a-f]{1,40}")


@dataclass(frozen=True)
class Search:
    """Which certificates are wanted. Whatever is no possible value is as if it were not there."""

    text: str = ""
    state: str = ""
    after: tuple[int, str] | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Search:
        """From the query of the page."""
        state, issued, serial = (given.get(name, "") for name in ("state", "issued", "serial"))
        going_on = _NUMBER.fullmatch(issued) is not None and _SERIAL.fullmatch(serial) is not None
        return cls(
            printable(given.get("text", "").strip()),
            state if state in STATES else "",
            (int(issued), serial) if going_on else None,
        )

    def url(self, after: dict[str, Any]) -> str:
        """The address of the list that goes on behind a row."""
        asked = {"text": self.text, "state": self.state, "issued": after["issued"], "serial": after["serial"]}
        return f"{PAGE}?{urlencode(asked)}#certificates"


def passwords(server: Server, now: int) -> dict[str, Any]:
    """Those that are outstanding, and when they expire: never their values, which the store does not have."""
    mode, store = server.settings.challenge, server.store.challenges
    rows = store.unused(now, PASSWORDS) if mode == "one_time" else []
    return {
        "mode": mode,
        "most": server.settings.otp_outstanding,
        "outstanding": store.outstanding(now) if rows else 0,
        "rows": [
            {"id": row["id"], "created": moment(row["created"]), "expires": moment(row["expires"])} for row in rows
        ],
    }


def requests(server: Server, tokens: Tokens) -> dict[str, Any]:
    """Those that wait, the oldest first, with a token for each decision."""
    rows = server.store.answers.requests(PENDING, REQUESTS)
    return {
        "waiting": server.store.answers.pending() if len(rows) == REQUESTS else len(rows),
        "rows": [_request(row, tokens) for row in rows],
    }


def _request(row: Mapping[str, Any], tokens: Tokens) -> dict[str, Any]:
    """Nobody can approve here what is not all to be seen: what matters might stand in the rest."""
    names, target = _names(row["csr"]), str(row["id"])
    shown = [_cut(name) for name in names[:NAMES]]
    whole = shown == names and len(row["subject"]) < LENGTH
    return {
        "id": row["id"],
        "subject": row["subject"],
        "names": shown,
        "more": len(names) - len(shown),
        "renews": row["replaces"],
        "client": row["client"],
        "transaction_id": row["transaction_id"],
        "created": moment(row["created"]),
        "approve": tokens.make("approve", target) if whole else None,
        "deny": tokens.make("deny", target),
    }


def _names(csr: bytes) -> list[str]:
    """The alternative names that a request asks for."""
    try:
        names = read_csr(csr).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [name_text(name) for name in names]
    except x509.ExtensionNotFound:
        return []
    except (DecodeError, MessageError, ValueError):
        return ["(cannot be read)"]


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}… ({len(name)} characters)"


def certificates(server: Server, search: Search, tokens: Tokens, now: int) -> dict[str, Any]:
    """One page of those that were issued, the newest first."""
    digits = search.text.replace(":", "").replace(" ", "").lower()
    found = server.store.certificates.newest(
        state=search.state or None,
        subject=search.text or None,
        serial=digits if _SERIAL.fullmatch(digits) else None,
        after=search.after,
        now=now,
        limit=CERTIFICATES + 1,
    )
    rows = found[:CERTIFICATES]
    return {
        "search": search,
        "rows": [_certificate(row, now) | {"revoke": tokens.make("revoke", row["serial"])} for row in rows],
        "more": search.url(rows[-1]) if len(found) > CERTIFICATES else None,
    }


def _certificate(row: dict[str, Any], now: int) -> dict[str, Any]:
    return {
        "serial": row["serial"],
        "subject": row["subject"],
        "state": state_of(row, now),
        "issued": moment(row["issued"]),
        "not_after": moment(row["not_after"]),
        "revoked": moment(row["revoked"]),
        "reason": row["reason"] or "",
    }


def faults(server: Server) -> list[dict[str, Any]]:
    """Those that are set."""
    return [
        {
            "name": one.name,
            "about": TABLE[one.name].about,
            "left": one.left,
            "until": moment(one.until),
            "only": one.wanted.only,
        }
        for one in server.faults.active
    ]


def done(server: Server, given: Mapping[str, str], now: int) -> dict[str, Any] | None:
    """What became of the request or the certificate that was decided on just now.

    It is looked up: the address of the page can be made by anybody, and what the page says has to be true.
    """
    if _NUMBER.fullmatch(number := given.get("request", "")):
        row = server.store.answers.request(int(number))
        return None if row is None or row["state"] == PENDING else {"request": row}
    if _SERIAL.fullmatch(serial := given.get("certificate", "")):
        row = server.store.certificates.find(serial)
        return None if row is None or row["revoked"] is None else {"certificate": _certificate(row, now)}
    return None


def everything(
    server: Server, user: str, given: Mapping[str, str], tokens: Tokens, log_file: Path | None
) -> dict[str, Any]:
    """All that the page shows."""
    now = epoch(server.clock())
    return {
        "ca": server.authority.ca.certificate.subject.rfc4514_string(),
        "user": user,
        "now": moment(now),
        "done": done(server, given, now),
        "passwords": passwords(server, now),
        "requests": requests(server, tokens),
        "certificates": certificates(server, Search.read(given), tokens, now),
        "log": last_lines(log_file),
        "faults": faults(server),
        "reasons": REASONS,
    }


def moment(seconds: int | None) -> str | None:
    """Seconds since the epoch for people: in UTC, to the minute."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
