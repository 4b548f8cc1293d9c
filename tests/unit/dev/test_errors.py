# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about errors: it says what the source says, and nothing is left out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import errors, sentences
from toolchain.places import Failure
from toolchain.remedy import Remedy
from toolchain.sentences import Sentence


def test_the_page_is_made_of_what_is_here() -> None:
    assert errors.page() == errors.committed(), f"run '{errors.REGENERATE}', and commit docs/guides/errors.md"


def gathered(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    monkeypatch.setattr(sentences, "RETURNED", {})
    (tmp_path / "errors.py").write_text("class ScepError(Exception):\n    pass\n\n\nclass Bad(ScepError):\n    pass\n")
    (tmp_path / "code.py").write_text(text)
    found = sentences.gather(sentences.read_source(tmp_path))
    return [(sentence.kind, sentence.text) for sentence in found]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('raise Bad("It is bad.")', ["It is bad."]),
        ('raise Bad(f"It is {what}, {a.b_c!r} of {LIMIT}.")', ["It is <what>, <b c> of 12."]),
        ('raise Bad(f"{name(it)} at {found[0][1]} has {len(x)}; {fingerprint(it)}.")',
         ["<it> at <found> has <x>; <fingerprint of it>."]),
        ('raise Bad(f"{reason.replace(\'_\', \' \').lower()} in {\', \'.join(names)}.")', ["<reason> in <names>."]),
        ('where = f"At {place}"\n    raise Bad(f"{where} it is bad.")', ["At <place> it is bad."]),
        ('raise Bad("One." if it else "Other.")', ["One.", "Other."]),
        ("raise Bad(sentence(it))", ["It is bad: <it>.", "It is worse."]),
        ("raise Bad(SENTENCE)", ["It stands above."]),
        ("raise Bad(str(error))", []),
        ('raise KeyError("not ours")', []),
        ("raise Bad", []),
    ],
)  # fmt: skip
def test_how_a_sentence_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: list[str]
) -> None:
    before = (
        'LIMIT = 3 * 4\nSENTENCE = "It stands above."\n\n\ndef sentence(it):\n    if it:\n'
        '        return f"It is bad: {it}."\n    return "It is worse."\n\n\ndef work(what):\n    '
    )
    assert gathered(tmp_path, before + code, monkeypatch) == [("Bad", text) for text in expected]


@pytest.mark.parametrize("code", ["raise Bad(found.text)", "raise Bad(elsewhere(it))", "raise Bad(text)"])
def test_what_cannot_be_read_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    with pytest.raises(Failure, match=r"code\.py:2: this cannot be read as a sentence"):
        gathered(tmp_path, f"def work(text):\n    {code}", monkeypatch)


def test_a_class_with_one_sentence_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        'class Own(ScepError):\n    def __init__(self):\n        super().__init__("Its own.")\n\n\n'
        "class Given(ScepError):\n    def __init__(self, text):\n        super().__init__(text)\n"
    )
    assert gathered(tmp_path, code, monkeypatch) == [("Own", "Its own.")]


def test_an_option_stands_before_its_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "class OptionError(ScepError):\n    pass\n\n\ndef work(option):\n"
        '    OptionError("mode", "bad.")\n    OptionError(option, "worse.")\n'
    )
    assert gathered(tmp_path, code, monkeypatch) == [("OptionError", "<option>: worse."), ("OptionError", "mode: bad.")]


def test_a_function_that_is_gone_is_missed(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="RETURNED names"):
        sentences.gather(sentences.read_source(tmp_path))


BAD, WORSE = Sentence("Bad", "It is bad.", "code.py:1"), Sentence("Bad", "It is worse.", "code.py:2")


def test_each_sentence_gets_its_row() -> None:
    rows = (Remedy(("is bad",), "a cause", "a step"), Remedy(("worse.$",), "another", "another"))
    assert errors.assign([BAD, WORSE], rows) == {BAD: rows[0], WORSE: rows[1]}


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([("is bad",)], "code.py:2: 0 rows for Bad 'It is worse.'"),
        ([("is bad", "worse"), ("It is",)], "code.py:1: 2 rows for Bad 'It is bad.'"),
        ([("is bad", "worse", "gone")], "no sentence has 'gone'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(parts: list[tuple[str, ...]], complaint: str) -> None:
    with pytest.raises(Failure) as caught:
        errors.assign([BAD, WORSE], [Remedy(part, "a cause", "a step") for part in parts])
    assert complaint in str(caught.value)


@pytest.mark.parametrize("row", errors.REMEDIES, ids=lambda row: row.parts[0])
def test_a_row_is_whole(row: Remedy) -> None:
    assert row.parts and all(row.parts)
    for text in (row.cause, row.step):
        assert text and text == " ".join(text.split()) and not text.endswith(".")
