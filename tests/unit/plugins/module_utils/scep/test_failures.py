# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal is said to mean: each row of the tables, and the sentence for each kind of reply."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, attributes, failures
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import FAIL_INFOS, HRESULTS, Failure, explain
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply

from support.pki import Pki

UNKNOWN = 0x80070005
ROWS = [*FAIL_INFOS.values(), *HRESULTS.values()]

# As the field writes them down: NDES's own decimal numbers beside Microsoft's hexadecimal ones.
SIGNED = {
    0x80004005: -2147467259,
    0x80070002: -2147024894,
    0x80070057: -2147024809,
    0x800700EA: -2147024662,
    0x80070490: -2147023728,
    0x800706BA: -2147023174,
    0x80090005: -2146893819,
    0x8009000B: -2146893813,
    0x80092013: -2146885613,
    0x8009310B: -2146881269,
    0x80094001: -2146877439,
    0x80094009: -2146877431,
    0x80094011: -2146877423,
    0x80094012: -2146877422,
    0x80094014: -2146877420,
    0x80094800: -2146875392,
    0x80094801: -2146875391,
    0x80094806: -2146875386,
    0x80094809: -2146875383,
    0x8009480A: -2146875382,
    0x80094811: -2146875375,
    0x80096004: -2146869244,
    0x800B0110: -2146762480,
}


def sentence(pki: Pki, fail_info: FailInfo | None, hresult: int | None = None, text: str | None = None) -> str:
    return explain(Reply(PkiStatus.FAILURE, fail_info, text, hresult, (), (), "sha256", None, pki.ra_sign.certificate))


def test_every_fail_info_has_a_row() -> None:
    assert {info: row.name for info, row in FAIL_INFOS.items()} == {info: info.camel for info in FailInfo}


def test_the_decimal_numbers_are_those_of_the_field() -> None:
    assert {code: row.signed for code, row in HRESULTS.items()} == SIGNED


@pytest.mark.parametrize("row", HRESULTS.values(), ids=lambda row: row.name)
def test_the_decimal_number_there_and_back(row: failures.Hresult) -> None:
    assert attributes.ms_error(row.code)[1] == asn1.printable(str(row.signed))
    assert int(str(row.signed)) & 0xFFFFFFFF == row.code == int(row.hexadecimal, 16)
    assert failures.hresult(row.code) is row


def test_names_are_there_once() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_whole_and_its_texts_are_clauses(row: Failure) -> None:
    for field in dataclasses.fields(row)[1:]:
        text = getattr(row, field.name)
        assert text and text == " ".join(text.split()) and not text.endswith((".", ";", ","))
    assert ";" not in row.cause, "a semicolon stands between cause and step"
    for clause in (row.meaning, row.cause, row.step):
        first = clause.split()[0]
        assert first[0] == "'" or first[0].islower() or first.isupper()


@pytest.mark.parametrize("fail_info", [None, *FailInfo])
def test_any_reply_has_a_sentence(pki: Pki, fail_info: FailInfo | None) -> None:
    named = f"failInfo {fail_info.camel}" if fail_info is not None else "no failInfo"
    for hresult, text in itertools.product([None, 0, UNKNOWN, 0xFFFFFFFF, *HRESULTS], [None, "", "No."]):
        found = sentence(pki, fail_info, hresult, text)
        assert found.startswith(f"The server refuses the request with {named}")
        assert found.endswith(".") and ".." not in found and "  " not in found and "None" not in found
        assert found.count(". Cause: ") == 1
        assert ("HRESULT 0x" in found) == (hresult is not None)
        assert ("; it says 'No.'. Cause" in found) == (text == "No.") and "''" not in found


@pytest.mark.parametrize("fail_info", [None, *FailInfo])
@pytest.mark.parametrize("row", HRESULTS.values(), ids=lambda row: row.name)
def test_the_more_exact_cause_wins(pki: Pki, fail_info: FailInfo | None, row: failures.Hresult) -> None:
    found = sentence(pki, fail_info, row.code)
    assert f"HRESULT {row.hexadecimal} ({row.name}: {row.meaning})" in found
    assert found.endswith(f". Cause: {row.cause}; {row.step}.")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x80070005, "an error, number 5 of FACILITY_WIN32, an error of Windows itself"),
        (0x80094999, "an error, number 18841 of FACILITY_SECURITY"),
        (0x800B0101, "an error, number 257 of FACILITY_CERT"),
        (0x8004D00A, "an error, number 53258 of FACILITY_ITF"),
        (0x82AA0001, "an error, number 1 of facility 682"),
        (0x00000000, "no error by its severity, number 0 of FACILITY_NULL"),
    ],
)
def test_an_unknown_hresult_tells_where_it_comes_from(pki: Pki, code: int, words: str) -> None:
    found = sentence(pki, FailInfo.BAD_REQUEST, code)
    general = FAIL_INFOS[FailInfo.BAD_REQUEST]
    assert f"HRESULT 0x{code:08X} (unknown here: {words}" in found
    assert f"Cause: {general.cause}; {general.step}; 'certutil -error 0x{code:08X}'" in found, "the cause is failInfo's"
    assert "Cause: not known; " in sentence(pki, None, code)


def test_what_the_server_says_cannot_steer_a_terminal(pki: Pki) -> None:
    found = sentence(pki, FailInfo.BAD_REQUEST, text="no\x1b[2J\r\nway\u202e\u2028\u0085\x00\ud800 here")
    assert "; it says 'no [2J way here'." in found and found.isprintable()
    assert "it says" not in sentence(pki, FailInfo.BAD_REQUEST, text="\x07\u200b ")


def test_a_long_text_is_cut(pki: Pki) -> None:
    limit = failures.MAX_QUOTED
    assert f"'{'x' * limit}'" in sentence(pki, None, text="x" * limit)
    assert f"'{'x' * limit} ...'" in sentence(pki, None, text="x" * (limit + 1))
