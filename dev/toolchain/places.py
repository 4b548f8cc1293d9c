"""Where things lie in a checkout, and how the steps of a run report to the person who waits."""

from __future__ import annotations

import os
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
BUILD = ROOT / "build"
LOGS = BUILD / "logs"

NAMESPACE, NAME = "netcert", "ndes"
COLLECTION = Path("ansible_collections", NAMESPACE, NAME)

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

_printing = threading.Lock()


class Failure(Exception):
    """What keeps a target from going on, in one sentence for the person who called make."""


def say(text: str) -> None:
    """Print at once, and whole: legs report from two threads."""
    with _printing:
        print(text, flush=True)


def link(target: Path, at: Path) -> None:
    """Make the symlink ``at`` point to ``target``, whatever it pointed to before."""
    if at.is_symlink() and at.readlink() == target:
        return
    at.parent.mkdir(parents=True, exist_ok=True)
    at.unlink(missing_ok=True)
    at.symlink_to(target)
