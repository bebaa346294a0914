"""How long to wait before the next attempt at a peer (PROTOCOL 4.7).

Decides a delay from the number of failures in a row and one random number of the caller's.

Invariants:
* the bound doubles with each failure and never passes one hour, so that a peer that comes back is
  found within the hour, whatever it asked for;
* full jitter: the delay is anywhere below the bound, so that peers of a node that was down do not
  all return at one moment;
* never less than a second after a failure.

What it does not do: draw the random number, keep the count, or sleep.

>>> next_delay(1, 1.0), next_delay(3, 0.5)
(datetime.timedelta(seconds=10), datetime.timedelta(seconds=20))
>>> next_delay(40, 1.0)
datetime.timedelta(seconds=3600)
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

FIRST_BOUND: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(hours=1)
SHORTEST: Final = timedelta(seconds=1)
PULL_INTERVAL: Final = timedelta(minutes=5)
PULL_SPREAD: Final = 0.2
"""A pull comes up to this part of the interval earlier or later."""


def next_delay(failures: int, jitter: float, retry_after: timedelta | None = None) -> timedelta:
    """Return the wait before the next attempt.

    Args:
        failures: failures in a row, 0 when the last attempt worked.
        jitter: 0 to 1, drawn evenly by the caller.
        retry_after: what the other side asked for, at most the longest wait.
    """
    _check_jitter(jitter)
    if failures <= 0:
        return timedelta(0)
    # The exponent is bounded before the power: a peer may have been away for months.
    bound = min(FIRST_BOUND * (1 << min(failures - 1, 16)), LONGEST)
    asked = timedelta(0) if retry_after is None else min(retry_after, LONGEST)
    return max(bound * jitter, asked, SHORTEST)


def next_pull_delay(jitter: float) -> timedelta:
    """Return the wait between two pulls that work: five minutes, give or take a fifth."""
    _check_jitter(jitter)
    return PULL_INTERVAL * (1 + PULL_SPREAD * (2 * jitter - 1))


def _check_jitter(jitter: float) -> None:
    if not 0 <= jitter <= 1:
        raise ValueError("jitter is a number from 0 to 1")
