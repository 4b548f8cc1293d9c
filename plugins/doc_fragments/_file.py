# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The one public file that a module sees to."""

    DOCUMENTATION = r"""
options:
  mode:
    description:
      - Mode of the file, octal and in quotes, such as V("0640"). A new file gets V("0644") without it.
    type: raw
  owner:
    description:
      - Name or number of the file's owner.
    type: str
  group:
    description:
      - Name or number of the file's group.
    type: str
  backup:
    description:
      - Whether to keep a copy of the file before it is replaced or removed, under a name with the time in it.
    type: bool
    default: false
"""
