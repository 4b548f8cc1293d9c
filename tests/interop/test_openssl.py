# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The openssl command agrees with all that the core writes, and the core reads what openssl writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import cms, requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import CIPHERS, DIGESTS, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import (
    read_ca_certificates,
    write_ca_certificates,
    write_next_ca,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    load_certificate,
    parse_fingerprint,
    self_signed,
    verify_issued_by,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr, read_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import BadAlgorithm
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, RequestHeader
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import pki as pki_module
from support.pki import NOW, Pki, name

LEGACY = ("-provider", "legacy", "-provider", "default")
AT = ("-attime", str(int(NOW.timestamp())))

Run = Callable[..., bytes]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return pki_module.shared()


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def write_identity(folder: Path, label: str, identity: Identity) -> None:
    (folder / f"{label}.pem").write_bytes(pem(identity.certificate))
    encoded = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{label}.key").write_bytes(encoded)


SUBJECT = name("device", organization_name="Example")


def csr(key: Any, challenge: str = "secret", digest: str = "sha256") -> bytes:
    san = x509.SubjectAlternativeName([x509.DNSName("device.example.com")])
    return build_csr(key, SUBJECT, challenge_password=challenge, extensions=[(san, False)], digest=digest)


# --- what the core writes --------------------------------------------------------------------------------------------


@pytest.mark.interop(peer="openssl", does="reads", how="PKCS#10 requests")
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("make_key", [pki_module.rsa_key, pki_module.ec_key], ids=["rsa", "ec"])
@pytest.mark.parametrize("challenge", ["secret 1", "pass@word_1"])
def test_requests_verify(openssl: Run, make_key: Any, digest: str, challenge: str) -> None:
    encoded = csr(make_key("device"), challenge, digest)
    printed = openssl("req", "-inform", "DER", "-verify", "-noout", "-text", stdin=encoded).decode()
    assert f"challengePassword        :{challenge}" in printed
    assert "DNS:device.example.com" in printed
    assert "O = Example, CN = device" in printed


@pytest.mark.interop(peer="openssl", does="reads", how="self-signed certificates")
def test_the_transaction_certificate(openssl: Run) -> None:
    found = pki_module.der(self_signed(pki_module.rsa_key("device"), SUBJECT, NOW))
    printed = openssl("x509", "-inform", "DER", "-noout", "-text", stdin=found).decode()
    assert "Digital Signature, Key Encipherment" in printed
    assert "CA:TRUE" not in printed


@pytest.mark.interop(peer="openssl", does="reads", how="pkiMessages with every digest and cipher")
@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_pki_messages_verify_and_decrypt(openssl: Run, tmp_path: Path, pki: Pki, cipher: str, digest: str) -> None:
    plain = csr(pki.device.key)
    request = requests.pkcs_req(plain, pki.device, pki.ra_encrypt.certificate, digest, cipher)
    assert b"SEQUENCE" in openssl("asn1parse", "-inform", "DER", stdin=request.message)
    envelope = openssl("cms", "-verify", "-noverify", "-inform", "DER", "-binary", *LEGACY, stdin=request.message)
    write_identity(tmp_path, "ra", pki.ra_encrypt)
    decrypt = ("cms", "-decrypt", "-inform", "DER", "-binary", *LEGACY)
    assert openssl(*decrypt, "-recip", "ra.pem", "-inkey", "ra.key", stdin=envelope) == plain


@pytest.mark.interop(peer="openssl", does="reads", how="replies with certificates, CRLs or nothing")
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("signer", ["ra_sign", "ca", "ec_ca"])
def test_replies_verify_against_the_ca(openssl: Run, tmp_path: Path, pki: Pki, signer: str, digest: str) -> None:
    one: Identity = getattr(pki, signer)
    anchor = pki.ec_ca if signer == "ec_ca" else pki.ca
    (tmp_path / "ca.pem").write_bytes(pem(anchor.certificate))
    (tmp_path / "nothing").write_bytes(b"")
    write_identity(tmp_path, "device", pki.device)
    header = RequestHeader(None, "T", b"n" * 16, pki.device.certificate, digest, "aes-128-cbc")
    verify = ("cms", "-verify", "-inform", "DER", "-binary", "-CAfile", "ca.pem", "-purpose", "any", *AT)

    crl = x509.CertificateRevocationListBuilder().issuer_name(pki.ca.certificate.subject)
    encoded_crl = pki_module.crl_der(crl.last_update(NOW).next_update(pki_module.END), pki.ca.key)
    issued = pki.issue(pki.device.key)
    envelope = openssl(*verify, stdin=success(header, one, [issued, pki.ca.certificate], crl=encoded_crl))
    decrypt = ("cms", "-decrypt", "-inform", "DER", "-binary", "-recip", "device.pem", "-inkey", "device.key")
    inner = openssl(*decrypt, stdin=envelope)
    printed = openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=inner)
    assert printed.index(pem(issued)) < printed.index(pem(pki.ca.certificate))
    assert b"-----BEGIN X509 CRL-----" in printed
    assert b"CN = Test CA" in openssl("crl", "-inform", "DER", "-noout", "-issuer", stdin=encoded_crl)

    for body in (failure(header, one, FailInfo.BAD_REQUEST, text="no"), pending(header, one)):
        openssl(*verify, "-content", "nothing", stdin=body)  # there is no content, and it is signed for
        printed = openssl("asn1parse", "-inform", "DER", stdin=body)
        assert b"2.16.840.1.113733.1.9.3" in printed or b"pkiStatus" in printed
    assert openssl(*verify, stdin=failure(header, one, FailInfo.BAD_REQUEST, empty_content=b"\0")) == b"\0"


@pytest.mark.interop(peer="openssl", does="reads", how="GetCACert and GetNextCACert")
def test_ca_certificates(openssl: Run, tmp_path: Path, pki: Pki) -> None:
    body = write_ca_certificates(pki.ndes)[0]
    printed = openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=body)
    places = [printed.index(pem(one)) for one in pki.ndes]
    assert places == sorted(places)
    (tmp_path / "ca.pem").write_bytes(pem(pki.ca.certificate))
    following = write_next_ca([pki.root.certificate], pki.ca, "sha256")
    verify = ("cms", "-verify", "-inform", "DER", "-binary", "-CAfile", "ca.pem", "-purpose", "any", *AT)
    assert read_ca_certificates(openssl(*verify, stdin=following)) == (pki.root.certificate,)


def test_fingerprints_as_openssl_prints_them(openssl: Run, pki: Pki) -> None:
    for digest in DIGESTS:
        text = openssl("x509", "-noout", "-fingerprint", f"-{digest}", stdin=pem(pki.ca.certificate)).decode()
        found = parse_fingerprint(text)
        assert found.matches(pki.ca.certificate)
        assert found.value.hex(":") == fingerprint(pki.ca.certificate, digest)


# --- what openssl writes ---------------------------------------------------------------------------------------------


@pytest.mark.interop(peer="openssl", does="writes", how="envelopes in DER and BER, every cipher")
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("by_key_identifier", [False, True], ids=["issuer and serial", "key identifier"])
def test_envelopes_of_openssl(openssl: Run, tmp_path: Path, pki: Pki, cipher: str, by_key_identifier: bool) -> None:
    write_identity(tmp_path, "ra", pki.ra_encrypt)
    more = ["-keyid"] if by_key_identifier else []
    encrypt = ("cms", "-encrypt", "-outform", "DER", "-binary", f"-{cipher}", *LEGACY, *more)
    for streamed in ((), ("-stream",)):  # the latter in BER
        envelope = openssl(*encrypt, *streamed, "ra.pem", stdin=b"content" * 100)
        keys = [(pki.ra_encrypt.certificate, pki.ra_encrypt.key)]
        found = cms.open_enveloped(cms.read_enveloped(envelope), keys, policy(legacy=True))
        assert found == (b"content" * 100, cipher)


@pytest.mark.interop(peer="openssl", does="writes", how="signatures in DER and BER")
@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha512"])
def test_signatures_of_openssl(openssl: Run, tmp_path: Path, pki: Pki, digest: str) -> None:
    write_identity(tmp_path, "device", pki.device)
    sign = ("cms", "-sign", "-nodetach", "-outform", "DER", "-binary", "-md", digest)
    for streamed in ((), ("-stream",)):
        body = openssl(*sign, *streamed, "-signer", "device.pem", "-inkey", "device.key", stdin=b"content" * 1000)
        signed = cms.read_signed_data(body)
        assert signed.content == b"content" * 1000
        key = pki.device.certificate.public_key()
        assert cms.verify_signer(signed, signed.signers[0], key, policy(legacy=True)).name == digest


@pytest.mark.interop(peer="openssl", does="writes", how="sets of certificates")
def test_degenerate_sets_of_openssl(openssl: Run, tmp_path: Path, pki: Pki) -> None:
    (tmp_path / "all.pem").write_bytes(b"".join(pem(one) for one in pki.ndes))
    body = openssl("crl2pkcs7", "-nocrl", "-certfile", "all.pem", "-outform", "DER")
    assert set(read_ca_certificates(body)) == set(pki.ndes)


PSS = ("-sigopt", "rsa_padding_mode:pss")


@pytest.mark.parametrize(
    ("digest", "options", "weak"),
    [
        ("md5", (), True),
        ("sha1", (), True),
        ("sha256", (), False),
        ("sha256", (*PSS, "-sigopt", "rsa_pss_saltlen:-1"), False),
        ("sha512", (*PSS, "-sigopt", "rsa_pss_saltlen:20"), False),
        ("sha1", (*PSS, "-sigopt", "rsa_pss_saltlen:-1"), True),
    ],
)
@pytest.mark.interop(peer="openssl", does="writes", how="PKCS#10 requests and certificates, RSA-PSS included")
def test_requests_and_certificates_signed_by_openssl(
    openssl: Run, tmp_path: Path, pki: Pki, digest: str, options: tuple[str, ...], weak: bool
) -> None:
    """Also with digests that the library refuses to verify."""
    write_identity(tmp_path, "ca", pki.ca)
    write_identity(tmp_path, "device", pki.device)
    (tmp_path / "req.cnf").write_text(
        "[req]\nprompt=no\nstring_mask=utf8only\ndistinguished_name=dn\nattributes=more\n"
        "[dn]\nO=Example\nCN=device\n[more]\nchallengePassword=secret\n"
    )
    made = openssl("req", "-new", "-config", "req.cnf", "-key", "device.key", f"-{digest}", *options, "-outform", "DER")
    (tmp_path / "device.csr").write_bytes(made)
    found = read_csr(made)
    assert found.challenge_password == "secret"
    issue = ("x509", "-req", "-inform", "DER", "-in", "device.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30")
    issued = load_certificate(openssl(*issue, f"-{digest}", *options, "-set_serial", "77"))
    legacy, strict = policy(legacy=True), policy(allow_sha1=False)
    verify_csr(found, legacy)
    verify_issued_by(issued, pki.ca.certificate, legacy)
    if weak:
        with pytest.raises(BadAlgorithm):
            verify_csr(found, strict)
        with pytest.raises(BadAlgorithm):
            verify_issued_by(issued, pki.ca.certificate, strict)
    else:
        verify_csr(found, strict)
        verify_issued_by(issued, pki.ca.certificate, strict)
