# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our client at acceptors that demand and verify a binding to the TLS connection: MIT's Kerberos, and gss-ntlmssp."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.admin import LOGIN, ONCE, Admin, page, running
from support.admin import PASSWORD as NTLM_PASSWORD
from support.gss import Gss
from support.samba import REALM, Domain

from .conftest import PASSWORD, SERVICE, Ask

OTP = "0011223344556677"
USERS = {
    "kerberos": (f"alice@{REALM}", PASSWORD),
    "negotiate": (f"alice@{REALM}", PASSWORD),
    "ntlm": (LOGIN, NTLM_PASSWORD),
}


@pytest.fixture(params=USERS)
def admin(request: pytest.FixtureRequest, kerberos: Domain, tmp_path: Path, tls: tuple[Path, Path]) -> Iterator[Admin]:
    """A page that is given to bound log-ins alone. What the binding should be is not left to our own code."""
    made = Admin([page(OTP, ONCE)], login=request.param, acceptor=partial(Gss, kerberos.keytab(SERVICE)))
    with running(made, tmp_path, tls) as started:
        certificate = ssl.PEM_cert_to_DER_cert(tls[0].read_text())  # signed with SHA-256
        started.binding = b"tls-server-end-point:" + hashlib.sha256(certificate).digest()
        started.url = started.url.replace("127.0.0.1", "localhost")
        yield started


def test_bound(admin: Admin, ask: Ask) -> None:
    name, password = USERS[admin.login]
    assert ask(admin.url, auth=admin.login, username=name, password=password)["challenge_password"] == OTP
    assert admin.asked == [name]


def test_not_bound(admin: Admin, ask: Ask) -> None:
    name, password = USERS[admin.login]
    result = ask(admin.url, auth=admin.login, username=name, password=password, channel_binding=False)
    assert "the log-in was refused" in result["msg"]
    assert (admin.asked, set(admin.refused)) == ([], {"no binding"})


def test_bound_to_another_connection(admin: Admin, ask: Ask) -> None:
    """As if somebody in between had a certificate of his own."""
    admin.binding = b"tls-server-end-point:" + hashlib.sha256(b"another certificate").digest()
    name, password = USERS[admin.login]
    assert "the log-in was refused" in ask(admin.url, auth=admin.login, username=name, password=password)["msg"]
    assert admin.asked == []
    assert admin.refused and "no binding" not in admin.refused
