#!/usr/bin/python
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scep_trust_store
short_description: Keep a bundle with the CA that is trusted, across its rollover
version_added: 0.1.0
description:
  - Sees to it that the certificates of a CA, and of what stands above it up to the trust anchor, are in a PEM file with
    which others verify.
  - Where the server offers GetNextCACert (RFC 8894), the certificates of the coming CA are added as soon as today's CA
    has signed them. The CA that issued before stays until it expires. Registration authorities are left out.
  - The server is trusted by O(ca_fingerprint) or by a given certificate. Where that CA has left the server after a
    rollover, it is trusted by the CA certificates that the bundle has learned, as long as the options name the same
    trust anchor as when they were learned, or one that is in the bundle. The trust anchor is recorded beside the
    bundle, in a file with the suffix C(.scep.json). With another trust anchor the bundle begins anew.
  - To follow a rollover, a run is needed between the day on which the next CA is announced and the day on which it
    begins to issue.
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
    details: The server is asked in check mode as well, as that changes nothing anywhere.
  diff_mode:
    support: full
    details: Shows fingerprints and names of the certificates, before and after.
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) sees to it that the bundle is there.
      - V(absent) removes it, with its record. Nothing is asked of the server.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - File of the bundle, in PEM. Its folder has to exist. Every other certificate in it is removed, unless it is that
        of a CA which the bundle has learned.
      - Where it is a symbolic link, the link stays and the file that it leads to is replaced.
    type: path
    required: true
notes:
  - The file is trusted by the next run. Whoever can write it decides which CA is trusted.
seealso:
  - module: netcert.ndes.scep_ca_info
  - module: netcert.ndes.scep_crl
"""

EXAMPLES = r"""
- name: Keep the CA certificates with which a RADIUS server verifies the devices
  netcert.ndes.scep_trust_store:
    url: http://ndes.example.com/certsrv/mscep/mscep.dll
    ca_fingerprint: "{{ pki_ca_fingerprint }}"
    path: /etc/freeradius/certs/devices-ca.pem
    group: freerad
    mode: "0640"
  notify: Restart the RADIUS server
"""

RETURN = r"""
msg:
  description: What was done, and what is in the bundle now.
  returned: always
  type: str
  sample: "Set: content of the bundle. CA certificates: 1 current, 1 next, 0 previous."
filename:
  description: The real path of the file, links followed.
  returned: success
  type: str
  sample: /etc/freeradius/certs/devices-ca.pem
backup_files:
  description: The copy that was kept.
  returned: when O(backup=true) and there was a file to keep
  type: list
  elements: str
  sample: [/etc/freeradius/certs/devices-ca.pem.20261125T233012Z~]
certificates:
  description: The certificates of the bundle, in the order of the file, which is by name, start of validity and
    fingerprint.
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description:
        - V(current) for the CA that issues today and what stands above it, V(next) for a coming one, V(previous) for
          one that issued before.
      returned: always
      type: str
      sample: current
    subject:
      description: Subject as RFC 4514 writes it.
      returned: always
      type: str
      sample: CN=netcert.ndes test CA
    fingerprint:
      description: SHA-256 fingerprint.
      returned: always
      type: str
      sample: "22:b3:41:72:62:e5:5f:f7:fb:bb:61:06:72:89:4f:49:4f:c0:70:7b:00:a9:22:e6:37:7f:3c:a4:65:5d:0d:4e"
    not_after:
      description: End of the validity, ISO 8601 in UTC.
      returned: always
      type: str
      sample: "2036-11-22T23:40:56Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import TRUST_STORE
from ansible_collections.netcert.ndes.plugins.module_utils.context import run_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.trust_store import ensure_trust_store


def main() -> None:
    """Run as a module."""
    run_module(AnsibleModule(**TRUST_STORE.arguments(), supports_check_mode=True), ensure_trust_store)


if __name__ == "__main__":
    main()
