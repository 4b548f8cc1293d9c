# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BER reader and the DER writer, with asn1crypto as the judge of what is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.asn1 import Element, read
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from support import ber

MEBIBYTE = 1 << 20


def walk(element: Element) -> int:
    """Read all there is, as the most curious of callers would; the number of elements."""
    count = 1
    for get in (element.octets, element.bits, element.integer, element.oid, element.text):
        with contextlib.suppress(DecodeError):
            get()
    if element.tag & 0x20:
        count += sum(walk(child) for child in element.children())
    return count


# --- one value at a time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, 2**160 - 1, 2**263])
def test_integer_is_minimal_and_read_back(value: int) -> None:
    encoded = asn1.integer(value)
    assert encoded == core.Integer(value).dump()
    assert read(encoded).integer() == value


@given(st.integers(-(2**300), 2**300))
def test_any_integer(value: int) -> None:
    encoded = asn1.integer(value)
    assert encoded == core.Integer(value).dump()
    assert read(encoded).integer() == value


@pytest.mark.parametrize(
    ("encoded", "value"),
    [("0201ff", -1), ("02020001", 1), ("0203000080", 128), ("028200017f", 127), ("02840000000105", 5)],
)
def test_integer_padded_or_with_a_long_length_is_read(encoded: str, value: int) -> None:
    assert read(bytes.fromhex(encoded)).integer() == value


@given(st.integers(0, 2), st.lists(st.integers(0, 2**70), min_size=1, max_size=6), st.data())
def test_any_object_identifier(top: int, rest: list[int], data: st.DataObject) -> None:
    second = data.draw(st.integers(0, 39 if top < 2 else 2**40))
    dotted = ".".join(str(number) for number in [top, second, *rest])
    encoded = asn1.oid(dotted)
    assert encoded == core.ObjectIdentifier(dotted).dump()
    assert read(encoded).oid() == dotted


@pytest.mark.parametrize(
    ("tag", "body", "text"),
    [
        (asn1.PRINTABLE_STRING, b"Abc '()+,-./:=?", "Abc '()+,-./:=?"),
        (asn1.PRINTABLE_STRING, b"a@b_c*", "a@b_c*"),
        (asn1.UTF8_STRING, "pässwörd€".encode(), "pässwörd€"),
        (asn1.T61_STRING, b"p\xe4ss", "päss"),
        (asn1.IA5_STRING, b"a@b", "a@b"),
        (asn1.BMP_STRING, "päß€".encode("utf-16-be"), "päß€"),
        (asn1.UNIVERSAL_STRING, "ä\U0001f511".encode("utf-32-be"), "ä\U0001f511"),
        (asn1.UTF8_STRING, b"", ""),
    ],
)
def test_every_string_type_is_read(tag: int, body: bytes, text: str) -> None:
    assert read(asn1.tlv(tag, body)).text() == text


@pytest.mark.parametrize(
    ("encoded", "get"),
    [
        ("0c02c328", Element.text),  # no UTF-8
        ("1e03004100", Element.text),  # half a UTF-16 unit
        ("1e02d800", Element.text),  # half a surrogate pair
        ("1c0400110000", Element.text),  # beyond Unicode
        ("0401aa", Element.text),
        ("330413024142", Element.text),  # a constructed PrintableString
        ("0200", Element.integer),
        ("0401aa", Element.integer),
        ("22030201aa", Element.integer),
        ("0282040101" + "01" * 1024, Element.integer),
        ("0600", Element.oid),
        ("060180", Element.oid),
        ("06022a80", Element.oid),
        ("0641" + "81" * 64 + "01", Element.oid),
        ("040155", Element.oid),
        ("0300", Element.bits),
        ("030201fe", Element.bits),
        ("23050303000102", Element.bits),
        ("040100", Element.bits),
        ("0401aa", Element.children),
        ("0500", Element.children),
        ("240402020102", lambda element: element.child(1)),
        ("3000", lambda element: element.child(0)),
        ("3000", lambda element: element.expect(asn1.SET, "set")),
    ],
)
def test_wrong_values_are_decode_errors(encoded: str, get: Callable[[Element], object]) -> None:
    element = read(bytes.fromhex(encoded))
    with pytest.raises(DecodeError):
        get(element)


@pytest.mark.parametrize(
    ("encoded", "octets"),
    [
        ("0403616263", b"abc"),
        ("8003616263", b"abc"),  # implicitly tagged
        ("2407040161040262 63".replace(" ", ""), b"abc"),
        ("24800401610402626 30000".replace(" ", ""), b"abc"),
        ("a080040161040262630000", b"abc"),
        ("248024800401610000240504036263640000", b"abcd"[:1] + b"bcd"),  # pieces in pieces
        ("24800000", b""),
        ("2400", b""),
        ("0483000003616263", b"abc"),
    ],
)
def test_octet_strings_in_pieces(encoded: str, octets: bytes) -> None:
    assert read(bytes.fromhex(encoded)).octets() == octets


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "30",
        "3001",
        "30020201",  # the child is cut off
        "308101",
        "3085",
        "30ff" + "00" * 16,
        "308900000000000000000000",
        "3088ffffffffffffffff",
        "0480616200 00".replace(" ", ""),  # a primitive element cannot be of indefinite length
        "3080",
        "308000",
        "30803080 0000".replace(" ", ""),  # only the inner one ends
        "3080020101",
        "1f8101",  # a tag above 30
        "020101ff",  # bytes behind
        "0201010001",
    ],
)
def test_broken_structures_are_decode_errors(encoded: str) -> None:
    with pytest.raises(DecodeError):
        walk(read(bytes.fromhex(encoded)))


def test_padding_of_zero_octets_is_let_through() -> None:
    assert read(b"\x02\x01\x05" + bytes(1000)).integer() == 5


def test_an_element_cannot_reach_beyond_the_one_around_it() -> None:
    outer = bytes.fromhex("3003020201") + b"\x02\x01\x05"
    with pytest.raises(DecodeError):
        read(asn1.sequence(outer)).child(0).children()
    # the end of an indefinite length neither
    with pytest.raises(DecodeError):
        read(asn1.sequence(bytes.fromhex("30033080 00".replace(" ", "")), bytes(2))).child(0).children()


def test_raw_is_what_was_received() -> None:
    inner = ber.indefinite(0x30, ber.long_form(0x02, b"\x05", 3))
    element = read(ber.indefinite(0x30, inner, asn1.ASN1_NULL))
    assert element.child(0).raw == inner
    assert element.child(0).content == inner[2:-2]
    assert element.child(1).raw == asn1.ASN1_NULL


def test_set_of_is_sorted_and_tlv_is_not() -> None:
    parts = [asn1.integer(3), asn1.octet_string(b""), asn1.integer(1), asn1.sequence()]
    assert asn1.set_of(*parts) == b"\x31\x0a" + b"".join(sorted(parts))
    assert asn1.tlv(0x31, *parts)[2:] == b"".join(parts)


@given(st.text(max_size=200))
def test_any_utf8_string(text: str) -> None:
    assert asn1.utf8(text) == core.UTF8String(text).dump()
    assert read(asn1.utf8(text)).text() == text


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24])
def test_every_length_of_length(size: int) -> None:
    encoded = asn1.octet_string(bytes(size))
    assert encoded == core.OctetString(bytes(size)).dump()
    assert len(read(encoded).octets()) == size


# --- whole trees -----------------------------------------------------------------------------------------------------

leaves = st.one_of(
    st.binary(max_size=40).map(asn1.octet_string),
    st.integers(-(2**80), 2**80).map(asn1.integer),
    st.sampled_from(["1.2.840.113549.1.7.1", "2.5.4.3", "2.999.1"]).map(asn1.oid),
    st.text(max_size=10).map(asn1.utf8),
    st.just(asn1.ASN1_NULL),
    st.binary(max_size=10).map(asn1.bit_string),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda tag, parts: asn1.tlv(tag, *parts), st.sampled_from([0x30, 0x31, 0xA0, 0xA3]), st.lists(inner, max_size=5)
    ),
    max_leaves=20,
)


@given(trees, st.data())
def test_ber_of_any_tree_is_the_same_der(tree: bytes, data: st.DataObject) -> None:
    assert asn1.to_der(read(tree)) == tree
    other = ber.reencode(read(tree), lambda forms: data.draw(st.integers(0, forms - 1)))
    assert asn1.to_der(read(other)) == tree


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        walk(read(data))


@given(trees, st.data())
def test_damaged_trees_raise_nothing_but_decode_errors(tree: bytes, data: st.DataObject) -> None:
    damaged = bytearray(ber.reencode(read(tree), lambda forms: data.draw(st.integers(0, forms - 1))))
    for _unused in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        asn1.to_der(read(bytes(damaged)))
        walk(read(bytes(damaged)))
    except DecodeError:
        pass


# --- what an attacker sends: counted in headers read, not in seconds -------------------------------------------------

HOSTILE = {
    "0x30 over and over": b"\x30" * MEBIBYTE,
    "indefinite in indefinite": b"\x30\x80" * (MEBIBYTE // 2),
    "indefinite, never ended, full of small ones": b"\x30\x80" + b"\x05\x00" * (MEBIBYTE // 2),
    "31 deep, then small ones without end": b"\x30\x80" * 31 + b"\x05\x00" * (MEBIBYTE // 2),
    "flat and tiny": asn1.sequence(b"\x05\x00" * (MEBIBYTE // 2)),
    "flat and empty, indefinite": ber.indefinite(0x30, b"\x30\x80\0\0" * (MEBIBYTE // 4)),
    "octet string in tiny pieces": asn1.tlv(0x24, b"\x04\x00" * (MEBIBYTE // 2)),
    "octet string in pieces in pieces": b"\x24\x80" * (MEBIBYTE // 2),
    "zeros": bytes(MEBIBYTE),
    "ends without beginnings": b"\x30\x80" + bytes(MEBIBYTE),
    "long-form lengths": asn1.sequence(b"\x04\x88\0\0\0\0\0\0\0\0" * (MEBIBYTE // 10)),
    "definite in definite": b"".join(
        b"\x30\x83" + (MEBIBYTE - 5 * (level + 1)).to_bytes(3, "big") for level in range(MEBIBYTE // 5)
    ),
    "one huge integer": asn1.tlv(0x02, b"\x7f" * MEBIBYTE),
    "one huge object identifier": asn1.tlv(0x06, b"\xff" * MEBIBYTE + b"\x01"),
    "one huge text": asn1.tlv(0x1C, b"\xff" * MEBIBYTE),
    "one huge bit string": asn1.tlv(0x03, b"\x07" * MEBIBYTE),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_megabyte_is_little_work(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = 0
    genuine = asn1._header

    def counting(data: bytes, offset: int, limit: int) -> tuple[int, int, int]:
        nonlocal headers
        headers += 1
        return genuine(data, offset, limit)

    monkeypatch.setattr(asn1, "_header", counting)
    try:
        element = read(HOSTILE[what])
        walk(element)
    except DecodeError:
        pass
    assert headers <= asn1.MAX_ELEMENTS + 1


def test_a_number_of_any_size_is_refused_before_it_is_computed() -> None:
    for what, get in (("one huge integer", Element.integer), ("one huge object identifier", Element.oid)):
        with pytest.raises(DecodeError):
            get(read(HOSTILE[what]))


@pytest.mark.parametrize("depth", [1, 2, 7, 20])
def test_pieces_inside_indefinite_lengths_are_passed_once_however_deep(depth: int) -> None:
    """A client may wrap a content of a megabyte, in pieces of 1,000 octets, in many indefinite lengths."""
    value = bytes(MEBIBYTE)
    message = ber.pieces(0x24, value, 1000)
    for _unused in range(depth):
        message = ber.indefinite(0x30, message)
    element = read(message)
    for _unused in range(depth):
        element = element.child(0)
    assert element.octets() == value


def test_depth_is_bounded_at_the_stated_number() -> None:
    for write in (asn1.tlv, ber.indefinite):
        fits = asn1.ASN1_NULL
        for _unused in range(asn1.MAX_DEPTH):
            fits = write(0x30, fits)
        assert walk(read(fits)) == asn1.MAX_DEPTH + 1
        with pytest.raises(DecodeError):
            walk(read(write(0x30, fits)))


def test_number_of_elements_is_bounded_at_the_stated_number() -> None:
    assert walk(read(asn1.sequence(asn1.ASN1_NULL * (asn1.MAX_ELEMENTS - 1)))) == asn1.MAX_ELEMENTS
    with pytest.raises(DecodeError):
        walk(read(asn1.sequence(asn1.ASN1_NULL * asn1.MAX_ELEMENTS)))
