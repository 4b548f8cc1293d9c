# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administration page behind Kerberos: clients of others and tokens of our own making, bound to TLS and not."""

from __future__ import annotations

import base64
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gssapi
import pytest
import requests
import requests_gssapi
import requests_kerberos
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.binding import end_point_binding
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import PageKind, read_page
from requests_ntlm import HttpNtlmAuth

from support import kerberos

SPNEGO, KERBEROS = (gssapi.OID.from_int_seq(dotted) for dotted in ("1.3.6.1.5.5.2", "1.2.840.113554.1.2.2"))
USER, PASSWORD = "CORP\\alice", "Pw1"
Site = Callable[..., str]


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with kerberos.realm() as realm:
        yield realm


@pytest.fixture
def realm(started: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The realm, for this process and those that it starts."""
    for name in ("KRB5_CONFIG", "KRB5CCNAME", "KRB5RCACHEDIR"):
        monkeypatch.setenv(name, started.env[name])
    return started


@pytest.fixture
def site(realm: Any, make_state: Callable[..., Path], serve: Callable[..., Any], tls: tuple[Path, Path]) -> Site:
    """A server with a keytab and these settings: the address of its page."""

    def start(secure: bool = False, **settings: Any) -> str:
        given = {"admin_page": True, "admin_auth": ["negotiate"], "keytab": realm.keytab, "threads": 4}
        if secure:
            given |= {"tls_certificate": str(tls[0]), "tls_key": str(tls[1])}
        return str(serve(make_state(**given | settings)).url).replace("/scep", "/certsrv/mscep_admin/")

    return start


@pytest.fixture
def right(tls: tuple[Path, Path]) -> bytes:
    """The binding to the server's certificate."""
    return end_point_binding(ssl.PEM_cert_to_DER_cert(tls[0].read_text()))


def token(mechanism: Any = SPNEGO, binding: bytes | None = None) -> bytes:
    """The first one of a client with a ticket."""
    bindings = None if binding is None else gssapi.raw.ChannelBindings(application_data=binding)
    name = gssapi.Name("HTTP@127.0.0.1", gssapi.NameType.hostbased_service)
    context = gssapi.SecurityContext(name=name, mech=mechanism, usage="initiate", channel_bindings=bindings)
    return bytes(context.step() or b"")


def send(session: requests.Session, url: str, sent: bytes) -> requests.Response:
    encoded = base64.b64encode(sent).decode()
    return session.get(url, headers={"Authorization": f"Negotiate {encoded}"}, timeout=60)


def has_password(body: bytes) -> bool:
    return read_page(body).kind is PageKind.PASSWORD


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_clients_of_others(
    site: Site, session: requests.Session, secure: bool, need_command: Callable[..., Path], tls: tuple[Path, Path]
) -> None:
    url = site(secure)
    words = ["--silent", "--noproxy", "*", "--cacert", str(tls[0]), "--max-time", "60", "--negotiate", "--user", ":"]
    done = subprocess.run([need_command("curl", "curl"), *words, url], capture_output=True, check=True, timeout=90)
    assert has_password(done.stdout)
    for auth in (
        requests_kerberos.HTTPKerberosAuth(mutual_authentication=requests_kerberos.REQUIRED),
        requests_gssapi.HTTPSPNEGOAuth(mutual_authentication=requests_gssapi.REQUIRED),
        requests_gssapi.HTTPSPNEGOAuth(mech=KERBEROS),
    ):
        session.auth = auth
        response = session.get(url, timeout=60)
        assert response.status_code == 200 and has_password(response.content), auth
        session.close()


def test_our_own_log_ins(site: Site, session: requests.Session, realm: Any) -> None:
    """With the ticket that is there, and with a password; a wrong one does not get as far as the server."""
    from ansible_collections.netcert.ndes.plugins.module_utils.ndes.login import LOGINS

    url = site(secure=True, admin_epa="require")
    for word in ("kerberos", "negotiate"):
        for given in ((), (realm.user_princ, realm.password("user"))):
            session.auth = LOGINS[word](*given).authenticate(url)
            assert session.get(url, timeout=60).status_code == 200, (word, given)
            session.close()


# What the client binds to -> its status by each policy.
EPA = {
    "right": {"none": 200, "allow": 200, "require": 200},
    "absent": {"none": 200, "allow": 200, "require": 401},
    "wrong": {"none": 200, "allow": 401, "require": 401},
}


@pytest.mark.parametrize("policy", ["none", "allow", "require"])
def test_extended_protection(site: Site, session: requests.Session, policy: str, right: bytes) -> None:
    url = site(secure=True, admin_epa=policy)
    for client, binding in (("right", right), ("absent", None), ("wrong", right[:-1] + b"?")):
        for mechanism in (SPNEGO, KERBEROS):
            response = send(session, url, token(mechanism, binding))
            assert response.status_code == EPA[client][policy], (client, mechanism)
            session.close()
    for client, bound in (("right", True), ("absent", False)):
        session.auth = requests_kerberos.HTTPKerberosAuth(send_cbt=bound)
        assert session.get(url, timeout=60).status_code == EPA[client][policy], client
        session.close()


def test_a_connection_stays_logged_in(site: Site, session: requests.Session) -> None:
    url = site()
    assert send(session, url, token()).status_code == 200
    assert session.get(url, timeout=60).status_code == 200
    session.close()
    assert session.get(url, timeout=60).status_code == 401


def test_a_token_is_good_once(site: Site, session: requests.Session) -> None:
    url, used = site(), token()
    assert send(session, url, used).status_code == 200
    session.close()
    response = send(session, url, used)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Negotiate")


def test_who_gets_passwords(site: Site, session: requests.Session, realm: Any, tmp_path: Path) -> None:
    url = site(admin_users=[realm.user_princ.upper()])
    assert has_password(send(session, url, token()).content)
    assert f"a one-time password for {realm.user_princ}" in (tmp_path / "log0").read_text()


def test_who_does_not(site: Site, session: requests.Session, realm: Any) -> None:
    url = site(admin_users=[realm.admin_princ])
    assert read_page(send(session, url, token()).content).kind is PageKind.NO_PERMISSION


def test_a_key_that_the_server_does_not_have(site: Site, session: requests.Session, realm: Any, tmp_path: Path) -> None:
    keytab = tmp_path / "other.keytab"
    realm.extract_keytab(realm.host_princ, str(keytab))
    assert send(session, site(keytab=str(keytab)), token()).status_code == 401


def test_ntlm_beside_kerberos(site: Site, session: requests.Session, tmp_path: Path) -> None:
    """For the client without a ticket."""
    users = tmp_path / "users"
    users.write_text(f"CORP:alice:{PASSWORD}\n")
    url = site(users_file=str(users), admin_auth=["negotiate", "ntlm"])
    session.auth = HttpNtlmAuth(USER, PASSWORD)
    assert session.get(url, timeout=60).status_code == 200
    session.auth = None
    session.close()
    assert send(session, url, token()).status_code == 200


def test_a_keytab_that_is_replaced_counts_at_once(
    site: Site, session: requests.Session, realm: Any, tmp_path: Path
) -> None:
    keytab = tmp_path / "my.keytab"
    realm.extract_keytab(realm.host_princ, str(keytab))
    url = site(keytab=str(keytab))
    assert send(session, url, token()).status_code == 401
    shutil.copyfile(realm.keytab, keytab)
    assert send(session, url, token()).status_code == 200


def test_nothing_secret_is_in_the_log(site: Site, session: requests.Session, tmp_path: Path) -> None:
    body = send(session, site(), token()).content
    log = (tmp_path / "log0").read_text()
    assert read_page(body).password not in log
    assert not re.search(r"[A-Za-z0-9+/]{100}", log)
