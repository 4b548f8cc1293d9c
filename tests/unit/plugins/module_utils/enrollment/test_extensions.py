# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.decide import Asked
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.extensions import (
    build_extensions,
    extended_key_usage,
    purpose,
)
from ansible_collections.netcert.ndes.plugins.module_utils.errors import OptionError
from cryptography import x509

LARGE = "2.25.32980073569858662929564197851"
"""Of the kind that is made of a UUID: old versions of the library cannot encode it."""


def test_extended_key_usage() -> None:
    assert [extended_key_usage(word) for word in ("serverauth", "1.3.6.1.5.5.7.3.2", "1.2.3")] == [
        "serverAuth",
        "clientAuth",
        "1.2.3",
    ]
    for word in ("server", LARGE):
        with pytest.raises(OptionError, match=f"^extended_key_usage: '{word}' is not a purpose that is known here "):
            extended_key_usage(word)


def test_purpose_that_others_have_encoded() -> None:
    """It is told by its name, and never refused."""
    assert [purpose(dotted) for dotted in ("1.3.6.1.5.5.7.3.2", "1.2.3", LARGE)] == ["clientAuth", "1.2.3", LARGE]


def test_extensions() -> None:
    asked = Asked((), ("DNS:a",), ("digitalSignature", "keyEncipherment"), True, ("clientAuth", "1.2.3"), False)
    (names, names_critical), (usage, usage_critical), (purposes, purposes_critical) = build_extensions(asked)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["a"]
    assert isinstance(usage, x509.KeyUsage)
    assert usage.digital_signature
    assert usage.key_encipherment
    assert not usage.key_cert_sign
    assert isinstance(purposes, x509.ExtendedKeyUsage)
    assert [one.dotted_string for one in purposes] == ["1.3.6.1.5.5.7.3.2", "1.2.3"]
    assert (names_critical, usage_critical, purposes_critical) == (False, True, False)
    assert not build_extensions(Asked(()))


def test_key_usage_against_the_rules() -> None:
    with pytest.raises(OptionError, match=r"^key_usage: .*\.$"):
        build_extensions(Asked((), key_usage=("encipherOnly",)))
