# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways in which SCEP servers differ and err, each as a change of the awkward server that can be named in a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import failure, pending, success
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, IncomingRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import forge
from . import pki as pki_module
from .answers import reply_to
from .awkward import Answer, Awkward

Change = Callable[[Awkward], None]
Reply = Callable[[Awkward, IncomingRequest], bytes]
PAGE = Answer(b"<html>Welcome</html>", content_type="text/html")


def proper(server: Awkward) -> None:
    """No change."""


def both(*changes: Change) -> Change:
    """All of them."""

    def change(server: Awkward) -> None:
        for one in changes:
            one(server)

    return change


def answers(operation: str, answer: Answer) -> Change:
    """This HTTP answer to an operation."""
    return lambda server: server.answers.update({operation: answer})


def capabilities(body: bytes, content_type: str = "text/plain") -> Change:
    """This answer to GetCACaps."""
    return answers("GetCACaps", Answer(body, content_type=content_type))


def wrapped(**fields: Any) -> Change:
    """The reply as it is, in another HTTP answer."""

    def change(server: Awkward) -> None:
        wrap = server.wrap
        server.wrap = lambda body: replace(wrap(body), **fields)

    return change


def offered(*names: str) -> Change:
    """These certificates of the PKI in GetCACert, in this order."""

    def change(server: Awkward) -> None:
        server.offered = certificates(server, names)

    return change


def certificates(server: Awkward, names: Sequence[str]) -> tuple[x509.Certificate, ...]:
    """Those of the PKI with these names."""
    return tuple(getattr(server.pki, name).certificate for name in names)


def template(**fields: Any) -> Change:
    """The CA puts this into every certificate."""
    return lambda server: server.template.update(fields)


def reply(make: Reply) -> Change:
    """The reply is made by a function of server and request."""

    def change(server: Awkward) -> None:
        server.reply = lambda request: make(server, request)

    return change


def refuse(fail_info: FailInfo, **more: Any) -> Change:
    """FAILURE, signed by the RA."""
    return reply(lambda server, request: failure(request.header, server.pki.ra_sign, fail_info, **more))


def signed_by(signer: Callable[[Awkward], Identity]) -> Change:
    """A reply that is right but for its signer."""
    return reply(lambda server, request: reply_to(request.header, [server.certify(request)], signer=signer(server)))


def layout(signer: str, *offers: str) -> Change:
    """Another CA of the PKI: who signs replies and opens requests, and what is offered; the last one issues."""

    def change(server: Awkward) -> None:
        acting = getattr(server.pki, signer)
        server.recipients = [acting]
        server.template["issuer"] = getattr(server.pki, offers[-1])
        offered(*offers)(server)
        signed_by(lambda _unused: acting)(server)

    return change


def forged(status: int = 0, **changes: Any) -> Change:
    """A reply with changes around its envelope; one that is a function gets server and request."""

    def make(server: Awkward, request: IncomingRequest) -> bytes:
        inside = [server.certify(request)] if status == 0 else []
        made = {name: value(server, request) if callable(value) else value for name, value in changes.items()}
        return reply_to(request.header, inside, status, **made)

    return reply(make)


def enveloped(**changes: Any) -> Change:
    """A reply with changes in its envelope; one that is a function gets server and request."""

    def envelope(server: Awkward, request: IncomingRequest) -> dict[str, Any]:
        return {name: value(server, request) if callable(value) else value for name, value in changes.items()}

    return forged(envelope=envelope)


def attribute(oid: str, *values: bytes, status: int = 0) -> Change:
    """A reply with other values of one attribute; without it when there are none."""
    return forged(status, attributes={oid: list(values) or None})


def inside(*words: str, signer: str = "ra_sign") -> Change:
    """The certificates in the reply, in this order: names of the PKI, and `leaf` for the one that is issued."""

    def make(server: Awkward, request: IncomingRequest) -> bytes:
        found = [server.certify(request) if word == "leaf" else getattr(server.pki, word).certificate for word in words]
        return reply_to(request.header, found, signer=getattr(server.pki, signer))

    return reply(make)


def ca_in_a_set(server: Awkward) -> None:
    """GetCACert with one certificate in a set, where it usually stands alone."""
    body = forge.degenerate([pki_module.der(server.pki.ca.certificate)])
    server.answers["GetCACert"] = Answer(body, content_type="application/x-x509-ca-ra-cert")


def one_ra(server: Awkward) -> None:
    """One RA certificate for signing and for encryption, where NDES has two."""
    ra = pki_module.leaf("Test RA for all", "ra-sign", server.pki.ca, eku=[pki_module.RA_EKU])
    server.offered = (ra.certificate, server.pki.ca.certificate)
    server.recipients = [ra]
    signed_by(lambda _unused: ra)(server)


def pending_first(times: int, **more: Any) -> Change:
    """PENDING so many times, then the certificate."""

    def make(server: Awkward, request: IncomingRequest) -> bytes:
        if len(server.requests) <= times:
            return pending(request.header, server.pki.ra_sign, **more)
        return success(request.header, server.pki.ra_sign, [server.certify(server.requests[0])])

    return reply(make)


def an_older_one_beside(server: Awkward) -> None:
    """Two certificates for the key, as a server sends them that has issued one before."""

    def make(server: Awkward, request: IncomingRequest) -> bytes:
        newer = server.certify(request)
        server.template["start"] = server.end - dt.timedelta(days=500)
        return reply_to(request.header, [server.certify(request), newer])

    reply(make)(server)


def expired_ra(server: Awkward) -> None:
    """An RA certificate whose time is over, in GetCACert."""
    server.offered = (_expired_ra(server).certificate, server.pki.ca.certificate)


def signed_by_an_expired_ra(server: Awkward) -> None:
    """The same as the signer of a reply."""
    signed_by(_expired_ra)(server)


def _expired_ra(server: Awkward) -> Identity:
    return pki_module.leaf("Old RA", "ra-sign", server.pki.ca, eku=[pki_module.RA_EKU], end=pki_module.NOW)


def ca_in_pem(server: Awkward) -> None:
    """GetCACert in PEM, which no standard has."""
    server.answers["GetCACert"] = Answer(server.pki.ca.certificate.public_bytes(Encoding.PEM))


def ca_cut_off(server: Awkward) -> None:
    """GetCACert without its last octets."""
    server.answers["GetCACert"] = Answer(pki_module.der(server.pki.ca.certificate)[:-5])


def issued_by_another_ca(server: Awkward) -> None:
    """The certificate comes from a CA that nobody trusts."""
    server.template["issuer"] = server.pki.other_ca


def not_encrypted(server: Awkward, request: IncomingRequest) -> bytes:
    """The certificate for all to see."""
    content = forge.degenerate([pki_module.der(server.certify(request))])
    return reply_to(request.header, [], signer=server.pki.ra_sign, content=content)
