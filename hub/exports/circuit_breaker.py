"""Stop an export whose size jumps (issue 5, point 5; THREATS 38).

Decides by two sizes and by how many names were exchanged. A list that suddenly has twice its names,
or hardly any, is more often a mistake or an attack than the truth, and the last good list is never
far off.

Invariants:
* growth and loss count alike, as a share of the last good export;
* few names more or fewer are no jump, whatever share they are;
* where there was no last good export, or an empty one, nothing is compared: the cap on new blocks
  an hour bounds what comes first.

>>> is_jump(before=1_000, after=1_400, percent=50), is_jump(before=1_000, after=1_600, percent=50)
(False, True)
>>> is_jump(before=20, after=90, percent=50)
False
"""

from __future__ import annotations

from typing import Final

LEAST_NAMES: Final = 100
"""Fewer names more or fewer never stop an export."""


def is_jump(*, before: int, after: int, percent: int) -> bool:
    """Tell whether an export jumps.

    Args:
        before: names in the last good export.
        after: names in this one.
        percent: the largest change that passes; 0 switches the breaker off.
    """
    change = abs(after - before)
    if percent == 0 or before == 0 or change < LEAST_NAMES:
        return False
    return change * 100 > percent * before


def is_churn(*, before: int, changed: int, percent: int) -> bool:
    """Tell whether too much of an export was exchanged, whatever its size.

    A list whose names were all replaced has the size of the last good one.

    Args:
        before: names in the last good export.
        changed: names that came plus names that went.
        percent: the largest share that passes; 200 means that all were replaced, 0 switches it off.

    >>> is_churn(before=1_000, changed=900, percent=100)
    False
    >>> is_churn(before=1_000, changed=1_100, percent=100)
    True
    """
    if percent == 0 or before == 0 or changed < LEAST_NAMES:
        return False
    return changed * 100 > percent * before
