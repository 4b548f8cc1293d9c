# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-ins, with a library's client on the other side."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spnego
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from spnego.channel_bindings import GssChannelBindings

from scep_server.errors import LoginRefused, ServerError
from scep_server.ndes import handshakes, negotiation, users
from scep_server.ndes.acceptors import LOGINS, Basic, Given, Negotiate, Ntlm
from scep_server.ndes.epa import Protection
from scep_server.ndes.handshakes import Handshake, SpnegoHandshake, Step

USER, PASSWORD = "CORP\\alice", "pässword 1"
BINDING, OTHER = b"tls-server-end-point:" + b"\1" * 32, b"tls-server-end-point:" + b"\2" * 32
ZERO = object()

MakeLogin = Callable[..., Any]


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"CORP:alice:{PASSWORD}\n\n:carol@CORP.EXAMPLE:secret\n", encoding="utf-8")
    return path


@pytest.fixture
def make(users_file: Path, monkeypatch: pytest.MonkeyPatch) -> MakeLogin:
    """A log-in that is ready, by its word in the settings."""
    monkeypatch.setenv("NTLM_USER_FILE", "")  # and back again after the test

    def make(word: str, policy: str = "none") -> Any:
        login = LOGINS[word](Given(Protection(policy, BINDING), users_file))
        login.check()
        return login

    return make


def client(protocol: str, name: str = USER, password: str = PASSWORD, binding: Any = None) -> Any:
    """The client's side; a binding of ZERO is sixteen octets of zero."""
    bindings = None
    if binding is not None:
        bindings = GssChannelBindings(application_data=BINDING if binding is ZERO else binding)
    options = {"ntlm": spnego.NegotiateOptions.use_ntlm, "negotiate": spnego.NegotiateOptions.use_negotiate}
    return spnego.client(name, password, protocol=protocol, channel_bindings=bindings, options=options[protocol])


def run(handshake: Handshake, context: Any) -> str | None:
    """To the end, as HTTP would; the user."""
    token = context.step()
    for _round in range(4):
        step = handshake.step(token)
        if step.token is not None and not context.complete:
            token = context.step(step.token)
        if step.user is not None:
            return step.user
    return None


CASES = [("ntlm", "ntlm"), ("negotiate", "ntlm"), ("negotiate", "negotiate")]
"""The log-in of the server, and the client's protocol: bare NTLM inside Negotiate is what many clients send."""


@pytest.mark.parametrize(("word", "protocol"), CASES)
def test_who_has_the_password_is_known(make: MakeLogin, word: str, protocol: str) -> None:
    assert run(make(word).begin(), client(protocol)) == USER
    assert run(make(word).begin(), client(protocol, "corp\\Alice")) == "corp\\Alice"
    assert run(make(word).begin(), client(protocol, "carol@CORP.EXAMPLE", "secret")) == "carol@CORP.EXAMPLE"


@pytest.mark.parametrize(("word", "protocol"), CASES)
@pytest.mark.parametrize(
    ("name", "password"), [(USER, "wrong"), ("CORP\\bob", PASSWORD), ("alice", PASSWORD), ("OTHER\\alice", PASSWORD)]
)
def test_who_has_not_is_refused(make: MakeLogin, word: str, protocol: str, name: str, password: str) -> None:
    with pytest.raises(spnego.exceptions.SpnegoError):
        run(make(word).begin(), client(protocol, name, password))


# What passes by each policy: binding of the client -> whether.
RIGHT_WRONG = {
    "none": {BINDING: True, OTHER: True, None: True, ZERO: True},
    "allow": {BINDING: True, OTHER: False, None: True, ZERO: True},
    "require": {BINDING: True, OTHER: False, None: False, ZERO: False},
}


@pytest.mark.parametrize(("word", "protocol"), CASES)
@pytest.mark.parametrize(
    ("policy", "binding", "passes"),
    [(policy, binding, passes) for policy, table in RIGHT_WRONG.items() for binding, passes in table.items()],
)
def test_bindings(
    make: MakeLogin, word: str, protocol: str, policy: str, binding: Any, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if binding is ZERO:
        monkeypatch.setattr("spnego._ntlm.md5", lambda _data: bytes(16))
    handshake, context = make(word, policy).begin(), client(protocol, binding=binding)
    if passes:
        assert run(handshake, context) == USER
    else:
        with pytest.raises(LoginRefused, match="bound"):
            run(handshake, context)


@pytest.mark.parametrize(("word", "protocol"), CASES[:2])
def test_version_1_is_refused(make: MakeLogin, word: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handshake = make(word).begin()
    monkeypatch.setenv("LM_COMPAT_LEVEL", "1")
    context = client(protocol)
    monkeypatch.delenv("LM_COMPAT_LEVEL")
    with pytest.raises(LoginRefused, match="version 1"):
        run(handshake, context)


def test_nobody_is_complete_because_he_says_so(make: MakeLogin) -> None:
    """accept-completed from a client, with and without a token of NTLM."""
    start = client("negotiate").step()
    completed = asn1.tlv(asn1.context(0), asn1.tlv(0x0A, b"\0"))
    ntlm = asn1.tlv(asn1.context(2), asn1.octet_string(client("ntlm").step()))
    for fields in ((completed,), (completed, ntlm)):
        handshake = make("negotiate").begin()
        assert handshake.step(start).user is None
        with pytest.raises((LoginRefused, ValueError)):
            handshake.step(asn1.tlv(asn1.context(1), asn1.sequence(*fields)))


def test_a_decoy_is_not_what_is_checked(make: MakeLogin) -> None:
    """A message with the right binding, put where it is not authenticated, before one without."""
    right = client("ntlm", binding=BINDING)
    right.step()
    outer, inner = make("negotiate", "require").begin(), client("ntlm")
    listed = asn1.tlv(asn1.context(0), asn1.sequence(asn1.oid(negotiation.NTLM)))
    first = asn1.sequence(listed, asn1.tlv(asn1.context(2), asn1.octet_string(inner.step())))
    step = outer.step(asn1.tlv(0x60, asn1.oid("1.3.6.1.5.5.2"), asn1.tlv(asn1.context(0), first)))
    challenge = spnego._spnego.unpack_token(step.token).response_token
    decoy, bare = right.step(challenge), inner.step(challenge)
    fields = [asn1.tlv(asn1.context(number), asn1.octet_string(value)) for number, value in ((3, decoy), (2, bare))]
    with pytest.raises(LoginRefused, match="not bound"):
        outer.step(asn1.tlv(asn1.context(1), asn1.sequence(*fields)))


@pytest.mark.parametrize(
    "tokens",
    [
        [b""],
        [b"\x60"],
        [b"NTLMSSP\0"],
        [b"NTLMSSP\0\1\0\0\0"],
        [b"NTLMSSP\0\3\0\0\0" + bytes(100)],
        [asn1.tlv(asn1.context(1), asn1.sequence())],
        ["start", "start"],
        ["start", b"NTLMSSP\0\3\0\0\0" + bytes(100)],
        ["start", asn1.tlv(asn1.context(1), asn1.sequence())],
        ["bare", asn1.tlv(asn1.context(1), asn1.sequence())],
        ["bare", b"NTLMSSP\0\3\0\0\0" + struct.pack("<HHI", 60000, 60000, 1 << 31) * 6 + bytes(8)],
    ],
)
def test_what_is_no_log_in(make: MakeLogin, tokens: list[Any]) -> None:
    made = {"start": client("negotiate").step(), "bare": client("ntlm").step()}
    handshake = make("negotiate").begin()
    step = Step()
    with pytest.raises(Exception):  # noqa: B017  # whatever the library raises
        for token in tokens:
            step = handshake.step(made.get(token, token) if isinstance(token, str) else token)
    assert step.user is None


class Other:
    """A mechanism of two steps, for whatever SPNEGO does around it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def step(self, token: bytes) -> Step:
        self.taken.append(token)
        return Step(b"answer", "somebody") if token == b"last" else Step(b"more")

    def sign(self, data: bytes) -> bytes:
        return b"ours" + data

    def verify(self, data: bytes, mic: bytes) -> None:
        if mic != b"theirs" + data:
            raise LoginRefused("a wrong MIC")


MINE = "1.2.3.4"


def opening(*listed: str, token: bytes | None = None) -> tuple[bytes, bytes]:
    """(NegTokenInit, what its list is signed as)."""
    names = asn1.sequence(*(asn1.oid(one) for one in listed))
    fields = [asn1.tlv(asn1.context(0), names)]
    if token is not None:
        fields.append(asn1.tlv(asn1.context(2), asn1.octet_string(token)))
    inner = asn1.tlv(asn1.context(0), asn1.sequence(*fields))
    return asn1.tlv(0x60, asn1.oid("1.3.6.1.5.5.2"), inner), names


def going_on(token: bytes | None = None, mic: bytes | None = None) -> bytes:
    fields = [
        asn1.tlv(asn1.context(number), asn1.octet_string(value))
        for number, value in ((2, token), (3, mic))
        if value is not None
    ]
    return asn1.tlv(asn1.context(1), asn1.sequence(*fields))


def said(step: Step) -> tuple[int, str | None, bytes | None, bytes | None]:
    token = spnego._spnego.unpack_token(step.token)
    return int(token.neg_state), token.supported_mech, token.response_token, token.mech_list_mic


def test_the_first_mechanism_needs_no_mic() -> None:
    handshake = SpnegoHandshake({MINE: Other})
    step = handshake.step(opening(MINE, token=b"first")[0])
    assert (step.user, said(step)) == (None, (negotiation.ACCEPT_INCOMPLETE, MINE, b"more", None))
    step = handshake.step(going_on(b"last"))
    assert (step.user, said(step)) == ("somebody", (negotiation.ACCEPT_COMPLETED, None, b"answer", None))


def test_a_mic_is_verified_and_answered() -> None:
    token, names = opening(MINE, token=b"first")
    handshake = SpnegoHandshake({MINE: Other})
    handshake.step(token)
    step = handshake.step(going_on(b"last", b"theirs" + names))
    assert (step.user, said(step)[3]) == ("somebody", b"ours" + names)
    handshake = SpnegoHandshake({MINE: Other})
    handshake.step(token)
    with pytest.raises(LoginRefused, match="MIC"):
        handshake.step(going_on(b"last", b"wrong"))


def test_another_than_the_first_mechanism_needs_a_mic() -> None:
    """Somebody in between may have put another one ahead, and its token is not for this one."""
    token, names = opening("1.2.3.5", MINE, token=b"last")
    for theirs, passes in ((b"theirs" + names, True), (b"wrong", False), (None, False)):
        handshake = SpnegoHandshake({MINE: Other})
        step = handshake.step(token)
        assert (step.user, said(step)) == (None, (negotiation.REQUEST_MIC, MINE, None, None))
        step = handshake.step(going_on(b"last"))
        assert (step.user, said(step)) == (
            None,
            (negotiation.ACCEPT_INCOMPLETE, None, b"answer", b"ours" + names),
        )
        if passes:
            step = handshake.step(going_on(mic=theirs))
            assert (step.user, said(step)[0]) == ("somebody", negotiation.ACCEPT_COMPLETED)
        else:
            with pytest.raises(LoginRefused):
                handshake.step(going_on(mic=theirs))


def test_no_common_mechanism() -> None:
    with pytest.raises(LoginRefused, match="no mechanism"):
        SpnegoHandshake({MINE: Other}).step(opening("1.2.3.5")[0])


def test_without_kerberos_a_client_falls_back_to_ntlm(make: MakeLogin) -> None:
    """As a client with a ticket does whose server has no keytab."""
    step = make("negotiate").begin().step(opening(negotiation.MICROSOFT_KERBEROS, negotiation.NTLM, token=b"AP-REQ")[0])
    assert said(step) == (negotiation.REQUEST_MIC, negotiation.NTLM, None, None)


def basic(name: str, password: str) -> bytes:
    return f"{name}:{password}".encode()


def test_basic(make: MakeLogin) -> None:
    login = make("basic")
    assert login.begin().step(basic("corp\\ALICE", PASSWORD)) == Step(None, USER)
    assert login.begin().step(basic("carol@corp.example", "secret")).user == "carol@CORP.EXAMPLE"
    for token in (basic(USER, "wrong"), basic(USER, ""), basic("alice", PASSWORD), basic("", ""), b"", b"\xff:\xff"):
        with pytest.raises((LoginRefused, UnicodeDecodeError)):
            login.begin().step(token)


def test_a_change_of_the_users_counts_at_once(make: MakeLogin, users_file: Path) -> None:
    for word in ("basic", "ntlm"):
        users_file.write_text("CORP:alice:one\n")
        login = make(word)
        users_file.write_text("CORP:alice:two\n")
        if word == "basic":
            assert login.begin().step(basic(USER, "two")).user == USER
        else:
            assert run(login.begin(), client("ntlm", password="two")) == USER


@pytest.mark.parametrize("line", ["alice", "CORP:alice", "CORP:alice:pass:word", "CORP::x", "CORP:alice:", "# users"])
def test_lines_that_are_no_users(tmp_path: Path, line: str) -> None:
    path = tmp_path / "users"
    path.write_text(f"CORP:bob:x\n{line}\n")
    with pytest.raises(ServerError, match=r"Line 2 of .* is not DOMAIN:user:password") as error:
        users.read(path)
    assert "alice" not in str(error.value)


def test_a_file_without_users(tmp_path: Path) -> None:
    path = tmp_path / "users"
    with pytest.raises(ServerError, match="cannot be read: No such file"):
        users.read(path)
    path.write_text("\n")
    with pytest.raises(ServerError, match="has no line"):
        users.read(path)
    path.write_bytes(b"\xff:\xff:\xff\n")
    with pytest.raises(ServerError, match="UTF-8"):
        users.read(path)


def test_absent_libraries_are_one_sentence(users_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "_NO_SPNEGO", "No module named 'spnego'")
    monkeypatch.setattr(handshakes, "_NO_GSSAPI", "No module named 'gssapi'")
    given = Given(Protection("none"), users_file)
    for kind in (Ntlm, Negotiate):
        with pytest.raises(ServerError, match=r"need pyspnego, .* \(No module named 'spnego'\): install it there, or"):
            kind(given).check()
    Basic(given).check()
    with pytest.raises(ServerError, match=r"needs gssapi, .* \(No module named 'gssapi'\): install it there, or leave"):
        Negotiate(Given(Protection("none"), keytab=tmp_path / "keytab")).check()


def test_a_keytab_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "_NO_GSSAPI", "")
    with pytest.raises(ServerError, match="setting keytab cannot be read: No such file"):
        Negotiate(Given(Protection("none"), keytab=tmp_path / "keytab")).check()
