# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations over the WSGI interface: what succeeds, and the exact answer to everything that must not."""

from __future__ import annotations

import base64
import logging
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, cms
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import read_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage, issued_by, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, Request, get_crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from scep_device import LENIENT, Bench, Device, message, new_key

from scep_server.app import MAX_BODY
from scep_server.errors import StoreBusy
from scep_server.store.answers import Answers
from scep_server.store.database import Database


def lines(bench: Bench) -> list[tuple[str, str]]:
    """(outcome, reason) of the audit."""
    return [(line["outcome"], line["reason"]) for line in bench.server.store.audit.records()]


# What succeeds


def test_capabilities(bench: Bench) -> None:
    response = bench.http(query="operation=GetCACaps&message=x", path="/cgi-bin/pkiclient.exe")
    words = response.body.decode().split("\n")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert words[0] == "AES" and words.index("AES") < words.index("DES3")
    assert {"POSTPKIOperation", "SHA-256", "SHA-384", "SHA-512", "SCEPStandard"} <= set(words)
    assert "Renewal" in words and "GetNextCACert" not in words, "there is no next CA yet"


def test_capabilities_follow_the_settings(state: Path, bench: Bench) -> None:
    strict = Bench(state, bench.clock, allow_sha1=False, renewal=False)
    words = strict.http(query="operation=GetCACaps").body.split()
    assert not {b"SHA-1", b"Renewal"} & set(words)
    strict.close()


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
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("cipher", ["des-ede3-cbc", "aes-128-cbc", "aes-192-cbc", "aes-256-cbc"])
def test_the_reply_speaks_like_the_request(bench: Bench, device: Device, digest: str, cipher: str) -> None:
    request = bench.request(device, bench.passwords()[0], digest=digest, cipher=cipher, csr_digest=digest)
    reply = bench.answer(request)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, digest, cipher)


def test_legacy_algorithms_behind_the_switch(state: Path, bench: Bench, device: Device) -> None:
    legacy = Bench(state, bench.clock, legacy_algorithms=True)
    request = legacy.request(device, legacy.passwords()[0], digest="md5", cipher="des-cbc")
    reply = legacy.answer(request)
    assert (reply.status, reply.digest, reply.cipher) == (PkiStatus.SUCCESS, "md5", "des-ede3-cbc")
    legacy.close()


def test_requests_to_the_ca_itself(bench: Bench, device: Device) -> None:
    request = message(device.csr(bench.passwords()[0]), device.identity, bench.pki.ca.certificate)
    assert bench.answer(request).status is PkiStatus.SUCCESS


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: quote(text, safe=""),
        lambda text: text,
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: "%0A".join(quote(text[at : at + 64], safe="") for at in range(0, len(text), 64)) + "%0A",
    ],
    ids=["percent-encoded", "raw", "unpadded", "url-safe", "wrapped"],
)
def test_get(bench: Bench, device: Device, encode: Callable[[str], str]) -> None:
    body = bench.request(device, bench.passwords()[0]).message
    response = bench.http(query="operation=PKIOperation&message=" + encode(base64.b64encode(body).decode()))
    assert (response.status, response.content_type) == (200, "application/x-pki-message")
    assert lines(bench) == [("issued", "")]


def test_post_without_operation(bench: Bench, device: Device) -> None:
    response = bench.http("POST", "", bench.request(device, bench.passwords()[0]).message)
    assert (response.status, lines(bench)) == (200, [("issued", "")])


def test_crl(bench: Bench, device: Device) -> None:
    recipient, issuer = bench.pki.encryption.certificate, bench.pki.ca.certificate.subject
    reply = bench.answer(get_crl(issuer, 1, device.identity, recipient, "sha256", "aes-128-cbc"))
    assert (reply.status, reply.certificates) == (PkiStatus.SUCCESS, ())
    crl = x509.load_der_x509_crl(reply.crls[0])
    assert crl.is_signature_valid(bench.pki.ca.certificate.public_key())  # type: ignore[arg-type]
    plain = bench.http(path="/scep/crl")
    assert (plain.body, plain.content_type) == (reply.crls[0], "application/pkix-crl")


def test_crl_numbers_grow(bench: Bench) -> None:
    def number() -> int:
        crl = x509.load_der_x509_crl(bench.http(path="/crl").body)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert [number(), number()] == [1, 1]
    bench.clock.forward(days=4)  # half of the seven days and a little
    assert [number(), number()] == [2, 2]


def test_crl_lists_what_is_revoked(bench: Bench, device: Device) -> None:
    (certificate,) = bench.enroll(device).certificates
    assert not list(x509.load_der_x509_crl(bench.http(path="/crl").body))
    with bench.server.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE certificates SET revoked = 1780000000, reason = 'keyCompromise'")
    crl = x509.load_der_x509_crl(bench.http(path="/crl").body)
    (entry,) = list(crl)
    assert entry.serial_number == certificate.serial_number
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise


def test_health(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (bench.http(path="/healthz").status, bench.http(path="/healthz").body) == (200, b"ok\n")

    def broken(_database: Database) -> None:
        raise StoreBusy("gone")

    monkeypatch.setattr(Database, "ping", broken)
    assert bench.http(path="/healthz").status == 503


# One-time passwords and retransmissions


def refused(bench: Bench, request: Request) -> FailInfo | None:
    reply = bench.answer(request)
    assert reply.status is PkiStatus.FAILURE and not reply.certificates
    assert reply.fail_info_text
    return reply.fail_info


def test_a_password_is_good_once(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS
    assert refused(bench, bench.request(device, password)) is FailInfo.BAD_REQUEST
    assert lines(bench)[-1] == ("refused", "badRequest: challenge password already used")


def test_a_password_expires(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    bench.clock.forward(minutes=60)
    assert refused(bench, bench.request(device, password)) is FailInfo.BAD_REQUEST
    assert lines(bench)[-1] == ("refused", "badRequest: challenge password expired")


def test_a_password_survives_a_refused_request(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    assert refused(bench, bench.request(device, password, extensions=[(constraints, True)])) is FailInfo.BAD_REQUEST
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS


def test_passwords_are_stored_as_hmac_alone(bench: Bench) -> None:
    passwords = bench.passwords(5)
    assert len(set(passwords)) == 5 and all(len(password) == 32 for password in passwords)
    bench.close()
    stored = b"".join(path.read_bytes() for path in bench.state.glob("store.sqlite3*"))
    assert not [password for password in passwords if password.encode() in stored or bytes.fromhex(password) in stored]


def test_a_retransmission_gets_the_same_certificate(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    first, second = bench.answer(request), bench.answer(request)
    assert first.certificates == second.certificates
    assert [outcome for outcome, _unused in lines(bench)] == ["issued", "repeated"]


def test_a_retransmission_has_to_come_soon(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    bench.clock.forward(minutes=61)
    assert refused(bench, request) is FailInfo.BAD_REQUEST


def test_a_revoked_certificate_is_not_handed_out_again(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    bench.answer(request)
    with bench.server.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE certificates SET revoked = 1")
    assert refused(bench, request) is FailInfo.BAD_REQUEST


def test_the_same_transaction_id_with_another_request(bench: Bench, device: Device) -> None:
    first, second = bench.passwords(2)
    replies = [
        bench.answer(bench.request(device, one, transaction_id="SSCEP transactionId")) for one in (first, second)
    ]
    assert len({reply.certificates[0].serial_number for reply in replies}) == 2


def test_the_same_transaction_id_from_another_key(bench: Bench, device: Device) -> None:
    other = Device(new_key(), "CN=other")
    for one, password in zip((device, other), bench.passwords(2), strict=True):
        reply = bench.answer(bench.request(one, password, transaction_id="0"))
        assert reply.certificates[0].subject == one.subject


def test_identical_requests_at_once(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, [request] * 8))
    assert len({reply.certificates[0].serial_number for reply in replies}) == 1
    outcomes = [outcome for outcome, _unused in lines(bench)]
    assert sorted(outcomes) == ["issued"] + ["repeated"] * 7


def test_many_requests_race_for_one_password(bench: Bench, device: Device) -> None:
    (password,) = bench.passwords()
    requests = [bench.request(device, password) for _unused in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(bench.answer, requests))
    assert [reply.status for reply in replies].count(PkiStatus.SUCCESS) == 1
    assert {reply.fail_info for reply in replies if reply.status is PkiStatus.FAILURE} == {FailInfo.BAD_REQUEST}


def test_nothing_is_issued_when_the_store_fails(bench: Bench, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    (password,) = bench.passwords()

    def busy(*_arguments: Any) -> bool:
        raise StoreBusy("locked")

    with monkeypatch.context() as broken:
        broken.setattr(Answers, "issue", busy)
        response = bench.post(bench.request(device, password).message)
    assert (response.status, response.headers["Retry-After"], response.body.count(b"\n")) == (503, "5", 1)
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS


# What is refused with a signed CertRep

Make = Callable[[Bench, Device, str], Request]


def _changed(**parts: Any) -> Make:
    return lambda bench, device, password: bench.request(device, password, **parts)


def _asks_for(value: x509.ExtensionType, critical: bool = False) -> Make:
    return _changed(extensions=[(value, critical)])


def _names(*names: x509.GeneralName) -> Make:
    return _asks_for(x509.SubjectAlternativeName(names))


def _content(content: bytes, **parts: Any) -> Make:
    return lambda bench, device, _unused: message(content, device.identity, bench.pki.encryption.certificate, **parts)


def _from(make_device: Callable[[], Device]) -> Make:
    return lambda bench, _unused, password: bench.request(make_device(), password)


def _named(name: Callable[[Bench], x509.Name]) -> Make:
    def make(bench: Bench, device: Device, password: str) -> Request:
        return bench.request(Device(device.key, name(bench).rfc4514_string()), password)

    return make


def _foreign_recipient(_bench: Bench, device: Device, password: str) -> Request:
    return message(device.csr(password), device.identity, Device(new_key(), "CN=somebody").identity.certificate)


def _foreign_key_same_name(bench: Bench, device: Device, password: str) -> Request:
    """A recipient with the name of ours and another key: it decrypts to nonsense."""
    ours = bench.pki.encryption.certificate
    builder = x509.CertificateBuilder(ours.issuer, ours.subject, device.key.public_key(), ours.serial_number)
    builder = builder.not_valid_before(ours.not_valid_before_utc).not_valid_after(ours.not_valid_after_utc)
    return message(device.csr(password), device.identity, builder.sign(device.key, hashes.SHA256()))


def _tampered(part: Callable[[bytes], int]) -> Make:
    def make(bench: Bench, device: Device, password: str) -> Request:
        request = bench.request(device, password)
        body = bytearray(request.message)
        body[part(bytes(body))] ^= 1
        return Request(bytes(body), request.message_type, request.transaction_id, request.sender_nonce, request.signer)

    return make


def _broken_ciphertext(bench: Bench, device: Device, password: str) -> Request:
    recipient = bench.pki.encryption.certificate
    envelope = cms.write_enveloped(device.csr(password), recipient, "aes-128-cbc")
    return message(b"", device.identity, recipient, envelope=envelope[:-1] + bytes([envelope[-1] ^ 1]))


def _broken_csr_signature(bench: Bench, device: Device, password: str) -> Request:
    csr = device.csr(password)
    return message(csr[:-1] + bytes([csr[-1] ^ 1]), device.identity, bench.pki.encryption.certificate)


def _another_signer(bench: Bench, device: Device, password: str) -> Request:
    return bench.request(device, password, signer=Device(new_key()).identity)


def _signer_without_certificate(bench: Bench, device: Device, password: str) -> Request:
    return bench.request(device, password, include=[])


def _wrong_signer_certificate(bench: Bench, device: Device, password: str) -> Request:
    """Signed by a key that is not the certificate's."""
    return bench.request(device, password, signer=Identity(device.identity.certificate, new_key()))


def _ec_csr(bench: Bench, device: Device, password: str) -> Request:
    csr = Device(ec.generate_private_key(ec.SECP256R1())).csr(password)
    return message(csr, device.identity, bench.pki.encryption.certificate)


def _issuer_and_serial(issuer: x509.Name) -> bytes:
    return asn1.sequence(issuer.public_bytes(), asn1.integer(1))


_ELSEWHERE = x509.Name.from_rfc4514_string("CN=Another CA")
_SID = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2"), b"\x30\x00")
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_BAD_ALG, _BAD_CHECK, _BAD_REQUEST, _BAD_CERT_ID = (
    FailInfo.BAD_ALG,
    FailInfo.BAD_MESSAGE_CHECK,
    FailInfo.BAD_REQUEST,
    FailInfo.BAD_CERT_ID,
)

NEGATIVE: dict[str, tuple[Make, FailInfo]] = {
    "MD5": (_changed(digest="md5"), _BAD_ALG),
    "single DES": (_changed(cipher="des-cbc"), _BAD_ALG),
    "PKCS#10 signed with MD5": (_changed(csr_digest="md5"), _BAD_ALG),
    "PKCS#10 with an EC key": (_ec_csr, _BAD_ALG),
    "signature flipped": (_tampered(lambda body: len(body) - 1), _BAD_CHECK),
    "content flipped": (_tampered(lambda body: 400), _BAD_CHECK),
    "signer certificate missing": (_signer_without_certificate, _BAD_CHECK),
    "signer certificate of another key": (_wrong_signer_certificate, _BAD_CHECK),
    "encrypted to somebody else": (_foreign_recipient, _BAD_CHECK),
    "encrypted to a forged RA": (_foreign_key_same_name, _BAD_CHECK),
    "ciphertext flipped": (_broken_ciphertext, _BAD_CHECK),
    "PKCS#10 signature flipped": (_broken_csr_signature, _BAD_CHECK),
    "no messageType": (_changed(kind=None), _BAD_REQUEST),
    "messageType CertRep": (_changed(kind=3), _BAD_REQUEST),
    "messageType 0": (_changed(kind=0), _BAD_REQUEST),
    "messageType 99": (_changed(kind=99), _BAD_REQUEST),
    "UpdateReq": (_changed(kind=18), _BAD_REQUEST),
    "RenewalReq without password": (
        lambda bench, device, _unused: bench.request(device, None, kind=MessageType.RENEWAL_REQ),
        _BAD_REQUEST,
    ),
    "GetCert": (_content(_issuer_and_serial(_ELSEWHERE), kind=MessageType.GET_CERT), _BAD_CERT_ID),
    "CertPoll": (
        _content(asn1.sequence(_ELSEWHERE.public_bytes(), _ELSEWHERE.public_bytes()), kind=MessageType.CERT_POLL),
        _BAD_CERT_ID,
    ),
    "GetCRL of another CA": (_content(_issuer_and_serial(_ELSEWHERE), kind=MessageType.GET_CRL), _BAD_CERT_ID),
    "GetCRL without a serial": (
        _content(asn1.sequence(_ELSEWHERE.public_bytes()), kind=MessageType.GET_CRL),
        _BAD_CERT_ID,
    ),
    "no senderNonce": (_changed(nonce=None), _BAD_REQUEST),
    "no envelope": (_changed(envelope=None), _BAD_REQUEST),
    "envelope is no CMS": (_changed(envelope=b"\x30\x03\x02\x01\x01"), _BAD_REQUEST),
    # Wrong content and wrong padding look the same: else they would be an oracle for who tampers with the ciphertext.
    "content is an INTEGER": (_content(b"\x02\x01\x01"), _BAD_CHECK),
    "content is not ASN.1": (_content(b"hello"), _BAD_CHECK),
    "no challenge password": (lambda bench, device, _unused: bench.request(device, None), _BAD_REQUEST),
    "empty challenge password": (lambda bench, device, _unused: bench.request(device, ""), _BAD_REQUEST),
    "wrong challenge password": (lambda bench, device, _unused: bench.request(device, "wrong"), _BAD_REQUEST),
    "password in lower case": (lambda bench, device, word: bench.request(device, word.lower() + "x"), _BAD_REQUEST),
    "key of 1024 bits": (_from(lambda: Device(new_key(1024))), _BAD_REQUEST),
    "signed with another key": (_another_signer, _BAD_REQUEST),
    "no name at all": (_from(lambda: Device(new_key(), "")), _BAD_REQUEST),
    "name of the CA": (_named(lambda bench: bench.pki.ca.certificate.subject), _BAD_REQUEST),
    "name of the RA": (_named(lambda bench: bench.pki.signer.certificate.subject), _BAD_REQUEST),
    "CA certificate": (_asks_for(x509.BasicConstraints(ca=True, path_length=0), True), _BAD_REQUEST),
    "keyCertSign": (_asks_for(build_key_usage("key_cert_sign")), _BAD_REQUEST),
    "cRLSign": (_asks_for(build_key_usage("digital_signature", "crl_sign")), _BAD_REQUEST),
    "EKU of an RA": (_asks_for(x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.1")])), _BAD_REQUEST),
    "EKU of a CMC RA": (_asks_for(x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")])), _BAD_REQUEST),
    "EKU anything": (_asks_for(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])), _BAD_REQUEST),
    "EKU codeSigning": (_asks_for(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])), _BAD_REQUEST),
    "SAN registeredID": (_names(x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))), _BAD_REQUEST),
    "SAN directoryName": (_names(x509.DirectoryName(_ELSEWHERE)), _BAD_REQUEST),
    "SAN otherName": (_names(x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")), _BAD_REQUEST),
    "SAN with a SID": (
        _names(x509.UniformResourceIdentifier("tag:microsoft.com,2022-09-14:sid:S-1-5-21-1")),
        _BAD_REQUEST,
    ),
    "SID extension": (_asks_for(_SID), _BAD_REQUEST),
    "unknown critical extension": (_asks_for(_UNKNOWN, True), _BAD_REQUEST),
}


@pytest.mark.parametrize("case", NEGATIVE)
def test_refused_with_fail_info(bench: Bench, device: Device, case: str) -> None:
    make, expected = NEGATIVE[case]
    (password,) = bench.passwords()
    assert refused(bench, make(bench, device, password)) is expected
    ((outcome, reason),) = lines(bench)
    assert (outcome, reason.split(":")[0]) == ("refused", expected.camel)
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS, "the next request is served"


def test_unknown_extension_that_is_not_critical_is_left_out(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0], extensions=[(_UNKNOWN, False)])
    (certificate,) = bench.answer(request).certificates
    assert _UNKNOWN.oid not in [extension.oid for extension in certificate.extensions]


def test_only_a_san(bench: Bench) -> None:
    device = Device(new_key(), "")
    names = x509.SubjectAlternativeName([x509.DNSName("nameless.example")])
    request = bench.request(device, bench.passwords()[0], extensions=[(names, False)])
    (certificate,) = bench.answer(request).certificates
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_another_signer_key_may_be_allowed(state: Path, bench: Bench, device: Device) -> None:
    lenient = Bench(state, bench.clock, signer_key_must_match=False)
    request = _another_signer(lenient, device, lenient.passwords()[0])
    assert lenient.answer(request).status is PkiStatus.SUCCESS
    lenient.close()


def test_validity_ends_with_the_ca(state: Path, bench: Bench, device: Device) -> None:
    long = Bench(state, bench.clock, certificate_days=36500)
    (certificate,) = long.enroll(device).certificates
    assert certificate.not_valid_after_utc == bench.pki.ca.certificate.not_valid_after_utc
    long.close()


# What gets an HTTP status

POST = "operation=PKIOperation"


@pytest.mark.parametrize(
    ("method", "query", "body", "status"),
    [
        ("POST", POST, b"", 400),
        ("POST", POST, b"hello", 400),
        ("POST", POST, b"\x30\x80", 400),
        ("POST", POST, b"0" * MAX_BODY, 400),
        ("POST", POST, b"0" * (MAX_BODY + 1), 413),
        ("GET", POST, b"", 400),
        ("GET", POST + "&message=", b"", 400),
        ("GET", POST + "&message=%%%", b"", 400),
        ("GET", POST + "&message=MIIB", b"", 400),
        ("GET", "", b"", 400),
        ("GET", "operation=", b"", 400),
        ("GET", "operation=GetCACert%00", b"", 400),
        ("GET", "operation=getcacert", b"", 400),
        ("GET", "operation=GetNextCACert", b"", 404),
        ("GET", "%ff%fe=%ff&&&=&operation", b"", 400),
        ("POST", "operation=GetCACaps", b"", 405),
        ("PUT", POST, b"", 405),
        ("HEAD", POST, b"", 405),
        ("OPTIONS", "operation=GetCACert", b"", 405),
        ("DELETE", "", b"", 400),
    ],
)
def test_http_status(bench: Bench, method: str, query: str, body: bytes, status: int) -> None:
    response = bench.http(method, query, body)
    assert (response.status, response.content_type) == (status, "text/plain")
    if method != "HEAD":
        assert response.body.count(b"\n") == 1 and response.body.endswith(b".\n")


def test_405_names_the_methods(bench: Bench) -> None:
    assert bench.http("PUT", POST).headers["Allow"] == "GET, POST"


def _bodies(bench: Bench, device: Device) -> Iterator[tuple[str, bytes]]:
    signer, recipient = device.identity, bench.pki.encryption.certificate
    good = bench.request(device, "x")
    yield "truncated", good.message[:-1]
    yield "half", good.message[: len(good.message) // 2]
    yield "no transactionID", bench.request(device, "x", transaction_id=None).message
    yield "transactionID with a line break", bench.request(device, "x", transaction_id="a\nb").message
    yield "transactionID too long", bench.request(device, "x", transaction_id="a" * 256).message
    yield "a certificate", signer.certificate.public_bytes(Encoding.DER)
    yield "a PKCS#10 request", device.csr("x")
    yield "an envelope without a signature", cms.write_enveloped(device.csr("x"), recipient, "aes-128-cbc")
    yield "certificates only", cms.write_degenerate([signer.certificate])
    yield "nested without end", b"\x30\x80" * 5000


def test_not_a_scep_message(bench: Bench, device: Device) -> None:
    for what, body in _bodies(bench, device):
        response = bench.post(body)
        assert (response.status, response.content_type, response.body.count(b"\n")) == (400, "text/plain", 1), what
    assert {outcome for outcome, _unused in lines(bench)} == {"malformed"}


def test_a_body_that_breaks_off(bench: Bench) -> None:
    assert bench.http("POST", POST, b"0" * 10, CONTENT_LENGTH="11").status == 400

    class Broken:
        def read(self, _size: int) -> bytes:
            raise ValueError("chunk size")

    broken: dict[str, Any] = {"wsgi.input": Broken(), "wsgi.input_terminated": True}
    assert bench.http("POST", POST, CONTENT_LENGTH="", **broken).status == 400


def test_the_unforeseen_is_logged_and_not_told(
    bench: Bench, device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_arguments: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Answers, "find", explode)
    with caplog.at_level(logging.ERROR):
        response = bench.post(bench.request(device, "x").message)
    assert response.status == 500
    assert b"secret" not in response.body and b"Traceback" not in response.body
    assert "secret detail" in caplog.text
