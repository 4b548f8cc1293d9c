# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of NDES, in its own shape and encoding.

One line of HTML with tags in upper case. It claims UTF-8 and is UTF-16LE, mostly without a byte order mark, and a NUL
ends it. Programs find the password by the sentences, so those that are known are as NDES has them; what stands between
them, and the page of a server that needs no password, is worded here.
"""

from __future__ import annotations

import codecs
import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass

CONTENT_TYPE = "text/html"
"""As NDES sends it: without a charset."""

_ENCODERS: dict[str, Callable[[str], bytes]] = {
    "utf-16le": lambda text: text.encode("utf-16-le"),
    "utf-16le-bom": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-8": lambda text: text.encode("utf-8"),
}
ENCODINGS = tuple(_ENCODERS)

_NAME = "Network Device Enrollment Service"
_HEAD = (
    '<HTML><Head><Meta HTTP-Equiv="Content-Type" Content="text/html; charset=UTF-8">'
    f"<Title>{_NAME}</Title></Head><Body BgColor=#FFFFFF>"
    '<Font ID=locPageFont Face="Arial">'
    "<Table Border=0 CellSpacing=0 CellPadding=4 Width=100% BgColor=#008080><TR><TD>"
    '<Font ID=locPageTitleFont Face="Arial" Size=-1 Color=#FFFFFF>'
    f"<LocID ID=locMSCertSrv>{_NAME}</LocID></Font></TD></TR></Table>"
    f"<P ID=locPageTitle> {_NAME} gives certificates to routers and other network devices by the Simple Certificate "
    "Enrollment Protocol (SCEP). </P>"
)
_TAIL = (
    " <P ID=locPageDesc> For more information see  "
    f"<A HREF=http://go.microsoft.com/fwlink/?LinkId=67852>Using {_NAME} </A>. </P></Font></Body></HTML>"
)
_NEEDED = "<P> These are needed to enroll a network device: "
_THUMBPRINT = "<P> The thumbprint (hash value) for the CA certificate is: <B> {} </B> "
_PASSWORD = "<P> The enrollment challenge password is: <B> {} </B> "
_ONCE = "<P> This password can be used only once and will expire within {} minutes. "
_NEXT = "<P> Each enrollment requires a new challenge password. Refresh this page to get one. </P>"
_MANY_TIMES = "<P> This password can be used multiple times and will not expire. </P>"


@dataclass(frozen=True)
class Style:
    """How a page is sent: one of ENCODINGS, and whether a NUL ends it."""

    encoding: str = "utf-16le"
    nul: bool = True

    def page(self, *parts: str) -> bytes:
        """Head and tail around the parts."""
        return _ENCODERS[self.encoding]("".join((_HEAD, *parts, _TAIL)) + "\0" * self.nul)


def thumbprint(certificate: bytes) -> str:
    """MD5 of a certificate in DER, in four groups of eight hexadecimal digits."""
    digits = hashlib.md5(certificate, usedforsecurity=False).hexdigest().upper()
    return " ".join(digits[at : at + 8] for at in range(0, len(digits), 8))


def issued(style: Style, ca_certificate: bytes, password: str, minutes: int) -> bytes:
    """A one-time password."""
    return style.page(*_both(ca_certificate, password), _ONCE.format(minutes), _NEXT)


def single(style: Style, ca_certificate: bytes, password: str) -> bytes:
    """The one password that is good again and again."""
    return style.page(*_both(ca_certificate, password), _MANY_TIMES)


def not_required(style: Style, ca_certificate: bytes) -> bytes:
    """The server takes requests without a password. How NDES words this is not known."""
    return style.page(_NEEDED, _THUMBPRINT.format(thumbprint(ca_certificate)), "</P>")


def cache_full(style: Style, minutes: int, outstanding: int) -> bytes:
    """As many passwords as may be are unused."""
    return style.page(
        "<P> The password cache is full. ",
        f"<P> {_NAME} keeps passwords until they are used. By default, passwords are stored for {minutes} minutes.",
        "<P>Use one that was given out before, or: <UL>",
        f" <LI> Wait until one expires, {minutes} minutes after it was made. </LI>",
        f" <LI> Configure the service to keep more than {outstanding} passwords. </LI> </UL> </P>",
    )


def no_permission(style: Style) -> bytes:
    """Whoever asks may not enroll."""
    return style.page(
        "<P> You do not have sufficient permission to enroll with SCEP.  Please contact your system administrator. </P>"
    )


def device(style: Style, host: str) -> bytes:
    """The address for devices, looked at by a person. That its encoding is that of the other pages is an inference."""
    return style.page(
        "<P> Network devices send their requests to this address. To get an enrollment challenge password, go to the "
        f"admin URL. By default, the admin URL is http://{html.escape(host)}/CertSrv/mscep_admin </P>"
    )


def _both(ca_certificate: bytes, password: str) -> tuple[str, ...]:
    return _NEEDED, _THUMBPRINT.format(thumbprint(ca_certificate)), _PASSWORD.format(html.escape(password))
