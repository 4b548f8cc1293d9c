# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shows that a form is one that the server itself gave to whoever sends it.

Browsers log in to the page by themselves, also when a form on another site posts to it. Such a form has no token: it
cannot read the page. A token is an HMAC under a key that all processes and nodes have; nothing is kept of it.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass

LIFETIME = 3600
"""Seconds for which the forms of a page are good."""


@dataclass(frozen=True)
class Tokens:
    """Those of one user, at one time (seconds since the epoch)."""

    otp_key: bytes
    user: str
    now: int

    def make(self, verb: str, target: str) -> str:
        """For one action on one thing."""
        expires = self.now + LIFETIME
        return f"{expires}-{self._mac(verb, target, expires)}"

    def good(self, token: str, verb: str, target: str) -> bool:
        """Whether the token was made for this user, this action and this thing, and is in time."""
        text, _dash, given = token.partition("-")
        if not (text.isascii() and text.isdecimal() and len(text) <= 12):
            return False
        expires = int(text)
        right = hmac.compare_digest(given.encode("utf-8", "replace"), self._mac(verb, target, expires).encode())
        return right and self.now < expires

    def _mac(self, verb: str, target: str, expires: int) -> str:
        # a key of its own, so that no other HMAC under the server's key is a token
        key = hmac.digest(self.otp_key, b"scep-server: forms of the page for people", "sha256")
        # names of users come in whatever case they were typed
        said = json.dumps([self.user.upper(), verb, target, expires]).encode()
        return hmac.digest(key, said, "sha256").hex()
