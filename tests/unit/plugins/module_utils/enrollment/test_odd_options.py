# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that pass Ansible's own check and cannot be meant: each is refused by name before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CERTIFICATE
from ansible_collections.netcert.ndes.plugins.module_utils.context import Context
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.files import Transaction, check_writable
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.options import (
    read_outputs,
    read_server,
    read_wanted,
)
from ansible_collections.netcert.ndes.plugins.module_utils.errors import OptionError

READERS: dict[str, Callable[[Context], Any]] = {"server": read_server, "wanted": read_wanted, "outputs": read_outputs}


def context(folder: Path, **given: Any) -> Context:
    """The options of a good task, but for those given."""
    params = {name: option.get("default") for name, option in CERTIFICATE.options.items()}
    params.update(url="http://127.0.0.1/scep", subject="CN=host", ca_fingerprint=["ab" * 32])
    params.update(path="host.pem", privatekey_path="host.key")
    return Context({**params, **given}, True, folder, pytest.fail)


def test_a_good_task_is_read(tmp_path: Path) -> None:
    for read in READERS.values():
        read(context(tmp_path))


@pytest.mark.parametrize(
    ("reader", "option", "value"),
    [
        ("outputs", "mode", 1.5),
        ("outputs", "mode", True),
        ("outputs", "mode", [420]),
        ("outputs", "mode", {"u": "rw"}),
        ("outputs", "mode", "1_0"),
        ("outputs", "mode", " 644"),
        ("outputs", "privatekey_mode", 1.5),
        ("outputs", "owner", "99999999999999999999"),
        ("outputs", "owner", "\u00b2"),
        ("outputs", "group", "a\0b"),
        ("outputs", "path", "a\0b"),
        ("outputs", "path", "x" * 226),
        ("outputs", "path", "a\ud800b"),
        ("outputs", "privatekey_path", "x" * 300),
        ("outputs", "chain_path", "x/" * 2048),
        ("server", "ca_certificate_path", "a\0b"),
        ("server", "ca_fingerprint", []),
        ("server", "ra_fingerprint", []),
        ("server", "url", "http://[::1"),
        ("server", "url", "http://h:99999/"),
        ("server", "url", "http://h:abc/"),
        ("server", "url", "http://127.0.0.1:0/"),
        ("server", "timeout", float("nan")),
        ("server", "timeout", float("inf")),
        ("server", "timeout", 1e300),
        ("server", "challenge_password", "a\ud800b"),
        ("server", "ca_certificate_content", "a\ud800b"),
        ("wanted", "subject", None),
        ("wanted", "subject", 5),
        ("wanted", "subject", True),
        ("wanted", "subject", {"CN": None}),
        ("wanted", "subject", {"CN": {"x": 1}}),
        ("wanted", "subject", [{"CN": None}]),
        ("wanted", "extended_key_usage", ["1.99"]),
    ],
)
def test_an_odd_value_is_refused_by_name(tmp_path: Path, reader: str, option: str, value: Any) -> None:
    with pytest.raises(OptionError) as caught:
        READERS[reader](context(tmp_path, **{option: value}))
    assert str(caught.value).startswith(f"{option}: ")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_the_longest_name(tmp_path: Path) -> None:
    """It is counted in octets, and where links lead; all that is put beside it for a moment fits into a file system."""
    name, link = "\u00e4" * 112 + "x", tmp_path / "link"
    link.symlink_to(tmp_path / name)
    outputs = read_outputs(context(tmp_path, path=name))
    assert outputs.certificate.path.name == name
    Transaction(outputs.certificate.path).commit([(target, b"") for target in (*outputs.all(), outputs.pending)])
    check_writable([*outputs.all(), outputs.pending], touch=True)
    link.unlink()
    link.symlink_to(tmp_path / f"{name}x")
    with pytest.raises(OptionError) as caught:
        read_outputs(context(tmp_path, path="link"))
    assert str(caught.value) == (
        f"path: the name of the file '{tmp_path}/{name}x' has 226 octets, and 225 are the most, as new content waits "
        "beside it under a longer name; choose a shorter one."
    )
