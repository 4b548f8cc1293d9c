# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our server with the keys of a service account of the domain, whose users come by Kerberos over TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_gssapi
import requests_kerberos
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import PageKind, read_page

from support.samba import REALM, Domain

from .conftest import FOREIGN, PASSWORD, SERVICE, Ask

ALICE, JUERGEN = f"alice@{REALM}", f"jürgen@{REALM}"
Site = Callable[..., str]


@pytest.fixture
def site(kerberos: Domain, make_state: Callable[..., Path], serve: Callable[..., Any], tls: tuple[Path, Path]) -> Site:
    """A server with these settings: the address of its page."""

    def start(**settings: Any) -> str:
        given = {"admin_page": True, "admin_auth": ["negotiate"], "keytab": str(kerberos.keytab(SERVICE)), "threads": 4}
        secure = {"tls_certificate": str(tls[0]), "tls_key": str(tls[1])}
        url = str(serve(make_state(**given, **secure, **settings)).url)
        return url.replace("127.0.0.1", "localhost").replace("/scep", "/certsrv/mscep_admin/")

    return start


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_our_client(site: Site, kerberos: Domain, ask: Ask, auth: str, tmp_path: Path) -> None:
    """With a password and with a ticket, bound to the TLS connection; unbound it is refused."""
    url = site(admin_epa="require")
    for name, password in ((ALICE, PASSWORD), (JUERGEN, FOREIGN)):
        result = ask(url, auth=auth, username=name, password=password)
        assert not result["failed"], (name, result)
        assert f"a one-time password for {name}" in (tmp_path / "log0").read_text()
    kerberos.log_in("jürgen", FOREIGN)
    assert len(ask(url, auth=auth, count=2)["passwords"]) == 2
    assert "the log-in was refused" in ask(url, auth=auth, channel_binding=False)["msg"]


# Who it is -> why the KDC gives him no ticket.
REFUSED = {
    (ALICE, "wrong"): "Preauthentication failed",
    (f"nobody@{REALM}", PASSWORD): "not found in Kerberos database",
    (f"disabled@{REALM}", PASSWORD): "credentials have been revoked",
    (f"expired@{REALM}", PASSWORD): "credentials have been revoked",
    (f"newcomer@{REALM}", PASSWORD): "Password has expired",
    ("alice@ELSEWHERE.TEST", PASSWORD): "Cannot find KDC for realm",
}


def test_users_who_are_refused(kerberos: Domain, ask: Ask) -> None:
    """By the KDC, with its reason: nothing is asked of the server, which is not even there."""
    for (name, password), reason in REFUSED.items():
        told = ask("https://localhost:9/", auth="kerberos", username=name, password=password)["msg"]
        assert told.startswith(f"auth: there is no Kerberos ticket for {SERVICE}: "), name
        assert reason in told, name


def test_negotiate_when_there_is_no_ticket_for_them(site: Site, ask: Ask) -> None:
    """The client goes over to NTLM, which this server does not take."""
    url = site()
    for name, password in REFUSED:
        told = ask(url, auth="negotiate", username=name, password=password)["msg"]
        print(told)
        assert "the log-in was refused" in told, name


# Clients of others, and whether they bind their log-in -> who they are for requests.
CLIENTS: dict[tuple[str, bool], Callable[[], Any]] = {
    ("requests-kerberos", True): requests_kerberos.HTTPKerberosAuth,
    ("requests-kerberos", False): lambda: requests_kerberos.HTTPKerberosAuth(send_cbt=False),
    ("requests-gssapi", True): lambda: requests_gssapi.HTTPSPNEGOAuth(channel_bindings="tls-server-end-point"),
    ("requests-gssapi", False): requests_gssapi.HTTPSPNEGOAuth,
}


@pytest.mark.parametrize("policy", ["none", "allow", "require"])
def test_clients_of_others(
    site: Site,
    kerberos: Domain,
    session: requests.Session,
    policy: str,
    need_command: Callable[..., Path],
    tls: tuple[Path, Path],
) -> None:
    """curl binds nothing."""
    kerberos.log_in("alice", PASSWORD)
    url = site(admin_epa=policy)
    for (client, bound), auth in CLIENTS.items():
        session.auth = auth()
        response = session.get(url, timeout=60)
        assert response.status_code == (200 if bound or policy != "require" else 401), (client, bound)
        session.close()
    words = ["--silent", "--noproxy", "*", "--cacert", str(tls[0]), "--max-time", "60", "--negotiate", "--user", ":"]
    done = subprocess.run([need_command("curl", "curl"), *words, url], capture_output=True, check=True, timeout=90)
    assert (read_page(done.stdout).kind is PageKind.PASSWORD) == (policy != "require")
