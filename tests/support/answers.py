# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies to one request, right in every field, to be set wrong in one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import (
    Reply,
    open_reply,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    Identity,
    Request,
    RequestHeader,
    open_request,
    pkcs_req,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.trust import (
    CaCertificates,
    RaRules,
    TrustAnchor,
    resolve,
)
from cryptography import x509

from . import bench as bench_module
from . import forge
from . import pki as pki_module
from .forge import Envelope, SignedMessage
from .pki import NOW, der


def ca_certificates(
    offered: Sequence[x509.Certificate], pinned: x509.Certificate, ra: RaRules | None = None
) -> CaCertificates:
    """A GetCACert answer, judged with one pinned certificate."""
    return resolve(offered, TrustAnchor(certificates=(pinned,)), policy(legacy=True), NOW, ra)


@cache
def ndes() -> CaCertificates:
    """The layout of NDES with its CA pinned."""
    pki = pki_module.shared()
    return ca_certificates(pki.ndes, pki.ca.certificate)


@cache
def asked(digest: str = "sha256", cipher: str = "aes-128-cbc") -> tuple[Request, RequestHeader]:
    """A request, and what the server knows of it."""
    bench = bench_module.bench()
    request = pkcs_req(bench.csr, bench.pki.device, bench.pki.ra_encrypt.certificate, digest, cipher)
    return request, open_request(request.message, [bench.pki.ra_encrypt], policy(legacy=True)).header


@cache
def issued() -> x509.Certificate:
    """What the CA issues for that request."""
    pki = pki_module.shared()
    return pki.issue(pki.device.key)


@cache
def crl() -> bytes:
    """A CRL of the CA, in DER."""
    ca = pki_module.shared().ca
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + dt.timedelta(days=1))
    return pki_module.crl_der(builder, ca.key)


def opened(body: bytes, ca: CaCertificates | None = None, allowed: AlgorithmPolicy | None = None) -> Reply:
    """What the client makes of a reply."""
    return open_reply(body, asked()[0], ca or ndes(), allowed or policy(), NOW)


def reply_to(
    header: RequestHeader,
    inside: Sequence[x509.Certificate],
    status: int = 0,
    signer: Identity | None = None,
    envelope: Mapping[str, Any] | None = None,
    **changes: Any,
) -> bytes:
    """A right reply with these certificates inside, written apart from the code under test.

    `envelope` are changes of the envelope, the others of what is around it.
    """
    content = None
    if status == 0:
        assert header.signer is not None
        sealed = Envelope(forge.degenerate([der(one) for one in inside]), [header.signer])
        content = replace(sealed, **(envelope or {})).build()
    attributes = forge.reply_attributes(status, header.transaction_id, header.sender_nonce)
    return SignedMessage(content, attributes, signer or pki_module.shared().ra_sign).but(**changes).build()


def forged(status: int = 0, signer: Identity | None = None, **changes: Any) -> bytes:
    """A right reply to the one request, with changes."""
    return reply_to(asked()[1], [issued()], status, signer, **changes)


def enveloped(**changes: Any) -> bytes:
    """The same with changes in its envelope."""
    return forged(envelope=changes)


def attribute(oid: str, *values: bytes, status: int = 0) -> bytes:
    """A right reply with other values of one attribute; without it when there are none."""
    return forged(status, attributes={oid: list(values) or None})


def namesake() -> Identity:
    """Calls itself the CA, with a key of its own."""
    return pki_module.authority("Test CA", "attacker")
