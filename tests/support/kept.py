# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server's database holds, read past the server. All that tests know of its tables stands here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from ansible_collections.netcert.ndes.plugins.module_utils.scep import certificates

_CERTIFICATES = sa.text("SELECT serial, der, challenge_id FROM certificates")
_USED = sa.text("SELECT id FROM otp WHERE used IS NOT NULL")
_AUDIT = sa.text("SELECT outcome, serial, challenge_id FROM audit")


@dataclass(frozen=True)
class Certificate:
    """A row of the certificates."""

    serial: str
    der: bytes
    challenge_id: int | None

    @property
    def fingerprint(self) -> str:
        """SHA-256, as the client writes it."""
        return certificates.fingerprint(certificates.load_certificate(self.der))


@dataclass(frozen=True)
class Line:
    """A line of the audit."""

    outcome: str
    serial: str | None
    challenge_id: int | None


@dataclass(frozen=True)
class Kept:
    """Everything at one moment."""

    certificates: list[Certificate]
    used: set[int]
    audit: list[Line]

    def outcomes(self) -> Mapping[str, int]:
        """How often the audit has which outcome."""
        return Counter(line.outcome for line in self.audit)

    def check(self, received: Iterable[bytes]) -> None:
        """What has to hold whenever no request is under way. `received` are the certificates that clients got, DER."""
        ders = [certificate.der for certificate in self.certificates]
        assert not set(received) - set(ders), "a client has a certificate that the database has not"
        assert len({certificate.serial for certificate in self.certificates}) == len(ders), "a serial twice"
        per_password = Counter(one.challenge_id for one in self.certificates if one.challenge_id is not None)
        assert not [password for password, count in per_password.items() if count > 1], "a password used twice"
        assert set(per_password) == self.used, "used passwords and certificates are not the same"
        issued = Counter((line.serial, line.challenge_id) for line in self.audit if line.outcome == "issued")
        told = Counter((certificate.serial, certificate.challenge_id) for certificate in self.certificates)
        assert issued == told, "the audit tells something else"


def read(url: str) -> Kept:
    """Read all of it, in one transaction."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        certificates = [Certificate(row[0], bytes(row[1]), row[2]) for row in connection.execute(_CERTIFICATES)]
        used = set(connection.execute(_USED).scalars())
        audit = [Line(*row) for row in connection.execute(_AUDIT)]
    return Kept(certificates, used, audit)
