# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can be wrong with a message, each with the failInfo that a server answers and a sentence for a user.

The text of an error is one sentence. `fail_info` is what a SCEP server puts into its CertRep (RFC 8894 section
3.2.1.4); None means that no CertRep can be sent, and a server answers with an HTTP status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constants import FailInfo

if TYPE_CHECKING:
    from .header import RequestHeader


class ScepError(Exception):
    """Base of all errors of the protocol core."""

    fail_info: FailInfo | None = None


class DecodeError(ScepError):
    """The bytes are not the structure that they should be, and no answer can be addressed."""


class MessageError(ScepError):
    """A message was understood far enough to be refused with a failInfo.

    `request` is the header of the refused request as soon as it could be read, so that a server can send a signed
    CertRep.
    """

    request: RequestHeader | None = None


class BadAlgorithm(MessageError):
    """An algorithm is unknown, or known and not allowed.

    `not_allowed`: names, as the tables of `algorithms` have them, of those that are merely not allowed. Which switch
    allows them is known to whoever has switches.
    """

    fail_info = FailInfo.BAD_ALG

    def __init__(self, sentence: str, *not_allowed: str) -> None:
        super().__init__(sentence)
        self.not_allowed = not_allowed


class BadMessageCheck(MessageError):
    """The message does not prove what it claims: signature, digest or decryption failed."""

    fail_info = FailInfo.BAD_MESSAGE_CHECK


class BadRequest(MessageError):
    """The message is authentic, but what it asks for is malformed or not permitted."""

    fail_info = FailInfo.BAD_REQUEST


class BadKeySize(BadRequest):
    """A key that is to be certified is too short or too long."""


class BadTime(MessageError):
    """A time in the message is outside of what is accepted."""

    fail_info = FailInfo.BAD_TIME


class BadCertId(MessageError):
    """No certificate matches what was asked for."""

    fail_info = FailInfo.BAD_CERT_ID


class NoSignerCertificate(BadMessageCheck):
    """The certificate that should verify the signature is not there."""


class SignatureInvalid(BadMessageCheck):
    """A signature does not verify with the public key it should belong to."""


class DigestMismatch(BadMessageCheck):
    """The messageDigest attribute is not the digest of the content."""


class WrongRecipient(BadMessageCheck):
    """The content is encrypted to none of the receiver's certificates."""


UNPROVEN = (
    "The encrypted content does not decrypt, is not what the messageType says, or its own signature does not verify."
)
"""One sentence and one failInfo for whatever goes wrong between the encrypted key and a PKCS#10 whose signature holds.

Several would tell an attacker, who wraps somebody else's envelope into a message of his own and changes octets or the
messageType, how far the decryption came, and octet by octet what is in it. `__cause__` says more, to the server's log.
"""


class DecryptionFailed(BadMessageCheck):
    """The content is encrypted to the receiver, but does not decrypt to what it should be (see `UNPROVEN`)."""

    def __init__(self) -> None:
        super().__init__(UNPROVEN)


class NotFound(BadCertId):
    """What a CertPoll, GetCert or GetCRL asks for is not here, or the request does not decrypt.

    Nobody proves anything in these requests, so `UNPROVEN` is not enough: telling the two apart would do an attacker
    the same service, who sends the envelope of somebody else's PKCSReq as a CertPoll.
    """

    def __init__(self) -> None:
        super().__init__("Nothing that is here is what the request asks for, or its content does not decrypt.")


class MalformedContent(BadRequest):
    """The decrypted messageData is not what the messageType says."""


class TrustError(ScepError):
    """A certificate is not one that the trust anchor vouches for."""


class ReplyError(ScepError):
    """A reply does not answer the request that was sent: transactionID, nonce, status or key differ."""
