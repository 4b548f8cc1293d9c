# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.keys import (
    encode_key,
    key_form,
    make_key,
    read_key,
)
from ansible_collections.netcert.ndes.plugins.module_utils.errors import EnrollmentError, OptionError, Place
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from support.pki import ec_key, rsa_key

PATH = Path("/etc/pki/sw1.key")
PLACE = Place("privatekey_path", f"'{PATH}'", "remove the file to have a new key made, or name another one")
KEY = rsa_key("device")
ADVICE = "remove the file to have a new key made, or name another one."
NEEDED = (
    "privatekey_passphrase: the key in '/etc/pki/sw1.key' is protected by a passphrase, and none is given; "
    f"give it, or {ADVICE}"
)
WRONG = (
    "privatekey_passphrase: the given one does not open the key in '/etc/pki/sw1.key'; give the one with which the "
    f"key was written, or {ADVICE}"
)
UNREADABLE = f"privatekey_path: '/etc/pki/sw1.key' holds no private key that can be read; {ADVICE}"
NO_RSA = f"privatekey_path: the key in '/etc/pki/sw1.key' is not an RSA key, as SCEP needs it; {ADVICE}"

FORMS = [(kind, passphrase) for kind in ("pkcs8", "pkcs1") for passphrase in (None, "geh eim", "gehäim 🔑", "x" * 1023)]


def der(key: Any, kind: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes | None = None) -> bytes:
    encryption: Any = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    encoded: bytes = key.private_bytes(Encoding.DER, kind, encryption)
    return encoded


@pytest.mark.parametrize(("kind", "passphrase"), FORMS)
@pytest.mark.parametrize("known", [False, True])
def test_round_trip(kind: str, passphrase: str | None, known: bool) -> None:
    data = encode_key(KEY, kind, passphrase)
    assert key_form(data) == (kind, passphrase is not None)
    assert read_key(PLACE, data, passphrase, known).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize(("kind", "passphrase"), FORMS)
def test_openssl_reads_it(
    need_command: Callable[[str, str], Path], tmp_path: Path, kind: str, passphrase: str | None
) -> None:
    (tmp_path / "key.pem").write_bytes(encode_key(KEY, kind, passphrase))
    command = [need_command("openssl", "openssl"), "pkey", "-in", "key.pem", "-outform", "DER"]
    words = [] if passphrase is None else ["-passin", "env:PASSPHRASE"]
    done = subprocess.run(
        [*command, *words], capture_output=True, cwd=tmp_path, env={"PASSPHRASE": passphrase or ""}, check=True
    )
    assert done.stdout == der(KEY, PrivateFormat.TraditionalOpenSSL) or done.stdout == der(KEY)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (("pkcs8", False), ["pkcs8", "-topk8", "-nocrypt"]),
        (("pkcs8", True), ["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-passout", "pass:geheim"]),
        (("pkcs8", True), ["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:geheim"]),
        (("pkcs1", False), ["rsa", "-traditional"]),
        (("pkcs1", True), ["rsa", "-traditional", "-aes256", "-passout", "pass:geheim"]),
        (("pkcs1", True), ["rsa", "-traditional", "-des3", "-passout", "pass:geheim"]),
    ],
)
def test_what_openssl_writes(
    need_command: Callable[[str, str], Path], kind: tuple[str, bool], words: list[str]
) -> None:
    command = [need_command("openssl", "openssl"), *words]
    done = subprocess.run(command, input=encode_key(KEY, "pkcs8", None), capture_output=True, check=True)
    assert key_form(done.stdout) == kind
    assert read_key(PLACE, done.stdout, "geheim").private_numbers() == KEY.private_numbers()


def test_make_key() -> None:
    key, data = make_key(2048)
    assert key.key_size == 2048
    assert key_form(data) == ("pkcs8", False)
    key, data = make_key(2048, "pkcs1", "geheim")
    assert key_form(data) == ("pkcs1", True)
    assert read_key(PLACE, data, "geheim").private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (der(KEY), None),
        (der(KEY, passphrase=b"x"), None),
        (b"", None),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None),
        (b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", None),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", None),
        (b"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n", ("pkcs1", True)),
        (b"-----BEGIN RSA PRIVATE KEY-----\r\nMIIE\r\n", ("pkcs1", False)),
        (b"text\n-----BEGIN CERTIFICATE-----\nA\n-----BEGIN PRIVATE KEY-----\nMIIE\n", ("pkcs8", False)),
        (b"text -----BEGIN PRIVATE KEY-----\n", None),
        (b"-----BEGIN PRIVATE KEY----- \nProc-Type: 4,ENCRYPTED\n", ("pkcs8", False)),
    ],
)
def test_form_by_the_header(data: bytes, form: tuple[str, bool] | None) -> None:
    assert key_form(data) == form


CANNOT_BE_READ: dict[str, tuple[bytes, str | None, str]] = {
    "passphrase needed": (encode_key(KEY, "pkcs8", "geheim"), None, NEEDED),
    "passphrase needed, traditional": (encode_key(KEY, "pkcs1", "geheim"), None, NEEDED),
    "passphrase needed, DER": (der(KEY, passphrase=b"geheim"), None, NEEDED),
    "wrong": (encode_key(KEY, "pkcs8", "geheim"), "Geheim", WRONG),
    "wrong, traditional": (encode_key(KEY, "pkcs1", "geheim"), "Geheim", WRONG),
    "wrong, DER": (der(KEY, passphrase=b"geheim"), "Geheim", WRONG),
    "EC": (ec_key("device").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None, NO_RSA),
    "Ed25519, encrypted": (der(ed25519.Ed25519PrivateKey.generate(), passphrase=b"x"), "x", NO_RSA),
    "nothing": (b"", None, UNREADABLE),
    "text": (b"-----BEGIN of it\n", "geheim", UNREADABLE),
    "cut off": (encode_key(KEY, "pkcs8", None)[:400], None, UNREADABLE),
    "cut off, encrypted": (encode_key(KEY, "pkcs8", "geheim")[:400], "geheim", UNREADABLE),
    "cut off, DER": (der(KEY)[:-1], None, UNREADABLE),
}


@pytest.mark.parametrize(("data", "passphrase", "sentence"), CANNOT_BE_READ.values(), ids=CANNOT_BE_READ)
@pytest.mark.parametrize("known", [False, True])
def test_what_cannot_be_read(data: bytes, passphrase: str | None, sentence: str, known: bool) -> None:
    with pytest.raises(EnrollmentError) as caught:
        read_key(PLACE, data, passphrase, known)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("data", [encode_key(KEY, "pkcs8", None), encode_key(KEY, "pkcs1", None), der(KEY)])
def test_a_passphrase_that_is_not_needed(data: bytes) -> None:
    assert read_key(PLACE, data, "geheim").private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize(
    ("kind", "passphrase", "sentence"),
    [
        ("PKCS8", None, "privatekey_format: 'PKCS8' is not known here; choose pkcs8 or pkcs1."),
        ("pkcs8", "", "privatekey_passphrase: it is empty; give a passphrase of at least one character."),
        (
            "pkcs8",
            "geheim\n",
            "privatekey_passphrase: it holds a control character, such as a line break at its end; leave that out.",
        ),
        ("pkcs1", "ä" * 512, "privatekey_passphrase: it has 1024 octets, and 1023 are the most; shorten it."),
    ],
)
def test_what_cannot_be_written(kind: str, passphrase: str | None, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        encode_key(KEY, kind, passphrase)
    assert str(caught.value) == sentence
    assert "geheim" not in str(caught.value)
