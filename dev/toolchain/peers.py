"""Software of others that no package brings: built once, on first use, and kept in .cache/peers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain import environments
from toolchain.places import CACHE, Failure, say

GO = (1, 25)
"""What step-ca is written for."""


@dataclass(frozen=True)
class GoProgram:
    """A program of the Go module proxy: its name, the module it is in, and its version."""

    name: str
    module: str
    version: str

    @property
    def path(self) -> Path:
        """Where it lies when it is built; another version has another place."""
        return CACHE / "peers" / f"{self.name}-{self.version}"


STEP_CA = GoProgram("step-ca", "github.com/smallstep/certificates/cmd/step-ca", "0.30.2")


def built(program: GoProgram) -> Path:
    """The program, which is built if it is not there yet.

    Raises:
        Failure: It cannot be built here.
    """
    if not program.path.is_file():
        go = _go()
        say(f"building {program.name} {program.version} with {go}: a few minutes, once")
        place = program.path.with_suffix(".new")
        variables = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOBIN": str(place)}
        command = (go, "install", "-modcacherw", f"{program.module}@v{program.version}")
        done = subprocess.run(command, check=False, env=variables, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{program.name} does not build: {done.stderr.strip()[-2000:]}")
        (place / program.name).replace(program.path)
        place.rmdir()
    return program.path


def _go() -> Path:
    """Go: the one on PATH, or that of a wheel where there is none or an old one.

    Raises:
        Failure: There is no wheel for this machine.
    """
    found = shutil.which("go")
    if found is not None:
        told = subprocess.run((found, "env", "GOVERSION"), check=False, capture_output=True, text=True).stdout
        version = re.match(r"go(\d+)\.(\d+)", told)
        if version is not None and (int(version[1]), int(version[2])) >= GO:
            return Path(found)
    environment = environments.ENVIRONMENTS["go"]
    environments.build(environment)
    return environment.bin / "go"
