# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renewal: a request signed by a certificate of this server needs no challenge password (RFC 8894 section 2.3).

Whether it is one is decided by the certificate, not by the messageType: clients send RenewalReq and PKCSReq alike.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import der
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from cryptography import x509

from .call import Call
from .certificate import serial_text
from .errors import Refusal
from .policy import OID_SID
from .server import Server


@dataclass(frozen=True, slots=True)
class Renewal:
    """Whether a request renews: `replaces` is the serial number of the old certificate, `objection` why it does not.

    Both are None where the signer is nobody's certificate, as in any first enrolment.
    """

    replaces: str | None = None
    objection: str | None = None


def judge(server: Server, call: Call, csr: CertificateRequest) -> Renewal:
    """Look at who signed the request. Raises Refusal when that is a revoked certificate: its key gets nothing more."""
    signer = call.header.signer
    if signer is None or not server.pki.named(signer.issuer.public_bytes()):
        return Renewal()
    serial = serial_text(signer.serial_number)
    row = server.store.certificates.find(serial)
    if row is None or row["der"] != der(signer):
        return Renewal(objection="The request is signed by a certificate that this server did not issue.")
    if row["revoked"] is not None:
        raise Refusal(FailInfo.BAD_REQUEST, "The request is signed by a certificate that is revoked.")
    objection = next((text for text in (check(server, call.now, signer, csr) for check in _CHECKS) if text), None)
    return Renewal(None if objection else serial, objection)


def _switched_off(server: Server, _now: dt.datetime, _old: x509.Certificate, _csr: CertificateRequest) -> str | None:
    return None if server.settings.renewal else "This server does not renew certificates."


def _out_of_date(_server: Server, now: dt.datetime, old: x509.Certificate, _csr: CertificateRequest) -> str | None:
    if old.not_valid_before_utc <= now <= old.not_valid_after_utc:
        return None
    end = old.not_valid_after_utc.isoformat()
    return f"The request is signed by a certificate that is out of date (notAfter {end})."


def _too_early(server: Server, now: dt.datetime, old: x509.Certificate, _csr: CertificateRequest) -> str | None:
    days = server.settings.renewal_days
    if not days or old.not_valid_after_utc - now <= dt.timedelta(days=days):
        return None
    return f"The certificate is valid until {old.not_valid_after_utc.isoformat()}; it is renewed {days} days before."


def _other_names(server: Server, _now: dt.datetime, old: x509.Certificate, csr: CertificateRequest) -> str | None:
    if not server.settings.renewal_same_names:
        return None
    if _parts(old.subject) != _parts(csr.subject):
        return "A renewal has to ask for the subject of the old certificate."
    if _alternative_names(csr.extensions) != _alternative_names(old.extensions):
        return "A renewal has to ask for the subject alternative names of the old certificate."
    if _sid(csr.extensions) not in (None, _sid(old.extensions)):
        return "A renewal cannot ask for another SID than that of the old certificate."
    return None


def _parts(name: x509.Name) -> set[Any]:
    """RDNs in whatever order: the CA may have changed it."""
    return {frozenset((part.oid, part.value) for part in rdn) for rdn in name.rdns}


def _alternative_names(extensions: x509.Extensions) -> set[x509.GeneralName]:
    try:
        return set(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _sid(extensions: x509.Extensions) -> x509.ExtensionType | None:
    """The extension that names a Windows account: domain controllers log on by it, so it is a name."""
    return next((one.value for one in extensions if one.oid.dotted_string == OID_SID), None)


_CHECKS = (_switched_off, _out_of_date, _too_early, _other_names)
