"""Heads go round: both sides compare what they hold, and nothing goes round for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from federation.errors import PeerUnreachable
from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from federation.transport.peer_answers import FeedPage
from hub.peers.gossip import (
    MOST_STATED,
    Gossiped,
    compare_heads,
    gossip_with,
    plan_evidence,
)
from hub.peers.pull import pull_peer
from hub.peers.pull_feed import FeedPull
from hub.peers.stated_heads import find_good_head, keep_head
from hub.peers.suspend import resume_peer, suspend_peer
from hub.peers.wake import accept_wake
from hub.storage.queries.evidence import evidence_untold, find_evidence, store_evidence
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.stated_heads import heads_stated_by, heads_told_to
from hub.storage.tables.evidence import STATED_HEADS
from hub.storage.tables.operations import JOBS
from schemas.identifiers import EntryHash, FeedName, direct_audience
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.grouped_nodes import group_of, join_group, open_group, publish_to_group
from tests.support.nodes import (
    FixedClock,
    make_node,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.publications import Author, indicator, join


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A relay and a reader, both served; each test has an origin of its own."""
    folder = tmp_path_factory.mktemp("gossip")
    relay, reader = (make_node(folder, name, FixedClock()) for name in ("relay", "reader"))
    with serving(relay, reader):
        pair(relay, reader, "trusted")
        for one, other in ((relay, reader), (reader, relay)):
            assert pull_peer(one, peer_of(one, other)).error is None
        yield relay, reader
    for node in (relay, reader):
        node.database.close()


@pytest.fixture
def relay(nodes):
    forget_jobs(*nodes)
    return nodes[0]


@pytest.fixture
def reader(nodes):
    return nodes[1]


def planned(node, kind):
    """The jobs of a kind: who, and how long from now."""
    with node.database.read() as tx:
        rows = tx.connection.execute(
            sa.select(JOBS.c.subject, JOBS.c.next_attempt_at).where(JOBS.c.kind == kind)
        )
        return {row.subject: row.next_attempt_at - node.now() for row in rows}


def forget_jobs(*nodes):
    for node in nodes:
        with node.database.write() as tx:
            tx.connection.execute(JOBS.delete())


def stated(node, peer):
    with node.database.read() as tx:
        return {feed: row.seq for feed, row in heads_stated_by(tx, peer.node_id).items()}


def told(node, peer):
    with node.database.read() as tx:
        return set(heads_told_to(tx, peer.node_id))


def gossip(one, other):
    return gossip_with(one, peer_of(one, other))


def held(node, author, audience="clear"):
    """Let a node hold an author's feed with its head; return the feed's name."""
    author.put(audience, indicator(len(author.feed(audience).entries) + 1))
    assert author.deliver(node, audience).error is None
    with node.database.write() as tx:
        keep_head(tx, find_good_head(tx, author.head(audience)))
    return str(author.feed(audience).name)


class Pages:
    """An origin that serves its clear feed from memory."""

    def __init__(self, author):
        self.author = author

    def page(self, feed, after_seq, limit=100):
        entries = self.author.feed(feed.audience).entries[after_seq : after_seq + limit]
        return FeedPage(False, None, entries, self.author.head(feed.audience), None, None)


def test_a_relay_tells_its_readers_and_its_sender_of_what_it_took(relay, reader):
    author = Author(1)
    sender = author.meets(relay)
    author.put("clear", indicator(1))
    pull = FeedPull(relay, sender, Pages(author), lambda: False)
    assert pull.run(author.feed("clear").name, None).entries == 1
    waits = planned(relay, "gossip")
    assert {author.node_id, reader.node_id} <= set(waits)
    # Who waits for it hears at once; who gave it knows.
    assert waits[reader.node_id] < timedelta(seconds=1) < waits[author.node_id]


def test_a_head_of_a_relayed_feed_makes_its_reader_pull_from_the_relay(relay, reader):
    author = Author(2)
    author.meets(relay)
    author.is_known_to(reader)
    feed = held(relay, author)
    gossip(relay, reader)
    assert stated(reader, relay)[feed] == 1
    assert set(planned(reader, "pull")) == {relay.node_id}


def test_an_origin_learns_how_far_its_peer_holds_its_feeds(relay, reader):
    publish_names(reader, ["news.example"], "green")
    forget_jobs(reader)
    assert pull_peer(relay, peer_of(relay, reader)).entries >= 1
    gossip(relay, reader)
    assert stated(reader, relay)[f"{reader.node_id}/green/1"] == 1
    # There is nothing to fetch from whoever holds what we wrote.
    assert planned(reader, "pull") == {}


def test_a_pull_shows_both_what_the_sender_has_and_what_it_has_of_ours(relay, reader):
    assert pull_peer(relay, peer_of(relay, reader)).error is None
    found = stated(relay, reader)
    assert found[f"{reader.node_id}/clear/1"] >= 1
    assert found[f"{relay.node_id}/clear/1"] >= 1


def test_a_head_is_told_once_and_again_when_it_has_grown(relay, reader):
    author = Author(3)
    author.meets(relay)
    feed = held(relay, author)
    gossip(relay, reader)
    assert feed in told(relay, reader)
    assert gossip(relay, reader).heads == 0
    held(relay, author)
    assert gossip(relay, reader).heads == 1


def test_nobody_is_told_what_it_stated_itself(relay, reader):
    """Else two peers that both hold a feed would tell each other for ever."""
    author = Author(4)
    author.meets(relay)
    feed = held(relay, author)
    compare_heads(relay, peer_of(relay, reader), [author.head("clear")])
    gossip(relay, reader)
    assert feed not in told(relay, reader)


def test_a_direct_feed_is_nobodys_gossip_and_an_own_one_the_wake_ups(relay, reader):
    author = Author(5)
    author.meets(relay)
    direct = held(relay, author, direct_audience(relay.node_id))
    publish_names(relay, ["own.example"], "clear")
    gossip(relay, reader)
    assert direct not in told(relay, reader)
    assert f"{relay.node_id}/clear/1" not in told(relay, reader)


def test_a_suspended_peer_is_told_nothing(relay, reader):
    author = Author(6)
    author.meets(relay)
    feed = held(relay, author)
    suspend_peer(relay, peer_of(relay, reader))
    assert gossip(relay, reader).heads == 0
    resume_peer(relay, peer_of(relay, reader))
    assert feed not in told(relay, reader)


def test_a_head_of_an_origin_that_is_suspended_here_causes_no_pull(relay, reader):
    author = Author(7)
    author.meets(relay)
    suspend_peer(reader, author.meets(reader))
    held(relay, author)
    gossip(relay, reader)
    assert planned(reader, "pull") == {}


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock)
    yield made
    made.database.close()


def head(author, feed, seq, digit="a", at=None):
    payload = head_payload(feed, seq, EntryHash(digit * 64), at or author.at)
    return seal(author.owner.entry, HEAD_TYPE, payload)


def test_bad_heads_in_a_pull_are_passed_over(node):
    author, stranger = Author(1), Author(2)
    row = author.meets(node)
    feed = FeedName(author.node_id, "clear")
    forged = seal(
        stranger.owner.entry, HEAD_TYPE, head_payload(feed, 3, EntryHash("a" * 64), author.at)
    )
    bad = [None, 1, [], {}, {"payloadType": HEAD_TYPE}, forged.to_json()]
    compare_heads(node, row, bad)
    assert stated(node, author) == {}
    compare_heads(node, row, [*bad, head(author, feed, 3).to_json()])
    assert stated(node, author) == {str(feed): 3}


def test_a_lower_head_takes_nothing_back(node):
    author = Author(1)
    row = author.meets(node)
    feed = FeedName(author.node_id, "clear")
    compare_heads(node, row, [head(author, feed, 9).to_json()])
    compare_heads(node, row, [head(author, feed, 8, "b").to_json()])
    assert stated(node, author) == {str(feed): 9}


def test_how_long_we_have_been_behind_is_not_forgotten_by_newer_heads(node, clock):
    author = Author(1)
    row = author.meets(node)
    feed = FeedName(author.node_id, "clear")
    began = node.now()
    for seq in (3, 4, 5):
        compare_heads(node, row, [head(author, feed, seq, at=clock.advance(minutes=30)).to_json()])
    with node.database.read() as tx:
        kept = heads_stated_by(tx, author.node_id)[str(feed)]
    assert (kept.seq, kept.stated_at) == (5, began + timedelta(minutes=30))


def test_t36_of_one_peers_word_only_so_much_is_kept(node):
    author = Author(1)
    row = author.meets(node)
    made = {
        "node_id": author.node_id, "seq": 1, "hash": "a" * 64, "ts": author.at,
        "expires": author.at, "dsse": b"{}", "stated_at": author.at,
    }  # fmt: skip
    rows = [
        made | {"feed": f"{author.node_id}/clear/{number + 2}"} for number in range(MOST_STATED)
    ]
    with node.database.write() as tx:
        tx.connection.execute(STATED_HEADS.insert(), rows)
    known, new = FeedName(author.node_id, "clear", 2), FeedName(author.node_id, "clear", 9_999)
    compare_heads(node, row, [head(author, feed, 7).to_json() for feed in (known, new)])
    found = stated(node, author)
    assert len(found) == MOST_STATED
    assert found[str(known)] == 7


def test_t12_two_nodes_that_hold_a_fork_see_it_when_they_compare(node):
    """By a wake-up as well as by a pull: a fork is never ignored."""
    author = Author(1)
    other = Author(3).meets(node)
    author.meets(node)
    author.put("clear", indicator(1))
    author.deliver(node, "clear")
    with node.database.write() as tx:
        good = find_good_head(tx, author.head("clear"))
        keep_head(tx, good)
    feed = author.feed("clear").name
    accept_wake(node, other, write_json({"heads": [head(author, feed, 1, "f").to_json()]}))
    with node.database.read() as tx:
        assert find_feed(tx, feed).state == "frozen"
        assert strict_loads(find_feed(tx, feed).head) == author.head("clear")


def test_t12_who_joined_a_group_later_gets_no_earlier_entry_as_evidence(tmp_path, clock):
    """Of an own forked feed a proof may hold an entry; with heads alone anybody in it is told."""
    a, b, c = (make_node(tmp_path, name, clock) for name in ("origin", "early", "late"))
    for other in (b, c):
        join(a, other)
    group_of(a, b, history="join")
    publish_to_group(a, ["before.example"])
    feed = open_group(a).feed
    join_group(a, c)
    earlier = head_payload(feed.name, feed.last_seq, EntryHash("d" * 64), a.now())
    forged = seal(a.keys.entry, HEAD_TYPE, earlier).to_json()
    accept_wake(a, peer_of(a, b), write_json({"heads": [forged]}))
    with a.database.read() as tx:
        (row,) = evidence_untold(tx, c.node_id)
        assert ENTRY_TYPE.encode() in find_evidence(tx, row.evidence_id).body
    assert row.seq == feed.last_seq
    assert gossip_with(a, peer_of(a, c)) == Gossiped()
    with pytest.raises(PeerUnreachable):  # it would be told, if it were there
        gossip_with(a, peer_of(a, b))
    for node in (a, b, c):
        node.database.close()


def test_t36_what_does_not_concern_a_peer_is_not_read_for_it(node):
    """Proofs are large, and those about others' feeds wait for ever: every pull would read all."""
    peer = Author(1).meets(node)
    other = Author(2)
    other.is_known_to(node)
    with node.database.write() as tx:
        for number in range(3):
            store_evidence(
                tx, digest=f"{number}", kind="fork", accused=other.node_id,
                feed=str(FeedName(other.node_id, "green", number + 1)), seq=1, body=b"{}",
                sender=None, at=node.now(),
            )  # fmt: skip
    seen = []

    def note(_conn, _cursor, statement, *_rest):
        seen.append(statement)

    sa.event.listen(node.database.engine, "before_cursor_execute", note)
    try:
        with node.database.write() as tx:
            plan_evidence(tx, node, peer)
        assert gossip_with(node, peer) == Gossiped()
    finally:
        sa.event.remove(node.database.engine, "before_cursor_execute", note)
    assert [text for text in seen if "evidence.kind" in text]
    assert not [text for text in seen if "evidence.body" in text]
