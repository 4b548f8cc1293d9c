# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide to the first device against NDES: its play works at the reference server, once it is changed as it says."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from support.guides import BLOCK, GUIDES, run, with_free_ports
from support.servers import command

GUIDE = GUIDES / "first-device-ndes.md"
PORT = "18082"
INVENTORY = """
[routers]
r1 ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
r2 ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
"""


def test_the_play_is_rehearsed(folder: Path, environment: dict[str, str]) -> None:
    text = with_free_ports(GUIDE.read_text(), (PORT,))
    rehearsal = text.partition("## Rehearse it")[2]
    for kind, block in BLOCK.findall(rehearsal):
        assert kind == "console"
        run(block, environment, folder)
    scep, admin = re.findall(r"`url: (\S+)`", rehearsal)
    (play,) = [yaml.safe_load(block) for kind, block in BLOCK.findall(text) if kind == "yaml"]
    options = play[0]["tasks"][0]["netcert.ndes.scep_certificate"]
    options["url"] = scep
    options["otp"] |= {"url": admin, "allow_http": True}
    del options["otp"]["ca_path"]
    (folder / "devices").mkdir()
    for option in ("path", "privatekey_path"):
        options[option] = options[option].replace("/etc/pki/devices", str(folder / "devices"))
    (folder / "play.yml").write_text(yaml.safe_dump(play))
    (folder / "hosts").write_text(INVENTORY)
    pinned = command(folder / "lab-ndes", "ca", "show")["ca"]["fingerprint_sha256"]
    given = f"-e vault_scep_operator_password=secret -e pki_ca_fingerprint={pinned}"
    run(f"$ ansible-playbook -i hosts play.yml {given}\nr1 …changed=1 …\nr2 …changed=1 …\n", environment, folder)
    run(f"$ ansible-playbook -i hosts play.yml {given}\nr1 …changed=0 …\nr2 …changed=0 …\n", environment, folder)
    events = (folder / "lab-ndes" / "log" / "ndes-events.jsonl").read_text()
    assert "The service has started" in events
