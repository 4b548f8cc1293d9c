# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module scep_crl: the current CRL of the CA of one certificate, in a file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .. import _deps
from ..context import Context
from ..errors import EnrollmentError, FileError, OptionError, TransportError
from ..scep.certificates import is_ca, issued_by, load_certificate, name
from ..scep.crls import Crl, check_dates, check_scope, distribution_points, load_crl, verify_crl
from ..scep.errors import DecodeError, ScepError, TrustError
from ..scep.trust import Trust
from .client import Client, utc_now
from .options import Server, read_given, read_server
from .record import timestamp
from .results import pem
from .single import SingleFile
from .transport import Transport

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as exc:
    _deps.missing("cryptography", exc)

SCEP, ON_DISK = "scep", "file"
"""Where a CRL came from, unless it is the address of a distribution point."""

_ENCODINGS = {"pem": "PEM", "der": "DER"}
_SERIAL_BITS = 168
"""20 octets (RFC 5280 section 4.1.2.2), and one for those who do not count the sign."""
_MAX_POINTS = 8
_SERIAL = re.compile(r"(0[xX])?[0-9A-Fa-f]+")


@dataclass(frozen=True)
class _Wanted:
    """Whose CRL, by a certificate or by a serial number alone, and when the one on disk is good enough."""

    certificate: x509.Certificate | None
    serial: int
    encoding: Encoding
    remaining: dt.timedelta
    force: bool


@dataclass(frozen=True)
class _Question:
    """A certificate, and the CA that issued it with all above it up to the trust anchor, the issuer first."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def issuer(self) -> x509.Certificate:
        return self.chain[0]


def ensure_crl(context: Context) -> dict[str, Any]:
    """See to it that the current CRL is there. Raises EnrollmentError or ScepError."""
    server, wanted = read_server(context), _read_wanted(context)
    file = SingleFile(context)
    found, now = _read_crl(file), utc_now()
    with Client(server) as client:
        question = _known(server, wanted, file.record(), now)
        good = None if question is None else _verified(found, question, server)
        if good is None or question is None or wanted.force or not _serves(good, question, wanted, now):
            question = question or _asked(client, wanted, now)
            crl, source = _obtain(client, server, question, _verified(found, question, server), now)
        else:
            crl, source = good, ON_DISK
    return _written(context, file, wanted, question, found, crl, source)


def _read_wanted(context: Context) -> _Wanted:
    params = context.params
    hours: float = params["remaining_hours"]
    if not hours >= 0:
        raise OptionError("remaining_hours", f"{hours:g} hours cannot remain; give a number from 0.")
    certificate = _given(context)
    return _Wanted(
        certificate,
        _read_serial(params["serial_number"]) if certificate is None else certificate.serial_number,
        getattr(Encoding, _ENCODINGS[params["format"]]),
        dt.timedelta(hours=min(hours, 1e6)),
        params["force"],
    )


def _given(context: Context) -> x509.Certificate | None:
    given = read_given(context, "certificate")
    if given is None and context.params["serial_number"] is not None:
        return None
    option, data = given or ("certificate_content", b"")
    try:
        return load_certificate(data)
    except DecodeError as error:
        raise OptionError(option, f"no certificate can be read from it. {error}") from None


def _read_serial(value: Any) -> int:
    """A number as it is; a text is hexadecimal, as openssl and others print it."""
    number = value
    if isinstance(value, str):
        digits = re.sub(r"[\s:]", "", value)
        number = int(digits, 16) if _SERIAL.fullmatch(digits) else None
    if number.__class__ is not int or not 0 < number < 2**_SERIAL_BITS:
        raise OptionError(
            "serial_number", f"'{value}' is no serial number; give a number, or a text of hexadecimal digits."
        )
    return int(number)


def _known(server: Server, wanted: _Wanted, record: Mapping[str, Any], now: dt.datetime) -> _Question | None:
    """The question as far as local files tell. What the record says is judged like anything else."""
    try:
        kept = [load_certificate(str(one).encode("utf-8")) for one in record.get("chain", ())]
        certificate = wanted.certificate
        if certificate is None:
            certificate = load_certificate(str(record.get("certificate")).encode("utf-8"))
    except (DecodeError, TypeError):
        return None
    if certificate.serial_number != wanted.serial:
        return None
    return _question(Trust(server.anchor, server.ra, server.allowed, tuple(kept)), certificate, now)


def _asked(client: Client, wanted: _Wanted, now: dt.datetime) -> _Question:
    """The question with the help of the server. Raises TrustError when no trusted CA issued the certificate."""
    certificate = wanted.certificate
    if certificate is None:
        certificate = client.certificate(wanted.serial)
    question = _question(client.ca().trust, certificate, now)
    if question is None:
        raise TrustError(f"No CA under the trust anchor has issued the certificate of {name(certificate)}.")
    return question


def _question(trust: Trust, certificate: x509.Certificate, now: dt.datetime) -> _Question | None:
    """The certificate itself may be out of date; its issuer may not."""
    for issuer in (*trust.anchor.certificates, *trust.pool):
        if (trust.anchor.holds(issuer) or is_ca(issuer)) and issued_by(certificate, issuer, trust.allowed):
            above = trust.path(issuer, now)
            if above is not None:
                return _Question(certificate, (issuer, *above))
    return None


def _read_crl(file: SingleFile) -> Crl | None:
    if file.data is None:
        return None
    try:
        return load_crl(file.data)
    except DecodeError:
        raise FileError(
            f"path: '{file.target.path}' exists and is not a CRL; remove it, or name another file."
        ) from None


def _verified(crl: Crl | None, question: _Question, server: Server) -> Crl | None:
    """The CRL if the issuer has signed it, in date or not."""
    if crl is None:
        return None
    try:
        verify_crl(crl, question.issuer, server.allowed)
    except ScepError:
        return None
    return crl


def _serves(crl: Crl, question: _Question, wanted: _Wanted, now: dt.datetime) -> bool:
    try:
        check_dates(crl, now)
        check_scope(crl, question.certificate)
    except TrustError:
        return False
    return crl.fresh(now, wanted.remaining)


def _obtain(
    client: Client, server: Server, question: _Question, found: Crl | None, now: dt.datetime
) -> tuple[Crl, str]:
    """(CRL, source): the first one that holds. `found`: the one on disk, which no older one may replace."""
    complaints: dict[str, Exception] = {}
    for source, fetch in _sources(client, server, question.certificate):
        try:
            crl = load_crl(fetch())
            verify_crl(crl, question.issuer, server.allowed)
            check_dates(crl, now)
            check_scope(crl, question.certificate)
            if found is not None and crl.older_than(found):
                raise TrustError(f"The CRL ({crl}) is older than the one that is there already ({found}).")
            return crl, source
        except (EnrollmentError, ScepError) as error:
            complaints[source] = error
    if len(complaints) == 1:
        raise TransportError(f"{complaints[SCEP]} The certificate names no place of its CRL with http.")
    raise TransportError(
        f"No CRL can be had. {' '.join(f'From {source}: {error}' for source, error in complaints.items())}"
    )


def _sources(
    client: Client, server: Server, certificate: x509.Certificate
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """SCEP itself, then the distribution points over http in the order of the certificate."""
    yield SCEP, partial(client.crl, certificate)
    points = [url for url in distribution_points(certificate) if url.lower().startswith("http://")]
    for url in points[:_MAX_POINTS]:
        yield url, partial(_download, server, url)


def _download(server: Server, url: str) -> bytes:
    with Transport(replace(server.connection, url=url, client_cert=None, client_key=None)) as transport:
        return transport.download()


def _written(
    context: Context,
    file: SingleFile,
    wanted: _Wanted,
    question: _Question,
    found: Crl | None,
    crl: Crl,
    source: str,
) -> dict[str, Any]:
    certificate = pem(question.certificate).decode("ascii")
    record: dict[str, Any] = {"chain": [pem(one).decode("ascii") for one in question.chain]}
    fetched = {"certificate": certificate} if wanted.certificate is None else {}
    data = crl.parsed.public_bytes(wanted.encoding) if wanted.encoding is Encoding.PEM else crl.raw
    settled = file.settle(data, {**record, **fetched})
    revocation = crl.find(question.certificate.serial_number)
    state = f"{'It is' if settled.done else 'The CRL is'} {crl}; the next is due {crl.next_update:%Y-%m-%d %H:%M} UTC."
    done = f"{'To be set' if context.check_mode else 'Set'}: {', '.join(settled.done)} of the CRL. "
    return {
        **settled.returned(),
        "msg": f"{done if settled.done else ''}{state} The certificate is {'' if revocation else 'not '}revoked.",
        "filename": str(file.target.path),
        "source": source,
        **_described(crl),
        "revoked": revocation is not None,
        "revocation_date": None if revocation is None else timestamp(revocation.date),
        "revocation_reason": None if revocation is None else revocation.reason,
        **fetched,
        "diff": {
            "before_header": str(file.target.path),
            "after_header": str(file.target.path),
            "before": {} if found is None else _described(found),
            "after": _described(crl),
        },
    }


def _described(crl: Crl) -> dict[str, Any]:
    return {
        "issuer": crl.issuer.rfc4514_string(),
        "number": crl.number,
        "this_update": timestamp(crl.this_update),
        "next_update": timestamp(crl.next_update),
        "revoked_count": crl.count,
    }
