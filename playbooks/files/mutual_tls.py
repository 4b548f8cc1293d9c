"""One TLS handshake on loopback in which two devices show each other their certificates.

Usage: mutual_tls.py CA SERVER_CERTIFICATE SERVER_KEY SERVER_NAME CLIENT_CERTIFICATE CLIENT_KEY

Prints, as JSON, the protocol version, the cipher, and whom each side saw. Exit code 1 and one sentence when either side
refuses the other.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from typing import Any

TIMEOUT = 10.0
"""Seconds that either side waits for the other."""


def context(purpose: ssl.Purpose, ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """A TLS context that shows `certificate` and insists on one from the other side that hangs on `ca`."""
    made = ssl.create_default_context(purpose, cafile=ca)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(certificate, key)
    return made


def common_name(peer: Any) -> str:
    """The common name in what `getpeercert` returns."""
    return next(value for rdn in peer["subject"] for kind, value in rdn if kind == "commonName")


def serve(listener: socket.socket, tls: ssl.SSLContext, seen: dict[str, str]) -> None:
    """Accept one connection, and note whom it comes from."""
    try:
        plain, _address = listener.accept()
        plain.settimeout(TIMEOUT)
        with tls.wrap_socket(plain, server_side=True) as connection:
            seen["server saw"] = common_name(connection.getpeercert())
            connection.sendall(connection.recv(64))
    except OSError as error:
        seen["server refused"] = str(error)


def main(ca: str, server: str, server_key: str, server_name: str, client: str, client_key: str) -> int:
    """Shake hands; returns the exit code."""
    seen: dict[str, str] = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        thread = threading.Thread(
            target=serve, args=(listener, context(ssl.Purpose.CLIENT_AUTH, ca, server, server_key), seen)
        )
        thread.start()
        try:
            tls = context(ssl.Purpose.SERVER_AUTH, ca, client, client_key)
            with (
                socket.create_connection(listener.getsockname(), TIMEOUT) as plain,
                tls.wrap_socket(plain, server_hostname=server_name) as connection,
            ):
                seen["client saw"] = common_name(connection.getpeercert())
                connection.sendall(b"hello")
                if connection.recv(64) != b"hello":
                    seen["client refused"] = "the answer did not come back"
                seen["protocol"] = str(connection.version())
        except OSError as error:
            seen["client refused"] = str(error)
        thread.join()
    refusals = [f"the {side.split()[0]} refused: {seen[side]}" for side in sorted(seen) if "refused" in side]
    if refusals:
        print("The handshake failed; " + "; ".join(refusals) + ".", file=sys.stderr)
        return 1
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
