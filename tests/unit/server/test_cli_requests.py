"""`requests`, `audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request
from scep_device import Bench, Clock, Device, new_key

from scep_server import settings

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def waiting(state: Path, clock: Clock) -> Iterator[Bench]:
    """A server where enrolments wait for a person."""
    settings.save(state, {"approval": "enrolment"})
    bench = Bench(state, clock)
    yield bench
    bench.close()


@pytest.fixture
def three(waiting: Bench, device: Device) -> list[Request]:
    """Three requests that wait, with the ids 1 to 3."""
    requests = [waiting.request(device, password) for password in waiting.passwords(3)]
    assert [waiting.answer(request).status for request in requests] == [PkiStatus.PENDING] * 3
    return requests


def statuses(bench: Bench, requests: list[Request]) -> list[PkiStatus]:
    """What the clients get when they ask again."""
    return [bench.answer(request).status for request in requests]


def test_list(state: Path, waiting: Bench, three: list[Request], run: Run, people: People) -> None:
    _status, result = run(state, "requests", "list")
    assert [row["id"] for row in result["requests"]] == [1, 2, 3]
    first = result["requests"][0]
    assert (first["state"], first["subject"], first["client"]) == (
        "pending",
        "CN=device.example,O=Example",
        "192.0.2.7",
    )
    assert (first["created"], first["decided"], first["serial"]) == ("2026-06-01T12:00:00+00:00", None, None)
    assert first["transaction_id"] == three[0].transaction_id
    run(state, "requests", "approve", "1")
    run(state, "requests", "deny", "3")
    for wanted, ids in (("pending", [2]), ("issued", [1]), ("denied", [3]), ("all", [1, 2, 3])):
        _status, result = run(state, "requests", "list", "--state", wanted)
        assert [row["id"] for row in result["requests"]] == ids
    _status, lines, _unused = people(state, "requests", "list")
    assert [line.split()[:2] for line in lines] == [["ID", "STATE"], ["2", "pending"]]


def test_approve(state: Path, waiting: Bench, three: list[Request], run: Run, people: People) -> None:
    status, result = run(state, "requests", "approve", "1", "2", "2")
    assert (status, result["changed"], result["approved"]) == (0, True, [1, 2])
    assert statuses(waiting, three) == [PkiStatus.SUCCESS, PkiStatus.SUCCESS, PkiStatus.PENDING]
    (certificate,) = waiting.answer(three[0]).certificates
    assert int(result["serials"][0], 16) == certificate.serial_number
    status, (line,), _unused = people(state, "requests", "approve", "3")
    assert status == 0 and line.startswith("Issued ")


def test_deny(state: Path, waiting: Bench, three: list[Request], run: Run, people: People) -> None:
    status, result = run(state, "requests", "deny", "1", "2", "--reason", "not\nyours \x1b[31m")
    assert (status, result) == (0, {"changed": True, "denied": [1, 2]})
    reply = waiting.answer(three[0])
    assert (reply.status, reply.fail_info_text) == (PkiStatus.FAILURE, "The request was denied: not?yours ?[31m.")
    assert run(state, "requests", "list", "--state", "denied")[1]["requests"][0]["reason"] == "not?yours ?[31m"
    assert people(state, "requests", "deny", "3") == (0, ["Denied 3"], "")


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_one_that_is_unknown_keeps_no_other(
    state: Path, three: list[Request], run: Run, people: People, decision: str
) -> None:
    unknown = "There is no request 999; 'requests list' shows those that there are."
    status, result = run(state, "requests", decision, "999", "1", "2")
    assert (status, result["changed"], result["error"]) == (1, True, unknown)
    assert result["approved" if decision == "approve" else "denied"] == [1, 2]
    status, lines, error = people(state, "requests", decision, "3", "999", "1")
    assert (status, len(lines)) == (1, 1)
    assert [line.split(": ", 1)[0] for line in error.splitlines()] == ["scep-server"] * 2
    assert unknown in error and "Request 1 does not wait any more: it was " in error
    status, result = run(state, "requests", decision, "1")
    assert (status, result["changed"]) == (1, False)


def test_the_policy_of_today_refuses(state: Path, waiting: Bench, three: list[Request], run: Run) -> None:
    settings.save(state, {"approval": "enrolment", "subject_patterns": ["CN=other.*"]})
    status, result = run(state, "requests", "approve", "1")
    assert status == 1 and result["error"].startswith("Request 1 cannot be approved: The request asks for the subject")
    assert statuses(waiting, three)[0] is PkiStatus.PENDING
    assert run(state, "requests", "deny", "1")[0] == 0


def test_audit(state: Path, waiting: Bench, three: list[Request], run: Run, people: People) -> None:
    run(state, "requests", "approve", "1")
    run(state, "requests", "deny", "2", "--reason", "no")
    waiting.answer(waiting.request(Device(new_key(), "CN=stranger"), "wrong"))
    _status, result = run(state, "audit")
    outcomes = ["pending"] * 3 + ["approved", "denied", "refused"]
    assert [record["outcome"] for record in result["records"]] == outcomes
    assert [record["id"] for record in result["records"]] == [1, 2, 3, 4, 5, 6]
    assert result["records"][0]["time"] == "2026-06-01T12:00:00+00:00"
    _status, result = run(state, "audit", "--limit", "2")
    assert [record["outcome"] for record in result["records"]] == outcomes[-2:]
    _status, lines, _unused = people(state, "audit", "--limit", "1")
    assert lines[0].split()[:2] == ["TIME", "CLIENT"] and lines[1].endswith("badRequest: challenge password unknown")
