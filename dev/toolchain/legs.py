"""The table of legs: what `make test` runs, in this order, two at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toolchain import tasks
from toolchain.interpreters import Version
from toolchain.job import Job


@dataclass(frozen=True)
class Leg:
    """One row.

    ``environment`` names a row of environments.ENVIRONMENTS, ``packages`` rows of debian.PROOF, ``also`` the
    interpreters that the leg uses besides its own and that CI must have. Legs that share a name in ``alone_with``
    never run at the same time. The ``fast`` ones are `make check`.
    """

    name: str
    about: str
    environment: str
    run: Callable[[Job], None]
    packages: tuple[str, ...] = ()
    also: tuple[Version, ...] = ()
    alone_with: tuple[str, ...] = ()
    fast: bool = False


# The long ones first, so that two cores have something to do until the end.
LEGS: tuple[Leg, ...] = (
    Leg("lint", "ruff, mypy, shellcheck", "main", tasks.lint, packages=("shellcheck",), fast=True),
    Leg("unit-newest", "unit tests, newest of everything", "main", tasks.unit, packages=("openssl",), fast=True),
)
