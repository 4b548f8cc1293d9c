# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mode, owner and group of a file, from how options name them."""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError


@dataclass(frozen=True)
class Attributes:
    """Mode, owner and group as wanted. None keeps those of a file that is replaced; a new one gets `default_mode`."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    default_mode: int = 0o644


_OCTAL = re.compile(r"(0o)?[0-7]{1,5}")
_LARGEST_ID = 2**32 - 2
"""The one above means "leave it as it is" to the system."""


def read_attributes(prefix: str, mode: Any, owner: str | None, group: str | None, default_mode: int) -> Attributes:
    """From options: octal mode as string or number, owner and group as name or number. Raises OptionError."""
    number = mode
    if isinstance(mode, str) and _OCTAL.fullmatch(mode):
        number = int(mode, 8)
    if number is not None and (number.__class__ is not int or not 0 <= number <= 0o7777):
        raise OptionError(f"{prefix}mode", f"'{mode}' is not an octal mode such as '0640'; put it in quotes.")
    return Attributes(
        number,
        _identifier(f"{prefix}owner", owner, lambda name: pwd.getpwnam(name).pw_uid),
        _identifier(f"{prefix}group", group, lambda name: grp.getgrnam(name).gr_gid),
        default_mode,
    )


def _identifier(option: str, name: str | None, find: Any) -> int | None:
    if name is None:
        return None
    try:
        return int(find(name))
    except (KeyError, ValueError):
        if name.isascii() and name.isdigit() and int(name) <= _LARGEST_ID:
            return int(name)
        raise OptionError(option, f"'{name}' is not known on this host.") from None
