"""The virtual environments: one for daily work, the others for what else is supported."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain import debian, interpreters
from toolchain.interpreters import Version
from toolchain.places import CACHE, COLLECTION, ROOT, VENV, Failure, link, say

SCEP_SERVER = """\
#!{python}
# Made by `make venv`: the reference server from the checkout.
import sys

sys.path.insert(0, {files!r})

from scep_server.cli import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: ``pythons`` in order of preference, ``requirements`` a file in dev/."""

    name: str
    pythons: tuple[Version, ...]
    requirements: str
    folder: Path
    has_collection: bool = True

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"


def _in_cache(name: str, pythons: tuple[Version, ...], has_collection: bool = True) -> Environment:
    return Environment(name, pythons, f"requirements-{name}.txt", CACHE / "legs" / name, has_collection)


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment("main", ((3, 13), (3, 12), (3, 11)), "requirements-main.txt", VENV),
        # The same folder, for what must not run on the older core that comes with Python 3.11.
        Environment("core-2.21", ((3, 13), (3, 12)), "requirements-main.txt", VENV),
        _in_cache("core-2.19", ((3, 11),)),
        _in_cache("lowest", ((3, 9),)),
        _in_cache("bench", ((3, 13), (3, 12), (3, 11))),
        _in_cache("kerberos", ((3, 13), (3, 12), (3, 11))),
        _in_cache("fuzz", ((3, 13), (3, 12), (3, 11))),
        _in_cache("importer", ((3, 13), (3, 12)), has_collection=False),
        _in_cache("go", ((3, 13), (3, 12), (3, 11)), has_collection=False),
    )
}


def _lines(requirements: Path) -> Iterator[str]:
    """The lines that say something, included files in their place."""
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from _lines((requirements.parent / line[3:].strip()).resolve())
        elif line and not line.startswith("#"):
            yield line


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def _furnish(environment: Environment) -> None:
    """The collection under its full name, and the server's command."""
    site = next((environment.folder / "lib").glob("python3*/site-packages"))
    link(ROOT, site / COLLECTION)
    script = environment.bin / "scep-server"
    script.write_text(
        SCEP_SERVER.format(python=environment.python, files=str(ROOT / "roles" / "scep_server" / "files")),
        encoding="utf-8",
    )
    script.chmod(0o755)


def build(environment: Environment, python: Path | None = None) -> None:
    """Make the environment, unless it stands already with the same interpreter and the same requirements.

    Changed requirements are installed on top, another interpreter starts anew; `make clean` brings newer versions.

    Raises:
        Failure: No interpreter, or pip failed.
    """
    python = python or interpreters.first_of(environment.pythons)
    requirements = ROOT / "dev" / environment.requirements
    wanted = [f"{python.resolve()} in {environment.folder}", *_lines(requirements)]
    stamp = environment.folder / ".built-for"
    built = stamp.read_text(encoding="utf-8").splitlines() if stamp.is_file() else []
    if built != wanted:
        start = time.monotonic()
        say(f"environment {environment.name}: {python} + dev/{environment.requirements} …")
        if built[:1] != wanted[:1]:
            _run(python, "-m", "venv", "--clear", environment.folder)
        stamp.unlink(missing_ok=True)
        pip = (environment.python, "-m", "pip", "--disable-pip-version-check", "--no-input")
        _run(*pip, "install", "--quiet", "--requirement", requirements)
        stamp.write_text("\n".join(wanted), encoding="utf-8")
        say(f"environment {environment.name}: ready in {time.monotonic() - start:.0f} s")
    if environment.has_collection:
        _furnish(environment)


def build_bench() -> Environment:
    """To measure with: the system's Python where it will do, as the role takes it, else the one of .venv.

    Distributions build theirs with the compiler's optimisations by profile, pyenv does not unless it is told.
    """
    debian.ensure(["python3-venv", "scep"])
    bench = ENVIRONMENTS["bench"]
    build(bench, interpreters.of_system(bench.pythons))
    return bench


def build_main() -> Environment:
    """.venv; on a Debian with nothing but its own Python the package that lets it make one comes first."""
    main = ENVIRONMENTS["main"]
    if not any(version in interpreters.found() for version in main.pythons):
        debian.ensure(["python3-venv"])
        interpreters.found.cache_clear()
    build(main)
    return main
