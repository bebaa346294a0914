"""An entry waits for what a wider feed of its origin may still bring (PROTOCOL 3.4).

The narrow feed refers to what stands in the wide one. Where the wide one was not read to its end,
a reference that does not resolve is no leak yet.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.feeds.stubs import stub_record
from hub.exchange.receive import receive_page
from hub.exchange.rejudging import rejudge
from hub.storage.queries.peers import find_peer
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import read_wire_time
from tests.support.joined_nodes import direct, entry_states, states, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, indicator, note, page_of, stix_id
from tests.support.stored_state import check_invariants

ONE, NOTE, OTHER = stix_id("indicator", 1), stix_id("note", 1), stix_id("indicator", 2)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node)
    author.put("green", indicator(1))
    author.put(direct(node), note(1, ONE))
    author.put(direct(node), indicator(2))
    return author


def deliver(node, a, *, wider_whole):
    with node.database.read() as tx:
        peer = find_peer(tx, a.node_id)
    audience = direct(node)
    feed = a.feed(audience).name
    return receive_page(
        node, feed=feed, sender=peer, page=a.page(audience), wider_whole=wider_whole
    )


def entries(node, a):
    return entry_states(node, a.feed(direct(node)).name)


def test_the_feed_waits_before_it_and_goes_on_when_the_wide_one_has_come(node, a):
    received = deliver(node, a, wider_whole=False)
    assert (received.error.code, received.last_seq) == ("E_REF_LEAK", 0)
    assert entries(node, a) == []
    a.deliver(node, "green")
    assert deliver(node, a, wider_whole=False).error is None
    assert {NOTE, OTHER} <= view_ids(node, Tlp.GREEN)


def test_a_day_later_it_is_rejected_and_the_feed_goes_on(node, a, clock):
    deliver(node, a, wider_whole=False)
    clock.advance(timedelta(hours=23))
    assert deliver(node, a, wider_whole=False).error is not None
    clock.advance(timedelta(hours=2))
    assert deliver(node, a, wider_whole=False).rejected == 1
    assert OTHER in view_ids(node, Tlp.GREEN)


def test_with_the_wide_feed_read_to_its_end_it_is_rejected_at_once(node, a):
    assert deliver(node, a, wider_whole=True).rejected == 1
    assert OTHER in view_ids(node, Tlp.GREEN)


def test_a_leak_that_nothing_can_mend_does_not_wait(node, a):
    a.put("green", indicator(3), policy={"tlp": "green"})
    author = Author(2)
    author.meets(node)
    author.put(direct(node), indicator(5), policy={"tlp": "amber"})
    author.put("green", note(7, stix_id("indicator", 5)))
    author.deliver(node, direct(node))
    with node.database.read() as tx:
        peer = find_peer(tx, author.node_id)
    received = receive_page(
        node, feed=author.feed("green").name, sender=peer, page=author.page("green"),
        wider_whole=False,
    )  # fmt: skip
    assert (received.error, received.rejected) == (None, 1)


class TestRejudging:
    def test_what_was_rejected_for_a_missing_reference_is_taken_when_that_has_come(self, node, a):
        deliver(node, a, wider_whole=True)
        assert rejudge(node, a.node_id) == 0
        a.deliver(node, "green")
        assert rejudge(node, a.node_id) == 1
        assert entries(node, a)[0] == (1, "stored", None)
        assert NOTE in view_ids(node, Tlp.GREEN)
        assert rejudge(node, a.node_id) == 0

    def test_what_was_overtaken_meanwhile_stays_rejected(self, node, a):
        a.put(direct(node), note(1, OTHER, modified="2026-03-01T09:40:00.000Z"))
        deliver(node, a, wider_whole=True)
        a.deliver(node, "green")
        assert rejudge(node, a.node_id) == 0
        assert entries(node, a)[0] == (1, "rejected", "E_STALE_MODIFIED")


def test_what_was_restricted_while_it_was_rejected_is_not_shown_by_judging_it_again(node, a):
    audience = direct(node)
    a.write(audience, kind="restrict", ids=[NOTE], tlp="amber+strict")
    assert deliver(node, a, wider_whole=True).rejected == 1
    a.deliver(node, "green")
    assert rejudge(node, a.node_id) == 1
    assert NOTE not in view_ids(node, Tlp.RED)
    assert states(node, NOTE) == [("withheld", "RESTRICTED")]


def test_nor_is_what_was_erased_by_name(node, a):
    audience = direct(node)
    a.write(audience, kind="restrict", ids=[NOTE], tlp="red", erase=True)
    assert deliver(node, a, wider_whole=True).rejected == 1
    a.deliver(node, "green")
    assert rejudge(node, a.node_id) == 1
    assert ("erased", None) in states(node, NOTE)
    assert NOTE not in view_ids(node, Tlp.RED)


class TestBehindAStub:
    @pytest.fixture
    def a(self, a, node):
        a.write(direct(node), kind="erase", seqs=[2])
        return a

    def pull(self, node, a, *, after, wider_whole=False):
        """What its origin serves: a stub in the place of the erased entry."""
        audience = direct(node)
        feed, ts = a.feed(audience), read_wire_time(a.feed(audience).entries[2]["created"])
        objects = list(feed.entries)
        objects[1] = strict_loads(stub_record(feed.name, 2, feed.hashes[1], by=3, ts=ts))
        with node.database.read() as tx:
            peer = find_peer(tx, a.node_id)
        return receive_page(
            node, feed=feed.name, sender=peer, page=page_of(objects[after:]),
            wider_whole=wider_whole,
        )  # fmt: skip

    def test_it_waits_there_too(self, node, a):
        assert self.pull(node, a, after=0).error.code == "E_REF_LEAK"
        assert entries(node, a) == []
        a.deliver(node, "green")
        assert self.pull(node, a, after=3).error is None
        assert NOTE in view_ids(node, Tlp.GREEN)
        assert [state for _, state, _ in entries(node, a)] == ["stored", "stub", "stored"]

    def test_and_no_longer_than_a_day(self, node, a, clock):
        self.pull(node, a, after=0)
        clock.advance(timedelta(hours=25))
        assert self.pull(node, a, after=3).rejected == 1
        assert entries(node, a)[0] == (1, "rejected", "E_REF_LEAK")
