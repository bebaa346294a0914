"""A node that nobody can reach pushes what it publishes (PROTOCOL 2.6 "Push", 4.7)."""

from __future__ import annotations

import pytest

from federation.errors import PeerState, PeerUnreachable
from federation.feeds.writing import policy_members
from hub.exchange.erase import erase_everywhere
from hub.exchange.own_feeds import append_entry
from hub.monitoring.alarms import list_alarms
from hub.monitoring.watch import watch_exchange
from hub.peers.freeze import freeze_feed
from hub.peers.pull import pull_peer
from hub.peers.push import has_news, push_peer
from hub.peers.suspend import suspend_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.positions import positions_of
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from tests.support.grouped_nodes import group_of, leave_group, publish_to_group
from tests.support.http_server import ScriptedServer, answers, write_answer
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.publications import join
from tests.support.stored_state import rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def b(tmp_path, clock):
    """The node that everybody reaches."""
    return make_node(tmp_path, "beta", clock)


@pytest.fixture
def a(tmp_path, clock, b):
    """Behind a firewall: it calls, and is never called."""
    node = make_node(tmp_path, "alpha", clock)
    with serving(b):
        pair(b, node, "trusted")
        push_on(node, b)
        yield node


def push_on(node, other, *, on=True):
    set_peer(node, peer_of(node, other), PeerChanges(push=on))


def push(node, other):
    outcome = push_peer(node, peer_of(node, other))
    assert outcome.error is None, outcome.error
    return outcome


def held(node, of, audience):
    with node.database.read() as tx:
        return find_feed(tx, FeedName(of.node_id, audience))


def test_what_the_peer_may_read_arrives_with_its_heads(a, b):
    publish_names(a, ["clear.example"], "clear")
    publish_names(a, ["green.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    assert push(a, b).entries == 4  # the first is the node's own identity
    assert names_seen(b) == {"clear.example", "green.example", "amber.example"}
    for audience in ("clear", "green", direct_audience(b.node_id)):
        there = held(b, a, audience)
        assert (there.last_hash, there.head_seq) == (held(a, a, audience).last_hash, there.last_seq)


def test_what_it_may_not_read_does_not_leave(a, b):
    give_trust(a, b, "known")
    publish_names(a, ["green.example"], "green")
    push(a, b)
    assert held(b, a, "green") is None
    give_trust(a, b, "member")
    push(a, b)
    assert held(b, a, "green").last_seq == 1


def test_who_may_read_is_asked_at_every_page(a, b):
    """A push may last minutes; whoever is demoted meanwhile gets nothing more."""
    publish_names(a, ["green.example"], "green")

    def demote():
        give_trust(a, b, "known")
        return False

    push_peer(a, peer_of(a, b), is_stopping=demote)
    assert held(b, a, "green") is None


def test_a_second_push_sends_nothing(a, b):
    publish_names(a, ["green.example"], "green")
    push(a, b)
    with a.database.read() as tx:
        assert not has_news(tx, a, peer_of(a, b))
    with ScriptedServer(answers(write_answer(500))) as silent:
        base(a, b, silent.base)
        assert push(a, b).entries == 0
        assert not silent.requests


def test_a_fresh_head_is_news(a, b, clock):
    push(a, b)
    clock.advance(hours=6)
    plan_work(a)
    push(a, b)
    assert held(b, a, "clear").head_ts == held(a, a, "clear").head_ts > clock.now().replace(hour=15)


def test_it_goes_on_where_the_peer_is(a, b):
    for number in range(3):
        publish_names(a, [f"n{number}.example"], "green")
    push(a, b)
    publish_names(a, ["n3.example"], "green")
    assert push(a, b).entries == 1
    with a.database.read() as tx:
        row = find_feed(tx, FeedName(a.node_id, "green")).feed_row
        assert positions_of(tx, row)[b.node_id].seq == 4


def test_a_peer_that_was_set_back_is_sent_again_what_it_lost(a, b):
    for number in range(3):
        publish_names(a, [f"n{number}.example"], "green")
    push(a, b)
    lose(b, a, "green", after=1)
    publish_names(a, ["n3.example"], "green")
    push(a, b)
    assert held(b, a, "green").last_seq == 4


def test_long_feeds_go_out_in_parts(a, b):
    with a.database.write() as tx:
        for _ in range(149):
            append_entry(
                tx, a, FeedName(a.node_id, "clear"), kind="noop",
                policy=policy_members(Tlp.CLEAR, relay="public"), now=a.now(),
            )  # fmt: skip
    assert push(a, b).entries == 150
    assert held(b, a, "clear").last_seq == 150


def test_what_stops_one_feed_stops_no_other(a, b):
    publish_names(a, ["clear.example"], "clear")
    publish_names(a, ["green.example"], "green")
    freeze(b, a, "clear")
    outcome = push_peer(a, peer_of(a, b))
    assert outcome.error.code == "E_FROZEN"
    assert held(b, a, "green").last_seq == 1


def test_the_quota_ends_the_push_until_the_peer_says(a, b):
    set_peer(b, peer_of(b, a), PeerChanges(limit=1))
    publish_names(a, ["one.example"], "green")
    publish_names(a, ["two.example"], "green")
    with pytest.raises(PeerUnreachable) as refused:
        push_peer(a, peer_of(a, b))
    assert refused.value.code == "E_QUOTA"
    assert refused.value.params["retry_after"] > 3600
    assert held(b, a, "clear").head_seq == 1  # of what it took it has the head nevertheless


def test_a_peer_of_the_first_release_says_so_and_nothing_breaks(a, b):
    publish_names(a, ["green.example"], "green")
    listing = write_answer(200, b'{"heads":[]}', {"Content-Type": "application/json"})
    nowhere = write_answer(
        404, b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}',
        {"Content-Type": "application/taxii+json;version=2.1"},
    )  # fmt: skip
    with ScriptedServer(answers(listing, nowhere, nowhere)) as old:
        base(a, b, old.base)
        assert push_peer(a, peer_of(a, b)).error.code == "E_NOT_FOUND"


class TestInTheQueue:
    def test_publishing_pushes(self, a, b):
        run_due_jobs(a)
        publish_names(a, ["green.example"], "green")
        run_due_jobs(a)  # the wake-up turns into a push
        run_due_jobs(a)
        assert names_seen(b) == {"green.example"}

    def test_what_nobody_asked_for_is_planned(self, a, b):
        publish_names(a, ["green.example"], "green")
        push_on(a, b, on=False)
        plan_work(a)
        assert not jobs(a, "push")
        push_on(a, b)
        plan_work(a)
        assert jobs(a, "push") == [b.node_id]

    def test_a_failure_waits_longer_each_time(self, a, b):
        publish_names(a, ["green.example"], "green")
        with ScriptedServer(answers(write_answer(500), write_answer(500))) as failing:
            base(a, b, failing.base)
            plan_work(a)
            run_due_jobs(a)
        (row,) = rows_of(a, "SELECT attempts, last_error FROM jobs WHERE kind = 'push'")
        assert (row["attempts"], row["last_error"]) == (1, "E_HTTP_STATUS")

    def test_a_suspended_peer_gets_nothing(self, a, b):
        publish_names(a, ["green.example"], "green")
        suspend_peer(a, peer_of(a, b))
        plan_work(a)
        assert not jobs(a, "push")
        with pytest.raises(PeerState):
            push_peer(a, peer_of(a, b))


class TestAtTheRecipient:
    def test_a_pull_of_who_pushes_fails_without_alarm(self, a, b):
        publish_names(a, ["green.example"], "green")
        push(a, b)
        outcome = pull_peer(b, peer_of(b, a))
        assert (outcome.failed, outcome.error.code) == (True, "E_HTTP_CONNECT")
        there = peer_of(b, a)
        assert (there.last_error_code, there.failures, there.pushed_at) == (None, 0, b.now())

    def test_one_that_has_not_pushed_for_long_is_silent(self, a, b, clock):
        publish_names(a, ["green.example"], "green")
        push(a, b)
        clock.advance(hours=25)
        pull_peer(b, peer_of(b, a))
        assert peer_of(b, a).last_error_code == "E_HTTP_CONNECT"


def base(node, peer, url):
    with node.database.write() as tx:
        tx.connection.exec_driver_sql(
            f"UPDATE peers SET base = '{url}' WHERE node_id = '{peer.node_id}'"
        )


def jobs(node, kind):
    return [
        row["subject"] for row in rows_of(node, f"SELECT subject FROM jobs WHERE kind = '{kind}'")
    ]


def lose(node, of, audience, *, after):
    """Set back what a node holds of a feed, as a restore would."""
    feed = f"{of.node_id}/{audience}/1"
    rows = {
        row["seq"]: row["hash"]
        for row in rows_of(
            node, f"SELECT seq, hash FROM entries JOIN feeds USING (feed_row) WHERE feed = '{feed}'"
        )
    }
    here = f"feed_row IN (SELECT feed_row FROM feeds WHERE feed = '{feed}')"
    back = f"last_seq = {after}, last_hash = '{rows[after]}', head = NULL, head_seq = 0"
    with node.database.write() as tx:
        tx.connection.exec_driver_sql(f"DELETE FROM carried WHERE seq > {after} AND {here}")
        tx.connection.exec_driver_sql(f"DELETE FROM entries WHERE seq > {after} AND {here}")
        tx.connection.exec_driver_sql(f"UPDATE feeds SET {back} WHERE feed = '{feed}'")


def freeze(node, of, audience):
    with node.database.write() as tx:
        freeze_feed(tx, FeedName(of.node_id, audience), "E_FORK", node.now())


def test_a_closed_feed_is_pushed_up_to_what_was_taken_out_of_it(tmp_path, clock, a, b):
    """Nobody gets past that place, so it is no failure that goes on for ever (PROTOCOL 2.4)."""
    other = make_node(tmp_path, "gamma", clock)
    join(a, other)
    gid = group_of(a, b, other).gid
    publish_to_group(a, ["one.example"])
    publish_to_group(a, ["two.example"])
    leave_group(a, other)
    erase_everywhere(a, f"{gid}/4", "personal data")
    publish_names(a, ["green.example"], "green")
    assert push(a, b).error is None
    assert held(b, a, gid).last_seq == 3
    assert names_seen(b) == {"green.example"}
    with a.database.read() as tx:
        assert not has_news(tx, a, peer_of(a, b))
    clock.advance(hours=2)
    publish_names(a, ["later.example"], "green")
    push(a, b)
    watch_exchange(a)
    assert [alarm.code for alarm in list_alarms(a) if alarm.code == "PEER_BEHIND"] == []
