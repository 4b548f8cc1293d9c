# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How a SCEP server is reached, and what is trusted there."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the SCEP server, without a query and without a login.
      - That of NDES is C(http://HOST/certsrv/mscep/mscep.dll).
      - SCEP protects its messages itself, so plain C(http) is usual. What protects the exchange is O(ca_fingerprint)
        or a given CA certificate.
    type: str
    required: true
  ca_fingerprint:
    description:
      - Fingerprint of the CA certificate, or of several of which one has to fit. Hexadecimal digits, with or without
        colons.
      - It is the trust anchor. The CA certificate is fetched from the server and counts only if it has this
        fingerprint, or if it was issued by a certificate in the server's answer that has it.
      - Compare it over another channel than the server itself. M(netcert.ndes.scep_ca_info) prints it.
      - SHA-256, SHA-384 or SHA-512 are told apart by their length. SHA-1, and the MD5 thumbprint that the web pages of
        NDES print, are accepted with a warning.
      - Mutually exclusive with O(ca_certificate_path) and O(ca_certificate_content).
    type: list
    elements: str
  ca_certificate_path:
    description:
      - File with the CA certificate, in PEM or DER, on the host where the task runs. A PEM file may hold several.
      - It is the trust anchor instead of O(ca_fingerprint).
    type: path
  ca_certificate_content:
    description:
      - The CA certificate itself, in PEM.
      - It is the trust anchor instead of O(ca_fingerprint).
    type: str
  ra_fingerprint:
    description:
      - Fingerprint of a registration authority's certificate, or of several, in the notation of O(ca_fingerprint).
      - Such a certificate is accepted although it is not marked as that of a registration authority. It has to be
        issued by the CA all the same.
    type: list
    elements: str
  require_ra_eku:
    description:
      - Whether a certificate other than the pinned CA has to carry the extended key usage of a registration authority,
        that is C(1.3.6.1.4.1.311.20.2.1) (certificate request agent, as on NDES) or C(1.3.6.1.5.5.7.3.28) (CMC RA),
        before anything is encrypted to it.
      - Every device certificate of the CA hangs on the same trust anchor. With V(false), whoever holds one can pose as
        the server and read the challenge password. Prefer O(ra_fingerprint) where a product does not mark its
        certificates.
    type: bool
    default: true
  allow_sha1:
    description:
      - Whether SHA-1 may be used where the server offers nothing better, and accepted in signatures.
    type: bool
    default: true
  legacy_algorithms:
    description:
      - Whether MD5 and single DES may be used and accepted as well. Both can be broken; only old servers need them.
    type: bool
    default: false
  timeout:
    description:
      - Seconds for one request to the server, answer included.
    type: float
    default: 30.0
  proxy:
    description:
      - Address of an HTTP proxy, such as V(http://proxy.example.com:3128).
      - A login goes into it, as in V(http://user:password@proxy.example.com:3128), each part percent-encoded. So
        Ansible shows nothing of this option.
      - Without it the environment variables C(http_proxy), C(https_proxy) and C(no_proxy) count. An empty string uses
        no proxy, whatever the environment says.
    type: str
  validate_certs:
    description:
      - Whether the TLS certificate of an C(https) server is checked.
      - SCEP's own protection does not depend on it.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder with the CA certificates that the TLS certificate of an C(https) server is checked against.
      - It counts more than C(REQUESTS_CA_BUNDLE) in the environment, which counts where this is not set.
      - It has nothing to do with the CA that issues certificates over SCEP. See O(ca_fingerprint) for that one.
    type: path
  client_cert:
    description:
      - Certificate in PEM with which this client introduces itself in TLS, where the web server wants one. The file
        may hold the key as well.
    type: path
  client_key:
    description:
      - Private key in PEM that belongs to O(client_cert), without a passphrase.
    type: path
requirements:
  - Python 3.9 or newer, on the host where the task runs
  - cryptography 36.0 or newer
  - requests 2.25 or newer
"""
