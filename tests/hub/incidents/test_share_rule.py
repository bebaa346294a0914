"""A share departs from its own past seldom by chance, and soon when it does."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.incidents.share_rule import (
    FALSE_ALARMS_A_WEEK,
    LOOKS_A_WEEK,
    Week,
    chance_of,
    find_departure,
    has_past,
    level_for,
)

QUIET = [Week(5, 100)] * 10


@pytest.mark.parametrize(
    ("now", "past"),
    [
        (Week(9, 10), QUIET),  # fewer names than anybody should be woken for
        (Week(40, 100), QUIET[:7]),  # seven weeks are no past
        (Week(40, 100), [Week(0, 0)] * 20),  # nor are weeks in which nothing was seen
        (Week(40, 100), [*QUIET, Week(41, 100)]),  # it was higher before
        (Week(11, 100), QUIET),  # chance makes that too often
        (Week(399, 2_000), [Week(100, 1_000)] * 10),  # no chance, and not twice as many
    ],
)
def test_no_alarm_without_enough_of_all(now: Week, past: list[Week]) -> None:
    assert find_departure(now, past, level=0.001) is None


def test_a_new_registrar_among_known_ones_departs_from_nothing() -> None:
    departure = find_departure(Week(25, 200), [Week(0, 200)] * 12, level=1e-6)
    assert departure is not None
    assert (departure.before, departure.weeks) == (Week(0, 2_400), 12)


def test_the_level_is_divided_among_the_shares_and_the_looks() -> None:
    assert level_for(100) * 100 * LOOKS_A_WEEK == pytest.approx(FALSE_ALARMS_A_WEEK)
    assert level_for(0) == level_for(1)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_chance_is_the_exact_tail(data: st.DataObject) -> None:
    before = Week(data.draw(st.integers(0, 30)), 30 + data.draw(st.integers(0, 90)))
    of = data.draw(st.integers(1, 40))
    now = Week(data.draw(st.integers(0, of)), of)
    every, marked = now.of + before.of, now.names + before.names
    tail = sum(
        math.comb(marked, k) * math.comb(every - marked, now.of - k)
        for k in range(now.names, min(now.of, marked) + 1)
    )
    exact = Fraction(tail, math.comb(every, now.of))
    assert chance_of(now, before) == pytest.approx(float(exact), rel=1e-9)


def weeks_of(
    draw: random.Random, shares: list[float], count: int, least: int = 40
) -> list[list[int]]:
    """Names by registrar in each of so many weeks, of a volume that changes from week to week."""
    cumulated = [sum(shares[: n + 1]) for n in range(len(shares))]
    weeks = []
    for _ in range(count):
        found = [0] * len(shares)
        names = draw.randint(least, 300)
        for place in draw.choices(range(len(shares)), cum_weights=cumulated, k=names):
            found[place] += 1
        weeks.append(found)
    return weeks


def alarms(weeks: list[list[int]], registrars: int) -> int:
    """In how many of the last weeks a look at its end tells any departure."""
    told = 0
    for at in range(12, len(weeks)):
        pasts = [
            [Week(week[r], sum(week)) for week in reversed(weeks[:at])] for r in range(registrars)
        ]
        level = level_for(sum(has_past(past) for past in pasts))
        told += any(
            find_departure(Week(weeks[at][r], sum(weeks[at])), pasts[r], level=level)
            for r in range(registrars)
        )
    return told


def test_false_alarms_are_bounded() -> None:
    """Twenty registrars whose shares stay as they are, over three hundred weeks of looking."""
    shares = [1 / (n + 1) for n in range(20)]
    draw = random.Random(20_091)
    told = sum(alarms(weeks_of(draw, shares, 62), 20) for _ in range(6))
    assert told <= 1, "at one in a hundred 3 is the bound; one look a week has a seventh of it"


def test_a_registrar_whose_share_goes_from_three_to_eleven_in_a_hundred_is_told_at_once() -> None:
    """Avalanche: domains in bulk at few registrars, in a week of at least 150 names."""
    shares = [1 / (n + 1) for n in range(20)]
    moved = [*shares[:10], sum(shares) * 0.12, *shares[11:]]
    found = 0
    for seed in range(20):
        draw = random.Random(seed)
        weeks = weeks_of(draw, shares, 12) + weeks_of(draw, moved, 1, 150)
        found += alarms(weeks, 20)
    assert found >= 16
