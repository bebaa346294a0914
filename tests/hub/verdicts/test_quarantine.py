"""One person clears the queue: filters, bulk decisions, bounded writes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.errors import Conflict
from hub.verdicts.quarantine import QuarantineFilter, decide_waiting, list_waiting, summarise
from schemas.markings import Tlp
from tests.support.joined_nodes import states, view_ids
from tests.support.nodes import make_node
from tests.support.publications import Author, indicator, stix_id
from tests.support.stored_state import check_invariants, events_of
from tests.support.told_claims import clock_of


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    one, two = Author(1), Author(2)
    one.meets(made, "known", name="one")
    two.meets(made, "member", name="two")
    one.put("clear", *(indicator(number) for number in range(1, 6)))
    one.deliver(made, "clear")
    clock_of(made).advance(timedelta(hours=1))
    two.put("clear", *(indicator(number, name="n") for number in range(6, 8)))
    two.deliver(made, "clear")
    yield made
    check_invariants(made)
    made.database.close()


def origin(number):
    return Author(number).node_id


def waiting(node, **chosen):
    return [int(each.id[-12:], 16) for each in list_waiting(node, QuarantineFilter(**chosen))]


def test_each_filter_chooses_its_part(node):
    assert waiting(node) == [1, 2, 3, 4, 5, 6, 7]
    assert waiting(node, origin=origin(2)) == [6, 7]
    assert waiting(node, code="QUARANTINED_INBOUND") == [1, 2, 3, 4, 5]
    assert waiting(node, name="name-3.example") == [3]
    assert waiting(node, name="example", below=True) == [1, 2, 3, 4, 5, 6, 7]
    assert waiting(node, name="ame-3.example", below=True) == []
    assert waiting(node, stix_type="note") == []
    assert waiting(node, since=node.now()) == [6, 7]


def test_reasons_are_said_in_words_and_counted(node):
    groups = summarise(node, QuarantineFilter())
    assert [(g.origin_name, g.code, g.objects) for g in groups] == [
        ("one", "QUARANTINED_INBOUND", 5),
        ("two", "QUARANTINED_CORROBORATION", 2),
    ]
    assert "a person looks first" in groups[0].why


def test_all_of_one_origin_are_accepted_in_bounded_writes(node):
    told = []
    chosen = QuarantineFilter(origin=origin(1))
    done = decide_waiting(node, chosen, accept=True, progress=told.append, at_once=2)
    assert (done.objects, done.left, told) == (5, 0, [2, 2, 1])
    assert {stix_id("indicator", number) for number in range(1, 6)} <= view_ids(node, Tlp.CLEAR)
    assert waiting(node) == [6, 7]
    assert [event["objects"] for event in events_of(node, "QUARANTINE_ACCEPTED")] == [2, 2, 1]


def test_rejecting_by_name_says_why(node):
    chosen = QuarantineFilter(name="name-3.example")
    assert decide_waiting(node, chosen, accept=False, reason="a bank").objects == 1
    assert states(node, stix_id("indicator", 3)) == [("rejected", "REJECTED_BY_OPERATOR")]
    (event,) = events_of(node, "QUARANTINE_REJECTED")
    assert (event["filter"], event["reason"]) == ({"name": "name-3.example"}, "a bank")


def test_everything_is_decided_only_where_that_is_said(node):
    with pytest.raises(Conflict, match="E_QUARANTINE_ALL"):
        decide_waiting(node, QuarantineFilter(), accept=True)
    assert decide_waiting(node, QuarantineFilter(), accept=True, everything=True).objects == 7


def test_a_claim_that_lost_waits_on_and_is_counted(node):
    owner, squatter = Author(4), Author(5)
    owner.meets(node, "trusted")
    squatter.meets(node, "known")
    value, idn = owner.proven(1)
    owner.put("clear", value, idn=idn)
    squatter.put("clear", value | {"name": "squatted"})
    owner.deliver(node, "clear")
    squatter.deliver(node, "clear")
    done = decide_waiting(node, QuarantineFilter(origin=squatter.node_id), accept=True)
    assert (done.objects, done.left) == (0, 1)
    assert states(node, value["id"])[1] == ("quarantined", "E_ID_CONFLICT")
