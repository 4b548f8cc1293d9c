# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of scep_certificate_pipe on their way from task to task: whole where they are used, and nowhere to be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import pending, success

from support.awkward import Awkward

from .conftest import Playbooks

Task = Callable[..., "dict[str, Any]"]
CHALLENGE = "C0rrect-horse-battery"


def chained(task: Task, server: Awkward, module: bool) -> list[dict[str, Any]]:
    """Five tasks, each of which gets what came out of those before; none is to be seen."""
    common = {
        "module": module,
        "ca_fingerprint": fingerprint(server.pki.ca.certificate),
        "challenge_password": CHALLENGE,
        "subject": "CN=sw1,O=Example",
    }
    key = "{{ third.privatekey }}"
    tasks = [
        task("scep_certificate_pipe", register="first", **common),
        task("scep_certificate_pipe", register="second", record="{{ first.record }}", **common),
        task("scep_certificate_pipe", register="third", record="{{ second.record }}", **common),
        task(
            "scep_certificate_pipe",
            register="fourth",
            record="{{ third.record }}",
            certificate_content="{{ third.certificate }}",
            privatekey_content=key,
            **common,
        ),
        task(
            "scep_certificate_pipe",
            register="fifth",
            record="{{ fourth.record }}",
            certificate_content="{{ fourth.certificate }}",
            privatekey_content=key,
            **{**common, "subject": "CN=sw2,O=Example"},
        ),
    ]
    return [{**one, "no_log": True} for one in tasks]


@pytest.mark.parametrize("module", [False, True], ids=["in process", "module"])
def test_values_travel_and_are_not_shown(playbooks: Playbooks, server: Awkward, task: Task, module: bool) -> None:
    def reply(request: Any) -> bytes:
        at = len(server.requests)
        if at < 3:
            return pending(request.header, server.pki.ra_sign)
        return success(request.header, server.pki.ra_sign, [server.certify(server.requests[0] if at == 3 else request)])

    server.reply = reply
    played = playbooks.play(chained(task, server, module), "-vvv", "--diff")
    assert played.code == 0, played.output
    results = [played.results[name] for name in ("first", "second", "third", "fourth", "fifth")]
    assert [(one["status"], one["changed"]) for one in results] == [
        ("pending", True),
        ("pending", False),
        ("issued", True),
        ("issued", False),
        ("issued", True),
    ], [one["msg"] for one in results]
    third, fourth, fifth = results[2:]
    assert third["privatekey"].startswith("-----BEGIN PRIVATE KEY-----")
    assert fourth["record"] == third["record"]
    assert fifth["msg"] == "Enrolled: another subject is asked for."
    for one in results:
        returned = {name: value for name, value in one.items() if name != "invocation"}
        assert "********" not in str(returned) and "NO_LOG" not in str(returned)
    secrets = [CHALLENGE, *third["privatekey"].splitlines()[1:-1]]
    secrets += [one["record"]["transaction"] for one in results[:2]]
    assert not [secret for secret in secrets if secret in played.output]
    assert "the output has been hidden due to the fact that" in played.output


@pytest.mark.parametrize("module", [False, True], ids=["in process", "module"])
def test_secret_options_are_masked_even_where_nobody_said_so(
    playbooks: Playbooks, server: Awkward, task: Task, module: bool
) -> None:
    first, _second, _third, fourth, _fifth = chained(task, server, module)
    tasks = [{**first, "register": "third"}, {**fourth, "no_log": False}]
    played = playbooks.play(tasks, "-vvv")
    assert played.code == 0, played.output
    assert not played.results["fourth"]["changed"]
    key = played.results["third"]["privatekey"].splitlines()[1:-1]
    assert not [line for line in [CHALLENGE, *key] if line in played.output]
