# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import AlgorithmPolicy, policy
from hypothesis import HealthCheck, settings

from support import bench as bench_module
from support import pki as pki_module
from support.bench import Bench
from support.pki import Pki

# One run is like the other; two cores are shared.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def pki() -> Pki:
    """The session's small PKI."""
    return pki_module.shared()


@pytest.fixture(scope="session")
def now() -> dt.datetime:
    """The time at which tests take place."""
    return pki_module.NOW


@pytest.fixture(scope="session")
def allowed() -> AlgorithmPolicy:
    """What is allowed without any switch."""
    return policy()


@pytest.fixture(scope="session")
def legacy() -> AlgorithmPolicy:
    """What is allowed with the legacy switch."""
    return policy(legacy=True)


@pytest.fixture(scope="session")
def bench() -> Bench:
    """A request that is right in every field."""
    return bench_module.bench()


@pytest.fixture(scope="session")
def csr(bench: Bench) -> bytes:
    """A PKCS#10 request of the device, with a challengePassword and a subject alternative name."""
    return bench.csr
