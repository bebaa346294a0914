"""What an export changes, and when a person has to see it first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exports.changes import Changes, compare, line_of
from hub.exports.listed_name import ListedName
from tests.hub.exports.test_rpz import LISTED


def listed(*values: str) -> list[ListedName]:
    return [replace(LISTED, value=value) for value in sorted(values)]


def compared(old: list[ListedName], new: list[ListedName], *announced: str) -> Changes:
    return compare(len(old), [line_of(each) for each in old], new, announced)


@given(*[st.sets(st.text("ab-.0", min_size=1, max_size=3), max_size=12)] * 2)
def test_what_comes_and_goes_is_what_one_list_has_and_the_other_has_not(
    old: set[str], new: set[str]
) -> None:
    found = compared(listed(*old), listed(*new))
    assert (found.added, found.removed) == (len(new - old), len(old - new))
    assert found.first_added == tuple(sorted(new - old))[:10]
    assert found.first_removed == tuple(sorted(old - new))[:10]


def some(count: int, start: int = 0) -> list[ListedName]:
    return listed(*(f"n{number:04}.example" for number in range(start, start + count)))


@pytest.mark.parametrize(
    ("old", "new", "stopped"),
    [
        (some(200), some(300), False),
        (some(200), some(301), True),
        (some(200), some(99), True),
        (some(200), some(200, 100), False),
        (some(200), some(200, 101), True),
        (some(50), some(149), False),
    ],
)
def test_size_and_exchange_stop_it(
    old: list[ListedName], new: list[ListedName], stopped: bool
) -> None:
    found = compared(old, new)
    assert found.is_stopped(jump_percent=50, churn_percent=100) is stopped
    assert not found.is_stopped(jump_percent=0, churn_percent=0)


def test_what_a_person_announced_is_no_jump_when_it_comes_nor_when_it_goes() -> None:
    announced = [each.value for each in some(5_000, 1_000)]
    both = sorted([*some(200), *some(5_000, 1_000)], key=lambda each: each.value)
    for old, new in ((some(200), both), (both, some(200))):
        assert not compared(old, new, *announced).is_stopped(jump_percent=50, churn_percent=100)
        assert compared(old, new).is_stopped(jump_percent=50, churn_percent=100)


def test_without_the_last_list_at_hand_sizes_alone_count() -> None:
    assert compare(200, None, some(400)).is_stopped(jump_percent=50, churn_percent=100)
    assert not compare(None, None, some(400)).is_stopped(jump_percent=50, churn_percent=100)
