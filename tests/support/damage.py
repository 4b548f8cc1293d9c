# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damage to messages, of the kinds that parsers die of: to their octets, and to their structure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.netcert.ndes.plugins.module_utils.scep import asn1
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError

_CONSTRUCTED = 0x20
_ODD_OCTETS = (b"\0", b"\xff", b"\x80", b"\x7f", b"\x30", b"\x31", b"\xa0", b"\x05")
_ODD_VALUES = (b"", b"\0", b"\xff", b"\x80", b"\x7f" * 9, b"\xff" * 40, b"\0" * 300)
_TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x1E, 0x30, 0x31, 0x80, 0x81, 0x82, 0xA0, 0xA1)
_COPIES, _SMALL = 70, 8192
"""How often an element is repeated, and up to which size of the whole: twice in a row it would be for nobody."""


def damaged(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to three wounds, or more."""
    wounded = bytearray(data)
    for _unused in range(chance.choice((1, 1, 1, 2, 3, 5))):
        if not wounded:
            break
        chance.choice(_WOUNDS)(wounded, chance.randrange(len(wounded)), chance)
    return bytes(wounded)


def _flip_a_bit(wounded: bytearray, at: int, chance: random.Random) -> None:
    wounded[at] ^= 1 << chance.randrange(8)


def _write_something_odd(wounded: bytearray, at: int, chance: random.Random) -> None:
    wounded[at : at + 1] = chance.choice(_ODD_OCTETS)


def _write_anything(wounded: bytearray, at: int, chance: random.Random) -> None:
    span = chance.randrange(1, 9)
    wounded[at : at + span] = chance.randbytes(span)


def _write_what_stands_elsewhere(wounded: bytearray, at: int, chance: random.Random) -> None:
    source = chance.randrange(len(wounded))
    wounded[at : at + 16] = wounded[source : source + 16]


def _cut_out(wounded: bytearray, at: int, chance: random.Random) -> None:
    del wounded[at : at + chance.choice((1, 2, 5, 16, 300))]


def _put_in(wounded: bytearray, at: int, chance: random.Random) -> None:
    anything = chance.randbytes(chance.randrange(1, 9))
    doubled = bytes(wounded[at : at + 40])
    wounded[at:at] = chance.choice((anything, doubled, b"\0", b"\0\0", b"\x30\x80", b"\xff" * 20))


def _cut_off(wounded: bytearray, at: int, _chance: random.Random) -> None:
    del wounded[at:]


def _restructure(wounded: bytearray, _at: int, chance: random.Random) -> None:
    wounded[:] = restructured(bytes(wounded), chance)


_WOUNDS = (
    _flip_a_bit,
    _write_something_odd,
    _write_anything,
    _write_what_stands_elsewhere,
    _cut_out,
    _put_in,
    _cut_off,
    _restructure,
    _restructure,
)


@dataclass
class Node:
    """An element to be changed: `children` of a constructed one, or of a string that holds DER behind `prefix`."""

    tag: int
    value: bytes = b""
    prefix: bytes = b""
    children: list[Node] = field(default_factory=list)

    def body(self) -> bytes:
        """The content octets, in DER as far as there are elements in it; the order inside a SET stays."""
        return b"".join((self.prefix, *(child.encoded() for child in self.children))) if self.children else self.value

    def encoded(self) -> bytes:
        """The element, with the lengths that fit."""
        return asn1.tlv(self.tag, self.body())

    def all(self) -> Iterator[Node]:
        """This one and all below it."""
        yield self
        for child in self.children:
            yield from child.all()


def restructured(data: bytes, chance: random.Random) -> bytes:
    """One ASN.1 structure with one element gone, doubled, moved or changed, and the lengths around it put right.

    What is no structure comes back as it is.
    """
    try:
        tree = _node(asn1.read(data))
    except DecodeError:
        return data
    nodes = list(tree.all())
    parents = [node for node in nodes if node.children]
    if not parents:
        return data
    parent = chance.choice(parents)
    at = chance.randrange(len(parent.children))
    child, other = parent.children[at], chance.choice(nodes)
    kind = chance.randrange(8)
    if kind == 0:
        del parent.children[at]
    elif kind == 1:
        parent.children.insert(at, child)
    elif kind == 2:
        parent.children.insert(at, Node(other.tag, other.body()))
    elif kind == 3:
        parent.children[at] = Node(other.tag, other.body())
    elif kind == 4:
        parent.children[at] = Node(chance.choice(_TAGS), child.body())
    elif kind == 5:
        parent.children[at] = Node(child.tag, chance.choice(_ODD_VALUES))
    elif kind == 6:
        chance.shuffle(parent.children)
    else:
        parent.children[at:at] = [child] * chance.choice((2, _COPIES if len(data) <= _SMALL else 2))
    return tree.encoded()


def _node(element: asn1.Element) -> Node:
    """The tree of an element, and of the elements in its strings. Raises DecodeError."""
    if element.tag & _CONSTRUCTED:
        children = [_node(child) for child in element.children()]
        return Node(element.tag, children=children)
    content = element.content
    for prefix in (b"", b"\0") if element.tag in (asn1.OCTET_STRING, asn1.BIT_STRING) else ():
        inside = content[len(prefix) :]
        if content.startswith(prefix) and inside[:1] in (b"\x30", b"\x31"):
            try:
                return Node(element.tag, b"", prefix, [_node(asn1.read(inside))])
            except DecodeError:
                break
    return Node(element.tag, content)
