"""A node that nobody can reach publishes through a relay, also after weeks of silence.

A is behind a firewall and pushes to B. C never speaks to A: it pulls A's feeds from B, with B's
relay head under every page (PROTOCOL 2.5, 2.6, 4.7).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.feeds.heads import open_head, open_relay_head
from federation.feeds.writing import policy_members
from hub.exchange.own_feeds import append_entry
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.outbound import open_http, reach
from hub.peers.pull import pull_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.feeds import find_feed
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.nodes import (
    FixedClock,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serving,
)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def nodes(tmp_path: Path, clock: FixedClock):
    a, b, c = (make_node(tmp_path, name, clock) for name in ("alpha", "beta", "gamma"))
    with serving(b):
        pair(b, a, "trusted")
        pair(b, c, "trusted")
        set_peer(a, peer_of(a, b), PeerChanges(push=True))
        yield a, b, c


def work(node: Node) -> None:
    """What the worker does in a minute."""
    for _ in range(3):
        plan_work(node)
        run_due_jobs(node)


def pull(node: Node, other: Node) -> None:
    outcome = pull_peer(node, peer_of(node, other))
    assert outcome.error is None, outcome.error


def beat(node: Node, count: int) -> None:
    """Seal entries without objects."""
    policy = policy_members(Tlp.GREEN, relay="community")
    feed = FeedName(node.node_id, "green")
    with node.database.write() as tx:
        for _ in range(count):
            append_entry(tx, node, feed, kind="noop", policy=policy, now=node.now())


def test_what_a_pushes_c_gets_from_b_with_bs_word_under_it(nodes) -> None:
    a, b, c = nodes
    publish_names(a, ["clear.example"], "clear")
    publish_names(a, ["green.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    work(a)
    assert names_seen(b) == {"clear.example", "green.example", "amber.example"}
    pull(c, b)
    # A is no peer of C, so what it wrote waits for a person there.
    assert names_seen(c, "quarantined") == {"clear.example", "green.example"}
    with open_http(c) as http:
        page = reach(c, peer_of(c, b).base, b.node_id, http).page(FeedName(a.node_id, "green"), 0)
    with c.database.read() as tx:
        relay_head = open_relay_head(page.relay_head, relay=pinned(tx, b.node_id), feed=None)
        head = open_head(page.head, pinned=pinned(tx, a.node_id), feed=None)
    assert (relay_head.relay, relay_head.hash) == (b.node_id, head.hash)


def test_after_weeks_of_silence_all_of_it_arrives(nodes, clock: FixedClock) -> None:
    a, b, c = nodes
    publish_names(a, ["first.example"], "green")
    work(a)
    pull(c, b)
    for week in range(3):
        clock.advance(days=7)
        publish_names(a, [f"week-{week}.example"], "green")
        beat(a, 39)
        pull(c, b)  # A's head at B has long expired; C goes on with what there is
    work(a)
    pull(c, b)
    assert len(names_seen(c, "quarantined")) == 4
    for node in (b, c):
        with node.database.read() as tx:
            held = find_feed(tx, FeedName(a.node_id, "green"))
        assert (held.last_seq, held.head_seq) == (121, 121)
        assert held.head_ts == clock.now()


def test_a_can_also_read_what_b_has_without_being_reached(nodes) -> None:
    a, b, c = nodes
    publish_names(c, ["from-c.example"], "green")
    publish_names(b, ["from-b.example"], "green")
    set_peer(c, peer_of(c, b), PeerChanges(push=True))
    work(c)
    pull(a, b)
    assert names_seen(a) == {"from-b.example"}
    assert names_seen(a, "quarantined") == {"from-c.example"}
