# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment import files
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.files import (
    Target,
    Transaction,
    attributes_differ,
    back_up,
    check_writable,
    read_file,
    read_target,
    set_attributes,
)
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ownership import Attributes, read_attributes
from ansible_collections.netcert.ndes.plugins.module_utils.errors import FileError, OptionError

SECRET = Attributes(default_mode=0o600)
PUBLIC = Attributes()
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away: run the tests as root")


class Set:
    """A key and a certificate in folders of their own, and a chain beside the certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("private", "public"):
            (folder / name).mkdir()
        self.key = read_target("privatekey_path", folder / "private" / "k", SECRET)
        self.certificate = read_target("path", folder / "public" / "c", PUBLIC)
        self.chain = read_target("chain_path", folder / "public" / "f", PUBLIC)
        self.targets = [self.key, self.certificate, self.chain]
        self.transaction = Transaction(self.certificate.path)

    def write(self, word: bytes) -> None:
        self.transaction.commit([(target, word) for target in self.targets])

    def contents(self) -> dict[str, bytes]:
        """All files below the folder."""
        paths = [path for path in self.folder.rglob("*") if not path.is_dir()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def expected(self, word: bytes) -> dict[str, bytes]:
        return {str(target.path.relative_to(self.folder)): word for target in self.targets}


@pytest.fixture
def three(tmp_path: Path) -> Set:
    return Set(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_commit(three: Set) -> None:
    old = os.umask(0)
    try:
        three.write(b"one")
    finally:
        os.umask(old)
    assert three.contents() == three.expected(b"one")
    assert [mode(target.path) for target in three.targets] == [0o600, 0o644, 0o644]
    three.write(b"two")
    assert three.contents() == three.expected(b"two")


def _die_at(line: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that ends the process, as SIGKILL does, at the nth line executed in files.py."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            count += 1
            if count == line:
                os._exit(9)
        return trace

    return trace


def _run_killed(line: int, work: Callable[[], None]) -> bool:
    """Do the work in a child that dies at the nth line; whether it did die."""
    child = os.fork()
    if child == 0:
        sys.settrace(_die_at(line))
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("before", [b"", b"old"], ids=["first", "replaced"])
@pytest.mark.parametrize("count", [3, 1])
def test_killed_at_any_line(three: Set, monkeypatch: pytest.MonkeyPatch, before: bytes, count: int) -> None:
    """After the repair by the next run all files are old or all are new, and nothing else lies around."""
    three.targets = three.targets[-count:]
    monkeypatch.setattr(
        os, "fsync", lambda _unused: None
    )  # a killed process loses nothing that it wrote, and it is slow
    seen, line = set(), 0
    while True:
        line += 1
        for path in three.contents():
            (three.folder / path).unlink()
        if before:
            three.write(before)
        died = _run_killed(line, lambda: three.write(b"new"))
        if line % 3 == 0:  # and the repair is killed as well, in its turn
            _run_killed(line // 3, lambda: bool(three.transaction.recover(three.targets)))
        three.transaction.recover(three.targets)
        found = three.contents()
        assert found in ({}, three.expected(b"new")) or (before and found == three.expected(before)), line
        seen.add(frozenset(found.values()))
        assert not three.transaction.recover(three.targets)
        if not died:
            break
    assert line > 40 * count
    assert seen == {frozenset({before}) if before else frozenset(), frozenset({b"new"})}


class Steps:
    """What a commit does that a loss of power must not put into another order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

        def synced(descriptor: int) -> None:
            self.seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
            fsync(descriptor)

        def replaced(path: Path, target: Path) -> Path:
            self.seen.append(f"rename to {target.name}")
            return replace(path, target)

        def unlinked(path: Path, missing_ok: bool = False) -> None:
            if path.exists():
                self.seen.append(f"remove {path.name}")
            unlink(path, missing_ok)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "replace", replaced)
        monkeypatch.setattr(Path, "unlink", unlinked)


def test_order_for_one_file(three: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file takes its place when its content is on disk, and without a journal."""
    three.write(b"old")
    steps = Steps(monkeypatch)
    three.transaction.commit([(three.certificate, b"new")])
    assert steps.seen == ["sync .c.scep-new", "rename to c", "sync public"]


def test_order_for_several_files(three: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """No rename before the journal is on disk with all that it names; it goes when all renames are."""
    three.write(b"old")
    steps = Steps(monkeypatch)
    three.transaction.commit([(three.certificate, b"new"), (three.chain, b"new")], remove=[three.key])
    assert steps.seen == [
        *("sync .c.scep-new", "sync .f.scep-new", "sync .c.scep-journal.scep-new"),
        *("sync public", "rename to .c.scep-journal", "sync public"),
        *("rename to c", "rename to f", "sync public"),
        *("remove .c.scep-journal", "remove .c.scep-old", "remove k"),
        *steps.seen[-2:],
    ]
    assert sorted(steps.seen[-2:]) == ["sync private", "sync public"]


def test_repair_says_whether_it_changed_files(three: Set) -> None:
    three.write(b"old")
    assert not three.transaction.recover(three.targets)
    three.key.staged.write_bytes(b"left by a run that was killed early")
    assert not three.transaction.recover(three.targets)
    assert three.contents() == three.expected(b"old")
    for target in three.targets:
        target.staged.write_bytes(b"new")
    rows = [[str(target.staged), str(target.path), str(target.saved)] for target in three.targets]
    journal = three.folder / "public" / ".c.scep-journal"
    journal.write_text(json.dumps(rows))
    journal.chmod(0o600)
    assert three.transaction.interrupted
    assert three.transaction.recover(three.targets)
    assert three.contents() == three.expected(b"new")


def test_repair_removes_all_that_was_left(three: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial as well, and beside a journal that is to be completed."""
    three.write(b"old")
    for target in three.targets:
        target.trial.write_bytes(b"")
    assert not three.transaction.recover(three.targets)
    assert three.contents() == three.expected(b"old")
    three.key.trial.write_bytes(b"")
    three.chain.staged.write_bytes(b"")
    (three.folder / "public" / ".c.scep-journal").write_text("[]")
    assert three.transaction.recover(three.targets)
    assert three.contents() == three.expected(b"old")

    three.key.trial.mkdir()
    with pytest.raises(FileError) as caught:
        three.transaction.recover(three.targets)
    assert str(caught.value) == (
        f"What an interrupted run left, '{three.key.trial}', cannot be removed: Is a directory; remove it."
    )


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("before", [b"", b"old"], ids=["first", "replaced"])
def test_rename_that_fails_is_undone(three: Set, monkeypatch: pytest.MonkeyPatch, failing: int, before: bytes) -> None:
    if before:
        three.write(before)
    refused = three.targets[failing]
    replace = Path.replace

    def refuse(self: Path, target: Any) -> Any:
        if self == refused.staged:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FileError) as caught:
        three.write(b"new")
    assert str(caught.value) == f"'{refused.path}' cannot be replaced: Device or resource busy."
    assert three.contents() == (three.expected(before) if before else {})


def test_staging_that_fails_leaves_nothing(three: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    three.write(b"old")
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError) as caught:
        three.write(b"new")
    assert str(caught.value) == f"path: '{three.certificate.path}' cannot be written: No space left on device."
    assert three.contents() == three.expected(b"old")


def refuse_link(*_unused: Any, **__: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_file_system_without_second_names(three: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_link)
    three.write(b"old")
    three.write(b"new")
    assert three.contents() == three.expected(b"new")


@pytest.mark.parametrize("damage", ["open to others", "no journal", "a link"])
def test_journal_that_is_not_ours(three: Set, damage: str) -> None:
    three.write(b"old")
    journal = three.folder / "public" / ".c.scep-journal"
    if damage == "a link":
        (three.folder / "elsewhere").write_text("[]")
        journal.symlink_to(three.folder / "elsewhere")
    else:
        journal.write_text("[]" if damage == "open to others" else "{")
        journal.chmod(0o666 if damage == "open to others" else 0o600)
    with pytest.raises(FileError) as caught:
        three.transaction.recover(three.targets)
    assert str(caught.value).startswith(f"The journal '{journal}' of an earlier run cannot be used: ")
    assert str(caught.value).endswith("; look into the folder, then remove it.")
    assert three.key.path.read_bytes() == b"old"


def test_symbolic_links_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c").write_bytes(b"old")
    (tmp_path / "c").symlink_to("real/c")
    (tmp_path / "new").symlink_to("real/not-yet")
    for link, real in (("c", "c"), ("new", "not-yet")):
        target = read_target("path", tmp_path / link, PUBLIC)
        Transaction(target.path).commit([(target, b"new")])
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "real" / real).read_bytes() == b"new"


def test_modes(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"")
    path.chmod(0o640)
    for wanted, expected in ((PUBLIC, 0o640), (Attributes(mode=0o444), 0o444)):
        target = read_target("path", path, wanted)
        Transaction(path).commit([(target, b"new")])
        assert mode(path) == expected
    target = read_target("path", path, Attributes(mode=0o600))
    assert attributes_differ(target)
    set_attributes(target)
    assert mode(path) == 0o600
    assert not attributes_differ(target)


@as_root
def test_owners(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"")
    os.chown(path, 65534, 65533)
    target = read_target("path", path, PUBLIC)
    Transaction(path).commit([(target, b"new")])
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)
    target = read_target("path", path, Attributes(uid=1, gid=None))
    assert attributes_differ(target)
    Transaction(path).commit([(target, b"new")])
    assert (path.stat().st_uid, path.stat().st_gid) == (1, 65533)
    set_attributes(read_target("path", path, Attributes(gid=2)))
    assert (path.stat().st_uid, path.stat().st_gid) == (1, 2)


def test_read_attributes() -> None:
    user, group = pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name
    assert read_attributes("", "0640", user, group, 0o644) == Attributes(0o640, 0, 0, 0o644)
    assert read_attributes("", 0o640, "4711", "4712", 0o644) == Attributes(0o640, 4711, 4712, 0o644)
    assert read_attributes("", None, None, None, 0o600) == Attributes(None, None, None, 0o600)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (("u=rw", None, None), "privatekey_mode: 'u=rw' is not an octal mode such as '0640'; put it in quotes."),
        ((99999, None, None), "privatekey_mode: '99999' is not an octal mode such as '0640'; put it in quotes."),
        ((None, "no-such-user", None), "privatekey_owner: 'no-such-user' is not known on this host."),
        ((None, None, "no-such-group"), "privatekey_group: 'no-such-group' is not known on this host."),
    ],
)
def test_attributes_that_cannot_be_meant(values: tuple[Any, Any, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_attributes("privatekey_", *values, 0o600)
    assert str(caught.value) == sentence


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name, sentence in (
        ("folder", f"path: '{tmp_path}/folder' exists and is not a regular file."),
        ("loop", f"path: '{tmp_path}/loop' is a symbolic link that leads round in a circle."),
        ("no/c", f"path: the folder '{tmp_path}/no' does not exist; create it first."),
    ):
        with pytest.raises(FileError) as caught:
            read_target("path", tmp_path / name, PUBLIC)
        assert str(caught.value) == sentence


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_file("path", tmp_path / "none") is None
    (tmp_path / "large").write_bytes(b"12345")
    for path, sentence in (
        (tmp_path, f"path: '{tmp_path}' cannot be read: Is a directory."),
        (tmp_path / "large", f"path: '{tmp_path}/large' has more than 4 octets, so it is not what is meant."),
    ):
        with pytest.raises(FileError) as caught:
            read_file("path", path, limit=4)
        assert str(caught.value) == sentence


def test_check_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("path", tmp_path / "c", PUBLIC)
    for touch in (True, False):
        check_writable([target], touch=touch)
        assert not list(tmp_path.iterdir())

    def refuse(*_unused: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        steps = Steps(patched)
        others = [Target("chain_path", tmp_path / "other" / name, PUBLIC) for name in ("f", "g")]
        (tmp_path / "other").mkdir()
        check_writable([target, *others], touch=True)
        assert [step for step in steps.seen if step.startswith("sync")] == [
            f"sync .{name}.scep-trial" for name in ("c", "f")
        ]
        (tmp_path / "other").rmdir()

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(FileError) as caught:
            check_writable([target], touch=True)
    assert str(caught.value) == f"path: nothing can be written to the folder '{tmp_path}': No space left on device."
    assert not list(tmp_path.iterdir())

    target.trial.write_bytes(b"left by a run that was killed")
    check_writable([target], touch=True)
    assert not list(tmp_path.iterdir())

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_unused, **__: None)
        target.trial.write_bytes(b"of a run that tries just now")
        check_writable([target], touch=True)
    target.trial.unlink()

    monkeypatch.setattr(os, "access", lambda *_unused: False)
    with pytest.raises(FileError) as caught:
        check_writable([target], touch=False)
    assert str(caught.value) == f"path: nothing can be written to the folder '{tmp_path}': Permission denied."


def test_only_root_gives_files_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [1001])
    for attributes, word in ((Attributes(uid=7), "root can give '{}' to another owner"), (Attributes(gid=7), "")):
        sentence = word or "root or a member can give '{}' to another group"
        with pytest.raises(FileError) as caught:
            check_writable([Target("path", tmp_path / "c", attributes)], touch=False)
        assert str(caught.value) == f"path: only {sentence.format(tmp_path / 'c')}."
    check_writable([Target("path", tmp_path / "c", Attributes(uid=1000, gid=1001))], touch=False)


@pytest.mark.parametrize("second_names", [True, False])
def test_back_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second_names: bool) -> None:
    if not second_names:
        monkeypatch.setattr(os, "link", refuse_link)
    target = Target("path", tmp_path / "c", PUBLIC)
    assert back_up(target, "now") is None
    target.path.write_bytes(b"old")
    target.path.chmod(0o600)
    (tmp_path / "c.now~").write_bytes(b"of a run in the same second")
    copy = back_up(target, "now")
    Transaction(target.path).commit([(target, b"new")])
    assert copy == tmp_path / "c.now~"
    assert (copy.read_bytes(), target.path.read_bytes()) == (b"old", b"new")
    assert mode(copy) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "c.now~"]
