# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are wrong, in every field, and what a server is told to answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import (
    DIGESTS,
    AlgorithmPolicy,
    policy,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import FailInfo, MessageType
from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import verify_csr
from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import (
    UNPROVEN,
    BadAlgorithm,
    BadRequest,
    DecodeError,
    DecryptionFailed,
    MessageError,
    NotFound,
    WrongRecipient,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import (
    open_request,
)

from support import forge
from support.bench import Bench, tiny_signer
from support.wrong import ENROLMENTS, QUERIES, REFUSED, TAMPERED, UNANSWERABLE

# --- wrong in every field --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", UNANSWERABLE)
def test_what_cannot_be_answered(what: str, bench: Bench) -> None:
    with pytest.raises(DecodeError) as caught:
        bench.open(UNANSWERABLE[what](bench))
    assert caught.value.__class__ is DecodeError
    assert caught.value.fail_info is None


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_with_an_answer(what: str, bench: Bench) -> None:
    build, kind, fail_info, signer_known = REFUSED[what]
    with pytest.raises(MessageError) as caught:
        bench.open(build(bench))
    error = caught.value
    assert (type(error), error.fail_info) == (kind, fail_info)
    assert error.request is not None
    assert error.request.transaction_id == "0123ABCD"
    assert error.request.sender_nonce == (b"" if "senderNonce" in what else forge.NONCE)
    assert (error.request.signer is not None) == signer_known
    assert error.request.digest in DIGESTS
    assert str(error).endswith(".")


def test_the_recipient_with_an_ec_key_is_no_recipient(bench: Bench) -> None:
    """An EC CA behind RSA RAs is an identity of its server, too; whoever names it as recipient gets an answer."""
    rid = forge.issuer_and_serial(bench.pki.ec_ca.certificate)
    body = bench.sealed(rids=[rid])
    with pytest.raises(WrongRecipient):
        open_request(body, [bench.pki.ec_ca, bench.pki.ec_ra], policy())


# --- nothing is told between the encrypted key and a proven request --------------------------------------------------


@pytest.mark.parametrize("kind", [*ENROLMENTS, *QUERIES])
@pytest.mark.parametrize("what", TAMPERED)
def test_one_answer_for_whatever_is_wrong_behind_the_encryption(what: str, kind: MessageType, bench: Bench) -> None:
    """Also where the envelope of another kind of request is sent again under this messageType."""
    with pytest.raises(MessageError) as caught:
        bench.open(bench.sealed(kind=kind, **TAMPERED[what](bench)))
    expected: MessageError = DecryptionFailed() if kind in ENROLMENTS else NotFound()
    assert caught.value.__class__ is expected.__class__
    assert (str(caught.value), caught.value.fail_info) == (str(expected), expected.fail_info)
    assert caught.value.request is not None
    assert caught.value.request.message_type is kind


@pytest.mark.parametrize("kind", QUERIES)
def test_the_envelope_of_a_request_under_another_message_type(kind: MessageType, bench: Bench) -> None:
    """It decrypts, and the answer is the one to what does not decrypt, and to what is not found."""
    with pytest.raises(NotFound):
        bench.open(bench.sealed(kind=kind))


@pytest.mark.parametrize("kind", [*ENROLMENTS, *QUERIES])
def test_what_a_server_does_not_serve_is_refused_before_it_is_decrypted(kind: MessageType, bench: Bench) -> None:
    served = {MessageType.PKCS_REQ, MessageType.GET_CRL}
    answers = set()
    for changes in ({}, {"plain": b"rubbish"}, {"encrypted_key": b"\1" * 256}):
        try:
            open_request(bench.sealed(kind=kind, **changes), [bench.pki.ra_encrypt], policy(), served)
        except MessageError as error:
            answers.add((type(error), str(error)))
    if kind in served:
        assert {one for one, _unused in answers} == {DecryptionFailed if kind in ENROLMENTS else NotFound}
    else:
        assert answers == {(BadRequest, f"The server does not support {kind.name}.")}


def test_no_octet_of_a_ciphertext_tells_how_far_its_decryption_came(bench: Bench, allowed: AlgorithmPolicy) -> None:
    """Whoever changes octets of somebody else's envelope gets the same answer to all but the true one."""
    key, vector = b"k" * 16, b"v" * 16
    ciphertext = forge.encrypt("aes-128-cbc", key, vector, bench.envelope.padding())
    answers = set()
    for at in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[at] ^= 1 << at % 8
        body = bench.sealed(key=key, vector=vector, ciphertext=bytes(changed))
        try:
            found = bench.open(body)
            assert found.csr is not None
            verify_csr(found.csr, allowed)
        except MessageError as error:
            answers.add((error.fail_info, str(error)))
        else:
            pytest.fail(f"octet {at} is protected by nothing")
    assert answers == {(FailInfo.BAD_MESSAGE_CHECK, UNPROVEN)}


# --- switches --------------------------------------------------------------------------------------------------------


def test_the_switches(bench: Bench, legacy: AlgorithmPolicy) -> None:
    des = bench.signed(content=replace(bench.envelope, cipher="des-cbc").build(), digest="md5")
    header = bench.open(des, legacy).header
    assert (header.cipher, header.digest) == ("des-cbc", "md5")
    sha1 = bench.signed(digest="sha1")
    assert bench.open(sha1).header.digest == "sha1"
    with pytest.raises(BadAlgorithm, match="SHA-1"):
        bench.open(sha1, policy(allow_sha1=False))
    small = bench.signed(signer=tiny_signer())
    assert bench.open(small, policy(min_rsa_bits=1024)).header.signer is not None
