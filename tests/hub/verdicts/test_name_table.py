"""The slim table of names."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.verdicts.name_table import NameTable


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=12), st.integers(1, 65_535), max_size=300), st.text())
def test_it_finds_what_was_put_in_and_nothing_else(names: dict[str, int], other: str) -> None:
    table = NameTable()
    for name, number in names.items():
        table.put(name, number)
    assert {name: table.find(name) for name in names} == names
    assert table.find(other) == names.get(other, 0)
    assert len(table) == len(names)


def test_a_name_put_in_again_has_its_newest_number() -> None:
    table = NameTable()
    table.put("evil.example", 1)
    table.put("evil.example", 2)
    assert table.find("evil.example") == 2
    assert len(table) == 1


def test_a_hundred_thousand_names_take_a_few_mebibytes() -> None:
    table = NameTable()
    for number in range(100_000):
        table.put(f"n{number}.example", 1)
    taken = sys.getsizeof(table.hashes) + sys.getsizeof(table._numbers)
    assert taken / 100_000 * 1_000_000 < 50 * 2**20  # of a million
