# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Windows answers in place of NDES: HTTP.sys where no program gets to see a request, IIS where NDES fails."""

from __future__ import annotations

from http import HTTPStatus

from ..app import HttpError
from ..operations import Answer

_CLOSE = ("Connection", "close")


def http_sys(status: HTTPStatus, title: str, sentence: str) -> HttpError:
    """HTTP.sys itself; it closes the connection."""
    text = f"HTTP Error {status.value}. {sentence}"
    page = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
        f"<HTML><HEAD><TITLE>{title}</TITLE>\r\n"
        '<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
        f"<BODY><h2>{title}</h2>\r\n<hr><p>{text}</p>\r\n</BODY></HTML>\r\n"
    )
    return HttpError(status, text, (_CLOSE,), Answer(page.encode("ascii"), "text/html; charset=us-ascii"))


def iis(status: HTTPStatus, title: str, sentence: str) -> HttpError:
    """The page of IIS for clients that are not on the host itself; it tells them little."""
    heading = f"{status.value} - {title}"
    page = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml">\r\n<head>\r\n<title>{heading}</title>\r\n</head>\r\n<body>\r\n'
        '<div id="header"><h1>Server Error</h1></div>\r\n<div id="content">\r\n'
        f"<h2>{heading}</h2>\r\n<h3>{sentence}</h3>\r\n</div>\r\n</body>\r\n</html>\r\n"
    )
    return HttpError(status, heading, (), Answer(page.encode("ascii"), "text/html"))
