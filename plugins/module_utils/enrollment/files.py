# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set of files that is written as one: key and certificate on disk always belong together.

Each file is first written in full beside its target, with its final owner and mode. A single one then takes its place
by one rename. For several a journal names all of them, and from this moment on the change counts as made: renames
follow, and a run that finds the journal of a killed one completes it. Where a rename fails, what was renamed before is
put back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError
from .ownership import Attributes

_NEW = ".scep-new"
_OLD = ".scep-old"
_TRIAL = ".scep-trial"
JOURNAL = ".scep-journal"
NAME_OCTETS = 225
"""The most of a file's name. File systems take 255, of which the longest name beside it needs 30 more:
`.NAME.scep-pending.json.scep-trial`."""
Move = tuple[Path, Path, Path]
"""(staged, target, saved): what becomes what, and under which name the former content is kept meanwhile."""


@dataclass(frozen=True)
class Target:
    """A file of the set: its real path, links followed, and its attributes. `option` names it in sentences."""

    option: str
    path: Path
    attributes: Attributes

    @property
    def staged(self) -> Path:
        """Where the new content waits."""
        return self.path.with_name(f".{self.path.name}{_NEW}")

    @property
    def saved(self) -> Path:
        """A second name of the old content until the set is complete."""
        return self.path.with_name(f".{self.path.name}{_OLD}")

    @property
    def move(self) -> Move:
        """What happens to them."""
        return self.staged, self.path, self.saved

    @property
    def trial(self) -> Path:
        """What is written and removed to see whether the folder takes it."""
        return self.path.with_name(f".{self.path.name}{_TRIAL}")


def read_target(option: str, path: Path, attributes: Attributes) -> Target:
    """Follow links, so that a link stays and what it points to is replaced. Raises FileError."""
    real = Path(os.path.realpath(str(path)))
    try:
        found = real.lstat().st_mode
    except OSError:
        if not real.parent.is_dir():
            raise FileError(f"{option}: the folder '{real.parent}' does not exist; create it first.") from None
        return Target(option, real, attributes)
    if stat.S_ISLNK(found):
        raise FileError(f"{option}: '{path}' is a symbolic link that leads round in a circle.")
    if not stat.S_ISREG(found):
        raise FileError(f"{option}: '{path}' exists and is not a regular file.")
    return Target(option, real, attributes)


FILE_LIMIT = 1024 * 1024
"""Octets of a file that are read; certificates and keys are a thousandth of it."""


def read_file(option: str, path: Path, limit: int = FILE_LIMIT) -> bytes | None:
    """The content, or None when there is no file. Raises FileError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{option}: '{path}' cannot be read: {error.strerror}.") from None
    if len(data) > limit:
        raise FileError(f"{option}: '{path}' has more than {limit} octets, so it is not what is meant.")
    return data


def check_writable(targets: Sequence[Target], *, touch: bool) -> None:
    """Find out before anything is asked of the server whether all files can be written. Raises FileError.

    With `touch` a small file is really written to each folder and removed; without, permissions alone are looked at.
    """
    touched: set[Path] = set()
    for target in targets:
        folder = target.path.parent
        if not os.access(str(folder), os.W_OK | os.X_OK):
            raise FileError(f"{target.option}: nothing can be written to the folder '{folder}': {_denied(folder)}.")
        wanted = target.attributes
        if os.geteuid() != 0 and wanted.uid not in (None, os.geteuid()):
            raise FileError(f"{target.option}: only root can give '{target.path}' to another owner.")
        if os.geteuid() != 0 and wanted.gid not in (None, os.getegid(), *os.getgroups()):
            raise FileError(f"{target.option}: only root or a member can give '{target.path}' to another group.")
        if touch and folder not in touched:
            touched.add(folder)
            try:
                _try_out(target)
            except OSError as error:
                raise FileError(
                    f"{target.option}: nothing can be written to the folder '{folder}': {error.strerror}."
                ) from None


def _try_out(target: Target) -> None:
    """Where another run tries the same in this very moment, one of them has shown it for both."""
    target.trial.unlink(missing_ok=True)
    try:
        with contextlib.suppress(FileExistsError):
            _create(target.trial, b"\0" * 16384, Attributes(default_mode=0o600), None)
    finally:
        target.trial.unlink(missing_ok=True)


def _denied(folder: Path) -> str:
    read_only = os.statvfs(str(folder)).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if read_only else errno.EACCES)


def attributes_differ(target: Target) -> bool:
    """Whether an existing file has another mode, owner or group than wanted."""
    found = target.path.stat()
    wanted = target.attributes
    return (
        wanted.mode not in (None, stat.S_IMODE(found.st_mode))
        or wanted.uid not in (None, found.st_uid)
        or wanted.gid not in (None, found.st_gid)
    )


def set_attributes(target: Target) -> None:
    """Give an existing file the wanted mode, owner and group. Raises FileError."""
    wanted = target.attributes
    try:
        os.chown(target.path, -1 if wanted.uid is None else wanted.uid, -1 if wanted.gid is None else wanted.gid)
        if wanted.mode is not None:
            target.path.chmod(wanted.mode)
    except OSError as error:
        raise FileError(f"{target.option}: '{target.path}' cannot be changed: {error.strerror}.") from None


def back_up(target: Target, moment: str) -> Path | None:
    """Keep an existing file, with its owner and mode, under a name with the time in it. Raises FileError.

    It is whole at once: a second name for what is about to lose its first one.
    """
    if not target.path.exists():
        return None
    copy = target.path.with_name(f"{target.path.name}.{moment}~")
    try:
        copy.unlink(missing_ok=True)
        _keep(target.path, copy)
    except OSError as error:
        raise FileError(f"{target.option}: no backup '{copy}' can be written: {error.strerror}.") from None
    return copy


def delete(targets: Sequence[Target]) -> None:
    """Remove the files that there are, durably, in this order. Raises FileError."""
    for target in targets:
        if _unlink(target):
            _sync_folders([target.path.parent])


def _unlink(target: Target) -> bool:
    """Whether there was a file to be removed. Raises FileError."""
    try:
        return _removed(target.path)
    except OSError as error:
        raise FileError(f"{target.option}: '{target.path}' cannot be removed: {error.strerror}.") from None


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


class Transaction:
    """Writes a set of files. The journal stands beside `home`, the certificate."""

    def __init__(self, home: Path) -> None:
        """Nothing is touched yet."""
        self._journal = home.with_name(f".{home.name}{JOURNAL}")
        self._staged_journal = home.with_name(f".{home.name}{JOURNAL}{_NEW}")

    @property
    def interrupted(self) -> bool:
        """Whether an earlier run was killed between its journal and its end."""
        return self._journal.exists()

    def recover(self, targets: Sequence[Target]) -> bool:
        """Complete what a killed run began, and remove what it left of a change that it had not decided on.

        Returns whether files were changed. Raises FileError.
        """
        leftovers = [path for target in targets for path in (target.staged, target.saved, target.trial)]
        leftovers.append(self._staged_journal)
        completed = False
        if not self.interrupted and not any(path.exists() for path in leftovers):
            return completed
        with self._locked():
            if self.interrupted:
                self._complete(self._read_journal())
                completed = True
            for path in leftovers:
                _remove_leftover(path)
        return completed

    def commit(self, contents: Sequence[tuple[Target, bytes]], remove: Sequence[Target] = ()) -> None:
        """Write all, in this order, or nothing; then remove what all that makes superfluous. Raises FileError."""
        with self._locked():
            if self.interrupted:
                self._complete(self._read_journal())
            moves: list[Move] = []
            try:
                for target, data in contents:
                    staged, path, saved = target.move
                    moves.append((staged, path, saved))
                    staged.unlink(missing_ok=True)
                    _create(staged, data, target.attributes, path.stat() if path.exists() else None)
                    saved.unlink(missing_ok=True)
                if len(moves) > 1:
                    self._write_journal(moves)
            except OSError as error:
                for staged, _path, _saved in moves:
                    staged.unlink(missing_ok=True)
                failed = contents[len(moves) - 1][0]
                raise FileError(f"{failed.option}: '{failed.path}' cannot be written: {error.strerror}.") from None
            self._complete(moves, remove)

    def _complete(self, moves: Sequence[Move], remove: Sequence[Target] = ()) -> None:
        """Rename all; when one cannot be, put back those before it. What is renamed already is left alone."""
        done: list[tuple[Path, Path]] = []
        try:
            for staged, target, saved in moves:
                if staged.exists():
                    done.append((target, saved))
                    if target != moves[-1][1] and target.exists() and not saved.exists():
                        _keep(target, saved)  # not for the last one, after which nothing can fail
                    staged.replace(target)
        except OSError as error:
            self._undo(done, moves)
            raise FileError(f"'{done[-1][0]}' cannot be replaced: {error.strerror}.") from None
        _sync_folders(target.parent for _staged, target, _saved in moves)
        gone = [self._journal.parent] if _removed(self._journal) else []
        for _staged, _target, saved in moves:
            saved.unlink(missing_ok=True)
        gone += [target.path.parent for target in remove if _unlink(target)]
        _sync_folders(gone)

    def _undo(self, done: Sequence[tuple[Path, Path]], moves: Sequence[Move]) -> None:
        """Put back what was renamed, under a journal of its own; the last one of `done` is the one that failed."""
        *renamed, (_target, unused) = done
        back = [(saved, target, saved) for target, saved in renamed if saved.exists()]
        self._write_journal(back)
        for staged, _target, _saved in moves:
            staged.unlink(missing_ok=True)
        unused.unlink(missing_ok=True)
        for target, saved in renamed:
            if saved.exists():
                saved.replace(target)
            else:
                target.unlink(missing_ok=True)
        self._remove_journal()

    def _write_journal(self, moves: Sequence[Move]) -> None:
        """From the rename of this file on, the moves are to be completed."""
        rows = [[str(path) for path in move] for move in moves]
        self._staged_journal.unlink(missing_ok=True)
        _create(self._staged_journal, json.dumps(rows).encode("utf-8"), Attributes(mode=0o600), None)
        _sync_folders(target.parent for _staged, target, _saved in moves)
        self._staged_journal.replace(self._journal)
        _sync_folders([self._journal.parent])

    def _read_journal(self) -> list[Move]:
        """Raises FileError for a journal that this user's runs cannot have written: its names are acted upon."""
        sentence = f"The journal '{self._journal}' of an earlier run cannot be used"
        found = self._journal.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise FileError(f"{sentence}: others can write it; look into the folder, then remove it.")
        try:
            rows = json.loads(self._journal.read_bytes())
            return [(Path(staged), Path(target), Path(saved)) for staged, target, saved in rows]
        except (OSError, ValueError, TypeError) as error:
            raise FileError(f"{sentence}: {error}; look into the folder, then remove it.") from None

    def _remove_journal(self) -> None:
        self._journal.unlink(missing_ok=True)
        _sync_folders([self._journal.parent])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time in this folder; a killed one lets go by itself."""
        folder = self._journal.parent
        try:
            descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise FileError(f"The folder '{folder}' cannot be opened: {error.strerror}.") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _remove_leftover(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"What an interrupted run left, '{path}', cannot be removed: {error.strerror}; remove it."
        ) from None


def _create(path: Path, data: bytes, wanted: Attributes, found: os.stat_result | None) -> None:
    """Write a new file, readable by nobody else until it has its owner. `found`: the file that it will replace."""
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        _own(descriptor, wanted, found)
        mode = wanted.mode
        if mode is None:
            mode = wanted.default_mode if found is None else stat.S_IMODE(found.st_mode)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _own(descriptor: int, wanted: Attributes, found: os.stat_result | None) -> None:
    if found is not None:  # who may not keep somebody else's ownership writes a file of his own, as any editor does
        for uid, gid in ((found.st_uid, -1), (-1, found.st_gid)):
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, uid, gid)
    if wanted.uid is not None or wanted.gid is not None:
        os.fchown(descriptor, -1 if wanted.uid is None else wanted.uid, -1 if wanted.gid is None else wanted.gid)


def _keep(path: Path, saved: Path) -> None:
    """A second name for a file, or a copy where the file system knows no second names."""
    try:
        os.link(str(path), str(saved), follow_symlinks=False)
    except OSError:
        _create(saved, path.read_bytes(), Attributes(), path.stat())


def _sync_folders(folders: Iterable[Path]) -> None:
    for folder in set(folders):
        descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
