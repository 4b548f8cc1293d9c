# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call of scep_certificate: what is wanted, what is there, and the server."""

from __future__ import annotations

from dataclasses import dataclass

from .client import Client
from .context import Context
from .decide import Wanted
from .disk import Disk
from .files import Transaction
from .options import KeyForm, Outputs, Pkcs12Form, Request


@dataclass
class Task:
    """Everything that the parts of the work pass on to each other."""

    context: Context
    wanted: Wanted
    request: Request
    key_form: KeyForm
    pkcs12_form: Pkcs12Form | None
    transaction: Transaction
    disk: Disk
    client: Client

    @property
    def outputs(self) -> Outputs:
        """The files."""
        return self.disk.outputs
