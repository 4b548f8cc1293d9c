# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that enrol, their requests made beforehand, and the RSA operations that nobody can do without."""

from __future__ import annotations

import datetime as dt
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import self_signed
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import build_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import ScepError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import open_reply, select_issued
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity, Request, pkcs_req
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from benchmark.servers import Running

ALLOWED = policy(legacy=True)
"""micromdm answers with single DES and SHA-1."""
KEYS = 8


def now() -> dt.datetime:
    """The time, aware."""
    return dt.datetime.now(dt.UTC)


@dataclass
class Devices:
    """A few RSA-2048 keys, made once: making keys is not what is measured."""

    keys: list[rsa.RSAPrivateKey] = field(
        default_factory=lambda: [rsa.generate_private_key(65537, 2048) for _key in range(KEYS)]
    )

    def requests(self, server: Running, count: int) -> list[Request]:
        """`count` different requests, each with a challenge password of its own where the server has one-time ones."""
        made = []
        for number in range(count):
            key = self.keys[number % KEYS]
            name = f"bench-{number}-{os.urandom(4).hex()}"
            subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
            names = x509.SubjectAlternativeName([x509.DNSName(f"{name}.example.test")])
            csr = build_csr(key, subject, challenge_password=server.challenges.pop(), extensions=[(names, False)])
            signer = Identity(self_signed(key, subject, now()), key)
            made.append(pkcs_req(csr, signer, server.ca.recipient, "sha256", "aes-128-cbc"))
        return made


@dataclass
class Outcome:
    """What became of requests: serial numbers of the issued certificates, and sentences about the failed ones."""

    seconds: float = 0.0
    serials: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def post(server: Running, requests: Sequence[Request], connections: int = 1) -> Outcome:
    """Send the requests over keep-alive connections, and only then look at the answers."""
    answers: list[tuple[Request, bytes | str]] = []
    shares = [requests[start::connections] for start in range(connections)]
    threads = [threading.Thread(target=_post, args=(server, share, answers.append)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome = Outcome(time.perf_counter() - began)
    for request, body in answers:
        try:
            if not isinstance(body, bytes):
                raise ScepError(body)
            reply = open_reply(body, request, server.ca, ALLOWED, now())
            if reply.status is not PkiStatus.SUCCESS:
                raise ScepError(f"{reply.status.name} {reply.fail_info_text}")
            issued, _chain = select_issued(reply, request.signer.certificate.public_key(), server.ca, now())
            outcome.serials.append(issued.serial_number)
        except ScepError as error:
            outcome.failures.append(str(error))
    return outcome


def _post(server: Running, requests: Sequence[Request], note: Callable[[tuple[Request, bytes | str]], None]) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in requests:
        try:
            connection.request(
                "POST",
                f"{server.path}?operation=PKIOperation",
                request.message,
                {"Content-Type": "application/x-pki-message"},
            )
            answer = connection.getresponse()
            body = answer.read()
            note((request, body if answer.status == 200 else f"HTTP {answer.status}"))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            note((request, repr(error)))
    connection.close()


def floor_seconds(key: rsa.RSAPrivateKey, rounds: int = 200) -> float:
    """CPU of the RSA operations of one enrolment at the server: a decryption, two signatures, two verifications, an
    encryption."""
    public, scheme, digest = key.public_key(), padding.PKCS1v15(), hashes.SHA256()
    data = os.urandom(300)
    encrypted, signature = public.encrypt(data[:16], scheme), key.sign(data, scheme, digest)
    began = time.process_time()
    for _round in range(rounds):
        key.decrypt(encrypted, scheme)
        key.sign(data, scheme, digest)
        key.sign(data, scheme, digest)
        public.verify(signature, data, scheme, digest)
        public.verify(signature, data, scheme, digest)
        public.encrypt(data[:16], scheme)
    return (time.process_time() - began) / rounds
