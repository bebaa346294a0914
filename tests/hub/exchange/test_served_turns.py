"""Pages on a thin line out: who is served, who is told to come again."""

from __future__ import annotations

import dataclasses

import pytest

from federation.transport.line import Line
from hub.errors import NotFound, RateLimited
from hub.exchange.own_feeds import append_entry
from hub.exchange.serve_feeds import PageRequest, list_collections_for, read_feed_page
from hub.storage.queries.feeds import find_feed, update_feed
from schemas.identifiers import FeedName
from schemas.strict_json import write_json
from tests.support.nodes import make_node, peer_of, publish_names
from tests.support.publications import Author, indicator, join


@pytest.fixture
def pair(tmp_path):
    """A node with 8 kbit/s out, and its peer; it has a clear and a green feed."""
    a, b = (make_node(tmp_path, name) for name in ("alpha", "beta"))
    join(a, b)
    publish_names(a, ["green.example"], "green")
    now = [0.0]
    thin = dataclasses.replace(a, line=Line(8, clock=lambda: now[0]))
    return thin, b, now


def page(node, peer, audience, after=0):
    feed = FeedName(node.node_id, audience)
    return read_feed_page(node, peer_of(node, peer), feed.collection_id, PageRequest(after, 100))


def urgent(node, urgency, **policy):
    stated = {"tlp": "green", "relay": "community", "urgency": urgency, **policy}
    with node.database.write() as tx:
        feed = FeedName(node.node_id, "green")
        return append_entry(tx, node, feed, kind="noop", policy=stated, now=node.now()).seq


def hints(node, peer):
    listed = list_collections_for(node, peer_of(node, peer))["collections"]
    return {
        collection["x_tocsin_feed"].split("/")[1]: collection.get("x_tocsin_urgency")
        for collection in listed
    }


def test_a_free_line_serves_everybody(pair):
    a, b, _ = pair
    assert page(a, b, "clear").startswith(b"{")


def test_on_a_busy_line_the_narrower_feed_goes_first_and_others_are_told_when(pair):
    a, b, now = pair
    a.line.outbound.spend(4_500)
    page(a, b, "green")
    with pytest.raises(RateLimited) as refused:
        page(a, b, "clear")
    assert (refused.value.code, refused.value.params["retry_after"]) == ("E_QUOTA", 1)
    now[0] = 1.0
    page(a, b, "clear")


def test_what_is_urgent_goes_before_it_as_long_as_it_was_not_read(pair):
    a, b, _ = pair
    seq = urgent(a, "immediate")
    a.line.outbound.spend(50_000)
    page(a, b, "green", after=seq - 1)
    with pytest.raises(RateLimited):
        page(a, b, "green", after=seq)


def test_what_is_not_there_for_a_peer_stays_the_404_on_a_busy_line_too(pair):
    a, b, _ = pair
    a.line.outbound.spend(10**6)
    with pytest.raises(NotFound):
        page(a, b, "d-" + "a" * 26)


def test_a_listing_names_the_last_urgent_entries_and_nothing_where_there_are_none(pair):
    a, b, _ = pair
    assert hints(a, b) == {"clear": None, "green": None}
    first = urgent(a, "immediate")
    second = urgent(a, "priority")
    urgent(a, "routine")
    urgent(a, "immediate", exercise=True)
    assert hints(a, b) == {"clear": None, "green": {"immediate": first, "priority": second}}


def test_a_relay_hints_at_the_urgency_of_what_it_relays(pair):
    a, b, _ = pair
    author = Author(1)
    author.meets(a)
    author.put("green", indicator(), policy={"urgency": "immediate"})
    author.deliver(a, "green")
    with a.database.write() as tx:
        held = find_feed(tx, FeedName(author.node_id, "green"))
        update_feed(tx, held.feed_row, head=write_json(author.head("green")))
    listed = list_collections_for(a, peer_of(a, b))["collections"]
    hint = [c for c in listed if c["x_tocsin_feed"].startswith(author.node_id)]
    assert [c["x_tocsin_urgency"] for c in hint] == [{"immediate": 1}]
