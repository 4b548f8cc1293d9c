"""The table of legs: what `make test` runs, in this order, two at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toolchain import tasks
from toolchain.interpreters import Version
from toolchain.job import Job
from toolchain.sanity import sanity
from toolchain.tasks import molecule, pytest


@dataclass(frozen=True)
class Leg:
    """One row.

    ``environment`` names a row of environments.ENVIRONMENTS, ``packages`` rows of debian.PROOF, ``also`` the
    interpreters that the leg uses besides its own and that CI must have. Legs that share a name in ``alone_with``
    never run at the same time. The ``fast`` ones are `make check`.
    """

    name: str
    about: str
    environment: str
    run: Callable[[Job], None]
    packages: tuple[str, ...] = ()
    also: tuple[Version, ...] = ()
    alone_with: tuple[str, ...] = ()
    fast: bool = False


# The rule of the lowest-versions leg: it runs what a managed host runs, and nothing that needs ansible-core or the
# server (Python 3.11). So whatever lies in this folder has to do with module_utils and pytest alone.
LOWEST = "tests/unit/plugins/module_utils"

# The tests of the server run once: it has nothing to do with ansible-core.
LOAD = "tests/integration/server/load"
LOGINS = "tests/integration/server/logins"
BROWSER = "tests/integration/server/browser"
SERVER = "tests/unit/server"
# One core will do for what takes minutes: the kills meet our own code and the system.
KILLS = ("tests/integration/client/test_kills.py", "tests/integration/client/test_killed_writes.py")
_WITHOUT_KILLS = tuple(f"--ignore={kills}" for kills in KILLS)
INTEGRATION = pytest(
    "tests/integration", *(f"--ignore={folder}" for folder in (LOAD, LOGINS, BROWSER)), *_WITHOUT_KILLS
)
# What has Ansible in it, for the other core
PLAYBOOKS = pytest(
    *("tests/integration/client", "tests/integration/docs", "tests/integration/server/test_role.py"), *_WITHOUT_KILLS
)

MANAGED: tuple[Version, ...] = ((3, 9), (3, 11), (3, 13))
OPENSSL = ("openssl",)
CONTAINER = ("debootstrap", "openssh-client", "openssl", "podman", "runc")
DEPLOY = ("curl", "openssl", "systemd")
CHROMIUM = ("chromium", "chromium-driver")
DATABASE = ("postgresql",)
KDC = ("curl", "krb5-admin-server", "krb5-kdc", "krb5-user", "libkrb5-dev")
SAMBA = (
    *("krb5-user", "libnss-wrapper", "samba-ad-dc", "samba-ad-provision", "winbind"),
    *("apache2-bin", "gss-ntlmssp", "libapache2-mod-auth-gssapi"),
)
PEERS = ("certmonger", "dbus", "libstrongswan-extra-plugins", "openssl", "scep", "strongswan-pki")

# The long ones first, so that two cores have something to do until the end.
LEGS: tuple[Leg, ...] = (
    Leg("integration-2.21", "ansible-playbook, core 2.21, and the server", "core-2.21", INTEGRATION, DEPLOY),
    Leg("integration-2.19", "ansible-playbook, core 2.19", "core-2.19", PLAYBOOKS, DEPLOY),
    Leg("kills", "playbooks killed at any moment", "core-2.21", pytest(*KILLS), OPENSSL),
    Leg("server-load", "the server under load and kills, SQLite and PostgreSQL", "core-2.21", pytest(LOAD), DATABASE),
    Leg("second-host", "the role in a container", "main", molecule("--scenario-name=second_host"), CONTAINER),
    Leg("logins", "Kerberos and NTLM, with a domain of Samba's", "kerberos", pytest(LOGINS), (*KDC, *SAMBA)),
    Leg("browser", "the page for people in Debian's Chromium", "core-2.21", pytest(BROWSER), CHROMIUM),
    Leg("sanity-2.21", "ansible-test sanity, core 2.21", "core-2.21", sanity, ("shellcheck",), also=MANAGED),
    Leg("sanity-2.19", "ansible-test sanity, core 2.19", "core-2.19", sanity, ("shellcheck",), also=MANAGED),
    Leg("lint", "ruff, mypy, shellcheck", "main", tasks.lint, ("shellcheck",), fast=True),
    Leg("unit-newest", "unit tests, newest Python and libraries", "main", pytest("tests/unit"), OPENSSL, fast=True),
    Leg("unit-2.19", "unit tests, core 2.19", "core-2.19", pytest("tests/unit", f"--ignore={SERVER}"), OPENSSL),
    Leg("unit-lowest", "unit tests of module_utils, Python 3.9, oldest libraries", "lowest", pytest(LOWEST), OPENSSL),
    Leg("interop", "other SCEP clients and servers", "main", pytest("tests/interop"), PEERS),
    Leg("molecule", "scenarios end to end", "main", molecule("--all", "--exclude=second_host"), OPENSSL),
    Leg("fuzz", "damaged and made-up messages, for a short time", "fuzz", tasks.fuzz),
    Leg("galaxy", "tarball, galaxy-importer, installation", "importer", tasks.galaxy),
    Leg("lint-ansible", "ansible-lint, profile production", "main", tasks.ansible_lint),
    Leg("docs-site", "the documentation as a site", "main", tasks.docs_site),
    Leg("docs-lint", "documentation of plugins and roles", "main", tasks.docs_lint, fast=True),
    Leg("changelog", "changelog and its fragments", "main", tasks.changelog, fast=True),
)
