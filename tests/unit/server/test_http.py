# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP: how messages travel, and what gets a status instead of a CertRep."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import cms
from cryptography.hazmat.primitives.serialization import Encoding
from scep_device import Bench, Device

from scep_server.app import MAX_BODY
from scep_server.errors import StoreBusy
from scep_server.store.answers import Answers
from scep_server.store.database import Database

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
    assert {outcome for outcome, _unused in bench.lines()} == {"malformed"}


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
    assert bench.lines() == [("issued", "")]


def test_post_without_operation(bench: Bench, device: Device) -> None:
    response = bench.http("POST", "", bench.request(device, bench.passwords()[0]).message)
    assert (response.status, bench.lines()) == (200, [("issued", "")])


def test_health(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (bench.http(path="/healthz").status, bench.http(path="/healthz").body) == (200, b"ok\n")

    def broken(_database: Database) -> None:
        raise StoreBusy("gone")

    monkeypatch.setattr(Database, "ping", broken)
    assert bench.http(path="/healthz").status == 503


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("9" * 5000, 413),
        (str(MAX_BODY + 1), 413),
        ("1" + "0" * 18, 413),
        ("0" * 5000, 400),
        ("-1", 400),
        ("+5", 400),
        ("5.0", 400),
        ("x", 400),
        ("\u00b2", 400),
    ],
)
def test_odd_content_lengths(bench: Bench, length: str, status: int) -> None:
    assert bench.http("POST", POST, b"0" * 10, CONTENT_LENGTH=length).status == status


def test_the_log_says_what_the_fail_info_means(bench: Bench, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        bench.post(bench.request(device, "wrong").message)
    assert "refused with badRequest (the request is not permitted or not supported): " in caplog.text
