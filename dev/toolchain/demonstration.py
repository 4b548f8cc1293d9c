"""`make demo`: the playbook netcert.ndes.demo, told in a line for each step."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from toolchain.places import BUILD, LOGS, ROOT, Failure, say

SERVER = BUILD / "demo" / "server" / "bin" / "scep-server"

_STEP = re.compile(r"^(PLAY|TASK) \[(?:netcert\.ndes\.\w+ : )?(.*?)\] \*+$")
_MESSAGE = re.compile(r"^\w+: \[[^\]]+\] => \{$")
_TROUBLE = re.compile(r"^(fatal|failed|\[ERROR\])")
_UNTOLD = re.compile(r"^Validating arguments against arg spec")


def story(lines: Iterable[str]) -> Iterator[str]:
    """What is worth telling of ansible-playbook's output: plays, tasks, messages, and whatever went wrong."""
    source = iter(lines)
    for line in source:
        if (step := _STEP.match(line)) is not None:
            kind, name = step.groups()
            if not _UNTOLD.match(name):
                yield f"\n{name}" if kind == "PLAY" else f"  {name}"
        elif _MESSAGE.match(line) is not None:
            yield from _message(source)
        elif _TROUBLE.match(line) is not None:
            yield line


def _message(source: Iterator[str]) -> Iterator[str]:
    """The lines of a debug message, which ansible-playbook prints as JSON."""
    text = "{"
    for line in source:
        text += line
        if line == "}":
            break
    message = json.loads(text).get("msg", "")
    if isinstance(message, dict):
        message = [f"{name}: {value}" for name, value in message.items()]
    for entry in [message] if isinstance(message, str) else message:
        yield f"    {entry}"


def run(playbook: Path, path: str) -> int:
    """Run the playbook; returns its exit code. Whatever happens, no server stays behind."""
    began = time.monotonic()
    log = LOGS / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {
        **os.environ,
        "PATH": path,
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(playbook), "netcert.ndes.demo"]
    try:
        with (
            log.open("w", encoding="utf-8") as everything,
            subprocess.Popen(
                command, cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as process,
        ):
            for line in story(_copied(process.stdout or [], everything.write)):
                say(line)
    finally:
        if SERVER.exists():
            subprocess.run([SERVER, "stop"], check=False, stdout=subprocess.DEVNULL)
    if process.returncode:
        raise Failure(f"the demonstration failed; {log.relative_to(ROOT)} has all that ansible-playbook printed")
    say(f"\nDone in {time.monotonic() - began:.0f} s; {log.relative_to(ROOT)} has all that ansible-playbook printed.")
    return 0


def _copied(lines: Iterable[str], write: Callable[[str], object]) -> Iterator[str]:
    for line in lines:
        write(line)
        yield line.rstrip("\n")
