# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`init` with keys and certificates that were made elsewhere: what is taken, and what is wrong with the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from scep_device import Bench, Clock, Device

from scep_server import pki
from support import pki as made

Run = Callable[..., tuple[int, dict[str, Any]]]
RA, PAIR = ["--set", "layout=ra_single"], ["--set", "layout=ra_pair"]
ONLY = ["--set", "layout=ca_only"]
NOW, DAY = made.NOW, dt.timedelta(days=1)


def given(folder: Path, role: str, identity: Identity, passphrase: bytes | None = None, key: Any = None) -> list[str]:
    """The options for a certificate and a key (by default its own), which are written to files."""
    folder.mkdir(exist_ok=True)
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    private = (key or identity.key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    (folder / f"{role}.key").write_bytes(private)
    (folder / f"{role}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    return [f"--{role}-certificate", str(folder / f"{role}.pem"), f"--{role}-key", str(folder / f"{role}.key")]


def chained(folder: Path, *certificates: x509.Certificate) -> list[str]:
    """The option for certificates above the CA."""
    folder.mkdir(exist_ok=True)
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return ["--ca-chain", str(folder / "chain.pem")]


@cache
def single_ra() -> Identity:
    """The RA of the layout ra_single."""
    return made.leaf("One RA", "ra-single", SHARED().ca, eku=[made.RA_EKU])


def enrols(state: Path, device: Device) -> None:
    """A device gets a certificate, over the RA and up to the CA."""
    bench = Bench(state, Clock(NOW))
    assert bench.enroll(device).status is PkiStatus.SUCCESS
    bench.close()


Make = Callable[[Path], list[str]]
SHARED = made.shared

TAKEN: dict[str, Make] = {
    "CA alone": lambda folder: given(folder, "ca", SHARED().ca),
    "CA and RA pair": lambda folder: [
        *given(folder, "ca", SHARED().ca),
        *given(folder, "ra-signing", SHARED().ra_sign),
        *given(folder, "ra-encryption", SHARED().ra_encrypt),
    ],
    "CA and half an RA pair": lambda folder: [
        *given(folder, "ca", SHARED().ca),
        *given(folder, "ra-encryption", SHARED().ra_encrypt),
    ],
    "CA and single RA": lambda folder: [*RA, *given(folder, "ca", SHARED().ca), *given(folder, "ra", single_ra())],
    "CA only": lambda folder: [*ONLY, *given(folder, "ca", SHARED().ca)],
    "CA with an EC key": lambda folder: given(folder, "ca", SHARED().ec_ca),
    "CA with an EC key and its RA": lambda folder: [
        *RA,
        *given(folder, "ca", SHARED().ec_ca),
        *given(folder, "ra", SHARED().ec_ra),
    ],
    "intermediate CA with its root": lambda folder: [
        *given(folder, "ca", SHARED().intermediate),
        *chained(folder, SHARED().root.certificate),
    ],
    "intermediate CA without its root": lambda folder: given(folder, "ca", SHARED().intermediate),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(tmp_path: Path, run: Run, device: Device, case: str) -> None:
    state, words = tmp_path / "state", TAKEN[case](tmp_path / "given")
    status, result = run(state, "init", *words)
    assert (status, result["changed"]) == (0, True)
    loaded = pki.load(state).current
    files = {
        word[2 : -len("-certificate")]: Path(words[at + 1]) for at, word in enumerate(words) if "certificate" in word
    }
    held = {role: identity.certificate for role, identity in loaded.identities.items()}
    for role, path in files.items():
        assert held[role] == x509.load_pem_x509_certificate(path.read_bytes())
    assert {path.stat().st_mode & 0o777 for path in (state / "pki").rglob("*.key")} == {0o600}
    enrols(state, device)
    assert run(state, "init", *words)[1]["changed"] is False


def test_a_chain_of_three(tmp_path: Path, run: Run, device: Device) -> None:
    root, policy_ca = SHARED().root, SHARED().intermediate
    ca = made.authority("Issuing CA", "issuing", policy_ca)
    folder = tmp_path / "given"
    words = [*given(folder, "ca", ca), *chained(folder, policy_ca.certificate, root.certificate)]
    status, result = run(tmp_path / "state", "init", *words)
    assert status == 0 and [one["subject"] for one in result["chain"]] == ["CN=Test Intermediate", "CN=Test Root"]
    assert pki.load(tmp_path / "state").current.certificates[-3:] == (
        ca.certificate,
        policy_ca.certificate,
        root.certificate,
    )
    enrols(tmp_path / "state", device)


def test_encrypted_keys(tmp_path: Path, run: Run, device: Device) -> None:
    """One passphrase for all; a key that is not encrypted needs none; on disk none is, as README says."""
    folder = tmp_path / "given"
    words = [
        *given(folder, "ca", SHARED().ca, b"pass phrase"),
        *given(folder, "ra-signing", SHARED().ra_sign),
        *given(folder, "ra-encryption", SHARED().ra_encrypt, b"pass phrase"),
    ]
    for text, status in (("wrong", 1), ("", 1), ("pass phrase\r\n", 0)):
        (folder / "passphrase").write_text(text)
        done, result = run(tmp_path / "state", "init", *words, "--passphrase-file", str(folder / "passphrase"))
        assert done == status, result
    enrols(tmp_path / "state", device)


# What is wrong: the options, and what is said of them. {folder} is where the files are.
WRONG: Mapping[str, tuple[Make, str]] = {
    "half a pair": (
        lambda folder: given(folder, "ca", SHARED().ca)[:2],
        "--ca-certificate and --ca-key belong together: give both.",
    ),
    "no such file": (
        lambda folder: ["--ca-certificate", f"{folder}/none", "--ca-key", f"{folder}/none"],
        "{folder}/none cannot be read as certificates: [Errno 2] No such file or directory",
    ),
    "a key for a certificate": (
        lambda folder: [*given(folder, "ca", SHARED().ca)[:1], f"{folder}/ca.key", "--ca-key", f"{folder}/ca.key"],
        "{folder}/ca.key cannot be read as certificates: ",
    ),
    "a certificate for a key": (
        lambda folder: [*given(folder, "ca", SHARED().ca)[:2], "--ca-key", f"{folder}/ca.pem"],
        "{folder}/ca.pem cannot be read as a key: ",
    ),
    "encrypted without a passphrase": (
        lambda folder: given(folder, "ca", SHARED().ca, b"pass phrase"),
        "{folder}/ca.key cannot be read as a key: Password was not given",
    ),
    "key of another certificate": (
        lambda folder: given(folder, "ca", SHARED().ca, key=SHARED().other_ca.key),
        "{folder}/ca.key is not the key of {folder}/ca.pem.",
    ),
    "out of date": (
        lambda folder: given(folder, "ca", made.authority("Old CA", "ca", end=NOW - DAY)),
        "{folder}/ca.pem is out of date.",
    ),
    "not valid yet": (
        lambda folder: given(folder, "ca", made.authority("Young CA", "ca", start=NOW + DAY)),
        "{folder}/ca.pem is out of date.",
    ),
    "not a CA": (
        lambda folder: given(folder, "ca", SHARED().device),
        "{folder}/ca.pem is not the certificate of a CA.",
    ),
    "CA that may not sign certificates": (
        lambda folder: given(folder, "ca", made.leaf("No CA", "ca", None, ca=True, usage=["crl_sign"])),
        "{folder}/ca.pem is not the certificate of a CA.",
    ),
    "CA with an Ed25519 key": (
        lambda folder: given(folder, "ca", _ed25519_ca()),
        "The key of {folder}/ca.pem is neither RSA nor EC",
    ),
    "EC CA without an RA": (
        lambda folder: [*ONLY, *given(folder, "ca", SHARED().ec_ca)],
        "SCEP signs and decrypts with RSA keys: a CA with another key needs an RA (setting layout).",
    ),
    "RA without its CA": (
        lambda folder: [*RA, *given(folder, "ra", single_ra())],
        "Certificates of an RA or of a chain are taken together with those of their CA: give the CA.",
    ),
    "chain without its CA": (
        lambda folder: chained(folder, SHARED().root.certificate),
        "Certificates of an RA or of a chain are taken together with those of their CA: give the CA.",
    ),
    "RA of another CA": (
        lambda folder: [*RA, *given(folder, "ca", SHARED().other_ca), *given(folder, "ra", single_ra())],
        "{folder}/ra.pem was not issued by {folder}/ca.pem, so no client would take it for its RA.",
    ),
    "RA without the usage": (
        lambda folder: [*RA, *given(folder, "ca", SHARED().ca), *given(folder, "ra", SHARED().ra_sign)],
        "{folder}/ra.pem lacks the key usage digital_signature and key_encipherment of ra.",
    ),
    "RA pair the other way round": (
        lambda folder: [*given(folder, "ca", SHARED().ca), *given(folder, "ra-signing", SHARED().ra_encrypt)],
        "{folder}/ra-signing.pem lacks the key usage digital_signature of ra-signing.",
    ),
    "RA with an EC key": (
        lambda folder: [*RA, *given(folder, "ca", SHARED().ca), *given(folder, "ra", _ec_ra())],
        "The key of {folder}/ra.pem is not RSA",
    ),
    "RA out of date": (
        lambda folder: [
            *RA,
            *given(folder, "ca", SHARED().ca),
            *given(folder, "ra", made.leaf("Old RA", "ra-single", SHARED().ca, end=NOW - DAY)),
        ],
        "{folder}/ra.pem is out of date.",
    ),
    "single RA in the layout of a pair": (
        lambda folder: [*PAIR, *given(folder, "ca", SHARED().ca), *given(folder, "ra", single_ra())],
        "The layout ra_pair has no ra: leave those files out.",
    ),
    "RA in the layout without one": (
        lambda folder: [*ONLY, *given(folder, "ca", SHARED().ca), *given(folder, "ra-signing", SHARED().ra_sign)],
        "The layout ca_only has no ra-signing: leave those files out.",
    ),
    "chain in the wrong order": (
        lambda folder: [
            *given(folder, "ca", made.authority("Issuing CA", "issuing", SHARED().intermediate)),
            *chained(folder, SHARED().root.certificate, SHARED().intermediate.certificate),
        ],
        "{folder}/chain.pem must hold the issuer of the CA, then its issuer and so on: CN=Test Root did not issue "
        "CN=Issuing CA.",
    ),
    "chain of another CA": (
        lambda folder: [*given(folder, "ca", SHARED().intermediate), *chained(folder, SHARED().other_ca.certificate)],
        "{folder}/chain.pem must hold the issuer of the CA",
    ),
    "chain with an end": (
        lambda folder: [
            *given(folder, "ca", made.authority("Issuing CA", "issuing", SHARED().device)),
            *chained(folder, SHARED().device.certificate),
        ],
        "{folder}/chain.pem: CN=device is not the certificate of a CA, or is out of date.",
    ),
    "empty chain": (
        lambda folder: [*given(folder, "ca", SHARED().ca), *chained(folder)],
        "{folder}/chain.pem cannot be read as certificates",
    ),
    "no passphrase file": (
        lambda folder: [*given(folder, "ca", SHARED().ca), "--passphrase-file", f"{folder}/none"],
        "{folder}/none: No such file or directory.",
    ),
}


def _ed25519_ca() -> Identity:
    key = ed25519.Ed25519PrivateKey.generate()
    subject = made.name("Ed25519 CA")
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1).not_valid_before(made.START)
    builder = builder.not_valid_after(made.END).add_extension(x509.BasicConstraints(True, None), True)
    return Identity(builder.sign(key, None), key)


def _ec_ra() -> Identity:
    key = made.ec_key("ec-ra")
    return Identity(made.certificate("EC RA", key, SHARED().ca, eku=[made.RA_EKU]), key)


@pytest.mark.parametrize("case", WRONG)
def test_wrong(tmp_path: Path, run: Run, case: str) -> None:
    make, says = WRONG[case]
    status, result = run(tmp_path / "state", "init", *make(tmp_path / "given"))
    assert (status, result["error"][: len(said := says.format(folder=tmp_path / "given"))]) == (1, said)
    assert not (tmp_path / "state").exists() or not list((tmp_path / "state").iterdir())


def test_other_certificates_than_before(tmp_path: Path, run: Run) -> None:
    state, folder = tmp_path / "state", tmp_path / "given"
    words = given(folder, "ca", SHARED().ca)
    assert run(state, "init", *words)[0] == 0
    assert run(state, "init")[1]["changed"] is False
    run(state, "ca", "rollover")
    run(state, "ca", "rollover", "--activate")
    assert run(state, "init", *words)[1]["changed"] is False, "it was given before the rollover"
    status, result = run(state, "init", *given(folder, "ca", SHARED().other_ca))
    assert status == 1 and "is initialised already, with other certificates than" in result["error"]


def test_an_ra_does_not_begin_before_its_ca(tmp_path: Path, run: Run) -> None:
    ca = made.authority("Fresh CA", "ca", start=NOW - dt.timedelta(minutes=5))
    assert run(tmp_path / "state", "init", *given(tmp_path / "given", "ca", ca))[0] == 0
    signer = pki.load(tmp_path / "state").current.signer.certificate
    assert signer.not_valid_before_utc == ca.certificate.not_valid_before_utc
