# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file with all that a server is: keys, settings, and a database that is of one moment although the server runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from . import pki, settings
from .errors import ServerError
from .files import locked, sync_folder
from .settings import Settings
from .store.database import FILE


def write_backup(state: Path, checked: Settings, target: Path) -> bool:
    """Write a tar.gz of mode 0600; False when the database is elsewhere and not in it.

    The database is copied after the keys, which a lock keeps as they are: each certificate has its CA in there.
    Raises ServerError when the target is there already, or the state cannot be read.
    """
    if target.exists():
        raise ServerError(f"{target} is there already: name a file that is not.")
    with locked(state):
        pki.load(state)  # a backup that nobody could start is none
        return _write(state, checked, target)


def _write(state: Path, checked: Settings, target: Path) -> bool:
    parent, prefix = target.absolute().parent, f".{target.name}."
    handle, draft = tempfile.mkstemp(dir=parent, prefix=prefix)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            with (
                tarfile.open(fileobj=stream, mode="w:gz") as archive,
                tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder,
            ):
                archive.add(state / pki.FOLDER, arcname=pki.FOLDER, recursive=False)
                for path in pki.paths(state):
                    archive.add(path, arcname=path.relative_to(state))
                if (state / settings.FILE).exists():
                    archive.add(state / settings.FILE, arcname=settings.FILE)
                if not checked.database:
                    copy = Path(folder) / FILE
                    _copy_database(state / FILE, copy)
                    archive.add(copy, arcname=FILE)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, target)  # fails where somebody else was faster
    except FileExistsError:
        raise ServerError(f"{target} is there already: name a file that is not.") from None
    except sqlite3.Error as error:
        raise ServerError(f"The database cannot be copied: {error}.") from None
    finally:
        Path(draft).unlink(missing_ok=True)
    sync_folder(parent)
    return not checked.database


def _copy_database(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
