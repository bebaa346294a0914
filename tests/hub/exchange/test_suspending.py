"""A suspended peer's objects are in no view, and resuming gives back what there was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.exchange.object_listing import accept_quarantined
from hub.peers.suspend import resume_peer, suspend_peer
from hub.verdicts.blocklist import blocks_for
from schemas.markings import Tlp
from tests.support.joined_nodes import states, view_ids, views
from tests.support.nodes import make_node, peer_of
from tests.support.publications import LATER, Author, domain, indicator, note, stix_id
from tests.support.stored_state import check_invariants, events_of, rows_of
from tests.support.told_claims import EVIL, authors, claim, confidences, make_verdicts, tell

ONE, TWO, THREE = (stix_id("indicator", number) for number in (1, 2, 3))


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    check_invariants(made)
    made.database.close()


def suspend(node, author):
    node.clock.advance(timedelta(minutes=1))
    suspend_peer(node, peer_of(node, author.node_id))
    node.clock.advance(timedelta(minutes=1))


def resume(node, author):
    resume_peer(node, peer_of(node, author.node_id))


def seen(node):
    """What each label view shows, but for dates and order."""
    return {tlp: sorted(row[:5] for row in rows) for tlp, rows in views(node).items()}


def met(node, *numbers, trust="trusted"):
    made = [Author(number) for number in numbers]
    for author in made:
        author.meets(node, trust)
    return made


def test_class15_nothing_of_a_suspended_peer_is_in_any_view_verdict_or_export(node):
    one, two = authors(node, 2)
    tell(node, one, "clear", claim(), claim("only.example", 2))
    tell(node, two, "clear", claim(number=3))
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR).keys() == {EVIL, "only.example"}
    assert {blocked.name for blocked in blocks_for(node, "public").in_force} | {
        waiting.name for waiting in blocks_for(node, "public").waiting
    } == {EVIL}
    suspend(node, one)
    assert not [row for rows in views(node).values() for row in rows if row[2] == one.node_id]
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR).keys() == {EVIL}
    view = blocks_for(node, "public")
    assert not view.in_force
    assert not view.waiting
    resume(node, one)
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR).keys() == {EVIL, "only.example"}


def test_resuming_gives_back_every_view(node):
    one, two = met(node, 1, 2)
    one.put("clear", indicator(1), domain("a.example"), note(1, ONE))
    one.put("green", indicator(2))
    one.put("clear", indicator(1, modified=LATER, confidence=10))
    two.put("clear", indicator(2), domain("a.example"), indicator(4))
    one.deliver(node, "clear")
    two.deliver(node, "clear")
    one.deliver(node, "green")
    before = seen(node)
    suspend(node, one)
    assert ONE not in view_ids(node, Tlp.RED)
    # What the other origin says of the same ids takes its place meanwhile.
    assert {row[2] for row in views(node)["green"]} == {two.node_id, node.node_id}
    resume(node, one)
    assert seen(node) == before


def test_a_weaker_claim_that_came_meanwhile_loses_as_if_it_came_now(node):
    one, two = met(node, 1, 2)
    value, idn = one.proven(1)
    one.put("clear", value, idn=idn)
    one.deliver(node, "clear")
    before = seen(node)
    suspend(node, one)
    two.put("clear", value | {"name": "squatted"})
    two.deliver(node, "clear")
    assert states(node, value["id"]) == [("suspended", None), ("accepted", None)]
    resume(node, one)
    assert states(node, value["id"]) == [("accepted", None), ("quarantined", "E_ID_CONFLICT")]
    assert seen(node) == before


def test_what_arrives_meanwhile_is_stored_and_judged_and_not_shown(node):
    one, relay = met(node, 1, 2)
    one.put("clear", indicator(1))
    one.deliver(node, "clear")
    suspend(node, one)
    one.put("clear", indicator(2))
    one.write("clear", kind="retract", ids=[ONE])
    head = relay.relay_head(one, "clear")
    assert one.deliver(node, "clear", sender=relay, relay_head=head).error is None
    assert states(node, TWO) == [("suspended", None)]
    assert states(node, ONE) == [("withdrawn", None)]
    assert TWO not in view_ids(node, Tlp.RED)
    resume(node, one)
    assert view_ids(node, Tlp.CLEAR) - {node.identity} == {TWO}


def test_what_a_person_accepts_of_a_suspended_origin_is_shown_when_it_is_back(node):
    (one,) = met(node, 1, trust="known")
    one.put("clear", indicator(1))
    one.deliver(node, "clear")
    suspend(node, one)
    accept_quarantined(node, [ONE])
    assert states(node, ONE) == [("suspended", None)]
    assert ONE not in view_ids(node, Tlp.RED)
    resume(node, one)
    assert ONE in view_ids(node, Tlp.CLEAR)


def test_suspending_twice_is_suspending_once(node):
    (one,) = met(node, 1)
    one.put("clear", indicator(1))
    one.deliver(node, "clear")
    before = seen(node)
    suspend(node, one)
    suspend(node, one)
    resume(node, one)
    resume(node, one)
    assert seen(node) == before
    assert [event["objects"] for event in events_of(node, "PEER_SUSPENDED")] == [1]


def test_the_objects_of_others_that_refer_to_it_leave_and_come_back(node):
    one, two = met(node, 1, 2)
    one.put("clear", indicator(1))
    two.put("clear", indicator(1), note(2, ONE))
    one.deliver(node, "clear")
    two.deliver(node, "clear")
    before = seen(node)
    suspend(node, two)
    assert view_ids(node, Tlp.CLEAR) - {node.identity} == {ONE}
    resume(node, two)
    assert seen(node) == before
    assert rows_of(node, "SELECT * FROM object_references WHERE waits") == []
