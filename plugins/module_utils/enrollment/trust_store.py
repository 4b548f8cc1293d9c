# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module scep_trust_store: a bundle with the CA that is trusted, before and after its rollover.

What the bundle holds was vouched for by the trust anchor, or by a CA that was in the bundle before: so the bundle goes
on where the pinned CA has left the server. That is true of this trust anchor alone, which the record keeps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .. import _deps
from ..context import Context
from ..errors import FileError
from ..scep._compat import not_after, not_before
from ..scep.certificates import fingerprint, is_ca, issued_by
from ..scep.errors import DecodeError, TrustError
from ..scep.trust import CaCertificates, TrustAnchor
from .client import Client, utc_now
from .names import display_name, plain_name
from .options import Server, read_certificates, read_server
from .record import timestamp
from .results import pem
from .single import SingleFile

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)

CURRENT, NEXT, PREVIOUS = "current", "next", "previous"


def ensure_trust_store(context: Context) -> dict[str, Any]:
    """See to it that the bundle is there and of today, or that it is not. Raises EnrollmentError or ScepError."""
    if context.params["state"] == "absent":
        return _absent(context)
    server = read_server(context)
    file = SingleFile(context)
    found, now = _bundle(file), utc_now()
    pinned = _pinned(server.anchor)
    related = file.record().get("anchor") == pinned or any(server.anchor.holds(one) for one in found)
    known = [one for one in found if _of_use(one, now)] if related else []
    ca, coming = _ask(server, known)
    roles = _roles(ca, server, [one for one in coming if _of_use(one, now)], known)
    ordered = sorted(roles, key=lambda one: (one.subject.rfc4514_string(), not_before(one), fingerprint(one)))
    settled = file.settle(b"".join(pem(one) for one in ordered), {"anchor": pinned})
    verb = "To be set" if context.check_mode else "Set"
    counted = ", ".join(f"{list(roles.values()).count(role)} {role}" for role in (CURRENT, NEXT, PREVIOUS))
    return {
        **settled.returned(),
        "msg": f"{f'{verb}: ' + ', '.join(settled.done) + ' of the bundle. ' if settled.done else ''}"
        f"CA certificates: {counted}.",
        "filename": str(file.target.path),
        "certificates": [_described(one, roles[one]) for one in ordered],
        "diff": _difference(file, found, ordered),
    }


def _absent(context: Context) -> dict[str, Any]:
    file = SingleFile(context)
    settled = file.remove()
    verb = "To be removed" if context.check_mode else "Removed"
    gone = list(settled.done)
    return {
        **settled.returned(),
        "msg": f"{verb}: {', '.join(gone)}." if gone else "There is nothing to remove.",
        "filename": str(file.target.path),
        "certificates": [],
        "diff": {"before": dict.fromkeys(gone, "present"), "after": dict.fromkeys(gone, "absent")},
    }


def _bundle(file: SingleFile) -> tuple[x509.Certificate, ...]:
    if not file.data:
        return ()
    try:
        return read_certificates(file.data)
    except DecodeError:
        raise FileError(
            f"path: '{file.target.path}' exists and is no bundle of certificates; remove it, or name another file."
        ) from None


def _pinned(anchor: TrustAnchor) -> list[str]:
    """The trust anchor in the words of the record."""
    return sorted([*map(str, anchor.fingerprints), *map(fingerprint, anchor.certificates)])


def _ask(server: Server, known: Sequence[x509.Certificate]) -> tuple[CaCertificates, tuple[x509.Certificate, ...]]:
    """(today's certificates, the coming ones), trusted by the anchor, or else by the bundle."""
    with Client(server) as client:
        try:
            ca = client.ca()
        except TrustError:
            if not known:
                raise
        else:
            return ca, client.next_ca()
    return _ask(replace(server, anchor=TrustAnchor(certificates=tuple(known))), ())


def _of_use(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Of a CA, and not expired; one of the next CA may not be valid yet."""
    return is_ca(certificate) and now <= not_after(certificate)


def _roles(
    ca: CaCertificates, server: Server, coming: Iterable[x509.Certificate], known: Sequence[x509.Certificate]
) -> dict[x509.Certificate, str]:
    """What each certificate of the new bundle is. Today's chain goes on above what was pinned, as far as is known."""
    chain = list(ca.chain)
    for _link in known:
        chain += [one for one in known if one not in chain and issued_by(chain[-1], one, server.allowed)][:1]
    roles = dict.fromkeys(chain, CURRENT)
    for one in coming:
        roles.setdefault(one, NEXT)
    for one in known:
        roles.setdefault(one, NEXT if not_before(one) > not_before(ca.ca) else PREVIOUS)
    return roles


def _described(certificate: x509.Certificate, role: str) -> dict[str, Any]:
    return {
        "role": role,
        "subject": display_name(plain_name(certificate.subject)),
        "fingerprint": fingerprint(certificate),
        "not_after": timestamp(not_after(certificate)),
    }


def _difference(
    file: SingleFile, before: Iterable[x509.Certificate], after: Iterable[x509.Certificate]
) -> dict[str, Any]:
    def shown(certificates: Iterable[x509.Certificate]) -> dict[str, str]:
        return {fingerprint(one): display_name(plain_name(one.subject)) for one in certificates}

    path = str(file.target.path)
    return {"before_header": path, "after_header": path, "before": shown(before), "after": shown(after)}
