"""Waiting before the next attempt (PROTOCOL 4.7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.delivery.backoff import (
    LONGEST,
    PULL_INTERVAL,
    SHORTEST,
    next_delay,
    next_pull_delay,
)

JITTER = st.floats(0, 1)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (8, 1280), (9, 2560), (10, 3600)]
)
def test_the_bound_doubles_up_to_one_hour(failures: int, seconds: int) -> None:
    assert next_delay(failures, 1.0) == timedelta(seconds=seconds)


def test_nothing_is_waited_after_a_success() -> None:
    assert next_delay(0, 1.0) == timedelta(0)


@given(st.integers(1, 10**9), JITTER)
def test_between_a_second_and_an_hour_after_any_number_of_failures(
    failures: int, jitter: float
) -> None:
    assert SHORTEST <= next_delay(failures, jitter) <= LONGEST


@given(st.integers(1, 30), JITTER)
def test_more_failures_never_wait_less(failures: int, jitter: float) -> None:
    assert next_delay(failures, jitter) <= next_delay(failures + 1, jitter)


def test_jitter_is_full() -> None:
    assert next_delay(5, 0.5) == next_delay(5, 1.0) / 2


def test_what_the_other_side_asks_for_is_kept_up_to_the_hour() -> None:
    assert next_delay(1, 0.0, timedelta(minutes=7)) == timedelta(minutes=7)
    assert next_delay(1, 0.0, timedelta(days=3650)) == LONGEST


@given(JITTER)
def test_pulls_come_every_five_minutes_give_or_take_one(jitter: float) -> None:
    assert abs(next_pull_delay(jitter) - PULL_INTERVAL) <= timedelta(minutes=1)


@pytest.mark.parametrize("jitter", [-0.1, 1.1, float("nan")])
def test_a_jitter_outside_its_range_is_a_mistake_of_the_caller(jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter"):
        next_delay(1, jitter)
    with pytest.raises(ValueError, match="jitter"):
        next_pull_delay(jitter)
