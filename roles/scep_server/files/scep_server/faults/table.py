# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults: what each is, where it strikes, and what happens there.

How sure it is that NDES answers so is said in the guide "The reference server".
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import parse_query
from cryptography import x509

from .. import challenges
from ..app import Environ, HttpError, expect_no_more
from ..call import Call, subject_text
from ..errors import CERTSRV_E_UNSUPPORTED_CERT_TYPE, RPC_S_SERVER_UNAVAILABLE, Refusal, ServerError
from ..issue import wait
from ..ndes import pages
from ..ndes.events import Event
from ..ndes.gate import CONNECTION
from ..operations import OPERATIONS, Answer
from ..people.addresses import asked_for
from ..server import Server
from ..worker import shut
from .active import Act, Active, Fault, FaultFile, Place, Strike, Wanted
from .answers import http_sys, iis

ADMIN, DEVICE = "admin", "device"
EVERYTHING = (*OPERATIONS, ADMIN, DEVICE)
"""Kinds of requests: the operations of SCEP, the administration page, and people who look at the device address."""
_ADMIN_PATH, _DEVICE_PATH = "/certsrv/mscep_admin", "/certsrv/mscep/"
WRONG_SUBJECT = x509.Name.from_rfc4514_string("CN=wrong-subject.invalid")


def kind_of(environ: Environ) -> str:
    """Which of EVERYTHING a request is; empty for others: those of a monitoring system, and of the page for people."""
    path, query = environ.get("PATH_INFO", "").lower(), environ.get("QUERY_STRING", "")
    if path.rstrip("/") == _ADMIN_PATH:
        return ADMIN
    if asked_for(environ) is not None:
        return ""
    if query:
        try:
            return parse_query(query).operation
        except DecodeError:
            return ""
    if environ["REQUEST_METHOD"] == "POST":
        return "PKIOperation"
    return DEVICE if path.startswith(_DEVICE_PATH) else ""


def _at(*kinds: str) -> Callable[[Active, Server, Environ], bool]:
    def when(active: Active, _server: Server, environ: Environ) -> bool:
        return kind_of(environ) in ((active.wanted.only,) if active.wanted.only is not None else kinds)

    return when


def _too_long(_active: Active, _server: Server, environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] == "GET" and kind_of(environ) == "PKIOperation"


def _asks_the_ca(_active: Active, _server: Server, call: Call) -> bool:
    """Enrolments ask it later, when their password has been looked at."""
    return call.incoming.kind in (MessageType.CERT_POLL, MessageType.GET_CERT, MessageType.GET_CRL)


def _http(error: Callable[[], HttpError]) -> Act:
    def act(_active: Active, _normal: Act, _server: Server, _environ: Environ) -> NoReturn:
        raise error()

    return act


def _by_a_fault(active: Active) -> str:
    return f"(fault {active.name})"


def _not_started(active: Active, _normal: Act, server: Server, _environ: Environ) -> NoReturn:
    server.journal.not_started(_by_a_fault(active), Event.NO_RA_CERTIFICATE)
    raise _internal_error()


def _fails_inside(active: Active, _normal: Act, server: Server, environ: Environ) -> NoReturn:
    if kind_of(environ) == "GetCACert":
        server.journal.report(Event.NO_CA_CERTIFICATES, _by_a_fault(active))
    raise _internal_error()


def _refused(text: str, hresult: int, event: Event | None = None) -> Act:
    def act(active: Active, _normal: Act, *_arguments: Any) -> NoReturn:
        reason = f"{text} {_by_a_fault(active)}"
        raise Refusal(FailInfo.BAD_REQUEST, text, reason=reason, hresult=hresult, event=event)

    return act


def _internal_error() -> HttpError:
    sentence = "There is a problem with the resource you are looking for, and it cannot be displayed."
    return iis(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.", sentence)


def _unavailable() -> HttpError:
    return http_sys(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable", "The service is unavailable.")


def _url_too_long() -> HttpError:
    return http_sys(HTTPStatus.REQUEST_URI_TOO_LONG, "Request URL Too Long", "The request URL is too long.")


def _forbidden() -> HttpError:
    sentence = "You do not have permission to view this directory or page using the credentials that you supplied."
    return iis(HTTPStatus.FORBIDDEN, "Forbidden: Access is denied.", sentence)


def _dropped(_active: Active, _normal: Act, _server: Server, environ: Environ) -> Answer:
    shut(environ[CONNECTION], socket.SHUT_RDWR)
    return Answer(b"", "", (("Connection", "close"),))  # it gets nowhere


def _slow(active: Active, normal: Act, server: Server, environ: Environ) -> Any:
    """The request is handled, and then the answer waits."""
    try:
        return normal(server, environ)
    finally:
        expect_no_more(environ)
        time.sleep(active.wanted.delay or 0)


def _cache_full(_active: Active, _normal: Act, server: Server, style: pages.Style, _ca: bytes) -> tuple[bytes, str]:
    settings = server.settings
    return pages.cache_full(style, settings.otp_minutes, settings.otp_outstanding), "no password, by a fault,"


def _expired(active: Active, _normal: Act, _server: Server, password: str | None, _now: Any) -> NoReturn:
    challenges.given(password)
    raise challenges.rejected(f"challenge password expired {_by_a_fault(active)}")


def _pending(
    _active: Active, _normal: Act, server: Server, call: Call, csr: CertificateRequest, asked: dict[str, Any]
) -> bytes:
    return wait(server, call, csr, asked)


def _wrong_subject(
    _active: Active, normal: Act, server: Server, call: Call, csr: CertificateRequest, asked: dict[str, Any]
) -> Any:
    other = replace(csr, subject=WRONG_SUBJECT)
    return normal(server, call, other, asked | {"subject": subject_text(other)})


_NO_TEMPLATE = _refused("The CA does not issue the template.", CERTSRV_E_UNSUPPORTED_CERT_TYPE)
_NO_CA = "The CA cannot be reached.", RPC_S_SERVER_UNAVAILABLE

# The later ones are around the earlier ones: an answer that is a fault may be slow, too.
TABLE: dict[str, Fault] = {
    "template-not-published": Fault(
        "requests for certificates are refused with 0x80094800",
        {Place.DECISION: Strike(_NO_TEMPLATE)},
    ),
    "ca-unreachable": Fault(
        "what the CA is needed for is refused with 0x800706BA; its certificates and capabilities are still told",
        {
            Place.DECISION: Strike(_refused(*_NO_CA)),
            Place.MESSAGE: Strike(_refused(*_NO_CA, Event.NO_INFORMATION), _asks_the_ca),
        },
    ),
    "password-expired": Fault(
        "each challenge password is refused as one that has expired, with 0x80070490",
        {Place.PASSWORD: Strike(_expired)},
    ),
    "pending-forever": Fault(
        "requests for certificates wait, until a person decides",
        {Place.DECISION: Strike(_pending)},
    ),
    "wrong-subject": Fault(
        f"certificates are issued for {WRONG_SUBJECT.rfc4514_string()}, whatever is asked for",
        {Place.DECISION: Strike(_wrong_subject)},
    ),
    "cache-full": Fault(
        "the administration page says that its cache is full",
        {Place.PAGE: Strike(_cache_full)},
    ),
    "policy-module": Fault(
        "HTTP 403 for the administration page and for people at the device address, as with a policy module (Intune)",
        {Place.HTTP: Strike(_http(_forbidden), _at(ADMIN, DEVICE))},
        (ADMIN, DEVICE),
    ),
    "ra-expired": Fault(
        "HTTP 500 for everything, as NDES does not start with RA certificates that are out of date",
        {Place.HTTP: Strike(_not_started, _at(*EVERYTHING))},
    ),
    "http-500": Fault(
        "HTTP 500",
        {Place.HTTP: Strike(_fails_inside, _at(*EVERYTHING))},
        EVERYTHING,
    ),
    "http-503": Fault(
        "HTTP 503, as with a stopped application pool",
        {Place.HTTP: Strike(_http(_unavailable), _at(*EVERYTHING))},
        EVERYTHING,
    ),
    "http-414": Fault(
        "HTTP 414 for PKIOperation by GET; whoever posts does not notice",
        {Place.HTTP: Strike(_http(_url_too_long), _too_long)},
    ),
    "dropped": Fault(
        "the connection is closed in place of an answer, and the request is not handled",
        {Place.HTTP: Strike(_dropped, _at(*EVERYTHING))},
        EVERYTHING,
    ),
    "slow": Fault(
        "the request is handled, and its answer comes late",
        {Place.HTTP: Strike(_slow, _at(*EVERYTHING))},
        EVERYTHING,
        delays=True,
    ),
}

MOST = 1_000_000_000
LONGEST = 3600


def wanted(values: dict[str, Any]) -> Wanted:
    """A fault as it is asked for; what is None is not given. Raises ServerError for one that cannot be."""
    given = {name: value for name, value in values.items() if value is not None}
    if unknown := sorted(set(given) - set(Wanted.__dataclass_fields__)):
        raise ServerError(f"A fault has no {', '.join(unknown)}, only {', '.join(Wanted.__dataclass_fields__)}.")
    name = given.get("name")
    if not isinstance(name, str) or name not in TABLE:
        raise ServerError(f"There is no fault {name!r}, only {', '.join(TABLE)}.")
    fault = TABLE[name]
    for word, what in (("count", "how often it strikes"), ("duration", "for how many seconds it is there")):
        value = given.get(word, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
            raise ServerError(f"The {word} of the fault {name}, {what}, is {value!r}: give 1 to {MOST}.")
    delay = given.get("delay")
    if fault.delays is not (delay is not None):
        raise ServerError(f"The fault {name} {'needs' if fault.delays else 'has no'} delay.")
    if delay is not None and (
        isinstance(delay, bool) or not isinstance(delay, (int, float)) or not 0 < delay <= LONGEST
    ):
        raise ServerError(f"The delay of the fault {name} is {delay!r}: give seconds, at most {LONGEST}.")
    only = given.get("only")
    if only is not None and only not in fault.targets:
        choice = f"choose from {', '.join(fault.targets)}" if fault.targets else "it strikes where it has to"
        raise ServerError(f"The fault {name} cannot be limited to {only!r}: {choice}.")
    return Wanted(**given)


def fault_file(state: Path, clock: Callable[..., Any]) -> FaultFile:
    """The file of a state folder, with the table."""
    return FaultFile(state, TABLE, clock)


def with_faults(server: Server, state: Path) -> Server:
    """The same server, which fails as it is told to."""
    return replace(server, fault_file=fault_file(state, server.clock))
