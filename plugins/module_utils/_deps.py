# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is missing of the third-party libraries, said in one place.

Every plugin file guards its third-party imports and hands a failure to `missing`; whoever starts a piece of work asks
`report` first and fails with its sentence. Private to the collection.
"""

from __future__ import annotations

import sys

LOWEST = {"cryptography": "36.0", "requests": "2.25"}
"""Lowest supported version of each library, as stated in requirements.txt."""

_missing: dict[str, str] = {}
_optional: dict[str, str] = {}


def missing(library: str, error: ImportError) -> None:
    """Record that `library` (its name as a Python distribution) could not be imported."""
    _missing.setdefault(library, str(error))


def report() -> str | None:
    """One sentence that names what is missing for this interpreter, or None when nothing is."""
    if not _missing:
        return None
    wanted = " ".join(f"{library}>={LOWEST[library]}" for library in sorted(_missing))
    reasons = "; ".join(f"{library}: {_missing[library]}" for library in sorted(_missing))
    return (
        f"The Python interpreter {sys.executable} lacks what netcert.ndes needs ({reasons}). Install there: {wanted}."
    )


def optional(library: str, error: ImportError) -> None:
    """Record that a library could not be imported which is needed for some options alone."""
    _optional.setdefault(library, str(error))


def absent(library: str) -> str | None:
    """Why an optional library could not be imported; None when it is there."""
    return _optional.get(library)
