"""How many jobs of a kind run at once, and which of them may keep others waiting.

A peer that hangs or answers by drops holds the thread that asks it. Eight of them together could
hold all eight lanes of the pulls for minutes (THREATS 3.13). Invariants:
* a job that runs longer than a few seconds counts in the narrow slow lane from then on, as far as
  that has room, and its place in the wide one is free for others;
* whose last turn was slow begins in the slow lane, so that it can only delay other slow ones;
* while others wait, a long job gives its lane up after a slice of time and goes on at the end of
  the queue; where nobody waits nobody is interrupted.

What is known of slow ones is forgotten by a restart, which costs each of them those few seconds.

What it does not do: claim jobs (``storage.queries.jobs``) or run them (``jobs``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from hub.storage.queries.jobs import Job

SLOW_AFTER_SECONDS: Final = 5.0
SLICE_SECONDS: Final = 20.0
"""After it a job whose kind is crowded ends at its next step."""
MOST_REMEMBERED: Final = 500
"""Subjects that are known to be slow; they are named in a query."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many more jobs may begin: of anybody, and of those that are known to be slow."""

    quick: int
    slow: int


@dataclass(frozen=True, slots=True)
class _InHand:
    job: Job
    since: float


class Lane:
    """The jobs of one kind that are at work.

    Args:
        width: how many run at once.
        slow_width: how many slow ones run beside them; without any, all count alike.
        slow_after: seconds.
        clock: in seconds, for durations alone.
    """

    def __init__(
        self,
        width: int,
        slow_width: int = 0,
        *,
        slow_after: float = SLOW_AFTER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.width = width
        self.slow_width = slow_width
        self.is_crowded = False
        self._slow_after = slow_after
        self._clock = clock
        self._lock = threading.Lock()
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._running: dict[Future[None], _InHand] = {}

    @property
    def threads(self) -> int:
        """How many jobs may be at work together."""
        return self.width + self.slow_width

    def begin(self, work: Future[None], job: Job) -> None:
        """Note a job that was handed to a thread."""
        self._running[work] = _InHand(job, self._clock())

    def in_hand(self) -> dict[Future[None], Job]:
        """List the jobs that have not ended."""
        self._running = {work: held for work, held in self._running.items() if not work.done()}
        return {work: held.job for work, held in self._running.items()}

    def room(self) -> Room:
        """Tell how many more jobs may begin now."""
        self.in_hand()
        now, known = self._clock(), self.slow_subjects()
        slow = sum(
            held.job.subject in known or now - held.since > self._slow_after
            for held in self._running.values()
        )
        # More slow ones than their lane takes stand in the wide one, where they began.
        apart = min(slow, self.slow_width)
        quick = self.width - (len(self._running) - apart)
        return Room(max(0, quick), self.slow_width - apart)

    def note_duration(self, job: Job, seconds: float) -> None:
        """Remember whether a job that has ended was slow; called by the thread that ran it."""
        with self._lock:
            self._slow.pop(job.subject, None)
            if self.slow_width and seconds > self._slow_after:
                self._slow[job.subject] = None
            while len(self._slow) > MOST_REMEMBERED:
                self._slow.popitem(last=False)

    def slow_subjects(self) -> frozenset[str]:
        """List whose last turn was slow."""
        with self._lock:
            return frozenset(self._slow)
