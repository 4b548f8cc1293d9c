# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide to the first certificate: what it tells to type does what it shows."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.servers import SERVER_FILES, command

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "first-certificate.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\$ (?:.*\\\n)*.*$", re.MULTILINE)
BIN = Path(sys.executable).parent
SERVERS = ("lab-ra", "lab-ca")
PORTS = ("18080", "18081")


def free_ports(count: int) -> list[str]:
    """Different ones, because all are held until the last is known."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _probe in range(count)]
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def shown(line: str) -> re.Pattern[str]:
    """A line of output; the character … stands for anything, and columns may be wider."""
    words = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in line.split("…")]
    return re.compile(".*".join(words))


def run(block: str, environment: dict[str, str], folder: Path) -> None:
    """Type the commands after `$`, in one shell; each line between them has to be in the output."""
    typed = [line.removeprefix("$ ") for line in TYPED.findall(block)]
    expected = [line.strip() for line in TYPED.sub("", block).splitlines() if line]
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(typed)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, (typed, output)
    for line in expected:
        assert shown(line).search(output), f"{line!r} is not shown by {typed}: {output}"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """That of a reader who has installed everything; whatever happens, both servers are stopped."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    server = binaries / "scep-server"
    python = f"PYTHONPATH={shlex.quote(str(SERVER_FILES))} exec {shlex.quote(sys.executable)}"
    server.write_text(f'#!/bin/sh\n{python} -m scep_server "$@"\n')
    server.chmod(0o755)
    yield {
        "PATH": f"{binaries}:{BIN}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "true",
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
    }
    for state in SERVERS:
        if (tmp_path / "work" / state).exists():
            command(tmp_path / "work" / state, "stop")


def test_the_guide_does_what_it_shows(
    tmp_path: Path, environment: dict[str, str], need_command: Callable[..., Path]
) -> None:
    need_command("openssl", "openssl")
    folder = tmp_path / "work"
    folder.mkdir()
    text = GUIDE.read_text()
    for port, free in zip(PORTS, free_ports(len(PORTS)), strict=True):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
    blocks = BLOCK.findall(text)
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
