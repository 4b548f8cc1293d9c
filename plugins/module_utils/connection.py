# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options about a connection, as the object that `http_client` works with."""

from __future__ import annotations

from typing import Any

from .context import Context
from .errors import OptionError
from .http_client import Connection


def read_connection(context: Context) -> Connection:
    """Address, time limit, proxy and TLS. Raises OptionError, also for any option whose text is no Unicode."""
    params = context.params
    for option, value in params.items():
        _check_text(option, value)
    files = {option: context.path(option) for option in ("ca_path", "client_cert", "client_key")}
    for option, path in files.items():
        if path is not None and not path.exists():
            raise OptionError(option, f"'{path}' does not exist.")
    return Connection(
        params["url"],
        params["timeout"],
        params["proxy"],
        params["validate_certs"],
        **{option: None if path is None else str(path) for option, path in files.items()},
    )


def _check_text(option: str, value: Any) -> None:
    for text in value if isinstance(value, list) else [value]:
        try:
            str(text).encode()
        except UnicodeEncodeError:
            raise OptionError(option, "it holds a character that is not Unicode text.") from None
