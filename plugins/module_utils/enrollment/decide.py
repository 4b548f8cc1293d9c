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
    """What to do.

    LOOK_UP: everything fits, and it is to be found out whether the pinned CA stands behind it. RESUME: an earlier run
    asked for just this, and its transaction has no answer yet. RENEW: the certificate signs for its successor, where
    the server allows that.
    """

    NOTHING = "nothing"
    LOOK_UP = "look up"
    ENROL = "enrol"
    RENEW = "renew"
    RESUME = "resume"


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
    """What the user wants.

    `key_bits` None: the key is not ours to judge. A certificate is renewed when less than `remaining_days`, or less
    than the fraction `remaining_percentage` of its life, is left; without either only when it has expired. `rekey`:
    with a new key. `strict`: what the CA gave otherwise than asked is no certificate to keep.
    """

    asked: Asked
    key_bits: int | None = 2048
    force: bool = False
    remaining_days: int | None = None
    remaining_percentage: float | None = None
    rekey: bool = True
    strict: bool = False


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
    not_before: dt.datetime
    not_after: dt.datetime
    trusted: bool | None
    """Whether it chains to the trust anchor; None when that is not known yet."""
    overridden: tuple[str, ...] = ()
    """What the CA gave otherwise than is asked for, in sentences without their end."""


@dataclass(frozen=True)
class FoundKey:
    """The key that the certificate is for: the private key on disk, or the one of a given PKCS#10 request."""

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
    """A transaction without an answer: it waits for approval, or the run that began it was interrupted.

    `public_key` is that of the request; `new_key` says that its private key is kept with the transaction alone;
    `answered`: the certificate on disk is the one that it asked for.
    """

    asked: Asked
    url: str
    public_key: str
    key_bits: int
    new_key: bool
    answered: bool = False


def decide(wanted: Wanted, found: Found, pending: Pending | None, url: str, now: dt.datetime) -> Decision:
    """Compare and decide. `url` is that of the server which is asked now."""
    reasons = tuple(_reasons(wanted, found, now))
    due = tuple(_due(wanted, found, now))
    resumable = pending is not None and (reasons or due) and _fits(wanted, found, pending, url)
    if resumable and not wanted.force:
        return Decision(Action.RESUME, reasons or due)
    if reasons:
        return Decision(Action.ENROL, reasons, new_key=_needs_key(wanted, found))
    if found.certificate is not None and found.certificate.trusted is None:
        return Decision(Action.LOOK_UP)
    if due:
        return Decision(Action.RENEW, due, new_key=wanted.rekey and _made_here(found))
    return Decision(Action.NOTHING)


def _fits(wanted: Wanted, found: Found, pending: Pending, url: str) -> bool:
    """Whether the transaction asks for what is wanted now, with a key that is still there."""
    key = found.key
    return (
        not pending.answered
        and pending.url == url
        and not any(_asked_differently(wanted.asked, pending.asked))
        and (wanted.key_bits is None or pending.key_bits >= wanted.key_bits)
        and (pending.new_key or (key is not None and key.public_key == pending.public_key))
    )


def _made_here(found: Found) -> bool:
    """A key that was made here may be replaced; any other is its owner's, and stays."""
    key, record = found.key, found.record
    return key is not None and record is not None and record.key_made and record.public_key == key.public_key


def _needs_key(wanted: Wanted, found: Found) -> bool:
    if found.key is None:
        return True
    return _made_here(found) and wanted.key_bits is not None and found.key.bits < wanted.key_bits


def _due(wanted: Wanted, found: Found, now: dt.datetime) -> Iterator[str]:
    """Why the certificate, which is fine, should have a successor."""
    certificate = found.certificate
    if certificate is None or certificate.not_after <= now:
        return
    left = certificate.not_after - now
    if wanted.remaining_days is not None and left < dt.timedelta(days=wanted.remaining_days):
        yield f"it is valid for {left.days} days more, which is less than remaining_days {wanted.remaining_days}"
    life = certificate.not_after - certificate.not_before
    if wanted.remaining_percentage is not None and left < life * wanted.remaining_percentage:
        yield (
            f"{left / life:.0%} of its life are left, which is less than remaining_percentage "
            f"{wanted.remaining_percentage:g}"
        )


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
    elif wanted.key_bits is not None and found.key.bits < wanted.key_bits:
        yield f"the private key has {found.key.bits} bits and {wanted.key_bits} are wanted"
    record = found.record
    if record is not None and record.certificate == certificate.fingerprint:
        yield from _asked_differently(wanted.asked, record.asked)
    else:
        yield from _made_differently(wanted.asked, certificate)
    if wanted.strict:
        yield from certificate.overridden
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
