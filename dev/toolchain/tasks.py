"""What the legs do."""

from __future__ import annotations

from toolchain.job import Job


def lint(job: Job) -> None:
    """Linters of Python and shell."""
    job.check("ruff", "check", ".")
    job.check("ruff", "format", "--check", ".")


def unit(job: Job) -> None:
    """Every unit test."""
    job.pytest("tests/unit")
