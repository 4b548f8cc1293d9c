# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages with something wrong in them, wherever the dice fall."""

from __future__ import annotations

import random


def mutated(dice: random.Random, body: bytes) -> bytes:
    """One to five small changes: bits and bytes that differ, are missing, are too many or stand elsewhere."""
    changed = bytearray(body)
    for _unused in range(dice.choice((1, 1, 1, 2, 5))):
        at = dice.randrange(len(changed))
        kind = dice.randrange(5)
        if kind == 0:
            changed[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            changed[at] = dice.randrange(256)
        elif kind == 2:
            del changed[at : at + dice.randrange(1, 9)]
        elif kind == 3:
            changed[at:at] = dice.randbytes(dice.randrange(1, 9))
        else:
            source = dice.randrange(len(changed))
            changed[at : at + 16] = changed[source : source + 16]
        if not changed:
            return b""
    return bytes(changed)
