# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stated in one file of the collection and has to hold in another."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}


def requirements(name: str, operator: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(rf"^([\w-]+){operator}([0-9.]+?)(?:\.\*)?$", text, re.MULTILINE))


def test_the_lowest_versions_leg_has_the_lowest_versions_that_are_promised() -> None:
    promised = requirements("requirements.txt", ">=")
    tested = requirements("dev/requirements-lowest.txt", "==")
    assert promised
    assert {name: tested.get(name) for name in promised} == promised


def test_every_module_is_in_the_action_group_of_its_name() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    for group, members in runtime["action_groups"].items():
        assert sorted(members) == sorted(name for name in MODULES if name.startswith(f"{group}_"))


def test_controller_side_modules_have_an_action_plugin_of_the_same_name() -> None:
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    assert actions
    assert actions == {name for name in MODULES if name.startswith(("scep_", "ndes_otp"))}
