"""Objects are cut into entries so that every reference points to what was sealed before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exchange.publishing_order import MAX_BYTES, MAX_OBJECTS, in_entries, prepared
from tests.support.publications import indicator, note, stix_id


def ready(*values):
    return [prepared(value) for value in values]


def ids(entries):
    return [[item.stix_id for item in entry] for entry in entries]


def test_what_is_referred_to_comes_first():
    entries = in_entries(
        ready(note(1, stix_id("note", 2)), note(2, stix_id("indicator", 1)), indicator(1))
    )
    assert ids(entries) == [[stix_id("indicator", 1), stix_id("note", 2), stix_id("note", 1)]]


def test_an_entry_has_room_for_so_many():
    entries = in_entries(ready(*(indicator(n) for n in range(130))), room=62)
    assert [len(entry) for entry in entries] == [62, 62, 6]


def test_an_entry_has_room_for_so_many_bytes():
    large = ready(*(indicator(n, description="x" * 100_000) for n in range(5)))
    assert [len(entry) for entry in in_entries(large)] == [2, 2, 1]


def test_a_circle_is_not_cut():
    circle = [note(n, stix_id("note", (n + 1) % 10)) for n in range(10)]
    entries = in_entries(ready(*(indicator(n) for n in range(60)), *circle))
    assert sorted(len(entry) for entry in entries) == [10, 60]


@pytest.mark.parametrize(
    "values",
    [
        [note(n, stix_id("note", (n + 1) % 65)) for n in range(65)],
        [indicator(1, description="x" * MAX_BYTES)],
    ],
)
def test_what_fits_into_no_entry_is_named(values):
    with pytest.raises(ValueError, match=values[0]["type"]):
        in_entries(ready(*values))


def test_a_long_chain_of_references_needs_no_recursion():
    chain = [note(n, stix_id("note", n + 1)) for n in range(5_000)]
    entries = in_entries(ready(*chain, note(5_000, stix_id("indicator", 1))))
    assert sum(map(len, entries)) == 5_001


def test_no_objects_make_no_entries():
    assert in_entries([]) == []


@given(
    edges=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60),
    room=st.integers(8, MAX_OBJECTS),
)
def test_every_reference_points_into_the_same_entry_or_an_earlier_one(edges, room):
    about = {n: [stix_id("note", to) for at, to in edges if at == n] for n in range(40)}
    objects = ready(*(note(n, *refs) for n, refs in about.items()))
    try:
        entries = in_entries(objects, room=room)
    except ValueError:
        return
    assert sorted(i for entry in ids(entries) for i in entry) == sorted(o.stix_id for o in objects)
    assert all(len(entry) <= room for entry in entries)
    sealed: set[str] = set()
    for entry in entries:
        sealed |= {item.stix_id for item in entry}
        assert all(item.refs <= sealed for item in entry)
