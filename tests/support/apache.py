# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apache for the time of a test, with one page behind mod_auth_gssapi: for Kerberos, or for NTLM with gss-ntlmssp."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .admin import PATH
from .servers import PATIENCE, free_port

BINARIES = "usr/sbin"
"""Where Debian has apache2, which is not on everybody's PATH: a pattern under /."""
OWNER = "www-data"
"""Who runs it."""
_MODULES = "/usr/lib/apache2/modules"
_ATTEMPTS = 5
_FILES = ("tls.pem", "tls.key", "keytab")
_SETTINGS = """\
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/errors
LogFormat "%>s %u" short
CustomLog {folder}/log short
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_gssapi_module {modules}/mod_auth_gssapi.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule ssl_module {modules}/mod_ssl.so
SSLEngine on
SSLCertificateFile {folder}/tls.pem
SSLCertificateKeyFile {folder}/tls.key
DocumentRoot {folder}/pages
<Location />
  AuthType GSSAPI
  AuthName NDES
  GssapiSSLonly On
  GssapiAllowedMech {mechanism}
  {store}
  GssapiConnectionBound On
  Require valid-user
</Location>
"""


@dataclass(frozen=True)
class Apache:
    """Running."""

    folder: Path
    url: str

    def asked(self, status: int, count: int) -> list[str]:
        """The users of so many requests that were answered so; they are written down a moment after the answer."""
        end = time.monotonic() + PATIENCE
        while True:
            rows = [line.split(" ", 1) for line in (self.folder / "log").read_text().splitlines()]
            found = [user for answered, user in rows if answered == str(status)]
            if len(found) >= count or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def complaints(self) -> str:
        """What it said of log-ins that came to nothing."""
        return (self.folder / "errors").read_text()


@contextmanager
def apache(
    command: Path, page: bytes, mechanism: str, tls: tuple[Path, Path], keytab: Path, variables: Mapping[str, str]
) -> Iterator[Apache]:
    """It gives the page to whoever logs in by the mechanism, krb5 or ntlmssp. `variables`: of its environment."""
    folder = Path(tempfile.mkdtemp(prefix="netcert-httpd-"))
    try:
        pages = folder / "pages" / PATH.strip("/")
        pages.mkdir(parents=True)
        (pages / "index.html").write_bytes(page)
        for source, name in zip((*tls, keytab), _FILES, strict=True):
            shutil.copyfile(source, folder / name)
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # it would serve as another user in any case, who could not read his files
            owner = pwd.getpwnam(OWNER)
            for path in (folder, *(folder / name for name in _FILES)):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        process, port = _started(
            command, folder, mechanism, {**os.environ, "KRB5RCACHEDIR": str(folder), **variables}, user
        )
        try:
            yield Apache(folder, f"https://localhost:{port}{PATH}")
        finally:
            process.terminate()
            process.wait(PATIENCE)
    finally:
        shutil.rmtree(folder)


def _started(
    command: Path, folder: Path, mechanism: str, environment: Mapping[str, str], user: Mapping[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    """The process, when it answers, and its port; somebody else may take that before it does."""
    for _attempt in range(_ATTEMPTS):
        port = free_port()
        settings = folder / "httpd.conf"
        settings.write_text(
            _SETTINGS.format(
                folder=folder,
                port=port,
                mechanism=mechanism,
                modules=_MODULES,
                store=f"GssapiCredStore keytab:{folder}/keytab" if mechanism == "krb5" else "",
            )
        )
        words = ["setpriv", "--pdeathsig", "TERM", command, "-f", settings, "-DFOREGROUND"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment, **user)
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return process, port
            time.sleep(0.05)
        process.kill()
        process.wait()
    raise AssertionError((folder / "errors").read_text())
