"""docs/interop.md: which SCEP software was seen to work with ours, as the interop tests wrote it down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from toolchain.peers import STEP_CA
from toolchain.places import BUILD, ROOT, Failure

RESULTS = BUILD / "interop.json"
PAGE = ROOT / "docs" / "interop.md"
REGENERATE = "make matrix"

Exchange = dict[str, Any]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """Somebody else's software. ``version`` is there where no Debian package has one.

    ``numbers`` of the version are shown: as many as a Debian release keeps.
    """

    name: str
    label: str
    package: str
    part: str
    numbers: int = 3
    version: str = ""


CLIENTS, SERVERS, FORMATS = "clients", "servers", "formats"

PEERS = {
    peer.name: peer
    for peer in (
        Peer("scepclient", "micromdm scepclient", "scep", CLIENTS),
        Peer("strongswan", "strongSwan pki", "strongswan-pki", CLIENTS),
        Peer("certmonger", "certmonger", "certmonger", CLIENTS),
        Peer("ours", "the modules of this collection", "", CLIENTS),
        Peer("scepserver", "micromdm scepserver", "scep", SERVERS),
        Peer("stepca", "step-ca", "", SERVERS, version=STEP_CA.version),
        Peer("openssl", "openssl", "openssl", FORMATS, numbers=2),
    )
}

# What a test may claim, with the head of its column.
DOES = {
    "ca": "CA certificates",
    "enrols": "enrols",
    "renews": "renews",
    "polls": "waits for approval",
    "asks": "GetCert, GetCRL",
    "password": "wrong password",
    "reads": "reads what we write",
    "writes": "writes what we read",
}

_PARTS = {
    CLIENTS: ("Clients at our server", ("ca", "enrols", "renews", "polls", "asks", "password")),
    SERVERS: ("Our client at other servers", ("ca", "enrols", "renews", "polls", "asks", "password")),
    FORMATS: ("Formats", ("reads", "writes")),
}

# The request whose success is the proof of each kind of conversation, with its name where clients differ in it.
_KINDS = {
    "enrols": {"PKCS_REQ": ""},
    "renews": {"RENEWAL_REQ": "RenewalReq", "PKCS_REQ": "PKCSReq"},
    "polls": {"CERT_POLL": "CertPoll", "PKCS_REQ": "PKCSReq"},
    "asks": {"GET_CERT": "GetCert", "GET_CRL": "GetCRL"},
}

_HEAD = """\
# What works with what

Made by `make matrix` from what the tests in `tests/interop` saw; not written by hand. Message types, methods, ciphers
and digests were read from the messages on their way; `request / reply` where the two differ. A dash: no test says
anything.
"""


@dataclass(frozen=True)
class Claim:
    """What a test proves when it passes; ``works`` False: a limit, which ``how`` describes.

    Raises:
        ValueError: It speaks of a peer or a matter that the tables do not have, or of a limit without saying which.
    """

    peer: str
    does: str
    how: str = ""
    works: bool = True

    def __post_init__(self) -> None:
        if self.peer not in PEERS or self.does not in DOES or not (self.works or self.how):
            raise ValueError(f"{self} is not in the tables of {__name__}, or is a limit that says nothing")


@dataclass
class Results:
    """The claims of a run. ``left_out`` counts tests that did not run, ``failed`` those that did not pass."""

    entries: list[Entry] = field(default_factory=list)
    left_out: int = 0
    failed: int = 0

    def add(self, test: str, claim: Claim, *, passed: bool, exchanges: list[Exchange]) -> None:
        self.entries.append({"test": test, **vars(claim), "passed": passed, "exchanges": exchanges})

    def document(self) -> dict[str, Any]:
        named = {entry["peer"] for entry in self.entries}
        versions = {name: peer.version or _version(peer.package) for name, peer in PEERS.items() if name in named}
        return {"left_out": self.left_out, "failed": self.failed, "versions": versions, "claims": self.entries}


def _version(package: str) -> str:
    """The version of an installed Debian package; empty when there is none."""
    if not package:
        return ""
    query = ("dpkg-query", "--show", "--showformat=${source:Upstream-Version}", package)
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()


def page(document: dict[str, Any]) -> str:
    """The page, in Markdown, from what a run wrote down. Only claims that passed are in it."""
    proven = [entry for entry in document["claims"] if entry["passed"]]
    blocks = [_HEAD]
    for part, (title, columns) in _PARTS.items():
        rows = [peer for peer in PEERS.values() if peer.part == part]
        blocks.append(f"## {title}\n\n{_table(rows, columns, proven, document['versions'])}\n")
    limits = sorted({_limit(entry) for entry in proven if not entry["works"]})
    blocks.append("\n".join(["## What is known not to work", "", *limits, ""]))
    return "\n".join(blocks)


def _table(peers: list[Peer], columns: tuple[str, ...], proven: list[Entry], versions: dict[str, str]) -> str:
    lines = [["", *(DOES[does] for does in columns)], ["---"] * (len(columns) + 1)]
    for peer in peers:
        version = ".".join(versions.get(peer.name, "").split(".")[: peer.numbers])
        cells = (
            _cell(does, [entry for entry in proven if entry["works"] and _is_about(entry, peer, does)])
            for does in columns
        )
        lines.append([f"{peer.label} {version}".strip(), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_about(entry: Entry, peer: Peer, does: str) -> bool:
    return bool(entry["peer"] == peer.name and entry["does"] == does)


def _cell(does: str, entries: list[Entry]) -> str:
    if not entries:
        return "-"
    remarks = sorted({entry["how"] for entry in entries if entry["how"]})
    kinds = _KINDS.get(does, {})
    good = [exchange for entry in entries for exchange in entry["exchanges"] if _proves(does, exchange)]
    seen = [
        _joined(kinds[exchange["request"]["kind"]] for exchange in good),
        _joined(exchange["method"] for exchange in good),
        *(_both(good, what) for what in ("cipher", "digest")),
    ]
    return "; ".join([*filter(None, seen), *remarks]) or "yes"


def _proves(does: str, exchange: Exchange) -> bool:
    """Whether it is an exchange of the kind that is claimed, and not, say, the enrolment before a renewal."""
    request, reply = exchange["request"], exchange["reply"] or {}
    wanted = request["kind"] in _KINDS.get(does, {}) and reply.get("status") == "SUCCESS"
    return wanted and (does not in ("enrols", "renews") or request["renewing"] == (does == "renews"))


def _both(exchanges: list[Exchange], what: str) -> str:
    """The algorithms of requests and, where they differ, of replies."""

    def pairs() -> Iterator[str]:
        for exchange in exchanges:
            request, reply = exchange["request"][what], exchange["reply"][what]
            yield request if request == reply else f"{request} / {reply}"

    return _joined(pairs())


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts)))


def _limit(entry: Entry) -> str:
    peer = PEERS[entry["peer"]]
    return f"- {peer.label}, {DOES[entry['does']]}: {entry['how']}."


def committed() -> str:
    """The page as it stands; empty when there is none."""
    return PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""


def write() -> None:
    """Make the page anew from the last run.

    Raises:
        Failure: There was none, or not all of its tests ran and passed.
    """
    if not RESULTS.is_file():
        raise Failure("there are no results yet: run 'make test LEGS=interop'")
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    if document["failed"] or document["left_out"]:
        raise Failure(
            f"the last run of the interop tests had {document['failed']} failures and left out {document['left_out']} "
            "tests: the page is made of whole runs only, 'make test LEGS=interop'"
        )
    PAGE.write_text(page(document), encoding="utf-8")
