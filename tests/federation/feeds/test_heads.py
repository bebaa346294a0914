"""PROTOCOL 2.5: feed heads, relay heads, and what they reveal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.chain import ChainState, advance
from federation.feeds.entry import OpenedEntry
from federation.feeds.heads import (
    Head,
    RelayHead,
    decide_end,
    decide_relay_page,
    head_payload,
    open_head,
    open_relay_head,
    relay_head_payload,
)
from federation.signing.signer import SeedSigner, seal
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.signed_envelope import HEAD_TYPE, RELAY_HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time
from tests.federation.feeds.feed_writer import OWNER, PINNED, FeedWriter, at, feed_of, pin

HASH = EntryHash("a" * 64)
OTHER = EntryHash("b" * 64)
NOW = at(0)


def head_value(signer: SeedSigner = OWNER.entry, **changes: Any) -> dict[str, object]:
    body = strict_loads(head_payload(feed_of(), 2, HASH, NOW)) | changes
    return seal(signer, HEAD_TYPE, write_json(body)).to_json()


def opened(**changes: Any) -> Head:
    return open_head(head_value(**changes), pinned=PINNED, feed=feed_of())


def test_a_head_reads_back() -> None:
    head = opened()
    assert (head.feed, head.seq, head.hash, head.ts) == (feed_of(), 2, HASH, NOW)
    assert head.expires == NOW + timedelta(hours=48)
    assert head.kid == OWNER.entry.kid
    assert open_head(head_value(), pinned=PINNED, feed=None) == head


def test_t11_a_head_older_than_48_hours_is_stale() -> None:
    head = opened()
    assert not head.is_stale(NOW + timedelta(hours=48))
    assert head.is_stale(NOW + timedelta(hours=49))


def test_a_lower_seq_and_time_replace_nothing() -> None:
    held = opened()
    assert held.is_newer_than(None)
    assert not held.is_newer_than(held)
    assert opened(seq=3).is_newer_than(held)
    assert not opened(seq=1, ts=write_wire_time(at(1))).is_newer_than(held)
    assert opened(ts=write_wire_time(at(1))).is_newer_than(held)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": write_wire_time(NOW + timedelta(hours=48, seconds=1))},
        {"expires": write_wire_time(NOW - timedelta(seconds=1))},
        {"expires": None},
        {"seq": 0},
        {"hash": "x"},
        {"v": 2},
        {"!x": 1},
    ],
    ids=repr,
)
def test_a_malformed_head_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(WireFormatError) as caught:
        opened(**changes)
    assert caught.value.code == "E_SCHEMA"


def test_a_head_of_another_feed_or_node_is_rejected() -> None:
    with pytest.raises(ChainBroken) as caught:
        open_head(head_value(), pinned=PINNED, feed=feed_of("clear"))
    assert caught.value.code == "E_FEED"
    foreign = str(FeedName(NodeId("b" * 52), "green"))
    with pytest.raises(ChainBroken) as caught:
        open_head(head_value(feed=foreign), pinned=PINNED, feed=None)
    assert caught.value.code == "E_FEED"


def test_a_head_is_signed_by_an_entry_key_in_its_time() -> None:
    with pytest.raises(SignatureRejected) as caught:
        open_head(head_value(OWNER.http), pinned=PINNED, feed=None)
    assert caught.value.code == "E_KEY_PURPOSE"
    with pytest.raises(SignatureRejected) as caught:
        open_head(head_value(), pinned=pin(OWNER.document(expires=at(-1))), feed=None)
    assert caught.value.code == "E_NODE_EXPIRED"


# --- relay heads


def relay_head(signer: SeedSigner = OWNER.entry, **changes: Any) -> RelayHead:
    foreign = FeedName(NodeId("b" * 52), "green")
    payload = relay_head_payload(OWNER.node_id, foreign, 5, HASH, NOW)
    body = strict_loads(payload) | changes
    value = seal(signer, RELAY_HEAD_TYPE, write_json(body)).to_json()
    return open_relay_head(value, relay=PINNED, feed=foreign)


def page_refusal(head: RelayHead | None, **changes: Any) -> str:
    page: dict[str, Any] = {
        "last_seq": 5,
        "last_hash": HASH,
        "chain_hash_at": lambda _: None,
        "now": NOW,
    }
    with pytest.raises(ChainBroken) as caught:
        decide_relay_page(head, **(page | changes))
    return caught.value.code


def test_a_relay_head_reads_back() -> None:
    head = relay_head()
    assert (head.relay, head.seq, head.hash, head.ts) == (OWNER.node_id, 5, HASH, NOW)


def test_a_relay_speaks_for_itself_and_for_the_feed_asked_for() -> None:
    with pytest.raises(ChainBroken) as caught:
        relay_head(relay="c" * 52)
    assert caught.value.code == "E_RELAY_FORBIDDEN"
    with pytest.raises(ChainBroken) as caught:
        relay_head(feed=str(feed_of()))
    assert caught.value.code == "E_FEED"
    with pytest.raises(SignatureRejected):
        relay_head(OWNER.http)


def test_a_page_needs_a_relay_head_that_covers_it() -> None:
    def held(place: int) -> EntryHash | None:
        return HASH if place == 5 else None

    page: dict[str, Any] = {"chain_hash_at": held, "now": NOW}
    decide_relay_page(relay_head(), last_seq=5, last_hash=HASH, **page)
    decide_relay_page(relay_head(), last_seq=4, last_hash=OTHER, **page)
    decide_relay_page(relay_head(), last_seq=0, last_hash=EntryHash("0" * 64), **page)


def test_t24_a_page_without_a_good_relay_head_is_refused() -> None:
    late, early = timedelta(hours=48, seconds=1), -timedelta(hours=48, seconds=1)
    assert page_refusal(None) == "E_RELAY_FORBIDDEN"
    assert page_refusal(relay_head(), last_seq=6) == "E_RELAY_FORBIDDEN"
    assert page_refusal(relay_head(), last_hash=OTHER) == "E_RELAY_FORBIDDEN"
    contradicted = page_refusal(relay_head(), last_seq=4, chain_hash_at=lambda _: OTHER)
    assert contradicted == "E_RELAY_FORBIDDEN"
    assert page_refusal(relay_head(), now=NOW + late) == "E_RELAY_FORBIDDEN"
    assert page_refusal(relay_head(), now=NOW + early) == "E_RELAY_FORBIDDEN"


# --- the end of a chain


def _chain(*words: str) -> tuple[ChainState, dict[int, OpenedEntry]]:
    writer, state = FeedWriter(), ChainState(feed_of())
    entries = {}
    for word in words:
        entry = writer.write(reason=word)
        entries[entry.header.seq] = entry
        state = advance(state, entry)
    return state, entries


def _end(state: ChainState, entries: dict[int, OpenedEntry], head: Head) -> str:
    def held(seq: int) -> EntryHash | None:
        return entries[seq].hash if seq in entries else None

    try:
        decide_end(state, head, held)
    except ChainBroken as error:
        return error.code
    return "whole"


def test_t10_an_omission_at_the_end_shows() -> None:
    whole, entries = _chain("a", "b", "c")
    head = opened(seq=3, hash=whole.hash)
    assert _end(whole, entries, head) == "whole"
    short, first_two = _chain("a", "b")
    assert _end(short, first_two, head) == "E_GAP"
    assert _end(whole, entries, opened(seq=2, hash=short.hash)) == "whole"
    assert _end(whole, entries, opened(seq=3)) == "E_FORK"
    assert _end(whole, entries, opened(seq=1)) == "E_FORK"


@given(
    shared=st.integers(0, 3),
    b_length=st.integers(1, 3),
    c_length=st.integers(1, 3),
)
def test_invariant_7_two_nodes_that_hold_a_fork_both_see_it(
    shared: int, b_length: int, c_length: int
) -> None:
    """Each compares the other's head, signed by the origin, with its own chain.

    Heads alone show it to the node whose chain reaches the other's head; the other one asks for
    the entries up to that head and meets the fork at its own next prev.
    """
    same = ["same"] * shared
    b_state, b_entries = _chain(*same, *["b"] * b_length)
    c_state, c_entries = _chain(*same, *["c"] * c_length)
    b_head = opened(seq=b_state.seq, hash=b_state.hash)
    c_head = opened(seq=c_state.seq, hash=c_state.hash)
    seen_by_b = _end(b_state, b_entries, c_head)
    seen_by_c = _end(c_state, c_entries, b_head)
    assert "E_FORK" in {seen_by_b, seen_by_c}
    assert "whole" not in {seen_by_b, seen_by_c}
