# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from people_visitor import Visit, Visitor
from scep_device import ServedWith


@pytest.fixture
def visit(state: Path, served_with: ServedWith) -> Visit:
    """Somebody at a server with these settings, where enrolments wait for a person."""
    (state / "users").write_text("CORP:alice:Pw1\nCORP:bob:Pw2\n")

    def visit(**settings: Any) -> Visitor:
        given = {"admin_page": True, "users_file": "users", "admin_auth": ["basic"], "approval": "enrolment"}
        return Visitor(served_with(**given | settings))

    return visit
