# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugins that make the call of a module inside the controller's own process, wherever that is the same.

A module costs half a second of processor time for its delivery alone. Where the task would run on the controller
anyway, under the same user, in the same environment and with the same interpreter, the same driver is called right
here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812  # the name that it has everywhere
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import Spec
from ansible_collections.netcert.ndes.plugins.module_utils.context import Context, Driver, perform


class InProcessAction(ActionBase):
    """Base of the action plugins. Subclasses set `spec` and `driver`, and say where they support less."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = True

    spec: Spec
    driver: Driver

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The entrance of an action plugin."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        if not self._is_local(task_vars):
            return self._run_module(task_vars)
        self._task.args = plain(self._task.args)
        try:
            validation, params = self.validate_argument_spec(**self.spec.arguments())
        except AnsibleActionFail:
            return self._run_module(task_vars)  # a module says what is wrong with its options, and masks it
        params = plain(params)
        context = Context(
            params,
            self._task.check_mode,
            Path(self._loader.get_basedir()),
            Display().warning,
            Path(C.DEFAULT_LOCAL_TMP),
        )
        result = perform(type(self).driver, context)
        if not result.pop("failed"):
            result.setdefault("changed", False)
        else:
            result["failed"] = True
        if _injects_invocation(task_vars):
            result["invocation"] = {"module_args": params}
        return sanitised(result, validation._no_log_values)

    def _run_module(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What Ansible does without an action plugin."""
        if self._network(task_vars):
            self._connection.become = None  # it means the enable mode of the device, not another user here
        wrap_async = bool(self._task.async_val)
        result: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=wrap_async)
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _is_local(self, task_vars: dict[str, Any]) -> bool:
        """Whether the module would do the same, in another process of the same kind."""
        return (
            self._connection.transport.rpartition(".")[2] == "local"
            and (self._connection.become is None or self._network(task_vars))
            and not self._task.async_val
            and not any(self._task.environment or [])
            and self._same_interpreter(task_vars)
        )

    def _network(self, task_vars: dict[str, Any]) -> bool:
        """Whether this is a host with a network connection, for which Ansible has put a local one in its place."""
        wanted = self._host_vars(task_vars).get("ansible_connection", self._task.connection)
        name = str(self._templar.template(wanted)).rpartition(".")[2]
        return name != "local" and self._connection.transport.rpartition(".")[2] == "local"

    def _same_interpreter(self, task_vars: dict[str, Any]) -> bool:
        """Whether no interpreter is demanded, or the one that runs here.

        A virtual environment has the binary of another one, with other libraries, so the folder counts as well.
        """
        wanted = C.config.get_config_value("INTERPRETER_PYTHON", variables=self._host_vars(task_vars))
        wanted = str(self._templar.template(wanted))
        return wanted.startswith("auto") or _resolved(wanted) == _resolved(sys.executable)

    def _host_vars(self, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        """The variables of the host where the task runs, which delegation makes another one."""
        if self._task.delegate_to is None:
            return task_vars
        delegated: Mapping[str, Any] = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        return delegated


def _resolved(interpreter: str) -> tuple[str, str]:
    return os.path.realpath(Path(interpreter).parent), os.path.realpath(interpreter)


def _injects_invocation(task_vars: dict[str, Any]) -> bool:
    """The setting came with ansible-core 2.20; before, a module always returned its arguments."""
    try:
        return bool(C.config.get_config_value("INJECT_INVOCATION", variables=task_vars))
    except AnsibleError:
        return True


_BARE = frozenset({str, int, float, bool, type(None)})
"""Classes whose values have no tags: a tagged one has a class of its own."""


def plain(value: Any) -> Any:
    """The value without the tags that Ansible puts on everything, vaulted strings decrypted, containers included."""
    if value.__class__ in _BARE:
        return value
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(entry) for entry in value]
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(str(value))  # a vaulted string first becomes a tagged one


def sanitised(result: dict[str, Any], no_log_values: set[str]) -> dict[str, Any]:
    """The result with all secret values masked, in the way of AnsibleModule: truth values and nulls are kept."""
    kept = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
    masked: dict[str, Any] = remove_values(result, no_log_values)
    return {**masked, **kept}
