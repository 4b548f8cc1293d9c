# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What a certificate is to be, and when there is to be another one."""

    DOCUMENTATION = r"""
options:
  subject:
    description:
      - Subject to ask for.
      - A string is read as RFC 4514 has it, the most specific part first, such as V(CN=sw1.example.com,O=Example,C=DE).
      - >-
        A mapping such as C({C: DE, O: Example, CN: sw1.example.com}), or a list of such mappings with one RDN each, is
        taken in the order of the certificate. A list is needed where an attribute occurs several times at different
        places.
      - Attributes go by their short names, long names or dotted object identifiers.
      - Required where a certificate is asked for, unless a PKCS#10 request is given.
    type: raw
  subject_alt_name:
    description:
      - Alternative names to ask for, each with its kind, that is V(DNS:), V(IP:), V(email:), V(URI:), V(UPN:) for the
        user principal name of Windows, or V(RID:) for a registered object identifier.
    type: list
    elements: str
    default: []
  sid:
    description:
      - Security identifier of the Windows account that the certificate is to be mapped to, such as
        V(S-1-5-21-1004336348-1177238915-682003330-1105).
      - It is asked for as the alternative name C(URI:tag:microsoft.com,2022-09-14:sid:...). Domain controllers demand
        such a strong mapping since 2025 of certificates that accounts log on with, and a CA does not add it by itself
        where the subject is supplied in the request.
    type: str
  key_usage:
    description:
      - Key usages to ask for. Many CAs, NDES among them, set their own.
    type: list
    elements: str
    choices:
      - digitalSignature
      - contentCommitment
      - keyEncipherment
      - dataEncipherment
      - keyAgreement
      - keyCertSign
      - cRLSign
      - encipherOnly
      - decipherOnly
    default: []
  key_usage_critical:
    description:
      - Whether O(key_usage) is marked as critical.
    type: bool
    default: false
  extended_key_usage:
    description:
      - Purposes to ask for, such as V(serverAuth), V(clientAuth), V(ipsecIKE), or any other as a dotted object
        identifier.
    type: list
    elements: str
    default: []
  extended_key_usage_critical:
    description:
      - Whether O(extended_key_usage) is marked as critical.
    type: bool
    default: false
  challenge_password:
    description:
      - Password with which the server lets the request in. It is sent when an enrolment really happens, encrypted to
        the CA or its registration authority.
      - Ansible masks it wherever it occurs in results. A very short one, which also occurs in other words, spoils them,
        even a key or a certificate.
    type: str
  privatekey_size:
    description:
      - Size of a new RSA key in bits, V(2048) to V(4096), and the least size of one that is there.
      - A smaller key that this module made is replaced.
    type: int
    default: 2048
  remaining_days:
    description:
      - The certificate is renewed as soon as it is valid for less than so many days.
      - Without this and O(remaining_percentage) a new one is asked for only when the old one has expired.
      - A renewal is signed by the old certificate and needs no O(challenge_password), if the server offers C(Renewal).
        Where it does not, or refuses, a new enrolment with O(challenge_password) takes its place.
    type: int
  remaining_percentage:
    description:
      - The certificate is renewed as soon as less than this fraction of its life is left, from V(0) to V(1).
    type: float
  rekey:
    description:
      - Whether a renewal makes a new key. A key that this module did not make is kept in any case.
    type: bool
    default: true
  strict:
    description:
      - Whether a certificate is asked for anew when the CA has given another subject, other alternative names or other
        usages than were asked for.
      - By default that is returned in RV(ca_overrode), with one warning when it happens.
    type: bool
    default: false
  force:
    description:
      - Whether to enrol although what is there fits.
    type: bool
    default: false
  poll_interval:
    description:
      - Seconds between two questions while this run waits, spread by a fifth so that many hosts do not ask at once.
    type: float
    default: 30.0
"""
