# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""scep_trust_store: the bundle before, during and after a rollover."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import TRUST_STORE
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ca_info import ca_info
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.client import utc_now
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.options import read_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.trust_store import ensure_trust_store
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_next_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from support import pki as pki_module
from support.awkward import CAPABILITIES, Answer, Awkward
from support.pki import Pki

from .conftest import Run


@pytest.fixture(scope="module")
def coming() -> Identity:
    """The CA after the rollover: the same name, another key."""
    return pki_module.authority("Test CA", "coming", start=utc_now() - dt.timedelta(days=1))


@pytest.fixture(scope="module")
def coming_ra(coming: Identity) -> x509.Certificate:
    return pki_module.leaf("Test RA", "ra-sign", coming, eku=[pki_module.RA_EKU]).certificate


@pytest.fixture
def task(tmp_path: Path, server: Awkward) -> Run:
    pin = fingerprint(server.pki.ca.certificate)
    return Run(tmp_path, TRUST_STORE, url=server.url, ca_fingerprint=[pin], path="ca.pem", timeout=5.0)


def announce(server: Awkward, certificates: Sequence[x509.Certificate], signer: Identity) -> None:
    """GetNextCACert."""
    server.answers["GetCACaps"] = Answer(CAPABILITIES + b"GetNextCACert\n", content_type="text/plain")
    server.answers["GetNextCACert"] = Answer(write_next_ca(certificates, signer, "sha256"))


def activate(server: Awkward, *offered: x509.Certificate) -> None:
    server.answers.clear()
    server.offered = offered


def run(task: Run, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    result = perform(ensure_trust_store, task.context(check_mode=check_mode, **options))
    assert not result.pop("failed"), result["msg"]
    return result


def complaint(task: Run, **options: Any) -> str:
    result = perform(ensure_trust_store, task.context(**options))
    assert result["failed"], result
    return str(result["msg"])


def roles(result: dict[str, Any]) -> dict[str, str]:
    return {one["fingerprint"]: one["role"] for one in result["certificates"]}


def bundle(task: Run) -> tuple[x509.Certificate, ...]:
    return read_certificates((task.folder / "ca.pem").read_bytes())


def test_the_ca_alone(task: Run, server: Awkward) -> None:
    ca = server.pki.ca.certificate
    checked = run(task, check_mode=True)
    counted = "CA certificates: 1 current, 0 next, 0 previous."
    assert (checked["changed"], checked["msg"]) == (True, f"To be set: content of the bundle. {counted}")
    assert not list(task.folder.iterdir())
    first = run(task)
    assert first["changed"]
    found = {"role": "current", "subject": "CN=Test CA", "not_after": "2036-05-29T12:00:00Z"}
    assert first["certificates"] == [{**found, "fingerprint": fingerprint(ca)}]
    assert (first["diff"]["before"], first["diff"]["after"]) == ({}, {fingerprint(ca): "CN=Test CA"})
    assert bundle(task) == (ca,)
    second = run(task, mode="0644")
    assert (second["changed"], second["msg"]) == (False, counted)
    assert run(task, mode="0600")["msg"].startswith("Set: mode, owner or group of the bundle. ")
    assert "GetNextCACert" not in server.operations


def test_up_to_the_anchor(task: Run, server: Awkward, pki: Pki) -> None:
    server.offered = (pki.intermediate_ra.certificate, pki.intermediate.certificate, pki.root.certificate)
    root = fingerprint(pki.root.certificate)
    task.options["ca_fingerprint"] = [root]
    expected = dict.fromkeys((root, fingerprint(pki.intermediate.certificate)), "current")
    assert roles(run(task)) == expected
    assert not run(task)["changed"]
    task.options["ca_fingerprint"] = [fingerprint(pki.intermediate.certificate)]
    assert roles(run(task)) == expected


def test_rollover(task: Run, server: Awkward, coming: Identity, coming_ra: x509.Certificate) -> None:
    old, new = fingerprint(server.pki.ca.certificate), fingerprint(coming.certificate)
    run(task)
    announce(server, [coming.certificate, coming_ra], server.pki.ca)
    announced = run(task)
    assert (announced["changed"], roles(announced)) == (True, {old: "current", new: "next"})
    assert set(bundle(task)) == {server.pki.ca.certificate, coming.certificate}
    assert not run(task)["changed"]
    activate(server, coming.certificate, coming_ra)
    after = run(task)
    assert (after["changed"], roles(after)) == (False, {old: "previous", new: "current"})
    (task.folder / "ca.pem.scep.json").unlink()
    assert roles(run(task)) == roles(after)
    third = pki_module.authority("Third CA", "third", start=utc_now())
    announce(server, [third.certificate], coming)
    expected = {old: "previous", new: "current", fingerprint(third.certificate): "next"}
    assert roles(run(task)) == expected
    del server.answers["GetNextCACert"], server.answers["GetCACaps"]
    assert roles(run(task)) == expected


def test_the_pinned_ca_may_leave_the_bundle(
    task: Run, server: Awkward, coming: Identity, coming_ra: x509.Certificate
) -> None:
    """As it does when it expires: what was learned from it goes on, with the same trust anchor only."""
    run(task)
    announce(server, [coming.certificate], server.pki.ca)
    run(task)
    activate(server, coming.certificate, coming_ra)
    (task.folder / "ca.pem").write_bytes(coming.certificate.public_bytes(Encoding.PEM))
    assert roles(run(task)) == {fingerprint(coming.certificate): "current"}
    before = (task.folder / "ca.pem").read_bytes()
    words = "None of the certificates that the server offers is the pinned CA"
    assert complaint(task, ca_fingerprint=["ab" * 32]).startswith(words)
    (task.folder / "ca.pem.scep.json").unlink()
    assert complaint(task).startswith(words)
    assert (task.folder / "ca.pem").read_bytes() == before


def test_without_a_bundle_the_anchor_decides(task: Run, server: Awkward, coming: Identity) -> None:
    activate(server, coming.certificate)
    assert complaint(task).startswith("None of the certificates that the server offers is the pinned CA")
    assert not list(task.folder.iterdir())


def test_another_anchor_begins_anew(task: Run, server: Awkward, pki: Pki) -> None:
    run(task)
    activate(server, pki.other_ca.certificate)
    other = fingerprint(pki.other_ca.certificate)
    assert roles(run(task, ca_fingerprint=[other])) == {other: "current"}
    assert bundle(task) == (pki.other_ca.certificate,)


@pytest.mark.parametrize("who", ["other_ca", "enrolled", "impostor"])
def test_next_ca_of_a_stranger(task: Run, server: Awkward, pki: Pki, coming: Identity, who: str) -> None:
    run(task)
    before = (task.folder / "ca.pem").read_bytes()
    signer = pki_module.authority("Test CA", "impostor") if who == "impostor" else getattr(pki, who)
    announce(server, [coming.certificate], signer)
    assert complaint(task).startswith("The next CA certificates are signed by CN=")
    assert (task.folder / "ca.pem").read_bytes() == before


def test_next_ca_that_is_not_there_yet(task: Run, server: Awkward, coming: Identity) -> None:
    announce(server, [coming.certificate], server.pki.ca)
    server.answers["GetNextCACert"] = Answer(b"", 404)
    assert list(roles(run(task)).values()) == ["current"]
    server.answers["GetNextCACert"] = Answer(b"\x30\x03")
    assert "answers GetNextCACert with something that is no SCEP message" in complaint(task)


def test_expired_ones_go(task: Run) -> None:
    run(task)
    old = pki_module.authority("Old CA", "other", end=utc_now() - dt.timedelta(minutes=1)).certificate
    path = task.folder / "ca.pem"
    path.write_bytes(old.public_bytes(Encoding.PEM) + path.read_bytes())
    result = run(task, backup=True)
    assert (result["changed"], list(roles(result).values())) == (True, ["current"])
    assert set(result["diff"]["before"]) - set(result["diff"]["after"]) == {fingerprint(old)}
    assert [Path(copy).read_bytes().count(b"BEGIN") for copy in result["backup_files"]] == [2]


def test_somebody_elses_file(task: Run, server: Awkward) -> None:
    (task.folder / "ca.pem").write_bytes(b"a letter")
    words = "/ca.pem' exists and is no bundle of certificates; remove it, or name another file."
    assert complaint(task).endswith(words)
    assert not server.received


def test_absent(task: Run, server: Awkward) -> None:
    run(task)
    server.received.clear()
    checked = run(task, check_mode=True, state="absent")
    assert (checked["changed"], len(list(task.folder.iterdir()))) == (True, 2)
    removed = run(task, state="absent", backup=True)
    assert removed["msg"].startswith("Removed: ")
    assert [path.name for path in task.folder.iterdir()] == [Path(path).name for path in removed["backup_files"]]
    again = run(task, state="absent")
    assert (again["changed"], again["msg"]) == (False, "There is nothing to remove.")
    assert not server.received


def test_ca_info_tells_the_next_ca(info_task: Run, server: Awkward, coming: Identity) -> None:
    pin = [fingerprint(server.pki.ca.certificate)]
    result = perform(ca_info, info_task.context(ca_fingerprint=pin))
    assert (result["next_ca_offered"], result["next_ca"]) == (False, [])
    announce(server, [coming.certificate], server.pki.ca)
    result = perform(ca_info, info_task.context(ca_fingerprint=pin))
    assert result["next_ca_offered"]
    assert [(one["roles"], one["fingerprints"]["sha256"]) for one in result["next_ca"]] == [
        (["ca"], fingerprint(coming.certificate))
    ]
    result = perform(ca_info, info_task.context())
    assert (result["next_ca_offered"], result["next_ca"]) == (True, [])
    announce(server, [coming.certificate], server.pki.other_ca)
    assert perform(ca_info, info_task.context(ca_fingerprint=pin))["failed"]
