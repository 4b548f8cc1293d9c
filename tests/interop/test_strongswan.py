# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""strongSwan's pki at our server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    load_certificate,
    same_key,
    verify_issued_by,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.clients import Done, run, started
from support.pki import common_name, rsa_key
from support.relay import Exchange
from support.servers import PATIENCE, OurServer

SUBJECT = "C=CH, O=Example, CN=device.example.com"
# read instead of /etc/strongswan.conf
RENEWS_BY_PKCS_REQ = "pki {\n  scep {\n    renewal_via_pkcs_req = yes\n  }\n}\n"


@dataclass(frozen=True)
class Swan:
    """pki in a folder where it has fetched and stored the CA and RA certificates of a server."""

    binary: Path
    folder: Path
    server: OurServer

    def words(self, key: str, password: str = "", *more: object) -> list[object]:
        """`pki --scep` for a key of `support.pki`."""
        ra = "ra.der" if (self.folder / "ra.der").exists() else "ca.der"
        about = ["--dn", SUBJECT, "--san", "device.example.com", *(["--password", password] if password else [])]
        roles = ["--cacert-enc", ra, "--cacert-sig", "ca.der", "--outform", "pem"]
        return [self.binary, "--scep", "--url", self.server.url, "--in", self.key(key), *about, *roles, *more]

    def scep(self, key: str, password: str = "", *more: object, **environment: str) -> Done:
        """Run it to its end; the certificate is on stdout."""
        return run(*self.words(key, password, *more), folder=self.folder, **environment)

    def key(self, label: str) -> Path:
        """The file with a key."""
        path = self.folder / f"{label}.key"
        encoded = rsa_key(label).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        path.write_bytes(encoded)
        path.chmod(0o600)
        return path

    def issued(self, key: str, returncode: int | None, out: bytes, err: bytes) -> x509.Certificate:
        """The certificate that it got: from our CA, as asked for, and for this key."""
        assert returncode == 0, err
        issued = load_certificate(out)
        verify_issued_by(issued, self.server.ca, policy())
        names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["device.example.com"]
        assert common_name(issued) == "device.example.com"
        assert same_key(issued.public_key(), rsa_key(key).public_key())
        return issued

    def enrolled(self, key: str, password: str = "", *more: object, **environment: str) -> x509.Certificate:
        """`scep`, to a good end."""
        done = self.scep(key, password, *more, **environment)
        return self.issued(key, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def swan(need_command: Callable[[str, str], Path], tmp_path: Path) -> Callable[[OurServer], Swan]:
    """Introduce pki to a server."""
    binary = need_command("pki", "strongswan-pki libstrongswan-extra-plugins")

    def introduced(server: OurServer) -> Swan:
        words = ("--scepca", "--url", server.url, "--caout", "ca.der", "--raout", "ra.der", "--force")
        done = run(binary, *words, folder=tmp_path)
        if b"no capable fetcher found" in done.stderr:
            need_command("the HTTP fetcher of strongSwan", "libstrongswan-extra-plugins")
        assert done.returncode == 0, done.stderr
        assert load_certificate((tmp_path / "ca.der").read_bytes()) == server.ca
        return Swan(binary, tmp_path, server)

    return introduced


Introduce = Callable[[OurServer], Swan]
Servers = Callable[..., OurServer]


@pytest.mark.interop(peer="strongswan", does="ca", how="tells CA, signing RA and encrypting RA apart")
def test_strongswan_finds_the_roles(swan: Introduce, server: OurServer, tmp_path: Path) -> None:
    """It tells the CA from the RAs, and the encrypting RA from the signing one, by itself."""
    swan(server)
    assert load_certificate((tmp_path / "ra.der").read_bytes()) == server.ra_encryption
    assert load_certificate((tmp_path / "ra-2.der").read_bytes()) == server.ra_signing


@pytest.mark.interop(peer="strongswan", does="enrols")
@pytest.mark.parametrize("cipher", ["aes", "des3"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_strongswan_enrols(swan: Introduce, server: OurServer, cipher: str, digest: str) -> None:
    swan(server).enrolled("device", server.password(), "--cipher", cipher, "--digest", digest)


@pytest.mark.interop(peer="strongswan", does="enrols", how="layouts ra_pair, ra_single, ca_only")
@pytest.mark.parametrize("layout", ["ra_single", "ca_only"])
def test_strongswan_enrols_in_other_layouts(swan: Introduce, servers: Servers, tmp_path: Path, layout: str) -> None:
    server = servers(layout=layout)
    swan(server).enrolled("device", server.password())
    found = {path.name: load_certificate(path.read_bytes()) for path in tmp_path.glob("*.der")}
    ra = {"ra_single": {"ra.der": server.ra_encryption}, "ca_only": {}}[layout]
    assert found == {"ca.der": server.ca, **ra}


@pytest.mark.interop(peer="strongswan", does="enrols", how="challenge one_time, static, none")
@pytest.mark.parametrize(
    ("settings", "password"),
    [
        ({"challenge": "static", "static": "pass word_1"}, "pass word_1"),
        ({"challenge": "none", "allow_no_challenge": True}, ""),
    ],
    ids=["static", "none"],
)
def test_strongswan_enrols_with_other_challenges(
    swan: Introduce, servers: Servers, settings: dict[str, object], password: str
) -> None:
    pki = swan(servers(**settings))
    first, second = pki.enrolled("device", password), pki.enrolled("enrolled", password)
    assert first.serial_number != second.serial_number
    if password:
        assert b"failInfo:     badRequest" in pki.scep("refused", f"not {password}").stderr


@pytest.mark.interop(
    peer="strongswan", does="renews", how="with a new key; no password; PKCSReq with pki.scep.renewal_via_pkcs_req"
)
@pytest.mark.parametrize("kind", ["RENEWAL_REQ", "PKCS_REQ"])
def test_strongswan_renews(
    swan: Introduce, server: OurServer, tmp_path: Path, exchanges: list[Exchange], kind: str
) -> None:
    pki = swan(server)
    old = pki.enrolled("device", server.password())
    (tmp_path / "old.pem").write_bytes(old.public_bytes(Encoding.PEM))
    (tmp_path / "strongswan.conf").write_text(RENEWS_BY_PKCS_REQ if kind == "PKCS_REQ" else "")
    configured = {"STRONGSWAN_CONF": str(tmp_path / "strongswan.conf")}
    # a key of its own: the same request, signed with the same key, would get the certificate of the other test again
    new = pki.enrolled(f"for {kind}", "", "--cert", "old.pem", "--key", pki.key("device"), **configured)
    assert exchanges[-1].request.kind == kind
    assert server.replaces(new) == old.serial_number


POLLS = ("--interval", 1, "--maxpolltime", 60)


@pytest.mark.interop(peer="strongswan", does="polls")
def test_strongswan_waits_for_approval(swan: Introduce, servers: Servers, until_pending: Callable[[str], None]) -> None:
    server = servers(approval="enrolment")
    pki = swan(server)
    with started(*pki.words("device", server.password(), *POLLS), folder=pki.folder) as process:
        until_pending("CERT_POLL")
        server.decide("approve")
        out, err = process.communicate(timeout=PATIENCE * 2)
    pki.issued("device", process.returncode, out, err)


@pytest.mark.interop(peer="strongswan", does="polls", how="a denial is told as badRequest")
def test_strongswan_is_told_of_a_denial(
    swan: Introduce, servers: Servers, until_pending: Callable[[str], None], exchanges: list[Exchange]
) -> None:
    server = servers(approval="enrolment")
    pki = swan(server)
    with started(*pki.words("enrolled", server.password(), *POLLS), folder=pki.folder) as process:
        until_pending("CERT_POLL")
        server.decide("deny", "--reason", "not known here")
        out, err = process.communicate(timeout=PATIENCE * 2)
    assert process.returncode != 0
    assert not out
    assert b"failInfo:     badRequest" in err
    assert exchanges[-1].request.kind == "CERT_POLL"


@pytest.mark.interop(peer="strongswan", does="password", how="refused and told badRequest")
def test_strongswan_with_a_wrong_password_is_told_why(swan: Introduce, server: OurServer) -> None:
    done = swan(server).scep("device", "0" * 32)
    assert done.returncode != 0
    assert not done.stdout
    assert b"failInfo:     badRequest" in done.stderr
