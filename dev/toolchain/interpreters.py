"""Which Pythons this machine has, pyenv's included."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

from toolchain.places import Failure

Version = tuple[int, int]

# Managed hosts start at 3.9, controllers at 3.11. Older ones stay unseen: ansible-test would test them.
KNOWN: tuple[Version, ...] = ((3, 9), (3, 10), (3, 11), (3, 12), (3, 13))


def text(version: Version) -> str:
    return ".".join(map(str, version))


def pyenv_root() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def plain_path() -> list[str]:
    """PATH without pyenv's folders: its shims name versions that exit with 127 when called."""
    root = str(pyenv_root())
    return [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder and not folder.startswith(root)]


def _pyenv_folders() -> list[Path]:
    """The bin folders of pyenv's own versions, newest first. A virtualenv made in pyenv has a name, not a number."""
    numbered = [
        (tuple(map(int, folder.name.split("."))), folder / "bin")
        for folder in pyenv_root().glob("versions/*")
        if re.fullmatch(r"3\.\d+\.\d+", folder.name)
    ]
    return [folder for _number, folder in sorted(numbered, reverse=True)]


def _can_make_venvs(python: Path, version: Version) -> bool:
    """Debian's Python comes without ensurepip until python3-venv is there: such a one is no use."""
    probe = "import ensurepip, sys, venv; print(sys.version_info[:2])"
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == str(version)


@functools.cache
def found() -> dict[Version, Path]:
    """For each known version the interpreter to use: pyenv's newest patch release first, then the one on PATH."""
    folders = [*_pyenv_folders(), *map(Path, plain_path())]
    interpreters: dict[Version, Path] = {}
    for version in KNOWN:
        for python in (folder / f"python{text(version)}" for folder in folders):
            if python.is_file() and _can_make_venvs(python, version):
                interpreters[version] = python
                break
    return interpreters


def of_system(versions: tuple[Version, ...]) -> Path | None:
    """The operating system's own python3, if it is of one of these versions."""
    python = Path("/usr/bin/python3")
    return python if any(_can_make_venvs(python, version) for version in versions if python.exists()) else None


def first_of(versions: tuple[Version, ...]) -> Path:
    """The interpreter of the first of these versions that is here.

    Raises:
        Failure: None of them is.
    """
    for version in versions:
        if python := found().get(version):
            return python
    wanted = " or ".join(text(version) for version in versions)
    raise Failure(f"Python {wanted} with its venv module is neither on PATH nor under pyenv ({pyenv_root()})")
