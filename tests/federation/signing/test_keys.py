"""PROTOCOL 2.2: which signatures make an envelope good, and which one makes it bad."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from federation.errors import SignatureRejected
from federation.signing.keys import KeyRecord, KeyRing, check_public_key, key_id, verify_envelope
from federation.signing.signer import seal
from schemas.identifiers import KeyId
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, Signature, SignedEnvelope
from tests.support.signed_nodes import T0, T1, record_of, seeded

ENTRY, SECOND, HTTP, STRANGER = (seeded(number) for number in range(1, 5))
RECORDS = (record_of(ENTRY, "entry"), record_of(SECOND, "entry"), record_of(HTTP, "http"))
ED25519_ONLY = frozenset({"ed25519"})
RING = KeyRing({record.kid: record for record in RECORDS}, ED25519_ONLY)

SMALL_ORDER = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"]
P_AND_MORE = b"\xed" + b"\xff" * 30 + b"\x7f"


def code_of(envelope: SignedEnvelope, ring: KeyRing = RING, use: str = "entry") -> str:
    with pytest.raises(SignatureRejected) as rejected:
        verify_envelope(envelope, ring, use)
    return rejected.value.code


def test_a_good_signature_names_its_key():
    assert verify_envelope(seal(ENTRY, ENTRY_TYPE, b"{}"), RING, "entry") == (RECORDS[0],)


def test_several_good_signatures_name_all_keys():
    envelope = seal((SECOND, ENTRY), ENTRY_TYPE, b"{}")
    assert verify_envelope(envelope, RING, "entry") == (RECORDS[1], RECORDS[0])


def test_an_unknown_key_alone_is_unknown():
    assert code_of(seal(STRANGER, ENTRY_TYPE, b"{}")) == "E_KEY_UNKNOWN"
    assert code_of(seal(ENTRY, ENTRY_TYPE, b"{}"), KeyRing({}, ED25519_ONLY)) == "E_KEY_UNKNOWN"


def test_an_unknown_key_beside_a_good_one_is_ignored():
    envelope = seal((STRANGER, ENTRY), ENTRY_TYPE, b"{}")
    assert verify_envelope(envelope, RING, "entry") == (RECORDS[0],)


def test_a_known_key_of_another_purpose_rejects_even_beside_a_good_one():
    assert code_of(seal(HTTP, ENTRY_TYPE, b"{}")) == "E_KEY_PURPOSE"
    assert code_of(seal((ENTRY, HTTP), ENTRY_TYPE, b"{}")) == "E_KEY_PURPOSE"


def test_one_failing_signature_under_a_known_key_rejects_all():
    good = seal((ENTRY, SECOND), ENTRY_TYPE, b"{}")
    broken = Signature(SECOND.kid, bytes(64))
    assert code_of(replace(good, signatures=(good.signatures[0], broken))) == "E_SIG_BAD"


@pytest.mark.parametrize(
    "change", [{"payload": b"{ }"}, {"payload_type": HEAD_TYPE}], ids=["payload", "type"]
)
def test_the_signature_covers_payload_and_type(change):
    assert code_of(replace(seal(ENTRY, ENTRY_TYPE, b"{}"), **change)) == "E_SIG_BAD"


def test_a_signature_under_a_known_keyid_by_another_key_fails():
    forged = seal(STRANGER, ENTRY_TYPE, b"{}")
    forged = replace(forged, signatures=(Signature(ENTRY.kid, forged.signatures[0].sig),))
    assert code_of(forged) == "E_SIG_BAD"


def test_every_required_algorithm_must_have_signed():
    none_signed = KeyRing(RING.keys, frozenset())
    assert verify_envelope(seal(ENTRY, ENTRY_TYPE, b"{}"), none_signed, "entry")


def test_a_required_algorithm_that_we_cannot_check_is_not_waved_through():
    hybrid = KeyRing(RING.keys, frozenset({"ed25519", "ml-dsa-44"}))
    assert code_of(seal(ENTRY, ENTRY_TYPE, b"{}"), hybrid) == "E_KEY_UNKNOWN"


def test_a_signature_of_an_algorithm_to_come_is_no_signature_yet():
    kid = key_id("ml-dsa-44", b"k" * 1312)
    record = KeyRecord(kid, "ml-dsa-44", b"k" * 1312, "entry", T0, T1)
    ring = KeyRing({kid: record}, frozenset())
    envelope = SignedEnvelope(ENTRY_TYPE, b"{}", (Signature(kid, bytes(64)),))
    assert code_of(envelope, ring) == "E_KEY_UNKNOWN"


def test_the_first_failure_decides():
    bad = replace(
        seal((HTTP, ENTRY), ENTRY_TYPE, b"{}"),
        payload=b"[]",
    )
    assert code_of(bad) == "E_KEY_PURPOSE"


@pytest.mark.parametrize("alg", ["ed25519", "x25519"])
@pytest.mark.parametrize("pub", [*SMALL_ORDER, P_AND_MORE, b"", bytes(31), bytes(33)])
def test_public_keys_that_libsodium_refuses_are_refused(alg, pub):
    with pytest.raises(SignatureRejected) as rejected:
        check_public_key(alg, pub)
    assert rejected.value.code == "E_KEY_UNKNOWN"


def test_honest_public_keys_are_taken():
    check_public_key("ed25519", ENTRY.public_key)
    check_public_key("ml-dsa-44", b"nobody can check this yet")


def test_a_small_order_key_cannot_verify_what_nobody_signed():
    """The all-zero signature holds under the identity point in lax verifiers."""
    pub = SMALL_ORDER[1]
    kid = key_id("ed25519", pub)
    ring = KeyRing({kid: KeyRecord(kid, "ed25519", pub, "entry", T0, T1)}, ED25519_ONLY)
    universal = b"\x01" + bytes(63)
    assert code_of(SignedEnvelope(ENTRY_TYPE, b"x", (Signature(kid, universal),)), ring) == (
        "E_SIG_BAD"
    )


def test_a_key_id_depends_on_the_algorithm_and_the_key():
    ids = {key_id(alg, pub) for alg in ("ed25519", "x25519") for pub in (bytes(32), b"1" * 32)}
    assert len(ids) == 4


def test_a_key_is_valid_from_its_first_to_its_last_instant():
    record = RECORDS[0]
    assert record.is_valid_at(T0)
    assert record.is_valid_at(T1)
    assert not record.is_valid_at(T1.replace(microsecond=1000))


def test_a_keyid_of_no_sound_form_is_merely_unknown():
    envelope = SignedEnvelope(ENTRY_TYPE, b"{}", (Signature(KeyId("../../root"), bytes(64)),))
    assert code_of(envelope) == "E_KEY_UNKNOWN"


def test_base64_of_the_refused_points_is_what_an_attacker_would_send():
    assert base64.b64encode(SMALL_ORDER[1]).decode().startswith("AQAAAA")
