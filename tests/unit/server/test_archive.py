# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive that the role ships: the same bytes for the same sources, and it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

archive = pytest.importorskip(
    "ansible_collections.netcert.ndes.plugins.lookup.scep_server_archive",
    reason="ansible-core is not installed: the lookup runs on controllers alone",
)


def test_same_sources_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = archive.build()
    copy = tmp_path / "elsewhere"
    for source, _unused in archive._SOURCES:
        original = archive._COLLECTION / source
        (copy / source).parent.mkdir(parents=True, exist_ok=True)
        if original.is_dir():
            shutil.copytree(original, copy / source, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(original, copy / source)
    for number, path in enumerate(sorted(path for path in copy.rglob("*") if path.is_file())):
        os.utime(path, (number, number))
        path.chmod(0o600)
    (copy / archive._SOURCES[0][0] / "__pycache__").mkdir(exist_ok=True)
    (copy / archive._SOURCES[0][0] / "__pycache__" / "x.pyc").write_bytes(b"x")
    monkeypatch.setattr(archive, "_COLLECTION", copy)
    assert archive.build() == first


def test_content(tmp_path: Path) -> None:
    path = tmp_path / "server.pyz"
    path.write_bytes(archive.build())
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    assert names == sorted(names) and {Path(name).suffix for name in names} == {".py", ".html", ".css"}
    scep = "ansible_collections/netcert/ndes/plugins/module_utils/scep/"
    assert {
        "__main__.py",
        "scep_server/cli.py",
        scep + "cms.py",
        scep + "failures.py",
        "scep_server/ndes/admin.py",
        "scep_server/people/page.html",
        scep + "__init__.py",
    } <= set(names)
    assert not [name for name in names if "enrollment" in name]


def test_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "server.pyz"
    path.write_bytes(archive.build())
    command = [sys.executable, "-I", str(path), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "scep-server 0.1.0\n"), done.stderr


def test_the_page_for_people_is_in_it(tmp_path: Path) -> None:
    """With the files that are no Python."""
    path = tmp_path / "server.pyz"
    path.write_bytes(archive.build())
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from scep_server.people import render; "
        "print(render.__file__, len(render.html('message.html', title='x', text='x').body))"
    )
    command = [sys.executable, "-I", "-c", program, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith(str(path)), done.stderr


def test_the_lookup_writes_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    first = archive.LookupModule().run([])
    assert archive.LookupModule().run([]) == first
    assert [str(path) for path in tmp_path.iterdir()] == first
    assert Path(first[0]).read_bytes() == archive.build()
