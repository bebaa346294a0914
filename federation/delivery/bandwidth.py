"""How much of a thin line may be used, and by whom first.

Decides how long a transfer has to wait, from what went over the line before.

Invariants:
* over any longer time no more goes over the line than the budget allows: what is sent ahead of
  its time is a debt, and a debt is waited for;
* who goes first (``plan.Turn``) may begin while there is still a debt, and who goes last begins
  when there is none: so what is urgent overtakes what is not, without a queue that somebody who
  hangs could block;
* nobody is shut out: a debt drains by itself, and then each has a turn.

A transfer is not slowed down while it runs, since it has to end within its 30 seconds
(PROTOCOL 4.7); ``page_size`` keeps single ones short.

What it does not do: read a clock or wait.

>>> full = spend(Bucket(rate=1000.0), 10_000, now=0.0)
>>> wait_for(full, Turn.CLEAR, now=0.0), wait_for(full, Turn.IMMEDIATE, now=0.0)
(6.0, 0.0)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from federation.delivery.plan import Turn

DEBT_ALLOWED: Final[Mapping[Turn, float]] = MappingProxyType(
    {
        Turn.IMMEDIATE: 60.0,
        Turn.PRIORITY: 30.0,
        Turn.DIRECT: 7.0,
        Turn.GROUP: 6.0,
        Turn.GREEN: 5.0,
        Turn.CLEAR: 4.0,
        Turn.RELAYED: 2.0,
        Turn.BLOB: 0.0,
    }
)
"""Seconds of debt with which a transfer of this turn may still begin."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One direction of a line.

    Args:
        rate: bytes a second.
        debt: bytes that went over it ahead of their time, as of ``at``.
        at: seconds on any clock that does not go back.
    """

    rate: float
    debt: float = 0.0
    at: float = 0.0


def spend(bucket: Bucket, size: int, *, now: float) -> Bucket:
    """Count what went over the line."""
    return replace(bucket, debt=debt_at(bucket, now) + size, at=max(now, bucket.at))


def debt_at(bucket: Bucket, now: float) -> float:
    """Return the bytes that are still ahead of their time."""
    return max(0.0, bucket.debt - bucket.rate * max(0.0, now - bucket.at))


def wait_for(bucket: Bucket, turn: Turn, *, now: float) -> float:
    """Return the seconds after which a transfer of this turn may begin, if nothing else does."""
    return max(0.0, debt_at(bucket, now) / bucket.rate - DEBT_ALLOWED[turn])
