"""The store: requests that wait for a person, who asks for them, and the smaller tables."""

from __future__ import annotations

from typing import Any

import pytest
from stored import CA, NOW, key, record, row, together, waiting

from scep_server.store import Store
from scep_server.store.answers import DENIED, ISSUED, PENDING, Issued, Waiting
from scep_server.store.certificates import Crl
from scep_server.store.schema import SHARDS

OTHER_CA = "fedcba9876543210"


def pend(opened: Store, number: int, **changes: Any) -> int:
    """A request that waits: its id."""
    found = opened.answers.pend(waiting(key(number), **changes), None, record("pending"))
    assert found is not None
    return found


# Requests that wait


def test_pend_and_approve(opened: Store) -> None:
    request_id = pend(opened, 1)
    found = opened.answers.find(key(1))
    assert isinstance(found, Waiting) and (found.id, found.state, found.generation) == (request_id, PENDING, 0)
    assert opened.answers.pending() == 1
    assert opened.answers.issue(
        row(1, key(1), issued=NOW + 9), None, record("approved", NOW + 9), request_id=request_id
    )
    assert opened.answers.pending() == 0
    kept = opened.answers.request(request_id)
    assert kept is not None and (kept["state"], kept["decided"], kept["serial"]) == (ISSUED, NOW + 9, f"{1:032x}")
    granted = opened.answers.find(key(1))
    assert isinstance(granted, Issued) and int(granted.serial, 16) == 1
    assert opened.answers.find_for_signer("T1", b"k" * 32) == granted


def test_pend_takes_the_password_or_nothing(opened: Store) -> None:
    opened.challenges.add([b"m" * 32], now=NOW, expires=NOW + 60, limit=10, keep=0)
    password = opened.challenges.find(b"m" * 32)
    assert password is not None
    pended = together(8, lambda number: opened.answers.pend(waiting(key(number)), password.id, record("pending")))
    assert [found is not None for found in pended].count(True) == 1
    assert opened.answers.pending() == len(opened.audit.records()) == 1


def test_one_request_waits_once(opened: Store) -> None:
    pended = together(8, lambda _number: opened.answers.pend(waiting(key(0)), None, record("pending")))
    assert sorted(found is not None for found in pended) == [False] * 7 + [True]


def test_approved_by_many_at_once(opened: Store) -> None:
    request_id = pend(opened, 1)
    won = together(
        8,
        lambda number: opened.answers.issue(
            row(number, key(1), number), None, record("approved"), request_id=request_id
        ),
    )
    assert sorted(won) == [False] * 7 + [True]
    assert len(opened.certificates.newest(state=None, subject=None, now=NOW, limit=10)) == 1


def test_approved_and_denied_at_once(opened: Store) -> None:
    request_id = pend(opened, 1)

    def decide(number: int) -> bool:
        if number % 2:
            return opened.answers.deny(request_id, "no", record("denied"))
        return opened.answers.issue(row(number + 1, key(1), number), None, record("approved"), request_id=request_id)

    won = together(8, decide)
    assert sorted(won) == [False] * 7 + [True]
    kept = opened.answers.request(request_id)
    assert kept is not None and kept["state"] == (DENIED if won.index(True) % 2 else ISSUED)
    outcomes = [line["outcome"] for line in opened.audit.records()]
    assert outcomes == ["pending", "denied" if won.index(True) % 2 else "approved"]


def test_denied(opened: Store) -> None:
    request_id = pend(opened, 1)
    assert opened.answers.deny(request_id, "not yours", record("denied", NOW + 5))
    assert not opened.answers.deny(request_id, "again", record("denied"))
    assert not opened.answers.deny(999, "unknown", record("denied"))
    found = opened.answers.find(key(1))
    assert isinstance(found, Waiting) and (found.state, found.reason) == (DENIED, "not yours")
    assert opened.answers.request(999) is None


def test_lists_by_state(opened: Store) -> None:
    ids = [pend(opened, number) for number in range(3)]
    opened.answers.deny(ids[1], "", record("denied"))
    assert [found["id"] for found in opened.answers.requests()] == ids
    assert [found["id"] for found in opened.answers.requests(PENDING)] == [ids[0], ids[2]]
    assert [found["id"] for found in opened.answers.requests(DENIED)] == [ids[1]]


# The newest answer to a signer in a transaction


def test_the_later_of_several_answers_is_found(opened: Store) -> None:
    steps = [
        lambda at: opened.answers.issue(row(1, key(1, "T"), issued=at), None, record()),
        lambda at: opened.answers.pend(waiting(key(2, "T"), created=at), None, record("pending")),
        lambda at: opened.answers.issue(row(2, key(3, "T"), issued=at), None, record()),
        lambda at: opened.answers.pend(waiting(key(4, "T"), created=at), None, record("pending")),
    ]
    kinds: list[str | int] = []
    for number, step in enumerate(steps):
        assert step(NOW + number)
        found = opened.answers.find_for_signer("T", b"k" * 32)
        assert found is not None
        kinds.append(int(found.serial, 16) if isinstance(found, Issued) else f"waits {found.created - NOW}")
    assert kinds == [1, "waits 1", 2, "waits 3"]
    assert opened.answers.find_for_signer("T", b"o" * 32) is None, "another key"
    assert opened.answers.find_for_signer("t", b"k" * 32) is None, "another transaction"


def test_a_request_that_was_granted_late_is_its_certificate(opened: Store) -> None:
    """The certificate of the request that waited longest is not the last that was asked for."""
    first = opened.answers.pend(waiting(key(1, "T"), created=NOW), None, record("pending"))
    second = opened.answers.pend(waiting(key(2, "T"), created=NOW + 1), None, record("pending"))
    assert opened.answers.issue(row(2, key(2, "T"), issued=NOW + 2), None, record("approved"), request_id=second)
    assert opened.answers.issue(row(1, key(1, "T"), issued=NOW + 3), None, record("approved"), request_id=first)
    for number in (1, 2):
        found = opened.answers.find(key(number, "T"))
        assert isinstance(found, Issued) and int(found.serial, 16) == number
    assert isinstance(opened.answers.find_for_signer("T", b"k" * 32), Issued)


# Counters, lists, secrets, CRLs


def test_counters_are_the_audit_whatever_shard_they_are_in(opened: Store) -> None:
    for outcome in ("issued", "refused", "issued"):
        opened.audit.add(record(outcome))
    together(8, lambda _number: [opened.audit.add(record()) for _unused in range(SHARDS // 8)])
    assert opened.audit.totals() == {("PKCS_REQ", "issued"): 2 + SHARDS, ("PKCS_REQ", "refused"): 1}
    with opened.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT outcome, shard, value FROM counters").fetchall()
    shards = {(outcome, shard): value for outcome, shard, value in found}
    assert shards.pop(("refused", 2)) == 1
    # the lines with the numbers 1 and 3, and those from 4 to SHARDS + 3
    assert shards == {("issued", shard): 2 if shard in (1, 3) else 1 for shard in range(SHARDS)}


def test_counters_under_a_race(opened: Store) -> None:
    together(16, lambda _number: [opened.audit.add(record()) for _unused in range(4)])
    assert (
        opened.audit.totals() == {("PKCS_REQ", "issued"): len(opened.audit.records())} == {("PKCS_REQ", "issued"): 64}
    )


def test_what_is_not_kept_is_not_counted(opened: Store) -> None:
    assert opened.answers.issue(row(1, key(1)), None, record())
    assert not opened.answers.issue(row(1, key(2)), None, record())
    assert opened.audit.totals() == {("PKCS_REQ", "issued"): 1}


def test_newest(opened: Store) -> None:
    for number, (subject, issued, not_after) in enumerate(
        [("CN=a%b", 0, 1000), ("CN=a_b", 2, 1000), ("CN=axb", 1, 5), ("CN=AXB", 2, 1000)], 1
    ):
        values = {"subject": subject, "issued": NOW + issued, "not_after": NOW + not_after}
        assert opened.answers.issue(row(number, key(number), **values), None, record())
    assert opened.certificates.revoke(f"{1:032x}", "superseded", record("revoked"))

    def found(state: str | None = None, subject: str | None = None, limit: int = 10) -> list[int]:
        rows = opened.certificates.newest(state=state, subject=subject, now=NOW + 5, limit=limit)
        assert all("der" not in each for each in rows)
        return [int(each["serial"], 16) for each in rows]

    assert found() == [2, 4, 3, 1]
    assert found(limit=2) == [2, 4]
    assert (found("valid"), found("expired"), found("revoked")) == ([2, 4], [3], [1])
    assert (found(subject="a%b"), found(subject="a_b"), found(subject="axb")) == ([1], [2], [4, 3])


def test_revoked_once(opened: Store) -> None:
    assert opened.answers.issue(row(1, key(1)), None, record())
    won = together(8, lambda _number: opened.certificates.revoke(f"{1:032x}", "superseded", record("revoked")))
    assert sorted(won) == [False] * 7 + [True]
    assert not opened.certificates.revoke(f"{2:032x}", "", record("revoked"))
    assert opened.audit.totals()[("PKCS_REQ", "revoked")] == 1
    assert opened.certificates.revoked(CA) == [(f"{1:032x}", NOW, "superseded")]
    assert (opened.certificates.count_revoked(CA), opened.certificates.count_revoked(OTHER_CA)) == (1, 0)


def test_kept_secrets(opened: Store) -> None:
    assert opened.challenges.kept("static") is None
    assert opened.challenges.keep("static", "one", replace=False)
    assert not opened.challenges.keep("static", "two", replace=False)
    assert opened.challenges.kept("static") == "one"
    assert opened.challenges.keep("static", "three", replace=True) and opened.challenges.kept("static") == "three"
    assert opened.challenges.kept("single") is None


@pytest.mark.parametrize("replace", [True, False])
def test_kept_by_many_at_once(opened: Store, replace: bool) -> None:
    won = together(8, lambda number: opened.challenges.keep("static", str(number), replace=replace))
    assert won.count(True) == (8 if replace else 1)
    assert won[int(opened.challenges.kept("static") or "-1")]


def test_crl_numbers_of_each_issuer(opened: Store) -> None:
    def crl(number: int, content: bytes) -> Crl:
        return Crl(number, content, NOW, NOW + 100, 0)

    assert opened.certificates.latest_crl(CA) is None
    assert opened.certificates.add_crl(CA, crl(1, b"one"))
    assert opened.certificates.add_crl(OTHER_CA, crl(1, b"other"))
    assert opened.certificates.add_crl(CA, crl(2, b"two"))
    assert opened.certificates.latest_crl(CA) == crl(2, b"two")
    assert opened.certificates.latest_crl(OTHER_CA) == crl(1, b"other")
    won = together(8, lambda number: opened.certificates.add_crl(CA, crl(3, bytes([number]))))
    assert won.count(True) == 1
    latest = opened.certificates.latest_crl(CA)
    assert latest is not None and latest.der == bytes([won.index(True)])
