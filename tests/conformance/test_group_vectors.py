"""The vectors of groups, read by the rules alone (PROTOCOL 2.4, 2.6, 2.10)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.errors import ChainBroken
from federation.feeds.anchors import open_anchor
from federation.feeds.chain import ChainState, Step, advance, decide_next
from federation.feeds.content import read_content
from federation.feeds.entry import OpenedEntry, open_entry
from federation.identity.node_document import PinnedNode, pin_chain
from schemas.errors import TocsinError
from schemas.identifiers import FeedName
from tests.support.group_vectors import FILE, group_vectors

NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_bytes())
    return loaded


@pytest.fixture(scope="module")
def origin(vectors: dict[str, Any]) -> PinnedNode:
    document = vectors["origin"]["node_document"]
    return pin_chain([document], expected=vectors["origin"]["node_id"], allow_demo=False)


def step(state: ChainState, entry: OpenedEntry) -> Step:
    return decide_next(state, entry, now=NOW, known_hash=None, via_relay=False)


def read_chain(state: ChainState, vectors: dict[str, Any], origin: PinnedNode) -> ChainState:
    for vector in vectors["entries"]:
        if vector["seq"] > state.seq:
            entry = open_entry(vector["envelope"], pinned=origin, feed=state.feed)
            assert entry.hash == vector["hash"]
            assert step(state, entry) is Step.NEXT, vector["what"]
            read_content(entry)
            state = advance(state, entry)
    return state


def test_the_committed_vectors_are_what_the_seeds_give(vectors: dict[str, Any]) -> None:
    assert json.loads(json.dumps(group_vectors())) == vectors


def test_a_groups_chain_ends_where_it_is_closed(
    vectors: dict[str, Any], origin: PinnedNode
) -> None:
    feed = FeedName.read(vectors["feed"])
    assert feed.collection_id == vectors["collection_id"]
    state = read_chain(ChainState(feed), vectors, origin)
    assert (state.seq, state.closed) == (len(vectors["entries"]), True)
    late = open_entry(vectors["must_not_follow"]["envelope"], pinned=origin, feed=feed)
    with pytest.raises(ChainBroken) as refused:
        step(state, late)
    assert refused.value.code == vectors["must_not_follow"]["code"]


def test_who_joined_begins_at_the_anchor(vectors: dict[str, Any], origin: PinnedNode) -> None:
    feed = FeedName.read(vectors["feed"])
    anchor = open_anchor(vectors["anchor"]["envelope"], pinned=origin, feed=feed)
    assert (anchor.seq, anchor.hash) == (vectors["anchor"]["seq"], vectors["anchor"]["hash"])
    state = replace(ChainState(feed), seq=anchor.seq, hash=anchor.hash)
    assert read_chain(state, vectors, origin).closed


def test_what_is_no_anchor_is_refused(vectors: dict[str, Any], origin: PinnedNode) -> None:
    feed = FeedName.read(vectors["feed"])
    for vector in vectors["anchors_to_reject"]:
        with pytest.raises(TocsinError) as refused:
            open_anchor(vector["envelope"], pinned=origin, feed=feed)
        assert refused.value.code == vector["code"], vector["what"]
    green = FeedName(feed.node_id, "green")
    with pytest.raises(ChainBroken, match="E_FEED"):
        open_anchor(vectors["anchor"]["envelope"], pinned=origin, feed=green)


@pytest.mark.parametrize("which", ["next_feed", "hidden"])
def test_each_groups_feed_begins_with_its_document(
    vectors: dict[str, Any], origin: PinnedNode, which: str
) -> None:
    feed = FeedName.read(vectors[which]["feed"])
    entry = open_entry(vectors[which]["entries"][0]["envelope"], pinned=origin, feed=feed)
    group = read_content(entry).group
    assert group is not None
    assert group["gid"] == feed.audience
    assert ("members" in group) is (which == "next_feed")
