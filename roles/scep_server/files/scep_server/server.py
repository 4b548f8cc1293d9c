# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's parts, opened once for the life of a process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest

from . import settings as settings_module
from .authority import Authority
from .faults.active import NO_FAULTS, FaultFile, Faults
from .ndes import templates
from .ndes.journal import SILENT, Journal
from .ndes.logs import Logs
from .pki import Held, Keys, Pki
from .settings import Settings
from .store import Store, open_store

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The time, in whole seconds as certificates have it."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Server:
    """Everything that a request needs. `template` names the one whose settings these are, if it is one's."""

    settings: Settings
    keys: Keys | Held
    store: Store
    allowed: AlgorithmPolicy
    clock: Clock = utc_now
    faults: Faults = NO_FAULTS
    fault_file: FaultFile | None = None
    template: str = ""
    journal: Journal = SILENT
    logs: Logs | None = None

    def at_this_moment(self, client: str = "") -> Server:
        """The same server, which no command changes while a request is answered: its CAs, its faults, its logs."""
        faults = NO_FAULTS if self.fault_file is None else self.fault_file.now(client)
        journal = SILENT if self.logs is None else self.logs.now(client)
        return Server(
            self.settings,
            Held(self.keys.pki()),
            self.store,
            self.allowed,
            self.clock,
            faults,
            template=self.template,
            journal=journal,
        )

    def for_request(self, csr: CertificateRequest) -> Server:
        """The same server with the settings of the template that the request gets, where there are templates."""
        if not self.settings.templates:
            return self
        name = templates.chosen(self.settings, csr)
        settings = self.settings.of_template[name]
        return Server(
            settings,
            self.keys,
            self.store,
            self.allowed,
            self.clock,
            self.faults,
            template=name,
            journal=self.journal,
        )

    @property
    def pki(self) -> Pki:
        """The CAs as they are now: another one may issue after a rollover."""
        return self.keys.pki()

    @property
    def authority(self) -> Authority:
        """The CA that issues now."""
        return self.keys.pki().current


def open_server(
    state: Path, *, settings: Settings | None = None, clock: Clock = utc_now, check_database: bool = True
) -> Server:
    """Open a state folder. Raises SettingsError or StateError with a sentence.

    Without `check_database` the database may be away for now: a worker that starts while it is must not end the server.
    """
    settings = settings or settings_module.load(state)
    keys = Keys(state)
    store = open_store(settings.database, state, settings.threads, check=check_database)
    allowed = policy(
        allow_sha1=settings.allow_sha1, legacy=settings.legacy_algorithms, min_rsa_bits=settings.min_rsa_bits
    )
    return Server(settings, keys, store, allowed, clock)
