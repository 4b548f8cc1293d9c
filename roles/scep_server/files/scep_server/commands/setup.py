# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""init, config, backup."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from .. import authority, pki, serve, settings
from ..authority import CA, ENCRYPTION, RA, SIGNING, Given
from ..backup import write_backup
from ..errors import ServerError
from ..files import locked, private_folder
from ..server import open_server, utc_now
from ..store import database
from . import Arguments, Command, Outcome, columns, option, words
from .ca import shown

_GIVEN = {"ca": CA, "ra": RA, "ra_signing": SIGNING, "ra_encryption": ENCRYPTION}


def given(arguments: Arguments) -> Given:
    """The PEM files of the command line. Raises ServerError for half a pair or an unreadable passphrase."""
    files: dict[str, tuple[Path, Path]] = {}
    for word, role in _GIVEN.items():
        pair = (getattr(arguments, f"{word}_certificate"), getattr(arguments, f"{word}_key"))
        if any(pair):
            if not all(pair):
                option_name = word.replace("_", "-")
                raise ServerError(f"--{option_name}-certificate and --{option_name}-key belong together: give both.")
            files[role] = pair
    passphrase = None
    if arguments.passphrase_file:
        passphrase = arguments.passphrase_file.read_bytes().rstrip(b"\r\n")
    return Given(files, arguments.ca_chain, passphrase)


def _init(state: Path, arguments: Arguments) -> Outcome:
    """Make the CA, its RA, the server's key and the database. What is there already stays as it is."""
    assigned = dict(map(settings.parse_assignment, arguments.set))
    files = given(arguments)
    settings.parse(settings.read_values(state) | assigned)
    private_folder(state)
    with locked(state):
        fresh = not pki.is_initialised(state)
        values = settings.read_values(state)
        checked = settings.parse(values | assigned)
        if fresh:
            made = authority.make(checked, utc_now(), files)
            if assigned:
                settings.save(state, values | assigned)
            pki.create(state, made)
        else:
            _check_unchanged(state, values, assigned, files)
        completed = database.create(checked.database, state)
        server = open_server(state)  # a state that cannot be opened is not initialised
        server.store.close()
    changed = fresh or completed
    text = f"{'Initialised' if changed else 'Already initialised:'} {state}"
    return Outcome({"changed": changed, "state": str(state)} | shown(server.authority), [text])


def _check_unchanged(state: Path, values: dict[str, Any], assigned: dict[str, Any], files: Given) -> None:
    """Raises ServerError when `init` is to do something else than it did."""
    if any(values.get(name) != value for name, value in assigned.items()):
        raise ServerError(
            f"{state} is initialised already: change its settings in {state / settings.FILE} and start the server anew."
        )
    loaded = pki.load(state)
    known = {certificate for one in (loaded.current, *loaded.previous) for certificate in one.certificates}
    if strangers := [str(path) for path, given in authority.given_certificates(files) if given not in known]:
        raise ServerError(f"{state} is initialised already, with other certificates than {', '.join(strangers)}.")


def _config_show(state: Path, _arguments: Arguments) -> Outcome:
    """Print every setting with its value and what it means; those that differ from their default are marked."""
    values = dataclasses.asdict(settings.load(state))
    values["database"] = database.without_password(values["database"])
    rows: list[tuple[str, ...]] = [
        ("*" if values[name] != default else "", name, _text(values[name]), about)
        for name, default, about in settings.table()
    ]
    changed = [name for name, default, _about in settings.table() if values[name] != default]
    return Outcome({"settings": values, "changed_from_default": changed}, columns(rows, widest=32))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _config_check(state: Path, _arguments: Arguments) -> Outcome:
    """Say what would keep the server from serving: settings, keys, certificates, database, TLS, address."""
    running = settings.load(state)
    serve.check(state, running, address=False)
    return Outcome({"valid": True}, ["Everything that the server needs is in order."])


def _backup(state: Path, arguments: Arguments) -> Outcome:
    """Write keys, settings and database into one file, also while the server runs; unpacked, it is a state folder."""
    with_database = write_backup(state, settings.load(state), arguments.file)
    lines = [f"Written to {arguments.file}; whoever reads it has the keys of the CA."]
    if not with_database:
        lines.append("The database is elsewhere (setting database), and not in there: save it with tools of its own.")
    return Outcome({"changed": True, "file": str(arguments.file), "database": with_database}, lines)


_PEM_OPTIONS = (
    *(
        option(f"--{word.replace('_', '-')}-{part}", type=Path, metavar="FILE", help=f"PEM; {about}")
        for word, what in (
            ("ca", "the CA"),
            ("ra", "the RA of the layout ra_single"),
            ("ra_signing", "the signing RA"),
            ("ra_encryption", "the decrypting RA"),
        )
        for part, about in (
            ("certificate", f"certificate of {what}, instead of a new one"),
            ("key", f"key of {what}"),
        )
    ),
    option("--ca-chain", type=Path, metavar="FILE", help="PEM; the certificates above the CA, its issuer first"),
    option("--passphrase-file", type=Path, metavar="FILE", help="passphrase of the given keys that are encrypted"),
)

COMMANDS = (
    Command(
        ("init",),
        _init,
        (
            option(
                "--set",
                action="append",
                type=words,
                default=[],
                metavar="NAME=VALUE",
                help="a setting, before the CA is made",
            ),
            *_PEM_OPTIONS,
        ),
    ),
    Command(("config", "show"), _config_show),
    Command(("config", "check"), _config_check),
    Command(("backup",), _backup, (option("file", type=Path, metavar="FILE", help="a tar.gz that is not there yet"),)),
)
