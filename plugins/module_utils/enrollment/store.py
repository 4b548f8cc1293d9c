# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an enrolment finds what there is and leaves what it brings: files, or the values of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .. import _deps
from .held import Held
from .pending import OpenTransaction
from .record import Record

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


@dataclass(frozen=True)
class Enrolled:
    """What an enrolment brings. `chain`: issuing CA first, up to the trust anchor; `key_data` is a new key in PEM.

    `key` is None where the private key is somewhere else.
    """

    certificate: x509.Certificate
    chain: Sequence[x509.Certificate]
    key: Any
    key_data: bytes | None
    record: Record


class Store(Protocol):
    """All that the flow of an enrolment needs of one. Everything raises EnrollmentError."""

    held: Held

    @property
    def title(self) -> str:
        """What a diff calls the certificate."""

    def check(self, *, new_key: bool) -> None:
        """Find out before anything is asked of the server whether its answer can be saved."""

    def keep(self, transaction: OpenTransaction) -> None:
        """Keep it until `forget` or `save`, also for later runs; this is called before its request leaves."""

    def forget(self) -> None:
        """Drop the open transaction."""

    def save(self, enrolled: Enrolled) -> None:
        """Keep all of it as one, and drop the open transaction."""

    def tidy(self, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> list[str]:
        """The certificate stays: put right what else is not as wanted, or in check mode look; what that is."""

    def returned(self) -> dict[str, Any]:
        """Return values of the store's own, as of now."""
