"""In which order a pull reads, and what it says feed by feed."""

from __future__ import annotations

import pytest

from federation.errors import PeerState
from hub.peers.pull import pull_through
from schemas.identifiers import FeedName
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author


class Listing:
    """A source that lists feeds and has no page of any."""

    def __init__(self, hints):
        self.hints = hints
        self.asked = []

    def collections(self):
        return [
            {"id": feed.collection_id, "can_read": True, "x_tocsin_feed": str(feed)}
            | ({"x_tocsin_urgency": hint} if hint is not None else {})
            for feed, hint in self.hints.items()
        ]

    def heads(self, _feed=None):
        return []

    def node_documents_chain(self, _node_id=None, **_limits):
        raise PeerState("E_NOT_FOUND")

    def page(self, feed, _after_seq, _limit=100):
        self.asked.append(feed)
        raise PeerState("E_NOT_FOUND")


@pytest.fixture
def known(tmp_path):
    """A node, the peer that it reads from, and two origins that the peer relays."""
    node = make_node(tmp_path, "reader")
    sender, one, other = (Author(number) for number in (1, 2, 3))
    sender.meets(node)
    for origin in (one, other):
        origin.is_known_to(node)
    return node, sender, one, other


@pytest.mark.parametrize("urgent", [0, 1])
def test_the_origin_with_something_urgent_that_is_not_held_is_read_first(known, urgent):
    node, sender, *origins = known
    feeds = [FeedName(origin.node_id, "green") for origin in origins]
    source = Listing({feeds[urgent]: {"immediate": 4}, feeds[1 - urgent]: "nonsense"})
    pull_through(node, peer_of(node, sender.node_id), source)
    assert source.asked[0] == feeds[urgent]
    assert {feed.node_id for feed in source.asked[1:4]} == {sender.node_id}


def test_each_feed_has_its_own_outcome(known):
    node, sender, one, _ = known
    green = FeedName(one.node_id, "green")
    done = pull_through(node, peer_of(node, sender.node_id), Listing({green: None}))
    # What is looked for unlisted and not there is no outcome; what was listed and is not, is one.
    assert {feed: pulled.error.code for feed, pulled in done.feeds.items()} == {
        green: "E_NOT_FOUND"
    }
