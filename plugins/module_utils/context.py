# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a driver needs of Ansible: the same small object, whether a module or an action plugin made it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _deps
from .errors import EnrollmentError, OptionError
from .scep.errors import BadAlgorithm, ScepError

_SWITCHES = {"md5": "legacy_algorithms", "des-cbc": "legacy_algorithms", "sha1": "allow_sha1"}
"""Names of algorithms -> the option that allows them."""

_PATH_OCTETS = 4095
_NAME_OCTETS = 255
"""What a system takes in all, and between two slashes."""


@dataclass(frozen=True)
class Context:
    """One call: validated options, the mode of the run, where relative paths start, and where warnings go.

    `run_folder` is one that the tasks of this run of Ansible share, and nobody else can read; None on a managed host.
    """

    params: Mapping[str, Any]
    check_mode: bool
    folder: Path
    warn: Callable[[str], None]
    run_folder: Path | None = None

    def path(self, option: str) -> Path | None:
        """The absolute path that an option names, links not followed; None when it is not set.

        The same for an option that this module does not have. Raises OptionError.
        """
        value: str | None = self.params.get(option)
        if not value:
            return None
        path = self.folder / value
        try:
            octets = os.fsencode(path)
        except UnicodeEncodeError:
            raise OptionError(option, "it holds a character that is not Unicode text.") from None
        if b"\0" in octets or len(octets) > _PATH_OCTETS or max(map(len, octets.split(b"/"))) > _NAME_OCTETS:
            raise OptionError(
                option,
                f"this is no path: it has more than {_PATH_OCTETS} octets, a name in it more than {_NAME_OCTETS}, or a "
                "NUL.",
            )
        return path


Driver = Callable[[Context], "dict[str, Any]"]
"""Does the work of a module: returns the result, raises EnrollmentError or ScepError with a sentence."""


def perform(driver: Driver, context: Context) -> dict[str, Any]:
    """Run a driver; its errors become a failed result with one sentence."""
    absent = _deps.report()
    if absent is not None:
        return {"failed": True, "msg": absent}
    try:
        return {"failed": False, **driver(context)}
    except BadAlgorithm as error:
        return {"failed": True, "changed": False, "msg": f"{error}{_switches(error)}"}
    except (EnrollmentError, ScepError) as error:
        return {"failed": True, "changed": False, "msg": str(error)}


def _switches(error: BadAlgorithm) -> str:
    """One more sentence, which names the options that allow what the protocol core did not; empty without any."""
    options = sorted({_SWITCHES[name] for name in error.not_allowed if name in _SWITCHES})
    return f" {' or '.join(options)} would allow it; a server that can do better is safer." if options else ""


def run_module(module: Any, driver: Driver) -> None:
    """The entrance of a module: `module` is an AnsibleModule."""
    result = perform(driver, Context(module.params, module.check_mode, Path.cwd(), module.warn))
    if result.pop("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
