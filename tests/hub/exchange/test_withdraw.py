"""Withdrawing: only the origin, for good, in every feed that carried the object (PROTOCOL 4.8)."""

from __future__ import annotations

import json

import pytest

from hub.errors import Conflict, NotFound
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import restrict_object
from hub.exchange.withdraw import withdraw_object
from schemas.markings import Tlp
from tests.hub.exchange.test_publish_names import publish as publish_names
from tests.support.joined_nodes import direct, states, sync, view, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import domain, drafts, indicator, join, note, stix_id
from tests.support.stored_state import check_invariants, envelope_in, rows_of
from tests.support.told_claims import (
    authors,
    claim,
    indicators,
    make_verdicts,
    tell,
    verdicts_seen,
)

ONE = stix_id("indicator", 1)


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
    made.database.close()


def publish(node, *values, tlp=Tlp.CLEAR, to=(), **members):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, to=tuple(to), **members))


def last_payload(node):
    rows = rows_of(node, "SELECT record FROM entries WHERE sender IS NULL ORDER BY feed_row, seq")
    return json.loads(envelope_in(rows[-1]["record"]).payload)


def test_the_last_version_is_revoked_and_later_than_the_one_it_ends(a, clock):
    publish(a, indicator(1))
    clock.advance(hours=-2)
    withdrawal = withdraw_object(a, ONE, "false positive")
    entry = last_payload(a)
    assert (entry["kind"], entry["ids"], entry["reason"]) == ("retract", [ONE], "false positive")
    value = entry["objects"][0]
    assert value["revoked"] is True
    assert value["modified"] > indicator(1)["modified"]
    assert len(withdrawal.entries) == 1


def test_readers_here_find_the_revoked_version_alone(a):
    publish(a, indicator(1))
    withdraw_object(a, ONE, "false positive")
    assert [i for i, _ in view(a, Tlp.CLEAR)].count(ONE) == 1
    assert states(a, ONE) == [("withdrawn", None), ("accepted", None)]


def test_it_reaches_readers_of_the_peers(a, b):
    publish(a, indicator(1), indicator(2))
    sync(a, b, "clear")
    withdraw_object(a, ONE, "false positive")
    sync(a, b, "clear")
    assert states(b, ONE) == [("withdrawn", None), ("accepted", None)]
    assert states(b, stix_id("indicator", 2)) == [("accepted", None)]


def test_every_feed_that_carried_it_is_told(a, b, tmp_path):
    to = [join(a, b, name="b"), join(a, make_node(tmp_path, "c"), name="c")]
    publish(a, indicator(1), tlp=Tlp.AMBER, to=to)
    withdrawal = withdraw_object(a, ONE, "false positive")
    assert len(withdrawal.entries) == 2
    assert {receipt.name for receipt in withdrawal.receipts} == {"b", "c"}
    assert {receipt.state for receipt in withdrawal.receipts} == {"pending"}
    assert [page.rejected for page in sync(a, b, direct(b))] == [0]
    assert states(b, ONE)[-1] == ("accepted", None)


def test_an_observable_has_no_last_version(a, b):
    value = domain("x.example")
    publish(a, value)
    sync(a, b, "clear")
    withdraw_object(a, value["id"], "it was ours")
    assert "objects" not in last_payload(a)
    sync(a, b, "clear")
    assert value["id"] not in view_ids(a, Tlp.RED) | view_ids(b, Tlp.RED)


def test_the_proof_of_the_id_comes_along(a):

    withdrawn = publish_names(a).stix_ids[0]
    withdraw_object(a, withdrawn, "false positive")
    assert list(last_payload(a)["idn"]) == [withdrawn]


def test_an_exercise_is_withdrawn_as_one(a, b):
    publish(a, indicator(1), exercise=True)
    withdraw_object(a, ONE, "the exercise is over")
    assert last_payload(a)["policy"]["exercise"] is True
    sync(a, b, "clear")
    assert ONE not in view_ids(a, Tlp.RED) | view_ids(b, Tlp.RED)


def test_it_is_final(a):
    publish(a, indicator(1))
    withdraw_object(a, ONE, "false positive")
    with pytest.raises(Conflict, match="E_WITHDRAWN"):
        withdraw_object(a, ONE, "again")


def test_a_verdict_was_never_published_and_is_neither_withdrawn_nor_restricted(a):
    """It is made and revoked by the claims that it rests on; a person's word would break it."""
    for number, author in enumerate(authors(a, 2), 5):
        tell(a, author, "clear", claim(number=number))
    make_verdicts(a)
    (made,) = indicators(verdicts_seen(a, Tlp.CLEAR))
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        withdraw_object(a, made["id"], "not mine to say")
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        restrict_object(a, made["id"], Tlp.AMBER)
    assert indicators(verdicts_seen(a, Tlp.CLEAR)) == [made]


def test_only_the_origin_withdraws(a, b):
    publish(a, indicator(1))
    sync(a, b, "clear")
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        withdraw_object(b, ONE, "not mine")
    with pytest.raises(NotFound, match="E_NOT_FOUND"):
        withdraw_object(a, stix_id("indicator", 9), "unknown")


@pytest.mark.parametrize("reason", ["", "x" * 1025])
def test_a_reason_has_one_to_1024_characters(a, reason):
    publish(a, indicator(1))
    with pytest.raises(Conflict, match="E_REASON"):
        withdraw_object(a, ONE, reason)
    assert states(a, ONE) == [("accepted", None)]


def test_a_longest_reason_is_taken_by_receivers(a, b):
    publish(a, indicator(1))
    withdraw_object(a, ONE, "ü" * 1024)
    assert [page.rejected for page in sync(a, b, "clear")] == [0]


def test_the_rest_of_a_network_of_references_stays(a):
    publish(a, indicator(1), note(1, ONE))
    withdraw_object(a, ONE, "false positive")
    assert stix_id("note", 1) in view_ids(a, Tlp.CLEAR)
