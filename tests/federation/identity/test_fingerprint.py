"""PROTOCOL 2.3: what two people compare by eye and by ear."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federation.identity.fingerprint import fingerprint, voice_code, voice_indexes
from schemas.identifiers import NodeId

NODE_IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=52, max_size=52).map(NodeId)


@given(NODE_IDS)
def test_a_fingerprint_is_the_id_in_thirteen_groups_of_four(node_id):
    groups = fingerprint(node_id).split(" ")
    assert [len(group) for group in groups] == [4] * 13
    assert "".join(groups) == node_id


@given(NODE_IDS, NODE_IDS)
def test_both_sides_read_the_same_words(a, b):
    assert voice_indexes(a, b) == voice_indexes(b, a)
    assert all(0 <= index < 2048 for index in voice_indexes(a, b))
    assert len(voice_code(a, b).split(" ")) == 8


@given(NODE_IDS, NODE_IDS, NODE_IDS)
def test_another_node_between_them_changes_the_words(a, b, mallory):
    if mallory not in (a, b):
        assert voice_code(a, b) != voice_code(a, mallory)


def test_the_words_are_those_of_bip_39():
    assert voice_code(NodeId("a" * 52), NodeId("b" * 52)).isascii()
