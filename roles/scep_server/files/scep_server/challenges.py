# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Challenge passwords: one-time ones, stored as an HMAC alone, and one that is good many times, stored encrypted."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hmac
import secrets
from collections.abc import Callable
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import ERROR_NOT_FOUND, TRUST_E_CERT_SIGNATURE, Refusal, ServerError, StateError, TooManyPasswords
from .faults.active import Place
from .ndes.events import Event
from .server import Server
from .store import epoch

# Expired passwords stay known for this long, so that a late client's failure can be told from a wrong password.
_REMEMBERED = dt.timedelta(days=7)
# One sentence to clients: which of the three it was is for the audit alone.
_REJECTED = "The challenge password is not valid here: it is unknown, expired or already used."
_NONCE_BYTES = 12


def mac(otp_key: bytes, password: str) -> bytes:
    """What is stored of a one-time password."""
    return hmac.digest(otp_key, password.encode("utf-8", "surrogatepass"), "sha256")


def create(server: Server, count: int) -> tuple[list[str], int]:
    """(`count` new one-time passwords in hexadecimal, when they expire in seconds since the epoch).

    Raises TooManyPasswords when too many would be outstanding.
    """
    now, settings, otp_key = server.clock(), server.settings, server.pki.otp_key
    if count > settings.otp_outstanding:
        raise TooManyPasswords(
            f"{count} one-time passwords are more than the setting otp_outstanding allows at a time."
        )
    passwords = [_new(settings.otp_octets) for _number in range(count)]
    expires = epoch(now + dt.timedelta(minutes=settings.otp_minutes))
    server.store.challenges.add(
        [mac(otp_key, password) for password in passwords],
        now=epoch(now),
        expires=expires,
        limit=settings.otp_outstanding,
        keep=epoch(now - _REMEMBERED),
    )
    return passwords, expires


def _new(octets: int) -> str:
    return secrets.token_hex(octets).upper()


def reusable(server: Server) -> str:
    """The password of the modes single and static, which may be shown again; a single one is made when first needed.

    Raises StateError when none was set, or when it was encrypted under another server's key, ServerError when the mode
    is another one.
    """
    kind, store, otp_key = _kind(server), server.store.challenges, server.pki.otp_key
    sealed = store.kept(kind)
    if sealed is None:
        if kind != "single":
            raise StateError("There is no static challenge password yet: set one with 'challenge set --file FILE'.")
        store.keep(
            kind, _seal(otp_key, kind, _new(server.settings.otp_octets)), replace=False
        )  # or somebody else does it at this moment
        sealed = store.kept(kind) or ""
    return _unseal(otp_key, kind, sealed)


def _kind(server: Server) -> str:
    kind = server.settings.challenge
    if kind not in ("single", "static"):
        raise ServerError(f"The setting challenge is {kind}: there is no lasting challenge password.")
    return kind


def set_reusable(server: Server, password: str | None) -> tuple[str, bool]:
    """Replace the password of the modes single (by a new one) and static (by `password`).

    (the one that counts now, whether it is another one than before). Raises ServerError when the mode has none, or has
    no use for the one that is given.
    """
    kind, store, otp_key = _kind(server), server.store.challenges, server.pki.otp_key
    if (kind == "static") != (password is not None):
        raise ServerError(
            "A static challenge password is given with --file; a single one is made by the server and takes no --file."
        )
    if password is not None and not password.isprintable():
        raise ServerError("The challenge password has a line break or another character in it that is not printable.")
    if password is not None and not password:
        raise ServerError("The challenge password is empty.")
    chosen = password or _new(server.settings.otp_octets)
    before = store.kept(kind)
    with contextlib.suppress(StateError):  # one that cannot be decrypted is replaced
        if before is not None and _unseal(otp_key, kind, before) == chosen:
            return chosen, False
    store.keep(kind, _seal(otp_key, kind, chosen), replace=True)
    return chosen, True


def _cipher(otp_key: bytes) -> AESGCM:
    # a key of its own, so that an HMAC of a password never is a key stream
    return AESGCM(hmac.digest(otp_key, b"scep-server: lasting challenge passwords", "sha256"))


def _seal(otp_key: bytes, kind: str, password: str) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.b64encode(nonce + _cipher(otp_key).encrypt(nonce, password.encode(), kind.encode())).decode()


def _unseal(otp_key: bytes, kind: str, sealed: str) -> str:
    try:
        data = base64.b64decode(sealed)
        return _cipher(otp_key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], kind.encode()).decode()
    except (ValueError, InvalidTag):
        raise StateError(
            f"The {kind} challenge password in the database cannot be decrypted with the key of this state folder: "
            "set it anew with 'challenge set'.",
            Event.NO_STATIC_PASSWORD,
        ) from None


def check(server: Server, password: str | None, now: dt.datetime) -> int | None:
    """Whether the request may be granted: the id of its unused one-time password, or None where there are no such.

    The password is used up later, together with the answer. Raises Refusal (badRequest, as RFC 8894 servers answer a
    bad challenge).
    """
    return server.faults.around(Place.PASSWORD, _CHECKS[server.settings.challenge])(server, password, now)


def _one_time(server: Server, password: str | None, now: dt.datetime) -> int:
    found = server.store.challenges.find(mac(server.pki.otp_key, given(password)))
    if found is None:
        raise rejected("challenge password unknown")
    if found.used is not None:
        raise rejected("challenge password already used", found.id)
    if found.expires <= epoch(now):
        raise rejected("challenge password expired", found.id)
    return found.id


def _reusable(server: Server, password: str | None, _now: dt.datetime) -> None:
    offered = given(password).encode("utf-8", "surrogatepass")
    try:
        expected = reusable(server)
    except StateError as error:
        text = "The server has no challenge password yet that a request could have."
        raise Refusal(FailInfo.BAD_REQUEST, text, reason=str(error), event=error.event) from None
    if not hmac.compare_digest(offered, expected.encode()):
        raise _not_valid("The challenge password is wrong.")


def _none(_server: Server, _password: str | None, _now: dt.datetime) -> None:
    return None


def given(password: str | None) -> str:
    """The password of a request. Raises Refusal when it has none."""
    if not password:
        text = "The request has no challenge password, and one is needed here."
        raise _not_valid(text, hresult=TRUST_E_CERT_SIGNATURE)
    return password


_CHECKS: dict[str, Callable[[Server, str | None, dt.datetime], int | None]] = {
    "one_time": _one_time,
    "single": _reusable,
    "static": _reusable,
    "none": _none,
}


def lost(challenge_id: int | None) -> Refusal:
    """Somebody else used the password, or got the answer, while this request was being signed."""
    return rejected("challenge password used by another request", challenge_id)


def rejected(reason: str, challenge_id: int | None = None) -> Refusal:
    """A password is not valid; only the audit is told why."""
    return _not_valid(_REJECTED, reason=reason, challenge_id=challenge_id)


def _not_valid(text: str, *, hresult: int = ERROR_NOT_FOUND, **more: Any) -> Refusal:
    return Refusal(FailInfo.BAD_REQUEST, text, hresult=hresult, event=Event.NO_CHALLENGE, **more)


def forget_unused(server: Server) -> int:
    """Forget the one-time passwords that nobody has used, as NDES does when it starts; how many there were."""
    return server.store.challenges.forget_unused()
