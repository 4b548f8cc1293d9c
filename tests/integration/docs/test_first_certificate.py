# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide to the first certificate: what it tells to type does what it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.guides import BLOCK, GUIDES, run, with_free_ports
from support.servers import command

GUIDE = GUIDES / "first-certificate.md"
SERVERS = ("lab-ra", "lab-ca")
PORTS = ("18080", "18081")


def test_the_guide_does_what_it_shows(
    folder: Path, environment: dict[str, str], need_command: Callable[..., Path]
) -> None:
    need_command("openssl", "openssl")
    blocks = BLOCK.findall(with_free_ports(GUIDE.read_text(), PORTS))
    assert {kind for kind, _block in blocks} == {"console", "yaml", "text"}
    for kind, block in blocks:
        if kind == "yaml":
            name, _newline, content = block.removeprefix("# ").partition("\n")
            (folder / name).write_text(content)
        elif kind == "console":
            run(block, environment, folder)
    assert not list((folder / "devices").iterdir())
    for state in SERVERS:
        assert [entry["state"] for entry in command(folder / state, "otp", "list")["passwords"]] == ["used"]
