# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#10 requests (RFC 2986) with a challengePassword (RFC 2985 section 5.4.1)."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import _deps
from . import asn1, constants
from ._compat import UNREADABLE
from .algorithms import DIGESTS, AlgorithmPolicy, policy, sign, signature_digest, verify
from .errors import (
    UNPROVEN,
    BadAlgorithm,
    BadKeySize,
    DecodeError,
    MalformedContent,
    MessageError,
    SignatureInvalid,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as exc:
    _deps.missing("cryptography", exc)

MAX_RSA_BITS = 8192
"""Larger keys only cost the verifier time; devices have at most 4096."""

_MALFORMED: tuple[type[Exception], ...] = (DecodeError, *UNREADABLE)
_EVERY_ALGORITHM = policy(legacy=True)
_PRINTABLE = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?")


@dataclass(frozen=True)
class CertificateRequest:
    """A PKCS#10 request as received: `raw` is its DER, `challenge_password` None without one."""

    raw: bytes
    subject: x509.Name
    public_key: Any
    challenge_password: str | None
    extensions: x509.Extensions


def directory_string(text: str) -> bytes:
    """PrintableString where its alphabet suffices, which every server takes, UTF8String otherwise."""
    return asn1.printable(text) if _PRINTABLE.issuperset(text) else asn1.utf8(text)


def build_csr(
    key: Any,
    subject: x509.Name,
    *,
    challenge_password: str | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    digest: str = "sha256",
) -> bytes:
    """Make and sign a request, in DER; `extensions` are (value, critical) pairs.

    Attributes are written straight from DER, because the library can choose the string type of a challengePassword in
    its newer versions alone.
    """
    attributes = []
    if challenge_password is not None:
        value = directory_string(challenge_password)
        attributes.append(asn1.sequence(asn1.oid(constants.OID_CHALLENGE_PASSWORD), asn1.tlv(asn1.SET, value)))
    if extensions:
        encoded = asn1.sequence(*(_extension(value, critical) for value, critical in extensions))
        attributes.append(asn1.sequence(asn1.oid(constants.OID_EXTENSION_REQUEST), asn1.tlv(asn1.SET, encoded)))
    information = asn1.sequence(
        asn1.integer(0),
        subject.public_bytes(),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"\xa0" + asn1.set_of(*attributes)[1:],
    )
    algorithm = DIGESTS[digest]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        identifier = asn1.sequence(asn1.oid(algorithm.ecdsa_oid))
    else:
        identifier = asn1.sequence(asn1.oid(algorithm.rsa_oid), asn1.ASN1_NULL)
    return asn1.sequence(information, identifier, asn1.bit_string(sign(key, information, digest)))


def _extension(value: x509.ExtensionType, critical: bool) -> bytes:
    return asn1.sequence(
        asn1.oid(value.oid.dotted_string),
        b"\x01\x01\xff" if critical else b"",
        asn1.octet_string(value.public_bytes()),
    )


def read_csr(der: bytes) -> CertificateRequest:
    """Read a request without verifying it; attributes may come in any order.

    Raises DecodeError when `der` is not one ASN.1 structure, MalformedContent when it is not a request.
    """
    outer = asn1.read(der)
    der = outer.raw  # without padding behind it
    try:
        attributes = _attributes(outer)
        request = _load(der, outer, attributes)
        return CertificateRequest(
            der, request.subject, request.public_key(), _challenge_password(attributes), request.extensions
        )
    except _MALFORMED as error:
        raise MalformedContent(f"The PKCS#10 request is malformed: {error}") from None


def _attributes(outer: asn1.Element) -> list[asn1.Element]:
    information = outer.expect(asn1.SEQUENCE, "PKCS#10 request").child(0).children()
    attributes = information[3].children() if len(information) > 3 else []
    types = set()
    for attribute in attributes:
        attribute.child(1).child(0)  # version 36 of the library panics where there is no value
        types.add(attribute.child(0).oid())
    if len(types) != len(attributes):  # which of two challenge passwords would count?
        raise DecodeError("An attribute is there twice.")
    return attributes


def _load(der: bytes, outer: asn1.Element, attributes: list[asn1.Element]) -> x509.CertificateSigningRequest:
    """Load with the library, which insists on sorted attributes: where they are not, a sorted copy is loaded.

    The copy's signature is void; `verify_csr` looks at the original bytes in any case.
    """
    try:
        request = x509.load_der_x509_csr(der)
        request.extensions  # noqa: B018  # parsed on first use, and the order of attributes with them
        return request
    except ValueError:
        information = outer.child(0).children()
        ordered = b"\xa0" + asn1.set_of(*(asn1.to_der(attribute) for attribute in attributes))[1:]
        again = asn1.sequence(
            asn1.sequence(*(asn1.to_der(field) for field in information[:3]), ordered),
            asn1.to_der(outer.child(1)),
            asn1.to_der(outer.child(2)),
        )
        return x509.load_der_x509_csr(again)


def _challenge_password(attributes: list[asn1.Element]) -> str | None:
    for attribute in attributes:
        if attribute.child(0).oid() == constants.OID_CHALLENGE_PASSWORD:
            return attribute.child(1).child(0).text()
    return None


def check_rsa_key(public_key: Any, allowed: AlgorithmPolicy, what: str) -> None:
    """Raise unless the key is an RSA key of a size that is taken; `what` names it in the sentence."""
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise BadAlgorithm(f"The key of {what} is not an RSA key, and SCEP encrypts to RSA keys only.")
    if not allowed.min_rsa_bits <= public_key.key_size <= MAX_RSA_BITS:
        raise BadKeySize(
            f"The key of {what} has {public_key.key_size} bits; {allowed.min_rsa_bits} to {MAX_RSA_BITS} are accepted."
        )


def verify_csr(csr: CertificateRequest, allowed: AlgorithmPolicy) -> None:
    """Proof of possession: the request is signed by the key in it, over the original bytes (RFC 8894 section 3.3.1).

    Nothing of the request is told before its signature holds (see `UNPROVEN`). Raises SignatureInvalid, and of an
    authentic request BadAlgorithm, or BadRequest for a key of the wrong size.
    """
    outer = asn1.read(csr.raw)
    try:
        digest, salt = signature_digest(outer.child(1), _EVERY_ALGORITHM)
        verify(csr.public_key, outer.child(2).bits(), outer.child(0).raw, digest, salt)
    except (DecodeError, MessageError) as error:
        raise SignatureInvalid(UNPROVEN) from error
    allowed.allowed_digest(digest)
    check_rsa_key(csr.public_key, allowed, "the PKCS#10 request")
