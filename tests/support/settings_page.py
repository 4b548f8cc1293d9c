# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of settings in the guide to the reference server: made of the server's own table. Run, it makes it anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
PAGE = _ROOT / "docs" / "guides" / "reference-server.md"
COMMAND = ".venv/bin/python tests/support/settings_page.py"
_MARK = f"<!-- Made by `{COMMAND}` from roles/scep_server/files/scep_server/settings.py -->\n"


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return "<br>".join(f"`{item}`" for item in value) or "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`" if value != "" else "empty"


def page() -> str:
    """The guide as it should be: everything up to the mark as it stands, then the table."""
    sys.path.insert(0, str(_ROOT / "roles" / "scep_server" / "files"))
    from scep_server.settings import table

    above, mark, _old = PAGE.read_text(encoding="utf-8").partition(_MARK)
    if not mark:
        raise ValueError(f"{PAGE} has lost the line {_MARK.strip()}")
    rows = [
        f"| `{name}` | {_default(default)} | {about.replace('|', chr(92) + '|')} |" for name, default, about in table()
    ]
    return "\n".join([f"{above}{mark}", "| Setting | Default | Meaning |", "| --- | --- | --- |", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
