"""Heartbeats: entries that say nothing, in own feeds that were silent (PROTOCOL 2.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.errors import Conflict, NotFound
from hub.exchange.heartbeats import heartbeat_due_feeds, send_heartbeat
from hub.exchange.publish import PublishRequest, publish_objects
from hub.peers.groups import add_member, create_group, remove_member
from hub.storage.queries.jobs import subjects_with_job
from hub.workers.schedule import plan_work
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, sync, view_rows
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import drafts, indicator, join
from tests.support.stored_state import check_invariants, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock, heartbeat_hours=24)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def b(tmp_path, clock, a):
    made = make_node(tmp_path, "b", clock)
    join(a, made)
    join(made, a)
    yield made
    check_invariants(made)
    made.database.close()


def publish(node, *values, tlp=Tlp.GREEN, **to):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, **to))


def kinds(node, audience, origin=None):
    feed = FeedName((origin or node).node_id, audience)
    return [
        row["kind"]
        for row in rows_of(
            node,
            "SELECT kind FROM entries JOIN feeds USING (feed_row)"
            f" WHERE feed = '{feed}' ORDER BY seq",
        )
    ]


@pytest.mark.usefixtures("b")
def test_a_feed_that_was_silent_so_long_gets_an_entry_that_says_nothing(a, clock):
    publish(a, indicator(1))
    clock.advance(hours=23)
    plan_work(a)
    assert kinds(a, "green") == ["put"]
    clock.advance(hours=1)
    plan_work(a)
    plan_work(a)
    assert kinds(a, "green") == ["put", "noop"]
    clock.advance(hours=24)
    plan_work(a)
    assert kinds(a, "green") == ["put", "noop", "noop"]


def test_whoever_takes_it_shows_nothing_new_and_knows_that_nothing_was_kept_from_it(a, b, clock):
    publish(a, indicator(1))
    sync(a, b, "green")
    before = view_rows(b, Tlp.GREEN)
    clock.advance(hours=24)
    plan_work(a)
    assert [page.entries for page in sync(a, b, "green")] == [1]
    assert view_rows(b, Tlp.GREEN) == before
    assert entry_states(b, FeedName(a.node_id, "green"))[1] == (2, "stored", None)


@pytest.mark.usefixtures("b")
def test_readers_are_woken_as_by_news(a, clock):
    """Else an onlooker of the line would tell padding from news."""
    publish(a, indicator(1))
    rows_before = rows_of(a, "SELECT subject FROM jobs WHERE kind = 'wake'")
    with a.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM jobs")
    clock.advance(hours=24)
    plan_work(a)
    with a.database.read() as tx:
        assert subjects_with_job(tx, "wake") == {row["subject"] for row in rows_before}


def test_direct_and_group_feeds_beat_too_and_bear_no_label(a, b, clock):
    create_group(a, "banks")
    peer = peer_of(a, b)
    group = add_member(a, "banks", peer)
    publish(a, indicator(1), tlp=Tlp.AMBER, to=(peer,))
    clock.advance(hours=24)
    plan_work(a)
    assert kinds(a, direct(b)) == ["put", "noop"]
    assert kinds(a, group.gid)[-1] == "noop"
    assert sync(a, b, direct(b))[0].rejected == 0


def test_what_has_no_reader_or_has_ended_beats_not(a, b, clock):
    peer = peer_of(a, b)
    create_group(a, "banks")
    first = add_member(a, "banks", peer).gid
    second = remove_member(a, "banks", peer).gid
    clock.advance(hours=48)
    plan_work(a)
    assert "noop" not in kinds(a, first) + kinds(a, second)


def test_by_default_nothing_is_sent(tmp_path, clock):
    quiet = make_node(tmp_path, "quiet", clock)
    join(quiet, make_node(tmp_path, "reader", clock))
    publish(quiet, indicator(1))
    clock.advance(timedelta(days=30))
    assert heartbeat_due_feeds(quiet) == []
    plan_work(quiet)
    assert kinds(quiet, "green") == ["put"]


def test_one_is_sent_by_hand_to_see_whether_a_line_works(a, b):
    publish(a, indicator(1))
    sent = send_heartbeat(a, FeedName(a.node_id, "green"))
    assert (sent.seq, str(sent.feed)) == (2, str(FeedName(a.node_id, "green")))
    sync(a, b, "green")
    assert kinds(b, "green", a) == ["put", "noop"]


def test_only_into_an_own_feed_that_is_there(a, b):
    publish(a, indicator(1))
    sync(a, b, "green")
    for feed in (FeedName(a.node_id, "green"), FeedName(b.node_id, "green")):
        with pytest.raises(NotFound, match="E_FEED_UNKNOWN"):
            send_heartbeat(b, feed)
    create_group(a, "banks")
    closed = add_member(a, "banks", peer_of(a, b)).feed.name
    remove_member(a, "banks", peer_of(a, b))
    with pytest.raises(Conflict, match="E_FEED"):
        send_heartbeat(a, closed)
