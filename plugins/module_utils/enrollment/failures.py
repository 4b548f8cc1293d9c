# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server's refusal means: one table, from failInfo to meaning and likely cause (RFC 8894 section 3.2.1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scep.constants import FailInfo

if TYPE_CHECKING:
    from ..scep.replies import Reply

_MEANINGS = {
    FailInfo.BAD_ALG: (
        "an algorithm of the request is unknown there or not allowed",
        "compare what the server offers (netcert.ndes.scep_ca_info) with allow_sha1 and legacy_algorithms",
    ),
    FailInfo.BAD_MESSAGE_CHECK: (
        "the server could not verify or decrypt the request",
        "check that url leads to the server that GetCACert describes, and on NDES that the password is valid",
    ),
    FailInfo.BAD_REQUEST: (
        "the request is not permitted or not supported",
        "the usual cause is a challenge_password that is wrong, used or expired; then names, key size or template",
    ),
    FailInfo.BAD_TIME: (
        "the time in the request is too far from the server's",
        "compare the clocks of this host and of the server",
    ),
    FailInfo.BAD_CERT_ID: (
        "no certificate there matches the one that the request names",
        "check that the certificate comes from this CA",
    ),
}


def explain(reply: Reply) -> str:
    """The sentence for a reply with the status FAILURE."""
    if reply.fail_info is None:
        name, meaning, advice = "no failInfo", "it gives no reason", "look into the server's log"
    else:
        name = f"failInfo {reply.fail_info.camel}"
        meaning, advice = _MEANINGS[reply.fail_info]
    details = []
    if reply.fail_info_text:
        details.append(f"it says '{reply.fail_info_text}'")
    if reply.hresult is not None:
        details.append(f"HRESULT 0x{reply.hresult:08X}")
    said = f" ({', '.join(details)})" if details else ""
    return f"The server refuses the request with {name}: {meaning}{said}; {advice}."
