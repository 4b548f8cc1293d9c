# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference server as one file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scep_server_archive
author: The netcert.ndes contributors (@netcert)
version_added: 0.1.0
short_description: Pack the reference SCEP server into one file
description:
  - Makes a ZIP archive that Python runs as it is, with the reference server and the protocol core that it shares with
    the modules of this collection.
  - The same sources always give the same bytes, so that M(ansible.builtin.copy) finds nothing to do when nothing has
    changed.
  - Made for the role P(netcert.ndes.scep_server#role). It is not meant for other uses and may change at any time.
options: {}
"""

EXAMPLES = r"""
- name: Copy the server to where it runs
  ansible.builtin.copy:
    src: "{{ lookup('netcert.ndes.scep_server_archive') }}"
    dest: /opt/scep-server/scep-server.pyz
    mode: "0644"
"""

RETURN = r"""
_raw:
  description: Path of the archive on the controller, in a folder that Ansible removes when it ends.
  type: list
  elements: path
"""

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

_COLLECTION = Path(__file__).resolve().parents[2]
_NAMESPACE = "ansible_collections/netcert/ndes/"
_SOURCES = (
    # folder or file in the collection, what stands before its path in the archive
    ("roles/scep_server/files/scep_server", "scep_server"),
    ("plugins/module_utils/scep", _NAMESPACE + "plugins/module_utils/scep"),
    ("plugins/module_utils/ndes/binding.py", _NAMESPACE + "plugins/module_utils/ndes/binding.py"),
    ("plugins/module_utils/_deps.py", _NAMESPACE + "plugins/module_utils/_deps.py"),
)
_SUFFIXES = (".py", ".html", ".css")
_MAIN = b"from scep_server.cli import main\n\nraise SystemExit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP archive can name


def _sources() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN
    for source, name in _SOURCES:
        path = _COLLECTION / source
        if path.is_file():
            yield name, path.read_bytes()
        else:
            for file in path.rglob("*"):
                if file.suffix in _SUFFIXES:
                    yield f"{name}/{file.relative_to(path).as_posix()}", file.read_bytes()


def _packages(names: list[str]) -> set[str]:
    """The folders that the archive has to say are packages, as the collection's loader does elsewhere."""
    folders = {parent.as_posix() for name in names for parent in Path(name).parents} - {"."}
    return {f"{folder}/__init__.py" for folder in folders} - set(names)


def build() -> bytes:
    """The archive: sorted, uncompressed, every file with the same time and mode."""
    files = dict(_sources())
    files.update(dict.fromkeys(_packages(list(files)), b""))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, whatever the controller is
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


class LookupModule(LookupBase):
    """Pack, and say where."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """One path, whatever the terms."""
        content = build()
        folder = Path(constants.DEFAULT_LOCAL_TMP)
        path = folder / f"scep-server-{hashlib.sha256(content).hexdigest()}.pyz"
        if not path.exists():
            handle, temporary = tempfile.mkstemp(dir=str(folder))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(path)
        return [str(path)]
