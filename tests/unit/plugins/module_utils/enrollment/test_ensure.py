# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole work of scep_certificate, against a server that is proper, and against one that is not."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import client as client_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import keys as keys_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import transport as transport_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from support import pki as pki_module
from support.awkward import Answer, Awkward
from support.task import Run

from .conftest import key_and_certificate_match, pem_key, sentence, snapshot


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_PAUSE", 0.01)


def run(task: Run, **options: Any) -> dict[str, Any]:
    """A call that succeeds."""
    result = perform(ensure_certificate, task.context(**options))
    assert not result.pop("failed"), result["msg"]
    return result


def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever opens a connection fails."""

    def refuse(*_unused: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever loads a private key fails."""

    def refuse(*_unused: Any, **__: Any) -> None:
        raise AssertionError("a private key was loaded")

    monkeypatch.setattr(keys_module, "load_private_key", refuse)


def test_first_and_second_run(certificate_task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    task, folder = certificate_task, certificate_task.folder
    first = run(task, chain_path="chain.pem", fullchain_path="full.pem", key_usage=["digitalSignature"])
    assert server.operations == ["GetCACert", "GetCACaps", "PKIOperation"]
    csr = server.requests[0].csr
    assert csr is not None
    assert csr.challenge_password == "Pa55-word"
    assert csr.subject.rfc4514_string() == "CN=sw1.example.com,O=Example"
    assert [extension.oid.dotted_string for extension in csr.extensions] == ["2.5.29.17", "2.5.29.15"]
    assert key_and_certificate_match(folder)
    leaf, ca = ((folder / "sw1.pem").read_bytes(), (folder / "chain.pem").read_bytes())
    assert ca == server.pki.ca.certificate.public_bytes(Encoding.PEM)
    assert (folder / "full.pem").read_bytes() == leaf + ca
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}
    assert modes == {
        "sw1.key": "0o600",
        "sw1.pem": "0o644",
        "chain.pem": "0o644",
        "full.pem": "0o644",
        "sw1.pem.scep.json": "0o600",
    }
    record = (folder / "sw1.pem.scep.json").read_text()
    assert "Pa55-word" not in record
    assert json.loads(record)["transaction_id"] == server.requests[0].header.transaction_id
    certificate = x509.load_pem_x509_certificate(leaf)
    assert first.pop("diff")["before"] == {}
    assert first == {
        "changed": True,
        "status": "issued",
        "msg": "Enrolled: there is no certificate.",
        "ca_overrode": [],
        "certificate": leaf.decode(),
        "subject": "CN=sw1.example.com,O=Example",
        "issuer": "CN=Test CA",
        "serial_number": certificate.serial_number,
        "not_before": f"{server.end - dt.timedelta(days=400):%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{server.end:%Y-%m-%dT%H:%M:%SZ}",
        "fingerprint": fingerprint(certificate),
        "public_key_fingerprint": first["public_key_fingerprint"],
        "transaction_id": server.requests[0].header.transaction_id,
        "paths": {
            "privatekey": str(folder / "sw1.key"),
            "certificate": str(folder / "sw1.pem"),
            "chain": str(folder / "chain.pem"),
            "fullchain": str(folder / "full.pem"),
            "record": str(folder / "sw1.pem.scep.json"),
        },
    }
    no_server(monkeypatch)
    no_key(monkeypatch)
    before = snapshot(folder)
    for check_mode in (True, False):
        second = run(
            task,
            chain_path="chain.pem",
            fullchain_path="full.pem",
            key_usage=["digitalSignature"],
            check_mode=check_mode,
        )
        assert second == {
            **first,
            "changed": False,
            "msg": f"The certificate is what is asked for, and valid until {first['not_after']}.",
        }
    assert snapshot(folder) == before


def test_check_mode(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what a real run does, and neither asks the server nor touches a file."""
    with monkeypatch.context() as patched:
        no_server(patched)
        checked = run(certificate_task, check_mode=True)
    assert not list(certificate_task.folder.iterdir())
    real = run(certificate_task)
    assert checked.pop("msg") == "To be enrolled: there is no certificate."
    assert checked == {name: real[name] for name in ("changed", "paths", "diff")}
    assert real["diff"]["after"] == {
        "subject": "CN=sw1.example.com,O=Example",
        "subject_alt_name": ("DNS:sw1.example.com",),
        "key_usage": (),
        "key_usage_critical": False,
        "extended_key_usage": (),
        "extended_key_usage_critical": False,
        "privatekey_size": 2048,
        "certificate": "a new one",
    }


def test_asked_differently(certificate_task: Run, server: Awkward) -> None:
    run(certificate_task)
    key = (certificate_task.folder / "sw1.key").read_bytes()
    result = run(certificate_task, subject="CN=sw2,O=Example", extended_key_usage=["clientAuth"], backup=True)
    assert result["msg"] == "Enrolled: another subject is asked for; another extended_key_usage is asked for."
    assert result["diff"]["before"]["subject"] == "CN=sw1.example.com,O=Example"
    assert result["diff"]["after"]["subject"] == "CN=sw2,O=Example"
    assert (certificate_task.folder / "sw1.key").read_bytes() == key
    (copy,) = result["backup_files"]
    assert copy.startswith(f"{certificate_task.folder}/sw1.pem.")
    first, second = (request.header.transaction_id for request in server.requests)
    assert first != second


def test_ca_that_has_its_own_ideas(certificate_task: Run, server: Awkward) -> None:
    """Other names and usages do not cause another enrolment, unless that is wanted, and are told in one warning."""
    subject = pki_module.name("sw1.example.com", organization_name="Overridden")
    server.template = {"subject": subject, "extensions": ()}
    told = (
        "another subject than was asked for: CN=sw1.example.com,O=Overridden instead of CN=sw1.example.com,O=Example",
        "another subject_alt_name than was asked for: none instead of DNS:sw1.example.com",
    )
    for options in ({}, {"strict": True}):
        result = run(certificate_task, **options)
        assert result["subject"] == "CN=sw1.example.com,O=Overridden"
        assert result["ca_overrode"] == [f"The CA gave {one}." for one in told]
        assert certificate_task.warnings == [f"The CA gave {'; '.join(told)}."]
        certificate_task.warnings.clear()
        unchanged = run(certificate_task)
        assert not unchanged["changed"]
        assert unchanged["ca_overrode"] == result["ca_overrode"]
        assert not certificate_task.warnings
    assert result["msg"] == f"Enrolled: the CA gave {'; the CA gave '.join(told)}."


def test_expired(certificate_task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    run(certificate_task)
    later = server.end + dt.timedelta(days=1)
    server.end += dt.timedelta(days=100)
    monkeypatch.setattr(
        "ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure.utc_now", lambda: later
    )
    monkeypatch.setattr(client_module, "utc_now", lambda: later)
    assert run(certificate_task)["msg"] == (
        f"Enrolled: the certificate expired on {later - dt.timedelta(days=1):%Y-%m-%d}."
    )
    assert key_and_certificate_match(certificate_task.folder)


def test_force(certificate_task: Run) -> None:
    run(certificate_task)
    assert run(certificate_task, force=True)["msg"] == "Enrolled: force is set."


def test_given_key(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is there is used and stays, byte for byte; later runs do not load it."""
    path = certificate_task.folder / "sw1.key"
    path.write_bytes(pem_key(pki_module.rsa_key("given")) + b"# a remark\n")
    path.chmod(0o640)
    before = path.read_bytes()
    run(certificate_task)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert key_and_certificate_match(certificate_task.folder)
    no_key(monkeypatch)
    assert not run(certificate_task)["changed"]


def test_own_key_is_replaced_by_a_larger_one(certificate_task: Run) -> None:
    run(certificate_task)
    result = run(certificate_task, privatekey_size=3072, backup=True)
    assert result["msg"] == "Enrolled: the private key has 2048 bits and 3072 are wanted."
    assert len(result["backup_files"]) == 2
    key: Any = load_pem_private_key((certificate_task.folder / "sw1.key").read_bytes(), None)
    assert key.key_size == 3072
    assert key_and_certificate_match(certificate_task.folder)


def test_key_of_the_certificate_was_exchanged(certificate_task: Run) -> None:
    run(certificate_task)
    (certificate_task.folder / "sw1.key").write_bytes(pem_key(pki_module.rsa_key("given")))
    assert run(certificate_task)["msg"] == "Enrolled: the certificate does not belong to the private key."
    assert key_and_certificate_match(certificate_task.folder)


def foreign(task: Run, server: Awkward) -> None:
    """Key and certificate of another tool, as asked for."""
    key = pki_module.rsa_key("given")
    alternative = x509.SubjectAlternativeName([x509.DNSName("sw1.example.com")])
    subject = pki_module.name("sw1.example.com", organization_name="Example")
    certificate = pki_module.certificate(subject, key, server.pki.ca, extensions=[(alternative, False)])
    (task.folder / "sw1.key").write_bytes(pem_key(key))
    (task.folder / "sw1.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def test_certificate_of_another_tool(certificate_task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign(certificate_task, server)
    before = snapshot(certificate_task.folder)
    result = run(certificate_task)
    assert not result["changed"]
    assert "transaction_id" not in result
    assert server.operations == ["GetCACert"], "who issued it is asked, and no more"
    assert snapshot(certificate_task.folder) == before
    chain = server.pki.ca.certificate.public_bytes(Encoding.PEM).decode()
    with monkeypatch.context() as patched:
        no_server(patched)
        assert not run(certificate_task, ca_fingerprint=None, ca_certificate_content=chain)["changed"]
        (certificate_task.folder / "chain.pem").write_text(chain)
        assert not run(certificate_task, chain_path="chain.pem")["changed"]
    assert run(certificate_task, subject="CN=other")["msg"] == "Enrolled: the certificate has another subject."


def test_certificate_of_another_ca(certificate_task: Run, server: Awkward) -> None:
    foreign(certificate_task, server)
    other = server.pki.other_ca
    alternative = x509.SubjectAlternativeName([x509.DNSName("sw1.example.com")])
    subject = pki_module.name("sw1.example.com", organization_name="Example")
    certificate = pki_module.certificate(subject, pki_module.rsa_key("given"), other, extensions=[(alternative, False)])
    (certificate_task.folder / "sw1.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    assert run(certificate_task)["msg"] == "Enrolled: the certificate does not chain to the given CA."


def test_outputs_that_drifted(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chain files and modes are put right without the server."""
    folder = certificate_task.folder
    until = run(certificate_task)["not_after"]
    no_server(monkeypatch)
    (folder / "full.pem").write_text("something else")
    (folder / "sw1.pem").chmod(0o666)
    options: dict[str, Any] = {"chain_path": "chain.pem", "fullchain_path": "full.pem", "mode": "0644"}
    done = "content of chain_path, content of fullchain_path, mode, owner or group of path"
    ending = f"The certificate is what is asked for, and valid until {until}."
    before = snapshot(folder)
    assert run(certificate_task, check_mode=True, **options)["msg"] == f"To be set: {done}. {ending}"
    assert snapshot(folder) == before
    result = run(certificate_task, backup=True, **options)
    assert result["msg"] == f"Set: {done}. {ending}"
    assert result["changed"]
    assert len(result["backup_files"]) == 1
    assert stat.S_IMODE((folder / "sw1.pem").stat().st_mode) == 0o644
    assert not run(certificate_task, **options)["changed"]


def test_interrupted_run(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two renames, and the next run completes the set."""
    run(certificate_task)
    folder = certificate_task.folder
    replace, child = Path.replace, os.fork()
    if child == 0:

        def die(self: Path, target: Any) -> Any:
            if self.name == ".sw1.pem.scep-new":
                os._exit(9)
            return replace(self, target)

        Path.replace = die  # type: ignore[method-assign]
        perform(ensure_certificate, certificate_task.context(privatekey_size=3072))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not key_and_certificate_match(folder)
    no_server(monkeypatch)
    before = snapshot(folder)
    checked = run(certificate_task, check_mode=True, privatekey_size=3072)
    assert checked["changed"]
    assert checked["msg"] == "To be completed: what an interrupted run began."
    assert snapshot(folder) == before
    result = run(certificate_task, privatekey_size=3072)
    assert result["changed"]
    assert result["msg"].startswith("Completed what an interrupted run began. The certificate is what is asked for")
    assert key_and_certificate_match(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["sw1.key", "sw1.pem", "sw1.pem.scep.json"]


def test_weak_fingerprint_is_taken_with_a_warning(certificate_task: Run, server: Awkward) -> None:
    md5 = fingerprint(server.pki.ca.certificate, "md5")
    assert run(certificate_task, ca_fingerprint=[md5.upper().replace(":", "")])["changed"]
    assert certificate_task.warnings == [
        f"ca_fingerprint: MD5 {md5} is taken, but such a digest can be forged with effort; "
        "netcert.ndes.scep_ca_info prints the SHA-256 fingerprint of the same certificate."
    ]


def test_sha1_has_a_switch_of_its_own(certificate_task: Run, server: Awkward) -> None:
    server.answers["GetCACaps"] = Answer(b"SHA-1\nAES")
    assert sentence(certificate_task, allow_sha1=False) == (
        "The server offers no digest that is allowed here; it offers SHA-1. allow_sha1 would allow it; a server that "
        "can do better is safer."
    )


def test_wrong_fingerprint(certificate_task: Run, server: Awkward) -> None:
    wrong = "ab" * 32
    found = sentence(certificate_task, ca_fingerprint=[wrong])
    assert found.startswith(
        "None of the certificates that the server offers is the pinned CA or issued by it "
        f"(pinned: SHA-256 {':'.join(['ab'] * 32)}). Offered, with SHA-256 fingerprints: "
    )
    assert server.operations == ["GetCACert"]


def damaged_key(folder: Path) -> bytes:
    return pem_key(pki_module.rsa_key("given"))[:400]


def ec_key(folder: Path) -> bytes:
    return pem_key(pki_module.ec_key("given"))


def small_key(folder: Path) -> bytes:
    return pem_key(pki_module.rsa_key("small", 1024))


def locked_key(folder: Path) -> bytes:
    key = pki_module.rsa_key("given")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


REMOVE = "remove the file to have a new key made, or name another one."


@pytest.mark.parametrize("check_mode", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (damaged_key, "privatekey_path: '{}' holds no private key that can be read;"),
        (ec_key, "privatekey_path: the key in '{}' is not an RSA key, as SCEP needs it;"),
        (
            locked_key,
            "privatekey_passphrase: the key in '{}' is protected by a passphrase, and none is given; give it, or",
        ),
        (small_key, "privatekey_path: the key in '{}' has 1024 bits, and privatekey_size asks for at least 2048;"),
    ],
)
def test_key_that_does_not_fit(
    certificate_task: Run, server: Awkward, make: Callable[[Path], bytes], complaint: str, check_mode: bool
) -> None:
    path = certificate_task.folder / "sw1.key"
    path.write_bytes(make(path))
    found = sentence(certificate_task, check_mode=check_mode)
    assert found == f"{complaint.format(path)} {REMOVE}"
    assert not server.received


OPTION_FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "url": ({"url": "scep"}, "url: 'scep' is not an address that begins with http:// or https://."),
    "fingerprint": (
        {"ca_fingerprint": ["xyz"]},
        "ca_fingerprint: 'xyz' is not a fingerprint: hexadecimal digits are expected.",
    ),
    "CA certificate": (
        {"ca_fingerprint": None, "ca_certificate_path": "none.pem"},
        "ca_certificate_path: '{folder}/none.pem' does not exist.",
    ),
    "TLS CA": ({"ca_path": "none.pem"}, "ca_path: '{folder}/none.pem' does not exist."),
    "TLS certificate": ({"client_cert": "none.pem"}, "client_cert: '{folder}/none.pem' does not exist."),
    "size": (
        {"privatekey_size": 1024},
        "privatekey_size: 1024 bits are not supported; choose 2048 to 4096.",
    ),
    "subject": ({"subject": "sw1"}, "subject: 'sw1' is not of the form CN=value."),
    "no folder": (
        {"path": "no/sw1.pem"},
        "path: the folder '{folder}/no' does not exist; create it first.",
    ),
    "no folder for the key": (
        {"privatekey_path": "no/sw1.key"},
        "privatekey_path: the folder '{folder}/no' does not exist; create it first.",
    ),
    "one file for two": (
        {"privatekey_path": "sw1.pem"},
        "path: '{folder}/sw1.pem' is also the file of privatekey_path; each needs its own.",
    ),
    "mode": ({"mode": "rw"}, "mode: 'rw' is not an octal mode such as '0640'; put it in quotes."),
    "owner": (
        {"privatekey_owner": "no-such-user"},
        "privatekey_owner: 'no-such-user' is not known on this host.",
    ),
    "certificate is something else": (
        {"path": "notes.txt"},
        "path: '{folder}/notes.txt' exists and is not a certificate; remove it, or name another file.",
    ),
}


@pytest.mark.parametrize("check_mode", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("options", "expected"), OPTION_FAILURES.values(), ids=OPTION_FAILURES)
def test_option_failure(
    certificate_task: Run, server: Awkward, options: dict[str, Any], expected: str, check_mode: bool
) -> None:
    (certificate_task.folder / "notes.txt").write_text("Buy milk.")
    found = sentence(certificate_task, check_mode=check_mode, **options)
    assert found == expected.format(folder=certificate_task.folder)
    assert not server.received


def test_ca_certificate_that_is_none(certificate_task: Run) -> None:
    found = sentence(certificate_task, ca_fingerprint=None, ca_certificate_content="garbage")
    assert found.startswith("ca_certificate_content: no CA certificate can be read from it. ")


@pytest.mark.parametrize("check_mode", [False, True], ids=["real", "check"])
def test_unwritable_folder(
    certificate_task: Run, server: Awkward, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    """Said before anything is sent. Root may write anywhere, so the question is answered for it."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode & os.W_OK == 0 and access(path, mode))
    found = sentence(certificate_task, check_mode=check_mode)
    assert found == (
        f"privatekey_path: nothing can be written to the folder '{certificate_task.folder}': Permission denied."
    )
    assert not server.received


def test_missing_library(certificate_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.netcert.ndes.plugins.module_utils import _deps

    monkeypatch.setattr(_deps, "_missing", {"requests": "No module named 'requests'"})
    result = perform(ensure_certificate, certificate_task.context())
    assert result["failed"]
    assert result["msg"].endswith(
        " lacks what netcert.ndes needs (requests: No module named 'requests'). Install there: requests>=2.25."
    )
