# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates of the CA and its RA, as `init` makes them, and the folder that holds them."""

from __future__ import annotations

import datetime as dt
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from scep_device import new_key

from scep_server import authority, certificate, pki
from scep_server.authority import Authority, Given
from scep_server.errors import StateError
from scep_server.settings import Settings

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def folder_of(state: Path) -> Path:
    """Where today's CA lies."""
    return state / "pki" / pki.read_index(state).current


def created(state: Path, settings: Settings) -> Authority:
    """A new state folder with the CA of these settings, loaded again."""
    pki.create(state, authority.make(settings, NOW, Given()))
    return pki.load(state).current


def test_files_are_private(initialised: Path) -> None:
    folder = initialised / "pki"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder_of(initialised).stat().st_mode) == 0o700
    keys = sorted(folder.rglob("*.key"), key=lambda path: path.name)
    assert [path.name for path in keys] == ["ca.key", "otp.key", "ra-encryption.key", "ra-signing.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert not list(initialised.glob(".*")), "a draft was left behind"


def test_layout(initialised: Path) -> None:
    loaded = pki.load(initialised).current
    usage = {
        name: identity.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        for name, identity in (("ca", loaded.ca), ("signing", loaded.signer), ("encryption", loaded.encryption))
    }
    assert usage["ca"].key_cert_sign and usage["ca"].crl_sign
    assert usage["signing"].digital_signature and not usage["signing"].key_encipherment
    assert usage["encryption"].key_encipherment and not usage["encryption"].digital_signature
    for identity in (loaded.signer, loaded.encryption):
        usages = identity.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert [oid.dotted_string for oid in usages] == ["1.3.6.1.4.1.311.20.2.1"]
        assert identity.certificate.not_valid_after_utc <= loaded.ca.certificate.not_valid_after_utc
    assert len({certificate.serial_number for certificate in loaded.certificates}) == 3


def test_openssl_agrees(initialised: Path, need_command: Callable[[str, str], Path]) -> None:
    openssl = need_command("openssl", "openssl")
    folder = folder_of(initialised)
    for name in ("ra-signing", "ra-encryption"):
        verify = [
            str(openssl),
            "verify",
            "-x509_strict",
            "-attime",
            str(int(NOW.timestamp())),
            "-CAfile",
            str(folder / "ca.pem"),
        ]
        done = subprocess.run([*verify, str(folder / f"{name}.pem")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "key_type"), [("ec-p384", ec.EllipticCurvePrivateKey), ("rsa-3072", rsa.RSAPrivateKey)]
)
def test_kinds_of_ca_key(tmp_path: Path, kind: str, key_type: type) -> None:
    loaded = created(tmp_path, Settings(ca_key=kind, ra_days=9999, ca_days=30, crl_url="http://ca.example/crl"))
    assert isinstance(loaded.ca.key, key_type)
    assert loaded.recipients == ((loaded.encryption, loaded.ca) if kind.startswith("rsa") else (loaded.encryption,))
    assert loaded.signer.certificate.not_valid_after_utc == loaded.ca.certificate.not_valid_after_utc
    points = loaded.signer.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points == certificate.distribution_points("http://ca.example/crl", loaded.ca.certificate)


def test_names_without_common_name_and_long_ones(tmp_path: Path) -> None:
    first = created(tmp_path / "a", Settings(ca_subject="O=Example"))
    assert "CN=SCEP RA Signing" in first.signer.certificate.subject.rfc4514_string()
    second = created(tmp_path / "b", Settings(ca_subject="CN=" + "x" * 64))
    names = second.encryption.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert len(names[0].value) <= 64


def test_create_never_touches_what_is_there(initialised: Path, state: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        created(state, Settings())
    for path in (initialised / "pki").rglob("*.*"):
        assert (state / path.relative_to(initialised)).read_bytes() == path.read_bytes()
    assert not list(state.glob(".*"))


def test_not_initialised(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is not initialised: run"):
        pki.load(tmp_path)


def test_key_of_another_certificate(state: Path) -> None:
    signing, encryption = folder_of(state) / "ra-signing.key", folder_of(state) / "ra-encryption.key"
    signing.write_bytes(encryption.read_bytes())
    with pytest.raises(StateError, match=r"ra-signing\.key is not the key of ra-signing\.pem"):
        pki.load(state)


@pytest.mark.parametrize("name", ["ca.key", "ca.pem", "../otp.key", "../authorities.json"])
def test_damaged_files(state: Path, name: str) -> None:
    (folder_of(state) / name).write_bytes(b"\xff\x00 damaged")
    with pytest.raises(StateError, match="cannot be read"):
        pki.load(state)


def test_expired(initialised: Path) -> None:
    loaded = pki.load(initialised).current
    assert authority.expired(loaded, NOW) is None
    late = authority.expired(loaded, NOW + dt.timedelta(days=731))
    assert late is not None and "RA Signing" in late


def test_serials_are_random_and_positive() -> None:
    serials = {certificate.new_serial() for _unused in range(1000)}
    assert len(serials) == 1000
    assert all(0 < serial < 1 << 128 for serial in serials)


def test_authority_key_identifier_without_subject_key_identifier() -> None:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(days=1))
    made = builder.sign(key, authority.signature_hash(key))
    expected = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    assert certificate.authority_key_identifier(made).key_identifier == expected
