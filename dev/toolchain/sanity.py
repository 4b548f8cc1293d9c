"""ansible-test sanity without a container engine, on every Python of 3.9 to 3.13 that is here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from toolchain import interpreters, worktree
from toolchain.job import Counts, Job, Stopped


def _place_get_pip(job: Job) -> None:
    """Under the name of the pip version that this ansible-test wants."""
    package = next((job.environment.folder / "lib").glob("python3*/site-packages/ansible_test"))
    source = (package / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    version = re.search(r"\bpip=[\"']([0-9.]+)[\"']", source)
    if version is None:
        raise Stopped("ansible-test no longer says in python_requirements.py which pip it wants")
    place = job.home / ".ansible" / "test" / "cache" / f"get_pip_{version[1].replace('.', '_')}.py"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("get_pip.py"), place)


def sanity(job: Job) -> None:
    """All sanity tests, each counted; there are no ignore files."""
    _place_get_pip(job)
    folders = list(dict.fromkeys(str(python.parent) for python in interpreters.found().values()))
    with worktree.copy() as tree:
        if ignores := sorted(path.name for path in tree.glob("tests/sanity/ignore*")):
            raise Stopped(f"this collection keeps no sanity ignore files: {', '.join(ignores)}")
        code, printed = job.run("ansible-test", "sanity", "--local", "--color", "no", cwd=tree, folders=folders)
    ran = re.findall(r"^Running sanity test .*", printed, re.MULTILINE)  # one line for each Python
    broken = re.search(r"^(?:FATAL: |ERROR: )The (\d+) sanity test\(s\) listed below", printed, re.MULTILINE)
    failed = int(broken[1]) if broken else int(code != 0)
    job.counts.add(Counts(passed=max(len(ran) - failed, 0), failed=failed))
