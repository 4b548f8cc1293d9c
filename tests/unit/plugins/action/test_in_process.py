# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an action plugin does the work itself, and where it sends the module."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import Templar, trust_as_template
from ansible_collections.netcert.ndes.plugins.action.scep_ca_info import ActionModule
from ansible_collections.netcert.ndes.plugins.plugin_utils.in_process import plain, sanitised

HERE = sys.executable
NETWORK = {"ansible_connection": "ansible.netcommon.network_cli"}


def action(**more: Any) -> ActionModule:
    """The action of a task on a local connection, but for what is said."""
    task = SimpleNamespace(
        connection=more.get("configured", "local"),
        async_val=more.get("async_val", 0),
        environment=more.get("environment", []),
        delegate_to=more.get("delegate_to"),
        args={},
    )
    connection = SimpleNamespace(transport=more.get("transport", "local"), become=more.get("become"))
    loader = DataLoader()
    return ActionModule(task, connection, None, loader, Templar(loader), None)


LOCAL: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("nothing special", {}, {}, True),
    ("by its full name", {"transport": "ansible.builtin.local"}, {}, True),
    ("another host", {"transport": "ssh", "configured": "ssh"}, {}, False),
    ("become", {"become": object()}, {}, False),
    ("network device", {"configured": "ssh"}, NETWORK, True),
    ("network device, enable mode", {"configured": "ssh", "become": object()}, NETWORK, True),
    ("network device by keyword", {"configured": "network_cli", "become": object()}, {}, True),
    ("async", {"async_val": 60}, {}, False),
    ("environment", {"environment": [{"X": "y"}]}, {}, False),
    ("environment that is empty", {"environment": [{}, None]}, {}, True),
    ("this interpreter", {}, {"ansible_python_interpreter": HERE}, True),
    (
        "this interpreter by a template",
        {},
        {"ansible_python_interpreter": trust_as_template("{{ me }}"), "me": HERE},
        True,
    ),
    ("interpreter found out", {}, {"ansible_python_interpreter": "auto_silent"}, True),
    ("another interpreter", {}, {"ansible_python_interpreter": "/opt/other/bin/python3"}, False),
    (
        "delegated to this host",
        {"delegate_to": "here", "configured": "ssh"},
        {
            "ansible_connection": "ssh",
            "ansible_python_interpreter": "/opt/other/bin/python3",
            "ansible_delegated_vars": {"here": {"ansible_connection": "local"}},
        },
        True,
    ),
    (
        "delegated to this host with become",
        {"delegate_to": "here", "configured": "ssh", "become": object()},
        {**NETWORK, "ansible_delegated_vars": {"here": {"ansible_connection": "local"}}},
        False,
    ),
    (
        "delegated to a host with another interpreter",
        {"delegate_to": "here"},
        {"ansible_delegated_vars": {"here": {"ansible_python_interpreter": "/opt/other/bin/python3"}}},
        False,
    ),
]


@pytest.mark.parametrize(("case", "expected"), [(row[:3], row[3]) for row in LOCAL], ids=[row[0] for row in LOCAL])
def test_is_local(case: tuple[str, dict[str, Any], dict[str, Any]], expected: bool) -> None:
    _unused, task, variables = case
    subject = action(**task)
    subject._templar.available_variables = variables
    assert subject._is_local(variables) is expected


def test_virtual_environment_is_another_interpreter(tmp_path: Path) -> None:
    """Its binary is a link to one that is shared; its libraries are not."""
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "python"
    link.symlink_to(Path(HERE).resolve())
    assert not action()._is_local({"ansible_python_interpreter": str(link)})


def test_plain() -> None:
    class Tagged(str):
        __slots__ = ()

    class Number(int):
        pass

    value = plain({Tagged("a"): [Tagged("b"), Number(1), True, None, 1.5, (Tagged("c"),)]})
    assert value == {"a": ["b", 1, True, None, 1.5, ["c"]]}
    assert next(iter(value)).__class__ is str
    assert [type(entry) for entry in value["a"]] == [str, int, bool, type(None), float, list]
    assert value["a"][5][0].__class__ is str


def test_vaulted_strings_become_plain() -> None:
    secret = VaultSecret(b"vault password")
    VaultSecretsContext.initialize(VaultSecretsContext([("default", secret)]))
    try:
        text = VaultLib([("default", secret)]).encrypt("Pa55-word", secret).decode()
        value = plain({"challenge_password": EncryptedString(ciphertext=text)})
    finally:
        VaultSecretsContext._current = None
    assert value == {"challenge_password": "Pa55-word"}
    assert value["challenge_password"].__class__ is str


def test_sanitised() -> None:
    result = {"changed": True, "none": None, "msg": "it is Pa55-word", "list": ["Pa55-word"], "number": 1}
    assert sanitised(result, {"Pa55-word", "True", "None"}) == {
        "changed": True,
        "none": None,
        "msg": "it is ********",
        "list": ["VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"],
        "number": 1,
    }
