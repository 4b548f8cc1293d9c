# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading BER and writing DER, as little of it as SCEP needs (ITU-T X.690).

Reading is lenient where real clients need it: indefinite lengths, constructed OCTET STRINGs, non-minimal lengths. It is
bounded where an attacker would profit: the number of elements of one message, their depth, and the size of a number. An
element refers to the bytes it was read from, so that signatures are verified over what was received, never over a
re-encoding.
"""

from __future__ import annotations

from functools import lru_cache

from .errors import DecodeError

MAX_DEPTH = 32
MAX_ELEMENTS = 6000
"""Elements that one message may have; a megabyte in octet strings of 1,000 bytes, as some clients send, has 1,050."""
MAX_NUMBER_BYTES = 1024

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, PRINTABLE_STRING, T61_STRING, IA5_STRING = 0x0C, 0x13, 0x14, 0x16
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31
_CONSTRUCTED = 0x20

_STRING_CODECS = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "latin-1",
    T61_STRING: "latin-1",
    IA5_STRING: "latin-1",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}


def context(number: int, constructed: bool = True) -> int:
    """The identifier octet of the context-specific tag [number]."""
    return 0x80 | (_CONSTRUCTED if constructed else 0) | number


_TOO_MANY = "The ASN.1 structure has more elements than a SCEP message can have."
_TRUNCATED = "The ASN.1 structure is truncated."


class _Budget:
    """How many more elements of this message may be read, and where the indefinite lengths seen so far end."""

    __slots__ = ("ends", "left")

    def __init__(self) -> None:
        self.left = MAX_ELEMENTS
        self.ends: dict[int, int] = {}

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DecodeError(_TOO_MANY)


class Element:
    """One element: identifier octet `tag`, and where it and its content stand in `data`.

    `data[start:end]` is the whole element as received, `data[body:body_end]` its content octets.
    """

    __slots__ = ("_budget", "_children", "_depth", "body", "body_end", "data", "end", "start", "tag")

    def __init__(self, data: bytes, offset: int, limit: int, budget: _Budget, depth: int) -> None:
        # A message has a hundred elements, nearly all with one octet of tag and one of length: these take no call more.
        budget.left -= 1
        if budget.left < 0:
            raise DecodeError(_TOO_MANY)
        if depth > MAX_DEPTH:
            raise DecodeError("The ASN.1 structure is nested too deeply.")
        self.data = data
        self.start = offset
        self._budget = budget
        self._depth = depth
        self._children: list[Element] | None = None
        body = offset + 2
        if body <= limit and data[offset + 1] < 0x80 and data[offset] & 0x1F != 0x1F:
            self.tag = data[offset]
            self.body = body
            self.body_end = self.end = body + data[offset + 1]
            if self.end > limit:
                raise DecodeError(_TRUNCATED)
            return
        self.tag, self.body, length = _header(data, offset, limit)
        if length >= 0:
            self.body_end = self.end = self.body + length
        else:
            self.body_end = _end_of_contents(data, self.body, limit, budget, depth)
            self.end = self.body_end + 2
        if self.end > limit:
            raise DecodeError(_TRUNCATED)

    @property
    def raw(self) -> bytes:
        """The whole element as received, header included."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content octets as received."""
        return self.data[self.body : self.body_end]

    def children(self) -> list[Element]:
        """The elements inside this one; it has to be constructed."""
        if self._children is None:
            if not self.tag & _CONSTRUCTED:
                raise DecodeError("An ASN.1 element that should hold others does not.")
            found = []
            data, offset, end, budget, depth = self.data, self.body, self.body_end, self._budget, self._depth + 1
            while offset < end:
                child = Element(data, offset, end, budget, depth)
                found.append(child)
                offset = child.end
            self._children = found
        return self._children

    def child(self, index: int) -> Element:
        """The element at `index` inside this one."""
        children = self._children or self.children()
        if index >= len(children):
            raise DecodeError("An ASN.1 element that should be there is missing.")
        return children[index]

    def octets(self) -> bytes:
        """The value of an OCTET STRING (or of an implicitly tagged one), joined when it came in pieces."""
        if not self.tag & _CONSTRUCTED:
            return self.data[self.body : self.body_end]
        return b"".join(piece.octets() for piece in self.children())

    def bits(self) -> bytes:
        """The value of a BIT STRING of whole octets."""
        content = self.content
        if self.tag != BIT_STRING or not content or content[0] != 0:
            raise DecodeError("An ASN.1 BIT STRING of whole octets was expected.")
        return content[1:]

    def integer(self) -> int:
        """The value of an INTEGER."""
        if self.tag != INTEGER or self.body == self.body_end or self.body_end - self.body > MAX_NUMBER_BYTES:
            raise DecodeError("An ASN.1 INTEGER was expected.")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """The value of an OBJECT IDENTIFIER in dotted form."""
        if self.tag != OID:
            raise DecodeError("An ASN.1 OBJECT IDENTIFIER was expected.")
        return _dotted(self.data[self.body : self.body_end])

    def text(self) -> str:
        """The value of any of the character string types."""
        codec = _STRING_CODECS.get(self.tag)
        if codec is None:
            raise DecodeError("An ASN.1 character string was expected.")
        try:
            return self.content.decode(codec)
        except UnicodeDecodeError:
            raise DecodeError("An ASN.1 character string holds bytes that its type does not allow.") from None

    def expect(self, tag: int, what: str) -> Element:
        """This element, after a check of its identifier octet; `what` names it in the error."""
        if self.tag != tag:
            raise DecodeError(f"The message has no {what} where one is required.")
        return self


def _header(data: bytes, offset: int, limit: int) -> tuple[int, int, int]:
    """(identifier octet, offset of the content, its length or -1 when indefinite)."""
    if offset + 2 > limit:
        raise DecodeError(_TRUNCATED)
    tag = data[offset]
    if tag & 0x1F == 0x1F:
        raise DecodeError("The ASN.1 structure uses a tag that no SCEP message has.")
    first = data[offset + 1]
    body = offset + 2
    if first < 0x80:
        return tag, body, first
    if first == 0x80:
        if not tag & _CONSTRUCTED:
            raise DecodeError("A primitive ASN.1 element has no length.")
        return tag, body, -1
    count = first & 0x7F
    if count > 8 or body + count > limit:
        raise DecodeError("The ASN.1 structure has an impossible length.")
    return tag, body + count, int.from_bytes(data[body : body + count], "big")


def _end_of_contents(data: bytes, offset: int, limit: int, budget: _Budget, depth: int) -> int:
    """Where the end-of-contents octets stand that close the indefinite length whose content begins at `offset`.

    The ends of the indefinite lengths inside are found on the way and kept, so that no octet is passed twice.
    """
    if offset in budget.ends:
        return budget.ends[offset]
    begun = [offset]
    while True:
        if data[offset : offset + 2] == b"\0\0":
            budget.ends[begun.pop()] = offset
            if not begun:
                return offset
            offset += 2
            continue
        budget.spend()
        _tag, body, length = _header(data, offset, limit)
        if length < 0:
            begun.append(body)
            if depth + len(begun) > MAX_DEPTH:
                raise DecodeError("The ASN.1 structure is nested too deeply.")
            offset = body
        else:
            offset = body + length
        if offset > limit:
            raise DecodeError(_TRUNCATED)


def read(data: bytes) -> Element:
    """The one element that `data` is.

    Raises DecodeError for anything else, trailing bytes included (zero octets of padding are let through, since some
    devices pad the decrypted message).
    """
    element = Element(data, 0, len(data), _Budget(), 0)
    if element.end != len(data) and data[element.end :].strip(b"\0"):
        raise DecodeError("The ASN.1 structure is followed by bytes that do not belong to it.")
    return element


def header(data: bytes, offset: int) -> tuple[int, int, int]:
    """(identifier octet, offset of the content, end) of one element of DER that was read before, by the library."""
    tag, body, length = _header(data, offset, len(data))
    return tag, body, body + length


def to_der(element: Element) -> bytes:
    """The element again in DER: definite lengths, strings in one piece. The order inside a SET stays as received."""
    if not element.tag & _CONSTRUCTED:
        return tlv(element.tag, element.content)
    if element.tag & ~_CONSTRUCTED == OCTET_STRING:
        return octet_string(element.octets())
    return tlv(element.tag, *(to_der(child) for child in element.children()))


@lru_cache(maxsize=512)
def _dotted(content: bytes) -> str:
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DecodeError("An ASN.1 OBJECT IDENTIFIER is malformed.")
    numbers = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    top = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in [top, numbers[0] - 40 * top, *numbers[1:]])


def tlv(tag: int, *parts: bytes) -> bytes:
    """An element with the given identifier octet and the joined `parts` as its content, in DER."""
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    if 0x100 <= size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of ready-made elements."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """SET OF ready-made elements, in the order that DER demands."""
    return tlv(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """INTEGER."""
    return tlv(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def octet_string(value: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(OCTET_STRING, value)


def bit_string(value: bytes) -> bytes:
    """BIT STRING of whole octets."""
    return tlv(BIT_STRING, b"\0", value)


def printable(value: str) -> bytes:
    """PrintableString; the caller sees to the alphabet."""
    return tlv(PRINTABLE_STRING, value.encode("latin-1"))


def utf8(value: str) -> bytes:
    """UTF8String."""
    return tlv(UTF8_STRING, value.encode())


@lru_cache(maxsize=256)
def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    numbers = [int(part) for part in dotted.split(".")]
    body = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        body += bytes(reversed(septets))
    return tlv(OID, bytes(body))


ASN1_NULL = b"\x05\x00"
