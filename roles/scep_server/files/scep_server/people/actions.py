# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be done on the page: each is what a command does, by the same functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from ..approval import REASONS, Person, approve, deny, revoke
from ..errors import ServerError, StoreBusy
from ..server import Server
from ..store.audit import printable
from .addresses import PAGE

log = logging.getLogger("scep_server")

Fields = Mapping[str, str]


class NotDone(Exception):
    """It was not done: a status, and a sentence that says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def _approve(server: Server, target: str, _fields: Fields, person: Person) -> str:
    approve(server, int(target), person)
    return f"{PAGE}?request={target}"


def _deny(server: Server, target: str, fields: Fields, person: Person) -> str:
    deny(server, int(target), fields.get("reason", "").strip(), person)
    return f"{PAGE}?request={target}"


def _revoke(server: Server, target: str, fields: Fields, person: Person) -> str:
    reason = fields.get("reason", "")
    if reason not in REASONS:
        raise NotDone(HTTPStatus.BAD_REQUEST, f"A reason is one of {', '.join(REASONS)}.")
    if not revoke(server, target, reason, person):
        raise NotDone(HTTPStatus.CONFLICT, f"The certificate {target} was revoked before.")
    return f"{PAGE}?certificate={target}"


# Each does it and tells where the page shows what became of it. The target is one that the server itself wrote into a
# form: it has a token.
_DO: dict[str, Callable[[Server, str, Fields, Person], str]] = {
    "approve": _approve,
    "deny": _deny,
    "revoke": _revoke,
}


def carry_out(server: Server, verb: str, target: str, fields: Fields, person: Person) -> str:
    """Do it; the address of the page that shows it. Raises NotDone, and StoreBusy."""
    name = printable(person.name)
    try:
        where = _DO[verb](server, target, fields, person)
    except StoreBusy:
        raise
    except ServerError as error:
        log.info("%s: %s could not %s %s: %s", person.address, name, verb, target, error)
        raise NotDone(HTTPStatus.CONFLICT, str(error)) from None
    log.info("%s: %s by %s: %s", person.address, verb, name, target)
    return where
