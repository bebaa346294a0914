"""How many entries to ask for at once, so that an answer ends within its 30 seconds.

Decides the next ``limit`` (PROTOCOL 2.6) from how long the last page took.

Invariants:
* between 1 and 100; a line that bears whole pages gets whole pages;
* a page that took too long makes the next one smaller in proportion, one that never ended much
  smaller; what is quick grows again, so that one bad hour does not last;
* a page that is small because the feed ends there says nothing about a long way: a satellite
  answers one entry as slowly as fifty.

What it does not do: measure, or try again.

>>> PageSize().after(100, seconds=40.0)
PageSize(limit=20)
>>> PageSize(limit=20).after(20, seconds=0.5)
PageSize(limit=80)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FULL: Final = 100
TARGET_SECONDS: Final = 8.0
"""A quarter of what a request may take: lines have worse minutes than the one just measured."""
ENTRY_BYTES: Final = 8_192
"""Of a typical full entry on the wire, compressed; only for a first guess."""
_AFTER_TIMEOUT: Final = 8


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many entries to ask for."""

    limit: int = FULL

    def after(self, entries: int, *, seconds: float) -> PageSize:
        """Return the size after a page that came.

        Args:
            entries: how many it held.
            seconds: how long it took in all.
        """
        if entries and seconds > TARGET_SECONDS:
            fits = int(min(entries, self.limit) * TARGET_SECONDS / seconds)
            return PageSize(max(1, fits))
        if entries >= self.limit and seconds < TARGET_SECONDS / 2:
            factor = 4 if seconds < TARGET_SECONDS / 8 else 2
            return PageSize(min(FULL, self.limit * factor))
        return self

    def after_timeout(self) -> PageSize:
        """Return the size after a page that did not come in time."""
        return PageSize(max(1, self.limit // _AFTER_TIMEOUT))

    def within(self, rate: float | None) -> PageSize:
        """Return the size that a line's budget bears, when it is known.

        Args:
            rate: bytes a second; None where there is no budget.
        """
        if rate is None:
            return self
        return PageSize(max(1, min(self.limit, int(rate * TARGET_SECONDS / ENTRY_BYTES))))
