# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a browser says that a form was on another site: the second guard, beside the tokens."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..app import Environ


def from_elsewhere(environ: Environ) -> bool:
    """By Sec-Fetch-Site, which only the browser itself can set, or else by Origin; who sends neither is no browser."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site != "same-origin")
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return False
    try:
        # without the scheme: a proxy that ends TLS knows it, and the server does not
        return urlsplit(origin).netloc.lower() != str(environ.get("HTTP_HOST", "")).lower()
    except ValueError:
        return True
