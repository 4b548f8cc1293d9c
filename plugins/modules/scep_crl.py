#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scep_crl
short_description: Keep the current CRL of a CA in a file
version_added: 0.1.0
description:
  - Sees to it that the certificate revocation list (CRL) that covers a certificate is in a file, and tells whether that
    certificate is on it.
  - A CRL on disk that the CA has signed and that is good for long enough is left alone, without any network. Otherwise
    the SCEP server is asked (GetCRL, RFC 8894). Where it refuses or fails, the CRL distribution points of the
    certificate are tried in their order, as far as they begin with C(http://).
  - A CRL counts only if the CA that issued the certificate, and that hangs on the trust anchor, has signed it, if it is
    in date, and if it speaks of this certificate. It never replaces a newer one. Delta CRLs and indirect CRLs are not
    taken.
  - The CA certificates that this takes are kept beside the CRL, in a file with the suffix C(.scep.json), so that the
    next run can judge by O(ca_fingerprint) without asking.
author:
  - The netcert.ndes contributors (@netcert)
extends_documentation_fragment:
  - netcert.ndes._attributes
  - netcert.ndes._attributes.action_group
  - netcert.ndes._attributes.action_in_process
  - netcert.ndes._connection
  - netcert.ndes._file
attributes:
  check_mode:
    support: full
    details: A CRL is fetched and judged in check mode as well, as that changes nothing anywhere.
  diff_mode:
    support: full
    details: Shows number, dates and count of the CRL, before and after.
  idempotent:
    support: full
    details: A CRL that the server has renewed meanwhile is a change outside.
options:
  path:
    description:
      - File of the CRL. Its folder has to exist.
      - Where it is a symbolic link, the link stays and the file that it leads to is replaced.
    type: path
    required: true
  format:
    description:
      - How the file is written.
    type: str
    choices: [pem, der]
    default: der
  certificate_path:
    description:
      - File with the certificate whose revocation list is wanted, in PEM or DER, on the host where the task runs.
      - Exactly one of O(certificate_path), O(certificate_content) and O(serial_number) is required.
    type: path
  certificate_content:
    description:
      - The certificate whose revocation list is wanted, in PEM.
    type: str
  serial_number:
    description:
      - Serial number of the certificate whose revocation list is wanted. The certificate is fetched from the server
        (GetCert) and returned in RV(certificate). NDES is not expected to answer that; there, give the certificate.
      - A number is taken as it is, such as RV(netcert.ndes.scep_certificate#module:serial_number). A text is taken as
        hexadecimal digits, with or without colons. With colons it has to be in quotes.
    type: raw
  remaining_hours:
    description:
      - A CRL on disk is left alone as long as its successor is due in more than so many hours, or in more than half of
        its life where that is less.
    type: float
    default: 24.0
  force:
    description:
      - Whether to fetch the CRL although the one on disk is good enough.
    type: bool
    default: false
notes:
  - NDES refuses GetCRL. Certificates that come from it need a distribution point that begins with C(http://), or the
    task fails with that refusal.
  - A revocation that happened since the CRL was signed shows with O(force=true) only, or as soon as the file is
    renewed.
  - Files of more than 4 MiB are not fetched.
seealso:
  - module: netcert.ndes.scep_certificate
  - module: netcert.ndes.scep_trust_store
"""

EXAMPLES = r"""
- name: Keep the CRL for the clients of a web server
  netcert.ndes.scep_crl:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    certificate_path: /etc/pki/www/cert.pem
    path: /etc/pki/www/clients.crl
    format: pem
  notify: Reload the web server

- name: Ask whether a certificate is revoked by now
  netcert.ndes.scep_crl:
    url: http://scep.example.com/scep
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    serial_number: "61:C8:C5:EC:6C:50:CB:18"
    path: /var/lib/pki/device.crl
    force: true
  delegate_to: localhost
  register: crl

- name: Show the answer
  ansible.builtin.debug:
    msg: "{{ crl.revocation_reason if crl.revoked else 'not revoked' }}"
"""

RETURN = r"""
msg:
  description: What was done, which CRL is there now, and what it says of the certificate.
  returned: always
  type: str
  sample: >-
    Set: content of the CRL. It is number 1, of 2026-11-25 23:41 UTC; the next is due 2026-12-02 23:41 UTC. The
    certificate is revoked.
filename:
  description: The real path of the file, links followed.
  returned: success
  type: str
  sample: /etc/pki/www/clients.crl
backup_files:
  description: The copy that was kept.
  returned: when O(backup=true) and there was a file to keep
  type: list
  elements: str
  sample: [/etc/pki/www/clients.crl.20261125T233012Z~]
source:
  description:
    - Where the CRL came from. V(scep) for the SCEP server, V(file) for one that was there and good enough, otherwise
      the address of the distribution point.
  returned: success
  type: str
  sample: scep
issuer:
  description: Name of the CA as RFC 4514 writes it.
  returned: success
  type: str
  sample: CN=netcert.ndes test CA
number:
  description: Number of the CRL, which grows from one to the next. Null for a CRL without one.
  returned: success
  type: int
  sample: 1
this_update:
  description: When the CRL was signed, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2026-11-25T23:41:06Z"
next_update:
  description: When the next one is due at the latest, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2026-12-02T23:41:06Z"
revoked_count:
  description: Number of certificates on the CRL.
  returned: success
  type: int
  sample: 1
revoked:
  description: Whether the certificate is on the CRL.
  returned: success
  type: bool
  sample: true
revocation_date:
  description: When it was revoked, ISO 8601 in UTC. Null for a certificate that is not revoked.
  returned: success
  type: str
  sample: "2026-11-25T23:41:05Z"
revocation_reason:
  description: The reason in the words of RFC 5280, such as V(keyCompromise). Null where the CRL gives none.
  returned: success
  type: str
  sample: keyCompromise
certificate:
  description: The certificate that was fetched, in PEM.
  returned: when O(serial_number) is set
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIDQjCCAiqgAwIBAgIQThLO0/VxcHzpAHgJABxgOTANBgkqhkiG9w0BAQsFADAf
    ...
    -----END CERTIFICATE-----
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CRL
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.crl import ensure_crl


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**CRL.arguments(), supports_check_mode=True), ensure_crl)


if __name__ == "__main__":
    main()
