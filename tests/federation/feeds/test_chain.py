"""PROTOCOL 2.4: where an entry stands in its feed's chain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ChainBroken, EntryDeferred
from federation.feeds.chain import (
    ChainState,
    Standing,
    Step,
    advance,
    decide_next,
    decide_standing,
)
from federation.feeds.entry import OpenedEntry
from federation.identity.node_document import Position, RevokedKey
from schemas.identifiers import EntryHash
from schemas.timestamps import write_wire_time
from tests.federation.feeds.feed_writer import OWNER, FeedWriter, at, feed_of, pin

NOW = at(100)
GROUP = "g-" + "a" * 26


class Receiver:
    """The chain of one feed at one node, and nothing else."""

    def __init__(self, state: ChainState | None = None) -> None:
        self.state = state or ChainState(feed_of())
        self.hashes: dict[int, EntryHash] = {}

    def take(
        self,
        entry: OpenedEntry,
        *,
        now: datetime = NOW,
        via_relay: bool = False,
        pushed: bool = False,
    ) -> Step:
        step = decide_next(
            self.state,
            entry,
            now=now,
            known_hash=self.hashes.get(entry.header.seq),
            via_relay=via_relay,
            pushed=pushed,
        )
        if step is Step.NEXT:
            self.state = advance(self.state, entry)
            self.hashes[entry.header.seq] = entry.hash
        return step

    def refuses(self, entry: OpenedEntry, **how: Any) -> ChainBroken:
        before = self.state
        with pytest.raises(ChainBroken) as caught:
            self.take(entry, **how)
        assert self.state == before
        return caught.value


def test_entries_follow_one_another() -> None:
    writer, receiver = FeedWriter(), Receiver()
    first, second = writer.write(), writer.write()
    assert receiver.take(first) is Step.NEXT
    assert receiver.take(second) is Step.NEXT
    assert receiver.state == ChainState(feed_of(), 2, second.hash, at(2), "community")


def test_t08_a_known_entry_is_passed_silently() -> None:
    writer, receiver = FeedWriter(), Receiver()
    first, second = writer.write(), writer.write()
    receiver.take(first)
    receiver.take(second)
    assert receiver.take(first) is Step.DUPLICATE
    assert receiver.take(second) is Step.DUPLICATE
    assert receiver.state.seq == 2


def test_the_last_entry_is_known_from_the_state_alone() -> None:
    first = FeedWriter().write()
    state = advance(ChainState(feed_of()), first)
    assert decide_next(state, first, now=NOW, known_hash=None, via_relay=False) is Step.DUPLICATE


def test_t10_t14_an_entry_beyond_the_next_is_a_gap() -> None:
    writer, receiver = FeedWriter(), Receiver()
    receiver.take(writer.write())
    writer.write()
    error = receiver.refuses(writer.write())
    assert (error.code, error.params["expected"]) == ("E_GAP", 2)
    far = receiver.refuses(FeedWriter().read(seq=2**53 - 1))
    assert (far.code, far.params["expected"]) == ("E_GAP", 2)


def test_t12_two_entries_of_one_seq_are_a_fork() -> None:
    writer, receiver = FeedWriter(), Receiver()
    receiver.take(writer.write())
    other = FeedWriter().read(reason="another")
    error = receiver.refuses(other)
    assert (error.code, error.params["contradicts"]) == ("E_FORK", 1)
    receiver.take(writer.write())
    assert receiver.refuses(other).code == "E_FORK"


def test_t12_another_prev_is_a_fork_of_the_entry_before() -> None:
    writer, receiver = FeedWriter(), Receiver()
    receiver.take(writer.write())
    error = receiver.refuses(writer.read(prev="1" * 64))
    assert (error.code, error.params["contradicts"]) == ("E_FORK", 1)
    assert Receiver().refuses(FeedWriter().read(prev="1" * 64)).code == "E_FORK"


def test_a_frozen_feed_takes_nothing_and_still_tells_what_it_knows() -> None:
    writer, receiver = FeedWriter(), Receiver()
    first = writer.write()
    receiver.take(first)
    receiver.state = ChainState(feed_of(), 1, first.hash, at(1), "community", frozen=True)
    assert receiver.take(first) is Step.DUPLICATE
    assert receiver.refuses(writer.write()).code == "E_FROZEN"
    assert receiver.refuses(FeedWriter().read(reason="another")).code == "E_FORK"


def test_before_an_anchor_there_is_nothing_of_ours() -> None:
    anchored = Receiver(ChainState(feed_of(), 5, EntryHash("5" * 64)))
    assert anchored.refuses(FeedWriter().read(seq=3)).code == "E_SEQ"
    assert anchored.take(FeedWriter().read(seq=6, prev="5" * 64)) is Step.NEXT


def test_another_feeds_entry_never_enters() -> None:
    entry = FeedWriter(feed_of("clear")).read(policy={"tlp": "clear"})
    assert Receiver().refuses(entry).code == "E_FEED"


def test_time_never_runs_backwards() -> None:
    writer, receiver = FeedWriter(), Receiver()
    receiver.take(writer.write(ts=write_wire_time(at(3))))
    assert receiver.refuses(writer.read(ts=write_wire_time(at(2.9)))).code == "E_SEQ"
    assert receiver.take(writer.read(ts=write_wire_time(at(3)))) is Step.NEXT


def test_t28_an_entry_from_the_future_is_deferred_then_rejected() -> None:
    entry = FeedWriter().read(ts=write_wire_time(NOW))
    receiver = Receiver()
    with pytest.raises(EntryDeferred) as deferred:
        receiver.take(entry, now=NOW - timedelta(minutes=6))
    assert deferred.value.params["due"] == (NOW - timedelta(seconds=300)).isoformat()
    with pytest.raises(EntryDeferred):
        receiver.take(entry, now=NOW - timedelta(hours=24))
    assert receiver.refuses(entry, now=NOW - timedelta(hours=25)).code == "E_FUTURE"
    assert receiver.refuses(entry, now=NOW - timedelta(minutes=6), pushed=True).code == "E_FUTURE"
    assert receiver.take(entry, now=NOW - timedelta(seconds=300)) is Step.NEXT


def test_every_entry_has_the_relay_rule_of_the_first() -> None:
    writer, receiver = FeedWriter(), Receiver()
    receiver.take(writer.write())
    assert receiver.refuses(writer.read(policy={"tlp": "green"})).code == "E_POLICY"


@pytest.mark.parametrize("audience", [GROUP, "d-" + "a" * 26])
def test_groups_and_direct_feeds_are_never_relayed(audience: str) -> None:
    feed = feed_of(audience)
    open_to_relays = FeedWriter(feed).read()
    assert Receiver(ChainState(feed)).refuses(open_to_relays).code == "E_POLICY"
    kept = FeedWriter(feed).read(policy={"tlp": "green", "relay": "none"})
    assert Receiver(ChainState(feed)).refuses(kept, via_relay=True).code == "E_RELAY_FORBIDDEN"
    assert Receiver(ChainState(feed)).take(kept) is Step.NEXT


def test_t24_what_its_origin_keeps_to_itself_no_relay_may_bring() -> None:
    kept = FeedWriter().read(policy={"tlp": "green", "relay": "none"})
    assert Receiver().refuses(kept, via_relay=True).code == "E_RELAY_FORBIDDEN"
    assert Receiver().take(kept) is Step.NEXT
    assert Receiver().take(FeedWriter().read(), via_relay=True) is Step.NEXT


def test_a_wrong_clock_hides_no_other_fault() -> None:
    kept = FeedWriter().read(policy={"tlp": "green", "relay": "none"})
    error = Receiver().refuses(kept, via_relay=True, now=at(-60))
    assert error.code == "E_RELAY_FORBIDDEN"


def test_a_closed_group_takes_nothing_more() -> None:
    policy = {"tlp": "green", "relay": "none"}
    writer, receiver = FeedWriter(feed_of(GROUP)), Receiver(ChainState(feed_of(GROUP)))
    receiver.take(writer.write(kind="retract", ids=[GROUP, "indicator--x"], policy=policy))
    assert not receiver.state.closed
    receiver.take(writer.write(kind="retract", ids=[GROUP], policy=policy))
    assert receiver.state.closed
    assert receiver.refuses(writer.write(policy=policy)).code == "E_FEED"


def test_only_a_group_can_be_closed() -> None:
    receiver = Receiver()
    receiver.take(FeedWriter().read(kind="retract", ids=["green"]))
    assert not receiver.state.closed


def test_a_later_epoch_begins_where_the_owner_says() -> None:
    last_good = FeedWriter().read().hash
    pinned = pin(OWNER.document(epochs=[Position(1, last_good)]))
    feed = feed_of(epoch=2)
    writer = FeedWriter(feed, pinned=pinned)
    assert Receiver(ChainState(feed)).take(writer.read(prev=last_good)) is Step.NEXT
    for prev in ("1" * 64, "0" * 64):
        assert Receiver(ChainState(feed)).refuses(writer.read(prev=prev)).code == "E_FEED"


@given(
    deliveries=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["honest", "fork"])), max_size=40
    )
)
def test_invariant_6_accepted_seqs_have_no_gap_and_one_hash_each(
    deliveries: list[tuple[int, str]],
) -> None:
    branches = {"honest": HONEST, "fork": FORK}
    receiver = Receiver()
    taken: list[OpenedEntry] = []
    for place, branch in deliveries:
        entry = branches[branch][place]
        try:
            step = receiver.take(entry)
        except ChainBroken:
            continue
        if step is Step.NEXT:
            taken.append(entry)
    assert [entry.header.seq for entry in taken] == list(range(1, len(taken) + 1))
    assert [entry.header.prev for entry in taken[1:]] == [entry.hash for entry in taken[:-1]]
    # Two branches part once and never meet again.
    assert [e.hash for e in taken] in (
        [e.hash for e in HONEST[: len(taken)]],
        [e.hash for e in FORK[: len(taken)]],
    )


def _branch(from_seq: int, word: str) -> list[OpenedEntry]:
    writer = FeedWriter()
    return [writer.write(reason=word if seq >= from_seq else "same") for seq in range(1, 7)]


HONEST, FORK = _branch(9, "honest"), _branch(3, "fork")


# --- entries under a revoked key, by position (PROTOCOL 2.3)

KID = OWNER.entry.kid


def _standing(
    seq: int,
    chain: dict[int, str],
    *last_good: tuple[int, str],
    feed_ended: bool = False,
    kid: str = KID,
) -> Standing:
    positions = tuple(Position(place, EntryHash(name * 64)) for place, name in last_good)
    pinned = pin(OWNER.document(revoked=[RevokedKey(KID, "stolen", positions)]))
    return decide_standing(
        type(KID)(kid),
        seq,
        pinned=pinned,
        chain_hash_at=lambda place: EntryHash(chain[place] * 64) if place in chain else None,
        feed_ended=feed_ended,
    )


def test_t15_an_entry_is_good_up_to_the_position_that_the_owner_named() -> None:
    chain = {1: "a", 2: "b", 3: "c"}
    assert _standing(1, chain, (2, "b")) is Standing.GOOD
    assert _standing(2, chain, (2, "b")) is Standing.GOOD
    assert _standing(3, chain, (2, "b")) is Standing.VOID


def test_until_its_position_is_reached_an_entry_is_held_back() -> None:
    assert _standing(1, {1: "a"}, (2, "b")) is Standing.HELD_BACK
    assert _standing(1, {1: "a"}, (2, "b"), feed_ended=True) is Standing.VOID


def test_a_position_of_another_feed_makes_nothing_good() -> None:
    assert _standing(1, {1: "a", 2: "b"}, (2, "f")) is Standing.VOID
    assert _standing(1, {1: "a", 2: "b"}, (2, "f"), (3, "c")) is Standing.HELD_BACK


def test_a_key_that_nobody_revoked_needs_no_position() -> None:
    assert _standing(9, {}, (2, "b"), kid="a" * 26) is Standing.GOOD
