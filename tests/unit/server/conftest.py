# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in process: a fresh state folder for each test, a clock that the test moves, and a device."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parents[2] / "roles" / "scep_server" / "files"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from scep_device import Bench, Clock, Device, ServedWith, new_key  # noqa: E402

from scep_server import authority, pki  # noqa: E402
from scep_server.settings import Settings, save  # noqa: E402
from scep_server.store import database  # noqa: E402

START = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder to copy: keys take a while to make."""
    folder = tmp_path_factory.mktemp("initialised") / "state"
    settings = Settings()
    pki.create(folder, authority.make(settings, START, authority.Given()))
    save(folder, {"threads": 16})
    database.create(settings.database, folder)
    return folder


@pytest.fixture(scope="session")
def device() -> Device:
    """A device with an RSA-2048 key."""
    return Device(new_key())


@pytest.fixture
def state(initialised: Path, tmp_path: Path) -> Path:
    """A state folder of this test's own."""
    return Path(shutil.copytree(initialised, tmp_path / "state"))


@pytest.fixture
def bench(state: Path) -> Iterator[Bench]:
    """The server on this state folder."""
    bench = Bench(state, Clock(START))
    yield bench
    bench.close()


@pytest.fixture
def served_with(state: Path, bench: Bench) -> Iterator[ServedWith]:
    """Further servers on the state folder and the clock of `bench`, by their settings."""
    with contextlib.ExitStack() as opened:

        def serve(**settings: Any) -> Bench:
            return opened.enter_context(contextlib.closing(Bench(state, bench.clock, **settings)))

        yield serve
