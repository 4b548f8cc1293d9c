# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our client at Apache with mod_auth_gssapi, for the users of the domain. It knows of no bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.admin import ONCE, page
from support.apache import BINARIES, OWNER, Apache, apache
from support.samba import REALM, Domain

from .conftest import FOREIGN, PASSWORD, SERVICE, Ask

OTP = "0011223344556677"
KERBEROS = {f"alice@{REALM}": f"alice@{REALM}", f"jürgen@{REALM}": f"j\\xc3\\xbcrgen@{REALM}"}
NTLM = {
    "CORP\\alice": r"CORP\\alice",
    "alice@corp.example.test": r"\\alice@corp.example.test",
    "CORP\\jürgen": r"CORP\\j\xc3\xbcrgen",
    "jürgen@corp.example.test": r"\\j\xc3\xbcrgen@corp.example.test",
}
# Ways to log in, and the mechanism behind the page -> the names of users, each with the line in Apache's log.
WAYS = {
    ("kerberos", "krb5"): KERBEROS,
    ("negotiate", "krb5"): KERBEROS,
    ("ntlm", "ntlmssp"): NTLM,
    ("negotiate", "ntlmssp"): NTLM,
}


@pytest.fixture
def server(
    request: pytest.FixtureRequest, kerberos: Domain, need_command: Callable[..., Path], tls: tuple[Path, Path]
) -> Iterator[Apache]:
    """A page behind this mechanism. For NTLM Apache asks winbindd, as one of a group that may."""
    kerberos.admit(OWNER)
    command = need_command("apache2", "apache2-bin", BINARIES)
    variables = kerberos.winbind if request.param == "ntlmssp" else {}
    with apache(command, page(OTP, ONCE), request.param, tls, kerberos.keytab(SERVICE), variables) as started:
        yield started


@pytest.mark.parametrize(("auth", "server"), WAYS, indirect=["server"])
def test_users_under_their_names(
    server: Apache, request: pytest.FixtureRequest, auth: str, ask: Ask, kerberos: Domain
) -> None:
    names = WAYS[auth, request.node.callspec.params["server"]]
    for name in names:
        password = FOREIGN if name.lower().find("jürgen") >= 0 else PASSWORD
        result = ask(server.url, auth=auth, username=name, password=password)
        assert result.get("challenge_password") == OTP, (name, result, server.complaints())
    assert server.asked(200, len(names)) == [*names.values()]


@pytest.mark.parametrize(("auth", "server"), [("kerberos", "krb5"), ("negotiate", "krb5")], indirect=["server"])
def test_a_ticket(server: Apache, auth: str, ask: Ask, kerberos: Domain) -> None:
    kerberos.log_in("alice", PASSWORD)
    assert ask(server.url, auth=auth)["challenge_password"] == OTP
    assert server.asked(200, 1) == [f"alice@{REALM}"]


@pytest.mark.parametrize(("auth", "server"), [("ntlm", "ntlmssp"), ("negotiate", "ntlmssp")], indirect=["server"])
def test_users_who_are_refused(server: Apache, auth: str, ask: Ask) -> None:
    for name in ("CORP\\alice", "CORP\\nobody", "CORP\\disabled", "CORP\\expired", "CORP\\newcomer"):
        password = "wrong" if name == "CORP\\alice" else PASSWORD
        told = ask(server.url, auth=auth, username=name, password=password)["msg"]
        assert "HTTP 401 (Unauthorized); the log-in was refused" in told, name


@pytest.mark.parametrize(("auth", "server"), [("ntlm", "krb5"), ("kerberos", "ntlmssp")], indirect=["server"])
def test_a_log_in_that_is_not_offered(server: Apache, auth: str, ask: Ask) -> None:
    name = {"ntlm": "CORP\\alice", "kerberos": f"alice@{REALM}"}[auth]
    assert "the log-in was refused" in ask(server.url, auth=auth, username=name, password=PASSWORD)["msg"]
