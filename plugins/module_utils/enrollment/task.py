# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call: what is wanted, what is there and where to put what comes, and the server."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import Context
from .challenge import Challenges, read_challenges
from .client import Client
from .decide import Wanted
from .held import Held
from .options import KeyForm, Request, Server, read_key_form, read_server, read_wanted
from .store import Store


@dataclass(frozen=True)
class Order:
    """What the options ask for, apart from where things are."""

    server: Server
    wanted: Wanted
    request: Request
    key_form: KeyForm
    challenges: Challenges


def read_order(context: Context) -> Order:
    """Of the options. Raises OptionError."""
    server = read_server(context)
    wanted, request = read_wanted(context)
    return Order(server, wanted, request, read_key_form(context), read_challenges(context))


@dataclass(frozen=True)
class Task:
    """Everything that the parts of the work pass on to each other."""

    context: Context
    order: Order
    store: Store
    client: Client

    @property
    def wanted(self) -> Wanted:
        """The certificate as it is to be."""
        return self.order.wanted

    @property
    def request(self) -> Request:
        """What asks for it."""
        return self.order.request

    @property
    def held(self) -> Held:
        """What there is."""
        return self.store.held
