#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scep_ca_info
short_description: Ask a SCEP server what it can do and which certificates it offers
version_added: 0.1.0
description:
  - Asks a SCEP server (RFC 8894) for its capabilities (GetCACaps) and for the certificates of its CA and of its
    registration authority (GetCACert), today's and, where it offers them, the coming ones (GetNextCACert).
  - Serves to find out the fingerprint that M(netcert.ndes.scep_certificate) wants, and to see why an enrolment fails.
  - Without a trust anchor everything is shown and nothing is trusted. With O(ca_fingerprint), O(ca_certificate_path) or
    O(ca_certificate_content) the certificates are checked as in an enrolment, and the task fails if they do not hold.
author:
  - The netcert.ndes contributors (@netcert)
extends_documentation_fragment:
  - netcert.ndes._attributes
  - netcert.ndes._attributes.action_group
  - netcert.ndes._attributes.action_in_process
  - netcert.ndes._connection
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed.
  diff_mode:
    support: N/A
    details: Nothing is ever changed.
  idempotent:
    support: full
seealso:
  - module: netcert.ndes.scep_certificate
"""

EXAMPLES = r"""
- name: Look at the CA before its fingerprint is known
  netcert.ndes.scep_ca_info:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
  delegate_to: localhost
  register: ca

- name: Show the fingerprints, to be compared with those that the operator of the CA tells
  ansible.builtin.debug:
    msg: "{{ item.subject }} ({{ item.roles | join(', ') }}): {{ item.fingerprints.sha256 }}"
  loop: "{{ ca.certificates }}"

- name: See to it that the server still has the CA that we know
  netcert.ndes.scep_ca_info:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: What was found, and whether anything vouches for it.
  returned: always
  type: str
  sample: The server offers 3 certificates, and they hang on the given CA.
trusted:
  description: Whether the certificates were checked against a trust anchor. Without one they are only shown.
  returned: success
  type: bool
  sample: true
capabilities:
  description: The words of GetCACaps in upper case, unknown ones included. Empty for a server that has no such list.
  returned: success
  type: list
  elements: str
  sample: [AES, DES3, POSTPKIOPERATION, SCEPSTANDARD, SHA-1, SHA-256, SHA-384, SHA-512]
digests:
  description: The digests that the words stand for.
  returned: success
  type: list
  elements: str
  sample: [sha1, sha256, sha384, sha512]
ciphers:
  description: The ciphers that the words stand for.
  returned: success
  type: list
  elements: str
  sample: [aes-128-cbc, des-ede3-cbc]
post:
  description: Whether messages may be sent by POST.
  returned: success
  type: bool
  sample: true
renewal:
  description: Whether a certificate can be renewed with its own signature, without a challenge password.
  returned: success
  type: bool
  sample: false
certificates:
  description: The certificates of GetCACert, in the order in which the server sends them.
  returned: success
  type: list
  elements: dict
  contains:
    roles:
      description:
        - What the certificate says that it is for, V(ca), V(ra_signer) or V(ra_recipient), or several of them.
        - With a trust anchor, V(ra_recipient) marks the one that requests are encrypted to. Where no certificate has
          this role, requests are encrypted to the CA.
      returned: always
      type: list
      elements: str
      sample: [ra_recipient]
    subject:
      description: Subject as RFC 4514 writes it, the most specific part first.
      returned: always
      type: str
      sample: CN=netcert.ndes test CA RA Encryption
    issuer:
      description: Name of the issuer, in the same notation.
      returned: always
      type: str
      sample: CN=netcert.ndes test CA
    serial_number:
      description: Serial number.
      returned: always
      type: int
      sample: 129977589328904132157304767944528680977
    not_before:
      description: Start of the validity, ISO 8601 in UTC.
      returned: always
      type: str
      sample: "2026-11-24T11:11:47Z"
    not_after:
      description: End of the validity, ISO 8601 in UTC.
      returned: always
      type: str
      sample: "2028-11-23T12:11:47Z"
    fingerprints:
      description: Fingerprints of the certificate.
      returned: always
      type: dict
      contains:
        sha256:
          description: SHA-256.
          returned: always
          type: str
          sample: "bd:ea:1e:8f:44:3b:80:5f:cf:52:9d:5c:e8:85:67:b9:5a:c4:3a:4c:25:3a:47:fe:20:48:01:80:c7:8d:55:07"
        sha1:
          description: SHA-1, to be compared only where nothing better is known.
          returned: always
          type: str
          sample: "28:76:87:65:e8:97:1b:61:62:31:78:70:bd:d8:2a:0c:7f:9a:97:1b"
        md5:
          description: MD5, as the web pages of NDES print it; to be compared only where nothing better is known.
          returned: always
          type: str
          sample: "38:30:d7:86:69:ee:54:8f:b6:28:fe:70:4f:61:7b:e7"
    public_key_fingerprint:
      description: SHA-256 fingerprint of the public key, that is of its SubjectPublicKeyInfo.
      returned: always
      type: str
      sample: "64:96:41:63:30:72:7d:26:d5:09:2e:7f:6e:af:e1:f8:89:ec:28:9b:ad:09:d5:57:8e:bb:ca:1a:a3:3d:a1:91"
    certificate:
      description: The certificate, in PEM.
      returned: always
      type: str
      sample: |
        -----BEGIN CERTIFICATE-----
        MIIDTTCCAjWgAwIBAgIQYcjF7GxQyxhGf1hiK2LYETANBgkqhkiG9w0BAQsFADAf
        ...
        -----END CERTIFICATE-----
next_ca_offered:
  description: Whether the server says that it answers GetNextCACert.
  returned: success
  type: bool
  sample: true
next_ca:
  description:
    - The certificates of the CA that will issue after a rollover, described as in RV(certificates).
    - Empty without a trust anchor, as today's CA has to vouch for them, and as long as the server has none to offer.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CA_INFO
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ca_info import ca_info


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**CA_INFO.arguments(), supports_check_mode=True), ca_info)


if __name__ == "__main__":
    main()
