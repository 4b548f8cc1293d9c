# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of a module and what it really takes and returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.netcert.ndes.plugins.action import ndes_otp as otp_action
from ansible_collections.netcert.ndes.plugins.action import scep_ca_info as info_action
from ansible_collections.netcert.ndes.plugins.action import scep_certificate as certificate_action
from ansible_collections.netcert.ndes.plugins.action import scep_certificate_pipe as pipe_action
from ansible_collections.netcert.ndes.plugins.action import scep_crl as crl_action
from ansible_collections.netcert.ndes.plugins.action import scep_trust_store as trust_store_action
from ansible_collections.netcert.ndes.plugins.module_utils.argspec import (
    CA_INFO,
    CERTIFICATE,
    CRL,
    OTP,
    PIPE,
    TRUST_STORE,
    Spec,
)
from ansible_collections.netcert.ndes.plugins.modules import (
    ndes_otp,
    scep_ca_info,
    scep_certificate,
    scep_certificate_pipe,
    scep_crl,
    scep_trust_store,
)

MODULES = {
    "ndes_otp": (ndes_otp, otp_action, OTP),
    "scep_ca_info": (scep_ca_info, info_action, CA_INFO),
    "scep_certificate": (scep_certificate, certificate_action, CERTIFICATE),
    "scep_certificate_pipe": (scep_certificate_pipe, pipe_action, PIPE),
    "scep_crl": (scep_crl, crl_action, CRL),
    "scep_trust_store": (scep_trust_store, trust_store_action, TRUST_STORE),
}
SPECS = {name: spec for name, (_unused, _unused, spec) in MODULES.items()}
RUNTIME = Path(__file__).resolve().parents[4] / "meta" / "runtime.yml"


def documentation(name: str) -> dict[str, Any]:
    """The documentation as users see it, fragments included."""
    module = MODULES[name][0]
    doc: dict[str, Any] = get_docstring(
        module.__file__, fragment_loader, collection_name="netcert.ndes", is_module=True
    )[0]
    return doc


@pytest.mark.parametrize(("name", "spec"), SPECS.items())
def test_options_are_documented_as_they_are(name: str, spec: Spec) -> None:
    assert plain(documentation(name)["options"], "suboptions") == plain(spec.options, "options")


def plain(options: Mapping[str, Mapping[str, Any]], inner: str) -> dict[str, Any]:
    """What is said of options, with those inside of them; `inner` is what these are called."""
    words = ("type", "elements", "choices", "required")
    return {
        option: {
            **{word: about[word] for word in words if about.get(word)},
            "default": about.get("default"),
            "options": plain(about.get(inner) or {}, inner),
        }
        for option, about in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_both_entrances_lead_to_the_same_work(name: str) -> None:
    module, action, spec = MODULES[name]
    entrance = action.ActionModule
    assert entrance.spec is spec
    assert entrance.driver.__name__ in vars(module)
    assert vars(module)[entrance.driver.__name__] is entrance.driver


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("scep_")])
def test_group_of_actions(name: str) -> None:
    groups = yaml.safe_load(RUNTIME.read_text())["action_groups"]
    assert name in groups["scep"]
    assert documentation(name)["attributes"]["action_group"]["membership"] == ["netcert.ndes.scep"]


SECRETS = {
    "scep_ca_info": ["proxy"],
    "ndes_otp": ["proxy", "password"],
    "scep_certificate": [
        "proxy",
        "challenge_password",
        "otp.proxy",
        "otp.password",
        "privatekey_passphrase",
        "pkcs12_passphrase",
    ],
    "scep_certificate_pipe": [
        "proxy",
        "challenge_password",
        "otp.proxy",
        "otp.password",
        "privatekey_passphrase",
        "privatekey_content",
        "record.transaction",
    ],
    "scep_crl": ["proxy"],
    "scep_trust_store": ["proxy"],
}


def secrets(options: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, option in options.items():
        if option.get("no_log"):
            yield name
        yield from (f"{name}.{inner}" for inner in secrets(option.get("options", {})))


@pytest.mark.parametrize("name", MODULES)
def test_secrets_are_declared(name: str) -> None:
    assert list(secrets(SPECS[name].options)) == SECRETS[name]


@pytest.mark.parametrize("name", MODULES)
def test_examples_and_samples_are_yaml(name: str) -> None:
    module = MODULES[name][0]
    tasks = yaml.safe_load(module.EXAMPLES)
    others = {"ansible.builtin.debug", "ansible.builtin.set_fact", "cisco.ios.ios_command"}
    assert all(set(task) & {f"netcert.ndes.{name}", *others} for task in tasks)
    options = set(SPECS[name].options)
    for task in tasks:
        assert set(task.get(f"netcert.ndes.{name}", {})) <= options
    assert yaml.safe_load(module.RETURN)["msg"]["returned"] == "always"
