"""Silence is an alarm: what is raised, and that it ends when its reason is gone."""

from __future__ import annotations

import pytest

from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from hub.errors import NotFound
from hub.monitoring.alarm_words import remedy_of, sentence_of
from hub.monitoring.alarms import close_alarm, list_alarms, raise_alarm
from hub.monitoring.exchange_state import list_feed_exchanges, peer_exchanges
from hub.monitoring.watch import watch_exchange
from hub.peers.freeze import freeze_feed
from hub.peers.gossip import compare_heads
from hub.peers.pull import pull_peer
from hub.peers.stated_heads import find_good_head, keep_head
from hub.peers.suspend import suspend_peer
from hub.storage.queries.contacts import note_contact
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.positions import note_position
from hub.workers.schedule import plan_work
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE
from tests.support.nodes import (
    FixedClock,
    make_node,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.publications import Author, indicator
from tests.support.stored_state import events_of, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock)
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    """A peer that has just been heard."""
    author = Author(1)
    author.meets(node)
    hear(node, author)
    return author


def hear(node, author, **values):
    with node.database.write() as tx:
        note_contact(tx, author.node_id, last_request_at=node.now(), **values)


def looked(node):
    """The codes and subjects of the alarms after a look."""
    watch_exchange(node)
    return {(alarm.code, alarm.subject) for alarm in list_alarms(node)}


def keep(node, value):
    with node.database.write() as tx:
        head = find_good_head(tx, value)
        assert head is not None
        keep_head(tx, head)


def head(author, feed, seq, at, digit="a"):
    payload = head_payload(feed, seq, EntryHash(digit * 64), at)
    return seal(author.owner.entry, HEAD_TYPE, payload).to_json()


class TestSilence:
    def test_a_peer_of_which_nothing_is_heard_is_an_alarm_until_it_speaks(self, node, a, clock):
        assert looked(node) == set()
        clock.advance(minutes=61)
        assert looked(node) == {("PEER_SILENT", a.node_id)}
        hear(node, a)
        assert looked(node) == set()
        (alarm,) = list_alarms(node, closed=True)
        assert (alarm.closed_at, alarm.closed_by) == (node.now(), "monitoring")

    def test_a_word_in_either_direction_is_enough(self, node, a, clock):
        clock.advance(minutes=50)
        with node.database.write() as tx:
            note_contact(tx, a.node_id, last_answer_at=node.now())
        clock.advance(minutes=50)
        assert looked(node) == set()

    def test_of_a_stranger_nothing_is_expected(self, node, a, clock):
        clock.advance(hours=2)
        assert looked(node) == {("PEER_SILENT", a.node_id)}
        suspend_peer(node, peer_of(node, a.node_id))
        assert looked(node) == set()

    @pytest.mark.usefixtures("a")
    def test_it_is_told_once(self, node, clock):
        clock.advance(hours=2)
        looked(node)
        clock.advance(hours=2)
        looked(node)
        assert len(rows_of(node, "SELECT 1 FROM audit_events WHERE code = 'ALARM_OPENED'")) == 1
        assert len(list_alarms(node, closed=True)) == 1

    def test_real_requests_and_answers_are_words_and_tell_the_clock(self, tmp_path, clock):
        late = FixedClock()
        x, y = make_node(tmp_path, "x", late), make_node(tmp_path, "y", clock)
        with serving(x):
            pair(x, y, "trusted")
            clock.advance(minutes=59)
            late.advance(minutes=59, seconds=-100)
            assert pull_peer(y, peer_of(y, x)).error is None
        assert peer_exchanges(x)[y.node_id].clock_offset == 100
        assert ("CLOCK_SKEW", "clock") in looked(x)
        for minutes, silent in ((59, False), (2, True)):
            clock.advance(minutes=minutes)
            late.advance(minutes=minutes)
            # y asked and x answered: each has heard the other.
            for one, other in ((x, y), (y, x)):
                assert (("PEER_SILENT", other.node_id) in looked(one)) is silent
        x.database.close()
        y.database.close()

    @pytest.mark.usefixtures("a")
    def test_the_worker_looks(self, node, clock):
        clock.advance(hours=2)
        plan_work(node)
        assert [alarm.code for alarm in list_alarms(node)] == ["PEER_SILENT"]


class TestStaleHeads:
    @pytest.fixture
    def held(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        keep(node, a.head("clear"))
        return a.feed("clear").name

    def test_t11_after_49_hours_without_a_head_the_feed_is_stale(self, node, a, held, clock):
        clock.advance(hours=48)
        hear(node, a)
        assert looked(node) == set()
        clock.advance(hours=1)
        hear(node, a)
        assert looked(node) == {("HEAD_STALE", str(held))}
        assert peer_exchanges(node)[a.node_id].stale_feeds == (str(held),)
        (stale,) = [each for each in list_feed_exchanges(node) if each.stale]
        assert stale.feed.name == held

    def test_a_fresh_head_clears_it(self, node, a, held, clock):
        a.at = clock.advance(hours=49)
        hear(node, a)
        assert looked(node) == {("HEAD_STALE", str(held))}
        keep(node, a.head("clear"))
        assert looked(node) == set()

    @pytest.mark.parametrize("state", ["closed", "ended"])
    @pytest.mark.usefixtures("held")
    def test_a_feed_that_goes_not_on_needs_none(self, node, a, clock, state):
        clock.advance(hours=49)
        hear(node, a)
        with node.database.write() as tx:
            tx.connection.exec_driver_sql(f"UPDATE feeds SET state = '{state}' WHERE own = false")
        assert looked(node) == set()

    @pytest.mark.usefixtures("held")
    def test_nor_does_an_epoch_that_has_ended(self, node, a, clock):
        clock.advance(hours=49)
        hear(node, a)
        later = FeedName(a.node_id, "clear", 2)
        with node.database.write() as tx:
            tx.connection.exec_driver_sql(
                "INSERT INTO feeds (feed_row, feed, collection_id, node_id, audience, epoch, own,"
                " highest_tlp, last_seq, last_hash, state, relay_stopped, head_seq)"
                f" VALUES (99, '{later}', 'x', '{a.node_id}', 'clear', 2, false, 0, 1, 'h',"
                " 'open', false, 0)"
            )
        assert looked(node) == set()

    def test_a_group_whose_origin_speaks_and_serves_it_no_more_is_one_that_we_are_out_of(
        self, node, a, clock
    ):
        """Nobody but the origin serves it, so nobody hides it; the alarm would never end."""
        group = "g-" + "a" * 26
        a.write(group, kind="group", group={
            "gid": group, "name": "banks", "roster": "hidden", "history": "all",
        })  # fmt: skip
        a.deliver(node, group)
        keep(node, a.head(group))
        clock.advance(hours=49)
        hear(node, a)
        assert looked(node) == set()
        clock.advance(minutes=61)
        stale = ("HEAD_STALE", str(a.feed(group).name))
        assert looked(node) == {("PEER_SILENT", a.node_id), stale}


class TestLag:
    def test_t10_what_a_head_promised_and_nobody_brought_is_an_alarm(self, node, a, clock):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        keep(node, a.head("clear"))
        feed = a.feed("clear").name
        compare_heads(node, peer_of(node, a.node_id), [head(a, feed, 4, node.now())])
        assert peer_exchanges(node)[a.node_id].entries_behind == 3
        assert looked(node) == set()
        clock.advance(minutes=61)
        hear(node, a)
        assert looked(node) == {("FEED_BEHIND", str(feed))}
        assert "lacks 3 entries" in sentence_of(*_only(node))

    def test_a_peer_that_speaks_and_does_not_read_is_an_alarm(self, node, a, clock):
        feed = FeedName(node.node_id, "clear")
        with node.database.write() as tx:
            row = find_feed(tx, feed).feed_row
            note_position(tx, row, a.node_id, 1, "ack", node.now())
        publish_names(node, ["one.example", "two.example"], "clear")
        hear(node, a)
        assert peer_exchanges(node)[a.node_id].it_is_behind == 1
        assert looked(node) == set()
        clock.advance(minutes=61)
        hear(node, a)
        assert looked(node) == {("PEER_BEHIND", a.node_id)}
        with node.database.write() as tx:
            note_position(tx, row, a.node_id, 2, "ack", node.now())
        assert looked(node) == set()
        assert peer_exchanges(node)[a.node_id].it_is_behind == 0

    def test_a_peer_of_which_nothing_is_known_is_not_behind(self, node, a):
        assert peer_exchanges(node)[a.node_id].it_is_behind is None


class TestClock:
    def offset(self, node, author, seconds, kind="signed"):
        values = {f"{kind}_offset": seconds, f"{kind}_offset_at": node.now()}
        hear(node, author, **values)

    def test_a_median_of_over_a_minute_is_an_alarm(self, node, a):
        others = [Author(number) for number in (2, 3)]
        for author in others:
            author.meets(node)
        self.offset(node, a, 61)
        self.offset(node, others[0], 0)
        self.offset(node, others[1], 0)
        assert looked(node) == set()
        self.offset(node, others[0], 90)
        assert looked(node) == {("CLOCK_SKEW", "clock")}
        assert "behind of the middle of 3" in sentence_of(*_only(node))
        self.offset(node, others[0], 40)
        assert looked(node) == set()

    def test_clocks_that_stay_near_the_limit_are_one_alarm(self, node, a):
        for seconds in (60, 61, 59, 62, 41, 61, 40, 60, -41):
            self.offset(node, a, seconds)
            looked(node)
        opened = events_of(node, "ALARM_OPENED")
        assert [event["alarm"] for event in opened] == ["CLOCK_SKEW"]
        assert len(events_of(node, "ALARM_CLOSED")) == 1
        self.offset(node, a, -61)
        assert looked(node) == {("CLOCK_SKEW", "clock")}

    def test_what_was_signed_counts_more_than_a_date(self, node, a):
        self.offset(node, a, 500, "date")
        assert looked(node) == {("CLOCK_SKEW", "clock")}
        self.offset(node, a, 0)
        assert looked(node) == set()

    def test_an_old_offset_says_nothing(self, node, a, clock):
        self.offset(node, a, 200)
        clock.advance(minutes=61)
        hear(node, a)
        assert looked(node) == set()


class TestFrozenFeeds:
    def test_what_is_frozen_is_an_alarm_until_it_is_not(self, node, a):
        """However it ends: by a person's thaw, or because the owner goes on in a new epoch."""
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        feed = a.feed("clear").name
        with node.database.write() as tx:
            assert freeze_feed(tx, feed, "E_FORK", node.now())
        (raised,) = list_alarms(node)
        assert looked(node) == {("FEED_FROZEN", str(feed))}
        assert list_alarms(node) == (raised,)
        with node.database.write() as tx:
            tx.connection.exec_driver_sql("UPDATE feeds SET state = 'ended' WHERE own = false")
        assert looked(node) == set()


class TestClosingByHand:
    def test_a_person_closes_an_alarm(self, node):
        with node.database.write() as tx:
            assert raise_alarm(tx, "EVIDENCE_RECEIVED", "1", node.now(), evidence=1)
            assert not raise_alarm(tx, "EVIDENCE_RECEIVED", "1", node.now(), evidence=1)
        (alarm,) = list_alarms(node)
        assert close_alarm(node, alarm.alarm_id).closed_by == "operator"
        assert list_alarms(node) == ()
        with pytest.raises(NotFound):
            close_alarm(node, alarm.alarm_id)

    def test_what_lasts_opens_anew(self, node, a, clock):
        clock.advance(hours=2)
        looked(node)
        close_alarm(node, list_alarms(node)[0].alarm_id)
        assert looked(node) == {("PEER_SILENT", a.node_id)}


def test_every_alarm_has_its_words():
    codes = [
        "PEER_SILENT", "PEER_BEHIND", "FEED_BEHIND", "FEED_FROZEN", "HEAD_STALE",
        "EVIDENCE_RECEIVED", "CLOCK_SKEW",
    ]  # fmt: skip
    for code in codes:
        assert sentence_of(code, {}) != code
        assert remedy_of(code)
    assert "own" in sentence_of("FEED_FROZEN", {"own": True})
    assert remedy_of("FEED_FROZEN", {"own": True}) != remedy_of("FEED_FROZEN")


def _only(node):
    (alarm,) = list_alarms(node)
    return alarm.code, alarm.params
