# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that do it otherwise, and rightly: whatever the variation, a certificate comes of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ensure import ensure_certificate
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import not_after, not_before
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    fingerprint,
    load_certificate,
    same_key,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from support import forge
from support import pki as pki_module
from support import variations as var
from support.awkward import Answer, Awkward
from support.pki import CLIENT_AUTH, rsa_identifier
from support.task import Run

MODERN = ("POST", "sha256", "aes-128-cbc")
OLD = ("GET", "sha1", "des-ede3-cbc")
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
NEGOTIATED = "POSTPKIOperation\nSHA-256\nAES\n"
ASKED_EKU = {"extended_key_usage": ["clientAuth"], "key_usage": ["digitalSignature", "keyEncipherment"]}


@dataclass(frozen=True)
class Case:
    """A server, the task's options, and what follows: the chain, how the request was sent, what the CA overrode."""

    change: var.Change
    options: dict[str, Any] = field(default_factory=dict)
    pinned: str = "ca"
    chain: tuple[str, ...] = ("ca",)
    sent: tuple[str, str, str] = MODERN
    overrode: tuple[str, ...] = ()


def rdns(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


CN, ORGANIZATION = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME
IN_TWO = x509.Name(
    [
        x509.RelativeDistinguishedName(
            [x509.NameAttribute(CN, "sw1.example.com"), x509.NameAttribute(ORGANIZATION, "Example")],
        )
    ]
)
PRINTABLE = x509.Name(
    [
        x509.NameAttribute(ORGANIZATION, "Example", _ASN1Type.PrintableString),
        x509.NameAttribute(CN, "sw1.example.com", _ASN1Type.PrintableString),
    ]
)


def names(*texts: str) -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.SubjectAlternativeName([x509.DNSName(text) for text in texts]), False)]


GET_CA_CERT = {
    "three certificates, as NDES": Case(var.proper),
    "the CA first": Case(var.offered("ca", "ra_sign", "ra_encrypt")),
    "the encrypting RA first": Case(var.offered("ra_encrypt", "ca", "ra_sign")),
    "each of them twice": Case(var.offered("ra_sign", "ca", "ra_encrypt", "ra_sign", "ca", "ra_encrypt")),
    "a device and another CA beside": Case(var.offered("enrolled", "other_ca", "ra_sign", "ra_encrypt", "ca")),
    "one RA certificate for all": Case(var.one_ra),
    "one certificate for all": Case(var.layout("ca", "ca")),
    "one certificate for all, in a set": Case(var.both(var.layout("ca", "ca"), var.ca_in_a_set)),
    "another Content-Type": Case(
        var.both(
            var.layout("ca", "ca"),
            lambda server: server.answers.update(
                GetCACert=Answer(pki_module.der(server.pki.ca.certificate), content_type="application/pkix-cert")
            ),
        )
    ),
    "an intermediate CA below the pinned root": Case(
        var.layout("intermediate_ra", "root", "intermediate_ra", "intermediate"),
        pinned="root",
        chain=("intermediate", "root"),
    ),
    "an intermediate CA that is pinned itself": Case(
        var.layout("intermediate_ra", "root", "intermediate_ra", "intermediate"),
        pinned="intermediate",
        chain=("intermediate",),
    ),
    "an EC key of the CA": Case(var.layout("ec_ra", "ec_ra", "ec_ca"), pinned="ec_ca", chain=("ec_ca",)),
}

GET_CA_CAPS = {
    "no GetCACaps": Case(var.answers("GetCACaps", Answer(b"", 404)), sent=OLD),
    "a web page for GetCACaps": Case(var.answers("GetCACaps", var.PAGE), sent=OLD),
    "nothing in GetCACaps": Case(var.capabilities(b""), sent=OLD),
    "no POST": Case(var.capabilities(b"AES\nSHA-256\n"), sent=("GET", *MODERN[1:])),
    "SCEPStandard alone": Case(var.capabilities(b"SCEPStandard")),
    "CRLF, and none at the end": Case(var.capabilities(b"Renewal\r\nSHA-1\r\nSHA-256\r\nAES\r\nPOSTPKIOperation")),
    "other case, blanks and words": Case(var.capabilities(b" aes \n\nsha-256\nUpdate\npostpkioperation\n")),
    "a charset": Case(var.capabilities(b"AES\nSHA-256\nPOSTPKIOperation\n", "text/plain; charset=utf-8")),
    "as NDES of 2019": Case(
        var.capabilities(b"POSTPKIOperation\nRenewal\nSHA-512\nSHA-256\nSHA-1\nDES3"),
        sent=("POST", "sha256", "des-ede3-cbc"),
    ),
    "the strongest digest alone": Case(
        var.capabilities(b"POSTPKIOperation\nSHA-512\nAES"), sent=("POST", "sha512", "aes-128-cbc")
    ),
}

HTTP = {
    "HTTP/1.0": Case(lambda server: setattr(server, "protocol", "HTTP/1.0")),
    "HTTP/1.0 without a length": Case(
        var.both(lambda server: setattr(server, "protocol", "HTTP/1.0"), var.wrapped(framing="close"))
    ),
    "a reply in chunks": Case(var.wrapped(framing="chunks")),
    "a reply as octet-stream": Case(var.wrapped(content_type="application/octet-stream")),
    "a reply with a charset": Case(var.wrapped(content_type="application/x-pki-message; charset=utf-8")),
    "a reply without Content-Type": Case(var.wrapped(content_type=None)),
    "a reply that is called a web page": Case(var.wrapped(content_type="text/html")),
    "a slow reply": Case(var.wrapped(pause=0.0001), {"timeout": 300.0}),
}

REPLY = {
    "signed by the CA itself": Case(var.signed_by(lambda server: server.pki.ca)),
    "no certificates around": Case(var.forged(certificates=[])),
    "signer and CA around": Case(
        var.forged(
            certificates=lambda server, request: [
                pki_module.der(one.certificate) for one in (server.pki.ra_sign, server.pki.ca)
            ]
        )
    ),
    "all of GetCACert around": Case(
        var.forged(certificates=lambda server, request: [pki_module.der(one) for one in server.pki.ndes])
    ),
    "leaf, then CA": Case(var.inside("leaf", "ca")),
    "CA, then leaf": Case(var.inside("ca", "leaf")),
    "somebody else's certificates beside": Case(var.inside("other_ca", "enrolled", "leaf", "ra_sign")),
    "an older certificate beside": Case(var.an_older_one_beside),
    "3DES, whatever was asked": Case(var.enveloped(cipher="des-ede3-cbc")),
    "AES-256 and SHA-512": Case(var.forged(envelope={"cipher": "aes-256-cbc"}, digest="sha512")),
    "SHA-1, named with RSA": Case(var.forged(digest="sha1", signature_identifier=rsa_identifier("sha1"))),
    "the senderNonce of the request again": Case(
        var.forged(
            attributes=lambda server, request: {forge.SENDER_NONCE: [asn1.octet_string(request.header.sender_nonce)]}
        )
    ),
    "no senderNonce": Case(var.attribute(forge.SENDER_NONCE)),
    "failInfo with SUCCESS": Case(var.attribute(forge.FAIL_INFO, asn1.printable("2"))),
    "a signing time": Case(var.attribute(forge.SIGNING_TIME, asn1.tlv(0x17, b"261125234105Z"))),
    "BER in pieces, as BouncyCastle": Case(var.forged(pieces=1000, envelope={"style": "indefinite"})),
    "a constructed [0], as Go": Case(var.enveloped(style="go")),
    "attributes unsorted": Case(var.forged(sent_in_order=True)),
    "attributes unsorted, signed as sorted": Case(var.forged(sent_in_order=True, signed_in_order=False)),
    "several recipients": Case(
        var.enveloped(recipients=lambda server, request: [server.pki.ca.certificate, request.header.signer])
    ),
    "single DES, with the switch": Case(var.enveloped(cipher="des-cbc"), {"legacy_algorithms": True}),
    "MD5, with the switch": Case(var.forged(digest="md5"), {"legacy_algorithms": True}),
    "PENDING twice": Case(var.pending_first(2), {"wait": 300.0, "poll_interval": 0.01}),
    "PENDING without certificates": Case(var.pending_first(1, include=[]), {"wait": 300.0, "poll_interval": 0.01}),
    "PENDING with empty content": Case(
        var.pending_first(1, empty_content=b"\0"), {"wait": 300.0, "poll_interval": 0.01}
    ),
}
for order in (("leaf", "intermediate", "root"), ("root", "intermediate", "leaf"), ("intermediate", "leaf", "root")):
    REPLY[f"a chain in the order {', '.join(order)}"] = Case(
        var.both(
            var.layout("intermediate_ra", "root", "intermediate_ra", "intermediate"),
            var.inside(*order, signer="intermediate_ra"),
        ),
        pinned="root",
        chain=("intermediate", "root"),
    )

WHOSE = "another {} than was asked for: {} instead of {}"
ISSUED = {
    "a serial number of 159 bits": Case(var.template(serial=2**158 + 1)),
    "a shorter life": Case(var.template(end=dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=3))),
    "RDNs in another order": Case(var.template(subject=rdns((CN, "sw1.example.com"), (ORGANIZATION, "Example")))),
    "names of another string type": Case(var.template(subject=PRINTABLE)),
    "RDNs made one": Case(
        var.template(subject=IN_TWO),
        overrode=(WHOSE.format("subject", "CN=sw1.example.com+O=Example", "CN=sw1.example.com,O=Example"),),
    ),
    "another subject": Case(
        var.template(subject=rdns((ORGANIZATION, "Other"), (CN, "sw1.example.com"))),
        overrode=(WHOSE.format("subject", "CN=sw1.example.com,O=Other", "CN=sw1.example.com,O=Example"),),
    ),
    "no names": Case(
        var.template(extensions=()),
        overrode=(WHOSE.format("subject_alt_name", "none", "DNS:sw1.example.com"),),
    ),
    "another name": Case(
        var.template(extensions=names("sw1.example.com", "sw1")),
        overrode=(WHOSE.format("subject_alt_name", "DNS:sw1, DNS:sw1.example.com", "DNS:sw1.example.com"),),
    ),
    "another purpose": Case(
        var.template(extensions=names("sw1.example.com"), usage=("digital_signature",), eku=(SERVER_AUTH, CLIENT_AUTH)),
        ASKED_EKU,
        overrode=(
            WHOSE.format("key_usage", "digitalSignature", "digitalSignature, keyEncipherment"),
            WHOSE.format("extended_key_usage", "clientAuth, serverAuth", "clientAuth"),
        ),
    ),
    "a purpose where none was asked": Case(var.template(usage=("digital_signature",), eku=(CLIENT_AUTH,))),
}

CASES = {**GET_CA_CERT, **GET_CA_CAPS, **HTTP, **REPLY, **ISSUED}


@pytest.mark.parametrize("name", CASES)
def test_enrolled(certificate_task: Run, given_key: Any, server: Awkward, name: str) -> None:
    """A certificate for the key, its chain, what was overridden told once; and the next run asks nobody."""
    case, folder, task = CASES[name], certificate_task.folder, certificate_task
    case.change(server)
    pinned = getattr(server.pki, case.pinned).certificate
    task.options.update(chain_path="chain.pem", ca_fingerprint=[fingerprint(pinned)], **case.options)
    result = perform(ensure_certificate, task.context())
    assert (result["failed"], result["msg"]) == (False, "Enrolled: there is no certificate.")
    certificate = load_certificate((folder / "sw1.pem").read_bytes())
    assert same_key(certificate.public_key(), given_key.public_key())
    assert not_after(certificate) - not_before(certificate) <= dt.timedelta(days=400)
    chain = [getattr(server.pki, one).certificate.public_bytes(Encoding.PEM) for one in case.chain]
    assert (folder / "chain.pem").read_bytes() == b"".join(chain)
    header = server.requests[0].header
    sent = next(one for one in server.received if one.operation == "PKIOperation")
    assert (sent.method, header.digest, header.cipher) == case.sent
    overrode = [f"The CA gave {one}." for one in case.overrode]
    assert result["ca_overrode"] == overrode
    assert task.warnings == ([f"The CA gave {'; '.join(case.overrode)}."] if overrode else [])
    asked = len(server.received)
    again = perform(ensure_certificate, task.context())
    assert (again["failed"], again["changed"], again["ca_overrode"]) == (False, False, overrode)
    assert len(server.received) == asked
    assert sorted(path.name for path in folder.iterdir()) == ["chain.pem", "sw1.key", "sw1.pem", "sw1.pem.scep.json"]
