"""PROTOCOL 2.5: a relay's own signature under what it must not serve."""

from __future__ import annotations

from typing import Any

import pytest

from federation.errors import SignatureRejected
from federation.feeds.heads import open_relay_head, relay_head_payload
from federation.feeds.relay_proofs import (
    build_relay_proof,
    read_relay_proof,
    relay_stated,
)
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import RELAY_HEAD_TYPE, SignedEnvelope
from tests.federation.feeds.feed_writer import OWNER, PINNED, FeedWriter, at, feed_of, pin
from tests.support.signed_nodes import Owner

RELAY_OWNER = Owner(40)
RELAY = pin(RELAY_OWNER.document())
KEPT = {"policy": {"tlp": "green", "relay": "none"}}
GROUP = FeedName(OWNER.node_id, "g-" + "a" * 26)
ENTRY = FeedWriter().write(**KEPT)


def confession(
    feed: FeedName, seq: int, entry_hash: str, signer: SeedSigner = RELAY_OWNER.entry
) -> SignedEnvelope:
    payload = relay_head_payload(RELAY_OWNER.node_id, feed, seq, EntryHash(entry_hash), at(30))
    return seal(signer, RELAY_HEAD_TYPE, payload)


def proof_of(head: SignedEnvelope, entry: SignedEnvelope | None = None) -> dict[str, Any]:
    members: dict[str, Any] = {"type": "relay", "relayhead": head.to_json()}
    return members if entry is None else members | {"entry": entry.to_json()}


def because(value: object) -> object:
    with pytest.raises(SignatureRejected) as caught:
        read_relay_proof(value, relay=RELAY, origin=PINNED)
    assert caught.value.code == "E_PROOF"
    return caught.value.params["because"]


def test_t24_the_relay_head_and_the_entry_that_it_names_are_the_proof() -> None:
    value = proof_of(confession(feed_of(), 1, ENTRY.hash), ENTRY.envelope)
    proof = read_relay_proof(value, relay=RELAY, origin=PINNED)
    assert (proof.relay, proof.feed) == (RELAY_OWNER.node_id, feed_of())
    assert proof.to_json() == value
    assert relay_stated(value) == (proof.relay, proof.feed)


def test_t24_of_a_group_the_relay_head_alone_is_the_proof() -> None:
    value = proof_of(confession(GROUP, 9, "c" * 64))
    proof = read_relay_proof(value, relay=RELAY, origin=PINNED)
    assert proof.entry is None
    assert proof.to_json() == value


def test_one_breach_is_one_proof_however_far_it_went() -> None:
    a = read_relay_proof(proof_of(confession(GROUP, 9, "c" * 64)), relay=RELAY, origin=PINNED)
    b = read_relay_proof(proof_of(confession(GROUP, 10, "d" * 64)), relay=RELAY, origin=PINNED)
    assert a.digest == b.digest


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "E_SCHEMA"),
        ({"type": "relay"}, "E_TYPE"),
        (proof_of(confession(feed_of(), 1, ENTRY.hash)), "E_TYPE"),
        (proof_of(confession(feed_of(), 1, "e" * 64), ENTRY.envelope), "E_SCHEMA"),
        (proof_of(confession(feed_of(), 2, ENTRY.hash), ENTRY.envelope), "E_SCHEMA"),
        (proof_of(confession(feed_of(), 1, ENTRY.hash, OWNER.entry), ENTRY.envelope),
         "E_KEY_UNKNOWN"),
        (proof_of(confession(feed_of(), 1, ENTRY.hash, RELAY_OWNER.http), ENTRY.envelope),
         "E_KEY_PURPOSE"),
    ],
    ids=["nothing", "no relay head", "no entry", "another hash", "another seq", "not by the relay",
         "not by its entry key"],
)  # fmt: skip
def test_what_proves_nothing_is_refused(value: object, code: str) -> None:
    assert because(value) == code


def test_what_its_origin_lets_pass_is_no_breach() -> None:
    allowed = FeedWriter().read(reason="x")
    value = proof_of(confession(feed_of(), 1, allowed.hash), allowed.envelope)
    assert because(value) == "E_SCHEMA"


def test_an_origin_is_no_relay_of_its_own_feed() -> None:
    payload = relay_head_payload(OWNER.node_id, GROUP, 1, EntryHash("c" * 64), at(30))
    own = seal(OWNER.entry, RELAY_HEAD_TYPE, payload)
    head = open_relay_head(own.to_json(), relay=PINNED, feed=None)
    assert build_relay_proof(head, None) is None


def test_another_origins_feed_is_not_this_origins_matter() -> None:
    foreign = FeedName(RELAY_OWNER.node_id, "g-" + "b" * 26)
    payload = relay_head_payload(OWNER.node_id, foreign, 1, EntryHash("c" * 64), at(30))
    value = proof_of(seal(OWNER.entry, RELAY_HEAD_TYPE, payload))
    with pytest.raises(SignatureRejected) as caught:
        read_relay_proof(value, relay=PINNED, origin=PINNED)
    assert caught.value.params["because"] == "E_FEED"
