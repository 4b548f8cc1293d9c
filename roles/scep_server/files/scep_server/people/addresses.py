# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the page is. SCEP is answered at any path, these among them: the two are told apart here."""

from __future__ import annotations

from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import parse_query

from ..app import Environ

PAGE = "/"
ACTIONS = {f"/people/{verb}": verb for verb in ("approve", "deny", "revoke")}
"""Path -> what is done there by POST."""
FORM = "application/x-www-form-urlencoded"


def asked_for(environ: Environ) -> str | None:
    """PAGE, one of the verbs of ACTIONS, or None for what is no affair of the page.

    Devices name an operation, or post: the page itself is never posted to, and its forms go to paths of their own.
    """
    path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
    method = environ["REQUEST_METHOD"]
    if path == PAGE:
        return PAGE if method in ("GET", "HEAD") and not _names_operation(query) else None
    if path not in ACTIONS or query:
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    return ACTIONS[path] if method != "POST" or kind == FORM else None


def _names_operation(query: str) -> bool:
    try:
        parse_query(query)
    except DecodeError:
        return False
    return True
