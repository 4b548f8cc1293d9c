# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.decide import (
    Action,
    Asked,
    Decision,
    Found,
    FoundCertificate,
    FoundKey,
    Pending,
    Recorded,
    Wanted,
    decide,
)

NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.timezone.utc)
SUBJECT = ((("O", "Example"),), (("CN", "sw1"),))
ASKED = Asked(SUBJECT, ("DNS:sw1",), key_usage=("digitalSignature",), extended_key_usage=("clientAuth",))
WANTED = Wanted(ASKED)
BEGIN, END = NOW - dt.timedelta(days=90), NOW + dt.timedelta(days=10)
CERTIFICATE = FoundCertificate("aa", "key-1", SUBJECT, ("DNS:sw1",), BEGIN, END, True)
KEY = FoundKey("key-1", 2048)
RECORD = Recorded(ASKED, "aa", "key-1", 2048, key_made=True)
GOOD = Found(CERTIFICATE, KEY, RECORD)

URL = "http://scep.example.com/scep"
PENDING = Pending(ASKED, URL, "key-1", 2048, new_key=False)
NOTHING = Decision(Action.NOTHING)


def enrol(*reasons: str, new_key: bool = False) -> Decision:
    return Decision(Action.ENROL, reasons, new_key)


def wants(**changes: object) -> Wanted:
    return Wanted(replace(ASKED, **changes))  # type: ignore[arg-type]


def certificate(**changes: object) -> Found:
    return replace(GOOD, certificate=replace(CERTIFICATE, **changes))  # type: ignore[arg-type]


OVERRIDDEN = (("CN", "what the CA makes of it"),)
TABLE = {
    "all fits": (WANTED, GOOD, NOTHING),
    "nothing there": (WANTED, Found(), enrol("there is no certificate", new_key=True)),
    "a key alone": (WANTED, Found(key=KEY), enrol("there is no certificate")),
    "certificate lost": (WANTED, replace(GOOD, certificate=None), enrol("there is no certificate")),
    "key lost": (WANTED, replace(GOOD, key=None), enrol("there is no private key", new_key=True)),
    "record lost": (WANTED, replace(GOOD, record=None), NOTHING),
    "forced": (replace(WANTED, force=True), GOOD, enrol("force is set")),
    "forced on nothing": (
        replace(WANTED, force=True),
        Found(),
        enrol("force is set", "there is no certificate", new_key=True),
    ),
    "expired": (WANTED, certificate(not_after=NOW), enrol("the certificate expired on 2026-06-01")),
    "in its last second": (WANTED, certificate(not_after=NOW + dt.timedelta(seconds=1)), NOTHING),
    "another key": (
        WANTED,
        replace(GOOD, key=FoundKey("key-2", 2048)),
        enrol("the certificate does not belong to the private key"),
    ),
    "own key too small": (
        replace(WANTED, key_bits=3072),
        GOOD,
        enrol("the private key has 2048 bits and 3072 are wanted", new_key=True),
    ),
    "somebody's key too small": (
        replace(WANTED, key_bits=3072),
        replace(GOOD, record=replace(RECORD, key_made=False)),
        enrol("the private key has 2048 bits and 3072 are wanted"),
    ),
    "somebody's key too small, own record of another": (
        replace(WANTED, key_bits=3072),
        replace(GOOD, record=replace(RECORD, public_key="key-0")),
        enrol("the private key has 2048 bits and 3072 are wanted"),
    ),
    "key larger than wanted": (WANTED, replace(GOOD, key=FoundKey("key-1", 4096)), NOTHING),
    "another subject asked": (wants(subject=((("CN", "sw2"),),)), GOOD, enrol("another subject is asked for")),
    "RDNs in another order": (wants(subject=tuple(reversed(SUBJECT))), GOOD, NOTHING),
    "another name asked": (
        wants(subject_alt_name=("DNS:sw1", "DNS:sw2")),
        GOOD,
        enrol("another subject_alt_name is asked for"),
    ),
    "another key usage asked": (wants(key_usage=()), GOOD, enrol("another key_usage is asked for")),
    "criticality of key usage": (
        wants(key_usage_critical=True),
        GOOD,
        enrol("another key_usage_critical is asked for"),
    ),
    "another purpose asked": (
        wants(extended_key_usage=("serverAuth",)),
        GOOD,
        enrol("another extended_key_usage is asked for"),
    ),
    "criticality of purposes": (
        wants(extended_key_usage_critical=True),
        GOOD,
        enrol("another extended_key_usage_critical is asked for"),
    ),
    "overridden by the CA, with record": (
        WANTED,
        certificate(subject=(OVERRIDDEN,), subject_alt_name=("DNS:other",)),
        NOTHING,
    ),
    "subject differs, without record": (
        WANTED,
        replace(certificate(subject=(OVERRIDDEN,)), record=None),
        enrol("the certificate has another subject"),
    ),
    "names differ, without record": (
        WANTED,
        replace(certificate(subject_alt_name=()), record=None),
        enrol("the certificate has another subject_alt_name"),
    ),
    "usages cannot differ without record": (
        wants(key_usage=(), extended_key_usage=()),
        replace(GOOD, record=None),
        NOTHING,
    ),
    "record of another certificate": (
        WANTED,
        replace(certificate(subject=(OVERRIDDEN,)), record=replace(RECORD, certificate="bb")),
        enrol("the certificate has another subject"),
    ),
    "CA unknown": (WANTED, certificate(trusted=None), Decision(Action.LOOK_UP)),
    "CA unknown, but expired": (
        WANTED,
        certificate(trusted=None, not_after=NOW),
        enrol("the certificate expired on 2026-06-01"),
    ),
    "another CA": (WANTED, certificate(trusted=False), enrol("the certificate does not chain to the given CA")),
    "several at once": (
        wants(key_usage=()),
        certificate(not_after=NOW, trusted=False),
        enrol(
            "the certificate expired on 2026-06-01",
            "another key_usage is asked for",
            "the certificate does not chain to the given CA",
        ),
    ),
}


@pytest.mark.parametrize(("wanted", "found", "expected"), TABLE.values(), ids=TABLE)
def test_decide(wanted: Wanted, found: Found, expected: Decision) -> None:
    assert decide(wanted, found, None, URL, NOW) == expected


def renew(*reasons: str, new_key: bool = True) -> Decision:
    return Decision(Action.RENEW, reasons, new_key)


DAYS = replace(WANTED, remaining_days=30)
DAYS_LEFT = "it is valid for 10 days more, which is less than remaining_days 30"
SHARE = replace(WANTED, remaining_percentage=0.2)
SHARE_LEFT = "10% of its life are left, which is less than remaining_percentage 0.2"
RENEWAL = {
    "days": (DAYS, GOOD, renew(DAYS_LEFT)),
    "days not yet": (replace(WANTED, remaining_days=10), GOOD, NOTHING),
    "share": (SHARE, GOOD, renew(SHARE_LEFT)),
    "share not yet": (replace(WANTED, remaining_percentage=0.1), GOOD, NOTHING),
    "both": (replace(DAYS, remaining_percentage=0.2), GOOD, renew(DAYS_LEFT, SHARE_LEFT)),
    "one of both": (replace(DAYS, remaining_percentage=0.01), GOOD, renew(DAYS_LEFT)),
    "always": (replace(WANTED, remaining_percentage=1.0), GOOD, renew(SHARE_LEFT.replace("0.2", "1"))),
    "with the same key": (replace(DAYS, rekey=False), GOOD, renew(DAYS_LEFT, new_key=False)),
    "somebody's key": (DAYS, replace(GOOD, record=replace(RECORD, key_made=False)), renew(DAYS_LEFT, new_key=False)),
    "without a record": (DAYS, replace(GOOD, record=None), renew(DAYS_LEFT, new_key=False)),
    "expired by then": (DAYS, certificate(not_after=NOW), enrol("the certificate expired on 2026-06-01")),
    "asked differently as well": (
        replace(wants(subject=((("CN", "sw2"),),)), remaining_days=30),
        GOOD,
        enrol("another subject is asked for"),
    ),
    "trust unknown": (DAYS, certificate(trusted=None), Decision(Action.LOOK_UP)),
    "not trusted": (DAYS, certificate(trusted=False), enrol("the certificate does not chain to the given CA")),
    "overridden": (WANTED, certificate(overridden=("the CA gave another subject",)), NOTHING),
    "overridden, strict": (
        replace(WANTED, strict=True),
        certificate(overridden=("the CA gave another subject",)),
        enrol("the CA gave another subject"),
    ),
    "key of a given request": (replace(WANTED, key_bits=None), replace(GOOD, key=FoundKey("key-1", 1024)), NOTHING),
}


@pytest.mark.parametrize("case", RENEWAL)
def test_renewal(case: str) -> None:
    wanted, found, expected = RENEWAL[case]
    assert decide(wanted, found, None, URL, NOW) == expected


def resume(*reasons: str) -> Decision:
    return Decision(Action.RESUME, reasons)


EMPTY = Found(key=KEY)
NO_CERTIFICATE = "there is no certificate"
OPEN = {
    "waits": (WANTED, EMPTY, PENDING, resume(NO_CERTIFICATE)),
    "waits, its key is kept with it": (WANTED, Found(), replace(PENDING, new_key=True), resume(NO_CERTIFICATE)),
    "waits, for a renewal": (DAYS, GOOD, replace(PENDING, new_key=True), resume(DAYS_LEFT)),
    "its key is gone": (WANTED, Found(), PENDING, enrol(NO_CERTIFICATE, new_key=True)),
    "its key was replaced": (WANTED, Found(key=FoundKey("key-9", 2048)), PENDING, enrol(NO_CERTIFICATE)),
    "asked something else": (WANTED, EMPTY, replace(PENDING, asked=Asked(SUBJECT)), enrol(NO_CERTIFICATE)),
    "asked another server": (WANTED, EMPTY, replace(PENDING, url="http://other"), enrol(NO_CERTIFICATE)),
    "with too small a key": (
        replace(WANTED, key_bits=3072),
        Found(),
        replace(PENDING, new_key=True),
        enrol(NO_CERTIFICATE, new_key=True),
    ),
    "answered already": (WANTED, EMPTY, replace(PENDING, answered=True), enrol(NO_CERTIFICATE)),
    "nothing to do any more": (WANTED, GOOD, PENDING, NOTHING),
    "forced": (replace(WANTED, force=True), EMPTY, PENDING, enrol("force is set", NO_CERTIFICATE)),
}


@pytest.mark.parametrize("case", OPEN)
def test_open_transactions(case: str) -> None:
    wanted, found, pending, expected = OPEN[case]
    assert decide(wanted, found, pending, URL, NOW) == expected
