# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server tells of itself: /metrics in Prometheus's text format, and the audit behind it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from scep_device import Bench, Device, ServedWith, message

from scep_server.approval import approve, deny
from scep_server.store import epoch

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? (-?[0-9]+)")
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) (\S.*)")
Labels = frozenset[tuple[str, str]]


@dataclass
class Metric:
    """A metric as scraped."""

    kind: str
    samples: dict[Labels, int] = field(default_factory=dict)


def scrape(bench: Bench) -> dict[str, Metric]:
    """GET /metrics, by the letter of the text format 0.0.4: HELP, TYPE, then samples, each once."""
    response = bench.http(path="/metrics")
    assert (response.status, response.content_type) == (200, "text/plain; version=0.0.4")
    text = response.body.decode("ascii")
    assert text.endswith("\n")
    found: dict[str, Metric] = {}
    helped = ""
    for line in text[:-1].split("\n"):
        comment, sample = _COMMENT.fullmatch(line), _SAMPLE.fullmatch(line)
        assert comment or sample, line
        if comment and comment[1] == "HELP":
            helped = comment[2]
            assert helped not in found
        elif comment:
            assert comment[2] == helped and comment[3] in ("counter", "gauge")
            assert comment[2].endswith("_total") == (comment[3] == "counter")
            found[helped] = Metric(comment[3])
        elif sample:
            assert sample[1] == helped, "all samples of a metric stand below its TYPE"
            labels = frozenset(re.findall(_LABEL, sample[2] or ""))
            assert labels not in found[helped].samples
            found[helped].samples[labels] = int(sample[7])
    return found


def value(bench: Bench, name: str) -> int:
    """A metric without labels."""
    return scrape(bench)[name].samples[frozenset()]


def test_metrics_of_a_fresh_server(bench: Bench) -> None:
    found = scrape(bench)
    assert found["scep_requests_total"].samples == {}
    assert value(bench, "scep_passwords_outstanding") == value(bench, "scep_requests_pending") == 0
    ends = {dict(labels)["role"]: end for labels, end in found["scep_certificate_not_after_seconds"].samples.items()}
    own = bench.pki
    assert ends == {
        "ca": epoch(own.ca.certificate.not_valid_after_utc),
        "ra_signing": epoch(own.signer.certificate.not_valid_after_utc),
        "ra_encryption": epoch(own.encryption.certificate.not_valid_after_utc),
    }


def test_gauges(served_with: ServedWith, device: Device) -> None:
    bench = served_with(approval="all")
    passwords = bench.passwords(3)
    assert value(bench, "scep_passwords_outstanding") == 3
    for password in passwords[:2]:
        assert bench.answer(bench.request(device, password)).status is PkiStatus.PENDING
    assert (value(bench, "scep_passwords_outstanding"), value(bench, "scep_requests_pending")) == (1, 2)
    approve(bench.server, 1)
    deny(bench.server, 2, "")
    bench.clock.forward(minutes=60)
    assert (value(bench, "scep_passwords_outstanding"), value(bench, "scep_requests_pending")) == (0, 0)


def _history(bench: Bench, by_hand: Bench, device: Device) -> None:
    """Something of everything."""
    password, waits, denied = bench.passwords(3)
    first = bench.request(device, password)
    (certificate,) = bench.answer(first).certificates
    for request in (
        first,
        bench.request(device, password),
        bench.request(device, "wrong"),
        bench.request(device, None),
    ):
        bench.answer(request)
    bench.post(b"nonsense")
    bench.post(first.message[:-1])
    bench.answer(bench.poll(device.identity, "unknown"))
    bench.answer(message(b"", device.identity, bench.pki.encryption.certificate, kind=99))
    for one in (waits, denied):
        by_hand.answer(by_hand.request(device, one))
    approve(by_hand.server, 1)
    deny(by_hand.server, 2, "no")
    bench.revoke(certificate)


def test_counters_agree_with_the_audit(bench: Bench, served_with: ServedWith, device: Device) -> None:
    _history(bench, served_with(approval="all"), device)
    lines = bench.server.store.audit.records()
    counted = Counter((line["message_type"] or "none", line["outcome"]) for line in lines)
    scraped = {
        (dict(labels)["message_type"], dict(labels)["outcome"]): count
        for labels, count in scrape(bench)["scep_requests_total"].samples.items()
    }
    assert scraped == counted and sum(scraped.values()) == len(lines)
    outcomes = {outcome for _kind, outcome in counted}
    assert outcomes == {"issued", "repeated", "refused", "malformed", "pending", "approved", "denied", "revoked"}


# Outcome and beginning of the reason -> what else the line has: client, transactionID, subject, challenge id, serial
TOLD: dict[tuple[str, str], str] = {
    ("issued", ""): "client transaction_id subject challenge_id serial",
    ("repeated", ""): "client transaction_id subject serial",
    ("refused", "badRequest: challenge password already used"): "client transaction_id subject challenge_id",
    ("refused", "badRequest: challenge password unknown"): "client transaction_id subject",
    ("refused", "badRequest: The request has no challenge password"): "client transaction_id subject",
    ("malformed", "The ASN.1 structure"): "client",
    ("refused", "badCertId: Nothing that is here"): "client transaction_id",
    ("refused", "badRequest: The messageType of the message is '99'"): "client transaction_id",
    ("pending", ""): "client transaction_id subject challenge_id",
    ("approved", ""): "transaction_id subject challenge_id serial",
    ("denied", "no"): "transaction_id subject challenge_id",
    ("revoked", ""): "",
}


def test_the_audit_tells_who_asked_for_what(bench: Bench, served_with: ServedWith, device: Device) -> None:
    _history(bench, served_with(approval="all"), device)
    lines = bench.server.store.audit.records()
    assert [line["id"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line["time"] for line in lines} == {epoch(bench.clock())}
    assert {line["client"] for line in lines} == {"", "192.0.2.7"}
    assert {line["subject"] for line in lines} == {"", "CN=device.example,O=Example"}
    seen = set()
    for line in lines:
        outcome, reason = line["outcome"], line["reason"]
        (row,) = [
            row for row in TOLD if row[0] == outcome and reason.startswith(row[1]) and bool(reason) == bool(row[1])
        ]
        fields = ("client", "transaction_id", "subject", "challenge_id", "serial")
        assert [name for name in fields if line[name] not in ("", None)] == TOLD[row].split(), line
        seen.add(row)
    assert seen == set(TOLD)


@pytest.mark.parametrize("path", ["/metrics", "/scep/metrics", "/healthz"])
def test_plain_pages_take_head_and_no_query(bench: Bench, path: str) -> None:
    assert bench.http("HEAD", path=path).status == 200
    assert bench.http(path=path, query="x=1").status == 400
    assert bench.http("DELETE", path=path).status == 400
