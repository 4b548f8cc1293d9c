# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call, two entrances: a task in process and the same task as a module come to the same."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, success
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import pki as pki_module
from support.awkward import Awkward

from .conftest import AS_MODULE, Playbooks

Task = Callable[..., "dict[str, Any]"]
INVOCATION = re.compile(r'^    "invocation": \{\n.*?\n    \}', re.MULTILINE | re.DOTALL)
"""As -vvv prints it; ansible-core 2.19 does not register it."""
CHALLENGE = "C0rrect-horse-battery"


def options(server: Awkward, **more: Any) -> dict[str, Any]:
    """Those of an enrolment into the folder of the play, by relative paths."""
    return {
        "ca_fingerprint": fingerprint(server.pki.ca.certificate, "sha1"),
        "challenge_password": CHALLENGE,
        "subject": [{"O": "Example"}, {"CN": "{{ inventory_hostname }}"}],
        "subject_alt_name": ["DNS:{{ inventory_hostname }}"],
        "path": "files/c.pem",
        "privatekey_path": "files/k.pem",
        "fullchain_path": "files/f.pem",
        **more,
    }


def comparable(result: dict[str, Any]) -> str:
    """The result as text, without what is another one in every enrolment."""
    text = json.dumps(
        {name: value for name, value in result.items() if name != "certificate"}, indent=1, sort_keys=True
    )
    for name in ("serial_number", "fingerprint", "transaction_id"):
        text = text.replace(str(result.get(name, "\0")), name)
    return text


@pytest.fixture
def key_file(playbooks: Playbooks) -> None:
    """The same key for both, so that even its fingerprint is the same."""
    key = pki_module.rsa_key("given")
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (playbooks.files / "k.pem").write_bytes(data)
    (playbooks.files / "k.pem").chmod(0o600)


def both_ways(playbooks: Playbooks, task: Task, *flags: str, **more: Any) -> list[dict[str, Any]]:
    """The results in process and as a module, each on the files as they are now."""
    results, invocations = [], []
    copy = playbooks.folder / "copy"
    shutil.copytree(playbooks.files, copy)
    for module in (False, True):
        shutil.rmtree(playbooks.files)
        shutil.copytree(copy, playbooks.files)
        played = playbooks.play([task(module=module, register="result", **more)], "-vvv", *flags)
        assert bool(AS_MODULE.search(played.output)) is module
        assert "Traceback" not in played.output
        assert CHALLENGE not in played.output
        results.append(played.results["result"])
        invocations.append(INVOCATION.findall(played.output))
    shutil.rmtree(copy)
    assert len(invocations[0]) == 1
    assert invocations[0] == invocations[1]
    for secret in {"challenge_password", "privatekey_content"} & set(more):
        assert f'"{secret}": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in invocations[0][0]
    return results


def test_certificate(playbooks: Playbooks, server: Awkward, task: Task, key_file: None) -> None:
    given = options(server, key_usage=["digitalSignature"], extended_key_usage=["clientAuth"], mode="0640")
    checked = both_ways(playbooks, task, "--check", "--diff", **given)
    assert comparable(checked[0]) == comparable(checked[1])
    assert checked[0]["changed"]
    assert not server.received
    enrolled = both_ways(playbooks, task, "--diff", **given)
    assert comparable(enrolled[0]) == comparable(enrolled[1])
    assert enrolled[0]["changed"]
    assert enrolled[0]["paths"]["certificate"] == str(playbooks.files / "c.pem")
    assert [warning for warning in enrolled[0]["warnings"] if "ca_fingerprint: SHA-1" in str(warning)]
    assert server.operations.count("PKIOperation") == 2
    unchanged = both_ways(playbooks, task, **given)
    assert unchanged[0] == unchanged[1]
    assert not unchanged[0]["changed"]
    assert server.operations.count("PKIOperation") == 2


def test_ca_info(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    first, second = both_ways(playbooks, task, action="scep_ca_info")
    assert first == second
    assert first["trusted"] is False


def test_pipe(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    """On values: what comes out differs in what is another one in every enrolment; given back, it stays as it is."""
    key = pki_module.rsa_key("given").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    given = {name: value for name, value in options(server).items() if "path" not in name}
    given.update(action="scep_certificate_pipe", privatekey_content=key)
    checked = both_ways(playbooks, task, "--check", "--diff", **given)
    assert checked[0] == checked[1] and checked[0]["changed"]
    assert not server.received
    enrolled = both_ways(playbooks, task, "--diff", **given)
    first, second = ({**one, "fullchain": "", "record": sorted(one["record"])} for one in enrolled)
    assert comparable(first) == comparable(second)
    assert first["changed"] and first["record"] == ["enrolment"] and "privatekey" not in first
    given.update(certificate_content=enrolled[0]["fullchain"], record=enrolled[0]["record"])
    unchanged = both_ways(playbooks, task, **given)
    assert unchanged[0] == unchanged[1] and not unchanged[0]["changed"]
    assert server.operations.count("PKIOperation") == 2
    assert not list(playbooks.files.iterdir())


def test_crl(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    now, ca = dt.datetime.now(dt.UTC), server.pki.ca
    number = server.pki.enrolled.certificate.serial_number
    revoked = [(number, now - dt.timedelta(days=1), x509.ReasonFlags.key_compromise)]
    crl = pki_module.crl(ca, now - dt.timedelta(hours=1), now + dt.timedelta(days=6), revoked=revoked)
    server.reply = lambda request: success(request.header, server.pki.ra_sign, [], crl=crl)
    (playbooks.files / "c.pem").write_bytes(server.pki.enrolled.certificate.public_bytes(Encoding.PEM))
    given = {"action": "scep_crl", "ca_fingerprint": fingerprint(ca.certificate), "certificate_path": "files/c.pem"}
    given.update(path="files/ca.crl", mode="0640")
    for flags, changed in ((["--check", "--diff"], True), (["--diff"], True), ([], False)):
        first, second = both_ways(playbooks, task, *flags, **given)
        assert first == second
        assert (first["changed"], first["revoked"], first["number"]) == (changed, True, 1)
        assert first["filename"] == str(playbooks.files / "ca.crl")
    assert (playbooks.files / "ca.crl").read_bytes() == crl


def test_trust_store(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    given = {"action": "scep_trust_store", "ca_fingerprint": fingerprint(server.pki.ca.certificate)}
    given.update(path="files/bundle.pem", backup=True)
    for flags, changed in ((["--check", "--diff"], True), (["--diff"], True), ([], False)):
        first, second = both_ways(playbooks, task, *flags, **given)
        assert first == second
        assert (first["changed"], [one["role"] for one in first["certificates"]]) == (changed, ["current"])
        assert first["filename"] == str(playbooks.files / "bundle.pem")
    pem = server.pki.ca.certificate.public_bytes(Encoding.PEM)
    assert (playbooks.files / "bundle.pem").read_bytes() == pem
    first, second = both_ways(playbooks, task, **{**given, "state": "absent", "backup": False})
    assert first == second and first["changed"]
    assert not list(playbooks.files.iterdir())


def test_refusal(playbooks: Playbooks, server: Awkward, task: Task, key_file: None) -> None:
    server.reply = lambda request: failure(
        request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST, text=f"{CHALLENGE} is wrong"
    )
    first, second = both_ways(playbooks, task, **options(server))
    assert first.pop("exception", None) == second.pop("exception", None)
    assert first == second
    assert first["failed"]
    assert "it says '******** is wrong'" in first["msg"]
    assert [path.name for path in playbooks.files.iterdir()] == ["k.pem"]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "scep_certificate",
        {"timeout": "soon"},
        "argument 'timeout' is of type str and we were unable to convert to float",
    ),
    (
        "scep_certificate",
        {"subjekt": "CN=x"},
        "Unsupported parameters for (netcert.ndes.scep_certificate) module: subjekt.",
    ),
    (
        "scep_certificate",
        {"ca_certificate_content": "x"},
        "parameters are mutually exclusive: ca_fingerprint|ca_certificate_path|",
    ),
    (
        "scep_certificate",
        {"privatekey_size": 1024},
        "privatekey_size: 1024 bits are not supported; choose 2048 to 4096.",
    ),
    (
        "scep_certificate_pipe",
        {"csr_content": "x"},
        "parameters are mutually exclusive: subject|csr_content",
    ),
    (
        "scep_certificate_pipe",
        {"certificate_content": "x"},
        "certificate_content: it is not a certificate in PEM;",
    ),
    (
        "scep_crl",
        {"path": "files/ca.crl", "serial_number": 5, "remaining_hours": -1},
        "remaining_hours: -1 hours cannot remain; give a number from 0.",
    ),
    (
        "scep_crl",
        {"path": "files/ca.crl"},
        "one of the following is required: certificate_path, certificate_content, serial_number",
    ),
    (
        "scep_trust_store",
        {"path": "files/bundle.pem", "mode": "rw"},
        "mode: 'rw' is not an octal mode such as '0640'; put it in quotes.",
    ),
    (
        "scep_ca_info",
        {"url": "scep"},
        "url: 'scep' is not an address that begins with http:// or https://.",
    ),
]


def test_wrong_options(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    pinned = {"ca_fingerprint": fingerprint(server.pki.ca.certificate)}
    enrolment = options(server)
    right = {
        "scep_certificate": enrolment,
        "scep_certificate_pipe": {name: value for name, value in enrolment.items() if "path" not in name},
    }
    tasks = [
        task(action, module=module, register=f"result_{at}_{int(module)}", **{**right.get(action, pinned), **wrong})
        for at, (action, wrong, _unused) in enumerate(WRONG)
        for module in (False, True)
    ]
    played = playbooks.play(tasks)
    assert CHALLENGE not in played.output
    for at, (_unused, _wrong, message) in enumerate(WRONG):
        first, second = (played.results[f"result_{at}_{module}"] for module in (0, 1))
        assert first.pop("exception", None) == second.pop("exception", None)
        assert first == second
        assert first["failed"]
        assert message in first["msg"]
    assert not server.received


def test_vaulted_challenge(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    """A value that Ansible decrypts late arrives as it is meant."""
    (playbooks.folder / "vault").write_text("vault password\n")
    command = [str(Path(sys.executable).parent / "ansible-vault"), "encrypt_string", CHALLENGE, "--name", "otp"]
    made = subprocess.run(
        [*command, f"--vault-password-file={playbooks.folder / 'vault'}"],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(playbooks.folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    (playbooks.folder / "secrets.yml").write_text(made.stdout)
    played = playbooks.play(
        [task(register="result", **options(server, challenge_password="{{ otp }}"))],
        f"--extra-vars=@{playbooks.folder / 'secrets.yml'}",
        f"--vault-password-file={playbooks.folder / 'vault'}",
        "-vvv",
    )
    assert played.code == 0, played.output
    csr = server.requests[0].csr
    assert csr is not None
    assert csr.challenge_password == CHALLENGE
    assert CHALLENGE not in played.output


CONNECTION = '''
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: {name}
short_description: Stands for the connection to a device
description: It must never be opened by a module that runs on the controller.
options:
  persistent_command_timeout:
    description: As all such connections have it.
    type: int
    default: 30
    vars:
      - name: ansible_command_timeout
"""


class Connection(Local):
    transport = "{name}"
    force_persistence = True
    has_pipelining = True

    def exec_command(self, *args, **kwargs):
        raise AssertionError("a command was sent to the device")
'''


def test_network_device(playbooks: Playbooks, server: Awkward, task: Task) -> None:
    """The task stays on the controller, in process, and become, which means enable there, makes no difference."""
    (playbooks.folder / "connections").mkdir()
    (playbooks.folder / "connections" / "network_cli.py").write_text(CONNECTION.format(name="network_cli"))
    host = {"ansible_connection": "network_cli", "ansible_network_os": "none.none.none", "ansible_become": True}
    host["ansible_become_method"] = "ansible.builtin.sudo"
    played = playbooks.play([task(register="result", **options(server))], "-vvv", inventory=host)
    assert played.code == 0, played.output
    assert played.results["result"]["changed"]
    assert not AS_MODULE.search(played.output)
    assert (playbooks.files / "c.pem").exists()
