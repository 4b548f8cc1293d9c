# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that are built: once, with the Go that is there or with that of a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import environments, peers
from toolchain.environments import Environment
from toolchain.peers import GoProgram
from toolchain.places import Failure

PROGRAM = GoProgram("peer", "example.com/peers/cmd/peer", "1.2.3")
GO = """#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit 0; fi
echo "$@" "$CGO_ENABLED" >>{folder}/calls
[ -z "{complaint}" ] || {{ echo "{complaint}" >&2; exit 1; }}
/bin/mkdir -p "$GOBIN" && echo built >"$GOBIN/peer"
"""


def place_go(folder: Path, version: str = "go1.26.8", complaint: str = "") -> None:
    """A Go that builds what is asked for at once."""
    folder.mkdir(parents=True)
    (folder / "go").write_text(GO.format(version=version, folder=folder, complaint=complaint))
    (folder / "go").chmod(0o755)


@pytest.fixture(autouse=True)
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the commands of an environment with Go, which is there when it is built."""
    environment = Environment("go", (), "requirements-go.txt", tmp_path / "wheel", has_collection=False)
    monkeypatch.setattr(peers, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setitem(environments.ENVIRONMENTS, "go", environment)
    monkeypatch.setattr(environments, "build", lambda environment: place_go(environment.bin, "go1.27.3"))
    return environment.bin


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_built_once(tmp_path: Path, wheel: Path) -> None:
    place_go(tmp_path / "path")
    for _time in range(2):
        assert peers.built(PROGRAM) == tmp_path / "cache" / "peers" / "peer-1.2.3"
    assert PROGRAM.path.read_text() == "built\n"
    assert calls(tmp_path / "path") == ["install -modcacherw example.com/peers/cmd/peer@v1.2.3 0"]
    assert [path.name for path in PROGRAM.path.parent.iterdir()] == ["peer-1.2.3"]
    assert not wheel.exists()


@pytest.mark.parametrize("version", [None, "go1.19.8", "go1.24.13", "devel"])
def test_go_of_a_wheel(tmp_path: Path, wheel: Path, version: str | None) -> None:
    if version is not None:
        place_go(tmp_path / "path", version)
    peers.built(PROGRAM)
    assert len(calls(wheel)) == 1
    assert not (tmp_path / "path" / "calls").exists()


def test_what_does_not_build(tmp_path: Path) -> None:
    place_go(tmp_path / "path", complaint="no such module")
    with pytest.raises(Failure, match="peer does not build: no such module"):
        peers.built(PROGRAM)
    assert not PROGRAM.path.exists()
