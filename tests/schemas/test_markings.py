"""PROTOCOL 3.1: the lattice of labels and audiences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.markings import (
    TLP2_EXTENSION,
    TLP2_MARKING_IDS,
    TLP_BY_MARKING_ID,
    EffectiveLabel,
    Tlp,
    tlp2_marking_definition,
)

AUDIENCES = st.none() | st.frozensets(st.sampled_from("ABC"))
LABELS = st.builds(EffectiveLabel, st.sampled_from(Tlp), AUDIENCES)


@given(LABELS, LABELS, LABELS)
def test_joining_is_a_lattice(a, b, c):
    assert a.join(a) == a
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))


@given(LABELS, LABELS)
def test_joining_never_widens(a, b):
    joined = a.join(b)
    assert joined.tlp >= max(a.tlp, b.tlp)
    assert a.covers(joined)
    assert b.covers(joined)


@given(st.sampled_from([Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED]), LABELS)
def test_from_amber_on_an_audience_that_nobody_named_is_nobody(tlp, other):
    """Without normalising first, RED for unspecified joined with CLEAR for A would be for A."""
    assert EffectiveLabel(tlp).join(other).audience == frozenset()


@given(LABELS, LABELS)
def test_a_label_covers_what_is_at_least_as_strict_and_narrow(a, b):
    assert a.covers(a)
    if a.covers(b) and b.covers(a):
        assert a == b


def test_an_unspecified_audience_is_covered_by_nothing_narrower():
    everyone = EffectiveLabel(Tlp.GREEN)
    some = EffectiveLabel(Tlp.GREEN, frozenset({"A"}))
    assert everyone.covers(some)
    assert not some.covers(everyone)


@pytest.mark.parametrize("tlp", Tlp)
def test_labels_are_read_as_they_are_written(tlp):
    assert Tlp.read(tlp.wire) is tlp


@pytest.mark.parametrize("word", [None, "", "white", "CLEAR", "amber-strict", 0, ["red"]])
def test_other_words_are_no_labels(word):
    with pytest.raises(WireFormatError) as rejected:
        Tlp.read(word)
    assert rejected.value.code == "E_SCHEMA"


def test_tlp_1_is_read_as_tlp_2():
    white = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
    assert TLP_BY_MARKING_ID[white] is Tlp.CLEAR
    assert len(TLP_BY_MARKING_ID) == 9
    assert white not in TLP2_MARKING_IDS


@pytest.mark.parametrize("tlp", Tlp)
def test_the_marking_definition_is_the_published_one(tlp):
    marking = tlp2_marking_definition(tlp)
    assert TLP_BY_MARKING_ID[marking["id"]] is tlp
    assert marking["name"] == f"TLP:{tlp.wire.upper()}"
    assert marking["extensions"][TLP2_EXTENSION]["tlp_2_0"] == tlp.wire
