"""What turned out: reliability by label, and the step down that too many mistakes cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.errors import SignatureRejected
from hub.errors import NotFound
from hub.monitoring.alarms import list_alarms
from hub.monitoring.watch import watch_exchange
from hub.node import Node
from hub.peers.conduct import note_signatures
from hub.peers.pull_feed import FeedPulled
from hub.peers.trust import PeerChanges, dials_of, set_peer
from hub.verdicts.outcomes import (
    CONFIRMED,
    FALSE_POSITIVE,
    Found,
    add_outcome,
    record_outcomes,
    reliability_of_peer,
)
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author, stix_id
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    confidences,
    make_verdicts,
    tell,
)

OTHER = "other.example"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def turned_out(node: Node, who: Author, wrong: int, right: int, first: int = 0) -> None:
    found = [
        Found(
            who.node_id,
            stix_id("indicator", first + number),
            "indicator",
            0,
            FALSE_POSITIVE if number < wrong else CONFIRMED,
        )
        for number in range(wrong + right)
    ]
    with node.database.write() as tx:
        record_outcomes(tx, node, found, "Looked into.", node.now(), actor="operator")


def inbound(node: Node, who: Author) -> str:
    return dials_of(peer_of(node, who.node_id)).inbound


def test_what_turned_out_moves_the_figure_of_all_that_an_origin_says(node: Node) -> None:
    (who,) = authors(node, 1, "trusted")
    tell(node, who, "clear", claim(EVIL, 1), claim(OTHER, 2))
    make_verdicts(node)
    before = confidences(node, Tlp.CLEAR)[OTHER]
    recorded = add_outcome(node, stix_id("indicator", 1), FALSE_POSITIVE, "A parked name.")
    make_verdicts(node)
    # Beta(8, 1) and 3 for the mistake: 8 of 12.
    assert (recorded.tlp, recorded.demoted) == ("clear", False)
    assert confidences(node, Tlp.CLEAR)[OTHER] == round(before * (8 / 12) / (8 / 9))
    (told,) = reliability_of_peer(node, peer_of(node, who.node_id))
    assert (told.confirmed, told.false_positives, told.alpha, told.beta) == (0, 1, 8.0, 1.0)
    assert told.reliability == 0.667
    # The last word on an object counts.
    add_outcome(node, stix_id("indicator", 1), CONFIRMED, "It was not: see the sandbox.")
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[OTHER] >= before


def test_an_outcome_shows_in_no_view_below_its_object(node: Node) -> None:
    (who,) = authors(node, 1, "trusted")
    tell(node, who, "clear", claim(OTHER, 2))
    tell(node, who, "amber", claim(EVIL, 1))
    make_verdicts(node)
    before = rows_of(node, "SELECT name, label, result, issued_at FROM verdicts WHERE label = 0")
    clock_of(node).advance(hours=1)
    add_outcome(node, stix_id("indicator", 1), FALSE_POSITIVE, "Ours.")
    make_verdicts(node)
    after = rows_of(node, "SELECT name, label, result, issued_at FROM verdicts WHERE label = 0")
    assert before == after


def test_too_many_mistakes_cost_one_step_once(node: Node) -> None:
    (who,) = authors(node, 1, "partner")
    turned_out(node, who, wrong=2, right=38)
    assert inbound(node, who) == "accept", "5 of 100 are borne"
    turned_out(node, who, wrong=1, right=0, first=90)
    assert inbound(node, who) == "corroborated"
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["cause"]) == ("PEER_DEMOTED", "DEMOTED_FALSE_POSITIVES")
    assert (alarm.params["false_positives"], alarm.params["adjudicated"]) == (3, 41)
    # What was paid for is not charged again, and nothing is ever given back by itself.
    set_peer(node, peer_of(node, who.node_id), PeerChanges(inbound="accept"))
    turned_out(node, who, wrong=1, right=0, first=200)
    assert inbound(node, who) == "accept"


def test_39_adjudicated_are_too_few_to_judge_by(node: Node) -> None:
    (who,) = authors(node, 1, "partner")
    turned_out(node, who, wrong=39, right=0)
    assert inbound(node, who) == "accept"


def test_of_what_is_not_held_nothing_can_turn_out(node: Node) -> None:
    with pytest.raises(NotFound) as unknown:
        add_outcome(node, stix_id("indicator", 1), CONFIRMED, "Seen.")
    assert unknown.value.code == "E_NOT_FOUND"


def failing(node: Node, who: Author, origin: Author) -> None:
    """What a pull from a peer met in a feed."""
    error = SignatureRejected("E_SIG_BAD", "not by its key")
    by_feed = {FeedName(origin.node_id, "green"): FeedPulled(error=error)}
    note_signatures(node, peer_of(node, who.node_id), by_feed)


def test_what_a_peer_did_not_sign_costs_a_step_from_the_eleventh_within_an_hour(node: Node) -> None:
    who, relayed = authors(node, 2, "partner")
    for _ in range(12):
        failing(node, who, relayed)
    assert inbound(node, who) == "accept", "what a relay garbled says nothing of the origin"
    assert inbound(node, relayed) == "accept"
    for _ in range(20):
        failing(node, who, who)
        clock_of(node).advance(minutes=6)
    assert inbound(node, who) == "accept", "ten within an hour are borne"
    for _ in range(5):
        failing(node, who, who)
    assert inbound(node, who) == "corroborated"
    assert [alarm.params["cause"] for alarm in list_alarms(node)] == ["DEMOTED_SIGNATURES"]


def test_a_document_that_has_run_out_costs_a_step_once(node: Node) -> None:
    (who,) = authors(node, 1, "partner")
    watch_exchange(node)
    assert inbound(node, who) == "accept"
    clock_of(node).advance(days=800)
    watch_exchange(node)
    assert inbound(node, who) == "corroborated"
    clock_of(node).advance(days=1)
    watch_exchange(node)
    assert inbound(node, who) == "corroborated", "not again each time somebody looks"
    assert "DEMOTED_EXPIRED" in [alarm.params.get("cause") for alarm in list_alarms(node)]
