# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people without a network: a server with log-ins by Basic, and somebody who looks and clicks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import PkiStatus
from scep_device import Bench, Device, Response

from scep_server.people.addresses import FORM
from support.html_page import HtmlPage

ALICE, BOB = "CORP\\alice", "CORP\\bob"
PASSWORDS = {ALICE: "Pw1", BOB: "Pw2"}


class Visitor:
    """Somebody who is logged in."""

    def __init__(self, bench: Bench, name: str = ALICE) -> None:
        self.bench = bench
        word = base64.b64encode(f"{name}:{PASSWORDS[name]}".encode()).decode()
        self.login = {"HTTP_AUTHORIZATION": f"Basic {word}", "HTTP_HOST": "scep.example:8080"}

    def get(self, query: str = "", path: str = "/", **environ: Any) -> Response:
        """Look."""
        return self.bench.http("GET", query, path=path, **self.login | environ)

    def page(self, query: str = "") -> HtmlPage:
        """What is there to see."""
        response = self.get(query)
        assert (response.status, response.content_type) == (200, "text/html; charset=utf-8")
        return HtmlPage(response.body)

    def post(self, path: str, fields: dict[str, str], **environ: Any) -> Response:
        """Send a form."""
        environ = {"CONTENT_TYPE": FORM, "HTTP_SEC_FETCH_SITE": "same-origin"} | self.login | environ
        return self.bench.http("POST", "", urlencode(fields).encode(), path, **environ)

    def click(self, verb: str, target: object, **fields: str) -> Response:
        """Send the form of the page for this."""
        form = self.page().form(f"/people/{verb}", str(target))
        return self.post(form.action, form.fields | fields)

    def wait(self, device: Device) -> int:
        """Have a device ask for a certificate that a person decides on: the id of its request."""
        request = self.bench.request(device, self.bench.passwords()[0])
        assert self.bench.answer(request).status is PkiStatus.PENDING
        return int(self.bench.server.store.answers.requests("pending")[-1]["id"])


Visit = Callable[..., Visitor]
"""Somebody at a server with these settings."""
