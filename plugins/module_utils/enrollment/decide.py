# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a certificate: one pure function over what is wanted, what is on disk and what is pending.

It is judged by what was asked, not by what came back: a CA takes validity, key usage and often names from its own
rules, and a certificate that differs from the request for that reason must not be asked for again in every run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from .names import PlainName, display_name


class Action(Enum):
    """What to do. LOOK_UP: everything fits, and it is to be found out whether the pinned CA stands behind it."""

    NOTHING = "nothing"
    LOOK_UP = "look up"
    ENROL = "enrol"


@dataclass(frozen=True)
class Decision:
    """The action, the reasons for it (beginnings of sentences), and whether a new key is needed."""

    action: Action
    reasons: tuple[str, ...] = ()
    new_key: bool = False


@dataclass(frozen=True)
class Asked:
    """The properties of a request, in plain values; sequences without an order of their own are sorted."""

    subject: PlainName
    subject_alt_name: tuple[str, ...] = ()
    key_usage: tuple[str, ...] = ()
    key_usage_critical: bool = False
    extended_key_usage: tuple[str, ...] = ()
    extended_key_usage_critical: bool = False

    def shown(self) -> dict[str, Any]:
        """For people: as in a diff."""
        return {**asdict(self), "subject": display_name(self.subject)}


@dataclass(frozen=True)
class Wanted:
    """What the user wants."""

    asked: Asked
    key_bits: int = 2048
    force: bool = False


@dataclass(frozen=True)
class Recorded:
    """What the record says of the last enrolment, as far as decisions need it. Fingerprints are SHA-256, colon hex."""

    asked: Asked
    certificate: str
    public_key: str
    key_bits: int
    key_made: bool


@dataclass(frozen=True)
class FoundCertificate:
    """The certificate on disk."""

    fingerprint: str
    public_key: str
    subject: PlainName
    subject_alt_name: tuple[str, ...]
    not_after: dt.datetime
    trusted: bool | None
    """Whether it chains to the trust anchor; None when that is not known yet."""


@dataclass(frozen=True)
class FoundKey:
    """The private key on disk."""

    public_key: str
    bits: int


@dataclass(frozen=True)
class Found:
    """What is on disk. The record counts only while its certificate is the one on disk."""

    certificate: FoundCertificate | None = None
    key: FoundKey | None = None
    record: Recorded | None = None


@dataclass(frozen=True)
class Pending:
    """A transaction that waits for approval."""

    asked: Asked
    transaction_id: str


def decide(wanted: Wanted, found: Found, pending: Pending | None, now: dt.datetime) -> Decision:
    """Compare and decide. `pending` is a transaction that waits; this version never leaves one behind."""
    reasons = tuple(_reasons(wanted, found, now))
    if reasons:
        return Decision(Action.ENROL, reasons, new_key=_needs_key(wanted, found))
    if found.certificate is not None and found.certificate.trusted is None:
        return Decision(Action.LOOK_UP)
    return Decision(Action.NOTHING)


def _needs_key(wanted: Wanted, found: Found) -> bool:
    """A key that was made here is replaced when it became too small; any other is its owner's, and stays."""
    if found.key is None:
        return True
    record = found.record
    ours = record is not None and record.key_made and record.public_key == found.key.public_key
    return ours and found.key.bits < wanted.key_bits


def _reasons(wanted: Wanted, found: Found, now: dt.datetime) -> Iterator[str]:
    certificate = found.certificate
    if wanted.force:
        yield "force is set"
    if certificate is None:
        yield "there is no certificate"
        return
    if certificate.not_after <= now:
        yield f"the certificate expired on {certificate.not_after:%Y-%m-%d}"
    if found.key is None:
        yield "there is no private key"
    elif found.key.public_key != certificate.public_key:
        yield "the certificate does not belong to the private key"
    elif found.key.bits < wanted.key_bits:
        yield f"the private key has {found.key.bits} bits and {wanted.key_bits} are wanted"
    record = found.record
    if record is not None and record.certificate == certificate.fingerprint:
        yield from _asked_differently(wanted.asked, record.asked)
    else:
        yield from _made_differently(wanted.asked, certificate)
    if certificate.trusted is False:
        yield "the certificate does not chain to the given CA"


def _asked_differently(wanted: Asked, before: Asked) -> Iterator[str]:
    if set(wanted.subject) != set(before.subject):
        yield "another subject is asked for"
    for name in (
        "subject_alt_name",
        "key_usage",
        "key_usage_critical",
        "extended_key_usage",
        "extended_key_usage_critical",
    ):
        if getattr(wanted, name) != getattr(before, name):
            yield f"another {name} is asked for"


def _made_differently(wanted: Asked, certificate: FoundCertificate) -> Iterator[str]:
    """Without a record the certificate itself is all there is; of what it says, names alone are the requester's."""
    if set(wanted.subject) != set(certificate.subject):
        yield "the certificate has another subject"
    if set(wanted.subject_alt_name) != set(certificate.subject_alt_name):
        yield "the certificate has another subject_alt_name"
