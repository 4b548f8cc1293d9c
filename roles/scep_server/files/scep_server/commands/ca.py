# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ca, crl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .. import authority, crl, pki, settings
from ..authority import Authority, Given
from ..errors import ServerError
from ..files import locked, write_atomically
from ..server import utc_now
from . import Arguments, Command, Outcome, moment, opened, option


def shown(one: Authority) -> dict[str, Any]:
    """The certificates of a CA and its RA."""
    return {
        "ca": _certificate(one.ca.certificate) | {"id": one.id},
        "ra_signing": _certificate(one.signer.certificate),
        "ra_encryption": _certificate(one.encryption.certificate),
        "chain": [_certificate(certificate) for certificate in one.chain],
    }


def _certificate(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:x}",
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "fingerprint_sha256": fingerprint(certificate),
        "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }


def _lines(title: str, one: Authority) -> list[str]:
    described = shown(one)
    roles = ("ca", "ra_signing", "ra_encryption")
    entries = [(role, described[role]) for role in roles] + [("chain", entry) for entry in described["chain"]]
    return [title] * bool(title) + [
        f"{role:14} {entry['subject']}, until {entry['not_after']}\n{'':14} SHA-256 {entry['fingerprint_sha256']}"
        for role, entry in entries
    ]


def _show(state: Path, _arguments: Arguments) -> Outcome:
    """Print the certificates of the CA and its RA, and of the CAs before and after it."""
    loaded = pki.load(state)
    result = shown(loaded.current) | {
        "next": None if loaded.next is None else shown(loaded.next),
        "previous": [shown(one) for one in loaded.previous],
    }
    lines = _lines("", loaded.current)
    lines += [] if loaded.next is None else _lines("Next, after 'ca rollover --activate':", loaded.next)
    for one in loaded.previous:
        lines += _lines("Before:", one)
    return Outcome(result, lines)


def _rollover(state: Path, arguments: Arguments) -> Outcome:
    """Make the next CA, which clients get with GetNextCACert; later, let it issue. A running server follows."""
    with locked(state):
        before = pki.read_index(state)
        text = _roll(state, arguments, before)
        loaded = pki.load(state)
        changed = pki.read_index(state) != before
    result = {
        "changed": changed,
        "current": shown(loaded.current),
        "next": None if loaded.next is None else shown(loaded.next),
    }
    return Outcome(result, [text, *(_lines("", loaded.next or loaded.current))])


def _roll(state: Path, arguments: Arguments, before: pki.Index) -> str:
    """Do it, and say in a sentence what was done."""
    if arguments.activate:
        pki.activate_next(state, utc_now())
        return "The next CA issues from now on. The previous one still signs its CRL."
    if arguments.cancel:
        pki.cancel_next(state)
        return "There is no next CA any more."
    if before.next is not None:
        return "There is a next CA already."
    pki.add_next(state, authority.make(settings.load(state), utc_now(), Given()))
    return "There is a next CA now. Clients get it with GetNextCACert until 'ca rollover --activate'."


def _crl(state: Path, arguments: Arguments) -> Outcome:
    """Print the CRL in PEM, or write it to a file in DER; a new one is signed when one is due."""
    with opened(state) as server:
        issuer = server.authority if arguments.ca is None else server.pki.by_id(arguments.ca)
        if issuer is None:
            raise ServerError(f"There is no CA {arguments.ca}; 'ca show --json' has their ids.")
        current = crl.current(server, issuer, server.clock())
    if arguments.out is not None:
        target = arguments.out.resolve()
        if target.exists() and not target.is_file():  # /dev/null would be replaced by a file
            raise ServerError(f"{arguments.out} is not a file that can be replaced: name another one.")
        write_atomically(target, current.der, mode=0o644)
    pem = x509.load_der_x509_crl(current.der).public_bytes(Encoding.PEM).decode("ascii")
    result = {
        "pem": pem,
        "number": current.number,
        "this_update": moment(current.this_update),
        "next_update": moment(current.next_update),
        "revoked": current.revoked,
    }
    return Outcome(result, [pem.rstrip()] if arguments.out is None else [f"Written to {arguments.out}"])


COMMANDS = (
    Command(("ca", "show"), _show),
    Command(
        ("ca", "rollover"),
        _rollover,
        (
            option("--activate", action="store_true", help="let the next CA issue from now on"),
            option("--cancel", action="store_true", help="forget the next CA and its keys"),
        ),
        exclusive=True,
    ),
    Command(
        ("crl",),
        _crl,
        (
            option("--out", type=Path, metavar="FILE", help="write it there, in DER"),
            option("--ca", metavar="ID", help="the CRL of this CA instead of today's"),
        ),
    ),
)
