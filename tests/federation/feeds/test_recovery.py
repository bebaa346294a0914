from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.feeds.recovery import (
    Hold,
    Marker,
    SigningState,
    Verdict,
    compare_own,
    decide_hold,
    is_doubtful,
    is_enough,
)

states = st.builds(
    SigningState,
    pending=st.booleans(),
    doubtful=st.booleans(),
    peers=st.integers(0, 5),
    heard=st.integers(0, 5),
    unheard=st.booleans(),
    closed=st.sampled_from([None, Hold.BEHIND, Hold.ALIEN, Hold.CONTRADICTED]),
)


class TestWhetherTheDatabaseMayBeOld:
    def test_a_node_that_never_signed_has_no_marker_and_no_doubt(self):
        assert not is_doubtful(None, 0)

    def test_without_a_marker_nobody_can_tell(self):
        assert is_doubtful(None, 1)

    @given(generation=st.integers(0, 2**53), further=st.integers(1, 1000))
    def test_a_marker_ahead_of_the_database_is_a_restore(self, generation, further):
        assert is_doubtful(Marker(generation + further), generation)

    def test_a_crash_between_commit_and_marker_is_none(self):
        assert not is_doubtful(Marker(6), 7)

    def test_a_marker_from_an_old_backup_vouches_for_nothing(self):
        assert is_doubtful(Marker(3), 100)

    def test_a_restore_that_was_noted_stays_a_doubt(self):
        assert is_doubtful(Marker(7, restored=True), 7)


class TestWhetherToSign:
    @given(states)
    def test_without_peers_it_signs_at_once(self, state):
        assert decide_hold(replace(state, peers=0, closed=None)) is None

    @given(states)
    def test_a_closed_feed_stays_closed_whoever_was_heard(self, state):
        if state.closed is not None:
            assert decide_hold(state) is state.closed

    @given(states)
    def test_a_doubt_ends_by_two_peers_or_all(self, state):
        state = replace(state, doubtful=True, closed=None, unheard=False, pending=False)
        enough = not state.peers or state.heard >= min(2, state.peers)
        assert (decide_hold(state) is None) == enough

    def test_unreachable_peers_hold_up_nobody_who_is_not_in_doubt(self):
        assert decide_hold(SigningState(peers=4, heard=0)) is None

    def test_right_after_the_start_they_are_waited_for(self):
        assert decide_hold(SigningState(pending=True, peers=1)) is Hold.PENDING

    @given(states)
    def test_every_word_more_that_is_heard_only_opens(self, state):
        if decide_hold(state) is None:
            assert decide_hold(replace(state, heard=state.heard + 1)) is None


@pytest.mark.parametrize(
    ("peers", "heard", "enough"),
    [(0, 0, True), (1, 0, False), (1, 1, True), (9, 1, False), (9, 2, True)],
)
def test_two_are_enough_or_all(peers, heard, enough):
    assert is_enough(peers, heard) is enough


@pytest.mark.parametrize(
    ("seq", "entry_hash", "verdict"),
    [(3, "h3", Verdict.HELD), (5, "h5", Verdict.BEHIND), (3, "x", Verdict.CONTRADICTED)],
)
def test_what_a_peer_holds_beside_what_we_hold(seq, entry_hash, verdict):
    ours = {number: f"h{number}" for number in range(1, 5)}
    assert compare_own(seq, entry_hash, last_seq=4, hash_at=ours.get) is verdict
