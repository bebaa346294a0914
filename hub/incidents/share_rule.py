"""Does a registrar's share of a threat type depart from its own past? The rule, and its bound.

Decides from the names of the week that ends now and of the weeks before it. A share departs when
all of this holds:

* there are at least ``LEAST_WEEKS`` earlier weeks in which names of the type were noted;
* the registrar has at least ``LEAST_NAMES`` names of it in this week;
* its share in this week is above its share in every earlier week, and at least ``LEAST_FACTOR``
  times its share of all of them: shares waver from week to week for reasons that are nobody's news;
* and chance makes it so at most once in ``1 / level``: the probability to draw as many of this
  registrar's names as this week has, or more, when this week's names are drawn from those of all
  the weeks together (the hypergeometric tail: Fisher's exact test, one-sided).

Invariants:
* the test is exact: it estimates nothing, so that when this week's names are like those of the
  weeks before, it tells a departure with a probability of at most the level, however few there are;
* the level is divided among all shares that have a past, and among the seven looks of a week
  (Bonferroni), so that a node has a false alarm in at most one week of a hundred;
* no alarm without a past: a node that has just begun to receive has none for eight weeks.

What it does not do: tell why. A report of one campaign moves a share, and is meant to.

>>> past = [Week(5, 100)] * 10
>>> find_departure(Week(8, 100), past, level=0.001) is None     # too few names
True
>>> find_departure(Week(30, 100), past, level=0.001).chance < 1e-9
True
>>> find_departure(Week(30, 100), past[:7], level=0.001) is None     # too short a past
True
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEAST_WEEKS: Final = 8
MOST_WEEKS: Final = 26
LEAST_NAMES: Final = 10
LEAST_FACTOR: Final = 2.0
FALSE_ALARMS_A_WEEK: Final = 0.01
"""In how many weeks at most a node has a false alarm, for all its shares together."""
LOOKS_A_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Week:
    """The names of one threat type in one week: of one registrar, and of all."""

    names: int
    of: int

    @property
    def share(self) -> float:
        """The registrar's share; 0 where there is nothing."""
        return self.names / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Departure:
    """A share that departs from its past.

    Args:
        chance: the probability of this week, were it like those before.
    """

    now: Week
    before: Week
    weeks: int
    chance: float


def level_for(shares: int) -> float:
    """Return the level of one look at one of so many shares."""
    return FALSE_ALARMS_A_WEEK / (LOOKS_A_WEEK * max(shares, 1))


def has_past(past: Sequence[Week]) -> bool:
    """Tell whether there are enough weeks before this one to compare with."""
    return sum(week.of > 0 for week in past[:MOST_WEEKS]) >= LEAST_WEEKS


def find_departure(now: Week, past: Sequence[Week], *, level: float) -> Departure | None:
    """Decide whether this week departs from those before it.

    Args:
        past: the weeks before, the last first; no more than ``MOST_WEEKS`` are read.
        level: see ``level_for``.
    """
    weeks = [week for week in past[:MOST_WEEKS] if week.of > 0]
    if len(weeks) < LEAST_WEEKS or now.names < LEAST_NAMES:
        return None
    before = Week(sum(week.names for week in weeks), sum(week.of for week in weeks))
    if now.share <= max(week.share for week in weeks) or now.share < LEAST_FACTOR * before.share:
        return None
    chance = chance_of(now, before)
    return Departure(now, before, len(weeks), chance) if chance <= level else None


def chance_of(now: Week, before: Week) -> float:
    """Return the probability to draw as many names of the registrar as this week has, or more.

    >>> round(chance_of(Week(2, 2), Week(0, 2)), 6)     # both of two, among four: 1 / C(4, 2)
    0.166667
    """
    every, marked, drawn = now.of + before.of, now.names + before.names, now.of
    most = min(drawn, marked)
    # Summed from the likeliest term of the tail downwards; the rest is less than any float.
    first = _log_choose(marked, now.names) + _log_choose(every - marked, drawn - now.names)
    term = math.exp(first - _log_choose(every, drawn))
    total = 0.0
    for found in range(now.names, most + 1):
        total += term
        if term < total * 1e-17:
            break
        misses = every - marked - drawn + found + 1
        term *= (marked - found) * (drawn - found) / ((found + 1) * misses)
    return min(total, 1.0)


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)
