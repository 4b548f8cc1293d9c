# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged messages raise ScepError and nothing else, wherever the damage is.

Damage at random places mostly ends at a digest or a signature. So messages are damaged at every depth, and what stands
around is made right again: the PKCS#10 request and then sealed and signed, the envelope and then signed, and so on.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import (
    read_ca_certificates,
    read_next_ca,
    write_next_ca,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import read_csr, verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import ScepError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import open_reply, select_issued
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request, pkcs_req
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    CaCertificates,
    RaRules,
    TrustAnchor,
    resolve,
)
from hypothesis import given
from hypothesis import strategies as st

from support import bench as bench_module
from support import forge
from support import pki as pki_module
from support.damage import damaged
from support.forge import Envelope, SignedMessage
from support.pki import NOW, der

# The library warns of values that it reads all the same.
pytestmark = pytest.mark.filterwarnings("ignore")

LEGACY = policy(legacy=True)
ROUNDS = 2000
Make = Callable[[random.Random], bytes]


@dataclass(frozen=True)
class Conversation:
    """A request and the judged GetCACert answer."""

    request: Request
    ca: CaCertificates


@cache
def conversation() -> Conversation:
    bench = bench_module.bench()
    request = pkcs_req(bench.csr, bench.pki.device, bench.pki.ra_encrypt.certificate, "sha256", "aes-128-cbc")
    ca = resolve(bench.pki.ndes, TrustAnchor(certificates=(bench.pki.ca.certificate,)), LEGACY, NOW, RaRules())
    return Conversation(request, ca)


def reply_message() -> SignedMessage:
    pki, request = pki_module.shared(), conversation().request
    return SignedMessage(
        reply_envelope().build(), forge.reply_attributes(0, request.transaction_id, request.sender_nonce), pki.ra_sign
    )


@cache
def reply_envelope() -> Envelope:
    pki = pki_module.shared()
    plain = forge.degenerate([der(pki.issue(pki.device.key)), der(pki.ca.certificate)])
    return Envelope(plain, [pki.device.certificate], key=b"k" * 16, vector=b"v" * 16, encrypted_key=_wrapped())


@cache
def _wrapped() -> bytes:
    """The content key, encrypted once: RSA is dear."""
    pki = pki_module.shared()
    found = asn1.read(Envelope(b"", [pki.device.certificate], key=b"k" * 16).build())
    return found.child(1).child(0).child(1).child(0).child(3).octets()


def signed_attributes(message: SignedMessage, chance: random.Random) -> SignedMessage:
    """One attribute's value damaged, and signed for."""
    oid = chance.choice(list(message.attributes))
    values = [damaged(value, chance) for value in message.attributes[oid]]
    return message.but(attributes={oid: chance.choice((values, values * 2, []))})


def certificate_damaged(cert: bytes, chance: random.Random) -> bytes:
    """A certificate damaged in what would be signed."""
    outer = asn1.read(cert)
    tbs = damaged(outer.child(0).raw, chance)
    return asn1.sequence(tbs, outer.child(1).raw, asn1.bit_string(bytes(256)))


def request_bodies() -> dict[str, Make]:
    bench = bench_module.bench()
    message, ber = bench.message, bench.message.but(pieces=100).build()
    plain = message.build()
    inner = replace(bench.envelope, key=b"k" * 16)
    sealed_der, sealed_ber = inner.build(), replace(inner, style="indefinite").build()
    device = der(bench.pki.device.certificate)
    return {
        "the message": lambda chance: damaged(plain, chance),
        "the message in BER": lambda chance: damaged(ber, chance),
        "the attributes": lambda chance: signed_attributes(message, chance).build(),
        "the signer's certificate": lambda chance: message.but(
            certificates=[damaged(device, chance)], signature=b"x" * 256
        ).build(),
        "the envelope": lambda chance: message.but(content=damaged(sealed_der, chance)).build(),
        "the envelope in BER": lambda chance: message.but(content=damaged(sealed_ber, chance)).build(),
        "the PKCS#10 request": lambda chance: message.but(
            content=replace(inner, plain=damaged(bench.csr, chance)).build()
        ).build(),
    }


@pytest.mark.parametrize("what", request_bodies())
def test_damaged_requests(what: str) -> None:
    bench, make = bench_module.bench(), request_bodies()[what]
    opened = 0
    for seed in range(ROUNDS // 7):
        try:
            found = bench.open(make(random.Random(seed)), LEGACY)
            assert found.csr is not None
            opened += 1
            verify_csr(found.csr, LEGACY)
        except ScepError as error:
            assert str(error)
    assert opened < ROUNDS // 7


def reply_bodies() -> dict[str, Make]:
    pki, message, envelope = pki_module.shared(), reply_message(), reply_envelope()
    plain, ber, sealed = message.build(), message.but(pieces=100).build(), envelope.build()
    ra = der(pki.ra_sign.certificate)
    issued = der(pki.issue(pki.device.key))
    return {
        "the message": lambda chance: damaged(plain, chance),
        "the message in BER": lambda chance: damaged(ber, chance),
        "the attributes": lambda chance: signed_attributes(message, chance).build(),
        "the signer's certificate": lambda chance: message.but(certificates=[damaged(ra, chance)]).build(),
        "another certificate": lambda chance: message.but(
            certificates=[ra, certificate_damaged(issued, chance)]
        ).build(),
        "the envelope": lambda chance: message.but(content=damaged(sealed, chance)).build(),
        "the set of certificates": lambda chance: message.but(
            content=replace(envelope, plain=damaged(envelope.plain, chance)).build()
        ).build(),
        "the issued certificate": lambda chance: message.but(
            content=replace(envelope, plain=forge.degenerate([certificate_damaged(issued, chance)])).build()
        ).build(),
    }


@pytest.mark.parametrize("what", reply_bodies())
def test_damaged_replies(what: str) -> None:
    make, talk = reply_bodies()[what], conversation()
    key = pki_module.rsa_key("device").public_key()
    for seed in range(ROUNDS // 8):
        try:
            reply = open_reply(make(random.Random(seed)), talk.request, talk.ca, LEGACY, NOW)
            select_issued(reply, key, talk.ca, NOW)
        except ScepError:
            pass


@pytest.mark.parametrize("what", ["one certificate", "a set", "one certificate inside", "the next CA"])
def test_damaged_ca_certificates(what: str) -> None:
    pki, talk = pki_module.shared(), conversation()
    single, several = der(pki.ca.certificate), forge.degenerate([der(one) for one in pki.ndes])
    following = write_next_ca([pki.root.certificate], pki.ca, "sha256")
    make: dict[str, Make] = {
        "one certificate": lambda chance: damaged(single, chance),
        "a set": lambda chance: damaged(several, chance),
        "one certificate inside": lambda chance: forge.degenerate([certificate_damaged(single, chance), single]),
        "the next CA": lambda chance: damaged(following, chance),
    }
    anchor = TrustAnchor(certificates=(pki.ca.certificate,))
    for seed in range(ROUNDS // 4):
        body = make[what](random.Random(seed))
        try:
            if what == "the next CA":
                read_next_ca(body, talk.ca, LEGACY, NOW)
            else:
                resolve(read_ca_certificates(body), anchor, LEGACY, NOW, RaRules(require_eku=False))
        except ScepError:
            pass


def test_damaged_pkcs10_requests() -> None:
    for seed in range(ROUNDS):
        with contextlib.suppress(ScepError):
            verify_csr(read_csr(damaged(bench_module.bench().csr, random.Random(seed))), LEGACY)


@given(st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    talk = conversation()
    for read in (
        lambda: bench_module.bench().open(data),
        lambda: open_reply(data, talk.request, talk.ca, LEGACY, NOW),
        lambda: read_ca_certificates(data),
        lambda: read_csr(data),
        lambda: read_next_ca(data, talk.ca, LEGACY, NOW),
    ):
        with pytest.raises(ScepError):
            read()
