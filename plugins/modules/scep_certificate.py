#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scep_certificate
short_description: Get a certificate from a CA over SCEP
version_added: 0.1.0
description:
  - Sees to it that a certificate, its private key and, where wanted, its chain are there. What is missing or no longer
    fits is enrolled at a SCEP server (RFC 8894), such as the Network Device Enrollment Service (NDES) of Active
    Directory Certificate Services.
  - Idempotence is judged by what was asked, not by what came back, because a CA takes validity, key usage and often
    names from its own rules. The request of the last enrolment is recorded beside the certificate, in a file with the
    suffix C(.scep.json) and without secrets. A certificate without such a record is judged by its key, issuer, subject
    and alternative names.
  - A run that changes nothing sends no challenge password, loads no private key and needs no network. Of a certificate
    without a record alone, and only if no local file tells that the given CA issued it, the server is asked for its CA
    certificates.
  - The CA is trusted by O(ca_fingerprint) or by a given certificate, never blindly, and before that is settled no
    challenge password leaves the host.
  - Before a request leaves, it is kept beside the certificate, in a file with the suffix C(.scep-pending.json) and mode
    V(0600), together with a new private key. The challenge password is in it. A request whose answer was lost is sent
    again by the next run as it was, and one that waits for approval is asked for. The file goes away with the answer.
  - Key and certificate are written as one. At any moment a killed run is completed by the next one, so that both always
    belong together.
author:
  - The netcert.ndes contributors (@netcert)
extends_documentation_fragment:
  - netcert.ndes._attributes
  - netcert.ndes._attributes.action_group
  - netcert.ndes._attributes.action_in_process
  - netcert.ndes._connection
  - netcert.ndes._admin_page.otp
  - netcert.ndes._enrolment
attributes:
  check_mode:
    support: full
    details:
      - Options, files and permissions are looked at. The server is not, apart from the exception in the description,
        so that a refusal of the server shows in a real run only.
  diff_mode:
    support: full
    details: Shows the properties that were asked for, before and after.
  idempotent:
    support: partial
    details: With O(force=true), every run enrols. With O(strict=true) too, as long as the CA gives what it likes.
options:
  state:
    description:
      - V(present) sees to it that the certificate is there.
      - V(absent) removes it, with all files that belong to it. A private key that this module did not make stays.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - File of the certificate, in PEM. Its folder has to exist.
      - Where it is a symbolic link, the link stays and the file that it leads to is replaced.
    type: path
    required: true
  privatekey_path:
    description:
      - File of the private key.
      - A key that is there is used, provided that it is an RSA key and has at least O(privatekey_size) bits. It is
        never replaced, unless this module made it.
      - If there is none, a key is made and written together with the certificate.
      - Required with O(state=present), unless O(csr_path) or O(csr_content) is given.
    type: path
  privatekey_format:
    description:
      - How the key is written in PEM. V(pkcs8) is the usual form, V(pkcs1) the traditional one that older devices want.
      - A key that this module made is written anew when its form is another one.
    type: str
    choices: [pkcs8, pkcs1]
    default: pkcs8
  privatekey_passphrase:
    description:
      - Passphrase of the private key. A new key is encrypted with it, and one that this module made and wrote without
        is encrypted now.
    type: str
  privatekey_mode:
    description:
      - Mode of the key file, as a quoted octal number. Without it a new file gets V('0600') and an old one keeps its
        mode.
    type: raw
  privatekey_owner:
    description:
      - Owner of the key file, by name or number. Without it the owner of an old file stays.
    type: str
  privatekey_group:
    description:
      - Group of the key file, by name or number. Without it the group of an old file stays.
    type: str
  chain_path:
    description:
      - File for the certificates of the CA, in PEM, the issuing one first and then upwards to the trust anchor.
    type: path
  fullchain_path:
    description:
      - File for the certificate followed by the content of O(chain_path), as web servers want it.
    type: path
  pkcs12_path:
    description:
      - File for key, certificate and chain together, in PKCS#12. It gets the mode, owner and group of the private key.
      - It is left alone as long as it holds just these.
    type: path
  pkcs12_passphrase:
    description:
      - Passphrase of the file in O(pkcs12_path), which cannot be without one.
    type: str
  pkcs12_friendly_name:
    description:
      - Name of the entry in O(pkcs12_path), which some devices show.
    type: str
  pkcs12_encryption:
    description:
      - V(modern) encrypts with AES-256. V(legacy) encrypts with 3DES and protects with SHA-1, for devices that read
        nothing else.
    type: str
    choices: [modern, legacy]
    default: modern
  mode:
    description:
      - Mode of the files in O(path), O(chain_path) and O(fullchain_path), as a quoted octal number. Without it a new
        file gets V('0644') and an old one keeps its mode.
    type: raw
  owner:
    description:
      - Owner of the same files, by name or number. Without it the owner of an old file stays.
    type: str
  group:
    description:
      - Group of the same files, by name or number. Without it the group of an old file stays.
    type: str
  csr_path:
    description:
      - File with a PKCS#10 request, in PEM or DER, whose private key is somewhere else, in a device or an HSM.
      - It is sent as it is. A challenge password has to be in it. A key made for this purpose alone signs the message
        to the server, which some servers refuse.
      - Mutually exclusive with O(subject), O(privatekey_path), O(pkcs12_path), O(challenge_password) and O(otp).
    type: path
  csr_content:
    description:
      - The same request itself, in PEM.
    type: str
  backup:
    description:
      - Whether files that are replaced are copied first, to a name with the time in it.
    type: bool
    default: false
  wait:
    description:
      - Seconds to wait for the approval of the CA within this run. The request is kept in any case, and the next run
        asks for the answer.
    type: float
    default: 0.0
notes:
  - To have the certificate of a network device made on the controller, use C(delegate_to=localhost), or the connection
    of the device's platform.
seealso:
  - module: netcert.ndes.scep_certificate_pipe
  - module: netcert.ndes.scep_ca_info
  - module: netcert.ndes.ndes_otp
"""

EXAMPLES = r"""
- name: Get a certificate from NDES with a one-time password
  netcert.ndes.scep_certificate:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    challenge_password: "{{ pki_one_time_password }}"
    subject: CN={{ inventory_hostname }},O=Example
    subject_alt_name:
      - DNS:{{ inventory_hostname }}
    path: /etc/pki/device/{{ inventory_hostname }}.pem
    privatekey_path: /etc/pki/device/{{ inventory_hostname }}.key

- name: Keep the certificate of a device current, with passwords of NDES
  netcert.ndes.scep_certificate:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    otp:
      url: https://ndes.example.com/certsrv/mscep_admin/
      auth: ntlm
      username: EXAMPLE\scep-operator
      password: "{{ vault_scep_operator_password }}"
      ca_path: /etc/pki/corporate-ca.pem
      retry_timeout: 3600
    subject: CN={{ inventory_hostname }},O=Example
    path: /etc/pki/device/{{ inventory_hostname }}.pem
    privatekey_path: /etc/pki/device/{{ inventory_hostname }}.key
    remaining_days: 30

- name: Get the certificate of a web server, readable for its group
  netcert.ndes.scep_certificate:
    url: https://scep.example.com/scep
    ca_path: /etc/ssl/certs/tls-ca.pem
    ca_certificate_path: /etc/pki/device-ca.pem
    challenge_password: "{{ pki_password }}"
    subject:
      - C: DE
      - O: Example
      - CN: www.example.com
    subject_alt_name:
      - DNS:www.example.com
      - IP:192.0.2.10
    extended_key_usage:
      - serverAuth
    privatekey_size: 3072
    privatekey_path: /etc/pki/www/key.pem
    privatekey_group: www-data
    privatekey_mode: "0640"
    path: /etc/pki/www/cert.pem
    fullchain_path: /etc/pki/www/fullchain.pem
    backup: true
  notify: Reload the web server

- name: Renew the certificate of a device 30 days before it ends, signed by the old one
  netcert.ndes.scep_certificate:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    subject: CN={{ inventory_hostname }},O=Example
    remaining_days: 30
    path: /etc/pki/device/{{ inventory_hostname }}.pem
    privatekey_path: /etc/pki/device/{{ inventory_hostname }}.key
    pkcs12_path: /etc/pki/device/{{ inventory_hostname }}.p12
    pkcs12_passphrase: "{{ pki_pkcs12_passphrase }}"

- name: Have a request signed whose private key never leaves the device, and wait five minutes for the CA's approval
  netcert.ndes.scep_certificate:
    url: https://scep.example.com/scep
    ca_certificate_path: /etc/pki/device-ca.pem
    csr_path: /srv/requests/hsm1.csr
    path: /srv/certificates/hsm1.pem
    wait: 300
"""

RETURN = r"""
changed:
  description: Whether anything was written, or would be in check mode.
  returned: always
  type: bool
  sample: true
msg:
  description: What was done and why, or why nothing was to be done.
  returned: always
  type: str
  sample: "Enrolled: there is no certificate."
status:
  description:
    - V(issued) when the certificate is there, V(absent) when it is not and should not be.
    - V(pending) while the request waits for approval at the CA. Run the task again to ask for the answer.
  returned: success, unless in check mode a certificate would be enrolled
  type: str
  sample: issued
ca_overrode:
  description: What the CA has given otherwise than it was asked for, one sentence for each property.
  returned: as RV(certificate)
  type: list
  elements: str
  sample: []
certificate:
  description: The certificate, in PEM.
  returned: when RV(status=issued)
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIDczCCAlugAwIBAgIRALo94cFXf5GxlSh5cDtQbfswDQYJKoZIhvcNAQELBQAw
    ...
    -----END CERTIFICATE-----
subject:
  description: Subject of the certificate as RFC 4514 writes it, the most specific part first.
  returned: as RV(certificate)
  type: str
  sample: CN=sw1.example.com,O=Example
issuer:
  description: Name of the CA that issued the certificate, in the same notation.
  returned: as RV(certificate)
  type: str
  sample: CN=netcert.ndes test CA
serial_number:
  description: Serial number of the certificate.
  returned: as RV(certificate)
  type: int
  sample: 247557716184640581176820787236796657147
not_before:
  description: Start of the validity, ISO 8601 in UTC.
  returned: as RV(certificate)
  type: str
  sample: "2026-11-24T12:07:16Z"
not_after:
  description: End of the validity, ISO 8601 in UTC.
  returned: as RV(certificate)
  type: str
  sample: "2027-11-24T12:12:16Z"
fingerprint:
  description: SHA-256 fingerprint of the certificate.
  returned: as RV(certificate)
  type: str
  sample: "77:c6:e8:cf:7b:46:be:04:36:30:fa:58:3f:6d:b0:f6:39:ca:12:b7:86:c5:a8:67:08:f2:ed:4f:7d:54:20:4f"
public_key_fingerprint:
  description: SHA-256 fingerprint of the public key, that is of its SubjectPublicKeyInfo.
  returned: as RV(certificate)
  type: str
  sample: "d9:b9:8e:aa:3c:ac:93:1a:b5:7c:95:ba:70:51:0a:8d:bd:00:22:ee:db:ce:0e:00:c2:d1:9a:eb:0d:f3:4a:73"
transaction_id:
  description: The transactionID under which the certificate was enrolled. It is in the log of the server, too.
  returned: as RV(certificate), where this module enrolled it, and when RV(status=pending)
  type: str
  sample: 12B96A55206162072B959417882223F9
paths:
  description: The files, by absolute paths with symbolic links followed.
  returned: success
  type: dict
  sample:
    certificate: /etc/pki/device/sw1.pem
    privatekey: /etc/pki/device/sw1.key
    record: /etc/pki/device/sw1.pem.scep.json
  contains:
    certificate:
      description: The certificate.
      returned: always
      type: str
    privatekey:
      description: The private key.
      returned: if O(privatekey_path) is set
      type: str
    chain:
      description: The certificates of the CA.
      returned: if O(chain_path) is set
      type: str
    fullchain:
      description: The certificate with those of the CA.
      returned: if O(fullchain_path) is set
      type: str
    pkcs12:
      description: Key, certificate and chain in PKCS#12.
      returned: if O(pkcs12_path) is set
      type: str
    record:
      description: The record of the enrolment.
      returned: always
      type: str
backup_files:
  description: The copies that were made of files before they were replaced.
  returned: if O(backup=true) and files were replaced
  type: list
  elements: str
  sample: ["/etc/pki/device/sw1.pem.20261124T121216Z~"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CERTIFICATE
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**CERTIFICATE.arguments(), supports_check_mode=True), ensure_certificate)


if __name__ == "__main__":
    main()
