# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One-time passwords: made at random, shown once, stored as an HMAC alone."""

from __future__ import annotations

import datetime as dt
import hmac
import secrets

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo

from .errors import Refusal
from .settings import Settings
from .store import Store, epoch

# Expired passwords stay known for this long, so that a late client's failure can be told from a wrong password.
_REMEMBERED = dt.timedelta(days=7)
# One sentence to clients: which of the three it was is for the audit alone.
_REJECTED = "The challenge password is not valid here: it is unknown, expired or already used."


def mac(otp_key: bytes, password: str) -> bytes:
    """What is stored of a password."""
    return hmac.digest(otp_key, password.encode("utf-8", "surrogatepass"), "sha256")


def create(store: Store, otp_key: bytes, settings: Settings, count: int, now: dt.datetime) -> tuple[list[str], int]:
    """(`count` new passwords of 32 hexadecimal digits, when they expire in seconds since the epoch).

    Raises ServerError when too many would be outstanding.
    """
    passwords = [secrets.token_hex(16).upper() for _number in range(count)]
    expires = epoch(now + dt.timedelta(minutes=settings.otp_minutes))
    store.add_challenges(
        [mac(otp_key, password) for password in passwords],
        now=epoch(now),
        expires=expires,
        limit=settings.otp_outstanding,
        keep=epoch(now - _REMEMBERED),
    )
    return passwords, expires


def check(store: Store, otp_key: bytes, password: str | None, now: dt.datetime) -> int:
    """The id of the unused password; it is used up later, together with the certificate.

    Raises Refusal (badRequest, as RFC 8894 servers answer a bad challenge).
    """
    if not password:
        raise Refusal(FailInfo.BAD_REQUEST, "The request has no challenge password, and one is needed here.")
    found = store.find_challenge(mac(otp_key, password))
    if found is None:
        raise Refusal(FailInfo.BAD_REQUEST, _REJECTED, reason="challenge password unknown")
    if found.used is not None:
        raise Refusal(FailInfo.BAD_REQUEST, _REJECTED, reason="challenge password already used", challenge_id=found.id)
    if found.expires <= epoch(now):
        raise Refusal(FailInfo.BAD_REQUEST, _REJECTED, reason="challenge password expired", challenge_id=found.id)
    return found.id


def lost(challenge_id: int) -> Refusal:
    """Somebody else used the password while this request was being signed."""
    return Refusal(
        FailInfo.BAD_REQUEST, _REJECTED, reason="challenge password used by another request", challenge_id=challenge_id
    )
