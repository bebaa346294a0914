"""PROTOCOL 2.5: what is a fork proof, and what never is one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import SignatureRejected
from federation.feeds.entry import OpenedEntry
from federation.feeds.forks import (
    ForkProof,
    Statement,
    build_fork_proof,
    feed_stated,
    read_fork_proof,
    read_statement,
)
from federation.feeds.heads import head_payload
from federation.identity.node_document import PinnedNode, Position, RevokedKey
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE, SignedEnvelope
from tests.federation.feeds.feed_writer import OWNER, PINNED, FeedWriter, at, feed_of, pin
from tests.support.signed_nodes import Owner, record_of, seeded

OTHER = EntryHash("b" * 64)


def chain(*reasons: str, writer: FeedWriter | None = None) -> list[OpenedEntry]:
    writer = writer or FeedWriter()
    return [writer.write(reason=reason) for reason in reasons]


def head_of(entry: OpenedEntry, signer: SeedSigner = OWNER.entry, **changes: Any) -> SignedEnvelope:
    stated: dict[str, Any] = {
        "feed": entry.header.feed,
        "seq": entry.header.seq,
        "entry_hash": entry.hash,
        "ts": at(30),
    }
    return seal(signer, HEAD_TYPE, head_payload(**(stated | changes)))


def proof_of(a: SignedEnvelope, b: SignedEnvelope) -> dict[str, Any]:
    return {"type": "fork", "a": a.to_json(), "b": b.to_json()}


def because(value: object, pinned: PinnedNode = PINNED) -> object:
    with pytest.raises(SignatureRejected) as caught:
        read_fork_proof(value, pinned)
    assert caught.value.code == "E_PROOF"
    return caught.value.params["because"]


def stated(*envelopes: SignedEnvelope, pinned: PinnedNode = PINNED) -> list[Statement]:
    return [
        read_statement(envelope.to_json(), pinned=pinned, feed=feed_of()) for envelope in envelopes
    ]


def revoking(*last_good: Position) -> PinnedNode:
    """The owner's documents after the entry key was stolen."""
    first = OWNER.document()
    new_key = record_of(seeded(60), "entry")
    second = OWNER.after(
        first,
        keys=[record_of(OWNER.entry, "entry"), new_key],
        revoked=[RevokedKey(OWNER.entry.kid, "compromise", last_good)],
    )
    return pin(first, second)


ONE, TWO, THREE = chain("one", "two", "three")
OTHER_TWO, OTHER_THREE = chain("one", "other two", "other three")[1:]


@pytest.mark.parametrize(
    ("a", "b", "seq"),
    [
        (TWO.envelope, OTHER_TWO.envelope, 2),
        (THREE.envelope, OTHER_TWO.envelope, 2),
        (THREE.envelope, OTHER_THREE.envelope, 2),
        (head_of(TWO), OTHER_TWO.envelope, 2),
        (head_of(TWO), OTHER_THREE.envelope, 2),
        (head_of(TWO), head_of(OTHER_TWO), 2),
        (head_of(THREE), head_of(OTHER_THREE), 3),
    ],
    ids=["entries", "by its prev", "both prevs", "head", "head and prev", "heads", "heads later"],
)
def test_t12_two_statements_of_one_seq_are_a_proof_for_anybody(
    a: SignedEnvelope, b: SignedEnvelope, seq: int
) -> None:
    for value in (proof_of(a, b), proof_of(b, a)):
        proof = read_fork_proof(value, PINNED)
        assert (proof.feed, proof.seq) == (feed_of(), seq)
        assert proof.to_json() == value


def test_a_proof_is_known_by_what_it_shows() -> None:
    by_entries = read_fork_proof(proof_of(TWO.envelope, OTHER_TWO.envelope), PINNED)
    by_heads = read_fork_proof(proof_of(head_of(OTHER_TWO), head_of(TWO)), PINNED)
    later = read_fork_proof(proof_of(head_of(THREE), head_of(OTHER_THREE)), PINNED)
    assert by_entries.digest == by_heads.digest != later.digest


def test_a_proof_is_built_from_heads_where_heads_suffice() -> None:
    ours = stated(TWO.envelope, THREE.envelope, head_of(TWO))
    theirs = stated(OTHER_THREE.envelope, head_of(OTHER_TWO))
    proof = build_fork_proof(ours, theirs, pinned=PINNED)
    assert proof is not None
    assert (proof.a.is_head, proof.b.is_head) == (True, True)
    assert read_fork_proof(proof.to_json(), PINNED) == proof


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "E_SCHEMA"),
        ({}, "E_TYPE"),
        ({"type": "relay"}, "E_TYPE"),
        ({"type": "fork"}, "E_FEED"),
        (proof_of(ONE.envelope, TWO.envelope), "E_SCHEMA"),
        (proof_of(TWO.envelope, TWO.envelope), "E_SCHEMA"),
        (proof_of(head_of(TWO), THREE.envelope), "E_SCHEMA"),
        (proof_of(TWO.envelope, OTHER_TWO.envelope) | {"b": None}, "E_FEED"),
        (proof_of(TWO.envelope, head_of(OTHER_TWO, OWNER.http)), "E_KEY_PURPOSE"),
        (proof_of(TWO.envelope, head_of(OTHER_TWO, seeded(90))), "E_KEY_UNKNOWN"),
    ],
    ids=[
        "nothing", "empty", "another kind", "no statements", "one follows the other",
        "one statement twice", "a head and what follows it", "one alone", "an http key",
        "a key of nobody",
    ],
)  # fmt: skip
def test_what_proves_nothing_is_refused(value: object, code: str) -> None:
    assert because(value) == code


def test_a_liar_makes_no_proof_against_somebody_else() -> None:
    """Neither with its own keys under the other's name, nor with what the other did not sign."""
    liar = Owner(70)
    forged = head_of(OTHER_TWO, liar.entry)
    assert because(proof_of(TWO.envelope, forged)) == "E_KEY_UNKNOWN"
    assert because(proof_of(TWO.envelope, forged), pin(liar.document())) == "E_FEED"
    altered = SignedEnvelope(
        TWO.envelope.payload_type,
        TWO.envelope.payload.replace(b'"two"', b'"tow"'),
        TWO.envelope.signatures,
    )
    assert because(proof_of(TWO.envelope, altered)) == "E_SIG_BAD"


def test_two_feeds_are_no_fork() -> None:
    green = FeedWriter().write(reason="a")
    clear = FeedWriter(feed_of("clear")).write(reason="b")
    assert because(proof_of(green.envelope, clear.envelope)) == "E_FEED"


def test_the_first_entry_says_nothing_of_what_was_before() -> None:
    """Its ``prev`` is of the epoch before, so two first entries meet at seq 1 alone."""
    a, b = FeedWriter().read(reason="a"), FeedWriter().read(reason="b", prev="f" * 64)
    assert read_fork_proof(proof_of(a.envelope, b.envelope), PINNED).seq == 1
    (only,) = stated(a.envelope)
    assert dict(only.hashes) == {1: a.hash}


def test_t15_what_a_thief_signed_after_the_last_good_entry_is_void_and_no_fork() -> None:
    """The owner's chain went to 2; the thief goes on from 1 and from 2."""
    pinned = revoking(Position(2, TWO.hash))
    for forged in (OTHER_TWO.envelope, OTHER_THREE.envelope, head_of(OTHER_TWO)):
        assert because(proof_of(TWO.envelope, forged), pinned) == "E_KEY_REVOKED"
    after = head_of(THREE, entry_hash=OTHER)
    assert because(proof_of(THREE.envelope, after), pinned) == "E_KEY_REVOKED"


def test_t15_a_lower_seq_makes_a_thief_no_owner() -> None:
    """Forged 400 of THREATS 15: before the last good seq, and on no chain that leads there."""
    pinned = revoking(Position(3, THREE.hash))
    held = {1: ONE.hash, 2: TWO.hash, 3: THREE.hash}
    with pytest.raises(SignatureRejected) as caught:
        read_fork_proof(proof_of(TWO.envelope, OTHER_TWO.envelope), pinned, chain_hash_at=held.get)
    assert caught.value.params["because"] == "E_KEY_REVOKED"


def test_a_new_key_that_contradicts_what_the_owner_calls_good_is_a_fork() -> None:
    """Whoever holds the chain knows that 2 is good, and so does whoever reads its position."""
    pinned = revoking(Position(2, TWO.hash))
    other = head_of(OTHER_TWO, seeded(60))
    assert read_fork_proof(proof_of(TWO.envelope, other), pinned).seq == 2
    longer = revoking(Position(3, THREE.hash))
    held = {1: ONE.hash, 2: TWO.hash, 3: THREE.hash}
    assert because(proof_of(TWO.envelope, other), longer) == "E_KEY_REVOKED"
    proof = read_fork_proof(proof_of(TWO.envelope, other), longer, chain_hash_at=held.get)
    assert proof.seq == 2


def test_what_was_signed_outside_a_keys_time_proves_nothing() -> None:
    ended = pin(OWNER.document(expires=at(10)))
    assert because(proof_of(TWO.envelope, head_of(OTHER_TWO)), ended) == "E_NODE_EXPIRED"


def test_the_feed_is_found_without_a_key() -> None:
    assert feed_stated(TWO.envelope.to_json()) == feed_of()
    assert feed_stated(head_of(TWO).to_json()) == feed_of()
    assert feed_stated(TWO.envelope.to_json(), (HEAD_TYPE,)) is None
    assert feed_stated([]) is None


@st.composite
def honest(draw: st.DrawFn) -> tuple[SignedEnvelope, SignedEnvelope]:
    """Two statements of one honest chain: entries, or heads of any of its states."""
    entries = chain(*draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=4)))
    envelopes = [entry.envelope for entry in entries]
    envelopes += [head_of(entry, ts=at(draw(st.integers(0, 40)))) for entry in entries]
    return draw(st.sampled_from(envelopes)), draw(st.sampled_from(envelopes))


@given(honest())
def test_a_pair_of_honest_statements_is_never_a_proof(
    pair: tuple[SignedEnvelope, SignedEnvelope],
) -> None:
    a, b = pair
    assert build_fork_proof(stated(a), stated(b), pinned=PINNED) is None
    assert because(proof_of(a, b)) == "E_SCHEMA"


@given(shared=st.integers(0, 2), a=st.integers(1, 2), b=st.integers(1, 2))
def test_two_branches_are_always_provable_from_their_entries(shared: int, a: int, b: int) -> None:
    same = ["same"] * shared
    ours = stated(*(entry.envelope for entry in chain(*same, *["a"] * a)))
    theirs = stated(*(entry.envelope for entry in chain(*same, *["b"] * b)))
    proof = build_fork_proof(ours, theirs, pinned=PINNED)
    assert isinstance(proof, ForkProof)
    assert proof.seq == shared + 1


def test_an_epoch_begins_anew() -> None:
    """The owner's next entry after a theft is in the next epoch, so it is no fork (2.3)."""
    pinned = revoking(Position(2, TWO.hash))
    second = FeedName(OWNER.node_id, "green", 2)
    writer = FeedWriter(second, seeded(60), pinned, prev=TWO.hash)
    first_of_two = writer.write(reason="new epoch", prev=TWO.hash)
    assert first_of_two.continues_epoch
    assert because(proof_of(THREE.envelope, first_of_two.envelope), pinned) == "E_FEED"
