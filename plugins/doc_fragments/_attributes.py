# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What modules say about themselves in the same words."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do, without changing anything.
  diff_mode:
    description: Returns details on what has changed, or needs changing in C(check_mode), when in diff mode.
  idempotent:
    description: When run twice in a row, without outside changes between the runs, the second run changes nothing.
  platform:
    description: Target operating systems that can be operated against.
    support: full
    platforms: posix
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/netcert.ndes.scep) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - netcert.ndes.scep
"""

    ACTION_IN_PROCESS = r"""
options: {}
attributes:
  action:
    description: The task runs inside the controller's own process where that is the same, and so in a fraction of the
      time.
    support: full
    details:
      - That is so on a local connection, or on a network connection, whose modules run on the controller anyway and
        where C(become) means the enable mode of the device and is ignored here.
      - It takes that there is no C(become) otherwise, no C(async), no C(environment), and that
        C(ansible_python_interpreter) is not set to another interpreter than the one that Ansible itself runs with.
        In all other cases the module is sent to the host as usual. Both ways give the same results.
"""
