# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ndes_otp: challenge passwords from the administration page, for other tasks to use."""

from __future__ import annotations

from typing import Any

from ..connection import read_connection
from ..context import Context
from .otp import Otp, check_count, fetch, read_admin_server


def hand_out(context: Context) -> dict[str, Any]:
    """Ask for passwords. Raises EnrollmentError."""
    server = read_admin_server(context.params, read_connection(context))
    count = check_count(context.params["count"])
    if context.check_mode:
        return {
            "changed": True,
            "msg": f"To be asked for: {_passwords(count)}. Check mode asks for none, as each takes a place in NDES.",
            "passwords": [],
        }
    found = fetch(server, count)
    first = found[0]
    result: dict[str, Any] = {
        "changed": True,
        "msg": f"NDES handed out {_passwords(len(found))}.",
        "passwords": [_described(otp) for otp in found],
        "challenge_password": first.password,
    }
    return result


def _passwords(count: int) -> str:
    return f"{count} challenge password{'' if count == 1 else 's'}"


def _described(otp: Otp) -> dict[str, Any]:
    stale_at = otp.stale_at
    return {
        "challenge_password": otp.password,
        "ca_thumbprint": otp.thumbprint,
        "ca_thumbprint_digest": otp.thumbprint_digest,
        "lifetime_minutes": otp.lifetime_minutes,
        "reusable": otp.reusable,
        "stale_at": None if stale_at is None else stale_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
