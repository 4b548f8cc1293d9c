# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module scep_certificate_pipe inside the controller's own process. Its documentation stands in the module."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils import argspec
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_content
from ansible_collections.netcert.ndes.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """See InProcessAction."""

    spec = argspec.PIPE
    driver = staticmethod(ensure_content)
    _supports_async = False  # the private key would lie in the file of the job, which others can read
