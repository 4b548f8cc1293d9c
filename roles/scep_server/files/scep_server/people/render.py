# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From data to HTML: the templates beside this file, by an engine that escapes whatever is put into them."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from ..app import Headers
from ..operations import Answer
from .text import visible

_FILES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files(__package__).iterdir()
    if file.name.endswith((".html", ".css"))
}
_STYLE = _FILES["style.css"]
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

HEADERS: Headers = (
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'",
    ),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # not no-referrer: browsers would send "Origin: null" with the page's own forms
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Of every answer at the addresses of the page, also when nobody is logged in, or something went wrong."""


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    loader=DictLoader(_FILES),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
# The one text that is no stranger's: escaped, it would not have the hash that the policy names.
_ENVIRONMENT.globals["style"] = Markup(_STYLE)


def html(template: str, headers: Headers = (), **values: Any) -> Answer:
    """A template with its values as a page."""
    text = _ENVIRONMENT.get_template(template).render(values)
    return Answer(text.encode("utf-8"), "text/html; charset=utf-8", headers)
