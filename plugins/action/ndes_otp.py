# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ndes_otp inside the controller's own process. Its documentation stands in the module."""

from __future__ import annotations

from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils import argspec
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.hand_out import hand_out
from ansible_collections.netcert.ndes.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """See InProcessAction. The result is a secret: it can be registered, and is not shown."""

    spec = argspec.OTP
    driver = staticmethod(hand_out)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The entrance of an action plugin."""
        result = super().run(tmp, task_vars)
        if "passwords" in result:  # what went wrong may be read
            result["_ansible_no_log"] = True
        return result
