"""The worker: a loop that claims what is due and hands it to a few threads.

Invariants:
* one pull and one wake-up at a time for a peer: the queue has one row for each, and the lease
  keeps other threads and processes off;
* each kind has lanes of its own, so that peers that do not answer wake-ups cannot hold up the
  pulls; slow peers stand aside and share (``lanes``), and every request ends in half a minute
  (``GuardedHttp``), so that a lane full of hanging peers empties by itself;
* no busy loop: the queue is looked at when a write of this process has asked for work, else only
  when the database has changed (another process, such as a command) or something has become due,
  50 times a second at most; between that the thread sleeps;
* stopping lets the jobs in hand end; what does not is claimed again when its lease has ended.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from types import MappingProxyType

from federation.transport.guarded_http import GuardedHttp
from hub.exchange.import_servers import IMPORT
from hub.exports.keep_current import EXPORTS
from hub.incidents.watch_delegations import DELEGATIONS
from hub.node import Node
from hub.peers.outbound import open_http
from hub.peers.owed_acks import ACK
from hub.peers.own_document import TELL
from hub.peers.push import PUSH
from hub.peers.self_check import SELF_CHECK, begin_self_check
from hub.peers.tell import GOSSIP
from hub.peers.wanted_blobs import BLOB
from hub.storage.queries.jobs import Job, claim_jobs, next_due, renew_leases
from hub.verdicts.marks import VERDICTS
from hub.workers.jobs import ALARMS, KINDS, LEASE, NAMES, PUBLISH, PULL, WAKE, run_job
from hub.workers.lanes import SLICE_SECONDS, SLOW_AFTER_SECONDS, Lane, Room
from hub.workers.schedule import plan_work
from schemas.errors import TocsinError

LANES: Mapping[str, int] = MappingProxyType(
    {
        SELF_CHECK: 1, PULL: 8, WAKE: 4, PUSH: 4, GOSSIP: 2, PUBLISH: 1, NAMES: 1, TELL: 4, ACK: 2,
        VERDICTS: 1, EXPORTS: 1, ALARMS: 1, BLOB: 2, DELEGATIONS: 1, IMPORT: 1,
    }
)  # fmt: skip
"""How many jobs of a kind run at once in this process."""
SLOW_LANES: Mapping[str, int] = MappingProxyType({PULL: 4, PUSH: 2, BLOB: 2})
"""How many slow ones run beside them."""
LOOK_SECONDS = 0.02
BLIND_LOOK_SECONDS = 0.1
"""Where each look is a query, because the database does not say whether it has changed, and where
all that can be done is done."""
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
        slow_after: seconds after which a job stands aside.
        time_slice: seconds after which one that keeps others waiting makes room.
    """

    def __init__(
        self,
        node: Node,
        *,
        lanes: Mapping[str, int] = LANES,
        jitter: Callable[[], float] = random.random,
        slow_after: float = SLOW_AFTER_SECONDS,
        time_slice: float = SLICE_SECONDS,
    ) -> None:
        self._node = node
        self._slice = time_slice
        self._lanes = {
            kind: Lane(width, SLOW_LANES.get(kind, 0), slow_after=slow_after)
            for kind, width in lanes.items()
        }
        self._jitter = jitter
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._planning: Future[None] | None = None

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
        threads = 1 + sum(lane.threads for lane in self._lanes.values())
        pool = ThreadPoolExecutor(threads, thread_name_prefix="tocsin-job")
        # A clock that only decides when to look is not the node's clock.
        look = Look(self._node)
        has_begun = False
        database = self._node.database
        pause = LOOK_SECONDS if database.tells_changes else BLIND_LOOK_SECONDS
        with open_http(self._node) as http, database.work_asked_for() as asked:
            while not self._stopping.is_set():
                try:
                    if not has_begun:
                        begin_self_check(self._node)
                        has_begun = True
                    self._plan_when_due(look, pool)
                    if look.is_worthwhile(self._node.now()):
                        look.due = self._start_due(pool, http)
                except TocsinError as error:
                    # The database is busy or away; nothing is lost, the queue is a table.
                    _log.warning("the queue cannot be read: %s", error)
                asked.wait(pause)
                asked.clear()
            self._finish(pool)

    def _plan_when_due(self, look: Look, pool: ThreadPoolExecutor) -> None:
        """Plan beside the jobs: with many peers it takes long, and what is asked for waits not."""
        if self._planning is not None and self._planning.done():
            planning, self._planning = self._planning, None
            planning.result()  # where it failed it is tried again
            look.planned()
        if self._planning is None and look.is_time_to_plan():
            self._renew()
            self._planning = pool.submit(plan_work, self._node)

    def _start_due(self, pool: ThreadPoolExecutor, http: GuardedHttp) -> datetime | None:
        """Claim what is due and fits into the lanes; return when to look again by the clock."""
        now = self._node.now()
        with self._node.database.read() as tx:
            due = next_due(tx, KINDS, now)
        is_due = due is not None and due <= now
        for kind, lane in self._lanes.items():
            lane.is_crowded = is_due and self._is_due(kind, now)
            room = lane.room()
            if not lane.is_crowded or not (room.quick or room.slow):
                continue
            for job in self._claim(kind, lane, room, now):
                lane.begin(pool.submit(self._work, job, lane, http), job)
            lane.is_crowded = self._is_due(kind, now)
        if not is_due:
            return due
        with self._node.database.read() as tx:
            due = next_due(tx, KINDS, now)
        # What is due still has no room in its lane: whatever ends there is a change to be seen.
        return None if due is None else max(due, now + timedelta(seconds=BLIND_LOOK_SECONDS))

    def _is_due(self, kind: str, now: datetime) -> bool:
        with self._node.database.read() as tx:
            due = next_due(tx, (kind,), now)
        return due is not None and due <= now

    def _claim(self, kind: str, lane: Lane, room: Room, now: datetime) -> tuple[Job, ...]:
        slow = lane.slow_subjects()
        with self._node.database.write(durable=False) as tx:
            jobs = claim_jobs(tx, now, LEASE, room.quick, (kind,), without=slow)
            if slow:
                jobs += claim_jobs(tx, now, LEASE, room.slow, (kind,), only=slow)
        return jobs

    def _work(self, job: Job, lane: Lane, http: GuardedHttp) -> None:
        """Run a job in a thread of the pool."""
        begun = time.monotonic()

        def is_stopping() -> bool:
            late = lane.is_crowded and time.monotonic() - begun > self._slice
            return late or self._stopping.is_set()

        try:
            run_job(self._node, job, http=http, jitter=self._jitter, is_stopping=is_stopping)
        finally:
            lane.note_duration(job, time.monotonic() - begun)

    def _renew(self) -> None:
        jobs = [job for lane in self._lanes.values() for job in lane.in_hand().values()]
        if jobs:
            with self._node.database.write(durable=False) as tx:
                renew_leases(tx, jobs, self._node.now() + LEASE)

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        working = [work for lane in self._lanes.values() for work in lane.in_hand()]
        _, late = wait(working, STOP_SECONDS)
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
