# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned: a certificate in plain values, paths, and the difference that was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _deps
from ..scep._compat import not_after, not_before
from ..scep.certificates import fingerprint, public_key, public_key_fingerprint
from .decide import Decision
from .names import display_name, plain_name
from .options import Outputs
from .overrides import Override
from .record import timestamp
from .task import Task

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as exc:
    _deps.missing("cryptography", exc)


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM)


def chain_pem(chain: Sequence[x509.Certificate]) -> bytes:
    """The certificates in PEM, one after the other."""
    return b"".join(map(pem, chain))


def described(certificate: x509.Certificate, overrides: Sequence[Override]) -> dict[str, Any]:
    """The return values about a certificate."""
    return {
        "certificate": pem(certificate).decode("ascii"),
        "subject": display_name(plain_name(certificate.subject)),
        "issuer": display_name(plain_name(certificate.issuer)),
        "serial_number": certificate.serial_number,
        "not_before": timestamp(not_before(certificate)),
        "not_after": timestamp(not_after(certificate)),
        "fingerprint": fingerprint(certificate),
        "public_key_fingerprint": public_key_fingerprint(public_key(certificate)),
        "ca_overrode": [str(override) for override in overrides],
    }


def paths(outputs: Outputs) -> dict[str, str]:
    """The real paths of the files, by role."""
    named = (
        ("privatekey", outputs.key),
        ("certificate", outputs.certificate),
        ("chain", outputs.chain),
        ("fullchain", outputs.fullchain),
        ("pkcs12", outputs.pkcs12),
        ("record", outputs.record),
    )
    return {name: str(target.path) for name, target in named if target is not None}


def difference(task: Task, decision: Decision) -> dict[str, Any]:
    """Before and after, in the words of the request."""
    held, wanted, title = task.held, task.wanted, task.store.title
    before: dict[str, Any] = {}
    found = held.found(wanted.asked, None).certificate
    if held.current is not None:
        before = held.current.asked.shown()
    elif found is not None:
        before = {"subject": display_name(found.subject), "subject_alt_name": found.subject_alt_name}
    if found is not None:
        before["certificate"] = found.fingerprint
    after = {**wanted.asked.shown(), "certificate": "a new one"}
    key = held.found_key()
    if key is not None:
        before["privatekey_size"] = key.bits
    after["privatekey_size"] = wanted.key_bits if decision.new_key or key is None else key.bits
    return {"before_header": title, "after_header": title, "before": before, "after": after}
