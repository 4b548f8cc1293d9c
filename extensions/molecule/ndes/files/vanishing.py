# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to a SCEP server that are gone as soon as two questions were answered: GetCACaps and GetCACert.

Arguments: the address of the server, how many ways, the file to which their addresses are written as a JSON list.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

QUESTIONS = 2
SECONDS = 120
"""For each question; whatever happens, the program ends."""


class Way(HTTPServer):
    """One way: an address that nobody else has."""

    timeout = SECONDS

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server, self.left = server, QUESTIONS

    def serve(self) -> None:
        """Answer the questions, one after the other."""
        for _number in range(QUESTIONS):
            self.handle_request()


class _Handler(BaseHTTPRequestHandler):
    """Passes on a GET. The connection ends with the answer."""

    server: Way

    def do_GET(self) -> None:
        """Before the client has the last answer nobody listens any more."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self.server.server + self.path) as answer:
            body, content_type = answer.read(), answer.headers["Content-Type"]
        self.server.left -= 1
        if not self.server.left:
            self.server.server_close()
        self.send_response(200)
        if content_type is not None:
            self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""


def main() -> None:
    """Open the ways, and say where they are."""
    server, count, place = sys.argv[1:]
    ways = [Way(server) for _number in range(int(count))]
    for way in ways:
        threading.Thread(target=way.serve).start()
    written = Path(f"{place}.part")
    written.write_text(json.dumps([f"http://127.0.0.1:{way.server_port}" for way in ways]))
    written.rename(place)


if __name__ == "__main__":
    main()
