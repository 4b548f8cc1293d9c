# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about interoperability: what it says, and what it must not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolchain import matrix
from toolchain.matrix import Claim, Results
from toolchain.places import Failure


def exchange(
    kind: str = "PKCS_REQ", status: str = "SUCCESS", cipher: str = "AES-128", reply: str = "", *, renewing: bool = False
) -> Any:
    return {
        "method": "POST",
        "request": {"kind": kind, "digest": "SHA-256", "cipher": cipher, "status": "", "renewing": renewing},
        "reply": {"kind": "CERT_REP", "digest": "SHA-256", "cipher": reply or cipher, "status": status},
    }


def page_of(*claims: tuple[Claim, bool, list[Any]]) -> str:
    results = Results()
    for claim, passed, exchanges in claims:
        results.add("a test", claim, passed=passed, exchanges=exchanges)
    return matrix.page({"claims": results.entries, "versions": {"scepclient": "2.1.0", "openssl": "3.0.19"}})


def row(page: str, label: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {label}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_cell_tells_what_went_over_the_wire_with_success() -> None:
    claim = Claim("scepclient", "enrols", how="a remark")
    seen = [exchange(), exchange(cipher="3DES", reply="single DES"), exchange(status="FAILURE", cipher="AES-256")]
    cells = row(page_of((claim, True, [*seen, exchange(kind="GET_CRL", cipher="AES-192")])), "micromdm scepclient")
    assert cells == [
        "micromdm scepclient 2.1.0",
        "-",
        "POST; 3DES / single DES, AES-128; SHA-256; a remark",
        *("-", "-", "-", "-"),
    ]


def test_a_renewal_is_told_from_the_enrolment_before_it() -> None:
    first = exchange(cipher="3DES")
    seen = [first, exchange(kind="PKCS_REQ", renewing=True), exchange(kind="RENEWAL_REQ", renewing=True)]
    page = page_of((Claim("scepclient", "renews"), True, seen), (Claim("scepclient", "enrols"), True, seen))
    cells = row(page, "micromdm scepclient")
    assert cells[2:4] == ["POST; 3DES; SHA-256", "PKCSReq, RenewalReq; POST; AES-128; SHA-256"]


def test_what_failed_is_not_said() -> None:
    page = page_of(
        (Claim("scepclient", "enrols"), False, [exchange()]),
        (Claim("scepclient", "ca", works=False, how="a limit"), False, []),
    )
    assert set(row(page, "micromdm scepclient")[1:]) == {"-"}
    assert "a limit" not in page


def test_limits_are_listed_and_leave_the_cell_alone() -> None:
    page = page_of((Claim("scepclient", "enrols", works=False, how="not without the switch"), True, [exchange()]))
    assert row(page, "micromdm scepclient")[2] == "-"
    assert "- micromdm scepclient, enrols: not without the switch." in page.splitlines()


def test_the_order_of_the_tests_does_not_show() -> None:
    one = (Claim("certmonger", "ca", how="one"), True, [])
    other = (Claim("certmonger", "ca", how="other"), True, [])
    assert page_of(one, other) == page_of(other, one)


def test_a_version_is_cut_to_what_a_release_keeps() -> None:
    assert row(page_of(), "openssl")[0] == "openssl 3.0"


@pytest.mark.parametrize(
    "words", [{"peer": "nobody", "does": "enrols"}, {"peer": "ours", "does": "flies"}, {"does": "ca", "works": False}]
)
def test_a_claim_keeps_to_the_tables(words: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not in the tables"):
        Claim(**{"peer": "ours", **words})


@pytest.mark.parametrize(("failed", "left_out", "good"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_the_page_is_made_of_whole_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failed: int, left_out: int, good: bool
) -> None:
    monkeypatch.setattr(matrix, "RESULTS", tmp_path / "interop.json")
    monkeypatch.setattr(matrix, "PAGE", tmp_path / "interop.md")
    with pytest.raises(Failure, match="no results yet"):
        matrix.write()
    document = {"failed": failed, "left_out": left_out, "versions": {}, "claims": []}
    matrix.RESULTS.write_text(json.dumps(document), encoding="utf-8")
    if good:
        matrix.write()
    else:
        with pytest.raises(Failure, match="whole runs only"):
            matrix.write()
    assert matrix.PAGE.exists() == good
