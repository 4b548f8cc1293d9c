# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Active Directory of Samba's for the time of the tests: its KDC, and winbindd, which checks log-ins by NTLM.

It listens on loopback alone, on ports of its own, and reads and writes nothing outside of its folder. Without LDAP,
SMB and RPC it needs none of the well-known ports; users are made in its database directly.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .servers import free_port

REALM, DOMAIN = "CORP.EXAMPLE.TEST", "CORP"
PATIENCE = 90
_ATTEMPTS = 5
_LONGEST = 1200
"""Seconds after which Samba ends by itself, whatever became of the tests."""

_KRB5 = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
[domain_realm]
localhost = {realm}
"""


class Domain:
    """A running domain. Made by `domain`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settings = folder / "etc" / "smb.conf"
        self._log = folder / "log.samba"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def kerberos(self) -> dict[str, str]:
        """The process environment of whoever asks the KDC."""
        return {"KRB5_CONFIG": str(self.folder / "krb5.conf")}

    @property
    def winbind(self) -> dict[str, str]:
        """The process environment of whoever asks winbindd.

        Its library goes to another socket than that of the system under nss_wrapper alone, as in Samba's own tests.
        """
        return {
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": "/etc/passwd",
            "NSS_WRAPPER_GROUP": "/etc/group",
            "SELFTEST_WINBINDD_SOCKET_DIR": str(self.folder / "winbindd"),
        }

    def ntlm_auth(self, protocol: str) -> tuple[list[str], dict[str, str]]:
        """The command that accepts log-ins, a line on its standard input for each message, and its environment."""
        words = [f"--configfile={self._settings}", f"--helper-protocol={protocol}"]
        return ["ntlm_auth", *words], {**os.environ, **self.winbind}

    def provision(self) -> None:
        """Make the domain's files."""
        base = self.folder / "base.conf"
        base.write_text("[global]\n")  # keeps /etc/samba out
        options = {
            "interfaces": "127.0.0.1/8",
            "bind interfaces only": "yes",
            "server services": "kdc winbindd",
            "disable netbios": "yes",
            "kdc default domain supported enctypes": "0x18",
            "tls enabled": "no",
            "pid directory": self.folder,
            "ncalrpc dir": self.folder / "ncalrpc",
            "winbindd socket directory": self.folder / "winbindd",
            "log file": self.folder / "log.%m",
        }
        self._run(
            *("samba-tool", "domain", "provision", f"--configfile={base}", f"--targetdir={self.folder}"),
            *(f"--realm={REALM}", f"--domain={DOMAIN}", "--server-role=dc", "--dns-backend=NONE"),
            *("--host-name=dc1", "--host-ip=127.0.0.1", "--adminpass=Adm1n-Pass"),
            *(f"--option={name}={value}" for name, value in options.items()),
        )

    def start(self) -> None:
        """Start and wait until both services answer; somebody else may have taken the ports meanwhile."""
        for _attempt in range(_ATTEMPTS):
            if self._started(free_port(), free_port()):
                return
            self.stop()
        raise AssertionError(self._log.read_text(errors="replace"))

    def _started(self, port: int, passwords: int) -> bool:
        (self.folder / "krb5.conf").write_text(_KRB5.format(realm=REALM, port=port))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(
                        "samba",
                        "--interactive",
                        "--no-process-group",
                        "--debug-stdout",
                        f"--configfile={self._settings}",
                    ),
                    *(f"--option=krb5 port={port}", f"--option=kpasswd port={passwords}"),
                    f"--maximum-runtime={_LONGEST}",
                ],
                stdin=subprocess.PIPE,  # Samba ends when it is closed: with this process at the latest
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers(port):
                return True
            time.sleep(0.1)
        return False

    def _answers(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        ping = ["wbinfo", "--ping"]
        asked = subprocess.run(
            ping, env={**os.environ, **self.winbind}, capture_output=True, check=False, timeout=PATIENCE
        )
        return asked.returncode == 0

    def stop(self) -> None:
        """End it with all its children."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None

    def admit(self, group: str) -> None:
        """Let the members of a group hand log-ins by NTLM to winbindd, as others than root must be let."""
        self.folder.chmod(0o711)
        shutil.chown(self.folder / "state" / "winbindd_privileged", group=group)

    def tool(self, *words: str) -> None:
        """samba-tool, on the domain's database."""
        self._run("samba-tool", *words, f"--configfile={self._settings}")

    def user(self, name: str, password: str, *options: str) -> None:
        """Make a user."""
        self.tool("user", "create", name, password, *options)

    def service(self, service: str) -> None:
        """Make a service account for this SPN, such as HTTP/localhost, and its keytab."""
        account = service.replace("/", "-").lower()
        self.tool("user", "create", account, "--random-password")
        self.tool("spn", "add", service, account)
        self.tool("domain", "exportkeytab", str(self.keytab(service)), f"--principal={service}")

    def keytab(self, service: str) -> Path:
        """The keys of a service."""
        return self.folder / f"{service.replace('/', '-').lower()}.keytab"

    def log_in(self, name: str, password: str) -> None:
        """Fetch a ticket for this process, as a user does with kinit."""
        self._run("kinit", f"{name}@{REALM}", text=f"{password}\n")

    def _run(self, *words: str, text: str = "") -> None:
        done = subprocess.run(
            words,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, (words, done.stdout + done.stderr)


@contextmanager
def domain() -> Iterator[Domain]:
    """A domain of its own, gone afterwards. Only root can make one: files of its get owners of their own."""
    folder = Path(tempfile.mkdtemp(prefix="netcert-ad-"))  # short: the name of a socket has 107 bytes at most
    made = Domain(folder)
    try:
        made.provision()
        made.start()
        yield made
    finally:
        made.stop()
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a domain's folder. Children of Samba's end a moment later than it does, and remove files of theirs."""
    end = time.monotonic() + PATIENCE
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > end:
                raise
