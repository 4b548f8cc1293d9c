# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.decide import Asked
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.record import (
    Record,
    read_record,
    timestamp,
    write_record,
)

RECORD = Record(
    asked=Asked(((("C", "DE"),), (("CN", "Müller"),)), ("DNS:a", "IP:::1"), ("digitalSignature",), True, ("1.2.3",)),
    url="http://host/scep",
    transaction_id="00FF",
    time="2026-06-01T12:00:00Z",
    certificate="aa:bb",
    public_key="cc:dd",
    key_bits=2048,
    key_made=True,
    key_file="ee",
    chain=("-----BEGIN CERTIFICATE-----\n",),
)


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, asked=Asked(()), chain=(), key_made=False)])
def test_round_trip(record: Record) -> None:
    assert read_record(write_record(record)) == record


DAMAGED = {
    "empty": b"",
    "cut off": write_record(RECORD)[:200],
    "no JSON": b"\xff\xfe",
    "no object": b"[]",
    "another format": write_record(RECORD).replace(b'"format": 1', b'"format": 2'),
    "without a field": json.dumps({k: v for k, v in json.loads(write_record(RECORD)).items() if k != "url"}).encode(),
    "with a field too many": write_record(RECORD).replace(b'"url"', b'"more": 1, "url"'),
    "without what was asked": write_record(RECORD).replace(b'"asked"', b'"answered"'),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_no_record(data: bytes) -> None:
    assert read_record(data) is None


def test_timestamp() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    assert timestamp(dt.datetime(2026, 6, 1, 12, 0, 5, 999, tzinfo=zone)) == "2026-06-01T10:00:05Z"
