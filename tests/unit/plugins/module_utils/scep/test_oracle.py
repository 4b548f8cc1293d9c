# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""asn1crypto, which shares no line with the code under test, reads all that it writes, and finds the same in it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import requests
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import CIPHERS, DIGESTS
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_ca_certificates, write_next_ca
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import identity
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, RequestHeader
from asn1crypto import cms, core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding

from support import forge
from support import pki as pki_module
from support.bench import SUBJECT, Bench
from support.pki import Pki

SCEP_STRINGS = (forge.MESSAGE_TYPE, forge.PKI_STATUS, forge.FAIL_INFO, forge.TRANSACTION_ID, forge.MS_ERROR)
DOTTED = {"content_type": forge.CONTENT_TYPE, "message_digest": forge.MESSAGE_DIGEST}


def judge(body: bytes, signer: Identity | None, digest: str) -> tuple[Any, dict[str, Any]]:
    """The SignedData, after all that can be said of its form and its signature, and its attributes."""
    info = cms.ContentInfo.load(body, strict=True)
    assert info["content_type"].native == "signed_data"
    signed = info["content"]
    assert signed["version"].native == "v1"
    assert signed["encap_content_info"]["content_type"].native == "data"
    if signer is None:
        assert len(signed["signer_infos"]) == 0
        return signed, {}
    (one,) = signed["signer_infos"]
    assert one["version"].native == "v1"
    sid = one["sid"].chosen
    assert (sid["issuer"].dump(), sid["serial_number"].native) == identity(signer.certificate)
    assert [algorithm["algorithm"].native for algorithm in signed["digest_algorithms"]] == [digest]
    assert one["digest_algorithm"]["algorithm"].native == digest

    attributes: dict[str, Any] = {}
    encoded = [attribute.dump() for attribute in one["signed_attrs"]]
    assert encoded == sorted(encoded)  # DER
    for attribute in one["signed_attrs"]:
        (value,) = attribute["values"]
        attributes[DOTTED.get(attribute["type"].native, attribute["type"].native)] = value
    content = signed["encap_content_info"]["content"].native
    assert attributes[forge.CONTENT_TYPE].native == "data"
    assert attributes[forge.MESSAGE_DIGEST].native == hashlib.new(digest, content or b"").digest()
    for oid in SCEP_STRINGS:
        if oid in attributes:
            value = attributes[oid].parse() if isinstance(attributes[oid], core.Any) else attributes[oid]
            assert value.__class__ is core.PrintableString

    covered = one["signed_attrs"].untag().dump(force=True)
    algorithm = pki_module.HASHES[digest]()
    public: Any = signer.certificate.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        assert one["signature_algorithm"]["algorithm"].native == f"{digest}_ecdsa"
        public.verify(one["signature"].native, covered, ec.ECDSA(algorithm))
    else:
        assert one["signature_algorithm"]["algorithm"].dotted == forge.RSA  # the one name that every client takes
        assert one["signature_algorithm"]["parameters"].native is None
        public.verify(one["signature"].native, covered, padding.PKCS1v15(), algorithm)
    return signed, attributes


def text(value: Any) -> str:
    found: str = (value.parse() if isinstance(value, core.Any) else value).native
    return found


def octets(value: Any) -> bytes:
    found: bytes = (value.parse() if isinstance(value, core.Any) else value).native
    return found


def decrypted(signed: Any, receiver: Identity, cipher: str) -> bytes:
    info = cms.ContentInfo.load(signed["encap_content_info"]["content"].native, strict=True)
    assert info["content_type"].native == "enveloped_data"
    enveloped = info["content"]
    assert enveloped["version"].native == "v0"
    (recipient,) = enveloped["recipient_infos"]
    transport = recipient.chosen
    assert transport["version"].native == "v0"
    rid = transport["rid"].chosen
    assert (rid["issuer"].dump(), rid["serial_number"].native) == identity(receiver.certificate)
    assert transport["key_encryption_algorithm"]["algorithm"].dotted == forge.RSA
    key = receiver.key.decrypt(transport["encrypted_key"].native, padding.PKCS1v15())
    content = enveloped["encrypted_content_info"]
    assert content["content_type"].native == "data"
    algorithm = content["content_encryption_algorithm"]
    oid, key_bytes, block = forge.CIPHER_OIDS[cipher]
    assert algorithm["algorithm"].dotted == oid
    vector = algorithm["parameters"].native
    assert (len(key), len(vector)) == (key_bytes, block)
    padded = forge.decrypt(cipher, key, vector, content["encrypted_content"].native)
    count = padded[-1]
    assert 1 <= count <= block
    assert padded[-count:] == bytes((count,)) * count
    return padded[:-count]


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_requests(cipher: str, digest: str, pki: Pki, bench: Bench) -> None:
    to = (pki.device, pki.ra_encrypt.certificate, digest, cipher)
    issuer = pki.ca.certificate.subject
    made = {
        "19": requests.pkcs_req(bench.csr, *to, transaction_id="q1/+Zz0="),
        "17": requests.pkcs_req(bench.csr, *to, renewal=True),
        "20": requests.cert_poll(issuer, SUBJECT, *to, transaction_id="T"),
        "21": requests.get_cert(issuer, 255, *to),
        "22": requests.get_crl(issuer, 2**158, *to),
    }
    for kind, request in made.items():
        signed, attributes = judge(request.message, pki.device, digest)
        assert set(attributes) == {
            forge.CONTENT_TYPE,
            forge.MESSAGE_DIGEST,
            forge.MESSAGE_TYPE,
            forge.TRANSACTION_ID,
            forge.SENDER_NONCE,
        }
        assert text(attributes[forge.MESSAGE_TYPE]) == kind
        assert text(attributes[forge.TRANSACTION_ID]) == request.transaction_id
        assert octets(attributes[forge.SENDER_NONCE]) == request.sender_nonce
        assert [one.chosen.dump() for one in signed["certificates"]] == [pki_module.der(pki.device.certificate)]
        plain = decrypted(signed, pki.ra_encrypt, cipher)
        if kind in ("19", "17"):
            assert plain == bench.csr
        elif kind == "20":
            pair = core.SequenceOf.load(plain, spec=core.Any, strict=True)
            assert [one.dump() for one in pair] == [issuer.public_bytes(), SUBJECT.public_bytes()]
        else:
            named = cms.IssuerAndSerialNumber.load(plain, strict=True)
            assert named["issuer"].dump() == issuer.public_bytes()
            assert named["serial_number"].native == (255 if kind == "21" else 2**158)


def header(pki: Pki, digest: str, cipher: str) -> RequestHeader:
    return RequestHeader(None, "SSCEP transactionId", b"n" * 16, pki.device.certificate, digest, cipher)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_success(cipher: str, digest: str, pki: Pki) -> None:
    issued = pki.issue(pki.device.key)
    crl = x509.CertificateRevocationListBuilder().issuer_name(pki.ca.certificate.subject)
    crl_der = pki_module.crl_der(crl.last_update(pki_module.NOW).next_update(pki_module.END), pki.ca.key)
    body = success(header(pki, digest, cipher), pki.ra_sign, [issued, pki.ca.certificate], crl=crl_der)
    signed, attributes = judge(body, pki.ra_sign, digest)
    assert text(attributes[forge.MESSAGE_TYPE]) == "3"
    assert text(attributes[forge.PKI_STATUS]) == "0"
    assert text(attributes[forge.TRANSACTION_ID]) == "SSCEP transactionId"
    assert octets(attributes[forge.RECIPIENT_NONCE]) == b"n" * 16
    assert len(octets(attributes[forge.SENDER_NONCE])) == 16
    assert forge.FAIL_INFO not in attributes
    assert [one.chosen.dump() for one in signed["certificates"]] == [pki_module.der(pki.ra_sign.certificate)]
    inner, _unused = judge(decrypted(signed, pki.device, cipher), None, digest)
    assert [one.chosen.dump() for one in inner["certificates"]] == [
        pki_module.der(issued),
        pki_module.der(pki.ca.certificate),
    ]
    assert [one.chosen.dump() for one in inner["crls"]] == [crl_der]


def test_failure_and_pending(pki: Pki) -> None:
    about = header(pki, "sha256", "aes-128-cbc")
    body = failure(about, pki.ra_sign, FailInfo.BAD_TIME, text="Ungültig.", hresult=0x80070057, include=[])
    signed, attributes = judge(body, pki.ra_sign, "sha256")
    assert signed["certificates"].native is None
    assert signed["encap_content_info"]["content"].native is None
    assert text(attributes[forge.PKI_STATUS]) == "2"
    assert text(attributes[forge.FAIL_INFO]) == "3"
    assert text(attributes[forge.MS_ERROR]) == "-2147024809"
    assert attributes[forge.FAIL_INFO_TEXT].dump() == core.UTF8String("Ungültig.").dump()
    signed, attributes = judge(pending(about, pki.ec_ca, digest="sha384"), pki.ec_ca, "sha384")
    assert text(attributes[forge.PKI_STATUS]) == "3"
    assert forge.FAIL_INFO not in attributes
    signed, _unused = judge(failure(about, pki.ra_sign, FailInfo.BAD_ALG, empty_content=b"\0"), pki.ra_sign, "sha256")
    assert signed["encap_content_info"]["content"].native == b"\0"


def test_ca_certificates(pki: Pki) -> None:
    signed, _unused = judge(write_ca_certificates(pki.ndes)[0], None, "sha256")
    assert [one.chosen.dump() for one in signed["certificates"]] == [pki_module.der(one) for one in pki.ndes]
    signed, _unused = judge(write_next_ca([pki.root.certificate], pki.ca, "sha512"), pki.ca, "sha512")
    inner, _unused = judge(signed["encap_content_info"]["content"].native, None, "sha512")
    assert [one.chosen.dump() for one in inner["certificates"]] == [pki_module.der(pki.root.certificate)]


def test_all_is_der(pki: Pki, bench: Bench) -> None:
    """Encoding once more what was read, with one certificate each and so no order to keep, changes nothing."""
    about = header(pki, "sha256", "aes-128-cbc")
    to = (pki.device, pki.ra_encrypt.certificate, "sha256", "aes-128-cbc")
    for body in (
        requests.pkcs_req(bench.csr, *to).message,
        success(about, pki.ra_sign, [pki.enrolled.certificate]),
        failure(about, pki.ra_sign, FailInfo.BAD_ALG, text="x"),
        pending(about, pki.ra_sign, include=[]),
        write_next_ca([pki.root.certificate], pki.ca, "sha256"),
    ):
        info = cms.ContentInfo.load(body, strict=True)
        _unused = info["content"].native  # parsed to the ground
        assert info.dump(force=True) == body
