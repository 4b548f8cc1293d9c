# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The openssl command agrees with what our server, running, sends: PENDING, GetCert, GetNextCACert, CRLs."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import load_certificate, self_signed
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scep_server.crl import REASONS
from scep_server.server import utc_now
from support.pki import name, rsa_key
from support.servers import PATIENCE, OurServer, command

Run = Callable[..., bytes]
Servers = Callable[..., OurServer]
SUBJECT = name("device", organization_name="Example")
HOW = ("sha256", "aes-128-cbc")
VERIFY = ("cms", "-verify", "-inform", "DER", "-binary", "-CAfile", "ca.pem", "-purpose", "any")
# How openssl prints reasons; an unspecified one is left out of a CRL.
WORDS = {
    "unspecified": [],
    "keyCompromise": ["Key Compromise"],
    "cACompromise": ["CA Compromise"],
    "affiliationChanged": ["Affiliation Changed"],
    "superseded": ["Superseded"],
    "cessationOfOperation": ["Cessation Of Operation"],
    "privilegeWithdrawn": ["Privilege Withdrawn"],
}
DECRYPT = ("cms", "-decrypt", "-inform", "DER", "-binary", "-recip", "device.pem", "-inkey", "device.key")


class Device:
    """A device at a server, with the files that openssl needs in `folder`: ca.pem, device.pem, device.key."""

    def __init__(self, server: OurServer, folder: Path, openssl: Run) -> None:
        self._server, self._openssl, key = server, openssl, rsa_key("device")
        self.identity = Identity(self_signed(key, SUBJECT, utc_now()), key)
        (folder / "ca.pem").write_bytes(server.ca.public_bytes(Encoding.PEM))
        (folder / "device.pem").write_bytes(self.identity.certificate.public_bytes(Encoding.PEM))
        (folder / "device.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def get(self, operation: str) -> bytes:
        """The body of an answer to an operation without a message."""
        return self._http(urllib.request.Request(f"{self._server.url}?operation={operation}"))

    def post(self, request: requests.Request) -> bytes:
        """The body of the answer to a pkiMessage."""
        return self._http(urllib.request.Request(f"{self._server.url}?operation=PKIOperation", request.message))

    def _http(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def request(self) -> requests.Request:
        """A PKCSReq with a fresh password."""
        csr = build_csr(self.identity.key, SUBJECT, challenge_password=self._server.password())
        return requests.pkcs_req(csr, self.identity, self._server.ra_encryption, *HOW)

    def certificates(self, reply: bytes) -> list[x509.Certificate]:
        """Those in a reply, as openssl verifies, decrypts and prints them."""
        inner = self._openssl(*DECRYPT, stdin=self._openssl(*VERIFY, stdin=reply))
        return x509.load_pem_x509_certificates(self._openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=inner))


@pytest.mark.interop(peer="openssl", does="reads", how="GetCert replies of the running server")
def test_get_cert(openssl: Run, server: OurServer, tmp_path: Path) -> None:
    device = Device(server, tmp_path, openssl)
    (issued,) = device.certificates(device.post(device.request()))
    assert issued.subject == SUBJECT
    ask = (server.ca.subject, issued.serial_number, device.identity, server.ra_encryption)
    assert device.certificates(device.post(requests.get_cert(*ask, *HOW))) == [issued]


@pytest.mark.interop(peer="openssl", does="reads", how="PENDING replies of the running server, content absent or empty")
@pytest.mark.parametrize("content", ["absent", "empty"])
def test_pending(openssl: Run, servers: Servers, tmp_path: Path, content: str) -> None:
    server = servers(approval="enrolment", empty_reply=content)
    device = Device(server, tmp_path, openssl)
    body = device.post(device.request())
    (tmp_path / "nothing").write_bytes(b"")
    detached = {"absent": ("-content", "nothing"), "empty": ()}[content]
    assert openssl(*VERIFY, *detached, stdin=body) == b""
    lines = openssl("asn1parse", "-inform", "DER", stdin=body).decode().splitlines()
    (status,) = [
        number for number, line in enumerate(lines) if "2.16.840.1.113733.1.9.3" in line or "pkiStatus" in line
    ]
    assert lines[status + 2].endswith("PRINTABLESTRING   :3")


@pytest.mark.interop(peer="openssl", does="reads", how="CRLs with reasons")
def test_crl(openssl: Run, server: OurServer, tmp_path: Path) -> None:
    device = Device(server, tmp_path, openssl)
    assert set(WORDS) == {"unspecified", *REASONS}
    revoked = {}
    for reason in WORDS:
        (issued,) = device.certificates(device.post(device.request()))
        revoked[reason] = issued.serial_number
        command(server.state, "certificates", "revoke", f"{issued.serial_number:x}", "--reason", reason)
    command(server.state, "crl", "--out", str(tmp_path / "crl.der"))
    printed = openssl("crl", "-inform", "DER", "-in", "crl.der", "-CAfile", "ca.pem", "-text", "-noout").decode()
    _head, *entries = printed.split("Serial Number: ")
    found = {}
    for entry in entries:
        serial, *lines = entry.splitlines()
        told = [lines[number + 1].strip() for number, line in enumerate(lines) if "X509v3 CRL Reason Code" in line]
        found[int(serial, 16)] = told
    assert found == {serial: WORDS[reason] for reason, serial in revoked.items()}


@pytest.mark.interop(peer="openssl", does="reads", how="GetNextCACert of the running server")
def test_next_ca(openssl: Run, servers: Servers, tmp_path: Path) -> None:
    server = servers(ca_subject="CN=Rolling CA")
    coming = command(server.state, "ca", "rollover")["next"]
    body = Device(server, tmp_path, openssl).get("GetNextCACert")
    inner = openssl(*VERIFY, stdin=body)
    wanted = [load_certificate(coming[role]["pem"].encode()) for role in ("ca", "ra_signing", "ra_encryption")]
    assert set(read_ca_certificates(inner)) == set(wanted)
    printed = openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=inner)
    assert set(x509.load_pem_x509_certificates(printed)) == set(wanted)
