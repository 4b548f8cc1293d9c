"""The targets of the Makefile."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable

from toolchain import demonstration, environments, interpreters, matrix, runner
from toolchain.legs import LEGS
from toolchain.places import BUILD, CACHE, ROOT, VENV, Failure, say


def venv(_names: list[str]) -> int:
    """Make .venv."""
    main_environment = environments.build_main()
    say(f".venv is ready; '. {main_environment.bin.relative_to(VENV.parent)}/activate' puts its commands on PATH")
    return 0


def demo(_names: list[str]) -> int:
    """Run the demonstration playbook."""
    playbook = environments.build_main().bin / "ansible-playbook"
    return demonstration.run(playbook, os.pathsep.join([str(VENV / "bin"), *interpreters.plain_path()]))


def check(names: list[str]) -> int:
    """Run the fast legs; nothing is installed outside the checkout."""
    return runner.run([leg for leg in LEGS if leg.fast], names, install=False)


def test(names: list[str]) -> int:
    """Run every leg."""
    return runner.run(list(LEGS), names, install=True)


def bench(names: list[str]) -> int:
    """Measure the server: all parts, or those named."""
    environment = environments.build_bench()
    tests = str(ROOT / "tests")
    return subprocess.run([environment.python, "-m", "benchmark", *names], check=False, cwd=tests).returncode


def fuzz(words: list[str]) -> int:
    """Fuzz the message reader: seconds in all, then targets, all of them by default."""
    environment = environments.ENVIRONMENTS["fuzz"]
    environments.build(environment)
    tests = ROOT / "tests"
    return subprocess.run([environment.python, "-m", "fuzz", *words], check=False, cwd=tests).returncode


def write_matrix(_names: list[str]) -> int:
    """Make docs/interop.md of what the last run of the leg interop wrote down."""
    matrix.write()
    say(f"{matrix.PAGE.relative_to(ROOT)} is made anew; look at the difference, and commit it")
    return 0


def write_errors(_names: list[str]) -> int:
    """Make docs/guides/errors.md of the tables and the source."""
    python = environments.build_main().bin / "python"
    return subprocess.run([python, "-m", "toolchain.errors"], check=False, cwd=ROOT / "dev").returncode


def clean(_names: list[str]) -> int:
    """Remove what the other targets made."""
    for folder in (VENV, CACHE, BUILD):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


TARGETS: dict[str, Callable[[list[str]], int]] = {
    "venv": venv,
    "demo": demo,
    "check": check,
    "test": test,
    "bench": bench,
    "fuzz": fuzz,
    "matrix": write_matrix,
    "errors": write_errors,
    "clean": clean,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="dev",
        description="Stands behind the Makefile.",
        epilog="legs of check and test: " + ", ".join(f"{leg.name}{' (fast)' * leg.fast}" for leg in LEGS),
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument(
        "leg", nargs="*", help="only these legs of check or test, or parts of bench, or seconds and targets of fuzz"
    )
    arguments = parser.parse_args()
    try:
        return TARGETS[arguments.target](arguments.leg)
    except Failure as failure:
        say(f"make {arguments.target}: {failure}")
        return 1
    except KeyboardInterrupt:
        say(f"make {arguments.target}: interrupted")
        return 130
