"""Restricting and widening an own object (PROTOCOL 2.4, 3.3)."""

from __future__ import annotations

import json

import pytest

from federation.errors import SharingRefused
from hub.errors import Conflict, NotFound
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import Audience, restrict_object
from hub.exchange.widen import widen_object
from hub.exchange.withdraw import withdraw_object
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, states, sync, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import domain, drafts, indicator, join, note, stix_id
from tests.support.stored_state import check_invariants, envelope_in, rows_of

ONE, TWO, THREE = (stix_id("indicator", number) for number in (1, 2, 3))
NOTE = stix_id("note", 1)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def b(tmp_path, clock, a):
    made = make_node(tmp_path, "b", clock)
    join(made, a)
    yield made
    check_invariants(made)
    made.database.close()


def publish(node, *values, tlp=Tlp.GREEN, to=()):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, to=tuple(to)))


def payloads(node, kind):
    """What this node said in entries of a kind, as far as it still says it."""
    rows = rows_of(
        node,
        f"SELECT record FROM entries WHERE kind = '{kind}' AND state = 'stored' AND sender IS NULL",
    )
    return [json.loads(envelope_in(row["record"]).payload) for row in rows]


def green_of(node):
    return FeedName(node.node_id, "green")


def test_it_stops_the_relay_of_every_entry_that_carried_it(a):
    publish(a, indicator(1))
    publish(a, indicator(1, modified="2026-03-01T09:30:00.000Z"))
    done = restrict_object(a, ONE, Tlp.AMBER)
    (said,) = payloads(a, "restrict")
    assert (said["ids"], said["tlp"], said["stop_relay"]) == ([ONE], "amber", True)
    assert said["seqs"] == [1, 2]
    assert said["policy"]["tlp"] == "green"
    assert [s for _, s, _ in entry_states(a, green_of(a))][:2] == ["stub", "stub"]
    assert [(feed, seq) for feed, seq, _ in done.entries] == [(str(green_of(a)), said["seq"])]
    assert states(a, ONE) == [("withheld", "RESTRICTED")] * 2
    assert ONE not in view_ids(a, Tlp.RED)


def test_what_stood_beside_it_is_said_again_before_it_goes(a, b):
    publish(a, indicator(1), indicator(2))
    sync(a, b, "green")
    shown = view_ids(b, Tlp.GREEN)
    restrict_object(a, ONE, Tlp.AMBER)
    assert [page.rejected for page in sync(a, b, "green")] == [0]
    assert view_ids(b, Tlp.GREEN) == shown - {ONE}
    assert entry_states(b, green_of(a))[0] == (1, "stub", None)


def test_what_refers_to_it_is_left_out_and_named(a, tmp_path, clock):
    publish(a, indicator(1), indicator(2), note(1, ONE))
    assert restrict_object(a, ONE, Tlp.AMBER).left_out == (NOTE,)
    newcomer = make_node(tmp_path, "c", clock)
    join(newcomer, a)
    (page,) = sync(a, newcomer, "green")
    assert (page.error, page.rejected) == (None, 0)
    assert TWO in view_ids(newcomer, Tlp.GREEN)
    assert states(newcomer, NOTE) == []
    assert states(newcomer, ONE) == [("withheld", "RESTRICTED_UNSEEN")]


def test_a_label_that_is_no_stricter_is_refused(a):
    publish(a, indicator(1))
    for tlp in (Tlp.CLEAR, Tlp.GREEN):
        with pytest.raises(Conflict, match="E_NOT_STRICTER"):
            restrict_object(a, ONE, tlp)
    restrict_object(a, ONE, Tlp.AMBER)
    with pytest.raises(Conflict, match="E_NOT_STRICTER"):
        restrict_object(a, ONE, Tlp.AMBER)


def test_only_the_origin_restricts_and_only_what_stands(a, b):
    publish(a, indicator(1))
    sync(a, b, "green")
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        restrict_object(b, ONE, Tlp.AMBER)
    withdraw_object(a, ONE, "false positive")
    with pytest.raises(Conflict, match="E_WITHDRAWN"):
        restrict_object(a, ONE, Tlp.AMBER)


def test_those_who_are_named_get_it_with_its_new_label(a, b):
    publish(a, indicator(1))
    sync(a, b, "green")
    restrict_object(a, ONE, Tlp.AMBER, Audience(to=(join(a, b, name="b"),)))
    for feed in ("green", direct(b)):
        assert [page.rejected for page in sync(a, b, feed)] == [0]
    assert states(b, ONE) == [("withheld", "RESTRICTED"), ("accepted", None)]
    assert ONE in view_ids(b, Tlp.AMBER) - view_ids(b, Tlp.GREEN)
    assert ONE in view_ids(a, Tlp.AMBER) - view_ids(a, Tlp.GREEN)


def test_where_somebody_named_may_not_have_it_nothing_is_restricted(a, b):
    publish(a, indicator(1))
    with pytest.raises(SharingRefused, match="E_AUDIENCE_REFUSED"):
        restrict_object(a, ONE, Tlp.AMBER, Audience(to=(join(a, b, "member"),)))
    assert states(a, ONE) == [("accepted", None)]


def test_what_has_no_versions_cannot_print_another_label(a, b):
    value = domain("x.example")
    publish(a, value)
    with pytest.raises(Conflict, match="E_UNVERSIONED"):
        restrict_object(a, value["id"], Tlp.AMBER, Audience(to=(join(a, b),)))
    restrict_object(a, value["id"], Tlp.AMBER)
    assert states(a, value["id"]) == [("withheld", "RESTRICTED")]


def test_a_withdrawal_after_it_tells_the_wide_feed_no_more_than_the_id(a, b):
    publish(a, indicator(1))
    restrict_object(a, ONE, Tlp.AMBER, Audience(to=(join(a, b),)))
    withdraw_object(a, ONE, "false positive")
    said = {p["feed"].split("/")[1]: p for p in payloads(a, "retract")}
    assert "objects" not in said["green"]
    assert said[direct(b)]["objects"][0]["revoked"] is True
    sync(a, b, "green")
    sync(a, b, direct(b))
    assert not any(state == "accepted" for state, _ in states(b, ONE)[:-1])


class TestWidening:
    def test_naming_the_restriction_lifts_it_for_all_who_had_it(self, a, b, clock):
        publish(a, indicator(1))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        clock.advance(seconds=1)
        assert widen_object(a, ONE, Tlp.GREEN).entries == 1
        assert payloads(a, "put")[-1]["supersedes"] == payloads_hash(a, "restrict")
        assert [page.rejected for page in sync(a, b, "green")] == [0]
        assert states(b, ONE)[-1] == ("accepted", None)
        assert ONE in view_ids(b, Tlp.GREEN) & view_ids(a, Tlp.GREEN)

    def test_restriction_and_widening_on_one_page_come_to_the_same(self, a, b, clock):
        publish(a, indicator(1), indicator(2))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER)
        clock.advance(seconds=1)
        widen_object(a, ONE, Tlp.GREEN)
        sync(a, b, "green")
        assert states(b, ONE)[-1] == ("accepted", None)

    def test_each_who_was_named_has_an_entry_of_its_own_named(self, a, b, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        join(c, a)
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[join(a, b), join(a, c)])
        for node in (b, c):
            sync(a, node, direct(node))
        clock.advance(seconds=1)
        assert widen_object(a, ONE, Tlp.GREEN).entries == 2
        for node in (b, c):
            assert [page.rejected for page in sync(a, node, "green")] == [0]
            assert ONE in view_ids(node, Tlp.GREEN)

    def test_the_restriction_in_each_feed_is_named_to_its_readers(self, a, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        join(c, a, "known")
        publish(a, indicator(1))
        clock.advance(seconds=1)
        widen_object(a, ONE, Tlp.CLEAR)
        sync(a, c, "clear")
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, c, "clear")
        clock.advance(seconds=1)
        widen_object(a, ONE, Tlp.CLEAR)
        sync(a, c, "clear")
        assert states(c, ONE)[-1] != ("withheld", "E_LABEL_LIVE")

    def test_without_naming_it_the_narrow_word_stands(self, a):
        publish(a, indicator(1))
        restrict_object(a, ONE, Tlp.AMBER)
        later = indicator(1, modified="2026-03-01T09:45:00.000Z")
        assert publish(a, later).refused[0].code == "E_LABEL_LIVE"

    def test_a_label_that_is_no_laxer_is_refused(self, a):
        publish(a, indicator(1))
        with pytest.raises(Conflict, match="E_NOT_WIDER"):
            widen_object(a, ONE, Tlp.GREEN)


def payloads_hash(node, kind):
    return rows_of(node, f"SELECT hash FROM entries WHERE kind = '{kind}'")[0]["hash"]
