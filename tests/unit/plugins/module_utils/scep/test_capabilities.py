# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetCACaps answers as they are in the field."""

from __future__ import annotations

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.capabilities import (
    SERVER_WORDS,
    format_capabilities,
    parse_capabilities,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from hypothesis import given
from hypothesis import strategies as st

NDES = b"POSTPKIOperation\nRenewal\nSHA-512\nSHA-256\nSHA-1\nDES3\n"
MICROMDM = b"Renewal\nSHA-1\nSHA-256\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation"
STEP_CA = b"Renewal\r\nSHA-1\r\nSHA-256\r\nAES\r\nDES3\r\nSCEPStandard\r\nPOSTPKIOperation"


@pytest.mark.parametrize(
    ("body", "post", "renewal", "next_ca", "digests", "ciphers"),
    [
        (NDES, True, True, False, {"sha1", "sha256", "sha512"}, {"des-ede3-cbc"}),
        (NDES.replace(b"POSTPKIOperation\n", b""), False, True, False, {"sha1", "sha256", "sha512"}, {"des-ede3-cbc"}),
        (MICROMDM, True, True, False, {"sha1", "sha256"}, {"aes-128-cbc", "des-ede3-cbc"}),
        (STEP_CA, True, True, False, {"sha1", "sha256"}, {"aes-128-cbc", "des-ede3-cbc"}),
        (b"", False, False, False, set(), set()),
        (b"\r\n\r\n", False, False, False, set(), set()),
        (b"SCEPStandard", True, False, False, {"sha256"}, {"aes-128-cbc"}),
        (b"getnextcacert\nsha-384\naes", False, False, True, {"sha384"}, {"aes-128-cbc"}),
        (b"  AES \t\nUnheard-of\n", False, False, False, set(), {"aes-128-cbc"}),
        (b"AES SHA-256", False, False, False, set(), set()),  # words have lines of their own
    ],
)
def test_what_servers_say(
    body: bytes, post: bool, renewal: bool, next_ca: bool, digests: set[str], ciphers: set[str]
) -> None:
    found = parse_capabilities(body)
    assert (found.post, found.renewal, found.next_ca) == (post, renewal, next_ca)
    assert found.digests == digests
    assert found.ciphers == ciphers


@pytest.mark.parametrize(
    "body", [b"<html>", b" \r\n<!DOCTYPE html>", b"<?xml version='1.0'?>", b"AES\0", b"AES\n" * 5000, b"\x30\x82\x01\0"]
)
def test_what_is_no_list_of_capabilities(body: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_capabilities(body)


def test_own_words_are_understood_and_aes_comes_before_des3() -> None:
    body = format_capabilities(SERVER_WORDS)
    assert b"\r" not in body
    assert body.endswith(b"\n")
    words = body.decode().split("\n")
    assert words.index("AES") < words.index("DES3")
    assert "SHA-384" in words
    found = parse_capabilities(body)
    assert found.post
    assert found.renewal
    assert found.digests == {"sha1", "sha256", "sha384", "sha512"}


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    try:
        found = parse_capabilities(body)
    except DecodeError:
        return
    assert all(word == word.strip() and word for word in found.words)
