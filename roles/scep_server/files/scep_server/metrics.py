# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures for Prometheus, from the database: all processes and nodes tell the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .server import Server
from .store import epoch


@dataclass(frozen=True, slots=True)
class _Metric:
    name: str
    kind: str
    about: str
    samples: tuple[tuple[str, int], ...]  # (labels, value)

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.about}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            yield f"{self.name}{labels} {value}"


def render(server: Server) -> str:
    """The text format of Prometheus, version 0.0.4."""
    store, authority, now = server.store, server.authority, epoch(server.clock())
    certificates = {
        "ca": authority.ca.certificate,
        "ra_signing": authority.signer.certificate,
        "ra_encryption": authority.encryption.certificate,
    }
    totals = sorted(store.audit.totals().items())
    metrics = (
        _Metric(
            "scep_requests_total",
            "counter",
            "Requests answered, by messageType and outcome.",
            tuple(
                (f'{{message_type="{kind or "none"}",outcome="{outcome}"}}', count) for (kind, outcome), count in totals
            ),
        ),
        _Metric(
            "scep_passwords_outstanding",
            "gauge",
            "One-time passwords that are neither used nor expired.",
            (("", store.challenges.outstanding(now)),),
        ),
        _Metric("scep_requests_pending", "gauge", "Requests that wait for approval.", (("", store.answers.pending()),)),
        _Metric(
            "scep_certificate_not_after_seconds",
            "gauge",
            "When the server's own certificates end, in seconds since the epoch.",
            tuple((f'{{role="{role}"}}', epoch(one.not_valid_after_utc)) for role, one in certificates.items()),
        ),
    )
    return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"
