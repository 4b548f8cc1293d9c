# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a CA gave otherwise than it was asked: for a user to know, and no reason to ask again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .. import _deps
from ..scep.certificates import extended_key_usages, key_usage
from ..scep.constants import KEY_USAGES
from .decide import Asked
from .extensions import purpose
from .names import PlainName, alt_names, display_name, plain_name

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


@dataclass(frozen=True)
class Override:
    """One property of which the certificate says something else; `asked` and `given` as in `Asked`."""

    property: str
    asked: PlainName | tuple[str, ...]
    given: PlainName | tuple[str, ...]

    def difference(self) -> str:
        """What the CA gave, for a sentence about one or several of them."""
        asked, given = self._shown(self.asked), self._shown(self.given)
        return f"another {self.property} than was asked for: {given} instead of {asked}"

    def __str__(self) -> str:
        """A sentence for people."""
        return f"The CA gave {self.difference()}."

    def _shown(self, value: PlainName | tuple[str, ...]) -> str:
        texts = [one if isinstance(one, str) else display_name((one,)) for one in value]
        return (",".join(reversed(texts)) if self.property == "subject" else ", ".join(texts)) or "none"


@lru_cache(maxsize=8)
def overridden(asked: Asked, certificate: x509.Certificate) -> tuple[Override, ...]:
    """What differs, as sets: a CA may put names in another order.

    Names are compared whether asked or not. Of key usages only those that were asked count: where nothing was asked,
    whatever the CA puts in is its answer to that. What cannot be read counts as not given.
    """
    return tuple(_overridden(asked, certificate))


def _overridden(asked: Asked, certificate: x509.Certificate) -> Iterator[Override]:
    subject, names = plain_name(certificate.subject), alt_names(certificate)
    if set(asked.subject) != set(subject):
        yield Override("subject", asked.subject, subject)
    if set(asked.subject_alt_name) != set(names):
        yield Override("subject_alt_name", asked.subject_alt_name, names)
    for name, before, after in (
        ("key_usage", asked.key_usage, _key_usages(certificate)),
        ("extended_key_usage", asked.extended_key_usage, _purposes(certificate)),
    ):
        if before and set(before) != set(after):
            yield Override(name, before, after)


def _key_usages(certificate: x509.Certificate) -> tuple[str, ...]:
    usage = key_usage(certificate)
    return () if usage is None else tuple(name for name, word in KEY_USAGES.items() if _has(usage, word))


def _has(usage: x509.KeyUsage, word: str) -> bool:
    try:
        return bool(getattr(usage, word))
    except ValueError:  # encipherOnly and decipherOnly mean nothing without keyAgreement
        return False


def _purposes(certificate: x509.Certificate) -> tuple[str, ...]:
    return tuple(sorted(map(purpose, extended_key_usages(certificate))))
