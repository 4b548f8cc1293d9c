# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-ins to the pages of our server and of others, with the users of a domain that is not ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import OTP
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.hand_out import hand_out

from support.samba import Domain, domain
from support.task import Run
from toolchain import debian, legs
from toolchain.places import CI

SERVICE = "HTTP/localhost"
PASSWORD, FOREIGN = "Pass word-1", "Pässwörd ß1"
USERS = {
    "alice": (PASSWORD,),
    "jürgen": (FOREIGN,),
    "disabled": (PASSWORD,),
    "expired": (PASSWORD,),
    "newcomer": (PASSWORD, "--must-change-at-next-login"),
}
"""Users of the domain: password, and options of samba-tool."""


@pytest.fixture(scope="session")
def corp() -> Iterator[Domain]:
    """The domain, with its users and the keys of SERVICE."""
    absent = debian.missing(legs.SAMBA)
    if absent or os.geteuid():
        what = f"install {' '.join(absent)}" if absent else "only root can make a domain of Samba's"
        (pytest.fail if CI else pytest.skip)(what)
    with domain() as started:
        for name, given in USERS.items():
            started.user(name, *given)
        started.tool("user", "disable", "disabled")
        started.tool("user", "setexpiry", "expired", "--days=-1")
        started.service(SERVICE)
        yield started


@pytest.fixture
def kerberos(corp: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """The domain, for clients of this process and those that it starts, which have no ticket yet."""
    for name, value in {**corp.kerberos, "KRB5CCNAME": f"FILE:{tmp_path / 'tickets'}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KRB5RCACHEDIR", str(tmp_path))
    return corp


Ask = Callable[..., "dict[str, Any]"]


@pytest.fixture
def ask(tmp_path: Path, tls: tuple[Path, Path]) -> Ask:
    """ndes_otp with these options: its result."""

    def ask(url: str, **options: Any) -> dict[str, Any]:
        given = {"url": url, "ca_path": str(tls[0]), "proxy": "", "allow_http": True, "timeout": 60.0, **options}
        return perform(hand_out, Run(tmp_path, OTP, **given).context())

    return ask
