"""How many entries are asked for at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federation.delivery.page_size import FULL, PageSize


def test_a_good_line_gets_whole_pages() -> None:
    assert PageSize().limit == FULL
    assert PageSize().after(100, seconds=0.2) == PageSize()


def test_a_slow_page_makes_the_next_one_smaller_in_proportion() -> None:
    assert PageSize().after(100, seconds=16.0) == PageSize(50)
    assert PageSize(50).after(10, seconds=16.0) == PageSize(5)
    assert PageSize().after(1, seconds=29.0) == PageSize(1)


def test_a_page_that_never_came_makes_it_much_smaller() -> None:
    assert PageSize().after_timeout() == PageSize(12)
    assert PageSize(12).after_timeout().after_timeout() == PageSize(1)


def test_what_is_quick_grows_again_to_the_whole() -> None:
    sizes = [PageSize(1)]
    for _ in range(4):
        sizes.append(sizes[-1].after(sizes[-1].limit, seconds=0.5))
    assert [one.limit for one in sizes] == [1, 4, 16, 64, 100]
    assert PageSize(10).after(10, seconds=3.0) == PageSize(20)
    assert PageSize(10).after(10, seconds=6.0) == PageSize(10)


def test_the_end_of_a_feed_over_a_long_way_says_nothing() -> None:
    assert PageSize(50).after(1, seconds=0.6) == PageSize(50)
    assert PageSize(50).after(0, seconds=20.0) == PageSize(50)


def test_a_budget_sets_the_first_guess() -> None:
    assert PageSize().within(None) == PageSize()
    assert PageSize().within(8_000.0) == PageSize(7)  # 64 kbit/s
    assert PageSize().within(100.0) == PageSize(1)
    assert PageSize(3).within(1e9) == PageSize(3)


@given(st.integers(1, 100), st.integers(0, 100), st.floats(0, 1_000))
def test_a_size_stays_what_a_peer_takes(limit: int, entries: int, seconds: float) -> None:
    assert 1 <= PageSize(limit).after(entries, seconds=seconds).limit <= FULL
