# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refusal means: one table of failInfo (RFC 8894 section 3.2.1.4), one of the HRESULTs that NDES adds to it.

Names and values of HRESULTs are Microsoft's. What brings each of them about in the field is known for some only, and
is said with 'usually' where it was seen rather than documented.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .constants import FailInfo

if TYPE_CHECKING:
    from .replies import Reply

MAX_QUOTED = 300
"""Characters of a server's own text that are quoted."""


@dataclass(frozen=True)
class Failure:
    """A code and four texts; those after the name are clauses, without a capital letter and a full stop."""

    code: int
    name: str
    meaning: str
    cause: str
    step: str


@dataclass(frozen=True)
class Hresult(Failure):
    """`code` is unsigned. Its bits: 31 severity, 16 to 26 facility, 0 to 15 the code within the facility."""

    @property
    def hexadecimal(self) -> str:
        """As Microsoft writes it, such as `0x80070057`."""
        return f"0x{self.code:08X}"

    @property
    def signed(self) -> int:
        """As NDES sends it, such as -2147024809."""
        return self.code - (1 << 32) if self.code >> 31 else self.code


_FAIL_INFO_TEXTS = (
    # failInfo, meaning, cause, next step
    (
        FailInfo.BAD_ALG,
        "an algorithm of the request is unknown there or not allowed",
        "usually a digest or a cipher that one side allows and the other does not",
        "compare what the server names in GetCACaps with what is allowed on this side",
    ),
    (
        FailInfo.BAD_MESSAGE_CHECK,
        "the server could not verify or decrypt the request",
        "usually a request that was made for the certificates of another server, or on NDES a challenge password "
        "that is not valid",
        "check that the URL leads to the server that answers GetCACert, and on NDES get a new challenge password",
    ),
    (
        FailInfo.BAD_REQUEST,
        "the request is not permitted or not supported",
        "usually a challenge password that is wrong, used or expired, otherwise names, key size or template",
        "get a new challenge password, or ask for what the CA allows",
    ),
    (
        FailInfo.BAD_TIME,
        "the time in the request is too far from the server's",
        "usually a clock that is wrong",
        "compare the clocks of this host and of the server",
    ),
    (
        FailInfo.BAD_CERT_ID,
        "no certificate there matches the one that the request names",
        "usually a certificate of another CA, or a request that the server does not know",
        "check that the certificate comes from this CA",
    ),
)
FAIL_INFOS: dict[int, Failure] = {info: Failure(info, info.camel, *texts) for info, *texts in _FAIL_INFO_TEXTS}

_LOG = "look into the Application event log of the NDES host"

HRESULTS: dict[int, Hresult] = {
    row.code: row
    for row in (
        Hresult(
            0x80004005,
            "E_FAIL",
            "an error that Microsoft gives no more exact code",
            "not known from the code, but seen where the CA does not issue the template",
            f"{_LOG}, at event 31, and for the failed request at the CA",
        ),
        Hresult(
            0x80070002,
            "ERROR_FILE_NOT_FOUND",
            "a file or a value of the registry is not there",
            "usually a registration authority certificate that is missing or has lost its key, or a missing value "
            "under MSCEP in the registry",
            f"{_LOG}, at event 10, then renew the registration authority certificates or restore the value",
        ),
        Hresult(
            0x80070057,
            "E_INVALIDARG",
            "NDES does not take an argument of the request",
            "not known here, except for GetCRL, which NDES does not support",
            f"do not ask NDES for CRLs; otherwise {_LOG}",
        ),
        Hresult(
            0x800700EA,
            "ERROR_MORE_DATA",
            "more data is to be had than was taken",
            "usually the order of the handlers in IIS",
            "move ExtensionlessUrlHandler-ISAPI-4.0_64bit below StaticFile in both applications of NDES",
        ),
        Hresult(
            0x80070490,
            "ERROR_NOT_FOUND",
            "NDES did not find what it looked for",
            "usually a challenge password that is unknown to NDES, used, expired, or forgotten with a restart of its "
            "application pool",
            "get a new challenge password and use it at once",
        ),
        Hresult(
            0x800706BA,
            "RPC_S_SERVER_UNAVAILABLE",
            "NDES does not reach the CA",
            "usually the CA's service is stopped, or a firewall is between NDES and the CA",
            "start the CA's service, and let RPC through (port 135 and the dynamic ports); then recycle the "
            "application pool SCEP if it does not recover",
        ),
        Hresult(
            0x80090005,
            "NTE_BAD_DATA",
            "NDES cannot decrypt the request",
            "usually the request was encrypted to another certificate than the one that NDES uses",
            f"check that the URL leads to this NDES, and ask for its certificates anew; {_LOG}, at event 18",
        ),
        Hresult(
            0x8009000B,
            "NTE_BAD_KEY_STATE",
            "a key of NDES cannot be used",
            "usually the stored static password (EncryptedPassword) that NDES can no longer decrypt",
            f"{_LOG}, at events 2 and 49; delete EncryptedPassword and recycle the application pool SCEP",
        ),
        Hresult(
            0x80092013,
            "CRYPT_E_REVOCATION_OFFLINE",
            "a CRL could not be had, so a certificate could not be checked",
            "the CRL of the CA or of one above it is out of date or not to be reached",
            "publish the CRL; 'certutil -verify -urlfetch' on the NDES host and at the CA shows which one it is",
        ),
        Hresult(
            0x8009310B,
            "CRYPT_E_ASN1_BADTAG",
            "NDES cannot read the structure of the request",
            "usually a request that was cut on its way, as a long one in a URL may be",
            f"let the client use POST, or raise the limits for URLs; {_LOG}, at event 17",
        ),
        Hresult(
            0x80094001,
            "CERTSRV_E_BAD_REQUESTSUBJECT",
            "the subject of the request is not valid for the CA, or too long",
            "an attribute that is longer than X.500 allows, or one that the CA does not take",
            "shorten or correct the subject; EnforceX500NameLengths at the CA decides about lengths",
        ),
        Hresult(
            0x80094009,
            "CERTSRV_E_RESTRICTEDOFFICER",
            "the CA restricts for whom NDES may ask",
            "the enrolment agents of the CA are restricted, and NDES or the template is not among those allowed",
            "add the account and the templates of NDES to the enrolment agent restrictions of the CA",
        ),
        Hresult(
            0x80094011,
            "CERTSRV_E_ENROLL_DENIED",
            "the account of NDES may not request certificates at this CA",
            "the right Request Certificates is missing at the CA",
            "give the account of the application pool the right Request Certificates at the CA",
        ),
        Hresult(
            0x80094012,
            "CERTSRV_E_TEMPLATE_DENIED",
            "the template does not let the account of NDES enrol",
            "the rights Read and Enroll on the template are missing",
            "give the account of the application pool Read and Enroll on every template that NDES uses",
        ),
        Hresult(
            0x80094014,
            "CERTSRV_E_ADMIN_DENIED_REQUEST",
            "an administrator of the CA denied the request",
            "somebody decided so",
            "ask the administrators of the CA, then enrol anew",
        ),
        Hresult(
            0x80094800,
            "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
            "the CA does not issue the template that was asked for",
            "the template is not published at the CA, or MSCEP in the registry of NDES has its display name in place "
            "of its name, or the CA has not noticed the change yet",
            "publish the template, compare the values under MSCEP with its cn, then restart the CA's service and "
            "recycle the application pool SCEP",
        ),
        Hresult(
            0x80094801,
            "CERTSRV_E_NO_CERT_TYPE",
            "the request names no template",
            "not known here, but NDES takes the template from the values under MSCEP in its registry",
            "check SignatureTemplate, EncryptionTemplate and GeneralPurposeTemplate under MSCEP",
        ),
        Hresult(
            0x80094806,
            "CERTSRV_E_BAD_RENEWAL_SUBJECT",
            "the subject of the request is not the one that a renewal may have",
            "not known here, but NDES usually wants a renewal to keep the subject of the old certificate",
            "renew with the same subject, or enrol anew with a challenge password",
        ),
        Hresult(
            0x80094809,
            "CERTSRV_E_SIGNATURE_POLICY_REQUIRED",
            "the request lacks the policy of a signature that the template requires",
            "the template asks for another policy than that of the enrolment agent NDES",
            "require the application policy Certificate Request Agent in the issuance requirements of the template, "
            "or no signature at all",
        ),
        Hresult(
            0x8009480A,
            "CERTSRV_E_SIGNATURE_COUNT",
            "the request lacks a signature that the template requires",
            "the template asks for more signatures than that of NDES",
            "lower the number of authorised signatures in the issuance requirements of the template",
        ),
        Hresult(
            0x80094811,
            "CERTSRV_E_KEY_LENGTH",
            "the key is shorter than the template allows",
            "the size of the key is below the minimum of the template",
            "ask for a larger key, or lower the minimum of the template",
        ),
        Hresult(
            0x80096004,
            "TRUST_E_CERT_SIGNATURE",
            "a signature of a certificate could not be verified",
            "usually the request has no challenge password, and NDES requires one",
            "give a challenge password",
        ),
        Hresult(
            0x800B0110,
            "CERT_E_WRONG_USAGE",
            "a certificate is not valid for what it was used for",
            "usually a challenge password that was used before",
            "get a new challenge password",
        ),
    )
}

_NO_REASON = Failure(-1, "no failInfo", "it gives no reason", "not known", "look into the log of the server")


def _fail_info(found: FailInfo | str | None) -> Failure:
    if found is None:
        return _NO_REASON
    if isinstance(found, FailInfo):
        return replace(FAIL_INFOS[found], name=f"failInfo {found.camel}")
    return replace(_NO_REASON, name=f"failInfo {found!r}", meaning="RFC 8894 has no such value")


FACILITIES = {
    0: "FACILITY_NULL, a general error",
    1: "FACILITY_RPC, a remote procedure call",
    4: "FACILITY_ITF, an interface of its own",
    7: "FACILITY_WIN32, an error of Windows itself",
    9: "FACILITY_SECURITY, the cryptography of Windows or its certificate services",
    11: "FACILITY_CERT, the checking of certificates",
}
"""Parts of Windows that an HRESULT can come from, as far as a SCEP server is likely to use them."""


def hresult(code: int) -> Hresult:
    """The row of an unsigned HRESULT; for one that is not in the table, what its bits tell."""
    if code in HRESULTS:
        return HRESULTS[code]
    severity = "an error" if code >> 31 else "no error by its severity"
    facility = code >> 16 & 0x7FF
    return Hresult(
        code,
        "unknown here",
        f"{severity}, number {code & 0xFFFF} of {FACILITIES.get(facility, f'facility {facility}')}",
        "not known here",
        f"'certutil -error 0x{code:08X}' on a Windows host tells the text of the HRESULT",
    )


def one_line(text: str) -> str:
    """A text of a server: nothing in it that could steer a terminal, of bounded length."""
    plain = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    line = " ".join(plain.split())
    return line if len(line) <= MAX_QUOTED else f"{line[:MAX_QUOTED]} ..."


def explain(reply: Reply) -> str:
    """What a reply with the status FAILURE says, then why and what to do: two sentences.

    The cause is that of the HRESULT if there is one that is known: it is the more exact of the two.
    """
    general = _fail_info(reply.fail_info)
    exact = None if reply.hresult is None else hresult(reply.hresult)
    known = exact is not None and exact.code in HRESULTS
    reasons = [general.name if known else f"{general.name} ({general.meaning})"]
    if exact is not None:
        reasons.append(f"HRESULT {exact.hexadecimal} ({exact.name}: {exact.meaning})")
    text = one_line(reply.fail_info_text or "")
    said = f"; it says '{text}'" if text else ""
    steps = [row.step for row in (exact, None if known else general) if row is not None]
    cause = exact.cause if exact is not None and known else general.cause
    return (
        f"The server refuses the request with {' and '.join(reasons)}{said}. Cause: {cause}; {'; '.join(steps[::-1])}."
    )


_CHALLENGE_CODES = (0x80070490, 0x80096004, 0x800B0110)


def names_challenge(reply: Reply) -> bool:
    """Whether a reply with the status FAILURE says that the challenge password is the reason.

    NDES says so with an HRESULT, others in the failInfoText. Where neither is there, nobody knows.
    """
    if reply.hresult is not None:
        return reply.hresult in _CHALLENGE_CODES
    return "challenge" in (reply.fail_info_text or "").lower()
