# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the challenge password of an enrolment comes from: nowhere, the options, or the administration page of NDES.

It is taken when an enrolment is really next, because each password of the page has to be used up or waited out.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..connection import read_connection
from ..context import Context
from ..errors import EnrollmentError, OptionError, TransportError
from ..ndes.ledger import Ledger, Place
from ..ndes.otp import AdminServer, Otp, fetch, read_admin_server
from ..scep.certificates import fingerprint
from .client import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

_PATIENCE = 300.0
_PAUSE = 0.5


class Challenges:
    """Base of the sources, and the source of nothing. Used for one enrolment after the other, by one thread."""

    given = False
    """Whether there is a password to be had."""
    costly = False
    """Whether one is lost for others while it is held."""

    def take(self, certificates: Sequence[x509.Certificate]) -> str | None:
        """The password. `certificates`: what GetCACert brought, judged. Raises EnrollmentError."""
        return None

    def used(self) -> None:
        """The request with the password was sent, and may have arrived."""

    def unused(self) -> None:
        """No request with the password has left."""

    def another(self) -> bool:
        """Whether `take` gives another one, after the server did not take the last; that is so once."""
        return False


class Literal(Challenges):
    """A password of the options."""

    given = True

    def __init__(self, password: str) -> None:
        self._password = password

    def take(self, certificates: Sequence[x509.Certificate]) -> str | None:
        """See Challenges."""
        return self._password


class AdminPage(Challenges):
    """Passwords of the administration page. Forks of one run share a ledger, if there is a `folder` for it."""

    given = costly = True

    def __init__(self, server: AdminServer, limit: int, folder: Path | None) -> None:
        if limit < 1:
            raise OptionError("otp.max_outstanding", f"{limit} passwords are none; give 1 or more.")
        self._server, self._limit = server, limit
        self._ledger = None if folder is None else Ledger(folder, server.connection.url)
        self._place: Place | None = None
        self._otp: Otp | None = None
        self._replaced = False

    def take(self, certificates: Sequence[x509.Certificate]) -> str | None:
        """See Challenges. The thumbprint on the page has to be that of a certificate."""
        self._place = self._enter()
        try:
            left = None if self._place is None else self._place.otp
            self._otp = left or fetch(self._server)[0]
            self._compare(self._otp, certificates)
        except EnrollmentError:
            self._leave(None)
            raise
        password = self._otp.password
        if self._otp.reusable:
            self._leave(None)
        return password

    def used(self) -> None:
        """See Challenges."""
        self._leave(None)

    def unused(self) -> None:
        """See Challenges. It is left to the next host."""
        self._leave(self._otp)

    def another(self) -> bool:
        """See Challenges."""
        first, self._replaced = not self._replaced, True
        return first

    def _enter(self) -> Place | None:
        if self._ledger is None:
            return None
        deadline = time.monotonic() + max(_PATIENCE, self._server.retry_timeout)
        while True:
            place = self._ledger.enter(self._limit, utc_now())
            if place is not None:
                return place
            if time.monotonic() > deadline:
                raise TransportError(
                    f"otp: {self._limit} other hosts of this run hold a challenge password and have not used it; raise "
                    "max_outstanding if the page keeps more, or lower the number of forks."
                )
            time.sleep(random.uniform(_PAUSE / 2, _PAUSE))

    def _leave(self, unused: Otp | None) -> None:
        place, self._place, self._otp = self._place, None, None
        if self._ledger is not None and place is not None:
            self._ledger.leave(place, unused)

    def _compare(self, otp: Otp, certificates: Sequence[x509.Certificate]) -> None:
        digest = otp.thumbprint_digest
        if otp.thumbprint is None or digest is None:
            return
        shown = [fingerprint(certificate, digest).replace(":", "").upper() for certificate in certificates]
        if otp.thumbprint not in shown:
            raise TransportError(
                f"The page at {self._server.connection.url} shows the thumbprint {otp.thumbprint}, and the SCEP server "
                "offers no CA certificate with it; one of the two addresses leads to another server."
            )


def read_challenges(context: Context) -> Challenges:
    """Of the options. Raises OptionError for what cannot work; nothing is sent."""
    otp, password = context.params["otp"], context.params["challenge_password"]
    if otp is None:
        return Literal(password) if password else Challenges()
    try:
        server = read_admin_server(otp, read_connection(replace(context, params=otp)))
    except OptionError as error:
        raise EnrollmentError(f"otp.{error}") from None
    return AdminPage(server, otp["max_outstanding"], context.run_folder)
