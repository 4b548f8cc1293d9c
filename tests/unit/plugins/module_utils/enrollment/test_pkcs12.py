# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import pkcs12 as pkcs12_module
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.pkcs12 import encryption_of, holds, write_pkcs12
from ansible_collections.netcert.ndes.plugins.module_utils.errors import OptionError
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import VERSION
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import public_key_fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import pki as pki_module
from support.damage import damaged

PKI = pki_module.shared()
CHAIN = (PKI.intermediate.certificate, PKI.root.certificate)
KEY = pki_module.rsa_key("device")
CERTIFICATE = PKI.issue(KEY, issuer=PKI.intermediate)
ENCRYPTIONS = ("modern", "legacy") if VERSION >= (38, 0) else ("legacy",)
"""Older versions of the library cannot write the modern one; that they say so is tested below."""

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@dataclass(frozen=True)
class Content:
    """What a file is to hold."""

    passphrase: str = "pass word"
    key: Any = KEY
    certificate: x509.Certificate = CERTIFICATE
    chain: Sequence[x509.Certificate] = CHAIN
    friendly_name: str | None = "sw1"

    def write(self, encryption: str = ENCRYPTIONS[0]) -> bytes:
        """The file."""
        return write_pkcs12(self.key, self.certificate, self.chain, self.passphrase, self.friendly_name, encryption)

    def held_by(self, data: bytes) -> bool:
        """Whether a file holds it."""
        key = public_key_fingerprint(self.key.public_key())
        return holds(data, self.passphrase, key, self.certificate, self.chain, self.friendly_name)


CONTENT = Content()
CONTENTS = [
    CONTENT,
    replace(CONTENT, friendly_name=None),
    replace(CONTENT, friendly_name="Gerät Ω 1"),
    replace(CONTENT, chain=()),
    replace(CONTENT, passphrase="pässwörd"),
    replace(CONTENT, passphrase="🔑"),
    replace(CONTENT, passphrase="x" * 200),
]


@pytest.fixture
def openssl(need_command: Callable[[str, str], Path], tmp_path: Path) -> Run:
    """Run openssl in a folder of its own."""
    command = need_command("openssl", "openssl")

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run([command, *arguments], input=stdin, capture_output=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done

    return run


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_round_trip(content: Content, encryption: str) -> None:
    data = content.write(encryption)
    assert content.held_by(data)
    assert encryption_of(data) == encryption


PRINTED = {
    "modern": (
        "MAC: sha256, Iteration 2048",
        "PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256",
        "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256",
    ),
    "legacy": (
        "MAC: sha1, Iteration 2048",
        "PKCS7 Encrypted data: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 20000",
        "Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 20000",
    ),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_openssl_reads_it(openssl: Run, tmp_path: Path, content: Content, encryption: str) -> None:
    (tmp_path / "dev.p12").write_bytes(content.write(encryption))
    (tmp_path / "pass").write_text(content.passphrase, encoding="utf-8")
    words = ["pkcs12", "-in", "dev.p12", "-passin", "file:pass", *(["-legacy"] if encryption == "legacy" else [])]
    printed = openssl(*words, "-info", "-noout").stderr.decode()
    for line in PRINTED[encryption]:
        assert line in printed
    found = openssl(*words, "-nodes").stdout
    for certificate in (content.certificate, *content.chain):
        assert certificate.public_bytes(Encoding.PEM) in found
    assert content.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) in found
    if content.friendly_name == "sw1":
        assert b"friendlyName: sw1" in found


LEGACY_WORDS = ["-legacy", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]


@pytest.mark.parametrize(
    ("words", "encryption"),
    [
        ([], "modern"),
        (["-iter", "1"], "modern"),
        (LEGACY_WORDS, "legacy"),
        (["-legacy"], None),  # RC2 for the certificates
        (["-macalg", "sha512"], None),
        (["-certpbe", "NONE"], None),
        (["-keypbe", "NONE"], None),
        (["-certpbe", "AES-128-CBC"], None),
        ([*LEGACY_WORDS, "-certpbe", "AES-256-CBC"], None),
    ],
)
def test_what_openssl_writes(openssl: Run, tmp_path: Path, words: list[str], encryption: str | None) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "cert.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    (tmp_path / "chain.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in CHAIN))
    files = ["-inkey", "key.pem", "-in", "cert.pem", "-certfile", "chain.pem", "-name", "sw1"]
    data = openssl("pkcs12", "-export", *files, "-passout", "pass:pass word", *words).stdout
    assert encryption_of(data) == encryption
    # The library has RC2 in some of its versions only, and with an old one only MACs that are usual are looked at.
    if words not in (["-legacy"], ["-macalg", "sha512"]):
        assert CONTENT.held_by(data)
    assert not replace(CONTENT, friendly_name="sw2").held_by(data)


def test_a_file_without_mac_is_not_ours(openssl: Run, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "cert.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    files = ["-inkey", "key.pem", "-in", "cert.pem", "-name", "sw1"]
    data = openssl("pkcs12", "-export", *files, "-passout", "pass:pass word", "-nomac").stdout
    assert encryption_of(data) is None
    assert not replace(CONTENT, chain=()).held_by(data)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTENT, passphrase="Pass word"),
        replace(CONTENT, passphrase=""),
        replace(CONTENT, passphrase="\ud800"),
        replace(CONTENT, key=pki_module.rsa_key("given")),
        replace(CONTENT, certificate=PKI.issue(KEY, issuer=PKI.intermediate)),
        replace(CONTENT, chain=CHAIN[:1]),
        replace(CONTENT, chain=(*CHAIN, PKI.ca.certificate)),
        replace(CONTENT, chain=(PKI.ca.certificate, PKI.root.certificate)),
        replace(CONTENT, friendly_name=None),
        replace(CONTENT, friendly_name="SW1"),
    ],
)
def test_something_else(other: Content) -> None:
    assert not other.held_by(CONTENT.write("legacy"))


def test_the_order_of_the_chain_does_not_count() -> None:
    assert replace(CONTENT, chain=CHAIN[::-1]).held_by(CONTENT.write("legacy"))


@pytest.mark.parametrize(
    "data", [b"", b"\x30\x00", b"\x30\x80\0\0", b"no file", CERTIFICATE.public_bytes(Encoding.PEM)]
)
def test_no_such_file(data: bytes) -> None:
    assert not CONTENT.held_by(data)
    assert encryption_of(data) is None


def test_a_file_without_key_or_certificate() -> None:
    encryption = pkcs12_module.pkcs12_encryption(b"pass word", modern=False)
    for key, certificate, chain in ((None, CERTIFICATE, CHAIN), (None, None, CHAIN), (KEY, None, ())):
        data = pkcs12.serialize_key_and_certificates(b"sw1", key, certificate, chain, encryption)
        assert not replace(CONTENT, chain=chain).held_by(data)


GOOD = {encryption: CONTENT.write(encryption) for encryption in ENCRYPTIONS}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from(ENCRYPTIONS))
def test_damage(seed: int, encryption: str) -> None:
    """Whatever happens to a file, it is read as held or as not held; and what is not authentic is not held."""
    wounded = damaged(GOOD[encryption], random.Random(seed))
    content = asn1.read(GOOD[encryption]).child(1).raw
    assert encryption_of(wounded) in ("modern", "legacy", None)
    assert not CONTENT.held_by(wounded) or content in wounded or wounded[4:] == GOOD[encryption][4:]


def test_rounds_without_end_are_not_begun() -> None:
    outer = asn1.read(GOOD["legacy"])
    mac = outer.child(2)
    for rounds in (2**31 - 1, 10_000_001, 0, -1):
        many = asn1.sequence(mac.child(0).raw, mac.child(1).raw, asn1.integer(rounds))
        assert not CONTENT.held_by(asn1.sequence(outer.child(0).raw, outer.child(1).raw, many))


@pytest.mark.parametrize(
    ("content", "encryption", "sentence"),
    [
        (
            replace(CONTENT, passphrase=""),
            "legacy",
            "pkcs12_passphrase: it is empty; give a passphrase of at least one character.",
        ),
        (
            replace(CONTENT, passphrase="pass word\n"),
            "legacy",
            "pkcs12_passphrase: it holds a control character, such as a line break at its end; leave that out.",
        ),
        (
            replace(CONTENT, friendly_name="a\0b"),
            "legacy",
            r"pkcs12_friendly_name: 'a\x00b' holds a control character, or one that a BMPString cannot hold; "
            "leave that out.",
        ),
        (
            replace(CONTENT, friendly_name="a 🔑"),
            "legacy",
            "pkcs12_friendly_name: 'a 🔑' holds a control character, or one that a BMPString cannot hold; "
            "leave that out.",
        ),
        (CONTENT, "rc2", "pkcs12_encryption: 'rc2' is not known here; choose modern or legacy."),
    ],
)
def test_what_cannot_be_written(content: Content, encryption: str, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        content.write(encryption)
    assert str(caught.value) == sentence


def test_old_libraries_write_no_modern_file(monkeypatch: pytest.MonkeyPatch) -> None:
    if VERSION >= (38, 0):
        monkeypatch.setattr(pkcs12_module, "VERSION", (37, 0))
        monkeypatch.setattr(pkcs12_module, "pkcs12_encryption", lambda passphrase, modern: None)
    with pytest.raises(OptionError) as caught:
        CONTENT.write("modern")
    assert str(caught.value) == (
        f"pkcs12_encryption: cryptography {36 if VERSION < (37, 0) else 37} on this host cannot write 'modern'; "
        "install 38 or later, or choose 'legacy'."
    )


@pytest.mark.parametrize("content", CONTENTS)
def test_a_mac_of_our_own(monkeypatch: pytest.MonkeyPatch, content: Content) -> None:
    """What old versions of the library need: whichever digest their OpenSSL takes, the MAC becomes one with SHA-1."""
    data = content.write(ENCRYPTIONS[0])
    monkeypatch.setattr(pkcs12_module, "VERSION", (37, 0))
    again = content.write("legacy")
    assert encryption_of(again) == "legacy"
    assert content.held_by(again)
    assert content.held_by(pkcs12_module._with_sha1_mac(data, content.passphrase))
