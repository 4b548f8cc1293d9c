# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A realm with its KDC, for tests of log-ins by Kerberos. None is left running."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from k5test import K5Realm

SERVICE = "HTTP/127.0.0.1"
_PORTS = 10
_ATTEMPTS = 5


@contextlib.contextmanager
def realm() -> Iterator[Any]:
    """A realm with a user who has a ticket, and a keytab for SERVICE; `env` is what clients and servers need."""
    made = _start()
    try:
        made.addprinc(f"{SERVICE}@{made.realm}")
        made.extract_keytab(f"{SERVICE}@{made.realm}", made.keytab)
        yield made
    finally:
        made.stop()


def _start() -> Any:
    """Names of hosts stay as they are; the ports may be somebody else's by the time that the KDC wants them."""
    for attempt in range(_ATTEMPTS):
        try:
            return K5Realm(portbase=_free_ports(), krb5_conf={"libdefaults": {"dns_canonicalize_hostname": "false"}})
        except Exception:  # k5test has no other
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _free_ports() -> int:
    """The first of some ports in a row; k5test counts on from it."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(_bound(0)).getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                for number in range(1, _PORTS):
                    held.enter_context(_bound(first + number))
                return int(first)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    try:
        made.bind(("127.0.0.1", port))
    except BaseException:
        made.close()
        raise
    return made
