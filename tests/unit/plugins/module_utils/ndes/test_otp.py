# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils import _deps
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import OTP
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.ndes import login as login_module
from ansible_collections.netcert.ndes.plugins.module_utils.ndes import otp as otp_module
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.hand_out import hand_out
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.login import LOGINS

from support.acceptors import Refused
from support.admin import FULL, LOGIN, ONCE, PASSWORD, PATH, SCHEMES, THUMBPRINT, Admin, page, running
from support.task import Run

TlsFiles = Callable[[str], "tuple[Path, Path, Path]"]
FIRST, SECOND = "0011223344556677", "8899AABBCCDDEEFF"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    """A page that hands out two passwords, for NTLM."""
    with running(Admin([page(FIRST, ONCE), page(SECOND, ONCE)]), tmp_path) as started:
        yield started


@pytest.fixture
def task(admin: Admin, tmp_path: Path) -> Run:
    """A task of ndes_otp."""
    return Run(
        tmp_path,
        OTP,
        url=admin.url,
        auth="ntlm",
        username=LOGIN,
        password=PASSWORD,
        allow_http=True,
        timeout=5.0,
    )


def asked(task: Run, **options: Any) -> dict[str, Any]:
    result = perform(hand_out, task.context(**options))
    assert not result.pop("failed"), result["msg"]
    return result


def sentence(task: Run, **options: Any) -> str:
    result = perform(hand_out, task.context(**options))
    assert result["failed"], result
    return str(result["msg"])


@pytest.mark.parametrize("auth", ["ntlm", "negotiate", "basic", "none"])
def test_one_password_for_each_way_to_log_in(admin: Admin, task: Run, auth: str) -> None:
    admin.login = auth
    result = asked(task, auth=auth, **({"username": None, "password": None} if auth == "none" else {}))
    now = dt.datetime.now(dt.timezone.utc)
    (entry,) = result["passwords"]
    stale_at = dt.datetime.strptime(entry.pop("stale_at"), "%Y-%m-%dT%H:%M:%S%z")
    assert dt.timedelta(minutes=56) < stale_at - now < dt.timedelta(minutes=58)
    assert entry == {
        "challenge_password": FIRST,
        "ca_thumbprint": THUMBPRINT,
        "ca_thumbprint_digest": "md5",
        "lifetime_minutes": 60,
        "reusable": False,
    }
    assert result["challenge_password"] == FIRST
    assert result["changed"]
    assert result["msg"] == "NDES handed out 1 challenge password."
    assert len(admin.asked) == 1
    assert admin.asked[0].endswith({"none": "", "basic": LOGIN}.get(auth, LOGIN))


def test_several(admin: Admin, task: Run) -> None:
    result = asked(task, count=2)
    assert [entry["challenge_password"] for entry in result["passwords"]] == [FIRST, SECOND]
    assert len(admin.asked) == 2


def test_check_mode_asks_for_none(admin: Admin, task: Run) -> None:
    result = perform(hand_out, task.context(check_mode=True, count=3))
    assert (result["changed"], result["passwords"]) == (True, [])
    assert admin.asked == []
    assert admin.logins == 0


@pytest.mark.parametrize("auth", ["ntlm", "negotiate", "basic"])
def test_a_wrong_password_is_a_refused_login(admin: Admin, task: Run, auth: str) -> None:
    admin.login = auth
    told = sentence(task, auth=auth, password="wrong")
    assert "HTTP 401 (Unauthorized); the log-in was refused; check auth, username and password" in told
    assert admin.asked == []
    assert admin.logins == (0 if auth == "basic" else 1)


@pytest.mark.parametrize(("server", "client"), [("basic", "ntlm"), ("ntlm", "basic"), ("ntlm", "negotiate")])
def test_a_login_that_the_server_does_not_offer(admin: Admin, task: Run, server: str, client: str) -> None:
    admin.login = server
    assert "the log-in was refused" in sentence(task, auth=client)
    assert admin.asked == []


REFUSED: dict[str, tuple[bytes | int, str]] = {
    "cache full": (FULL, "has no place for another password: its cache is full (after 0 for this call)."),
    "no permission": (
        page(None, "You do not have sufficient permission to enroll with SCEP.  Please contact somebody.", ""),
        "gives this user no password: he needs the right to enrol on all three templates",
    ),
    "not required": (page(None), "offers no password: NDES is set to take requests without one"),
    "another page": (
        b"<html><title>x</title>Welcome to <b>IIS</b>",
        "is none that is known here; it says: 'Welcome to IIS'.",
    ),
    "policy module": (403, "HTTP 403 (Forbidden); an NDES policy module, such as that of Intune, is installed"),
    "elsewhere": (404, "HTTP 404 (Not Found); check the path in url; that of NDES is /certsrv/mscep_admin/."),
    "broken": (500, "HTTP 500 (Internal Server Error); NDES could not start: its RA certificates"),
    "stopped": (503, "HTTP 503 (Service Unavailable); the application pool SCEP is stopped."),
    "teapot": (418, "; the log of the web server should say why."),
}


@pytest.mark.parametrize(("answer", "told"), REFUSED.values(), ids=REFUSED)
def test_why_there_is_no_password(admin: Admin, task: Run, answer: bytes | int, told: str) -> None:
    admin.pages = [answer]
    assert told in sentence(task)
    assert len(admin.asked) == 1  # each costs a place, so none is repeated


def test_a_full_cache_is_waited_out(admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.pages = [FULL, FULL, page(FIRST, ONCE)]
    monkeypatch.setattr(otp_module, "PAUSE", 0.02)
    assert asked(task, retry_timeout=30.0)["challenge_password"] == FIRST
    assert len(admin.asked) == 3


def test_a_full_cache_is_not_waited_for_without_end(admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.pages = [page(FIRST, ONCE), FULL]
    monkeypatch.setattr(otp_module, "PAUSE", 0.05)
    assert "its cache is full (after 1 for this call)" in sentence(task, count=2, retry_timeout=0.2)
    assert len(admin.asked) > 2


def test_a_single_password_does_not_expire(admin: Admin, task: Run) -> None:
    admin.pages = [page(FIRST, "This password can be used multiple times and will not expire.")]
    (entry,) = asked(task)["passwords"]
    assert (entry["reusable"], entry["stale_at"], entry["lifetime_minutes"]) == (True, None, None)


def test_the_slash_at_the_end_may_be_missing(admin: Admin, task: Run) -> None:
    admin.redirect[PATH[:-1]] = PATH
    assert asked(task, url=admin.url[:-1])["challenge_password"] == FIRST


@pytest.mark.parametrize("target", ["https://elsewhere.example.com/certsrv/mscep_admin/", "/login", f"{PATH}more"])
def test_nobody_else_is_logged_in_to(admin: Admin, task: Run, target: str) -> None:
    admin.redirect[PATH] = target
    assert f"on to {target}; if the page is there, give that as url." in sentence(task)
    assert admin.logins == 0


@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
def test_a_login_over_tls_is_bound_to_it(tmp_path: Path, tls_files: TlsFiles, task: Run, auth: str) -> None:
    certificate, key, ca = tls_files("admin")
    with running(Admin([page(FIRST, ONCE)], login=auth), tmp_path, (certificate, key)) as secure:
        over_tls = {"url": secure.url, "auth": auth, "ca_path": str(ca), "allow_http": False}
        assert asked(task, **over_tls)["challenge_password"] == FIRST
        assert "the log-in was refused" in sentence(task, **over_tls, channel_binding=False)
        secure.binding = b"tls-server-end-point:" + bytes(32)
        assert "the log-in was refused" in sentence(task, **over_tls)
        assert "is not trusted" in sentence(task, **{**over_tls, "ca_path": None})


class Stubborn:
    """An acceptor with one answer to every message: a token, or the status of a refusal."""

    user = ""

    def __init__(self, answer: bytes | int) -> None:
        self._answer = answer

    def step(self, token: bytes) -> bytes:
        if isinstance(self._answer, int):
            raise Refused("", self._answer)
        return self._answer

    def close(self) -> None:
        pass


BREAKS_OFF = "auth: the log-in at 127.0.0.1 breaks off: the challenge of the server is missing or damaged."
REJECT = bytes.fromhex("a1073005a0030a0102")
"""NegTokenResp with negState reject (RFC 4178 section 4.2.2)."""


@pytest.mark.parametrize(
    ("auth", "answer", "told"),
    [
        ("ntlm", 401, "the log-in was refused"),
        ("negotiate", 401, "the log-in was refused"),
        ("ntlm", 503, BREAKS_OFF),
        ("negotiate", 503, "the application pool SCEP is stopped"),
        ("ntlm", REJECT, BREAKS_OFF),
        ("ntlm", b"NTLMSSP\0\x02", BREAKS_OFF),
        ("negotiate", REJECT, "the log-in was refused"),
        ("negotiate", b"NTLMSSP\0\x02", "the log-in was refused"),
    ],
)
def test_a_login_that_does_not_go_on(admin: Admin, task: Run, auth: str, answer: bytes | int, told: str) -> None:
    admin.login, admin.acceptor = auth, lambda _login, _binding: Stubborn(answer)
    assert told in sentence(task, auth=auth)
    assert (admin.asked, admin.logins) == ([], 1)  # not tried again, for a user can be locked out


def test_a_challenge_that_is_no_base64(admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.login = "negotiate"
    for word in ("Negotiate \xe9", "Negotiate a"):
        monkeypatch.setitem(SCHEMES, "negotiate", word)
        assert "the log-in was refused" in sentence(task, auth="negotiate")
    assert admin.logins == 0


@pytest.mark.parametrize("error", [ValueError("padding"), KeyError("127.0.0.1"), struct.error("short")])
def test_what_requests_kerberos_raises(
    admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Auth:
        """As it is of the library: a hook, in which whatever the server sends is taken apart."""

        def __init__(self, **_options: Any) -> None:
            pass

        def __call__(self, request: Any) -> Any:
            request.register_hook("response", self.handle_response)
            return request

        def handle_response(self, _response: Any, **_options: Any) -> Any:
            raise error

    monkeypatch.setattr(_deps, "absent", lambda _library: None)
    library = SimpleNamespace(HTTPKerberosAuth=Auth, OPTIONAL=2)
    monkeypatch.setattr(login_module, "requests_kerberos", library, raising=False)
    monkeypatch.setattr(login_module.spnego, "client", lambda *_given, **_more: SimpleNamespace(step=bytes))
    assert sentence(task, auth="kerberos").startswith(BREAKS_OFF)


def test_nothing_to_log_in_with(admin: Admin, task: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'no-tickets'}")
    monkeypatch.delenv("NTLM_USER_FILE")  # the server's, in which pyspnego would find a user
    admin.login = "negotiate"
    told = sentence(task, auth="negotiate", username=None, password=None)
    assert told.startswith("auth: the log-in at 127.0.0.1 breaks off: ") and "redential" in told
    assert admin.logins == 0


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "plain http": (
        {"url": "http://ndes.example.com/certsrv/mscep_admin/", "allow_http": False},
        "url: 'http://ndes.example.com/certsrv/mscep_admin/' is no https address, and everybody on the way could read",
    ),
    "no user": ({"username": None}, "username: it is not given, and this auth cannot do without."),
    "no password": ({"password": ""}, "password: it is not given, and this auth cannot do without."),
    "half of it": (
        {"auth": "negotiate", "password": None},
        "password: it is not given; give username and password, or neither for the ticket",
    ),
    "too much": (
        {"auth": "none"},
        "username: it is given although auth is none; leave it out, or choose another auth.",
    ),
    "no passwords": ({"count": 0}, "count: 0 is no number of passwords; give 1 to 1000."),
    "no time": ({"retry_timeout": -1.0}, "retry_timeout: -1 seconds is no time; give 0 or more."),
    "no address": ({"url": "ndes.example.com"}, "url: 'ndes.example.com' is not an address"),
    "no file": ({"ca_path": "nowhere.pem"}, "nowhere.pem' does not exist."),
}


@pytest.mark.parametrize(("options", "told"), OPTIONS.values(), ids=OPTIONS)
def test_what_cannot_work_is_told_before_anything_is_sent(
    admin: Admin, task: Run, options: dict[str, Any], told: str
) -> None:
    for check_mode in (True, False):
        result = perform(hand_out, task.context(check_mode=check_mode, **options))
        assert result["failed"]
        assert told in result["msg"]
    assert admin.logins == 0


@pytest.mark.parametrize("auth", [name for name, login in LOGINS.items() if login.library])
def test_a_missing_library_is_named(task: Run, monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    library = LOGINS[auth].library
    monkeypatch.setattr(_deps, "_optional", {library: "No module named 'it'"})
    told = sentence(task, auth=auth)
    assert told.startswith(f"auth: it needs the library {library}, which ")
    assert told.endswith("lacks (No module named 'it'); install it there.")


def test_no_secret_in_any_sentence(admin: Admin, task: Run) -> None:
    for answer in (401, page(None), FULL, b"nothing"):
        admin.pages = [answer]
        assert PASSWORD not in sentence(task)
