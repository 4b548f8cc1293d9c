# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Challenge passwords in playbooks: they can be used, and are not shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint

from support.admin import FULL, LOGIN, ONCE, PASSWORD, Admin, page, running
from support.awkward import Awkward

from .conftest import AS_MODULE, Playbooks

Task = Callable[..., "dict[str, Any]"]
OTPS = [f"{number:016X}" for number in range(0xA0B1C2D3E4F50601, 0xA0B1C2D3E4F50608)]
USED = {
    "ansible.builtin.command": {
        "argv": ["python3", "-c", "import sys; print(len(sys.stdin.read()))"],
        "stdin": "{{ otp.challenge_password }}",
        "stdin_add_newline": False,
    },
    "register": "length",
    "no_log": True,
}


@pytest.fixture
def admin(server: Awkward, tmp_path: Path) -> Iterator[Admin]:
    """The administration page of the same CA."""
    thumbprint = fingerprint(server.pki.ca.certificate, "md5").replace(":", "").upper()
    folder = tmp_path / "admin"
    folder.mkdir()
    with running(Admin([page(otp, ONCE, thumbprint) for otp in OTPS]), folder) as started:
        yield started


def login(admin: Admin) -> dict[str, Any]:
    return {"url": admin.url, "auth": "ntlm", "username": LOGIN, "password": PASSWORD, "allow_http": True}


@pytest.mark.parametrize("module", [False, True], ids=["in process", "as a module"])
def test_the_next_task_has_it_and_nobody_sees_it(playbooks: Playbooks, admin: Admin, task: Task, module: bool) -> None:
    asked = task("ndes_otp", module=module, register="otp", **{**login(admin), "count": 2})
    if module:
        asked["no_log"] = True  # as the documentation has it: a module cannot hide what it returns
    played = playbooks.play(
        [asked, USED], "-vvv", "--diff", environment={"ANSIBLE_LOG_PATH": str(playbooks.folder / "ansible.log")}
    )
    assert played.code == 0, played.output
    assert bool(AS_MODULE.search(played.output)) is module
    assert [one["challenge_password"] for one in played.results["otp"]["passwords"]] == OTPS[:2]
    assert played.results["length"]["stdout"] == "16"
    log = (playbooks.folder / "ansible.log").read_text()
    assert "censored" in log
    for secret in (*OTPS[:2], PASSWORD):
        assert secret not in played.output
        assert secret not in log


def test_the_action_hides_it_without_being_told(playbooks: Playbooks, admin: Admin, task: Task) -> None:
    """Also when the work is done by a module: the action has its result in the hand."""
    for module in (False, True):
        played = playbooks.play([task("ndes_otp", module=module, register="otp", **login(admin))], "-vvv")
        assert bool(AS_MODULE.search(played.output)) is module
        assert played.results["otp"]["challenge_password"] in OTPS
        assert not [otp for otp in OTPS if otp in played.output.split("PLAY RECAP")[0]]


def test_what_went_wrong_can_be_read(playbooks: Playbooks, admin: Admin, task: Task) -> None:
    admin.pages = [FULL]
    played = playbooks.play([task("ndes_otp", register="otp", **login(admin))], "-vvv")
    assert "its cache is full" in played.output
    assert PASSWORD not in played.output


@pytest.mark.parametrize("module", [False, True], ids=["in process", "as a module"])
def test_an_enrolment_shows_neither_login_nor_password(
    playbooks: Playbooks, admin: Admin, server: Awkward, task: Task, module: bool
) -> None:
    wanted = {
        "ca_fingerprint": fingerprint(server.pki.ca.certificate),
        "subject": "CN=sw1",
        "path": "files/c.pem",
        "privatekey_path": "files/k.pem",
        "otp": login(admin),
    }
    tasks = [task(module=module, register=name, **wanted) for name in ("first", "second")]
    played = playbooks.play(tasks, "-vvv", "--diff")
    assert [played.results[name]["changed"] for name in ("first", "second")] == [True, False], played.output
    assert len(admin.asked) == 1
    for secret in (OTPS[0], PASSWORD):
        assert secret not in played.output
        assert secret not in json.dumps(played.results)


def test_each_gives_its_place_back(playbooks: Playbooks, admin: Admin, server: Awkward, task: Task) -> None:
    """Six enrolments of one run, and two places: who has enrolled holds none."""
    wanted = {
        "ca_fingerprint": fingerprint(server.pki.ca.certificate),
        "subject": "CN={{ item }}",
        "path": "files/{{ item }}.pem",
        "privatekey_path": "files/{{ item }}.key",
        "otp": {**login(admin), "max_outstanding": 2},
    }
    looped = {**task(register="all", **wanted), "loop": [f"sw{number}" for number in range(6)]}
    played = playbooks.play([looped])
    assert played.code == 0, played.output
    assert [one["changed"] for one in played.results["all"]["results"]] == [True] * 6
    assert len(admin.asked) == 6
    assert {request.csr.challenge_password for request in server.requests if request.csr} == set(OTPS[:6])
