#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scep_certificate_pipe
short_description: Get a certificate from a CA over SCEP, without files
version_added: 0.1.0
description:
  - Does the work of M(netcert.ndes.scep_certificate) on values. What there is comes in options, what is new is
    returned, and nothing is written on the host. Keeping it is left to the tasks that follow.
  - The decisions are the same. Idempotence is judged by what was asked, as O(record) tells it. That is the return value
    RV(record) of the last run, to be kept with the certificate. Without it, a certificate is judged by its key, issuer,
    subject and alternative names.
  - A run that changes nothing sends no challenge password, and with a record it loads no private key and needs no
    network.
  - The CA is trusted by O(ca_fingerprint) or by a given certificate, never blindly, and before that is settled no
    challenge password leaves the host.
  - A run that fails or is interrupted leaves nothing behind. A request whose answer was lost cannot be sent again by
    the next run, and its one-time password may be used up. The key of a certificate that was issued meanwhile is lost
    as well. Where that matters, use M(netcert.ndes.scep_certificate), which keeps both.
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
  async:
    description: Supports being used with the C(async) keyword.
    support: none
    details: Ansible keeps what such a task returns in a file that others can read, and that would be the private key.
  check_mode:
    support: full
    details:
      - Options are looked at. The server is not, apart from a certificate without a record whose issuer nothing tells,
        so that a refusal of the server shows in a real run only.
  diff_mode:
    support: full
    details: Shows the properties that were asked for, before and after.
  idempotent:
    support: partial
    details:
      - It takes that what was returned is given to the next run. With O(force=true), every run enrols. With
        O(strict=true) too, as long as the CA gives what it likes.
options:
  certificate_content:
    description:
      - The certificate that there is, in PEM. Without it, or where it is empty, one is enrolled.
      - The value of RV(fullchain) will do as well. The first certificate counts.
    type: str
  privatekey_content:
    description:
      - The private key that there is, in PEM. It is used, provided that it is an RSA key and has at least
        O(privatekey_size) bits, and it is never replaced, unless this module made it, as O(record) tells.
      - Without it and without O(csr_content), or where it is empty, a key is made and returned.
      - Line breaks around it do not count.
    type: str
  record:
    description:
      - The value of RV(record) of the last run, as it was. It may be empty.
      - Treat it as a secret as long as RV(status=pending). It holds the open transaction then, and with it a new
        private key and the challenge password. Otherwise there are no secrets in it.
    type: dict
    suboptions:
      enrolment:
        description:
          - What was asked in the last enrolment, and what came of it.
        type: dict
      transaction:
        description:
          - The request that waits for approval, sealed into a text that is another one in every run.
        type: str
  privatekey_format:
    description:
      - How the key is returned in PEM. V(pkcs8) is the usual form, V(pkcs1) the traditional one for older devices.
      - A key that this module made is returned anew when its form is another one.
    type: str
    choices: [pkcs8, pkcs1]
    default: pkcs8
  privatekey_passphrase:
    description:
      - Passphrase of the private key. A new key is encrypted with it, and one that this module made without is
        encrypted and returned now.
    type: str
  csr_content:
    description:
      - A PKCS#10 request, in PEM, whose private key is somewhere else, in a device or an HSM.
      - It is sent as it is. A challenge password has to be in it. A key made for this purpose alone signs the message
        to the server, which some servers refuse.
      - Mutually exclusive with O(subject), O(privatekey_content) and O(challenge_password).
    type: str
  wait:
    description:
      - Seconds to wait for the approval of the CA within this run. After that, RV(record) holds the request, and a run
        that gets it asks for the answer.
    type: float
    default: 0.0
notes:
  - A new private key, and a record while RV(status=pending), are secrets that Ansible does not know of. Set C(no_log)
    on the task, and on each task that handles them.
  - Files that were enrolled with M(netcert.ndes.scep_certificate) have a record of their own, which is the value of
    C(enrolment) in O(record).
seealso:
  - module: netcert.ndes.scep_certificate
  - module: netcert.ndes.scep_ca_info
"""

EXAMPLES = r"""
- name: Get a certificate and a key that go nowhere but to the next tasks
  netcert.ndes.scep_certificate_pipe:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    challenge_password: "{{ pki_one_time_password }}"
    subject: CN={{ inventory_hostname }},O=Example
    subject_alt_name:
      - DNS:{{ inventory_hostname }}
  delegate_to: localhost
  no_log: true
  register: enrolled

- name: Renew a certificate 30 days before it ends, with key, certificate and record from variables of the device
  netcert.ndes.scep_certificate_pipe:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    subject: CN={{ inventory_hostname }},O=Example
    remaining_days: 30
    privatekey_content: "{{ device_key | default(omit) }}"
    certificate_content: "{{ device_certificate | default(omit) }}"
    record: "{{ device_record | default(omit) }}"
  delegate_to: localhost
  no_log: true
  register: renewed

- name: Take over what is new, before it is kept wherever such variables are kept
  ansible.builtin.set_fact:
    device_key: "{{ renewed.privatekey | default(device_key) }}"
    device_certificate: "{{ renewed.certificate }}"
    device_record: "{{ renewed.record }}"
  when: renewed.status == 'issued'
  no_log: true

- name: Have the request of a device signed, whose key never leaves it
  netcert.ndes.scep_certificate_pipe:
    url: https://scep.example.com/scep
    ca_certificate_path: /etc/pki/device-ca.pem
    csr_content: "{{ device_request }}"
    certificate_content: "{{ device_certificate | default(omit) }}"
    record: "{{ device_record | default(omit) }}"
    wait: 300
  delegate_to: localhost
  no_log: true
  register: signed
"""

RETURN = r"""
changed:
  description: Whether anything new is returned or was asked for, or would be in check mode.
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
    - V(issued) when the certificate is there.
    - V(pending) while the request waits for approval at the CA. Run the task again with RV(record) to ask for the
      answer.
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
  description: The certificate, in PEM, whether it is a new one or not.
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
chain:
  description: The certificates of the CA, in PEM, the issuing one first and then upwards to the trust anchor.
  returned: as RV(certificate)
  type: list
  elements: str
  sample:
    - |
      -----BEGIN CERTIFICATE-----
      MIIC8jCCAdqgAwIBAgIUTGTdwMKbAwVPV5nUVzF0a9YOnAowDQYJKoZIhvcNAQEL
      ...
      -----END CERTIFICATE-----
fullchain:
  description: The certificate followed by those of RV(chain), in one text.
  returned: as RV(certificate)
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIDczCCAlugAwIBAgIRALo94cFXf5GxlSh5cDtQbfswDQYJKoZIhvcNAQELBQAw
    ...
    -----END CERTIFICATE-----
    -----BEGIN CERTIFICATE-----
    MIIC8jCCAdqgAwIBAgIUTGTdwMKbAwVPV5nUVzF0a9YOnAowDQYJKoZIhvcNAQEL
    ...
    -----END CERTIFICATE-----
privatekey:
  description: The private key, in PEM. It is a secret.
  returned: when this run has brought a new one with its certificate, or made its form another one
  type: str
  sample: |
    -----BEGIN PRIVATE KEY-----
    ...
    -----END PRIVATE KEY-----
record:
  description:
    - What the next run should get as O(record).
    - It is a secret while RV(status=pending).
  returned: success
  type: dict
  sample:
    enrolment:
      format: 1
      asked:
        subject: [[["O", "Example"]], [["CN", "sw1.example.com"]]]
        subject_alt_name: ["DNS:sw1.example.com"]
        key_usage: []
        key_usage_critical: false
        extended_key_usage: []
        extended_key_usage_critical: false
      url: http://ndes.example.com/certsrv/mscep/mscep.dll
      transaction_id: 12B96A55206162072B959417882223F9
      time: "2026-11-24T12:12:16Z"
      certificate: "77:c6:e8:cf:7b:46:be:04:36:30:fa:58:3f:6d:b0:f6:39:ca:12:b7:86:c5:a8:67:08:f2:ed:4f:7d:54:20:4f"
      public_key: "d9:b9:8e:aa:3c:ac:93:1a:b5:7c:95:ba:70:51:0a:8d:bd:00:22:ee:db:ce:0e:00:c2:d1:9a:eb:0d:f3:4a:73"
      key_bits: 2048
      key_made: true
      key_file: 6b0ad9b2b4b1b6d1b9d0a6e3e5e9f4e2f0fbb1a3c6a45d9a2d0b9e0f6a1c7d58
      chain:
        - |
          -----BEGIN CERTIFICATE-----
          MIIC8jCCAdqgAwIBAgIUTGTdwMKbAwVPV5nUVzF0a9YOnAowDQYJKoZIhvcNAQEL
          ...
          -----END CERTIFICATE-----
  contains:
    enrolment:
      description: What was asked, and what came of it.
      returned: once a certificate was enrolled
      type: dict
    transaction:
      description: The request that waits, with a new private key and the challenge password in it.
      returned: when RV(status=pending)
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import PIPE
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_content


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**PIPE.arguments(), supports_check_mode=True), ensure_content)


if __name__ == "__main__":
    main()
