# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administration page over real connections: clients of others, several processes and threads, TLS."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import spnego
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import AdminPage, PageKind, read_page
from requests_ntlm import HttpNtlmAuth

USER, PASSWORD = "CORP\\alice", "Pass word1"
LOGINS = ["negotiate", "ntlm", "basic"]
Site = Callable[..., str]


@pytest.fixture
def site(make_state: Callable[..., Path], serve: Callable[..., Any], tls: tuple[Path, Path], tmp_path: Path) -> Site:
    """A server with these settings, two processes of four threads: the address of its page."""
    users = tmp_path / "users"
    users.write_text(f"CORP:alice:{PASSWORD}\n")
    users.chmod(0o600)

    def start(secure: bool = False, **settings: Any) -> str:
        given = {"admin_page": True, "admin_auth": LOGINS, "users_file": str(users), "workers": 2, "threads": 4}
        certificate, key = tls
        if secure:
            given |= {"tls_certificate": str(certificate), "tls_key": str(key)}
        return str(serve(make_state(**given | settings)).url).replace("/scep", "/certsrv/mscep_admin/")

    return start


@pytest.fixture
def curl(need_command: Callable[..., Path], tls: tuple[Path, Path]) -> Callable[..., tuple[list[int], bytes]]:
    """curl with these words: (status of each response, the last body)."""
    command = need_command("curl", "curl")

    def curl(*words: str) -> tuple[list[int], bytes]:
        done = subprocess.run(
            [command, "--silent", "--noproxy", "*", "--include", "--cacert", str(tls[0]), "--max-time", "60", *words],
            capture_output=True,
            check=True,
            timeout=90,
        )
        heads = re.findall(rb"HTTP/1\.1 (\d{3}) ", done.stdout)  # a body ends without a line break
        return [int(status) for status in heads], done.stdout.rpartition(b"\r\n\r\n")[2]

    return curl


def has_password(body: bytes) -> bool:
    page = read_page(body)
    return page.kind is PageKind.PASSWORD and bool(page.password)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_curl(site: Site, curl: Callable[..., Any], secure: bool) -> None:
    url = site(secure)
    for word, statuses in (("--ntlm", [401, 200]), ("--basic", [200])):
        found, body = curl(word, "--user", f"{USER}:{PASSWORD}", url)
        assert found == statuses and has_password(body), word
        found, _body = curl(word, "--user", f"{USER}:wrong", url)
        assert found[-1] == 401
    found, body = curl("--location", "--ntlm", "--user", f"{USER}:{PASSWORD}", url.rstrip("/"))
    assert found[-2:] == [301, 200] and has_password(body)


def test_a_connection_stays_logged_in(site: Site, curl: Callable[..., Any]) -> None:
    """The log-in is not repeated by curl, and the server does not ask for it."""
    url = site()
    assert curl("--ntlm", "--user", f"{USER}:{PASSWORD}", url, url, url)[0] == [401, 200, 200, 200]


def test_requests_ntlm(site: Site, session: requests.Session) -> None:
    url = site()
    session.auth = HttpNtlmAuth(USER, PASSWORD)
    for _number in range(3):
        response = session.get(url, timeout=60)
        assert response.status_code == 200 and has_password(response.content)
        assert response.headers["Content-Type"] == "text/html"
    session.auth = HttpNtlmAuth(USER, "wrong")
    session.close()
    assert session.get(url, timeout=60).status_code == 401


def test_many_clients_at_once(site: Site) -> None:
    """Each with a connection of its own, some with a wrong password: none gets the log-in of another."""
    url = site(otp_outstanding=1000)

    def ask(number: int) -> tuple[bool, int]:
        right = number % 3 != 0
        with requests.Session() as session:
            session.trust_env = False
            session.auth = HttpNtlmAuth(USER, PASSWORD if right else "wrong")
            response = session.get(url, timeout=120)
            assert has_password(response.content) == (response.status_code == 200)
            return right, response.status_code

    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(ask, range(60)))
    assert found == {(True, 200): 40, (False, 401): 20}


def test_the_cache_limit_over_processes(site: Site, command: Callable[..., Any], tmp_path: Path) -> None:
    url = site(otp_outstanding=5)

    def ask(_number: int) -> AdminPage:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = HttpNtlmAuth(USER, PASSWORD)
            return read_page(session.get(url, timeout=120).content)

    with ThreadPoolExecutor(32) as pool:
        pages = list(pool.map(ask, range(32)))
    assert Counter(page.kind for page in pages) == {PageKind.PASSWORD: 5, PageKind.CACHE_FULL: 27}
    listed = command(tmp_path / "state", "otp", "list")[1]["passwords"]
    assert [row["state"] for row in listed] == ["unused"] * 5


# What the client binds to -> its status by each policy. curl binds nothing.
EPA = {
    "right": {"none": 200, "allow": 200, "require": 200},
    "absent": {"none": 200, "allow": 200, "require": 401},
    "wrong": {"none": 200, "allow": 401, "require": 401},
}


@pytest.mark.parametrize("policy", ["none", "allow", "require"])
def test_extended_protection(
    site: Site, session: requests.Session, policy: str, monkeypatch: pytest.MonkeyPatch, curl: Callable[..., Any]
) -> None:
    url = site(secure=True, admin_epa=policy)
    assert curl("--ntlm", "--user", f"{USER}:{PASSWORD}", url)[0][-1] == EPA["absent"][policy]
    for client, send in (("right", True), ("absent", False)):
        session.auth = HttpNtlmAuth(USER, PASSWORD, send_cbt=send)
        assert session.get(url, timeout=60).status_code == EPA[client][policy], client
        session.close()
    bindings = spnego.channel_bindings.GssChannelBindings
    monkeypatch.setattr(bindings, "pack", lambda self: b"another connection")
    session.auth = HttpNtlmAuth(USER, PASSWORD)
    assert session.get(url, timeout=60).status_code == EPA["wrong"][policy]


@pytest.mark.parametrize("word", ["ntlm", "negotiate"])
def test_our_own_log_ins(site: Site, session: requests.Session, word: str) -> None:
    """NTLM, alone and inside SPNEGO, bound to the TLS connection."""
    from ansible_collections.netcert.ndes.plugins.module_utils.ndes.login import LOGINS as OURS

    url = site(secure=True, admin_epa="require", admin_auth=[word])
    for password, status in ((PASSWORD, 200), ("wrong", 401)):
        session.auth = OURS[word](USER, password).authenticate(url)
        response = session.get(url, timeout=60)
        assert response.status_code == status
        session.close()
    session.auth = OURS[word](USER, PASSWORD, channel_binding=False).authenticate(url)
    assert session.get(url, timeout=60).status_code == 401


def test_secrets_are_not_in_the_log(site: Site, session: requests.Session, tmp_path: Path) -> None:
    url = site()
    session.auth = HttpNtlmAuth(USER, PASSWORD)
    password = read_page(session.get(url, timeout=60).content).password
    log = (tmp_path / "log0").read_text()
    assert password and f"a one-time password for {USER}" in log
    assert PASSWORD not in log and password not in log


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True)])
def test_a_file_of_passwords_that_is_no_secret_is_told(site: Site, tmp_path: Path, mode: int, warned: bool) -> None:
    (tmp_path / "users").chmod(mode)
    site()
    assert (f"others can read the passwords in {tmp_path / 'users'}" in (tmp_path / "log0").read_text()) is warned
