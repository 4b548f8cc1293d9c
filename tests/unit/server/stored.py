# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the store share: rows to put into it, and many threads at one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from scep_server.store.answers import Key
from scep_server.store.audit import Record

NOW = 1_780_000_000
CA = "0123456789abcdef"
T = TypeVar("T")


def row(serial: int, key: Key, generation: int = 0, **changes: Any) -> dict[str, Any]:
    """A certificate that answers a request."""
    return {
        "serial": f"{serial:032x}",
        "issuer": CA,
        "der": b"certificate",
        "subject": "CN=x",
        "not_before": NOW,
        "not_after": NOW + 1000,
        "issued": NOW,
        "transaction_id": key.transaction_id,
        "signer_key": key.signer_key,
        "request_digest": key.request_digest,
        "generation": generation,
        "challenge_id": None,
        "replaces": None,
        **changes,
    }


def waiting(key: Key, generation: int = 0, **changes: Any) -> dict[str, Any]:
    """A request that waits for a person."""
    return {
        "transaction_id": key.transaction_id,
        "signer_key": key.signer_key,
        "request_digest": key.request_digest,
        "generation": generation,
        "csr": b"request",
        "subject": "CN=x",
        "client": "192.0.2.1",
        "created": NOW,
        **changes,
    }


def key(number: int, transaction_id: str | None = None) -> Key:
    """A request of the one signer; in a transaction of its own, unless another one is named."""
    return Key(transaction_id or f"T{number}", b"k" * 32, number.to_bytes(32, "big"))


def record(outcome: str = "issued", time: int = NOW) -> Record:
    """A line of the audit."""
    return Record(time, "192.0.2.1", "PKCS_REQ", "T", outcome)


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work` in as many threads, which all start at the same moment."""
    barrier = threading.Barrier(count)

    def start(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))
