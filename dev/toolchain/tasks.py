"""What the legs do, one function for each."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from toolchain import worktree
from toolchain.job import Counts, Job
from toolchain.places import BUILD, CACHE, CI, COLLECTION, NAME, NAMESPACE, ROOT, link

FULL_NAME = f"{NAMESPACE}.{NAME}"
SERVER = ROOT / "roles" / "scep_server" / "files"
FUZZ_SECONDS = 20


def _shell_scripts() -> list[Path]:
    def is_shell(path: Path) -> bool:
        if path.suffix:
            return path.suffix == ".sh"
        with (ROOT / path).open("rb") as script:
            return script.readline() in {b"#!/usr/bin/env bash\n", b"#!/bin/sh\n"}

    return [path for path in worktree.files() if is_shell(path)]


def lint(job: Job) -> None:
    """Linters of Python and shell.

    mypy sees each module under the one name by which it is imported, through a folder with a symlink of its own:
    it refuses site-packages as a place of sources.
    """
    job.check("ruff", "check", ".")
    job.check("ruff", "format", "--check", ".")
    tree = CACHE / "mypy-tree"
    link(ROOT, tree / COLLECTION)
    packages = [".".join([*COLLECTION.parts, "plugins"]), "scep_server", "toolchain"]
    job.check(
        "mypy",
        *(word for package in packages for word in ("--package", package)),
        variables={"MYPYPATH": f"{tree}:{SERVER}:{ROOT / 'dev'}"},
    )
    if shutil.which("shellcheck") or CI:
        job.check("shellcheck", *_shell_scripts())
    else:
        job.skip("shellcheck is not here: install it with 'apt-get install shellcheck'")


def pytest(*words: str) -> Callable[[Job], None]:
    """A leg that runs pytest with these words: folders, and options."""
    return lambda job: job.pytest(*words)


def ansible_lint(job: Job) -> None:
    """ansible-lint at its strictest, without asking Galaxy for anything."""
    job.check("ansible-lint", "--offline", "--profile", "production", "--strict", "--nocolor")


def changelog(job: Job) -> None:
    """The fragments and the changelog's own file."""
    job.check("antsibull-changelog", "lint")
    job.check("antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml")


def docs_lint(job: Job) -> None:
    """The documentation in the plugins and roles: schema, markup, references."""
    job.check("antsibull-docs", "lint-collection-docs", "--plugin-docs", ".")


def docs_site(job: Job) -> None:
    """The site: guides from docs/, the reference from the plugins; a warning fails the build."""
    site = BUILD / "docs"
    shutil.rmtree(site, ignore_errors=True)
    source = site / "source"
    shutil.copytree(ROOT / "docs", source)
    reference = source / "reference"
    reference.mkdir(mode=0o755)
    words = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", reference)
    job.need("antsibull-docs", "collection", *words, FULL_NAME)
    job.check("sphinx-build", "--fail-on-warning", "--keep-going", "--builder", "html", source, site / "html")


def galaxy(job: Job) -> None:
    """The tarball, what Galaxy's importer says of it, and an installation without a network."""
    with worktree.copy() as tree:
        job.need("ansible-galaxy", "collection", "build", "--force", f"--output-path={BUILD}", cwd=tree)
    tarball = max(BUILD.glob(f"{NAMESPACE}-{NAME}-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory(prefix="netcert-") as temporary:
        code, printed = job.run("python", "-m", "galaxy_importer.main", tarball, cwd=Path(temporary))
        complaints = [line for line in printed.splitlines() if line.startswith(("WARNING", "ERROR"))]
        job.count(code == 0 and not complaints)
        place = {"ANSIBLE_COLLECTIONS_PATH": temporary}
        job.check("ansible-galaxy", "collection", "install", "--offline", tarball, variables=place)
        listed = job.need("ansible-doc", "--list", "--type", "module", FULL_NAME, variables=place)
        modules = {f"{FULL_NAME}.{path.stem}" for path in (ROOT / "plugins" / "modules").glob("*.py")}
        job.count(modules == {line.split()[0] for line in listed.splitlines() if line.strip()})


def fuzz(job: Job) -> None:
    """The message reader, for a short time; `make fuzz` takes longer. Each target counts."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64") and not CI:
        job.skip("atheris, the fuzzer, is to be had for Linux on x86-64 alone")
        return
    code, printed = job.run("python", "-m", "fuzz", str(FUZZ_SECONDS), cwd=ROOT / "tests")
    good, bad = (len(re.findall(rf"^\S+ +\d+ inputs  {word}$", printed, re.MULTILINE)) for word in ("good", "FAILED"))
    job.counts.add(Counts(passed=good, failed=max(bad, int(code != 0))))


def molecule(*which: str) -> Callable[[Job], None]:
    """A leg that runs scenarios, end to end; each playbook of a scenario counts."""

    def run(job: Job) -> None:
        code, printed = job.run("molecule", "test", *which)
        recap = printed.rpartition("SCENARIO RECAP")[2]
        good, bad = (sum(map(int, re.findall(rf"\b{word}=(\d+)", recap))) for word in ("successful", "failed"))
        job.counts.add(Counts(passed=good, failed=max(bad, int(code != 0))))

    return run
