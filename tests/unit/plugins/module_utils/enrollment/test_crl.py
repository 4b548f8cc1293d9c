# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""scep_crl: from which source a CRL is taken, and which one is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import CRL
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import transport as transport_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.client import utc_now
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.crl import ensure_crl
from ansible_collections.netcert.ndes.plugins.module_utils.http_client import MAX_BODY
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from support import pki as pki_module
from support.awkward import Answer, Awkward
from support.pki import Pki

from .conftest import Run

DAY = dt.timedelta(days=1)
POINT = "/crl/ca.crl"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_PAUSE", 0.01)


@pytest.fixture
def points() -> Iterator[Awkward]:
    """A web server for CRLs, which has nothing to do with the SCEP server."""
    server = Awkward()
    yield server
    server.close()


def base(server: Awkward) -> str:
    return server.url.rpartition("/")[0]


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture
def device(pki: Pki, points: Awkward) -> x509.Certificate:
    """A certificate with three distribution points: one in a directory, one that is missing, one that has a file."""
    points.files["/missing"] = Answer(b"", 404)
    urls = ["ldap://127.0.0.1/ca", f"{base(points)}/missing", base(points) + POINT]
    found = x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    )
    return pki_module.leaf("device", "device", pki.ca, extensions=[(found, False)]).certificate


def crl(pki: Pki, **more: Any) -> bytes:
    now = utc_now()
    return pki_module.crl(more.pop("issuer", pki.ca), **{"start": now - DAY, "end": now + 6 * DAY, **more})


def give(server: Awkward, encoded: bytes, *certificates: x509.Certificate) -> None:
    """Have the SCEP server answer GetCRL and GetCert."""

    def reply(request: IncomingRequest) -> bytes:
        assert request.issuer == server.pki.ca.certificate.subject.public_bytes()
        if request.kind is MessageType.GET_CERT:
            return success(request.header, server.pki.ra_sign, certificates)
        assert request.kind is MessageType.GET_CRL
        return success(request.header, server.pki.ra_sign, [], crl=encoded)

    server.reply = reply


def refuse(server: Awkward) -> None:
    server.reply = lambda request: failure(request.header, server.pki.ra_sign, FailInfo.BAD_REQUEST)


@pytest.fixture
def task(tmp_path: Path, server: Awkward, device: x509.Certificate) -> Run:
    """The CRL for `device`, of which the SCEP server has number 1."""
    give(server, crl(server.pki))
    return Run(
        tmp_path,
        CRL,
        url=server.url,
        ca_fingerprint=[fingerprint(server.pki.ca.certificate)],
        certificate_content=pem(device),
        path="ca.crl",
        timeout=5.0,
    )


def run(task: Run, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    result = perform(ensure_crl, task.context(check_mode=check_mode, **options))
    assert not result.pop("failed"), result["msg"]
    return result


def complaint(task: Run, **options: Any) -> str:
    result = perform(ensure_crl, task.context(**options))
    assert result["failed"], result
    return str(result["msg"])


def test_fetched_and_left_alone(task: Run, server: Awkward, device: x509.Certificate) -> None:
    date = utc_now().replace(microsecond=0) - DAY
    encoded = crl(server.pki, number=3, revoked=[(device.serial_number, date, x509.ReasonFlags.superseded)])
    give(server, encoded)
    assert run(task, check_mode=True)["msg"].startswith("To be set: content of the CRL. It is number 3, of ")
    assert not list(task.folder.iterdir())
    first = run(task)
    assert (first["changed"], first["source"], first["number"], first["revoked_count"]) == (True, "scep", 3, 1)
    assert first["msg"].startswith("Set: content of the CRL. It is number 3, of ")
    assert first["msg"].endswith(" The certificate is revoked.")
    assert (first["revoked"], first["revocation_reason"]) == (True, "superseded")
    assert first["revocation_date"] == f"{date:%Y-%m-%dT%H:%M:%SZ}"
    assert (first["diff"]["before"], first["diff"]["after"]["number"]) == ({}, 3)
    assert "certificate" not in first
    assert (task.folder / "ca.crl").read_bytes() == encoded
    asked = len(server.received)
    second = run(task)
    assert (second["changed"], second["source"], second["revoked"]) == (False, "file", True)
    assert len(server.received) == asked
    forced = run(task, force=True)
    assert (forced["changed"], forced["source"]) == (False, "scep")
    assert {request.serial for request in server.requests} == {device.serial_number}


def test_form_and_mode_need_no_network(task: Run, server: Awkward) -> None:
    run(task)
    asked = len(server.received)
    result = run(task, format="pem", mode="0600", backup=True)
    assert (result["changed"], result["source"]) == (True, "file")
    assert (task.folder / "ca.crl").read_bytes().startswith(b"-----BEGIN X509 CRL-----")
    assert (task.folder / "ca.crl").stat().st_mode & 0o777 == 0o600
    assert [Path(path).read_bytes()[:1] for path in result["backup_files"]] == [b"0"]
    assert run(task, format="pem", mode="0640")["msg"].startswith(
        "Set: mode, owner or group of the CRL. It is number 1"
    )
    assert not run(task, format="pem", mode="0640")["changed"]
    assert len(server.received) == asked


def test_given_ca_needs_no_record(task: Run, server: Awkward) -> None:
    del task.options["ca_fingerprint"]
    task.options["ca_certificate_content"] = pem(server.pki.ca.certificate)
    run(task)
    (task.folder / "ca.crl.scep.json").unlink()
    asked = len(server.received)
    assert not run(task)["changed"]
    assert len(server.received) == asked


@pytest.mark.parametrize("record", [b"", b"[]", b'{"format": 1, "chain": 5}', b'{"format": 1, "chain": ["x"]}'])
def test_record_that_is_damaged(task: Run, record: bytes) -> None:
    run(task)
    (task.folder / "ca.crl.scep.json").write_bytes(record)
    result = run(task)
    assert (result["changed"], result["source"]) == (False, "scep")
    assert run(task)["source"] == "file"


def test_record_of_a_stranger_counts_for_nothing(task: Run, pki: Pki) -> None:
    """Who writes to the folder cannot vouch for a CA: the anchor does."""
    run(task)
    impostor = pki_module.authority("Test CA", "impostor")
    record = task.folder / "ca.crl.scep.json"
    genuine, forged = (pem(one).replace("\n", "\\n") for one in (pki.ca.certificate, impostor.certificate))
    assert genuine in record.read_text()
    record.write_text(record.read_text().replace(genuine, forged))
    (task.folder / "ca.crl").write_bytes(crl(pki, issuer=impostor, number=99))
    result = run(task)
    assert (result["changed"], result["source"], result["number"]) == (True, "scep", 1)


def test_soon_over(task: Run, server: Awkward) -> None:
    give(server, crl(server.pki, end=utc_now() + dt.timedelta(hours=20)))
    run(task)
    assert run(task, remaining_hours=10.0)["source"] == "file"
    give(server, crl(server.pki, number=2))
    result = run(task)
    assert (result["changed"], result["number"], result["source"]) == (True, 2, "scep")
    assert (result["diff"]["before"]["number"], result["diff"]["after"]["number"]) == (1, 2)


def test_serial_number(task: Run, server: Awkward, device: x509.Certificate, pki: Pki) -> None:
    del task.options["certificate_content"]
    give(server, crl(pki), pki.enrolled.certificate, device)
    first = run(task, serial_number=device.serial_number)
    assert (first["changed"], first["certificate"], first["revoked"]) == (True, pem(device), False)
    assert [request.kind for request in server.requests] == [MessageType.GET_CERT, MessageType.GET_CRL]
    digits = f"{device.serial_number:040X}"
    text = ":".join(digits[at : at + 2] for at in range(0, 40, 2))
    for serial in (text, f"0x{device.serial_number:x}"):
        again = run(task, serial_number=serial)
        assert (again["changed"], again["source"], again["certificate"]) == (False, "file", pem(device))
    assert len(server.requests) == 2
    assert complaint(task, serial_number=77) == (
        "The reply has no certificate of the CA with the serial number that was asked for."
    )


@pytest.mark.parametrize("serial", ["", "xyz", 0, -5, True, 1.5, 2**168, "-5", ["1"]])
def test_no_serial_number(task: Run, serial: Any) -> None:
    del task.options["certificate_content"]
    words = " is no serial number; give a number, or a text of hexadecimal digits."
    assert complaint(task, serial_number=serial).endswith(words)


def test_wrong_options(task: Run, server: Awkward) -> None:
    assert complaint(task, remaining_hours=-1.0) == "remaining_hours: -1 hours cannot remain; give a number from 0."
    assert complaint(task, certificate_content="x").startswith("certificate_content: no certificate can be read from")
    assert complaint(task, certificate_path="none").endswith("/none' does not exist.")
    assert complaint(task, path="") == "path: it is empty; give the path of a file."
    (task.folder / "ca.crl").write_bytes(b"a letter")
    assert complaint(task).endswith("/ca.crl' exists and is not a CRL; remove it, or name another file.")
    assert (task.folder / "ca.crl").read_bytes() == b"a letter"
    assert not server.received


def test_certificate_of_another_ca(task: Run, pki: Pki) -> None:
    stranger = pki_module.leaf("stranger", "device", pki.other_ca).certificate
    assert complaint(task, certificate_content=pem(stranger)) == (
        "No CA under the trust anchor has issued the certificate of CN=stranger."
    )


def test_distribution_points(task: Run, server: Awkward, points: Awkward, pki: Pki) -> None:
    refuse(server)
    points.files[POINT] = Answer(crl(pki, number=4))
    result = run(task)
    assert (result["changed"], result["number"], result["source"]) == (True, 4, base(points) + POINT)
    assert points.operations == ["/missing", POINT]


def test_server_that_is_gone(task: Run, server: Awkward, points: Awkward, pki: Pki) -> None:
    """What is known of the CA from an earlier run serves for a CRL from elsewhere."""
    run(task)
    server.answers = {"GetCACaps": Answer(b"", 503), "GetCACert": Answer(b"", 503)}
    points.files[POINT] = Answer(crl(pki, number=4))
    assert run(task, force=True)["number"] == 4


def test_nothing_anywhere(task: Run, server: Awkward, points: Awkward) -> None:
    refuse(server)
    points.files[POINT] = Answer(b"<html>", content_type="text/html")
    text, where = complaint(task), base(points)
    assert text.startswith("No CRL can be had. From scep: The server refuses the request with failInfo badRequest ")
    assert f" From {where}/missing: The server at {where}/missing has no file for this client: HTTP 404 (Not" in text
    assert f" From {where}{POINT}: The bytes are not a CRL: " in text
    assert not list(task.folder.iterdir())


def test_download_is_bounded(task: Run, server: Awkward, points: Awkward) -> None:
    refuse(server)
    points.files[POINT] = Answer(b"0" * (MAX_BODY + 1))
    assert f"answers a download with more than {MAX_BODY} octets" in complaint(task)
    points.files[POINT] = Answer(b"0" * 100, pause=0.1)
    run_out = complaint(task, timeout=1.0)
    assert "did not complete its answer to a download within 1 seconds" in run_out


def test_without_points_the_server_has_the_last_word(task: Run, server: Awkward, pki: Pki) -> None:
    task.options["certificate_content"] = pem(pki.enrolled.certificate)
    refuse(server)
    text = complaint(task)
    assert text.startswith("The server refuses the request with failInfo")
    assert text.endswith(". The certificate names no place of its CRL with http.")
    server.reply = lambda request: pending(request.header, server.pki.ra_sign)
    assert complaint(task).startswith("The server keeps a question for approval")


def tampered(pki: Pki) -> bytes:
    encoded = crl(pki)
    return encoded[:-1] + bytes((encoded[-1] ^ 1,))


WRONG: dict[str, tuple[Callable[[Pki], bytes], str]] = {
    "of another CA": (lambda p: crl(p, issuer=p.other_ca), "The CRL is one of CN=Other CA, and that of CN=Test CA is"),
    "of a namesake": (lambda p: crl(p, key=p.root.key), "The CRL was not signed with the key of CN=Test CA"),
    "out of date": (lambda p: crl(p, end=utc_now() - DAY / 2), "The CRL is out of date: "),
    "of tomorrow": (lambda p: crl(p, start=utc_now() + DAY), "The CRL is of "),
    "delta": (lambda p: crl(p, extensions=[(x509.DeltaCRLIndicator(1), True)]), "The CRL has a critical extension"),
    "tampered": (tampered, "The CRL was not signed with the key"),
}


@pytest.mark.parametrize("what", WRONG)
def test_crl_that_is_not_taken(task: Run, server: Awkward, pki: Pki, what: str) -> None:
    build, words = WRONG[what]
    task.options["certificate_content"] = pem(pki.enrolled.certificate)
    run(task)
    before = (task.folder / "ca.crl").read_bytes()
    give(server, build(pki))
    assert complaint(task, force=True).startswith(words)
    assert (task.folder / "ca.crl").read_bytes() == before


def test_never_back(task: Run, server: Awkward, points: Awkward, pki: Pki) -> None:
    give(server, crl(pki, number=5))
    run(task)
    give(server, crl(pki, number=4))
    points.files[POINT] = Answer(crl(pki, number=3))
    text = complaint(task, force=True)
    assert "The CRL (number 4, of " in text
    assert ") is older than the one that is there already (number 5, of " in text
    assert "The CRL (number 3, of " in text
    points.files[POINT] = Answer(crl(pki, number=6))
    assert run(task, force=True)["number"] == 6


def test_a_tampered_file_is_replaced(task: Run, pki: Pki) -> None:
    run(task)
    (task.folder / "ca.crl").write_bytes(crl(pki, number=9, key=pki.root.key))
    result = run(task)
    assert (result["changed"], result["number"], result["source"]) == (True, 1, "scep")


def test_interrupted(task: Run) -> None:
    run(task)
    journal = task.folder / ".ca.crl.scep-journal"
    journal.write_text("[]")
    journal.chmod(0o600)
    checked = run(task, check_mode=True)
    assert checked["changed"]
    assert checked["msg"].startswith("To be set: what an interrupted run began of the CRL.")
    assert run(task)["changed"]
    assert not run(task)["changed"]
