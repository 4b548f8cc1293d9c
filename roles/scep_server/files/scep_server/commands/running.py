# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""serve, stop, status."""

from __future__ import annotations

from pathlib import Path

from .. import daemon, pidfile, serve, settings
from . import Arguments, Command, Outcome, option, positive

PID_FILE = "scep-server.pid"
LOG_FILE = "scep-server.log"
NOT_RUNNING = 3


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


_PID_FILE = option("--pid-file", metavar="FILE", help=f"default: {PID_FILE} in the state folder")

COMMANDS = (
    Command(
        ("serve",),
        _serve,
        (
            option("--bind", metavar="HOST:PORT", help="instead of the setting bind"),
            option("--tls-certificate", metavar="FILE", help="PEM, with chain; instead of the setting"),
            option("--tls-key", metavar="FILE", help="PEM; instead of the setting"),
            option("--daemon", action="store_true", help="in the background; returns when requests are answered"),
            option("--log-file", metavar="FILE", help=f"with --daemon; default: {LOG_FILE} in the state folder"),
            _PID_FILE,
        ),
    ),
    Command(
        ("stop",),
        _stop,
        (option("--timeout", type=positive, default=30, metavar="SECONDS", help="default: 30"), _PID_FILE),
    ),
    Command(("status",), _status, (_PID_FILE,)),
)
