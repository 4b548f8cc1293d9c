# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder `pki` of the state: the CA of today, the next one, the previous ones, and the server's own key.

Each CA has a folder of its own, which never changes. One small file says which is which and is replaced as a whole, so
that a rollover happens at once or not at all, and running servers see it. Whoever changes the folder holds
`files.locked(state)`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import authority
from .authority import Authority
from .errors import StateError, one_line
from .files import private_folder, sync_folder, write_atomically

FOLDER = "pki"
INDEX = "authorities.json"
OTP_KEY = "otp.key"


@dataclass(frozen=True)
class Index:
    """Ids of CAs: who issues now, who will after the rollover, who did before."""

    current: str
    next: str | None = None
    previous: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """As the file has it."""
        return json.dumps({"current": self.current, "next": self.next, "previous": self.previous}).encode() + b"\n"


@dataclass(frozen=True)
class Pki:
    """The loaded CAs. `otp_key` authenticates stored one-time passwords and encrypts other stored secrets."""

    current: Authority
    next: Authority | None
    previous: tuple[Authority, ...]
    otp_key: bytes

    def named(self, issuer: bytes) -> tuple[Authority, ...]:
        """The CAs, of today and before, that have this subject (DER); today's first."""
        return tuple(one for one in (self.current, *self.previous) if one.issuer_der == issuer)

    def by_id(self, ca_id: str) -> Authority | None:
        """The CA, of today or before, with this id."""
        return next((one for one in (self.current, *self.previous) if one.id == ca_id), None)


class Keys:
    """Loads the folder once, and again after a rollover. Safe to use from many threads."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._index = state / FOLDER / INDEX
        self._seen = self._stamp()
        self._pki = load(state)

    def pki(self) -> Pki:
        """The CAs as they are now; what was loaded last, where the folder cannot be read."""
        stamp = self._stamp()
        if stamp != self._seen:
            with contextlib.suppress(StateError, OSError):
                self._pki = load(self._state)
                self._seen = stamp
        return self._pki

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._index.stat()
        except OSError:
            return (0, 0)  # loading says what is missing
        return status.st_ino, status.st_mtime_ns


class Held:
    """What `Keys` had at one moment."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki

    def pki(self) -> Pki:
        """The CAs as they were."""
        return self._pki


def is_initialised(state: Path) -> bool:
    """Whether `create` has run to its end."""
    return (state / FOLDER).is_dir()


def create(state: Path, first: Authority) -> None:
    """Write the first CA and the server's key into a folder beside the final one, which then appears whole."""
    private_folder(state)
    _remove_drafts(state, FOLDER)
    with _draft(state, FOLDER) as draft:
        own = draft / first.id
        own.mkdir(mode=0o700)
        authority.write(first, own)
        write_atomically(draft / OTP_KEY, secrets.token_hex(32).encode() + b"\n", mode=0o600)
        write_atomically(draft / INDEX, Index(first.id).to_json(), mode=0o600)


def add_next(state: Path, coming: Authority) -> None:
    """Keep the CA that will issue after the rollover. Raises StateError when there is one already."""
    index = read_index(state)
    if index.next is not None:
        raise StateError("There is a next CA already: activate or cancel that one first.")
    _remove_unnamed(state, index)
    with _draft(state / FOLDER, coming.id) as draft:
        authority.write(coming, draft)
    _write_index(state, replace(index, next=coming.id))


def activate_next(state: Path, now: dt.datetime) -> None:
    """Let the next CA issue from now on. Raises StateError when there is none, or it is out of date."""
    index = _with_next(state)
    if (objection := authority.expired(authority.load(state / FOLDER / str(index.next)), now)) is not None:
        raise StateError(f"{objection} Cancel this next CA, and make another one.")
    _write_index(state, Index(str(index.next), None, (index.current, *index.previous)))


def cancel_next(state: Path) -> None:
    """Forget the next CA and its keys. Raises StateError when there is none."""
    index = _with_next(state)
    without = replace(index, next=None)
    _write_index(state, without)
    _remove_unnamed(state, without)


def _with_next(state: Path) -> Index:
    index = read_index(state)
    if index.next is None:
        raise StateError("There is no next CA: make one first, with 'ca rollover'.")
    return index


@contextlib.contextmanager
def _draft(parent: Path, name: str) -> Iterator[Path]:
    draft = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}."))  # mode 0700
    try:
        yield draft
        os.rename(draft, parent / name)  # noqa: PTH104  # must fail, not nest, where a folder with files stands
    except OSError as error:
        raise StateError(f"The keys cannot be written to {parent / name}: {error.strerror}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_folder(parent)


def _remove_unnamed(state: Path, index: Index) -> None:
    """Remove keys that a command left behind which was broken off: drafts, and CAs that are not in the index."""
    named = {index.current, index.next, *index.previous}
    for folder in (state / FOLDER).iterdir():
        if folder.is_dir() and folder.name not in named:
            shutil.rmtree(folder)


def _remove_drafts(parent: Path, name: str) -> None:
    for folder in parent.glob(f".{name}.*"):
        shutil.rmtree(folder)


def read_index(state: Path) -> Index:
    """Which CA is which. Raises StateError with a sentence."""
    folder = state / FOLDER
    if not folder.is_dir():
        raise StateError(f"{state} is not initialised: run 'scep-server --state {state} init' first.")
    try:
        values = json.loads((folder / INDEX).read_text(encoding="ascii"))
        index = Index(values["current"], values["next"], tuple(values["previous"]))
        ids = (index.current, *index.previous, *(() if index.next is None else (index.next,)))
        if not all(isinstance(one, str) for one in ids):
            raise TypeError("an id of a CA is no text")
        return index
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"The keys in {folder} cannot be read: {one_line(error)}.") from None


def _write_index(state: Path, index: Index) -> None:
    write_atomically(state / FOLDER / INDEX, index.to_json(), mode=0o600)


def paths(state: Path) -> list[Path]:
    """The files and folders that belong to the PKI, without what else may lie there. Raises StateError."""
    index = read_index(state)
    names = [index.current, index.next, *index.previous]
    return [state / FOLDER / name for name in (INDEX, OTP_KEY, *filter(None, names))]


def load(state: Path) -> Pki:
    """Read the folder. Raises StateError with a sentence."""
    index = read_index(state)
    folder = state / FOLDER
    try:
        otp_key = bytes.fromhex((folder / OTP_KEY).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise StateError(f"The keys in {folder} cannot be read: {one_line(error)}.") from None
    return Pki(
        authority.load(folder / index.current),
        None if index.next is None else authority.load(folder / index.next),
        tuple(authority.load(folder / one) for one in index.previous),
        otp_key,
    )
