"""docs/guides/errors.md: every error with its cause and what to do, from tables and from the source."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.transport import DEFAULT_HINT, HINTS
from ansible_collections.netcert.ndes.plugins.module_utils.ndes import otp
from ansible_collections.netcert.ndes.plugins.module_utils.scep import failures

from toolchain import sentences
from toolchain.places import ROOT, Failure, say
from toolchain.remedies_client import CLIENT
from toolchain.remedies_ndes import NDES
from toolchain.remedies_protocol import PROTOCOL
from toolchain.remedy import Remedy
from toolchain.sentences import Sentence, Source

PAGE = ROOT / "docs" / "guides" / "errors.md"
REGENERATE = "make errors"
REMEDIES = (*CLIENT, *NDES, *PROTOCOL)

_HEAD = f"""\
# Errors, their causes, and what to do

Made by `{REGENERATE}` from the tables and the source of the collection; not written by hand. A module ends with one of
these sentences in `msg`. What stands in angle brackets is filled in.
"""

_FAIL_INFO = """\
## What a server answers: failInfo

A refused request (CertRep with the status FAILURE) names one of five reasons (RFC 8894 section 3.2.1.4). The sentence
of the module begins with `The server refuses the request with failInfo`, and quotes the failInfoText if there is one.
"""

_HRESULT = """\
## What NDES adds: HRESULT

NDES puts a more exact code into an attribute of its own (1.3.6.1.4.1.311.21.33), as a signed decimal number. Where both
are there, the module tells the cause of the HRESULT. Names and numbers are Microsoft's; 'usually' marks what was seen
in the field and is not documented. For a code that is not in this table the module tells where it comes from, as far as
its bits say, and `certutil -error 0x...` on a Windows host tells its text. To recycle the application pool SCEP voids
the challenge passwords that were handed out.
"""

_HTTP = """\
## HTTP statuses

The hint with which `answers <operation> with HTTP <status>` ends:
"""

_ADMIN_PAGE = """\
The same, when the administration page of NDES is asked for a challenge password:
"""

# Class of the error -> heading; classes that are not here go with their base.
KINDS = {
    "OptionError": "Options",
    "FileError": "Files",
    "TransportError": "The way to the server",
    "NoPassword": "The administration page of NDES",
    "Refused": "The decision of the server",
    "EnrollmentError": "Other errors of the client",
    "TrustError": "Trust",
    "ReplyError": "Replies",
    "BadAlgorithm": "Algorithms",
    "BadMessageCheck": "Signatures and encryption",
    "BadRequest": "Messages that are not permitted",
    "BadTime": "Times",
    "BadCertId": "Certificates that are not there",
    "DecodeError": "Messages that cannot be read",
    "ScepError": "Other errors of the protocol",
    "ValueError": "Parts of other sentences",
    "": "Missing libraries",
}

_BOTH_SIDES = """\
The protocol has one core for both sides: the sentences about messages that are not permitted, cannot be read or do not
verify are also what the reference server writes to its log and sends as failInfoText.
"""


def _kind(source: Source, name: str) -> str:
    return name if name in KINDS else _kind(source, source.bases[name])


def _fits(remedy: Remedy, sentence: Sentence) -> list[str]:
    """The parts that are in a sentence; a `$` at the end of a part stands for the end of the sentence."""
    return [part for part in remedy.parts if part in f"{sentence.text}$"]


def assign(found: Iterable[Sentence], remedies: Sequence[Remedy] = REMEDIES) -> dict[Sentence, Remedy]:
    """The row for each sentence.

    Raises:
        Failure: A sentence has none or several, or a row has a part that is in no sentence.
    """
    complaints: list[str] = []
    assigned: dict[Sentence, Remedy] = {}
    used: set[str] = set()
    for sentence in found:
        rows = [row for row in remedies if _fits(row, sentence)]
        used.update(part for row in rows for part in _fits(row, sentence))
        if len(rows) != 1:
            complaints.append(f"{sentence.place}: {len(rows)} rows for {sentence.kind} '{sentence.text}'")
        else:
            assigned[sentence] = rows[0]
    unused = [part for row in remedies for part in row.parts if part not in used]
    complaints += [f"no sentence has '{part}'" for part in unused]
    if complaints:
        raise Failure("\n  ".join(["the tables dev/toolchain/remedies_*.py do not fit the sentences:", *complaints]))
    return assigned


def page() -> str:
    """The page, in Markdown. Raises Failure as `assign` and `sentences.gather` do."""
    source = sentences.read_source()
    assigned = assign(sentences.gather(source))
    fail_infos = [(f"{row.code}", row.name, row.meaning, row.cause, row.step) for row in failures.FAIL_INFOS.values()]
    hresults = [
        (f"`{row.hexadecimal}`", f"{row.signed}", f"`{row.name}`", row.meaning, row.cause, row.step)
        for row in failures.HRESULTS.values()
    ]
    texts = ("Meaning", "Likely cause", "What to do")
    blocks = [
        _HEAD,
        _FAIL_INFO,
        _table(("Number", "failInfo", *texts), fail_infos),
        _HRESULT,
        _table(("HRESULT", "As NDES sends it", "Name", *texts), hresults),
        _HTTP,
        _hints(HINTS, DEFAULT_HINT),
        _ADMIN_PAGE,
        _hints(otp.HINTS, otp.DEFAULT_HINT),
        f"## What this side finds\n\n{_BOTH_SIDES}",
    ]
    for kind, title in KINDS.items():
        mine = {one: row for one, row in assigned.items() if _kind(source, one.kind) == kind}
        if mine:
            about = f"{source.about[kind]}\n\n" if kind in source.about else ""
            blocks.append(f"### {title}\n\n{about}{_table(('Sentence', 'Likely cause', 'What to do'), _rows(mine))}")
    return "\n".join(blocks)


def _hints(hints: Mapping[int, str], default: str) -> str:
    rows = [(str(status), hint) for status, hint in hints.items()]
    return _table(("Status", "Hint"), [*rows, ("any other", default)])


def _rows(assigned: dict[Sentence, Remedy]) -> list[tuple[str, ...]]:
    """One line for each row of the table, with its sentences of this kind, in the order of the table."""
    lines: list[tuple[str, ...]] = []
    for remedy in REMEDIES:
        texts = dict.fromkeys(f"`{one.text}`" for one, row in assigned.items() if row is remedy)
        if texts:
            lines.append(("<br>".join(texts), remedy.cause, remedy.step))
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def committed() -> str:
    """The page as it stands; empty when there is none."""
    return PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""


def main() -> int:
    """Make the page anew. It needs the libraries of the collection, so it runs in .venv."""
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except Failure as failure:
        say(f"{REGENERATE}: {failure}")
        return 1
    say(f"{PAGE.relative_to(ROOT)} is made anew; look at the difference, and commit it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
