# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a connection: who logged in on it, or how far a log-in has come.

gunicorn hands each request the socket of its connection. Whatever is known goes with the socket.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from .handshakes import Handshake

HALF_OPEN = 100
"""Log-ins of a process that may be under way; beyond it the oldest is given up, and its client has to begin anew."""


@dataclass(frozen=True)
class _State:
    user: str | None = None
    handshake: Handshake | None = None
    scheme: str = ""
    number: int = 0


class Connections:
    """Safe for many threads; those of one connection come one after the other."""

    def __init__(self, half_open: int = HALF_OPEN) -> None:
        self._limit = half_open
        self._lock = threading.Lock()
        self._states: WeakKeyDictionary[Any, _State] = WeakKeyDictionary()
        self._count = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._states)

    def user(self, connection: Any) -> str | None:
        """Who is logged in."""
        with self._lock:
            state = self._states.get(connection) if connection is not None else None
        return None if state is None else state.user

    def take(self, connection: Any, scheme: str) -> Handshake | None:
        """The log-in that is under way by this scheme. Nothing is known of the connection any more."""
        with self._lock:
            state = self._states.pop(connection, None) if connection is not None else None
        return state.handshake if state is not None and state.scheme == scheme else None

    def goes_on(self, connection: Any, scheme: str, handshake: Handshake) -> None:
        """A log-in waits for the client."""
        if connection is None:
            return
        with self._lock:
            self._count += 1
            self._states[connection] = _State(handshake=handshake, scheme=scheme, number=self._count)
            waiting = [(state.number, key) for key, state in self._states.items() if state.handshake is not None]
            if len(waiting) > self._limit:
                del self._states[min(waiting, key=lambda entry: entry[0])[1]]

    def logged_in(self, connection: Any, user: str) -> None:
        """A log-in is complete."""
        if connection is not None:
            with self._lock:
                self._states[connection] = _State(user=user)
