"""Key custody: what can sign shows its public side only."""

from __future__ import annotations

import pytest

from federation.signing.keys import KeyRing, key_id, verify_envelope
from federation.signing.signer import SeedSigner, seal
from schemas.signed_envelope import ENTRY_TYPE
from tests.support.signed_nodes import record_of, seeded


def test_a_signer_never_shows_its_secret():
    signer = SeedSigner(b"secret secret secret secret 1234")
    shown = f"{signer!r} {signer}"
    assert "secret" not in shown
    assert b"secret".hex() not in shown
    assert signer.kid in shown


def test_a_signer_names_the_key_that_it_signs_with():
    signer = seeded(1)
    assert signer.kid == key_id("ed25519", signer.public_key)
    assert signer.alg == "ed25519"


def test_signing_is_deterministic():
    assert seeded(1).sign(b"m") == seeded(1).sign(b"m") != seeded(2).sign(b"m")


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_seed_has_thirty_two_bytes(seed):
    with pytest.raises(ValueError, match="32"):
        SeedSigner(seed)


@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3)])
def test_what_is_sealed_verifies(numbers):
    signers = [seeded(number) for number in numbers]
    ring = KeyRing({s.kid: record_of(s, "entry") for s in signers}, frozenset({"ed25519"}))
    envelope = seal(signers, ENTRY_TYPE, b"{}")
    assert [record.kid for record in verify_envelope(envelope, ring, "entry")] == [
        signer.kid for signer in signers
    ]


def test_a_lone_signer_needs_no_sequence():
    assert seal(seeded(1), ENTRY_TYPE, b"{}") == seal([seeded(1)], ENTRY_TYPE, b"{}")
