# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import textwrap

_OTP = r"""
options:
  otp:
    description:
      - Gets the challenge password from the administration page of NDES when an enrolment is really next, in place of
        O(challenge_password). None is asked for when the certificate is as it should be, nor for a renewal that the old
        certificate signs, unless the server refuses that.
      - Everything that can fail without a password is tried first. The CA thumbprint on the page has to be that of a
        certificate that the SCEP server offers.
      - A password that the server calls used or expired is replaced once. One whose request could not be sent is left
        to the next host of the same run.
    type: dict
    suboptions:
{options}
      max_outstanding:
        description:
          - How many passwords the hosts of one run hold at a time. NDES keeps five, unless C(PasswordMax) is set in its
            registry.
          - Hosts that find no place wait for one. That holds for tasks that run on the controller, as they do on a
            local or a network connection.
        type: int
        default: 5
requirements:
  - requests-ntlm, for O(otp.auth=ntlm) and O(otp.auth=negotiate)
  - requests-kerberos and krb5, for O(otp.auth=kerberos)
  - gssapi and krb5, for Kerberos inside of O(otp.auth=negotiate)
"""


def _below_otp(documentation: str) -> str:
    """The same options as those of another one: indented, and called by their full names."""
    options = textwrap.dedent(documentation.partition("options:\n")[2]).strip("\n")
    return textwrap.indent(re.sub(r"\bO\((\w+)", r"O(otp.\1", options), " " * 6)


class ModuleDocFragment:
    """How the administration page of NDES is reached, and how to log in: by itself, and as parts of the option otp."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the administration page. That of NDES is C(https://HOST/certsrv/mscep_admin/).
      - A redirect that adds the slash at the end is followed. Nobody else is logged in to.
    type: str
    required: true
  auth:
    description:
      - How to log in.
      - V(ntlm) needs O(username), O(password) and the Python library C(requests-ntlm).
      - V(kerberos) takes O(username) and O(password), or the ticket of whoever runs the task, and needs the Python
        libraries C(requests-kerberos) and C(krb5).
      - V(negotiate) leaves it to both sides, Kerberos or NTLM inside of SPNEGO. It needs C(requests-ntlm), and for
        Kerberos C(gssapi) and C(krb5).
      - V(basic) sends the password itself, which NDES does not take as it is installed.
      - V(none) is for products that imitate NDES and guard their page by other means.
    type: str
    choices: [ntlm, kerberos, negotiate, basic, none]
    required: true
  username:
    description:
      - Who asks, as C(DOMAIN\user) or C(user@REALM).
      - NDES gives passwords to a user who has the right to enrol on all three templates that it is set to.
    type: str
  password:
    description: The password of O(username).
    type: str
  channel_binding:
    description:
      - Whether the log-in is bound to the TLS connection (extended protection in the words of IIS), so that nobody can
        pass it on to another server.
      - Set it to V(false) where a proxy ends TLS in front of IIS and IIS does not demand the binding.
    type: bool
    default: true
  allow_http:
    description:
      - Whether to log in over plain C(http), where everybody on the way can take over the log-in and read the password.
      - Without it, such an O(url) is refused for every O(auth) but V(none).
    type: bool
    default: false
  retry_timeout:
    description:
      - Seconds in which the page is asked again, some ten seconds apart, when its cache of unused passwords is full.
      - NDES keeps five unused passwords, each for an hour, unless its registry says otherwise.
    type: float
    default: 0.0
  timeout:
    description: Seconds for one request to the page, answer included.
    type: float
    default: 30.0
  proxy:
    description:
      - Address of an HTTP proxy. NTLM does not pass through every one.
      - Without it the environment variables C(http_proxy), C(https_proxy) and C(no_proxy) count. An empty string uses
        no proxy, whatever the environment says.
    type: str
  validate_certs:
    description: Whether the TLS certificate of the server is checked. Without that check the log-in goes to anybody.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder with the CA certificates that the TLS certificate of the server is checked against.
      - It counts more than C(REQUESTS_CA_BUNDLE) in the environment, which counts where this is not set.
    type: path
  client_cert:
    description:
      - Certificate in PEM with which this client introduces itself in TLS, where the web server wants one. The file
        may hold the key as well.
    type: path
  client_key:
    description: Private key in PEM that belongs to O(client_cert), without a passphrase.
    type: path
"""

    OTP: str = _OTP.replace("{options}", _below_otp(DOCUMENTATION))
