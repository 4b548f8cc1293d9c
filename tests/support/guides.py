# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guides tell to type, typed; and what they show, compared."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block of code: its kind and its text."""
_TYPED = re.compile(r"^\$ (?:.*\\\n)*.*$", re.MULTILINE)


def free_ports(count: int) -> list[str]:
    """Different ones, because all are held until the last is known."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _probe in range(count)]
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def with_free_ports(text: str, ports: tuple[str, ...]) -> str:
    """A guide whose servers on 127.0.0.1 have ports that are free here."""
    for port, free in zip(ports, free_ports(len(ports)), strict=True):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
    return text


def shown(line: str) -> re.Pattern[str]:
    """A line of output; the character … stands for anything, and columns may be wider."""
    words = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in line.split("…")]
    return re.compile(".*".join(words))


def run(block: str, environment: dict[str, str], folder: Path) -> None:
    """Type the commands after `$`, in one shell; each line between them has to be in the output."""
    typed = [line.removeprefix("$ ") for line in _TYPED.findall(block)]
    expected = [line.strip() for line in _TYPED.sub("", block).splitlines() if line]
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
