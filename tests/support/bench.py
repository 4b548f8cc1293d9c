# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request that is right in every field, to be set wrong in one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    IncomingRequest,
    open_request,
)
from cryptography import x509

from . import forge, pki
from .forge import Envelope, SignedMessage
from .pki import Pki

SUBJECT = pki.name("device", organization_name="Example")


@dataclass(frozen=True)
class Bench:
    """The PKI, a PKCS#10 request, the envelope around it, and the signed message around that."""

    pki: Pki
    csr: bytes
    envelope: Envelope
    message: SignedMessage

    def sealed(self, kind: int = 19, **changes: Any) -> bytes:
        """A well-signed message around an envelope with these changes."""
        attributes = {forge.MESSAGE_TYPE: [asn1.printable(str(int(kind)))]}
        return self.message.but(content=replace(self.envelope, **changes).build(), attributes=attributes).build()

    def signed(self, **changes: Any) -> bytes:
        """A message with these changes."""
        return self.message.but(**changes).build()

    def with_attribute(self, oid: str, *values: bytes) -> bytes:
        """A message with these values of one attribute; without the attribute when there are none."""
        return self.signed(attributes={oid: list(values) or None})

    def open(self, body: bytes, allowed: AlgorithmPolicy | None = None) -> IncomingRequest:
        """What the server makes of it."""
        return open_request(body, [self.pki.ra_encrypt], allowed or policy())


@cache
def bench() -> Bench:
    """The session's bench."""
    shared = pki.shared()
    san = x509.SubjectAlternativeName([x509.DNSName("device.example.com")])
    csr = build_csr(shared.device.key, SUBJECT, challenge_password="secret", extensions=[(san, False)])
    envelope = Envelope(csr, [shared.ra_encrypt.certificate])
    return Bench(shared, csr, envelope, SignedMessage(envelope.build(), forge.request_attributes(), shared.device))


def tiny_signer() -> Identity:
    """A device with an RSA key of 1,024 bits."""
    key = pki.rsa_key("tiny", 1024)
    return Identity(pki.certificate("tiny", key), key)


def ec_signer() -> Identity:
    """A device with an EC key."""
    key = pki.ec_key("device")
    return Identity(pki.certificate("device", key), key)
