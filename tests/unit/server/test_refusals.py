# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused with a signed CertRep: the exact failInfo of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1, cms
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, Request
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from scep_device import Bench, Device, ServedWith, message, new_key

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
    assert bench.refused(make(bench, device, password)) is expected
    ((outcome, reason),) = bench.lines()
    assert (outcome, reason.split(":")[0]) == ("refused", expected.camel)
    assert bench.answer(bench.request(device, password)).status is PkiStatus.SUCCESS, "the next request is served"


def test_unknown_extension_that_is_not_critical_is_left_out(bench: Bench, device: Device) -> None:
    request = bench.request(device, bench.passwords()[0], extensions=[(_UNKNOWN, False)])
    (certificate,) = bench.answer(request).certificates
    assert _UNKNOWN.oid not in [extension.oid for extension in certificate.extensions]


def test_another_signer_key_may_be_allowed(served_with: ServedWith, device: Device) -> None:
    lenient = served_with(signer_key_must_match=False)
    request = _another_signer(lenient, device, lenient.passwords()[0])
    assert lenient.answer(request).status is PkiStatus.SUCCESS
