# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application under gunicorn."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import valid_at
from gunicorn.app.base import BaseApplication

from . import authority, challenges, pki
from .app import Application
from .errors import ServerError, StateError
from .faults.table import with_faults
from .ndes.admin import open_pages
from .ndes.events import Event
from .ndes.logs import Logs
from .pidfile import PidFile
from .server import open_server, utc_now
from .setting_checks import split_address
from .settings import Settings
from .worker import REQUEST_LINE, Worker

log = logging.getLogger("scep_server")

HEADER_FIELDS = 40
HEADER_BYTES = 8190
TICKET_BYTES = 65536
"""Of a header that may be a Kerberos ticket with all groups of its user."""
STOP_SECONDS = 5
"""Seconds that open requests get beyond their own deadline when the server stops."""


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, state: Path, settings: Settings, ready: int | None, log_file: Path | None) -> None:
        self._state, self._settings, self._ready, self._log_file = state, settings, ready, log_file
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": settings.bind,
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_class": Worker,
            "keepalive": settings.keep_alive_seconds,
            "graceful_timeout": settings.request_seconds + STOP_SECONDS,
            "limit_request_line": REQUEST_LINE,
            "limit_request_fields": HEADER_FIELDS,
            "limit_request_field_size": TICKET_BYTES if settings.keytab else HEADER_BYTES,
            "http_parser": "python",
            "control_socket_disable": True,
            "proc_name": "scep-server",
            "loglevel": "warning",
            "when_ready": lambda _master: Logs(self._state, self._settings).now().report(Event.STARTED),
            "post_worker_init": self._worker_is_ready,
        }
        if settings.tls_certificate:
            certificate, key = _tls_files(self._state, settings)
            options |= {"certfile": str(certificate), "keyfile": str(key)}
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        server = open_server(self._state, settings=self._settings, check_database=False)
        server = dataclasses.replace(server, logs=Logs(self._state, self._settings))
        pages = open_pages(self._state, self._settings, self._log_file)
        return Application(with_faults(server, self._state), pages)

    def _worker_is_ready(self, worker: Any) -> None:
        worker.request_seconds = self._settings.request_seconds
        listening = [url(self._settings, listener.getsockname()) for listener in worker.sockets]
        log.info("process %s serves %s", os.getpid(), ", ".join(listening))
        if self._ready is not None:
            with contextlib.suppress(OSError):
                os.write(self._ready, json.dumps({"url": listening[0]}).encode() + b"\n")
                os.close(self._ready)


def url(settings: Settings, address: tuple[Any, ...]) -> str:
    """The base URL of a listening address."""
    host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
    return f"{'https' if settings.tls_certificate else 'http'}://{host}:{address[1]}/scep"


def with_overrides(settings: Settings, *, bind: str | None, certificate: str | None, key: str | None) -> dict[str, Any]:
    """The settings as plain values, with those of the command line in place."""
    values = dataclasses.asdict(settings)
    files = {"tls_certificate": certificate, "tls_key": key}
    given = {name: str(Path(path).absolute()) if path else path for name, path in files.items()} | {"bind": bind}
    return values | {name: value for name, value in given.items() if value is not None}


def check(state: Path, settings: Settings, *, address: bool = True) -> None:
    """Raises ServerError with a sentence when the server could not serve; `address`: whether it could listen, too."""
    server = open_server(state, settings=settings)
    try:
        if settings.challenge in ("single", "static"):
            challenges.reusable(server)
    finally:
        server.store.close()
    open_pages(state, settings)
    now = utc_now()
    if (objection := authority.expired(server.authority, now)) is not None:
        ca_is_valid = valid_at(server.authority.ca.certificate, now)
        raise StateError(objection, Event.NO_RA_CERTIFICATE if ca_is_valid else None)
    if address:
        _check_address(settings)
    if settings.tls_certificate:
        certificate, key = _tls_files(state, settings)
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ServerError(f"TLS cannot start with {certificate} and {key}: {error}.") from None


def check_to_start(state: Path, settings: Settings) -> None:
    """The same for a server that is to serve now: what keeps it from that is an event."""
    try:
        check(state, settings)
    except ServerError as error:
        if pki.is_initialised(state):
            Logs(state, settings).now().not_started(str(error), error.event)
        raise


def _tls_files(state: Path, settings: Settings) -> tuple[Path, Path]:
    """Certificate and key. The server in the background has another working folder than whoever started it."""
    return state / settings.tls_certificate, state / settings.tls_key


def _no_password() -> str:
    """Instead of OpenSSL, which would ask whoever sits at the terminal, and each worker again."""
    raise ValueError("the key is encrypted")


def _check_address(settings: Settings) -> None:
    """gunicorn would try for five seconds and end without a word."""
    host, port = split_address(settings.bind)
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _name, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that is none in the DNS
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"The server cannot listen on {settings.bind}: {reason}.") from None


def _begin(state: Path, settings: Settings) -> None:
    """What is done once for each start, not in each worker."""
    if settings.admin_page and settings.users_file and (state / settings.users_file).stat().st_mode & 0o077:
        log.warning("others can read the passwords in %s: chmod 600", state / settings.users_file)
    if not settings.otp_forgotten_at_start:
        return
    server = open_server(state, settings=settings)
    try:
        log.info("%s unused challenge passwords are forgotten", challenges.forget_unused(server))
    finally:
        server.store.close()


def run(
    state: Path, settings: Settings, pid_file: Path, ready: int | None = None, log_file: Path | None = None
) -> None:
    """Serve until a signal ends it. Raises ServerError when it cannot start.

    `ready` is a file descriptor that gets one line of JSON with the URL when requests are answered, `log_file` where
    stderr goes, if that is a file.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("gunicorn.error").propagate = False
    master = os.getpid()
    held = PidFile(pid_file)
    held.acquire()
    logs = Logs(state, settings)
    log.info("a SCEP server for reference and for tests, not a production CA; state in %s", state)
    try:
        check_to_start(state, settings)
        _begin(state, settings)
        _Gunicorn(state, settings, ready, log_file).run()
    except SystemExit as end:
        if os.getpid() != master:
            raise
        if end.code not in (0, None):
            text = f"The server ended with status {end.code}; its log says why."
            logs.now().not_started(text)
            raise ServerError(text) from None
        logs.now().report(Event.STOPPED)
    finally:
        if os.getpid() == master:  # the workers leave by this way too
            held.release()
