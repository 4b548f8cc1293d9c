"""`certificates`, `crl`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from scep_device import Bench, Clock, Device

from scep_server import pki
from scep_server.crl import REASONS

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]
NAMES = ("CN=100%_sure", "CN=100 percent", "CN=device_1,O=Example", "CN=deviceX1,O=Example", "CN=Prüfling")


@pytest.fixture
def issued(bench: Bench, clock: Clock, device: Device) -> dict[str, x509.Certificate]:
    """A certificate for each name, the oldest first, a minute apart."""
    found = {}
    for name in NAMES:
        (found[name],) = bench.enroll(Device(device.key, name)).certificates
        clock.forward(minutes=1)
    return found


def hexadecimal(certificate: x509.Certificate) -> str:
    """The serial number as openssl shows it, with colons."""
    return certificate.serial_number.to_bytes(16, "big").hex(":").upper()


def subjects(result: dict[str, Any]) -> list[str]:
    """Of the certificates that a command listed."""
    return [row["subject"] for row in result["certificates"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%", [0]),
        ("_", [2, 0]),
        ("device_1", [2]),
        ("DEVICE", [3, 2]),
        ("100", [1, 0]),
        ("O=Example", [3, 2]),
        ("Prüf", [4]),
        ("\\", []),
        ("' OR 1=1 --", []),
    ],
)
def test_search_by_subject(
    state: Path, issued: dict[str, x509.Certificate], run: Run, text: str, found: list[int]
) -> None:
    status, result = run(state, "certificates", "list", "--subject", text)
    assert (status, subjects(result)) == (0, [NAMES[at] for at in found])


def test_list(state: Path, issued: dict[str, x509.Certificate], clock: Clock, run: Run, people: People) -> None:
    assert subjects(run(state, "certificates", "list")[1]) == list(reversed(NAMES))
    assert subjects(run(state, "certificates", "list", "--limit", "2")[1]) == [NAMES[4], NAMES[3]]
    run(state, "certificates", "revoke", hexadecimal(issued[NAMES[0]]))
    clock.forward(days=364, hours=23, minutes=57)  # the first three have expired, one of them revoked
    for wanted, found in (("valid", [4, 3]), ("expired", [2, 1]), ("revoked", [0])):
        _status, result = run(state, "certificates", "list", "--state", wanted)
        assert subjects(result) == [NAMES[at] for at in found]
        assert {row["state"] for row in result["certificates"]} == {wanted}
    _status, lines, _unused = people(state, "certificates", "list", "--state", "revoked")
    assert lines[0].split() == ["SERIAL", "STATE", "NOT", "AFTER", "SUBJECT"]
    assert [int(line.split()[0], 16) for line in lines[1:]] == [issued[NAMES[0]].serial_number]


def test_show(state: Path, issued: dict[str, x509.Certificate], run: Run, people: People) -> None:
    certificate = issued[NAMES[2]]
    _status, result = run(state, "certificates", "show", hexadecimal(certificate))
    assert x509.load_pem_x509_certificate(result["pem"].encode()) == certificate
    assert (result["state"], result["subject"]) == ("valid", NAMES[2])
    assert result["not_after"] == certificate.not_valid_after_utc.isoformat()
    assert result["issuer"] == pki.load(state).current.id
    _status, lines, _unused = people(state, "certificates", "show", f"{certificate.serial_number:x}")
    assert lines[-1] == "-----END CERTIFICATE-----" and f"subject              {NAMES[2]}" in lines


@pytest.mark.parametrize("command", ["show", "revoke"])
def test_unknown_serials(state: Path, bench: Bench, run: Run, command: str) -> None:
    for serial in ("1", hexadecimal(bench.pki.ca.certificate)):
        status, result = run(state, "certificates", command, serial)
        assert status == 1 and "This server issued no certificate with the serial number" in result["error"]


@pytest.mark.parametrize("reason", ["unspecified", *REASONS])
def test_revoke(
    state: Path,
    tmp_path: Path,
    bench: Bench,
    device: Device,
    run: Run,
    reason: str,
    need_command: Callable[[str, str], Path],
) -> None:
    (certificate,) = bench.enroll(device).certificates
    serial = hexadecimal(certificate)
    status, result = run(state, "certificates", "revoke", serial, "--reason", reason)
    assert (status, result) == (0, {"changed": True, "serial": f"{certificate.serial_number:032x}"})
    _status, told = run(state, "crl", "--out", str(tmp_path / "crl.der"))
    crl = x509.load_der_x509_crl((tmp_path / "crl.der").read_bytes())
    public_key = bench.pki.ca.certificate.public_key()
    assert isinstance(public_key, RSAPublicKey) and crl.is_signature_valid(public_key)
    (entry,) = crl
    assert (entry.serial_number, entry.revocation_date_utc) == (certificate.serial_number, bench.clock())
    told_reason = {extension.value for extension in entry.extensions}
    assert told_reason == {x509.CRLReason(REASONS[word]) for word in REASONS if word == reason}
    assert x509.load_pem_x509_crl(told["pem"].encode()) == crl and (told["number"], told["revoked"]) == (1, 1)
    openssl = [need_command("openssl", "openssl"), "crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-noout"]
    ca = state / "pki" / bench.pki.id / "ca.pem"
    done = subprocess.run([*openssl, "-text", "-CAfile", ca], capture_output=True, text=True, check=True)
    assert "verify OK" in done.stderr and f"{certificate.serial_number:X}" in done.stdout
    assert ("X509v3 CRL Reason Code" in done.stdout) == (reason != "unspecified")


def test_revoked_before(state: Path, issued: dict[str, x509.Certificate], run: Run, people: People) -> None:
    serial = hexadecimal(issued[NAMES[0]])
    text = serial.replace(":", "").lower()
    assert people(state, "certificates", "revoke", serial, "--reason", "superseded") == (0, [f"Revoked {text}"], "")
    assert people(state, "certificates", "revoke", serial) == (0, [f"{text} was revoked before."], "")
    assert run(state, "certificates", "revoke", serial)[1]["changed"] is False
    shown = run(state, "certificates", "show", serial)[1]
    assert (shown["state"], shown["reason"]) == ("revoked", "superseded")
    records = run(state, "audit")[1]["records"]
    assert [record["outcome"] for record in records].count("revoked") == 1


def test_crl(state: Path, clock: Clock, run: Run, people: People) -> None:
    _status, first = run(state, "crl")
    assert (first["number"], first["revoked"], first["this_update"]) == (1, 0, "2026-06-01T12:00:00+00:00")
    assert first["next_update"] == "2026-06-08T12:00:00+00:00"
    assert "\n".join(people(state, "crl")[1]) == first["pem"].rstrip()
    clock.forward(days=3.5)
    assert run(state, "crl")[1]["number"] == 2


def test_crl_to_a_file(state: Path, tmp_path: Path, run: Run, people: People) -> None:
    target = tmp_path / "crl.der"
    assert people(state, "crl", "--out", str(target)) == (0, [f"Written to {target}"], "")
    assert target.stat().st_mode & 0o777 == 0o644
    link = tmp_path / "link"
    link.symlink_to(target)
    before = target.stat().st_ino
    assert run(state, "crl", "--out", str(link))[0] == 0
    assert link.is_symlink() and target.stat().st_ino != before


def test_crl_replaces_files_alone(state: Path, tmp_path: Path, run: Run) -> None:
    """Written as root to /dev/null, it would put a file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        status, result = run(state, "crl", "--out", str(path))
        assert (status, result["error"]) == (1, f"{path} is not a file that can be replaced: name another one.")
    assert pipe.is_fifo()


def test_crl_of_each_ca(state: Path, bench: Bench, device: Device, run: Run) -> None:
    (old,) = bench.enroll(device).certificates
    first = pki.read_index(state).current
    run(state, "ca", "rollover")
    coming = pki.read_index(state).next or ""
    status, result = run(state, "crl", "--ca", coming)
    assert status == 1 and f"There is no CA {coming}" in result["error"]
    run(state, "ca", "rollover", "--activate")
    (new,) = bench.enroll(device).certificates
    for certificate in (old, new):
        assert run(state, "certificates", "revoke", hexadecimal(certificate))[0] == 0
    for ca_id, certificate in ((first, old), (coming, new)):
        _status, told = run(state, "crl", "--ca", ca_id)
        crl = x509.load_pem_x509_crl(told["pem"].encode())
        assert [entry.serial_number for entry in crl] == [certificate.serial_number]
        plain = bench.http(path=f"/crl/{ca_id}")
        assert x509.load_der_x509_crl(plain.body) == crl, "the server hands out the same one"
    assert run(state, "crl")[1]["pem"] == run(state, "crl", "--ca", coming)[1]["pem"]
    assert run(state, "crl", "--ca", "../x")[0] == 1
