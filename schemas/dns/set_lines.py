"""One line of a domain set's list: a name, and the days on which it counts (DNS 1).

Invariants:
* a window has both its days, is not empty, and its end is an instant that every clock can compare;
* the windows of one name, once merged, neither overlap nor touch.

Does not: check names; read or write lists (``domain_sets``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from schemas.errors import WireFormatError

_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""Days whose next midnight exists in every clock that has to compare with it."""
_ONE_DAY = timedelta(days=1)


# A tuple and no dataclass: a million are made of one list, and they are compared and sorted.
class SetLine(NamedTuple):
    """One line of a list.

    Args:
        name: an A-label in lower case.
        first: the first UTC day on which it counts; None in a list without dates.
        last: the last such day, inclusive.
    """

    name: str
    first: date | None = None
    last: date | None = None

    def is_on(self, day: date) -> bool:
        """Tell whether the line counts on a day; without dates it always does."""
        return self.first is None or self.last is None or self.first <= day <= self.last

    @property
    def valid_from(self) -> datetime | None:
        """Return the instant from which it counts: the midnight that begins its first day."""
        return None if self.first is None else datetime.combine(self.first, time(), UTC)

    @property
    def valid_until(self) -> datetime | None:
        """Return the instant from which it no longer counts: the midnight after its last day."""
        return None if self.last is None else datetime.combine(self.last + _ONE_DAY, time(), UTC)


def merged(lines: Iterable[SetLine]) -> Iterator[SetLine]:
    """Merge sorted windows of one name that overlap or touch."""
    held: SetLine | None = None
    for line in lines:
        if held is None or held.name != line.name or not _touch(held, line):
            if held is not None:
                yield held
            held = line
        else:
            held = held._replace(last=max(_day(held.last), _day(line.last)))
    if held is not None:
        yield held


def _touch(one: SetLine, later: SetLine) -> bool:
    return _day(later.first) <= _day(one.last) + _ONE_DAY


def _day(day: date | None) -> date:
    if day is None:
        raise WireFormatError("E_SET_DATES", "a window has a first and a last day")
    return day


def require_window(line: SetLine) -> None:
    """Refuse a line whose window is none.

    Raises:
        WireFormatError: ``E_SET_DATES``.
    """
    first, last = _day(line.first), _day(line.last)
    if first > last or first.year < _FIRST_YEAR or last.year > _LAST_YEAR:
        raise WireFormatError("E_SET_DATES", f"no window of days: {line.name}, {first} to {last}")
