"""Who uses a thin line, and how much of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.delivery.bandwidth import DEBT_ALLOWED, Bucket, debt_at, spend, wait_for
from federation.delivery.plan import Turn

RATE = 1_000.0


def test_an_empty_line_makes_nobody_wait() -> None:
    assert {wait_for(Bucket(RATE), turn, now=0.0) for turn in Turn} == {0.0}


def test_each_turn_waits_less_than_the_next_and_blobs_wait_for_a_free_line() -> None:
    busy = spend(Bucket(RATE), 90_000, now=0.0)
    waits = [wait_for(busy, turn, now=0.0) for turn in Turn]
    assert all(one < other for one, other in itertools.pairwise(waits))
    assert waits[Turn.IMMEDIATE] == 30.0
    assert waits[Turn.BLOB] == 90.0


def test_a_debt_drains_by_itself_and_does_not_become_credit() -> None:
    busy = spend(Bucket(RATE), 5_000, now=10.0)
    assert debt_at(busy, 12.0) == 3_000.0
    assert debt_at(busy, 1_000.0) == 0.0
    assert wait_for(busy, Turn.BLOB, now=15.0) == 0.0


def test_a_clock_that_goes_back_lengthens_no_debt() -> None:
    busy = spend(spend(Bucket(RATE), 1_000, now=10.0), 1_000, now=5.0)
    assert debt_at(busy, 10.0) == 2_000.0


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from(Turn), st.integers(0, 50_000), st.floats(0, 30)), max_size=40
    )
)
def test_nobody_gets_more_over_the_line_than_the_budget_and_one_advance(
    transfers: list[tuple[Turn, int, float]],
) -> None:
    bucket, now, sent = Bucket(RATE), 0.0, 0
    for turn, size, idle in transfers:
        now += idle
        now += wait_for(bucket, turn, now=now)
        bucket = spend(bucket, size, now=now)
        sent += size
        largest = max(size for _, size, _ in transfers)
        assert sent <= RATE * (now + max(DEBT_ALLOWED.values())) + largest + 1e-3


@pytest.mark.parametrize("turn", Turn)
def test_every_turn_is_allowed_some_debt_or_none(turn: Turn) -> None:
    assert DEBT_ALLOWED[turn] >= 0
