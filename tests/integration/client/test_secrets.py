# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not be seen: passwords, passphrases and private keys, whatever is printed and left behind."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from support import pki as pki_module
from support.awkward import Awkward

from .conftest import AS_MODULE, Playbooks, Played

Task = Callable[..., "dict[str, Any]"]
Play = Callable[["list[dict[str, Any]]"], Played]
GIVEN = {
    "otp": "C0rrect-horse-battery",
    "key_passphrase": "Tr0ub4dor-and-more",
    "pkcs12_passphrase": "Stap1e-of-the-container",
    "proxy_password": "B3hind-seven-proxies",
}
AUTHORITY = {"url": "http://scep.invalid/scep", "proxy": "http://me:{{ proxy_password }}@{{ proxy_host }}"}
PIPE = {"challenge_password": "{{ otp }}"}
FILES = {
    "challenge_password": "{{ otp }}",
    "privatekey_passphrase": "{{ key_passphrase }}",
    "pkcs12_passphrase": "{{ pkcs12_passphrase }}",
    "path": "files/c.pem",
    "privatekey_path": "files/k.pem",
    "pkcs12_path": "files/c.p12",
    "backup": True,
}
PIPED = {
    "certificate_content": "{{ pipe.fullchain }}",
    "privatekey_content": "{{ pipe.privatekey }}",
    "record": "{{ pipe.record }}",
}
WAITING = {"enrolment": "{{ pipe.record.enrolment }}", "transaction": "{{ pipe_waits.record.transaction }}"}
SECRET_RESULTS = {"no_log": True}
"""Of a task that returns a private key, or what stands for one."""


def tasks(task: Task) -> Iterator[dict[str, Any]]:
    """Every module: right, refused, waiting, and with an option that is wrong."""
    yield task("scep_ca_info", register="info")
    yield task("scep_certificate", register="first", **FILES, subject="CN=sw1")
    yield task("scep_certificate", register="second", **FILES, subject="CN=sw1")
    yield task("scep_certificate", register="third", **FILES, subject="CN=sw1", privatekey_size=3072)
    yield task("scep_certificate", register="refused", **FILES, subject="CN=refused")
    waiting = {name: f"{FILES[name]}.w" for name in ("path", "privatekey_path", "pkcs12_path")}
    yield task("scep_certificate", register="waits", **{**FILES, **waiting}, subject="CN=waits")
    yield {**task("scep_certificate_pipe", register="pipe", **PIPE, subject="CN=sw1"), **SECRET_RESULTS}
    yield task("scep_certificate_pipe", register="pipe_same", **PIPE, **PIPED, subject="CN=sw1")
    yield {**task("scep_certificate_pipe", register="pipe_waits", **PIPE, subject="CN=waits"), **SECRET_RESULTS}
    yield task("scep_crl", register="crl", certificate_path="files/c.pem", path="files/ca.crl")
    yield task("scep_trust_store", register="store", path="files/ca.pem")
    wrong = {"timeout": "soon"}
    yield task("scep_ca_info", register="wrong_info", **wrong)
    yield task("scep_certificate", register="wrong_certificate", **FILES, **wrong, subject="CN=sw1")
    secret = {**PIPE, **PIPED, "privatekey_passphrase": "{{ key_passphrase }}", "record": WAITING}
    yield task("scep_certificate_pipe", register="wrong_pipe", **secret, **wrong, subject="CN=sw1")
    yield task("scep_crl", register="wrong_crl", serial_number=5, path="files/ca.crl", **wrong)
    yield task("scep_trust_store", register="wrong_store", path="files/ca.pem", **wrong)


OUTCOMES = {
    **dict.fromkeys(("info", "second", "pipe_same"), "ok"),
    **dict.fromkeys(("first", "third", "waits", "pipe", "pipe_waits", "crl", "store"), "changed"),
    **dict.fromkeys(
        ("refused", *(f"wrong_{name}" for name in ("info", "certificate", "pipe", "crl", "store"))), "failed"
    ),
}


@pytest.fixture
def answering(server: Awkward) -> Awkward:
    """A server that does what the common name says, and has a CRL. What it is told in confidence, it repeats."""
    now = dt.datetime.now(dt.UTC)
    crl = pki_module.crl(server.pki.ca, now - dt.timedelta(hours=1), now + dt.timedelta(days=6))

    def reply(request: IncomingRequest) -> bytes:
        if request.kind is MessageType.GET_CRL:
            return success(request.header, server.pki.ra_sign, [], crl=crl)
        assert request.csr is not None
        asked = request.csr.subject.rfc4514_string()
        if asked == "CN=refused":
            text = f"{request.csr.challenge_password} is wrong"
            return failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST, text=text)
        if asked == "CN=waits":
            return pending(request.header, server.pki.ra_sign)
        return server.issue(request)

    server.reply = reply
    return server


@pytest.fixture
def play(playbooks: Playbooks, answering: Awkward) -> Play:
    """Play tasks as loudly as can be, with everything kept that Ansible can keep, and a umask that forbids nothing."""

    def played(tasks: list[dict[str, Any]]) -> Played:
        variables = {**GIVEN, "proxy_host": answering.url.split("/")[2]}
        (playbooks.folder / "given.json").write_text(json.dumps(variables))
        (playbooks.folder / "tmp").mkdir()
        done = playbooks.play(
            tasks,
            "-vvv",
            "--diff",
            f"--extra-vars=@{playbooks.folder / 'given.json'}",
            environment={
                "ANSIBLE_LOG_PATH": str(playbooks.folder / "ansible.log"),
                "ANSIBLE_KEEP_REMOTE_FILES": "true",
                "ANSIBLE_ASYNC_DIR": str(playbooks.folder / "jobs"),
                "ANSIBLE_REMOTE_TMP": str(playbooks.folder / "remote"),
                "TMPDIR": str(playbooks.folder / "tmp"),
            },
            umask=0,
        )
        for name in ("given.json", "results.json"):  # what this test itself has put there
            (playbooks.folder / name).unlink()
        return done

    return played


def pem(key: Any, form: str) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, getattr(PrivateFormat, form), NoEncryption())
    return text.decode()


def secrets(playbooks: Playbooks, results: dict[str, Any]) -> Iterator[str]:
    """What was given, and what came of it: lines of private keys in every form, and what stands for a request."""
    yield from GIVEN.values()
    keys = [path.read_text() for path in playbooks.files.glob("k.pem*") if not path.name.endswith(".json")]
    for path in playbooks.files.glob("*.scep-pending.json"):
        keys.append(json.loads(path.read_text())["key"])
    passphrase = GIVEN["key_passphrase"].encode()
    for text in [*keys, results["pipe"]["privatekey"]]:
        key = load_pem_private_key(text.encode(), passphrase if "ENCRYPTED" in text else None)
        for form in (text, pem(key, "PKCS8"), pem(key, "TraditionalOpenSSL")):
            yield from form.splitlines()[2:-2]
    yield results["pipe_waits"]["record"]["transaction"]


def shapes(secret: str) -> set[bytes]:
    """The secret as it is, and in the encodings in which it might lie about, such as that of a PKCS#10 request."""
    octets = secret.encode()
    inside = {base64.b64encode(bytes(shift) + octets)[4 * (shift > 0) : -4].rstrip(b"=") for shift in range(3)}
    return {octets, octets.hex().encode(), quote(secret, safe="").encode(), *inside}


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def private(path: Path, folder: Path) -> bool:
    """Whether nobody else can read the file, because of its mode or of that of a folder on the way to it."""
    way = [path, *(parent for parent in path.parents if folder in parent.parents)]
    return any(not step.stat().st_mode & 0o077 for step in way)


@pytest.mark.parametrize("module", [False, True], ids=["in process", "as a module"])
def test_nothing_is_told(playbooks: Playbooks, answering: Awkward, task: Task, play: Play, module: bool) -> None:
    """Not by -vvv, results, the log, backups, records, nor by what lies in temporary folders afterwards.

    Ansible keeps the arguments of a module beside it, in a folder of the user's own, if it is told to keep anything.
    Where an option is wrong, the module says so either way.
    """
    pinned = {**AUTHORITY, "ca_fingerprint": fingerprint(answering.pki.ca.certificate)}
    played = play(list(tasks(lambda action, **more: task(action, module=module, **{**pinned, **more}))))
    results = played.results
    outcomes = {
        name: "failed" if one.get("failed") else "changed" if one["changed"] else "ok" for name, one in results.items()
    }
    assert outcomes == OUTCOMES, {name: one.get("msg") for name, one in results.items()}
    assert "******** is wrong" in results["refused"]["msg"]
    csrs = [request.csr for request in answering.requests if request.csr is not None]
    assert {csr.challenge_password for csr in csrs} == {GIVEN["otp"]}
    assert "did not set no_log" not in played.output

    ansible = playbooks.folder / "remote"
    payloads = {path.name for path in ansible.rglob("AnsiballZ_scep_*.py")}
    modules = ("ca_info", "certificate", "certificate_pipe", "crl", "trust_store")
    assert len(AS_MODULE.findall(played.output)) == (len(OUTCOMES) if module else len(modules))
    assert payloads == {f"AnsiballZ_scep_{name}.py" for name in modules}
    (pending_request,) = playbooks.files.glob("*.scep-pending.json")
    (old_key,) = playbooks.files.glob("k.pem.2*~")
    own = {playbooks.files / "k.pem", old_key, pending_request}
    told = [shape for secret in set(secrets(playbooks, results)) for shape in shapes(secret)]
    assert len(told) > 500
    assert not [shape for shape in told if shape in played.output.encode()]
    holding = {path for path in files(playbooks.folder) for data in [path.read_bytes()] if any(s in data for s in told)}
    assert own <= holding
    assert not [path for path in holding - own if ansible not in path.parents]
    assert not [path for path in holding if not private(path, playbooks.folder)]
    assert {oct(path.stat().st_mode & 0o777) for path in own} == {"0o600"}
    assert not [path for path in playbooks.files.iterdir() if path.name.startswith(".")]


def test_a_job_in_the_background_leaves_no_secret(
    playbooks: Playbooks, answering: Awkward, task: Task, play: Play
) -> None:
    """Its file, which others can read, has what the module returned. So a module that returns a private key is none."""
    pinned = {**AUTHORITY, "ca_fingerprint": fingerprint(answering.pki.ca.certificate)}
    background = {"async": 600, "poll": 0}
    wait = {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "done"}
    played = play(
        [
            {**task("scep_certificate", register="job", **FILES, **pinned, subject="CN=sw1"), **background},
            {**wait, "until": "done is finished", "retries": 600, "delay": 1},
            {**task("scep_certificate_pipe", register="pipe", **PIPE, **pinned, subject="CN=sw1"), **background},
        ]
    )
    assert played.results["done"]["changed"]
    assert played.results["pipe"]["failed"] and "does not support async" in played.results["pipe"]["msg"]
    assert len(answering.requests) == 1
    (job,) = files(playbooks.folder / "jobs")
    told = [*GIVEN.values(), *(playbooks.files / "k.pem").read_text().splitlines()[2:-2]]
    found = job.read_bytes() + played.output.encode()
    assert str(playbooks.files / "c.pem").encode() in job.read_bytes()
    assert not [secret for secret in told for shape in shapes(secret) if shape in found]
