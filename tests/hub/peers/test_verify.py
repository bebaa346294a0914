"""The eight words, typed as they are heard (PROTOCOL 4.5)."""

from __future__ import annotations

import pytest

from federation.identity.fingerprint import voice_code
from federation.trust.presets import TrustLevel
from hub.errors import NotPermitted
from hub.peers.directory import peer_state
from hub.peers.standing import standing_of
from hub.peers.verify import verify_peer
from tests.support.nodes import make_node, peer_of
from tests.support.publications import join
from tests.support.stored_state import rows_of


@pytest.fixture
def pair(tmp_path):
    """Two nodes that have each other as pending peers, each to be a member once verified."""
    a, b = (make_node(tmp_path, name) for name in ("alpha", "beta"))
    for node, other in ((a, b), (b, a)):
        join(node, other, "member", verified=False)
    return a, b


def test_both_sides_see_the_same_words_and_that_they_wait(pair):
    a, b = pair
    states = [peer_state(node, peer_of(node, other)) for node, other in ((a, b), (b, a))]
    assert states[0].voice_code == states[1].voice_code == voice_code(a.node_id, b.node_id)
    assert [state.pairing for state in states] == ["pending", "pending"]
    assert [state.effective_trust for state in states] == ["known", "known"]


def test_each_side_types_what_it_hears_and_only_then_trust_counts(pair):
    a, b = pair
    words = peer_state(b, peer_of(b, a)).voice_code
    verify_peer(a, peer_of(a, b), f"  {words.upper()} \n")
    assert peer_state(a, peer_of(a, b)).pairing == "verified"
    assert standing_of(peer_of(a, b)).effective_trust is TrustLevel.MEMBER
    assert peer_state(b, peer_of(b, a)).pairing == "pending"


def test_t51_words_that_differ_are_refused_and_change_nothing(pair):
    a, b = pair
    words = voice_code(a.node_id, b.node_id).split()
    swapped = [words[1], words[0], *words[2:]]
    for heard in (" ".join(swapped), " ".join(words[:7]), "", " ".join([*words, "zoo"])):
        with pytest.raises(NotPermitted) as refused:
            verify_peer(a, peer_of(a, b), heard)
        assert refused.value.code == "E_WORDS_DIFFER"
        assert "suspend" in refused.value.remedy
    assert peer_state(a, peer_of(a, b)).pairing == "pending"
    events = rows_of(a, "SELECT code FROM audit_events WHERE code = 'PEER_WORDS_DIFFER'")
    assert len(events) == 4


def test_t51_a_node_in_between_makes_the_words_differ(pair, tmp_path):
    """It is paired with each side under its own id, and each side reads what it sees itself."""
    a, b = pair
    middle = make_node(tmp_path, "middle")
    join(a, middle, "known", verified=False)
    join(b, middle, "known", verified=False)
    heard = peer_state(b, peer_of(b, middle)).voice_code
    with pytest.raises(NotPermitted):
        verify_peer(a, peer_of(a, middle), heard)
