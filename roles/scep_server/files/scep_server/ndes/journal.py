# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the logs say that are like those of NDES: its events, and line by line what becomes of each request (mscep.log).

No secret gets into them: passwords are not among what the server says of a request, and neither headers nor the query
of a URL are written.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import DecodeError
from ansible_collections.netcert.ndes.plugins.module_utils.scep.failures import hresult as explained
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.wire import parse_query
from cryptography import x509

from ..errors import E_FAIL, Refusal, ServerError, StateError, one_line
from ..store.audit import Record, printable
from .appended import Appended
from .events import PROVIDER, TABLE, Event

log = logging.getLogger("scep_server")

Normal = TypeVar("Normal", bound=Callable[..., Any])


class Journal:
    """Of one request, or of what the server does by itself. This one is silent."""

    def around(self, normal: Normal) -> Normal:
        """The function that answers an HTTP request, which is told of."""
        return normal

    def opened(self, incoming: IncomingRequest) -> None:
        """A message was opened."""

    def answered(self, records: Sequence[Record]) -> None:
        """A message was answered; what the audit has of it."""

    def refused(self, header: RequestHeader, refusal: Refusal) -> None:
        """A message was answered with a FAILURE."""

    def malformed(self, error: Exception) -> None:
        """A message cannot be answered."""

    def report(self, event: Event, text: str = "", hresult: int | None = None) -> None:
        """Something happened that NDES has an event for; `text` is about this one."""

    def not_started(self, text: str, cause: Event | None = None) -> None:
        """The service cannot start, with the code of what keeps it from it, which is an event of its own."""
        if cause is not None:
            self.report(cause, text)
        self.report(Event.NOT_STARTED, text, None if cause is None else TABLE[cause].hresult)


SILENT = Journal()


class Reported(Journal):
    """Of which the events are written."""

    def __init__(self, events: Appended | None, swapped: bool, client: str) -> None:
        self._events, self._swapped, self._client = events, swapped, client
        self._transaction_id = ""
        self._told: Exception | None = None

    def around(self, normal: Normal) -> Normal:
        def told(server: Any, environ: Mapping[str, Any]) -> Any:
            try:
                return normal(server, environ)
            except Exception as error:
                self._failed(error)
                raise

        around: Normal = told  # type: ignore[assignment]  # it has the arguments and the result of the other
        return around

    def refused(self, header: RequestHeader, refusal: Refusal) -> None:
        if refusal.event is not None:
            self._transaction_id = header.transaction_id
            self.report(refusal.event, refusal.reason, None if refusal.hresult == E_FAIL else refusal.hresult)

    def malformed(self, error: Exception) -> None:
        self._told = error
        self.report(Event.NOT_READ, str(error))

    def _failed(self, error: Exception) -> None:
        event = error.event if isinstance(error, ServerError) else None
        if error is not self._told and (isinstance(error, DecodeError) or _no_message(error)):
            event = Event.NOT_DECODED
        if event is not None:
            self.report(event, one_line(error))

    def report(self, event: Event, text: str = "", hresult: int | None = None) -> None:
        if self._events is None:
            return
        row = TABLE[event]
        code = hresult or row.hresult
        record = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "provider": PROVIDER,
            "id": event.value,
            "level": row.level,
            "data": {} if code is None else self._data(event, code),
            "message": printable(f"{row.text} {text}".strip()),
            "client": self._client,
            "transaction_id": printable(self._transaction_id),
        }
        if row.symbol:
            record["symbol"] = row.symbol
        _add(self._events, json.dumps(record))

    def _data(self, event: Event, code: int) -> dict[str, str]:
        found = explained(code)
        number, text = found.hexadecimal, f"{found.name}: {found.meaning}"
        if event is Event.NOT_SUBMITTED and self._swapped:
            number, text = text, number
        return {"ErrorCode": number, "ErrorMessage": text}


class Told(Reported):
    """Of which mscep.log tells; `number` tells requests apart."""

    def __init__(self, file: Appended, events: Appended | None, swapped: bool, client: str, number: int) -> None:
        super().__init__(events, swapped, client)
        self._file, self._who = file, f"{os.getpid()}.{number} {client or '-'}"

    def around(self, normal: Normal) -> Normal:
        reported = super().around(normal)

        def told(server: Any, environ: Mapping[str, Any]) -> Any:
            began = time.monotonic()
            self._line(_asked(environ))
            try:
                answer = reported(server, environ)
            except Exception as error:
                status = _status(error)
                what = f"HTTP {int(status)}" if status is not None else type(error).__name__
                self._line(f"answer: {what}, {one_line(error)}, {_since(began)}")
                raise
            kind = answer.content_type or "no Content-Type"
            self._line(f"answer: {kind}, {len(answer.body)} octets, {_since(began)}")
            return answer

        around: Normal = told  # type: ignore[assignment]  # as above
        return around

    def opened(self, incoming: IncomingRequest) -> None:
        header = incoming.header
        signer = "" if header.signer is None else f", signed by {_name(header.signer)}"
        subject = "" if incoming.csr is None else f", asks for {_name(incoming.csr)}"
        algorithms = f"{header.digest}, {header.cipher}"
        self._line(f"{incoming.kind.name}, transaction {header.transaction_id}, {algorithms}{signer}{subject}")

    def answered(self, records: Sequence[Record]) -> None:
        for record in records[-1:]:
            serial = f"serial number {record.serial}" if record.serial else ""
            self._line(", ".join(filter(None, (record.outcome, serial, record.reason))))

    def refused(self, header: RequestHeader, refusal: Refusal) -> None:
        code = explained(refusal.hresult)
        kind = "" if header.message_type is None else f"{header.message_type.name}, "
        self._line(
            f"refused: {kind}transaction {header.transaction_id}, {refusal.fail_info.camel}, {code.hexadecimal} "
            f"({code.name}: {code.meaning}): {refusal.reason}"
        )
        super().refused(header, refusal)

    def report(self, event: Event, text: str = "", hresult: int | None = None) -> None:
        row = TABLE[event]
        code = hresult or row.hresult
        number = "" if code is None else f", 0x{code:08X}"
        self._line(f"event {event.value} ({row.level}{number}): {row.text} {text}".rstrip())
        super().report(event, text, hresult)

    def _line(self, text: str) -> None:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        _add(self._file, f"{now} {self._who} {_plain(text)}")


def _add(file: Appended, line: str) -> None:
    """A log that cannot be written keeps nobody from an answer."""
    try:
        file.add(line)
    except (OSError, StateError) as error:
        log.error("%s cannot be written: %s", file.path, one_line(error))


def _status(error: Exception) -> HTTPStatus | None:
    """Of an HttpError, which is not known down here."""
    return getattr(error, "status", None)


def _no_message(error: Exception) -> bool:
    """Whether a device is told that it sends nothing that can be read; people are told so with a page."""
    return _status(error) == HTTPStatus.BAD_REQUEST and getattr(error, "page", None) is None


def _name(named: x509.Certificate | CertificateRequest) -> str:
    try:
        return named.subject.rfc4514_string()
    except ValueError:  # it is read only now, and whoever needs it will say so
        return "a name that cannot be read"


def _asked(environ: Mapping[str, Any]) -> str:
    """What an HTTP request asks for, without what comes with it."""
    try:
        operation = f" {parse_query(environ.get('QUERY_STRING', '')).operation}"
    except DecodeError:
        operation = ""
    length = environ.get("CONTENT_LENGTH") or "0"
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}{operation}, {length} octets"


def _plain(text: str) -> str:
    """A line is one line, and says what it seems to say, whatever a device has sent."""
    return "".join(character if character.isprintable() else "?" for character in printable(text))


def _since(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
