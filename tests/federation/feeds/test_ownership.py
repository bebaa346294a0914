"""PROTOCOL 2.4 "Ownership": whose a STIX id is."""

from __future__ import annotations

from typing import Any

import pytest

from federation.errors import ContentRejected
from federation.feeds.ownership import (
    BY_IDENTITY,
    PROVEN,
    PROVISIONAL,
    Claim,
    claim_strength,
    decide_claims,
)
from schemas.identifiers import NodeId, own_stix_id
from tests.federation.feeds.feed_writer import OWNER, PINNED, indicator

NAME = "n4k2vqzc6m7e"
OWN_ID = own_stix_id(OWNER.node_id, "indicator", NAME)
BY_US: dict[str, Any] = {"created_by_ref": PINNED.identities[0]}


def test_a_name_proves_an_id() -> None:
    assert claim_strength(OWN_ID, indicator(), {OWN_ID: NAME}, PINNED) == PROVEN


def test_an_identity_of_the_node_is_the_second_best_claim() -> None:
    assert claim_strength(OWN_ID, indicator(**BY_US), {}, PINNED) == BY_IDENTITY


def test_else_the_claim_is_provisional() -> None:
    foreign: dict[str, Any] = {"created_by_ref": "identity--00000000-0000-4000-8000-000000000000"}
    assert claim_strength(OWN_ID, indicator(**foreign), {}, PINNED) == PROVISIONAL
    assert claim_strength(OWN_ID, indicator(), {"indicator--x": NAME}, PINNED) == PROVISIONAL


def test_t25_a_false_proof_rejects_even_beside_a_good_identity() -> None:
    squatted = own_stix_id(NodeId("b" * 52), "indicator", NAME)
    with pytest.raises(ContentRejected) as caught:
        claim_strength(squatted, indicator(**BY_US), {squatted: NAME}, PINNED)
    assert caught.value.code == "E_ID_CONFLICT"


def test_a_name_that_could_be_guessed_proves_nothing() -> None:
    guessed = own_stix_id(OWNER.node_id, "indicator", "short")
    with pytest.raises(ContentRejected):
        claim_strength(guessed, indicator(), {guessed: "short"}, PINNED)


def test_the_proof_is_for_the_type_too() -> None:
    stix_id = "malware--" + OWN_ID.split("--")[1]
    with pytest.raises(ContentRejected):
        claim_strength(stix_id, indicator(), {stix_id: NAME}, PINNED)


@pytest.mark.parametrize(
    ("held", "new", "same", "outcome"),
    [
        (PROVISIONAL, PROVEN, False, Claim.NEW_WINS),
        (PROVISIONAL, BY_IDENTITY, True, Claim.NEW_WINS),
        (PROVEN, BY_IDENTITY, True, Claim.HELD_WINS),
        (BY_IDENTITY, BY_IDENTITY, True, Claim.HELD_WINS),
        (PROVISIONAL, PROVISIONAL, False, Claim.HELD_WINS),
        (PROVISIONAL, PROVISIONAL, True, Claim.BOTH_STAND),
    ],
)
def test_the_stronger_claim_wins_in_any_order(
    held: int, new: int, same: bool, outcome: Claim
) -> None:
    assert decide_claims(held, new, same_content=same) is outcome
    if held != new:
        turned = {Claim.NEW_WINS: Claim.HELD_WINS, Claim.HELD_WINS: Claim.NEW_WINS}[outcome]
        assert decide_claims(new, held, same_content=same) is turned
