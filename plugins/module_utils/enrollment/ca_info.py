# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module scep_ca_info: what a server says of itself and of its CA. Nothing is changed anywhere."""

from __future__ import annotations

from typing import Any

from .. import _deps
from ..context import Context
from ..scep._compat import not_after, not_before
from ..scep.certificates import fingerprint, is_ca, key_usage, public_key, public_key_fingerprint
from ..scep.trust import CaCertificates
from .client import Client
from .names import display_name, plain_name
from .options import read_server
from .record import timestamp

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as exc:
    _deps.missing("cryptography", exc)


def ca_info(context: Context) -> dict[str, Any]:
    """Ask the server. Raises EnrollmentError or ScepError."""
    server = read_server(context)
    with Client(server) as client:
        capabilities, offered = client.capabilities(), client.offered()
        pinned = bool(server.anchor.fingerprints or server.anchor.certificates)
        judged = client.ca() if pinned else None
        coming = client.next_ca() if pinned else ()
    return {
        "changed": False,
        "msg": _message(context, len(offered), pinned),
        "trusted": pinned,
        "capabilities": sorted(capabilities.words),
        "digests": sorted(capabilities.digests),
        "ciphers": sorted(capabilities.ciphers),
        "post": capabilities.post,
        "renewal": capabilities.renewal,
        "certificates": [_describe(certificate, judged) for certificate in offered],
        "next_ca_offered": capabilities.next_ca,
        "next_ca": [_describe(certificate, None) for certificate in coming],
    }


def _message(context: Context, count: int, pinned: bool) -> str:
    offers = f"The server offers {count} certificate{'' if count == 1 else 's'}"
    if pinned:
        return f"{offers}, and they hang on the given CA."
    return f"{offers}; nothing vouches for them until the CA's fingerprint is compared over another channel."


def _describe(certificate: x509.Certificate, judged: CaCertificates | None) -> dict[str, Any]:
    return {
        "roles": _roles(certificate, judged),
        "subject": display_name(plain_name(certificate.subject)),
        "issuer": display_name(plain_name(certificate.issuer)),
        "serial_number": certificate.serial_number,
        "not_before": timestamp(not_before(certificate)),
        "not_after": timestamp(not_after(certificate)),
        "fingerprints": {digest: fingerprint(certificate, digest) for digest in ("sha256", "sha1", "md5")},
        "public_key_fingerprint": public_key_fingerprint(public_key(certificate)),
        "certificate": certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }


def _roles(certificate: x509.Certificate, judged: CaCertificates | None) -> list[str]:
    """What the certificate says that it is for; of several recipients, a judged answer names the one that is used."""
    if is_ca(certificate):
        return ["ca"]
    usage = key_usage(certificate)
    roles = []
    if usage is None or usage.digital_signature:
        roles.append("ra_signer")
    if certificate == judged.recipient if judged else usage is None or usage.key_encipherment:
        roles.append("ra_recipient")
    return roles
