# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `scep-server`.

Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 2 wrong command line; 3 `status`: not running.
With --json, stdout holds one JSON object: the result, or {"error": "..."}.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import __version__, challenges, daemon, pidfile, pki, serve, settings, store
from .errors import ServerError
from .files import private_folder
from .server import open_server, utc_now

PID_FILE = "scep-server.pid"
LOG_FILE = "scep-server.log"
NOT_RUNNING = 3


@dataclass(frozen=True)
class Outcome:
    """What a command did: for --json, and as lines for people."""

    result: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    status: int = 0


Arguments = argparse.Namespace


def _init(state: Path, arguments: Arguments) -> Outcome:
    """Make the CA, its RA, the server's key and the database. What is there already stays as it is."""
    fresh = not pki.is_initialised(state)
    values = settings.read_values(state)
    given = dict(map(settings.parse_assignment, arguments.set))
    if given and any(values.get(name) != value for name, value in given.items()):
        if not fresh:
            raise ServerError(
                f"{state} is initialised already: change its settings in {state / settings.FILE} "
                "and start the server anew."
            )
        private_folder(state)
        settings.save(state, values | given)
        values |= given
    checked = settings.parse(values)
    if fresh:
        pki.create(state, checked, utc_now())
    completed = store.create(checked.database, state)
    server = open_server(state)  # a state that cannot be opened is not initialised
    server.store.close()
    changed = fresh or completed
    text = f"{'Initialised' if changed else 'Already initialised:'} {state}"
    return Outcome({"changed": changed, "state": str(state)} | _authority(server.pki), [text])


def _authority(loaded: pki.Pki) -> dict[str, Any]:
    return {
        "ca": _certificate(loaded.ca.certificate),
        "ra_signing": _certificate(loaded.signer.certificate),
        "ra_encryption": _certificate(loaded.encryption.certificate),
    }


def _certificate(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:x}",
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "fingerprint_sha256": fingerprint(certificate),
        "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }


def _ca_show(state: Path, _arguments: Arguments) -> Outcome:
    """Print the certificates of the CA and its RA."""
    result = _authority(pki.load(state))
    lines = [
        f"{role:14} {shown['subject']}, until {shown['not_after']}\n{'':14} SHA-256 {shown['fingerprint_sha256']}"
        for role, shown in result.items()
    ]
    return Outcome(result, lines)


def _otp_create(state: Path, arguments: Arguments) -> Outcome:
    """Print new one-time passwords. They are stored as HMACs: this is the only time they can be seen."""
    server = open_server(state)
    try:
        passwords, expires = challenges.create(
            server.store, server.pki.otp_key, server.settings, arguments.count, utc_now()
        )
    finally:
        server.store.close()
    until = dt.datetime.fromtimestamp(expires, dt.UTC).isoformat()
    return Outcome({"passwords": passwords, "expires": until}, passwords)


def _serve(state: Path, arguments: Arguments) -> Outcome:
    """Answer requests until a signal ends it, or in the background."""
    overridden = serve.with_overrides(
        settings.load(state), bind=arguments.bind, certificate=arguments.tls_certificate, key=arguments.tls_key
    )
    checked = settings.parse(overridden)
    pid_file = _pid_file(state, arguments)
    if not arguments.daemon:
        serve.run(state, checked, pid_file)
        return Outcome({"changed": True})
    if (pid := pidfile.running(pid_file)) is not None:
        return Outcome({"changed": False, "pid": pid}, [f"Running already (pid {pid})."])
    log_file = Path(arguments.log_file).absolute() if arguments.log_file else state / LOG_FILE
    pid, url = daemon.start(state, checked, pid_file, log_file)
    return Outcome({"changed": True, "pid": pid, "url": url}, [f"Serving {url} (pid {pid}), log in {log_file}"])


def _stop(state: Path, arguments: Arguments) -> Outcome:
    """End a server that runs in the background, its open requests first."""
    stopped = daemon.stop(_pid_file(state, arguments), arguments.timeout)
    return Outcome({"changed": stopped}, ["Stopped." if stopped else "Not running."])


def _status(state: Path, arguments: Arguments) -> Outcome:
    """Say whether the server runs (exit code 0) or not (3)."""
    pid = pidfile.running(_pid_file(state, arguments))
    if pid is None:
        return Outcome({"running": False}, ["Not running."], NOT_RUNNING)
    return Outcome({"running": True, "pid": pid}, [f"Running (pid {pid})."])


def _pid_file(state: Path, arguments: Arguments) -> Path:
    return Path(arguments.pid_file).absolute() if arguments.pid_file else state / PID_FILE


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_PID_FILE = (("--pid-file",), {"metavar": "FILE", "help": f"default: {PID_FILE} in the state folder"})

# A command: its words, what it does, and its own options.
_COMMANDS: dict[tuple[str, ...], tuple[Callable[[Path, Arguments], Outcome], tuple[Any, ...]]] = {
    ("init",): (
        _init,
        (
            (
                ("--set",),
                {
                    "action": "append",
                    "default": [],
                    "metavar": "NAME=VALUE",
                    "help": "a setting, before the CA is made",
                },
            ),
        ),
    ),
    ("serve",): (
        _serve,
        (
            (("--bind",), {"metavar": "HOST:PORT", "help": "instead of the setting bind"}),
            (("--tls-certificate",), {"metavar": "FILE", "help": "PEM, with chain; instead of the setting"}),
            (("--tls-key",), {"metavar": "FILE", "help": "PEM; instead of the setting"}),
            (("--daemon",), {"action": "store_true", "help": "in the background; returns when requests are answered"}),
            (("--log-file",), {"metavar": "FILE", "help": f"with --daemon; default: {LOG_FILE} in the state folder"}),
            _PID_FILE,
        ),
    ),
    ("stop",): (
        _stop,
        (
            (("--timeout",), {"type": _positive, "default": 30, "metavar": "SECONDS", "help": "default: 30"}),
            _PID_FILE,
        ),
    ),
    ("status",): (_status, (_PID_FILE,)),
    ("otp", "create"): (
        _otp_create,
        ((("--count",), {"type": _positive, "default": 1, "metavar": "N", "help": "how many (default: 1)"}),),
    ),
    ("ca", "show"): (_ca_show, ()),
}
_GROUPS = {"otp": "one-time passwords", "ca": "the CA"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scep-server",
        description="A SCEP server (RFC 8894) for reference and for tests. It is not a production CA.",
        epilog="Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 status: not running.",
    )
    parser.add_argument("--version", action="version", version=f"scep-server {__version__}")
    parser.add_argument("--state", required=True, type=Path, metavar="DIR", help="folder with keys, database, settings")
    top = parser.add_subparsers(required=True, metavar="COMMAND")
    groups = {
        name: top.add_parser(name, help=about).add_subparsers(required=True, metavar="COMMAND")
        for name, about in _GROUPS.items()
    }
    for words, (run, options) in _COMMANDS.items():
        parent = groups[words[0]] if len(words) > 1 else top
        command = parent.add_parser(words[-1], help=run.__doc__, description=run.__doc__)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        for names, details in options:
            command.add_argument(*names, **details)
        command.set_defaults(run=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        outcome = parsed.run(parsed.state.absolute(), parsed)
    except (ServerError, OSError) as error:
        print(f"scep-server: {error}", file=sys.stderr)
        if parsed.json:
            print(json.dumps({"error": str(error)}))
        return 1
    if parsed.json:
        print(json.dumps(outcome.result))
    else:
        print("\n".join(outcome.lines))
    return int(outcome.status)
