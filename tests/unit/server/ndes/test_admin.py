# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administration page at its addresses: who sees what, without a network."""

from __future__ import annotations

import base64
import gc
import logging
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import spnego
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import AdminPage, PageKind, read_page
from scep_device import Bench, Device, ServedWith

from scep_server import challenges, serve
from scep_server.app import BODY_COMPLETE, Application
from scep_server.errors import ServerError
from scep_server.ndes.admin import Pages, open_pages
from scep_server.ndes.connections import Connections
from scep_server.ndes.gate import CONNECTION, MAX_TOKEN
from scep_server.settings import parse

PAGE = "/certsrv/mscep_admin/"
USER, PASSWORD = "CORP\\alice", "Pw1"


class Connection:
    """What gunicorn puts into the environ."""


class Site:
    """The application with its pages."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        pages = open_pages(bench.state, bench.server.settings)
        assert isinstance(pages, Pages)
        self.pages = pages
        self.application = Application(bench.server, pages)

    def get(
        self, path: str = PAGE, authorization: str = "", **environ: Any
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """(status, headers, body)."""
        sent: list[Any] = []
        asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "ndes", **environ}
        if authorization:
            asked["HTTP_AUTHORIZATION"] = authorization
        parts = self.application(asked, lambda status, headers: sent.extend((int(status.split()[0]), headers)))
        return sent[0], sent[1], b"".join(parts)

    def page(self, name: str = USER, password: str = PASSWORD, **environ: Any) -> AdminPage:
        """What somebody sees who logs in."""
        status, headers, body = self.get(authorization=basic(name, password), **environ)
        assert (status, dict(headers)["Content-Type"]) == (200, "text/html")
        assert dict(headers)["Cache-Control"] == "no-store"
        return read_page(body)

    @property
    def connections(self) -> Connections:
        """What is known of connections."""
        return self.pages._gate.connections


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def challenges_of(headers: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in headers if name == "WWW-Authenticate"]


@pytest.fixture
def site(tmp_path: Path, served_with: ServedWith, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Site]:
    """A site by its settings."""
    monkeypatch.setenv("NTLM_USER_FILE", "")
    (tmp_path / "state" / "users").write_text(f"CORP:alice:{PASSWORD}\nCORP:bob:Pw2\n")

    def make(**settings: Any) -> Site:
        given = {
            "admin_page": True,
            "users_file": "users",
            "admin_auth": ["negotiate", "ntlm", "basic"],
            "otp_octets": 8,
        }
        return Site(served_with(**(given | settings)))

    return make


def test_a_page_has_a_password_that_is_good_once(site: Callable[..., Site], device: Device) -> None:
    served = site()
    page = served.page()
    assert (page.kind, page.lifetime_minutes, page.reusable) == (PageKind.PASSWORD, 60, False)
    assert re.fullmatch("[0-9A-F]{16}", page.password or "")
    assert page.thumbprint == served.bench.pki.ca.certificate.fingerprint(_md5()).hex().upper()
    bench = served.bench
    assert bench.answer(bench.request(device, page.password)).certificates
    assert served.page().password != page.password


def _md5() -> Any:
    from cryptography.hazmat.primitives.hashes import MD5

    return MD5()


def test_whoever_does_not_log_in_is_told_how(site: Callable[..., Site]) -> None:
    served = site(admin_auth=["negotiate", "ntlm"])
    for authorization in (
        "",
        basic(USER, PASSWORD),
        "Bearer x",
        "NTLM",
        "NTLM !",
        "Negotiate =",
        "NTLM " + "A" * 90000,
    ):
        status, headers, _body = served.get(authorization=authorization)
        assert (status, challenges_of(headers)) == (401, ["Negotiate", "NTLM"]), authorization
    assert served.bench.server.store.challenges.outstanding(0) == 0


def test_a_wrong_password_is_a_401_and_costs_nothing(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    served = site()
    with caplog.at_level(logging.INFO):
        status, headers, _body = served.get(authorization=basic(USER, "wr0ng"))
    assert (status, len(challenges_of(headers))) == (401, 3)
    assert "192.0.2.7: log-in by Basic refused: user or password is wrong" in caplog.text
    assert "wr0ng" not in caplog.text
    assert not served.bench.server.store.challenges.all()


def ntlm(served: Site, connection: Any, *, scheme: str = "NTLM", password: str = PASSWORD, path: str = PAGE) -> int:
    """A whole log-in on a connection; its last status."""
    context = spnego.client(USER, password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    status, headers, _body = send(served, connection, scheme, context.step(), path)
    assert status == 401
    (challenge,) = challenges_of(headers)
    assert challenge.startswith(f"{scheme} ")
    return send(served, connection, scheme, context.step(base64.b64decode(challenge.split()[1])), path)[0]


def send(served: Site, connection: Any, scheme: str, token: bytes, path: str = PAGE) -> Any:
    return served.get(path, f"{scheme} {base64.b64encode(token).decode()}", **{CONNECTION: connection})


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_ntlm_logs_in_a_connection(site: Callable[..., Site], scheme: str) -> None:
    served, connection, other = site(), Connection(), Connection()
    assert ntlm(served, connection, scheme=scheme) == 200
    assert served.get(**{CONNECTION: connection})[0] == 200
    assert served.get(**{CONNECTION: other})[0] == 401
    assert len(served.connections) == 1
    del connection
    gc.collect()
    assert len(served.connections) == 0


def test_a_log_in_that_fails_ends_the_one_before(site: Callable[..., Site]) -> None:
    served, connection = site(), Connection()
    assert ntlm(served, connection) == 200
    assert ntlm(served, connection, password="wrong") == 401
    assert served.get(**{CONNECTION: connection})[0] == 401
    assert ntlm(served, connection) == 200


@pytest.mark.parametrize("authorization", ["NTLM !", "Bearer x", basic(USER, "wrong"), "Negotiate AAAA"])
def test_whatever_is_sent_instead_ends_a_log_in(site: Callable[..., Site], authorization: str) -> None:
    served, connection = site(), Connection()
    assert ntlm(served, connection) == 200
    assert served.get(authorization=authorization, **{CONNECTION: connection})[0] == 401
    assert served.get(**{CONNECTION: connection})[0] == 401


def test_a_challenge_is_good_for_one_try(site: Callable[..., Site]) -> None:
    served, connection = site(), Connection()
    options = spnego.NegotiateOptions.use_ntlm
    wrong, right = (spnego.client(USER, password, protocol="ntlm", options=options) for password in ("x", PASSWORD))
    start = wrong.step()
    right.step()
    challenge = base64.b64decode(challenges_of(send(served, connection, "NTLM", start)[1])[0].split()[1])
    assert send(served, connection, "NTLM", wrong.step(challenge))[0] == 401
    assert send(served, connection, "NTLM", right.step(challenge))[0] == 401


def test_a_log_in_belongs_to_its_connection_and_scheme(site: Callable[..., Site]) -> None:
    served, one, other = site(), Connection(), Connection()
    for second, scheme in ((other, "NTLM"), (one, "Negotiate")):
        context = spnego.client(USER, PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        challenge = challenges_of(send(served, one, "NTLM", context.step())[1])[0]
        assert send(served, second, scheme, context.step(base64.b64decode(challenge.split()[1])))[0] == 401
    assert served.get(**{CONNECTION: one})[0] == 401


def test_basic_is_for_one_request(site: Callable[..., Site]) -> None:
    served, connection = site(), Connection()
    assert served.page(**{CONNECTION: connection}).password
    assert served.get(**{CONNECTION: connection})[0] == 401


def test_without_a_connection_nothing_is_kept(site: Callable[..., Site]) -> None:
    served = site()
    assert ntlm(served, None) == 401
    assert len(served.connections) == 0


def test_log_ins_under_way_are_limited(site: Callable[..., Site]) -> None:
    """The oldest has to begin anew; whoever is logged in stays so."""
    served = site()
    served.pages._gate.connections = Connections(half_open=2)
    inside = Connection()
    assert ntlm(served, inside) == 200
    waiting = []
    for _number in range(3):
        context = spnego.client(USER, PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        connection = Connection()
        challenge = challenges_of(send(served, connection, "NTLM", context.step())[1])[0]
        waiting.append((connection, context.step(base64.b64decode(challenge.split()[1]))))
    assert [send(served, connection, "NTLM", token)[0] for connection, token in waiting] == [401, 200, 200]
    assert served.get(**{CONNECTION: inside})[0] == 200


def test_the_longest_token_is_decoded_and_no_longer_one(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    served = site()
    with caplog.at_level(logging.INFO):
        send(served, None, "NTLM", bytes(MAX_TOKEN))
        send(served, None, "NTLM", bytes(MAX_TOKEN + 6))
    assert caplog.text.count("did not begin on this connection") == 1
    assert caplog.text.count("the token is too long") == 1


@pytest.mark.parametrize("path", ["/certsrv/mscep_admin", "/CertSrv/mscep_admin", "/CERTSRV/MSCEP_ADMIN"])
def test_the_address_without_a_slash(site: Callable[..., Site], path: str) -> None:
    served = site()
    assert served.get(path)[0] == 401
    status, headers, _body = served.get(path, basic(USER, PASSWORD))
    assert (status, dict(headers)["Location"]) == (301, path + "/")
    assert not served.bench.server.store.challenges.all()


def test_the_case_of_an_address_does_not_matter(site: Callable[..., Site]) -> None:
    served = site()
    for path in ("/CertSrv/mscep_admin/", "/CERTSRV/MSCEP_ADMIN/"):
        assert served.get(path, basic(USER, PASSWORD))[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/certsrv/mscep/", "/CertSrv/mscep/mscep.dll", "/certsrv/mscep/MSCEP.DLL/pkiclient.exe"],
)
def test_the_address_for_devices(site: Callable[..., Site], path: str, device: Device) -> None:
    served = site()
    status, headers, body = served.get(path)
    assert (status, dict(headers)["Content-Type"]) == (200, "text/html")
    assert "By default, the admin URL is http://ndes/CertSrv/mscep_admin " in body.decode("utf-16-le")
    assert b"POSTPKIOperation" in served.get(path, QUERY_STRING="operation=GetCACaps")[2]
    assert served.get(path, REQUEST_METHOD="HEAD")[2] == b""
    bench = served.bench
    bench.application = served.application
    request = bench.request(device, bench.passwords()[0])
    assert bench.http("POST", "operation=PKIOperation", request.message, path=path).status == 200


def test_other_addresses_have_no_page(site: Callable[..., Site]) -> None:
    served = site()
    for path in ("/certsrv/mscep_admin/x", "/certsrv", "/mscep_admin/"):
        assert served.get(path, basic(USER, PASSWORD))[0] == 400
    assert served.get("/healthz")[0] == 200


def test_methods(site: Callable[..., Site]) -> None:
    served = site()
    for method, status in (("POST", 200), ("HEAD", 405), ("PUT", 405), ("DELETE", 405)):
        assert served.get(PAGE, basic(USER, PASSWORD), REQUEST_METHOD=method)[0] == status, method
    assert len(served.bench.server.store.challenges.all()) == 1


def test_a_visitor_is_not_cut_off_while_the_server_works(site: Callable[..., Site]) -> None:
    """As one who sends a message for devices is, until its end."""
    served = site()
    done: list[str] = []
    for path, authorization in ((PAGE, ""), (PAGE, basic(USER, PASSWORD)), (PAGE[:-1], "")):
        served.get(path, authorization, **{BODY_COMPLETE: lambda: done.append("page")})
    assert len(done) == 3
    device = {"QUERY_STRING": "operation=PKIOperation", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "9"}
    served.get("/certsrv/mscep/", **{BODY_COMPLETE: lambda: done.append("device")}, **device)
    assert len(done) == 3


def test_without_the_setting_there_is_no_page(bench: Bench) -> None:
    assert open_pages(bench.state, bench.server.settings) is None
    assert bench.http(path=PAGE).status == 400


@pytest.mark.parametrize(
    ("name", "password", "kind"),
    [
        (USER, PASSWORD, PageKind.PASSWORD),
        ("CORP\\bob", "Pw2", PageKind.NO_PERMISSION),
    ],
)
@pytest.mark.parametrize("of_template", [False, True])
def test_who_gets_passwords(
    site: Callable[..., Site], name: str, password: str, kind: PageKind, of_template: bool
) -> None:
    rights = {"admin_users": ["corp\\ALICE"]}
    served = site(**({"templates": {"IPSECIntermediateOffline": rights}} if of_template else rights))
    assert served.page(name, password).kind is kind
    assert len(served.bench.server.store.challenges.all()) == (kind is PageKind.PASSWORD)


def test_the_cache_is_full_until_a_password_is_used_or_expires(site: Callable[..., Site], device: Device) -> None:
    served = site(otp_outstanding=2)
    first = served.page().password
    assert served.page().password
    assert served.page().kind is PageKind.CACHE_FULL
    bench = served.bench
    assert bench.answer(bench.request(device, first)).certificates
    assert served.page().password
    assert served.page().kind is PageKind.CACHE_FULL
    bench.clock.forward(minutes=61)
    assert served.page().password


def test_thirty_two_at_once_do_not_get_more_than_there_are(site: Callable[..., Site]) -> None:
    served = site(otp_outstanding=5)
    with ThreadPoolExecutor(32) as pool:
        pages = list(pool.map(lambda _number: served.page(), range(32)))
    assert Counter(page.kind for page in pages) == {PageKind.PASSWORD: 5, PageKind.CACHE_FULL: 27}
    assert len({page.password for page in pages if page.password}) == 5


@pytest.mark.parametrize("mode", ["single", "static"])
def test_a_lasting_password_is_shown_again(site: Callable[..., Site], mode: str) -> None:
    served = site(challenge=mode)
    if mode == "static":
        challenges.set_reusable(served.bench.server, "A1B2C3D4E5F60718")
    first, again = served.page(), served.page()
    assert first.password == again.password == challenges.reusable(served.bench.server)
    assert first.reusable and len(first.password or "") == 16


def test_no_password_is_needed(site: Callable[..., Site]) -> None:
    assert site(challenge="none", allow_no_challenge=True).page().kind is PageKind.NOT_REQUIRED


@pytest.mark.parametrize(
    ("encoding", "nul", "start", "end"),
    [
        ("utf-16le", True, b"<\0H\0", b">\0\0\0"),
        ("utf-16le-bom", False, b"\xff\xfe<\0", b"L\0>\0"),
        ("utf-8", True, b"<HTM", b"ML>\0"),
    ],
)
def test_encodings(site: Callable[..., Site], encoding: str, nul: bool, start: bytes, end: bytes) -> None:
    served = site(admin_page_encoding=encoding, admin_page_nul=nul)
    body = served.get(authorization=basic(USER, PASSWORD))[2]
    assert (body[:4], body[-4:]) == (start, end)


def test_users_that_cannot_be_read_are_a_500(site: Callable[..., Site], caplog: pytest.LogCaptureFixture) -> None:
    served = site()
    (served.bench.state / "users").unlink()
    status, _headers, body = served.get(authorization=basic(USER, PASSWORD))
    assert status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"users" not in body and "users_file cannot be read" in caplog.text
    assert "Traceback" not in caplog.text and "not foreseen" not in caplog.text


def test_what_keeps_the_page_from_serving_is_said_at_the_start(site: Callable[..., Site]) -> None:
    bench = site().bench
    for settings, says in (
        ({"users_file": "nowhere"}, "nowhere of the setting users_file cannot be read"),
        (
            {"admin_epa": "require", "tls_certificate": "nowhere", "tls_key": "nowhere"},
            "TLS certificate .*nowhere cannot be read",
        ),
    ):
        given = {"admin_page": True, "users_file": "users"} | settings
        with pytest.raises(ServerError, match=says):
            serve.check(bench.state, parse(given), address=False)
