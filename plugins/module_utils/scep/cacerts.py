# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetCACert and GetNextCACert: the certificates of a CA on the wire (RFC 8894 sections 4.2 and 4.7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from .. import _deps
from . import asn1, cms
from .algorithms import AlgorithmPolicy
from .certificates import der, load_certificate, name, public_key
from .errors import DecodeError, NoSignerCertificate, TrustError
from .requests import Identity
from .trust import CaCertificates
from .wire import CONTENT_TYPES

try:
    from cryptography import x509
except ImportError as exc:
    _deps.missing("cryptography", exc)


def read_ca_certificates(body: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a GetCACert answer: one in DER, or a degenerate SignedData; the Content-Type is not asked.

    Raises DecodeError.
    """
    if body.lstrip()[:1] == b"<":
        raise DecodeError("The server answers with a web page where its CA certificate should be.")
    outer = asn1.read(body).expect(asn1.SEQUENCE, "certificate")
    if outer.child(0).tag == asn1.SEQUENCE:
        return (load_certificate(body),)
    certificates = tuple(load_certificate(encoded) for encoded in cms.read_signed_data(body).certificates)
    if not certificates:
        raise DecodeError("The server answers with an empty set of CA certificates.")
    return certificates


def write_ca_certificates(certificates: Sequence[x509.Certificate]) -> tuple[bytes, str]:
    """(body, Content-Type) of a GetCACert answer; several certificates keep the order in which they are given."""
    if len(certificates) == 1:
        return der(certificates[0]), CONTENT_TYPES["ca_cert"]
    return cms.write_degenerate(certificates), CONTENT_TYPES["ca_ra_cert"]


def write_next_ca(certificates: Sequence[x509.Certificate], signer: Identity, digest: str) -> bytes:
    """The GetNextCACert answer: the coming certificates, signed with the key of today's CA."""
    content = cms.write_degenerate(certificates)
    return cms.write_signed_data(content, [], signer.certificate, signer.key, digest, [signer.certificate])


def read_next_ca(
    body: bytes, current: CaCertificates, allowed: AlgorithmPolicy, now: dt.datetime
) -> tuple[x509.Certificate, ...]:
    """The coming CA's certificates, when somebody entitled to act for today's CA signed them.

    Raises DecodeError, MessageError or TrustError.
    """
    signed = cms.read_signed_data(body)
    if len(signed.signers) != 1 or not signed.content:
        raise DecodeError("The answer to GetNextCACert is not a signed set of certificates.")
    info = signed.signers[0]
    enclosed = tuple(load_certificate(encoded) for encoded in signed.certificates)
    signer = next((one for one in (*enclosed, *current.offered, *current.chain) if info.sid.names(one)), None)
    if signer is None:
        raise NoSignerCertificate("The answer to GetNextCACert brings no certificate of its signer.")
    objection = current.trust.with_more(enclosed).objection(signer, now)
    if objection is not None and signer != current.ca:
        raise TrustError(f"The next CA certificates are signed by {name(signer)}, whose certificate {objection}.")
    cms.verify_signer(signed, info, public_key(signer), allowed)
    return read_ca_certificates(signed.content)
