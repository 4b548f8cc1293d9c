# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations over the WSGI interface: what succeeds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage, issued_by, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from scep_device import LENIENT, Bench, Device, ServedWith, message, new_key

from scep_server.operations import OPERATIONS, Asked
from scep_server.pki import Held
from scep_server.settings import parse


def test_capabilities(bench: Bench) -> None:
    response = bench.http(query="operation=GetCACaps&message=x", path="/cgi-bin/pkiclient.exe")
    words = response.body.decode().split("\n")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert words[0] == "AES" and words.index("AES") < words.index("DES3")
    assert {"POSTPKIOperation", "SHA-256", "SHA-384", "SHA-512", "SCEPStandard"} <= set(words)
    assert "Renewal" in words and "GetNextCACert" not in words, "there is no next CA yet"


def test_capabilities_follow_the_settings(served_with: ServedWith) -> None:
    strict = served_with(allow_sha1=False, renewal=False)
    words = strict.http(query="operation=GetCACaps").body.split()
    assert not {b"SHA-1", b"Renewal"} & set(words)


ORDERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "as NDES": ({}, ["ra_signing", "ra_encryption", "ca", "root"]),
    "the profile": ({"profile": "ndes", "admin_page": False}, ["ra_signing", "ra_encryption", "ca", "root"]),
    "the CA first": ({"ca_certificates_order": ["ca"]}, ["ca", "ra_signing", "ra_encryption", "root"]),
    "the CA and its chain first": (
        {"ca_certificates_order": ["ca", "chain"]},
        ["ca", "root", "ra_signing", "ra_encryption"],
    ),
    "as given": (
        {"ca_certificates_order": ["chain", "ra_encryption", "ca", "ra_signing", "ca"]},
        ["root", "ra_encryption", "ca", "ra_signing"],
    ),
}


@pytest.mark.parametrize(("given", "order"), ORDERS.values(), ids=ORDERS)
def test_the_order_of_the_ca_certificates(bench: Bench, given: dict[str, Any], order: list[str]) -> None:
    """With a certificate above the CA, which this one does not have from its making."""
    offered, found = _offered(bench, given)
    assert [next(word for word, one in found.items() if one == certificate) for certificate in offered] == order


def test_ca_certificates_as_der_sorts_them(bench: Bench) -> None:
    offered, found = _offered(bench, {"ca_certificates_order": []})
    encoded = [one.public_bytes(Encoding.DER) for one in offered]
    assert encoded == sorted(encoded) and set(offered) == set(found.values())


def _offered(bench: Bench, given: dict[str, Any]) -> tuple[tuple[x509.Certificate, ...], dict[str, x509.Certificate]]:
    """What GetCACert offers with these settings, and which certificate is which."""
    root = Device(new_key(), "CN=root").identity.certificate
    own = replace(bench.pki, chain=(root,))
    settings = parse(given)
    server = replace(bench.server, settings=settings, keys=Held(replace(bench.server.pki, current=own)))
    answer = OPERATIONS["GetCACert"].answer(server, Asked(b"", "", bench.clock()))
    assert answer.content_type == "application/x-x509-ca-ra-cert"
    found = {
        "ra_signing": own.signer.certificate,
        "ra_encryption": own.encryption.certificate,
        "ca": own.ca.certificate,
        "root": root,
    }
    return read_ca_certificates(answer.body), found


def test_ca_certificates(bench: Bench) -> None:
    response = bench.http(query="operation=GetCACert")
    assert response.content_type == "application/x-x509-ca-ra-cert"
    assert read_ca_certificates(response.body) == bench.pki.certificates
    assert bench.http("HEAD", "operation=GetCACert").body == b""


def test_enrolment(bench: Bench, device: Device) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("device.example")])
    request = bench.request(device, bench.passwords()[0], extensions=[(names, False)])
    reply = bench.answer(request)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, "sha256", "aes-128-cbc")
    (certificate,) = reply.certificates
    assert certificate.subject == device.subject
    assert same_key(certificate.public_key(), device.key.public_key())
    assert issued_by(certificate, bench.pki.ca.certificate, LENIENT)
    values = {extension.oid._name: extension.value for extension in certificate.extensions}
    assert values["subjectAltName"] == names
    assert values["authorityKeyIdentifier"] == bench.pki.authority_key_identifier
    assert values["basicConstraints"] == x509.BasicConstraints(ca=False, path_length=None)
    assert values["keyUsage"] == build_key_usage("digital_signature", "key_encipherment")
    assert set(values["extendedKeyUsage"]) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    (line,) = bench.server.store.audit.records()
    assert (line["client"], line["outcome"], line["transaction_id"]) == ("192.0.2.7", "issued", request.transaction_id)
    assert line["subject"] == "CN=device.example,O=Example"
    assert int(line["serial"], 16) == certificate.serial_number


def test_openssl_agrees(bench: Bench, device: Device, need_command: Callable[[str, str], Path], tmp_path: Path) -> None:
    openssl = need_command("openssl", "openssl")
    request = bench.request(device, bench.passwords()[0])
    (tmp_path / "reply.der").write_bytes(bench.post(request.message).body)
    (tmp_path / "crl.der").write_bytes(bench.http(path="/crl").body)
    (tmp_path / "device.key").write_bytes(_pem(device.key))
    (tmp_path / "device.pem").write_bytes(request.signer.certificate.public_bytes(Encoding.PEM))
    at = ["-attime", str(int(bench.clock().timestamp()))]
    ca = ["-CAfile", str(bench.state / "pki" / bench.pki.id / "ca.pem")]

    def run(*arguments: Any) -> str:
        done = subprocess.run([openssl, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    verify = ["cms", "-verify", "-inform", "DER", "-in", "reply.der", "-binary", "-out", "envelope.der"]
    run(*verify, *ca, *at, "-purpose", "any")
    decrypt = ["cms", "-decrypt", "-inform", "DER", "-in", "envelope.der", "-binary", "-out", "certificates.der"]
    run(*decrypt, "-inkey", "device.key", "-recip", "device.pem")
    run("pkcs7", "-inform", "DER", "-in", "certificates.der", "-print_certs", "-out", "issued.pem")
    assert "OK" in run("verify", "-x509_strict", *ca, *at, "issued.pem")
    assert "verify OK" in run("crl", "-inform", "DER", "-in", "crl.der", "-noout", *ca)


def _pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("cipher", ["des-ede3-cbc", "aes-128-cbc", "aes-192-cbc", "aes-256-cbc"])
def test_the_reply_speaks_like_the_request(bench: Bench, device: Device, digest: str, cipher: str) -> None:
    request = bench.request(device, bench.passwords()[0], digest=digest, cipher=cipher, csr_digest=digest)
    reply = bench.answer(request)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, digest, cipher)


def test_legacy_algorithms_behind_the_switch(served_with: ServedWith, device: Device) -> None:
    legacy = served_with(legacy_algorithms=True)
    request = legacy.request(device, legacy.passwords()[0], digest="md5", cipher="des-cbc")
    reply = legacy.answer(request)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, "md5", "des-ede3-cbc")


def test_requests_to_the_ca_itself(bench: Bench, device: Device) -> None:
    request = message(device.csr(bench.passwords()[0]), device.identity, bench.pki.ca.certificate)
    assert bench.answer(request).status is PkiStatus.SUCCESS


def test_only_a_san(bench: Bench) -> None:
    device = Device(new_key(), "")
    names = x509.SubjectAlternativeName([x509.DNSName("nameless.example")])
    request = bench.request(device, bench.passwords()[0], extensions=[(names, False)])
    (certificate,) = bench.answer(request).certificates
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_validity_ends_with_the_ca(bench: Bench, served_with: ServedWith, device: Device) -> None:
    long = served_with(certificate_days=36500)
    (certificate,) = long.enroll(device).certificates
    assert certificate.not_valid_after_utc == bench.pki.ca.certificate.not_valid_after_utc
