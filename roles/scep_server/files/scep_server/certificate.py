# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What certificates of the CA, of its RA and of devices have in common."""

from __future__ import annotations

import secrets

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography import x509


def ca_id(ca: x509.Certificate) -> str:
    """Names a CA in the database and in the URL of its CRL: 16 hexadecimal digits of its SHA-256 fingerprint."""
    return fingerprint(ca).replace(":", "")[:16]


def new_serial() -> int:
    """A serial number: 128 random bits, never zero (RFC 5280 section 4.1.2.2)."""
    return secrets.randbits(128) or 1


def serial_text(serial: int) -> str:
    """A serial number as the database has it: hexadecimal, 32 digits or more."""
    return f"{serial:032x}"


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """As the issuer's own SubjectKeyIdentifier has it, else from its key."""
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def distribution_points(url: str, ca: x509.Certificate) -> x509.CRLDistributionPoints | None:
    """The extension that says where the CRL of `ca` is, or None without a URL; {ca} in the URL is the CA's id."""
    if not url:
        return None
    name = x509.UniformResourceIdentifier(url.replace("{ca}", ca_id(ca)))
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])
