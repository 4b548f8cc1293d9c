#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ndes_otp
short_description: Get challenge passwords from the administration page of NDES
version_added: 0.1.0
author:
  - The netcert.ndes contributors (@netcert)
description:
  - Logs in to the administration page of Microsoft NDES and brings challenge passwords, with which devices enrol.
  - The page is read by its shape, so that its language and its encoding do not matter. Products that imitate NDES are
    read, too.
  - NDES keeps few unused passwords. A request that brings none says why; one that brought a password is never repeated
    by itself.
  - Where the certificate is made by M(netcert.ndes.scep_certificate), let that module ask for the password, with its
    option O(netcert.ndes.scep_certificate#module:otp). It does so only when an enrolment is really next. This module is
    for devices that speak SCEP themselves.
extends_documentation_fragment:
  - netcert.ndes._admin_page
  - netcert.ndes._attributes
  - netcert.ndes._attributes.action_in_process
options:
  count:
    description:
      - How many passwords to bring. Each takes a place in the server's cache until it is used or expires.
      - When the server runs out of places in between, the task fails, and those that came before expire unused.
    type: int
    default: 1
attributes:
  check_mode:
    support: full
    details: No password is asked for.
  diff_mode:
    support: none
    details: There is nothing to compare.
  idempotent:
    support: none
    details: Each run brings other passwords, except where NDES is set to a single one.
  platform:
    support: full
notes:
  - The result is a secret. On the controller it is not shown, and O(ignore:no_log) on the task hides it in all other
    cases as well. The next task can use the registered value.
requirements:
  - Python 3.9 or newer, on the host where the task runs
  - cryptography 36.0 or newer
  - requests 2.25 or newer
  - requests-ntlm, for O(auth=ntlm) and O(auth=negotiate)
  - requests-kerberos and krb5, for O(auth=kerberos)
  - gssapi and krb5, for Kerberos inside of O(auth=negotiate)
seealso:
  - module: netcert.ndes.scep_certificate
"""

EXAMPLES = r"""
- name: Get a challenge password for the router
  netcert.ndes.ndes_otp:
    url: https://ndes.example.com/certsrv/mscep_admin/
    auth: ntlm
    username: EXAMPLE\scep-operator
    password: "{{ vault_scep_operator_password }}"
    ca_path: /etc/pki/corporate-ca.pem
  delegate_to: localhost
  register: otp
  no_log: true

- name: Let the router enrol
  cisco.ios.ios_command:
    commands:
      - command: crypto pki enroll NDES
        prompt: ["Password:", "Re-enter password:"]
        answer: ["{{ otp.challenge_password }}", "{{ otp.challenge_password }}"]
  no_log: true

- name: Get five at once, with the Kerberos ticket of whoever runs this, and wait for room in the cache
  netcert.ndes.ndes_otp:
    url: https://ndes.example.com/certsrv/mscep_admin/
    auth: kerberos
    count: 5
    retry_timeout: 3600
  delegate_to: localhost
  register: otps
  no_log: true
"""

RETURN = r"""
msg:
  description: How many passwords there are.
  returned: always
  type: str
  sample: NDES handed out 1 challenge password.
challenge_password:
  description: The first password.
  returned: success, except in check mode
  type: str
  sample: 6C1B0A3E5D7F9A42
passwords:
  description: All passwords, in the order in which they came. Empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    challenge_password:
      description: The password.
      returned: always
      type: str
      sample: 6C1B0A3E5D7F9A42
    ca_thumbprint:
      description:
        - The thumbprint of the CA certificate that the page shows, in hexadecimal digits. NDES shows the MD5 digest.
        - It came over the log-in's own connection, and can be given to the devices for comparison.
      returned: always; null where the page shows none
      type: str
      sample: A656FA66AB12B433A2DA5CF7CC153D9A
    ca_thumbprint_digest:
      description: The digest that a thumbprint of this length is made with.
      returned: always; null where there is no thumbprint
      type: str
      sample: md5
    lifetime_minutes:
      description: Minutes for which the password is good, as the page says.
      returned: always; null where the page names none
      type: int
      sample: 60
    reusable:
      description: Whether the password is good for many requests, as NDES has it with UseSinglePassword.
      returned: always
      type: bool
      sample: false
    stale_at:
      description:
        - When the password should not be used any more, in UTC. That is shortly before it expires.
        - NDES forgets all passwords when its application pool is recycled, which nobody can see from here.
      returned: always; null where it does not expire
      type: str
      sample: "2026-11-26T05:57:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import OTP
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.hand_out import hand_out


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**OTP.arguments(), supports_check_mode=True), hand_out)


if __name__ == "__main__":
    main()
