# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may log in with a password: a file of lines DOMAIN:user:password, as pyspnego reads it for NTLM.

It is read at each log-in, so a change counts at once. Whoever has no domain, or is named user@REALM, has an empty one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServerError


@dataclass(frozen=True)
class User:
    """A line of the file."""

    domain: str
    name: str
    password: str

    @property
    def full_name(self) -> str:
        """As NTLM gives it, too."""
        return f"{self.domain}\\{self.name}" if self.domain else self.name


def read(path: Path) -> list[User]:
    """All users. Raises ServerError with a sentence."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text in UTF-8"
        raise ServerError(f"The file {path} of the setting users_file cannot be read: {reason}.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        parts = line.split(":")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise ServerError(
                f"Line {number} of {path} (setting users_file) is not DOMAIN:user:password; the domain may be empty, "
                "and none of them can contain a colon."
            )
        found.append(User(*parts))
    if not found:
        raise ServerError(f"The file {path} of the setting users_file has no line DOMAIN:user:password.")
    return found


def authenticate(path: Path, name: str, password: str) -> User | None:
    """The user of this name, given as DOMAIN\\user or as user alone, when the password is his."""
    domain, _backslash, alone = name.rpartition("\\")
    user = next((one for one in read(path) if same(one.domain, domain) and same(one.name, alone)), None)
    expected = user.password if user is not None else ""
    right = hmac.compare_digest(password.encode("utf-8"), expected.encode("utf-8"))
    return user if right else None


def named(user: str, names: Iterable[str]) -> bool:
    """Whether one of the names is the user's."""
    return any(same(user, name) for name in names)


def same(one: str, other: str) -> bool:
    """Names of Windows are the same whatever the case of their letters."""
    return one.upper() == other.upper()
