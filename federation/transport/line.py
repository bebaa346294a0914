"""The line of this node as its threads share it: one budget in, one budget out.

The rules are ``federation.delivery.bandwidth``; here are the clock, the lock and the waiting.

Invariants:
* without a budget nothing waits and nothing is counted;
* in and out are apart, since a line has both; each process counts for itself;
* no lock is held while somebody waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from federation.delivery.bandwidth import Bucket, spend, wait_for
from federation.delivery.plan import Turn

_BITS_A_BYTE: Final = 8
_SLICE: Final = 0.5
"""Seconds of one nap: whoever waits looks up that often whether to stop."""
_LEAST: Final = 0.001
"""What is left may be less than a clock can show."""


class Direction:
    """One direction of the line; safe to share between threads.

    Args:
        rate: bytes a second; None for no limit.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._bucket = None if rate is None else Bucket(rate, at=clock())

    def spend(self, size: int) -> None:
        """Count what went over the line."""
        with self._lock:
            if self._bucket is not None:
                self._bucket = spend(self._bucket, size, now=self._clock())

    def wait_for(self, turn: Turn) -> float:
        """Return how many seconds a transfer of this turn has to wait now."""
        with self._lock:
            bucket = self._bucket
        return 0.0 if bucket is None else wait_for(bucket, turn, now=self._clock())

    def wait(self, turn: Turn, is_late: Callable[[], bool] = lambda: False) -> None:
        """Wait until a transfer of this turn may begin, or until there is no time left."""
        while (seconds := self.wait_for(turn)) > 0 and not is_late():
            self._sleep(min(max(seconds, _LEAST), _SLICE))


class Line:
    """Both directions.

    Args:
        kbit: kilobits a second in each direction, 0 for no limit.
    """

    def __init__(
        self,
        kbit: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        rate = kbit * 1000 / _BITS_A_BYTE if kbit else None
        self.inbound = Direction(rate, clock, sleep)
        self.outbound = Direction(rate, clock, sleep)
