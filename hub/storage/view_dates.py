"""A view's own clock: when is an object added to it (ARCHITECTURE 5)?

Invariants:
* dates of one view strictly increase, whatever the wall clock does;
* at most 20 objects share a millisecond, so a reader that truncates its cursor to milliseconds
  gets repeats and never a gap or an endless loop;
* one view's dates say nothing of another's;
* a date lies ``LEAD`` ahead of the clock, so ahead of the moment at which its commit is seen.

>>> next_dates(5_000, 0, 0, 2)
([5000, 5001], 2)
>>> next_dates(5_000, 7_000, 20, 1)
([8000], 1)
"""

from __future__ import annotations

PER_MILLISECOND = 20
LEAD = 5_000_000
"""Microseconds from the node's clock to the dates that it gives out.

A reader that keeps the time of its own clock asks, the next time, for what came after its last
question. What was dated before that question but committed after it would be lost to it for ever:
measured with four producers, nearly all of the objects. The lead has to be longer than a commit
takes from reading the clock to being seen (a part of a publication, 4,096 objects, takes one to
two seconds here); what it costs such a reader is five seconds of repeats.
"""


def next_dates(now: int, last: int, in_millisecond: int, count: int) -> tuple[list[int], int]:
    """Give out ``count`` dates in microseconds since 1970.

    Args:
        now: the node's clock.
        last: the view's last date, 0 at first.
        in_millisecond: how many dates the millisecond of ``last`` holds.
        count: how many dates are wanted.

    Returns:
        The dates, and how many the millisecond of the last one holds now.
    """
    dates: list[int] = []
    while len(dates) < count:
        date = max(now, last + 1)
        if date // 1000 != last // 1000:
            in_millisecond = 0
        elif in_millisecond >= PER_MILLISECOND:
            date = (last // 1000 + 1) * 1000
            in_millisecond = 0
        # All that the millisecond still holds, at once.
        end = (date // 1000 + 1) * 1000
        taken = min(count - len(dates), PER_MILLISECOND - in_millisecond, end - date)
        dates.extend(range(date, date + taken))
        in_millisecond += taken
        last = date + taken - 1
    return dates, in_millisecond
