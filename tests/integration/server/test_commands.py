"""Every command beside a server that is at work: nothing fails, and the server sees at once what was changed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.netcert.ndes.plugins.module_utils.ndes.page import read_page
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, PkiStatus
from ansible_collections.netcert.ndes.plugins.module_utils.scep.replies import Reply
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Request
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from scep_server import cli

from .load.clients import BITS, Connection, Fleet, Lost, connected

CLIENTS, TIMES = 3, 8
"""Who asks at the same time; and how often something is looked at, so that each worker is asked."""
TRIES = 5
PASSWORD = "the static password"
SETTINGS = {"workers": 2, "threads": 4, "min_rsa_bits": BITS, "challenge": "static"}

Do = Callable[..., dict[str, Any]]


@pytest.fixture
def do(state: Path, capsys: pytest.CaptureFixture[str]) -> Do:
    """Run a command that has to succeed."""

    def do(*words: str) -> dict[str, Any]:
        status = cli.main(["--state", str(state), *words, "--json"])
        captured = capsys.readouterr()
        assert (status, captured.err) == (0, ""), words
        result: dict[str, Any] = json.loads(captured.out)
        return result

    return do


@pytest.fixture
def state(make_state: Callable[..., Path]) -> Path:
    return make_state(**SETTINGS)


@pytest.fixture
def url(state: Path, do: Do, tmp_path: Path, serve: Callable[..., Any]) -> Callable[[], str]:
    """Where the server is."""
    (tmp_path / "password").write_text(PASSWORD)
    do("challenge", "set", "--file", str(tmp_path / "password"))
    server = serve(state)
    return lambda: str(server.url)


def enrol(url: Callable[[], str], fleet: Fleet, password: str = PASSWORD, number: int = 0) -> Reply:
    """One request on a connection of its own, which any worker may get."""
    request = fleet.request(password, number)
    with connected(url) as connection:
        return fleet.read(answer(connection, request), request)


def answer(connection: Connection, request: Request) -> bytes:
    """Of the first of a few tries: on a busy machine the server takes a slow client for a stalled one."""
    for _unused in range(TRIES):
        with contextlib.suppress(Lost):
            return connection.post(request)
    raise AssertionError(f"{TRIES} identical requests were not answered")


@contextlib.contextmanager
def under_load(url: Callable[[], str], fleet: Fleet, password: str = PASSWORD) -> Iterator[Counter[PkiStatus]]:
    """Clients that enrol, one request after the other, until the end of the block; what they got is counted."""
    over, got = threading.Event(), Counter[PkiStatus]()

    def work(number: int) -> Counter[PkiStatus]:
        mine = Counter[PkiStatus]()
        with connected(url) as connection:
            while not over.is_set():
                request = fleet.request(password, number)
                mine[fleet.read(answer(connection, request), request).status] += 1
        return mine

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(work, number) for number in range(CLIENTS)]
        try:
            yield got
        finally:
            over.set()
        for client in clients:
            got.update(client.result(60))


def test_every_command_under_load(state: Path, tmp_path: Path, do: Do, url: Callable[[], str]) -> None:
    fleet = Fleet(url())
    backups = [tmp_path / f"backup{number}.tar.gz" for number in range(3)]
    with under_load(url, fleet) as got:
        (first,) = enrol(url, fleet).certificates
        serial = f"{first.serial_number:x}"
        lines = [
            ("init",),
            ("config", "show"),
            ("config", "check"),
            ("status",),
            ("otp", "create", "--count", "5"),
            ("otp", "list"),
            ("challenge", "show"),
            ("challenge", "set", "--file", str(tmp_path / "password")),
            ("requests", "list", "--state", "all"),
            ("audit",),
            ("certificates", "list", "--state", "valid", "--subject", "device"),
            ("certificates", "show", serial),
            ("certificates", "revoke", serial),
            ("ca", "show"),
            ("ca", "rollover"),
            ("ca", "rollover", "--cancel"),
            ("crl",),
            ("crl", "--out", str(tmp_path / "crl.der")),
            ("fault", "set", "slow", "--delay", "0.1", "--count", "3"),
            ("fault", "list"),
            ("fault", "clear"),
            ("fault", "apply", "[]"),
            ("log", "set", "--events", "on", "--mscep", "on"),
            ("log", "show"),
        ]
        for line in lines:
            do(*line)
        for backup in backups:
            do("backup", str(backup))
    others = {("serve",), ("stop",), ("backup",), ("requests", "approve"), ("requests", "deny")}  # tested elsewhere
    assert {line[:2] if len(line) > 1 and line[0] != "crl" else line[:1] for line in lines} | others == {
        command.words for command in cli.COMMANDS
    }
    assert set(got) == {PkiStatus.SUCCESS}
    issued = do("audit", "--limit", "100000")["records"]
    assert got[PkiStatus.SUCCESS] + 1 == [record["outcome"] for record in issued].count("issued")
    counts = [_certificates_in(backup, tmp_path / backup.name.partition(".")[0]) for backup in backups]
    assert 0 < counts[0] <= counts[1] <= counts[2] <= got[PkiStatus.SUCCESS] + 1


def _certificates_in(backup: Path, folder: Path) -> int:
    with tarfile.open(backup) as packed:
        packed.extractall(folder, filter="data")
    with contextlib.closing(sqlite3.connect(folder / "store.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(database.execute("SELECT count(*) FROM certificates").fetchone()[0])


def test_the_server_sees_revocations(do: Do, url: Callable[[], str]) -> None:
    (certificate,) = enrol(url, Fleet(url())).certificates
    do("crl")
    do("certificates", "revoke", f"{certificate.serial_number:x}", "--reason", "keyCompromise")
    wanted = do("crl")["pem"]
    for _unused in range(TIMES):
        (entry,) = x509.load_der_x509_crl(_get(url, "crl"))
        assert entry.serial_number == certificate.serial_number
        assert x509.load_pem_x509_crl(wanted.encode()) == x509.load_der_x509_crl(_get(url, "crl"))


def test_the_server_sees_a_new_static_password(do: Do, url: Callable[[], str], tmp_path: Path) -> None:
    fleet = Fleet(url())
    assert enrol(url, fleet).status is PkiStatus.SUCCESS
    (tmp_path / "password").write_text("another one")
    assert do("challenge", "set", "--file", str(tmp_path / "password"))["changed"] is True
    assert {enrol(url, fleet).fail_info for _unused in range(TIMES)} == {FailInfo.BAD_REQUEST}
    assert {enrol(url, fleet, "another one").status for _unused in range(TIMES)} == {PkiStatus.SUCCESS}


def test_the_server_sees_a_new_single_password(state: Path, tmp_path: Path, do: Do, serve: Callable[..., Any]) -> None:
    """Whoever asks meanwhile is granted or refused, by the password that counts when it is looked at."""
    (tmp_path / "users").write_text("CORP:alice:Pw1\n")
    admin = {"admin_page": True, "admin_auth": ["basic"], "users_file": str(tmp_path / "users"), "event_log": True}
    (state / "settings.json").write_text(json.dumps(SETTINGS | admin | {"challenge": "single"}))
    server = serve(state)
    fleet, before = Fleet(server.url), do("challenge", "show")["password"]

    def url() -> str:
        return str(server.url)

    def shown() -> str | None:
        login = ("CORP\\alice", "Pw1")
        page = requests.get(server.url.replace("/scep", "/certsrv/mscep_admin/"), auth=login, timeout=60)
        return read_page(page.content).password

    with under_load(url, fleet, before) as got:
        end = time.monotonic() + 60
        while not do("audit", "--limit", "1")["records"]:
            assert time.monotonic() < end
        after = do("challenge", "set")["password"]
        assert after != before
        assert {shown() for _unused in range(TIMES)} == {after}
        for _unused in range(TIMES):
            refused = enrol(url, fleet, before)
            assert (refused.status, refused.fail_info) == (PkiStatus.FAILURE, FailInfo.BAD_REQUEST)
        assert {enrol(url, fleet, after).status for _unused in range(TIMES)} == {PkiStatus.SUCCESS}
    outcomes = Counter(record["outcome"] for record in do("audit", "--limit", "100000")["records"])
    assert got[PkiStatus.SUCCESS] > 0 < got[PkiStatus.FAILURE] and got.total() + 2 * TIMES == outcomes.total()
    assert outcomes == {"issued": got[PkiStatus.SUCCESS] + TIMES, "refused": got[PkiStatus.FAILURE] + TIMES}
    events = [json.loads(line)["id"] for line in (state / "log" / "ndes-events.jsonl").read_text().splitlines()]
    assert events.count(29) == outcomes["refused"] == len(events) - 1, "and once that it has started"


def test_the_server_sees_decisions(state: Path, do: Do, tmp_path: Path, serve: Callable[..., Any]) -> None:
    (state / "settings.json").write_text(json.dumps(SETTINGS | {"challenge": "one_time", "approval": "enrolment"}))
    server = serve(state)
    fleet = Fleet(server.url)
    asked = fleet.requests(do("otp", "create", "--count", "2")["passwords"])

    def statuses() -> list[PkiStatus]:
        with connected(lambda: server.url) as connection:
            return [fleet.read(answer(connection, request), request).status for request in asked]

    assert statuses() == [PkiStatus.PENDING] * 2
    waiting = {row["transaction_id"]: str(row["id"]) for row in do("requests", "list")["requests"]}
    do("requests", "approve", waiting[asked[0].transaction_id])
    do("requests", "deny", waiting[asked[1].transaction_id])
    for _unused in range(TIMES):
        assert statuses() == [PkiStatus.SUCCESS, PkiStatus.FAILURE]


def test_the_server_sees_a_rollover(do: Do, url: Callable[[], str]) -> None:
    with connected(url) as connection:
        assert connection.ask("GET", "GetNextCACert")[0] == 404
    coming = do("ca", "rollover")["next"]["ca"]
    for _unused in range(TIMES):
        with connected(url) as connection:
            assert connection.ask("GET", "GetNextCACert")[0] == 200
    do("ca", "rollover", "--activate")
    for number in range(TIMES):
        fleet = Fleet(url())
        assert fleet.ca.ca.public_bytes(Encoding.PEM).decode() == coming["pem"]
        assert enrol(url, fleet, number=number).status is PkiStatus.SUCCESS


def _get(url: Callable[[], str], page: str) -> bytes:
    with connected(url) as connection:
        opened = connection.open()
        opened.request("GET", f"/{page}")
        answer = opened.getresponse()
        assert answer.status == 200
        return answer.read()
