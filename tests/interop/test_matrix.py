# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about interoperability says what the tests of this run proved. Runs last: see conftest.py."""

from __future__ import annotations

import pytest

from toolchain import matrix


def test_the_page_says_what_this_run_proved(results: matrix.Results) -> None:
    if results.left_out:
        pytest.skip(f"{results.left_out} tests did not run, so the page is not compared: run the whole leg interop")
    if results.failed:
        pytest.fail("the page is not compared, because other tests failed", pytrace=False)
    if matrix.committed() != matrix.page(results.document()):
        pytest.fail(f"docs/interop.md is not what this run gives: run '{matrix.REGENERATE}'", pytrace=False)
