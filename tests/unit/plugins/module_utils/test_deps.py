# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that lacks the libraries: everything can be imported, and one sentence says what is missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils import _deps

HERE = "ansible_collections.netcert.ndes.plugins.module_utils"
ROOT = Path(_deps.__file__).parent
MODULES = sorted(f"{HERE}.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}" for path in ROOT.rglob("*.py"))

WITHOUT = """
import importlib, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ImportError(f"No module named {name!r}")

absent, modules = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sys.meta_path.insert(0, Absent())
for module in modules:
    importlib.import_module(module)
from ansible_collections.netcert.ndes.plugins.module_utils import _deps
print(json.dumps(_deps.report()))
"""


def report_without(*absent: str, modules: list[str]) -> str | None:
    """What `_deps.report` says in an interpreter of its own, after importing `modules` without some libraries."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(absent), json.dumps(modules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: str | None = json.loads(done.stdout)
    return found


def test_every_file_is_imported_without_any_library() -> None:
    sentence = report_without("cryptography", "requests", "asn1crypto", modules=MODULES)
    assert sentence is not None
    assert f"cryptography>={_deps.LOWEST['cryptography']}" in sentence
    assert sys.executable in sentence
    assert "\n" not in sentence


def test_the_core_needs_cryptography_alone() -> None:
    core = [module for module in MODULES if module.startswith(f"{HERE}.scep.")]
    assert report_without("requests", "asn1crypto", "ansible", modules=core) is None


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deps, "_missing", {})
    assert _deps.report() is None
    _deps.missing("requests", ImportError("No module named 'requests'"))
    _deps.missing("requests", ImportError("the second import says something else"))
    sentence = _deps.report() or ""
    assert "requests>=2.25" in sentence
    assert "No module named 'requests'" in sentence
    assert "cryptography" not in sentence
    _deps.missing("cryptography", ImportError("libssl.so is missing"))
    sentence = _deps.report() or ""
    assert "Install there: cryptography>=36.0 requests>=2.25." in sentence
    assert "libssl.so is missing" in sentence


@pytest.mark.parametrize("library", sorted(_deps.LOWEST))
def test_stated_versions_are_those_of_the_requirements(library: str) -> None:
    stated = ROOT.parents[1] / "requirements.txt"
    lines = [line.split("#")[0].replace(" ", "") for line in stated.read_text().splitlines()]
    assert any(line.startswith(f"{library}>={_deps.LOWEST[library]}") for line in lines), lines
    assert importlib.util.find_spec(library)
