"""A view's own clock (ARCHITECTURE 5)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.storage.view_dates import PER_MILLISECOND, next_dates

CLOCK = st.integers(1_700_000_000_000_000, 1_700_000_000_009_000)


@given(st.lists(st.tuples(CLOCK, st.integers(1, 70)), min_size=1, max_size=12))
def test_dates_increase_and_no_millisecond_holds_more_than_twenty(commits):
    last = in_millisecond = 0
    given_out: list[int] = []
    for now, count in commits:
        dates, in_millisecond = next_dates(now, last, in_millisecond, count)
        assert len(dates) == count
        assert dates[0] >= now or given_out
        given_out += dates
        last = dates[-1]
    assert all(before < after for before, after in pairwise(given_out))
    assert max(Counter(date // 1000 for date in given_out).values()) <= PER_MILLISECOND


@given(CLOCK, CLOCK, st.integers(1, PER_MILLISECOND), st.integers(1, 70))
def test_many_dates_at_once_are_those_that_are_given_one_by_one(now, last, held, count):
    at_once = next_dates(now, last, held, count)
    one_by_one = []
    for _ in range(count):
        (last,), held = next_dates(now, last, held, 1)
        one_by_one.append(last)
    assert at_once == (one_by_one, held)


@given(st.lists(st.tuples(CLOCK, st.integers(1, 70)), min_size=1, max_size=6), st.data())
def test_a_reader_that_cuts_its_cursor_to_milliseconds_misses_nothing_and_ends(commits, data):
    last = in_millisecond = 0
    stored: list[int] = []
    for now, count in commits:
        dates, in_millisecond = next_dates(now, last, in_millisecond, count)
        stored += dates
        last = dates[-1]
    limit = data.draw(st.integers(PER_MILLISECOND + 1, 100))
    seen: set[int] = set()
    cursor = 0
    for _ in range(len(stored) + 1):
        page = [date for date in stored if date > cursor][:limit]
        if set(page) <= seen:
            break
        seen |= set(page)
        cursor = page[-1] // 1000 * 1000 - 1  # inclusive and cut off, the worst reader there is
    assert seen == set(stored)
