# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.context import perform
from ansible_collections.netcert.ndes.plugins.module_utils.enrollment.ca_info import ca_info
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import fingerprint

from support.awkward import Answer, Awkward
from support.task import Run


def run(task: Run, **options: Any) -> dict[str, Any]:
    result = perform(ca_info, task.context(**options))
    assert not result.pop("failed"), result["msg"]
    assert result["changed"] is False
    return result


def test_without_a_pin(info_task: Run, server: Awkward) -> None:
    result = run(info_task)
    assert result["trusted"] is False
    assert result["msg"] == (
        "The server offers 3 certificates; nothing vouches for them until the CA's fingerprint is compared over "
        "another channel."
    )
    assert result["capabilities"] == ["AES", "DES3", "POSTPKIOPERATION", "SCEPSTANDARD", "SHA-1", "SHA-256"]
    assert (result["digests"], result["ciphers"]) == (["sha1", "sha256"], ["aes-128-cbc", "des-ede3-cbc"])
    assert (result["post"], result["renewal"]) == (True, False)
    assert [(one["roles"], one["subject"]) for one in result["certificates"]] == [
        (["ra_signer"], "CN=Test RA"),
        (["ra_recipient"], "CN=Test RA"),
        (["ca"], "CN=Test CA"),
    ]
    for one, certificate in zip(result["certificates"], server.offered):
        assert one["fingerprints"] == {name: fingerprint(certificate, name) for name in ("sha256", "sha1", "md5")}
        assert one["issuer"] == "CN=Test CA"
        assert (one["not_before"], one["not_after"]) == ("2025-06-01T12:00:00Z", "2036-05-29T12:00:00Z")
    assert server.operations == ["GetCACaps", "GetCACert"]


def test_with_a_pin(info_task: Run, server: Awkward) -> None:
    result = run(info_task, ca_fingerprint=[fingerprint(server.pki.ca.certificate)])
    assert result["trusted"] is True
    assert result["msg"] == "The server offers 3 certificates, and they hang on the given CA."


def test_with_a_wrong_pin(info_task: Run) -> None:
    result = perform(ca_info, info_task.context(ca_fingerprint=["ab" * 32]))
    assert result["failed"]
    assert result["msg"].startswith(
        "None of the certificates that the server offers is the pinned CA or issued by it ("
    )


def test_a_recipient_that_is_not_trusted_has_no_role(info_task: Run, server: Awkward) -> None:
    """Two certificates fit for encryption: after judging, the role marks the one that is used."""
    server.offered = (*server.pki.ndes, server.pki.enrolled.certificate)
    roles = [one["roles"] for one in run(info_task)["certificates"]]
    assert roles == [["ra_signer"], ["ra_recipient"], ["ca"], ["ra_signer", "ra_recipient"]]
    judged = run(info_task, ca_fingerprint=[fingerprint(server.pki.ca.certificate)])
    assert [one["roles"] for one in judged["certificates"]] == [["ra_signer"], ["ra_recipient"], ["ca"], ["ra_signer"]]


def test_single_certificate_and_no_capabilities(info_task: Run, server: Awkward) -> None:
    server.offered = (server.pki.ca.certificate,)
    server.answers["GetCACaps"] = Answer(b"", 404)
    result = run(info_task)
    assert result["msg"].startswith("The server offers 1 certificate; ")
    assert [one["roles"] for one in result["certificates"]] == [["ca"]]
    assert (result["capabilities"], result["digests"], result["ciphers"]) == ([], [], [])
