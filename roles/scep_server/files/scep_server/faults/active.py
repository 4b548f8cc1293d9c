# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults that are set, in a file of the state folder, and how they get between a request and its answer.

Commands write the file, all processes of a server read it. Where there is none, a request costs one look at the folder.
A fault that is counted is taken out of the file one by one, by whoever holds its lock.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import StateError, one_line
from ..files import locked, private_folder, write_atomically

log = logging.getLogger("scep_server")

FOLDER = "faults"
FILE = "active.json"
APPLIED = "applied.json"

Normal = TypeVar("Normal", bound=Callable[..., Any])


class Place(enum.Enum):
    """Where a fault strikes: in place of which function, whose arguments it gets and whose result it returns."""

    HTTP = "the answer to an HTTP request"
    PAGE = "what the administration page says to who is logged in"
    PASSWORD = "the judgement of a challenge password"
    MESSAGE = "the answer to a pkiMessage"
    DECISION = "what becomes of a request for a certificate that is permitted"


@dataclass(frozen=True)
class Wanted:
    """A fault as it is asked for. Without `count` and `duration` it lasts until it is cleared."""

    name: str
    count: int | None = None
    """How often it strikes."""
    duration: int | None = None
    """For how many seconds it is there."""
    delay: float | None = None
    """By how many seconds it holds up an answer."""
    only: str | None = None
    """The one kind of request at which it strikes; None: at all that it can strike at."""


@dataclass(frozen=True)
class Active:
    """A fault that is set: `left` is how often it will still strike, `until` when it is over (since the epoch)."""

    wanted: Wanted
    left: int | None
    until: int | None

    @property
    def name(self) -> str:
        """That in the table."""
        return self.wanted.name


Act = Callable[..., Any]
"""What happens: a function of the fault that is set, of the usual function, and of that one's arguments."""


def _always(_active: Active, *_arguments: Any) -> bool:
    return True


@dataclass(frozen=True)
class Strike:
    """What a fault does at a place; `when` tells by the fault that is set and the arguments whether it does."""

    act: Act
    when: Callable[..., bool] = _always


@dataclass(frozen=True)
class Fault:
    """A row of the table: what it is, where it strikes and how, and what can be said when it is set."""

    about: str
    strikes: Mapping[Place, Strike]
    targets: tuple[str, ...] = ()
    """The kinds of requests of which one can be chosen."""
    delays: bool = False


@dataclass(frozen=True)
class Faults:
    """Those that are set at one moment, for one request."""

    active: tuple[Active, ...] = ()
    file: FaultFile | None = None
    client: str = ""

    def around(self, place: Place, normal: Normal) -> Normal:
        """The function that is called in place of the usual one: itself, where no fault strikes."""
        found: Any = normal
        for active in self.active:
            if self.file is not None and (strike := self.file.table[active.name].strikes.get(place)) is not None:
                found = self._instead(active, strike, found)
        around: Normal = found
        return around

    def _instead(self, active: Active, strike: Strike, normal: Act) -> Act:
        def instead(*arguments: Any) -> Any:
            if not strike.when(active, *arguments) or self.file is None or not self.file.take(active):
                return normal(*arguments)
            log.warning("%s: the fault %s strikes", self.client, active.name)
            return strike.act(active, normal, *arguments)

        return instead


NO_FAULTS = Faults()


@dataclass
class FaultFile:
    """The file. Safe to use from many threads and processes at once."""

    state: Path
    table: Mapping[str, Fault]
    clock: Callable[[], dt.datetime]
    _seen: tuple[Any, tuple[Active, ...]] = field(default=(None, ()), init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self._folder = self.state / FOLDER
        self._path = self._folder / FILE

    def now(self, client: str = "") -> Faults:
        """Those that are set, for the request of a client."""
        try:
            status = self._path.stat()
        except OSError:
            return NO_FAULTS
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        seen, active = self._seen
        if seen != stamp:
            try:
                active = self._read()
            except StateError as error:
                log.error("%s", error)
                active = ()
            self._seen = (stamp, active)
        lasting = tuple(one for one in active if self._lasts(one))
        if len(lasting) < len(active):
            self._tidy()
        return Faults(lasting, self, client) if lasting else NO_FAULTS

    def take(self, active: Active) -> bool:
        """Whether the fault still strikes; one that is counted has one strike less then."""
        if active.left is None:
            return True
        with locked(self._folder):
            faults = {one.name: one for one in self._read()}
            now = faults.get(active.name)
            if now is None or not self._lasts(now):
                return False
            if now.left is not None:
                faults[now.name] = replace(now, left=now.left - 1)
                self._write(faults.values())
        return True

    def listed(self) -> tuple[Active, ...]:
        """Those that are set. Raises StateError when the file cannot be read."""
        return tuple(one for one in self._read() if self._lasts(one))

    def set(self, wanted: Wanted) -> bool:
        """Set one, in place of the same one; whether that changes anything."""
        return self._change(lambda before: {**before, wanted.name: self._begun(wanted)})

    def clear(self, names: Sequence[str] = ()) -> bool:
        """End those with these names, or all; whether there were any."""
        return self._change(
            lambda before: {name: one for name, one in before.items() if names and name not in names},
        )

    def apply(self, wanted: Sequence[Wanted]) -> bool:
        """Let there be these and no others; False where they were applied before, also when they are over since."""
        text = json.dumps([asdict(one) for one in wanted]).encode()
        private_folder(self._folder)
        with locked(self._folder):
            if self._applied() == text:
                return False
            before = self._read()
            self._forget_applied()
            self._write([self._begun(one) for one in wanted])
            if wanted:
                write_atomically(self._folder / APPLIED, text, mode=0o600)
            return bool(before or wanted)

    def _applied(self) -> bytes | None:
        """What was applied last, and not changed by other commands since."""
        try:
            return (self._folder / APPLIED).read_bytes()
        except OSError:
            return None

    def _change(self, change: Callable[[dict[str, Active]], dict[str, Active]]) -> bool:
        private_folder(self._folder)
        with locked(self._folder):
            before = {one.name: one for one in self._read() if self._lasts(one)}
            after = change(before)
            if after == before:
                return False
            self._forget_applied()
            self._write(after.values())
            return True

    def _tidy(self) -> None:
        """Take those out of the file whose time is over."""
        with locked(self._folder):
            faults = self._read()
            if over := [one.name for one in faults if not self._lasts(one)]:
                log.warning("the time of the fault %s is over", ", ".join(over))
                self._write(faults)

    def _begun(self, wanted: Wanted) -> Active:
        until = None if wanted.duration is None else self._seconds() + wanted.duration
        return Active(wanted, wanted.count, until)

    def _lasts(self, active: Active) -> bool:
        return (active.left is None or active.left > 0) and (active.until is None or active.until > self._seconds())

    def _seconds(self) -> int:
        return int(self.clock().timestamp())

    def _read(self) -> tuple[Active, ...]:
        try:
            rows = json.loads(self._path.read_bytes())
            found = tuple(Active(Wanted(**row.pop("wanted")), **row) for row in rows)
            if unknown := [one.name for one in found if one.name not in self.table]:
                raise ValueError(f"unknown is {', '.join(unknown)}")
            return found
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"The faults in {self._path} cannot be read: {one_line(error)}; remove the file, and set them anew."
            ) from None

    def _forget_applied(self) -> None:
        (self._folder / APPLIED).unlink(missing_ok=True)

    def _write(self, faults: Iterable[Active]) -> None:
        """Those that are not over, in the order of the table; without any there is no file."""
        order = list(self.table)
        kept = sorted((one for one in faults if self._lasts(one)), key=lambda one: order.index(one.name))
        lasting = [asdict(one) for one in kept]
        if lasting:
            write_atomically(self._path, json.dumps(lasting).encode() + b"\n", mode=0o600)
        else:
            self._path.unlink(missing_ok=True)
