# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Binding a log-in to the TLS connection that it uses: `tls-server-end-point` (RFC 5929 section 4).

IIS calls it extended protection for authentication (EPA). Client and reference server compute it here.
"""

from __future__ import annotations

import hashlib

from .. import _deps

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
except ImportError as exc:
    _deps.missing("cryptography", exc)

_PREFIX = b"tls-server-end-point:"
_TOO_WEAK = ("md5", "sha1")


def end_point_binding(certificate: bytes) -> bytes:
    """The application data of the binding, for the server's certificate in DER.

    The digest is that of the certificate's signature; SHA-256 in place of MD5 and SHA-1, and where it has none.
    """
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    name = "sha256" if algorithm is None or algorithm.name in _TOO_WEAK else algorithm.name
    return _PREFIX + hashlib.new(name, certificate).digest()
