# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role scep_server, from a bare host to a running server and back, on this machine."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: netcert.ndes.scep_server
    - ansible.builtin.copy:
        content: "{{ {'url': scep_server_url, 'fingerprint': scep_server_ca_fingerprint} | to_json }}"
        dest: "{{ scep_server_home }}/facts.json"
        mode: "0644"
      when: scep_server_url is defined
      changed_when: false
"""
RECAP = re.compile(r"ok=\d+ +changed=(\d+) .* failed=0 ")


@pytest.fixture
def ansible_playbook() -> Path:
    path = Path(sys.executable).with_name("ansible-playbook")
    if not path.exists():
        pytest.fail("ansible-playbook is not in this environment: install ansible-core")
    return path


def test_role(ansible_playbook: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    inventory = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
    (tmp_path / "inventory").write_text(inventory)
    variables: dict[str, Any] = {
        "scep_server_home": str(home),
        "scep_server_bind": bind,
        "scep_server_supervisor": "process",
        "scep_server_settings": {"ca_subject": "CN=Role Test CA", "workers": 1},
    }

    def play(*options: str, **more: Any) -> int:
        """How many tasks changed something."""
        command = [str(ansible_playbook), "-i", "inventory", "play.yml", "-e", json.dumps(variables | more), *options]
        environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        found = RECAP.search(done.stdout)
        assert done.returncode == 0 and found, done.stdout[-3000:] + done.stderr[-2000:]
        print(*re.findall(r"^TASK.*|^changed:.*", done.stdout, re.MULTILINE), sep="\n")  # shown when a count is wrong
        return int(found[1])

    def pid() -> str:
        return (home / "state" / "scep-server.pid").read_text()

    try:
        assert play("--check") > 0
        assert not home.exists(), "check mode leaves nothing behind"
        assert play() > 0
        facts = json.loads((home / "facts.json").read_text())
        assert facts["url"] == f"http://{bind}/scep"
        shown = subprocess.run([home / "bin" / "scep-server", "ca", "show", "--json"], capture_output=True, check=True)
        ca = json.loads(shown.stdout)["ca"]
        assert (ca["subject"], ca["fingerprint_sha256"]) == ("CN=Role Test CA", facts["fingerprint"])
        assert requests.get(f"{facts['url']}?operation=GetCACert", timeout=10).status_code == 200

        first = pid()
        assert play() == 0
        assert pid() == first, "an unchanged server goes on"

        faults = [{"name": "http-503", "count": 1, "only": "GetCACaps"}]
        wanted = {"scep_server_faults": faults, "scep_server_logs": {"events": True, "mscep": None}}
        assert play(**wanted) == 2
        caps = [requests.get(f"{facts['url']}?operation=GetCACaps", timeout=10).status_code for _number in range(2)]
        requests.get(f"{facts['url']}?operation=nothing", timeout=10)
        assert caps == [503, 200] and pid() == first, "the server that runs takes notice"
        (event,) = map(json.loads, (home / "state" / "log" / "ndes-events.jsonl").read_text().splitlines())
        assert event["id"] == 16 and not (home / "state" / "log" / "mscep.log").exists()
        assert play(**wanted) == 0, "what the list asks for has happened, and the log is switched"

        assert play(scep_server_settings={"ca_subject": "CN=Role Test CA", "workers": 1, "otp_minutes": 5}) > 0
        assert pid() != first, "new settings need a new start"
        assert play(scep_server_state="stopped") > 0
        assert not (home / "state" / "scep-server.pid").exists()
        assert play(scep_server_state="absent") > 0
        assert list((home / "state" / "pki").glob("*/ca.key")), "the CA is not removed by the way"
        assert play(scep_server_state="absent") == 0
    finally:
        play(scep_server_state="absent", scep_server_purge=True)
    assert not home.exists()


def test_wrong_settings_are_told(ansible_playbook: Path, tmp_path: Path) -> None:
    command = [str(ansible_playbook), "-i", "localhost,", "-c", "local", "play.yml", "-e", "scep_server_state=running"]
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "value of scep_server_state must be one of: started, stopped, absent" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("bind", "host", "url"),
    [
        ("0.0.0.0:80", "pki.example.com", "http://pki.example.com:80/scep"),
        ("[::]:8080", "2001:db8::1", "http://[2001:db8::1]:8080/scep"),
        ("192.0.2.1:8080", "pki.example.com", "http://192.0.2.1:8080/scep"),
    ],
)
def test_the_url_is_one_that_clients_can_use(ansible_playbook: Path, bind: str, host: str, url: str) -> None:
    derived = Path(__file__).resolve().parents[3] / "roles" / "scep_server" / "vars" / "main.yml"
    given = {
        "ansible_host": host,
        "scep_server_bind": bind,
        "scep_server_tls_certificate": "",
        "scep_server_tls_key": "",
        "scep_server_settings": {},
    }
    ask = [ansible_playbook.with_name("ansible"), "all", "-i", "server,", "-c", "local", "-m", "ansible.builtin.debug"]
    words = ["-a", "msg={{ __scep_server_url }}", "-e", f"@{derived}", "-e", json.dumps(given)]
    done = subprocess.run([*ask, *words], capture_output=True, text=True, check=False)
    assert f'"msg": "{url}"' in done.stdout, done.stdout + done.stderr
