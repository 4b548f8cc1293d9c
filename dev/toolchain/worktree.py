"""Copies of the work tree, for tools that want a real path .../ansible_collections/netcert/ndes or a clean folder."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from toolchain.places import COLLECTION, ROOT


def files() -> list[Path]:
    """What git has or would have: the files of the work tree, committed or not, without the ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = map(Path, sorted(set(listed.stdout.split("\0")) - {""}))
    return [path for path in paths if (ROOT / path).is_symlink() or (ROOT / path).is_file()]


@contextlib.contextmanager
def copy() -> Iterator[Path]:
    """The work tree as the one commit of a git repository under TMP/ansible_collections: ansible-test asks git."""
    with tempfile.TemporaryDirectory(prefix="netcert-") as temporary:
        tree = Path(temporary).resolve() / COLLECTION
        for path in files():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, tree / path, follow_symlinks=False)
        for words in (
            ("init", "--quiet"),
            ("add", "--all", "--force"),
            ("-c", "user.name=dev", "-c", "user.email=dev@localhost", "commit", "--quiet", "--message=work tree"),
        ):
            subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)
        yield tree
