"""Pulling: own feeds of the peer, those that it relays, and what stops what (PROTOCOL 2.6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from federation.errors import PeerState
from federation.feeds.heads import head_payload
from federation.feeds.writing import policy_members
from federation.signing.signer import seal
from hub.exchange.own_feeds import append_entry
from hub.peers.known_nodes import find_pinned
from hub.peers.outbound import open_http, reach
from hub.peers.pull import pull_peer
from hub.peers.pull_feed import FeedPull
from hub.peers.suspend import resume_peer, suspend_peer
from hub.storage.queries.feeds import find_feed, list_feeds, update_feed
from hub.storage.queries.peers import find_peer
from hub.storage.tables.feeds import ENTRIES, FEEDS
from schemas.identifiers import EntryHash, FeedName, direct_audience
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serve_in_thread,
    serving,
)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    return make_node(tmp_path, "alpha", clock)


@pytest.fixture
def b(tmp_path, clock):
    return make_node(tmp_path, "beta", clock)


@pytest.fixture
def c(tmp_path, clock):
    return make_node(tmp_path, "gamma", clock)


def pull(node, other):
    return pull_peer(node, peer_of(node, other))


def feed_held(node, feed):
    with node.database.read() as tx:
        return find_feed(tx, feed)


def append_noops(node, audience, count, *, at=None):
    with node.database.write() as tx:
        for _ in range(count):
            append_entry(
                tx, node, FeedName(node.node_id, audience), kind="noop",
                policy=policy_members(Tlp.CLEAR, relay="public"), now=at or node.now(),
            )  # fmt: skip


def test_a_peer_gets_what_its_trust_and_its_name_give(a, b, c):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        pair(a, c, "trusted")
        publish_names(a, ["clear.example"], "clear")
        publish_names(a, ["green.example"], "green")
        publish_names(a, ["amber.example"], "amber", [b])
        publish_names(a, ["strict.example"], "amber+strict", [b])
        assert pull(b, a).error is None
        assert pull(c, a).error is None
    assert names_seen(b) == {"clear.example", "green.example", "amber.example", "strict.example"}
    assert names_seen(c) == {"clear.example", "green.example"}


def test_a_second_pull_brings_nothing_and_keeps_what_there_is(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        publish_names(a, ["clear.example"], "clear")
        first, second = pull(b, a), pull(b, a)
    assert (first.entries, second.entries) == (2, 0)
    assert second.error is None
    peer = peer_of(b, a)
    assert (peer.last_success_at, peer.last_error_code, peer.failures) == (b.now(), None, 0)


def test_long_feeds_come_page_by_page(a, b):
    with serve_in_thread(a):
        pair(a, b)
        append_noops(a, "clear", 249)
        outcome = pull(b, a)
    assert (outcome.entries, outcome.error) == (250, None)
    held = feed_held(b, FeedName(a.node_id, "clear"))
    assert (held.last_seq, held.head_seq) == (250, 250)


def test_c_gets_clear_and_green_of_a_from_b_while_a_is_down(a, b, c):
    with serving(b):
        with serve_in_thread(a):
            pair(a, b, "trusted")
            pair(a, c, "trusted")
            publish_names(a, ["clear.example"], "clear")
            publish_names(a, ["green.example"], "green")
            publish_names(a, ["amber.example"], "amber", [b])
            assert pull(b, a).error is None
        pair(b, c, "trusted")
        failed = pull(c, a)
        assert (failed.failed, failed.error.code) == (True, "E_HTTP_CONNECT")
        assert peer_of(c, a).failures == 1
        assert pull(c, b).error is None
        assert names_seen(c) == {"clear.example", "green.example"}


def test_an_origin_that_is_no_peer_is_learned_and_counts_as_known(a, b, c):
    with serving(a, b):
        pair(a, b, "trusted")
        pair(b, c, "partner")
        publish_names(a, ["clear.example"], "clear")
        assert pull(b, a).error is None
        assert pull(c, b).error is None
    with c.database.read() as tx:
        assert find_pinned(tx, a.node_id) is not None
        assert find_peer(tx, a.node_id) is None
    assert names_seen(c) == set()
    assert names_seen(c, "quarantined") == {"clear.example"}


def test_what_says_relay_none_is_not_relayed(tmp_path, clock, b, c):
    a = make_node(tmp_path, "alpha", clock, profile={"green_relay": "none"})
    with serving(a, b):
        pair(a, b, "trusted")
        pair(b, c, "trusted")
        publish_names(a, ["green.example"], "green")
        assert pull(b, a).error is None
        assert pull(c, b).error is None
        assert names_seen(b) == {"green.example"}
        assert feed_held(c, FeedName(a.node_id, "green")) is None


def test_t24_a_relay_that_serves_it_nevertheless_is_refused(tmp_path, clock, b, c):
    a = make_node(tmp_path, "alpha", clock, profile={"green_relay": "none"})
    green = FeedName(a.node_id, "green")
    with serving(a, b):
        pair(a, b, "trusted")
        pair(b, c, "trusted")
        publish_names(a, ["green.example"], "green")
        publish_names(a, ["clear.example"], "clear")
        assert pull(b, a).error is None
        with b.database.write() as tx:
            update_feed(tx, find_feed(tx, green).feed_row, relay="community")
        outcome = pull(c, b)
    assert outcome.error.code == "E_RELAY_FORBIDDEN"
    assert names_seen(c, "quarantined") == {"clear.example"}  # the other feed came
    assert names_seen(c) == set()


def test_our_own_feeds_mirrored_back_are_passed_over(a, b):
    with serving(a, b):
        pair(a, b, "trusted")
        publish_names(a, ["amber.example"], "amber", [b])
        assert pull(b, a).error is None
        assert pull(a, b).error is None
    with a.database.read() as tx:
        assert {feed.node_id for feed in list_feeds(tx, own=False)} == {b.node_id}


def test_a_blocked_or_suspended_peer_is_not_pulled(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        suspend_peer(b, peer_of(b, a))
        with pytest.raises(PeerState) as refused:
            pull(b, a)
        assert refused.value.code == "E_PEER_BLOCKED"
        resume_peer(b, peer_of(b, a))
        assert pull(b, a).error is None
        give_trust(b, a, "blocked")
        with pytest.raises(PeerState):
            pull(b, a)


def test_what_a_blocked_node_wrote_is_not_taken_through_others_either(a, b, c):
    with serving(a, b):
        pair(a, b, "trusted")
        pair(a, c, "trusted")
        pair(b, c, "trusted")
        publish_names(a, ["clear.example"], "clear")
        assert pull(b, a).error is None
        give_trust(c, a, "blocked")
        assert pull(c, b).error is None
    assert feed_held(c, FeedName(a.node_id, "clear")) is None


def test_who_blocked_us_is_told_apart_from_who_is_down(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        give_trust(a, b, "blocked")
        outcome = pull(b, a)
    assert (outcome.failed, outcome.error.code) == (True, "E_HTTP_SIG")
    assert peer_of(b, a).last_error_code == "E_HTTP_SIG"


def test_one_tampered_byte_stops_its_feed_and_no_other(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        publish_names(a, ["clear.example"], "clear")
        publish_names(a, ["first.example"], "green")
        publish_names(a, ["second.example"], "green")
        green = feed_held(a, FeedName(a.node_id, "green"))
        with a.database.write() as tx:
            where = (ENTRIES.c.feed_row == green.feed_row, ENTRIES.c.seq == 2)
            record = bytes(
                tx.connection.execute(
                    ENTRIES.select().with_only_columns(ENTRIES.c.record).where(*where)
                ).scalar_one()
            )
            start = record.index(b'"payload":"') + 400
            swapped = b"A" if record[start : start + 1] != b"A" else b"B"
            record = record[:start] + swapped + record[start + 1 :]
            tx.connection.execute(ENTRIES.update().where(*where).values(record=record))
        outcome = pull(b, a)
    assert (outcome.error.code, outcome.failed) == ("E_SIG_BAD", False)
    assert names_seen(b) == {"clear.example", "first.example"}
    assert feed_held(b, FeedName(a.node_id, "green")).last_seq == 1
    assert peer_of(b, a).last_error_code == "E_SIG_BAD"


def test_t10_what_is_left_out_at_the_end_is_a_gap_and_its_head_is_not_kept(a, b):
    green = FeedName(a.node_id, "green")
    with serve_in_thread(a):
        pair(a, b, "trusted")
        publish_names(a, ["first.example"], "green")
        before = feed_held(a, green)
        publish_names(a, ["second.example"], "green")
        with a.database.write() as tx:
            tx.connection.execute(
                ENTRIES.delete().where(ENTRIES.c.feed_row == before.feed_row, ENTRIES.c.seq == 2)
            )
            update_feed(tx, before.feed_row, last_seq=1, last_hash=before.last_hash)
        outcome = pull(b, a)
    assert (outcome.error.code, outcome.failed) == ("E_GAP", False)
    assert names_seen(b) == {"first.example"}
    assert feed_held(b, green).head is None


def test_a_head_that_contradicts_our_chain_is_a_fork(a, b):
    clear = FeedName(a.node_id, "clear")
    with serve_in_thread(a):
        pair(a, b, "trusted")
        assert pull(b, a).error is None
        false = seal(a.keys.entry, HEAD_TYPE, head_payload(clear, 1, EntryHash("ab" * 32), a.now()))
        with a.database.write() as tx:
            update_feed(tx, find_feed(tx, clear).feed_row, head=false.to_bytes())
        outcome = pull(b, a)
    assert outcome.error.code == "E_FORK"


def test_a_fresh_head_is_kept_without_a_page(a, b, clock):
    clear = FeedName(a.node_id, "clear")
    with serve_in_thread(a):
        pair(a, b)
        assert pull(b, a).error is None
        clock.advance(hours=6)
        later = seal(
            a.keys.entry,
            HEAD_TYPE,
            head_payload(clear, 1, feed_held(a, clear).last_hash, clock.now()),
        )
        with a.database.write() as tx:
            update_feed(tx, find_feed(tx, clear).feed_row, head=later.to_bytes())
        assert pull(b, a).error is None
    assert feed_held(b, clear).head_ts == clock.now()


def test_t28_an_entry_that_is_not_due_yet_stops_its_feed_without_an_alarm(a, b, clock):
    clear = FeedName(a.node_id, "clear")
    with serve_in_thread(a):
        pair(a, b, "trusted")
        append_noops(a, "clear", 1, at=clock.now() + timedelta(minutes=6))
        outcome = pull(b, a)
        assert (outcome.entries, outcome.error) == (1, None)
        clock.advance(minutes=2)
        assert pull(b, a).error is None
    assert feed_held(b, clear).last_seq == 2


def test_a_daily_limit_stops_the_feed_until_tomorrow_and_is_told(a, b, clock):
    with serve_in_thread(a):
        pair(a, b)
        give_trust(b, a, "trusted", limit=1)
        publish_names(a, ["clear.example"], "clear")
        outcome = pull(b, a)
        assert (outcome.error.code, outcome.failed) == ("E_QUOTA", False)
        give_trust(b, a, "trusted", limit=100)
        clock.advance(days=1)
        assert pull(b, a).error is None
    assert names_seen(b) == {"clear.example"}


def test_a_demoted_peer_loses_the_feed_without_an_alarm(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        publish_names(a, ["first.example"], "green")
        assert pull(b, a).error is None
        give_trust(a, b, "known")
        publish_names(a, ["second.example"], "green")
        assert pull(b, a).error is None
    assert names_seen(b) == {"first.example"}


def test_a_pull_whose_time_is_up_says_that_there_is_more(a, b):
    with serve_in_thread(a):
        pair(a, b)
        outcome = pull_peer(b, peer_of(b, a), longest_seconds=0.0)
        assert (outcome.unfinished, outcome.error) == (True, None)


def test_t35_a_peer_that_repeats_a_page_is_left(a, b):
    class Repeating:
        """Gives the first page again and again, as if there were more."""

        pages = 0

        def __init__(self, inner):
            self.inner = inner

        def page(self, feed, after_seq, limit=100):
            self.pages += 1
            assert self.pages < 5
            return replace(self.inner.page(feed, 0, limit), more=True, next_seq=after_seq + 1)

    clear = FeedName(a.node_id, "clear")
    with serve_in_thread(a), open_http(b) as http:
        pair(a, b)
        lying = Repeating(reach(b, peer_of(b, a).base, a.node_id, http))
        pulled = FeedPull(b, peer_of(b, a), lying, lambda: False).run(clear, None)
    assert pulled.error.code == "E_CURSOR_STALL"
    assert lying.pages == 2


def test_an_unlisted_direct_feed_is_looked_for(a, b):
    direct = FeedName(a.node_id, direct_audience(b.node_id))
    with serve_in_thread(a), open_http(b) as http:
        pair(a, b, "trusted")
        publish_names(a, ["amber.example"], "amber", [b])
        listed = reach(b, peer_of(b, a).base, a.node_id, http).collections()
        assert str(direct) in {collection["x_tocsin_feed"] for collection in listed}
        assert pull(b, a).error is None
    with b.database.read() as tx:
        rows = tx.connection.execute(FEEDS.select().where(FEEDS.c.feed == str(direct))).all()
    assert len(rows) == 1


def test_a_pull_that_is_told_to_stop_leaves_the_rest_for_the_next(a, b):
    asked = []
    clear = FeedName(a.node_id, "clear")
    with serve_in_thread(a):
        pair(a, b)
        append_noops(a, "clear", 249)
        first = pull_peer(b, peer_of(b, a), is_stopping=lambda: asked.append(1) or len(asked) > 1)
        assert (first.unfinished, first.entries) == (True, 100)
        assert feed_held(b, clear).head is None  # nothing is promised that is not held
        assert pull(b, a).entries == 150
    assert feed_held(b, clear).head_seq == 250
