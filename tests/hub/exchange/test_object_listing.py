"""What the operator sees of all claims, and the decisions about what waits."""

from __future__ import annotations

import pytest

from hub.errors import Conflict, NotFound
from hub.exchange.object_listing import (
    accept_quarantined,
    list_objects,
    reject_quarantined,
    show_object,
)
from schemas.markings import Tlp
from tests.support.joined_nodes import states, view_ids, views
from tests.support.nodes import make_node
from tests.support.publications import LATER, Author, indicator, marked, stix_id
from tests.support.stored_state import check_invariants, rows_of

ONE = stix_id("indicator", 1)
TWO = stix_id("indicator", 2)
NINE = stix_id("indicator", 9)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "known", name="example-cert")
    author.put("clear", indicator(1), indicator(2))
    author.deliver(node, "clear")
    return author


def test_objects_are_listed_with_their_origins_name_and_state(node, a):
    listed = next(item for item in list_objects(node) if item.id == ONE)
    assert (listed.origin, listed.origin_name) == (a.node_id, "example-cert")
    assert (listed.tlp, listed.state, listed.code) == (
        "clear",
        "quarantined",
        "QUARANTINED_INBOUND",
    )


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"state": "quarantined"}, {ONE, TWO}),
        ({"state": "accepted", "stix_type": "indicator"}, set()),
        ({"stix_type": "indicator"}, {ONE, TWO}),
        ({"state": "quarantined", "limit": 1}, {ONE}),
    ],
)
@pytest.mark.usefixtures("a")
def test_a_list_can_be_narrowed(node, filters, expected):
    assert {item.id for item in list_objects(node, **filters)} == expected


def test_a_list_of_one_origin(node, a):
    assert {item.id for item in list_objects(node, origin=a.node_id)} == {ONE, TWO}
    assert ONE not in {item.id for item in list_objects(node, origin=node.node_id)}


def test_an_object_is_shown_with_its_bytes_and_what_carried_it(node, a):
    (shown,) = show_object(node, ONE)
    assert b"name-1.example" in shown.content
    assert [(carriage.feed, carriage.seq) for carriage in shown.carriages] == [
        (str(a.feed("clear").name), 1)
    ]


def test_versions_are_shown_oldest_first(node, a):
    a.put("clear", indicator(1, modified=LATER))
    a.deliver(node, "clear")
    assert [shown.listed.version for shown in show_object(node, ONE)][-1] == LATER


@pytest.mark.usefixtures("a")
def test_an_unknown_object(node):
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        show_object(node, NINE)
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        show_object(node, ONE, origin=node.node_id)


@pytest.mark.usefixtures("a")
def test_accepting_shows_an_object_to_its_readers(node):
    assert accept_quarantined(node, [ONE]) == 1
    assert ONE in view_ids(node, Tlp.CLEAR)
    assert TWO not in view_ids(node, Tlp.CLEAR)
    assert states(node, ONE) == [("accepted", None)]


def test_all_versions_that_wait_are_accepted_and_the_newest_is_the_latest(node, a):
    a.put("clear", indicator(1, modified=LATER))
    a.deliver(node, "clear")
    assert accept_quarantined(node, [ONE, ONE]) == 2
    assert [row[1] for row in views(node)["clear"] if row[0] == ONE and row[4]] == [LATER]


def test_an_unknown_marking_can_be_accepted_by_a_person_at_the_strict_label(node):
    author = Author(3)
    author.meets(node, "trusted")
    unknown = "marking-definition--11111111-1111-4111-8111-111111111111"
    author.put("green", marked(indicator(1), Tlp.GREEN, unknown))
    author.deliver(node, "green")
    accept_quarantined(node, [ONE])
    assert ONE not in view_ids(node, Tlp.AMBER)
    assert ONE in view_ids(node, Tlp.AMBER_STRICT)


@pytest.mark.usefixtures("a")
def test_rejecting_keeps_it_from_everybody_for_good(node):
    assert reject_quarantined(node, [ONE], "not for us") == 1
    assert states(node, ONE) == [("rejected", "REJECTED_BY_OPERATOR")]
    with pytest.raises(Conflict, match="E_NOT_QUARANTINED"):
        accept_quarantined(node, [ONE])


@pytest.mark.usefixtures("a")
def test_one_that_does_not_wait_spoils_the_whole_request(node):
    accept_quarantined(node, [ONE])
    before = views(node)
    with pytest.raises(Conflict, match="E_NOT_QUARANTINED"):
        accept_quarantined(node, [TWO, ONE])
    with pytest.raises(NotFound):
        accept_quarantined(node, [TWO, NINE])
    assert views(node) == before
    assert states(node, TWO) == [("quarantined", "QUARANTINED_INBOUND")]


def test_a_claim_that_lost_to_a_stronger_one_is_not_accepted(node):
    owner, squatter = Author(4), Author(5)
    owner.meets(node, "trusted")
    squatter.meets(node, "trusted")
    value, idn = owner.proven(1)
    owner.put("clear", value, idn=idn)
    squatter.put("clear", value | {"name": "squatted"})
    owner.deliver(node, "clear")
    squatter.deliver(node, "clear")
    with pytest.raises(Conflict, match="E_ID_CONFLICT"):
        accept_quarantined(node, [value["id"]], origin=squatter.node_id)
    assert states(node, value["id"]) == [("accepted", None), ("quarantined", "E_ID_CONFLICT")]


@pytest.mark.usefixtures("a")
def test_every_decision_is_in_the_audit(node):
    accept_quarantined(node, [ONE], actor="ada")
    reject_quarantined(node, [TWO], "no", actor="ada")
    rows = rows_of(node, "SELECT code, actor FROM audit_events ORDER BY event_row")
    assert [(row["code"], row["actor"]) for row in rows][-2:] == [
        ("QUARANTINE_ACCEPTED", "ada"),
        ("QUARANTINE_REJECTED", "ada"),
    ]
