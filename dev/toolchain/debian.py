"""System packages that tests call, and how they come onto the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from toolchain.places import CI, Failure, say

# Each package with a command or a file (a pattern under /) that shows it is there, whoever installed it.
PROOF = {
    "apache2-bin": "usr/sbin/apache2",  # the server alone, which no service starts
    "certmonger": "getcert",
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
    "curl": "curl",
    "dbus": "dbus-run-session",  # a bus of its own for certmonger
    "debootstrap": "debootstrap",  # makes the image of the second host
    "gss-ntlmssp": "usr/lib/*/gssntlmssp/gssntlmssp.so",  # NTLM for everything that has GSSAPI
    "krb5-admin-server": "usr/sbin/kadmin.local",  # makes the users of a KDC
    "krb5-kdc": "usr/sbin/krb5kdc",
    "krb5-user": "kinit",
    "libapache2-mod-auth-gssapi": "usr/lib/apache2/modules/mod_auth_gssapi.so",
    "libkrb5-dev": "krb5-config",  # gssapi and krb5 of Python are built with it
    "libnss-wrapper": "usr/lib/*/libnss_wrapper.so",  # under it Samba's clients find another winbindd than the system's
    "libstrongswan-extra-plugins": "usr/lib/ipsec/plugins/libstrongswan-curl.so",  # pki fetches http with it
    "openssh-client": "ssh",
    "openssl": "openssl",
    "podman": "podman",  # with runc, not with crun, which stops where cgroups are of both versions
    "postgresql": "usr/lib/postgresql/*/bin/postgres",
    "python3-venv": "usr/lib/python3*/ensurepip",
    "runc": "runc",
    "samba-ad-dc": "usr/sbin/samba",  # with all that a domain controller needs, but for the next
    "samba-ad-provision": "usr/share/samba/setup/provision.ldif",
    "scep": "scepserver",  # micromdm's server and client
    "shellcheck": "shellcheck",
    "strongswan-pki": "pki",
    "systemd": "systemd-analyze",  # judges the unit of the role, also where systemd does not run
    "winbind": "ntlm_auth",
}

INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends")


def present(package: str) -> bool:
    proof = PROOF[package]
    return any(Path("/").glob(proof)) if "/" in proof else shutil.which(proof) is not None


def missing(packages: Iterable[str]) -> list[str]:
    return sorted({package for package in packages if not present(package)})


def ensure(packages: Iterable[str]) -> None:
    """Install what is missing, if the user may; otherwise print the one command that does.

    What stays missing is no reason to stop: the tests that need it are skipped, each with a sentence.

    Raises:
        Failure: Under CI something is missing and could not be installed.
    """
    wanted = missing(packages)
    if not wanted:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Debian packages: installing {' '.join(wanted)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (("apt-get", "update"), (*INSTALL, *wanted)):
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                say(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
        wanted = missing(wanted)
    if wanted:
        say(f"Not here: {', '.join(wanted)}. What needs them will be skipped. To have them:")
        say(f"    sudo {' '.join((*INSTALL, *wanted))}")
        if CI:
            raise Failure(f"CI skips nothing, and these Debian packages are missing: {', '.join(wanted)}")
