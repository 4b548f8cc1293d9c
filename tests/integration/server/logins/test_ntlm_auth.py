# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our client at Samba's ntlm_auth, which asks a domain controller of Samba's about its users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.acceptors import NtlmAuth
from support.admin import ONCE, Admin, page, running
from support.samba import Domain

from .conftest import FOREIGN, PASSWORD, Ask

OTP = "0011223344556677"
ALICE, JUERGEN = "CORP\\alice", "CORP\\jürgen"
# What is given -> whom Samba takes it for.
NAMES = {
    "CORP\\alice": ALICE,
    "alice@corp.example.test": ALICE,
    "alice@CORP": ALICE,
    "alice": ALICE,
    "corp.example.test\\ALICE": ALICE,
    "CORP\\jürgen": JUERGEN,
    "corp\\JÜRGEN": JUERGEN,
    "jürgen@corp.example.test": JUERGEN,
}
# Who it is -> why Samba refuses him.
REFUSED = {
    ("CORP\\alice", "wrong"): "NT_STATUS_LOGON_FAILURE",
    ("alice@corp.example.test", "wrong"): "NT_STATUS_NOT_FOUND",
    ("CORP\\jürgen", FOREIGN.upper()): "NT_STATUS_LOGON_FAILURE",
    ("CORP\\nobody", PASSWORD): "NT_STATUS_LOGON_FAILURE",
    ("OTHER\\alice", PASSWORD): "NT_STATUS_LOGON_FAILURE",
    ("CORP\\disabled", PASSWORD): "NT_STATUS_ACCOUNT_DISABLED",
    ("CORP\\expired", PASSWORD): "NT_STATUS_ACCOUNT_EXPIRED",
    ("CORP\\newcomer", PASSWORD): "NT_STATUS_PASSWORD_MUST_CHANGE",
}


@pytest.fixture(params=["ntlm", "negotiate"])
def auth(request: pytest.FixtureRequest) -> str:
    """The way to log in."""
    return str(request.param)


@pytest.fixture(params=["http", "https"])
def admin(
    request: pytest.FixtureRequest, corp: Domain, auth: str, tmp_path: Path, tls: tuple[Path, Path]
) -> Iterator[Admin]:
    """A page behind ntlm_auth. Over TLS the client binds its log-in, and Samba does not look at that."""
    made = Admin([page(OTP, ONCE)], login=auth, acceptor=lambda login, _binding: NtlmAuth(corp, login))
    with running(made, tmp_path, tls if request.param == "https" else None) as started:
        yield started


def test_users_under_their_names(admin: Admin, auth: str, ask: Ask) -> None:
    for name, user in NAMES.items():
        password = FOREIGN if user == JUERGEN else PASSWORD
        result = ask(admin.url, auth=auth, username=name, password=password)
        assert result.get("challenge_password") == OTP, (name, result, admin.refused)
    assert admin.asked == [*NAMES.values()]
    assert admin.refused == []


def test_users_who_are_refused(admin: Admin, auth: str, ask: Ask) -> None:
    for (name, password), reason in REFUSED.items():
        result = ask(admin.url, auth=auth, username=name, password=password)
        assert "HTTP 401 (Unauthorized); the log-in was refused; check auth, username and password" in result["msg"]
        assert admin.refused.pop() == reason, name
        assert password not in result["msg"]
    assert admin.asked == []
