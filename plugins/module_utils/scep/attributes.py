# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SCEP attributes of a SignerInfo (RFC 8894 section 3.2.1), written and read."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

from . import asn1, constants
from .cms import SignerInfo
from .constants import FailInfo, MessageType, PkiStatus
from .errors import BadRequest, DecodeError

Number = TypeVar("Number", bound=IntEnum)

_DECIMAL = re.compile(r"\d{1,4}")
_HRESULT = re.compile(r"-?[0-9]{1,10}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_TRANSACTION_ID = 255


def message_type(value: MessageType) -> tuple[str, bytes]:
    """messageType: a decimal number in a PrintableString."""
    return constants.OID_MESSAGE_TYPE, asn1.printable(str(int(value)))


def pki_status(value: PkiStatus) -> tuple[str, bytes]:
    """pkiStatus: a decimal number in a PrintableString."""
    return constants.OID_PKI_STATUS, asn1.printable(str(int(value)))


def fail_info(value: FailInfo) -> tuple[str, bytes]:
    """failInfo: a decimal number in a PrintableString."""
    return constants.OID_FAIL_INFO, asn1.printable(str(int(value)))


def fail_info_text(value: str) -> tuple[str, bytes]:
    """failInfoText: a sentence in a UTF8String (RFC 8894 section 3.2.1.4)."""
    return constants.OID_FAIL_INFO_TEXT, asn1.utf8(value)


def ms_error(hresult: int) -> tuple[str, bytes]:
    """The Microsoft error attribute: an HRESULT (unsigned here) as a signed decimal number in a PrintableString."""
    return constants.OID_MS_SCEP_ERROR, asn1.printable(str(hresult - (1 << 32) if hresult >> 31 else hresult))


def transaction_id(value: str) -> tuple[str, bytes]:
    """transactionID: a PrintableString; what a client sent in another alphabet goes back octet for octet."""
    return constants.OID_TRANSACTION_ID, asn1.printable(value)


def sender_nonce(value: bytes) -> tuple[str, bytes]:
    """senderNonce: 16 octets."""
    return constants.OID_SENDER_NONCE, asn1.octet_string(value)


def recipient_nonce(value: bytes) -> tuple[str, bytes]:
    """recipientNonce: the senderNonce of the request that is answered."""
    return constants.OID_RECIPIENT_NONCE, asn1.octet_string(value)


def read_transaction_id(signer: SignerInfo) -> str:
    """The transactionID: 1 to 255 printable characters. Raises DecodeError: without one nothing can be answered."""
    element = _single(signer, constants.OID_TRANSACTION_ID, "transactionID")
    if element is None:
        raise DecodeError("The message has no transactionID.")
    text = element.content.decode("latin-1")
    if not 1 <= len(text) <= MAX_TRANSACTION_ID or _CONTROL.search(text):
        raise DecodeError(f"The transactionID is not 1 to {MAX_TRANSACTION_ID} printable characters.")
    return text


def read_nonce(signer: SignerInfo, oid: str, what: str) -> bytes:
    """A nonce as sent, empty without one; its length is the sender's affair, up to 64 octets. Raises DecodeError."""
    element = _single(signer, oid, what)
    if element is None:
        return b""
    value = element.octets()
    if len(value) > 64:
        raise DecodeError(f"The {what} has {len(value)} octets; 16 are expected.")
    return value


def read_number(signer: SignerInfo, oid: str, what: str, kind: Callable[[int], Number]) -> Number | None:
    """messageType or pkiStatus, None without one.

    Raises BadRequest for what is no number that the RFC has.
    """
    element = signer.attribute(oid, what)
    if element is None:
        return None
    text = element.content.decode("latin-1")
    known = _known(text, kind)
    if known is None:
        raise BadRequest(f"The {what} of the message is {text[:20]!r}, which RFC 8894 does not have.")
    return known


def _known(text: str, kind: Callable[[int], Number]) -> Number | None:
    try:
        return kind(int(text)) if _DECIMAL.fullmatch(text) else None
    except ValueError:
        return None


def read_fail_info(signer: SignerInfo) -> FailInfo | str | None:
    """failInfo, None without one, or the text of one that RFC 8894 does not have: a refusal is one all the same.

    Raises BadRequest for several.
    """
    element = signer.attribute(constants.OID_FAIL_INFO, "failInfo")
    if element is None:
        return None
    text = element.content.decode("latin-1")
    return text[:20] if (known := _known(text, FailInfo)) is None else known


def read_text(signer: SignerInfo, oid: str, what: str) -> str | None:
    """failInfoText, with control characters taken out, or None. Raises BadRequest or DecodeError."""
    element = signer.attribute(oid, what)
    return None if element is None else _CONTROL.sub(" ", element.text()).strip()


def read_hresult(signer: SignerInfo) -> int | None:
    """The Microsoft error attribute as an unsigned HRESULT, or None where it is absent or unreadable."""
    try:
        text = read_text(signer, constants.OID_MS_SCEP_ERROR, "Microsoft error attribute")
    except (BadRequest, DecodeError):
        return None
    return int(text) & 0xFFFFFFFF if text and _HRESULT.fullmatch(text) else None


def _single(signer: SignerInfo, oid: str, what: str) -> asn1.Element | None:
    try:
        return signer.attribute(oid, what)
    except BadRequest as error:
        raise DecodeError(str(error)) from None
