# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of strangers, for the eyes of people."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with every character that nobody would see, or that moves others about, named: `[U+202E]`.

    Those are controls, surrogates, what directs the writing of right-to-left text, zero-width and unassigned ones, and
    all blanks and line breaks but the space.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else f"[U+{ord(one):04X}]" for one in text)
