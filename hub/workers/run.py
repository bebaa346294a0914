"""The worker: a loop that claims what is due and hands it to a few threads.

Invariants:
* one pull and one wake-up at a time for a peer: the queue has one row for each, and the lease
  keeps other threads and processes off;
* pulls and wake-ups have lanes of their own, so that peers that do not answer wake-ups cannot
  hold up the pulls; every request ends in half a minute (``GuardedHttp``), so that a lane full of
  hanging peers empties by itself;
* no busy loop: the queue is looked at ten times a second at most, and only when the database has
  changed or something has become due; between that the thread sleeps;
* stopping lets the jobs in hand end; what does not is claimed again when its lease has ended.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from types import MappingProxyType

from federation.transport.guarded_http import GuardedHttp
from hub.node import Node
from hub.peers.outbound import open_http
from hub.storage.queries.jobs import Job, claim_jobs, next_due, renew_leases
from hub.workers.jobs import KINDS, LEASE, NAMES, PUBLISH, PULL, WAKE, run_job
from hub.workers.schedule import plan_work
from schemas.errors import TocsinError

LANES: Mapping[str, int] = MappingProxyType({PULL: 8, WAKE: 4, PUBLISH: 1, NAMES: 1})
"""How many jobs of a kind run at once in this process."""
LOOK_SECONDS = 0.1
PLAN_SECONDS = 20.0
STOP_SECONDS = 35.0
"""A little more than the longest request."""

_log = logging.getLogger("tocsin.worker")


class Worker:
    """Runs a node's jobs in the background, or in the caller's thread by ``run``.

    Args:
        node: whose jobs.
        lanes: how many jobs of each kind run at once.
        jitter: gives numbers from 0 to 1; spreads what would else happen at one moment.
    """

    def __init__(
        self,
        node: Node,
        *,
        lanes: Mapping[str, int] = LANES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._node = node
        self._lanes = dict(lanes)
        self._jitter = jitter
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._running: dict[str, dict[Future[None], Job]] = {kind: {} for kind in lanes}

    def start(self) -> None:
        """Begin to work in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="tocsin-worker", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Stop claiming, and wait for the jobs in hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def run(self) -> None:
        """Work until ``stop`` is called from another thread."""
        pool = ThreadPoolExecutor(sum(self._lanes.values()), thread_name_prefix="tocsin-job")
        # A clock that only decides when to look is not the node's clock.
        look = Look(self._node)
        with open_http(self._node) as http:
            while not self._stopping.is_set():
                try:
                    self._plan_when_due(look)
                    if look.is_worthwhile(self._node.now()):
                        look.due = self._start_due(pool, http)
                except TocsinError as error:
                    # The database is busy or away; nothing is lost, the queue is a table.
                    _log.warning("the queue cannot be read: %s", error)
                self._stopping.wait(LOOK_SECONDS)
            self._finish(pool)

    def _plan_when_due(self, look: Look) -> None:
        if look.is_time_to_plan():
            self._renew()
            plan_work(self._node)
            look.planned()

    def _start_due(self, pool: ThreadPoolExecutor, http: GuardedHttp) -> datetime | None:
        """Claim what is due and fits into the lanes; return when to look again by the clock."""
        now = self._node.now()
        for kind, width in self._lanes.items():
            self._running[kind] = self._in_hand(kind)
            free = width - len(self._running[kind])
            with self._node.database.read() as tx:
                due = next_due(tx, (kind,), now)
            if due is None or due > now or free <= 0:
                continue
            with self._node.database.write(durable=False) as tx:
                jobs = claim_jobs(tx, now, LEASE, free, (kind,))
            for job in jobs:
                self._running[kind][self._submit(pool, job, http)] = job
        with self._node.database.read() as tx:
            return next_due(tx, KINDS, now)

    def _submit(self, pool: ThreadPoolExecutor, job: Job, http: GuardedHttp) -> Future[None]:
        return pool.submit(
            run_job,
            self._node,
            job,
            http=http,
            jitter=self._jitter,
            is_stopping=self._stopping.is_set,
        )

    def _in_hand(self, kind: str) -> dict[Future[None], Job]:
        return {work: job for work, job in self._running[kind].items() if not work.done()}

    def _renew(self) -> None:
        jobs = [job for kind in self._lanes for job in self._in_hand(kind).values()]
        if jobs:
            with self._node.database.write(durable=False) as tx:
                renew_leases(tx, jobs, self._node.now() + LEASE)

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        _, late = wait([work for kind in self._lanes for work in self._in_hand(kind)], STOP_SECONDS)
        if late:
            _log.warning("%d jobs did not end in time; their leases will", len(late))
        pool.shutdown(wait=not late, cancel_futures=True)


class Look:
    """Whether looking at the queue is worth it now."""

    def __init__(self, node: Node) -> None:
        self._changed = node.database.data_version()
        self._planned_at: float | None = None
        self.due: datetime | None = None

    def is_time_to_plan(self) -> bool:
        """Tell whether the last planning is old."""
        return self._planned_at is None or time.monotonic() - self._planned_at >= PLAN_SECONDS

    def planned(self) -> None:
        """Note that planning is done."""
        self._planned_at = time.monotonic()

    def is_worthwhile(self, now: datetime) -> bool:
        """Tell whether the database has changed since, or something is due by now."""
        # Asked first and always, so that no change is taken for an old one.
        changed = self._changed()
        return changed or (self.due is not None and self.due <= now)
