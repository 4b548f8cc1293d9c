# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of others enrol at our server: micromdm's scepclient and strongSwan's pki."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    load_certificate,
    same_key,
    verify_issued_by,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from support.pki import common_name, rsa_key
from support.servers import PATIENCE, OurServer

Need = Callable[[str, str], Path]


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(word) for word in arguments], cwd=folder, capture_output=True, check=False, timeout=PATIENCE * 2
    )


def written_key(folder: Path) -> Path:
    path = folder / "device.key"
    path.write_bytes(rsa_key("device").private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    path.chmod(0o600)
    return path


# --- micromdm scepclient ---------------------------------------------------------------------------------------------


@pytest.fixture
def scepclient(need_command: Need, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run scepclient in a fresh folder: it leaves its request beside the key, and would send an old one again.

    Its -ca-fingerprint is left out: it would verify replies with the one certificate pinned, which in our layout is the
    encrypting RA's, never the signer's.
    """
    binary = need_command("scepclient", "scep")

    def enrol(server: OurServer, challenge: str) -> subprocess.CompletedProcess[bytes]:
        key = tmp_path / "device.key"
        words = ["-server-url", server.url, "-challenge", challenge, "-private-key", key, "-cn", "device.example.com"]
        return run(binary, *words, "-certificate", tmp_path / "device.pem", folder=tmp_path)

    return enrol


Scepclient = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.mark.interop(peer="scepclient", does="enrols", how="with legacy_algorithms")
def test_scepclient_enrols(scepclient: Scepclient, legacy_server: OurServer, tmp_path: Path) -> None:
    done = scepclient(legacy_server, legacy_server.password())
    assert done.returncode == 0, done.stderr
    issued = load_certificate((tmp_path / "device.pem").read_bytes())
    verify_issued_by(issued, legacy_server.ca, policy())
    assert common_name(issued) == "device.example.com"
    key = load_pem_private_key((tmp_path / "device.key").read_bytes(), None)
    assert same_key(issued.public_key(), key.public_key())


@pytest.mark.interop(peer="scepclient", does="password", how="refused")
def test_scepclient_with_a_wrong_password_is_refused(
    scepclient: Scepclient, legacy_server: OurServer, tmp_path: Path
) -> None:
    done = scepclient(legacy_server, "0" * 32)
    assert done.returncode != 0
    assert not (tmp_path / "device.pem").exists()


@pytest.mark.interop(
    peer="scepclient",
    does="enrols",
    works=False,
    how="without legacy_algorithms it is refused, because it knows single DES and SHA-1 alone",
)
def test_scepclient_is_refused_without_the_switch(scepclient: Scepclient, server: OurServer, tmp_path: Path) -> None:
    done = scepclient(server, server.password())
    assert done.returncode != 0
    assert not (tmp_path / "device.pem").exists()
    log = (server.state / "scep-server.log").read_text()
    assert "badAlg: The message is encrypted with single DES, which is not allowed here." in log


# --- strongSwan pki --------------------------------------------------------------------------------------------------


@pytest.fixture
def swan(need_command: Need, tmp_path: Path, server: OurServer) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """strongSwan's pki in a folder where it has fetched and stored our CA and RA certificates."""
    binary = need_command("pki", "strongswan-pki libstrongswan-extra-plugins")

    def pki(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        done = run(binary, *arguments, folder=tmp_path)
        if b"no capable fetcher found" in done.stderr:
            need_command("the HTTP fetcher of strongSwan", "libstrongswan-extra-plugins")
        return done

    done = pki("--scepca", "--url", server.url, "--caout", "ca.der", "--raout", "ra.der", "--force")
    assert done.returncode == 0, done.stderr
    assert load_certificate((tmp_path / "ca.der").read_bytes()) == server.ca
    return pki


Swan = Callable[..., "subprocess.CompletedProcess[bytes]"]


def scep(swan: Swan, server: OurServer, key: Path, password: str, *more: str) -> subprocess.CompletedProcess[bytes]:
    words = ["--scep", "--url", server.url, "--in", key, "--dn", "C=CH, O=Example, CN=device.example.com"]
    names = ["--san", "device.example.com", "--password", password, "--outform", "pem"]
    return swan(*words, *names, "--cacert-enc", "ra.der", "--cacert-sig", "ca.der", *more)


@pytest.mark.interop(peer="strongswan", does="ca", how="tells CA, signing RA and encrypting RA apart")
def test_strongswan_finds_the_roles(swan: Swan, server: OurServer, tmp_path: Path) -> None:
    """It tells the CA from the RAs, and the encrypting RA from the signing one, by itself."""
    assert load_certificate((tmp_path / "ra.der").read_bytes()) == server.ra_encryption
    assert load_certificate((tmp_path / "ra-2.der").read_bytes()) == server.ra_signing


@pytest.mark.interop(peer="strongswan", does="enrols")
@pytest.mark.parametrize("cipher", ["aes", "des3"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_strongswan_enrols(swan: Swan, server: OurServer, tmp_path: Path, cipher: str, digest: str) -> None:
    more = ("--cipher", cipher, "--digest", digest)
    done = scep(swan, server, written_key(tmp_path), server.password(), *more)
    assert done.returncode == 0, done.stderr
    issued = load_certificate(done.stdout)
    verify_issued_by(issued, server.ca, policy())
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["device.example.com"]
    assert common_name(issued) == "device.example.com"
    assert same_key(issued.public_key(), rsa_key("device").public_key())


@pytest.mark.interop(peer="strongswan", does="password", how="refused and told badRequest")
def test_strongswan_with_a_wrong_password_is_told_why(swan: Swan, server: OurServer, tmp_path: Path) -> None:
    done = scep(swan, server, written_key(tmp_path), "0" * 32)
    assert done.returncode != 0
    assert not done.stdout
    assert b"failInfo:     badRequest" in done.stderr
