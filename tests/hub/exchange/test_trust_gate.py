"""Every version passes the gate; what claims nothing new is not asked twice (THREATS 37)."""

from __future__ import annotations

import pytest

from hub.exchange.object_listing import accept_quarantined
from hub.peers.trust import PeerChanges, set_peer
from schemas.markings import Tlp
from schemas.stix.sco_ids import deterministic_sco_id
from tests.support.joined_nodes import states, view, view_ids
from tests.support.nodes import make_node, peer_of
from tests.support.publications import LATER, Author, indicator, stix_id
from tests.support.stored_state import check_invariants

ONE = stix_id("indicator", 1)
LATEST = "2026-03-01T09:45:00.000Z"


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def member(node):
    author = Author(1)
    author.meets(node, "member")
    author.put("green", indicator(1, confidence=10))
    author.deliver(node, "green")
    accept_quarantined(node, [ONE])
    return author


def update(node, author, audience="green", **changes):
    author.put(audience, indicator(1, **({"confidence": 10, "modified": LATER} | changes)))
    received = author.deliver(node, audience)
    assert received.error is None
    return states(node, ONE)[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": "[domain-name:value = 'bank.example']", "name": "bank.example"},
        {"labels": ["phishing"]},
        {"indicator_types": ["malicious-activity"]},
    ],
)
def test_t37_a_poisoned_new_version_of_an_accepted_object_waits(node, member, change):
    assert update(node, member, **change) == ("quarantined", "QUARANTINED_CORROBORATION")
    assert [version for stix_id, version in view(node, Tlp.GREEN) if stix_id == ONE] != [LATER]


def test_t37_a_new_version_at_another_label_waits(node):
    author = Author(3)
    author.meets(node, "member")
    author.put("clear", indicator(1, confidence=10))
    author.deliver(node, "clear")
    accept_quarantined(node, [ONE])
    assert update(node, author, "green") == ("quarantined", "QUARANTINED_CORROBORATION")
    # The stricter label binds at once, though the version waits.
    assert ONE not in view_ids(node, Tlp.GREEN)


def test_t37_dates_description_and_confidence_alone_ask_nobody_again(node, member):
    changed = {"description": "seen again", "confidence": 60, "valid_until": "2026-04-01T00:00:00Z"}
    assert update(node, member, **changed) == ("accepted", None)
    assert (ONE, LATER) in view(node, Tlp.GREEN)


def test_t37_what_waits_is_no_precedent(node, member):
    poisoned = {"pattern": "[domain-name:value = 'bank.example']"}
    update(node, member, **poisoned)
    again = update(node, member, **poisoned, modified=LATEST, confidence=90)
    assert again == ("quarantined", "QUARANTINED_CORROBORATION")


def test_types_beside_the_dial_wait_for_a_person_until_it_is_turned(node):
    author = Author(2)
    author.meets(node, "trusted")
    value = {
        "type": "file", "spec_version": "2.1", "name": "a.exe",
        "id": "file--2c1ac2a4-5b7b-5eea-8a0b-000000000001",
    }  # fmt: skip
    value["id"] = deterministic_sco_id(value)
    author.put("clear", value, indicator(1))
    assert author.deliver(node, "clear").error is None
    assert states(node, value["id"]) == [("quarantined", "QUARANTINED_TYPE")]
    assert states(node, ONE) == [("accepted", None)]
    change = set_peer(node, peer_of(node, author.node_id), PeerChanges(types=("indicator", "file")))
    assert states(node, value["id"]) == [("accepted", None)]
    assert any("file, indicator" in sentence for sentence in change.sentences)
    set_peer(node, peer_of(node, author.node_id), PeerChanges(types=()))
    author.put("clear", indicator(2))
    author.deliver(node, "clear")
    assert states(node, stix_id("indicator", 2)) == [("quarantined", "QUARANTINED_TYPE")]
