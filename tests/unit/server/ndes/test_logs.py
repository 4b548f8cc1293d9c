# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs that are like those of NDES: switched while the server runs, of limited size, with every line whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.header import RequestHeader
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import IncomingRequest
from cryptography import x509
from scep_device import Bench, Device, ServedWith

from scep_server.errors import StateError
from scep_server.ndes.appended import Appended
from scep_server.ndes.journal import SILENT, Told
from scep_server.ndes.logs import FILES, FOLDER, SWITCHES, Logs

Run = Callable[..., tuple[int, dict[str, Any]]]
People = Callable[..., tuple[int, list[str], str]]


def lines(bench: Bench, name: str = "mscep") -> list[str]:
    """Of a log."""
    file = bench.state / FOLDER / FILES[name]
    return file.read_text("utf-8").splitlines() if file.exists() else []


def texts(bench: Bench) -> list[str]:
    """Of mscep.log, without time, process and duration."""
    found = [re.fullmatch(r"\S+ \S+ \d+\.\d+ 192\.0\.2\.7 (.+?)(, \d+ ms)?", line) for line in lines(bench)]
    return [match[1] for match in found if match is not None]


def test_by_default_nothing_is_written(bench: Bench, device: Device) -> None:
    bench.answer(bench.request(device, "wrong"))
    assert not (bench.state / FOLDER).exists()
    assert bench.server.at_this_moment().journal is SILENT
    assert SILENT.around(bench.http) == bench.http, "nothing stands between a request and its answer"


def test_mscep_log(served_with: ServedWith, device: Device) -> None:
    bench = served_with(profile="ndes", admin_page=False, mscep_log=True)
    request = bench.request(device, bench.passwords()[0])
    answered = bench.post(request.message)
    serial = bench.server.store.audit.records(1)[0]["serial"]
    bench.http(query="operation=GetCACaps", path="/certsrv/mscep/mscep.dll")
    transaction = f"transaction {request.transaction_id}"
    assert texts(bench) == [
        f"POST / PKIOperation, {len(request.message)} octets",
        f"PKCS_REQ, {transaction}, sha256, aes-128-cbc, signed by {device.name}, asks for {device.name}",
        f"issued, serial number {serial}, template IPSECIntermediateOffline",
        f"answer: application/x-pki-message, {len(answered.body)} octets",
        "GET /certsrv/mscep/mscep.dll GetCACaps, 0 octets",
        "answer: no Content-Type, 52 octets",
    ]
    numbers = [line.split()[2] for line in lines(bench)]
    assert len({*numbers[:4]}) == len({*numbers[4:]}) == 1 and numbers[0] != numbers[4]


def test_a_refusal_is_decoded(served_with: ServedWith, device: Device) -> None:
    bench = served_with(profile="ndes", admin_page=False, mscep_log=True)
    request = bench.request(device, "wrong")
    bench.answer(request)
    assert texts(bench)[2:4] == [
        f"refused: PKCS_REQ, transaction {request.transaction_id}, badRequest, 0x80070490 (ERROR_NOT_FOUND: NDES did "
        "not find what it looked for): challenge password unknown",
        "event 29 (Error, 0x80070490): The challenge password of a request is not valid. challenge password unknown",
    ]


def test_a_name_that_cannot_be_read_keeps_nobody_from_an_answer(tmp_path: Path) -> None:
    """Names are read when somebody looks at them; here that is the log, ahead of who would refuse them."""

    class Broken:
        @property
        def subject(self) -> x509.Name:
            raise ValueError("no name")

    signer: Any = Broken()
    header = RequestHeader(MessageType.CERT_POLL, "1", b"", signer, "sha256", "aes-128-cbc")
    told = Told(Appended(tmp_path / "a.log", 1000), None, False, "192.0.2.7", 1)
    told.opened(IncomingRequest(header))
    assert "CERT_POLL, transaction 1, sha256, aes-128-cbc, signed by a name that cannot be read" in (
        (tmp_path / "a.log").read_text()
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("operation=x", "answer: HTTP 400, This server has the operations GetCACaps, "),
        ("operation=GetNextCACert", "answer: Unavailable, This server does not answer GetNextCACert"),
        ("operation=PKIOperation&message=!", "answer: DecodeError, The message of the request is not base64"),
    ],
)
def test_an_answer_without_scep_is_told(served_with: ServedWith, query: str, says: str) -> None:
    bench = served_with(profile="ndes", admin_page=False, mscep_log=True)
    bench.http(query=query)
    assert texts(bench)[-1].startswith(says)


def test_logs_are_switched_while_the_server_runs(state: Path, bench: Bench, run: Run, people: People) -> None:
    def asked() -> list[int]:
        bench.http(query="operation=x")
        return [len(lines(bench, name)) for name in FILES]

    assert asked() == [0, 0]
    assert run(state, "log", "set", "--mscep", "on") == (0, {"changed": True})
    assert (state / FOLDER).stat().st_mode & 0o777 == 0o700
    assert asked() == [0, 3]
    assert run(state, "log", "set", "--events", "on", "--mscep", "off") == (0, {"changed": True})
    assert run(state, "log", "set", "--events", "on") == (0, {"changed": False})
    assert asked() == [1, 3]
    assert all((state / FOLDER / file).stat().st_mode & 0o777 == 0o600 for file in (*FILES.values(), SWITCHES))
    found = run(state, "log", "show")[1]["logs"]
    assert [(row["name"], row["on"], row["by"]) for row in found] == [
        ("events", True, "command"),
        ("mscep", False, "command"),
    ]
    assert [row["octets"] for row in found] == [Path(row["file"]).stat().st_size for row in found]
    head, events, _mscep = people(state, "log", "show")[1]
    assert head.split() == ["NAME", "ON", "BY", "OCTETS", "FILE"] and events.split()[:3] == ["events", "yes", "command"]
    assert run(state, "log", "set", "--events", "default", "--mscep", "default") == (0, {"changed": True})
    assert not (state / FOLDER / SWITCHES).exists()
    assert asked() == [1, 3]
    assert [row["by"] for row in run(state, "log", "show")[1]["logs"]] == ["setting", "setting"]


def test_a_command_counts_more_than_a_setting(state: Path, served_with: ServedWith, run: Run) -> None:
    run(state, "log", "set", "--events", "off")
    served_with(profile="ndes", admin_page=False).http(query="operation=x")
    assert not (state / FOLDER / FILES["events"]).exists()


def test_something_has_to_be_switched(state: Path, run: Run) -> None:
    assert run(state, "log", "set") == (1, {"error": "Nothing is to be switched: give --events or --mscep."})
    assert run(state, "log", "set", "--events", "yes")[0] == 2
    assert not (state / FOLDER).exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"events": 1}', '{"security": true}', "null"])
def test_damaged_switches_are_told_and_keep_nobody_from_an_answer(
    bench: Bench, run: Run, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (bench.state / FOLDER).mkdir()
    (bench.state / FOLDER / SWITCHES).write_text(content)
    assert [bench.http(query="operation=GetCACaps").status for _number in range(2)] == [200, 200]
    assert caplog.text.count("cannot be read") == 1
    for words in (("set", "--events", "on"), ("show",)):
        status, result = run(bench.state, "log", *words)
        assert status == 1 and "remove the file, and set them anew" in result["error"]


def test_a_log_that_cannot_be_written_keeps_nobody_from_an_answer(
    served_with: ServedWith, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    bench = served_with(profile="ndes", admin_page=False)
    (bench.state / FOLDER).write_text("a file in place of the folder")
    assert bench.answer(bench.request(device, "wrong")).hresult == 0x80070490
    assert caplog.text.count("ndes-events.jsonl cannot be written: ") == 1


def add(path: Path, limit: int, writer: int, count: int) -> None:
    """What one process writes."""
    file = Appended(path, limit)
    for number in range(count):
        file.add(f"{writer} {number} " + "x" * 200)


def test_a_file_that_is_too_long_begins_anew(tmp_path: Path) -> None:
    file = Appended(tmp_path / "log" / "a.log", 1000)
    for number in range(100):
        file.add(f"{number:02} " + "x" * 96)
        sizes = [path.stat().st_size for path in (file.path, file.before) if path.exists()]
        assert sum(sizes) <= 2 * (1000 + 100)
    found = "".join(path.read_text() for path in (file.before, file.path) if path.exists())
    assert [line[:2] for line in found.splitlines()][-11:] == [str(number) for number in range(89, 100)]
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) in (["a.log.1"], ["a.log", "a.log.1"])


def test_lines_stay_whole_among_processes(tmp_path: Path) -> None:
    """Four processes, and the file is put aside over and over: no line is torn, and each writer's stay in order."""
    path, count = tmp_path / "a.log", 400
    with ProcessPoolExecutor(4) as pool:
        for done in [pool.submit(add, path, 20_000, writer, count) for writer in range(4)]:
            done.result()
    kept = [
        line for file in (path.with_name("a.log.1"), path) if file.exists() for line in file.read_text().splitlines()
    ]
    found = [re.fullmatch(r"(\d) (\d+) x{200}", line) for line in kept]
    assert len(kept) > 50 and all(found)
    for writer in range(4):
        numbers = [int(match[2]) for match in found if match is not None and int(match[1]) == writer]
        assert len(numbers) == len({*numbers})


def test_no_line_is_lost_below_the_limit(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: add(tmp_path / "a.log", 10_000_000, writer, 200), range(8)))
    assert len({*(tmp_path / "a.log").read_text().splitlines()}) == 1600


def test_only_an_initialised_folder_has_logs(tmp_path: Path, run: Run) -> None:
    for words in (("set", "--events", "on"), ("show",)):
        status, result = run(tmp_path, "log", *words)
        assert status == 1 and "is not initialised" in result["error"]
    assert not list(tmp_path.iterdir())


def test_switches_that_cannot_be_read(bench: Bench) -> None:
    (bench.state / FOLDER / SWITCHES).mkdir(parents=True)
    with pytest.raises(StateError, match="cannot be read"):
        Logs(bench.state, bench.server.settings).switched()
