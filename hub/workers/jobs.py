"""Run one job: a pull from a peer, a wake-up to it, the publication of a collection, and others.

``RUNNERS`` is the one table of kinds: a new one has its line there and its lane in ``run.LANES``.

Invariants:
* whatever happens in a job, it ends in the queue with the time of its next turn;
* a failure makes the next wait longer, with jitter; the count is in the queue, so a restart does
  not begin anew;
* a worker that outlived its lease ends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from federation.delivery.backoff import PULL_SPREAD, next_delay
from federation.errors import PeerState
from federation.transport.guarded_http import GuardedHttp
from hub.errors import NotFound
from hub.exchange.import_servers import IMPORT, require_server, run_server
from hub.exchange.publishing_collections import publish_collection
from hub.exports.keep_current import EXPORTS, keep_current, request_exports
from hub.incidents.watch_delegations import DELEGATIONS, WATCH_INTERVAL, watch_delegations
from hub.monitoring.alarm_syslog import send_alarms
from hub.node import Node
from hub.peers.acknowledge import send_acks
from hub.peers.fetch_blobs import fetch_blob
from hub.peers.gossip import gossip_with
from hub.peers.names import check_names
from hub.peers.node_updates import tell_documents
from hub.peers.outbound import http_or_own
from hub.peers.owed_acks import ACK
from hub.peers.own_document import TELL
from hub.peers.pull import pull_peer
from hub.peers.push import PUSH, push_peer
from hub.peers.rotate_keys import turn_keys
from hub.peers.self_check import SELF_CHECK, check_own_feeds
from hub.peers.standing import is_reading
from hub.peers.tell import GOSSIP
from hub.peers.wake import wake_peer
from hub.peers.wanted_blobs import BLOB, plan_blobs
from hub.storage.queries.jobs import Job, claim_jobs, finish_job, request_job
from hub.storage.queries.peers import PeerRow, find_peer
from hub.verdicts.fuse import refresh_verdicts
from hub.verdicts.marks import VERDICTS
from schemas.errors import TocsinError
from schemas.identifiers import NodeId

PULL, WAKE, PUBLISH, NAMES, ALARMS = "pull", "wake", "publish", "names", "alarms"
NAMES_INTERVAL = timedelta(days=1)
NO_ACKS_WAIT = timedelta(days=1)
LONGEST_ALARM_WAIT = timedelta(minutes=5)
LEASE = timedelta(minutes=1)
"""Renewed while a job runs, so that the jobs of a process that was killed are soon free again."""
WHOLE_LEASE = timedelta(minutes=10)
"""Without renewal, longer than any job: a pull ends after four minutes and one more page."""

_log = logging.getLogger("tocsin.worker")


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended.

    Args:
        wait: until its next turn; None when there is none.
        error: the code of its failure, or None.
    """

    wait: timedelta | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at a claimed job, with what it may use."""

    node: Node
    job: Job
    http: GuardedHttp
    jitter: Callable[[], float]
    is_stopping: Callable[[], bool]

    def find_peer(self) -> PeerRow | None:
        """Find the peer that the job is about; None when it is gone."""
        with self.node.database.read() as tx:
            return find_peer(tx, NodeId(self.job.subject))


def run_due_jobs(
    node: Node,
    *,
    http: GuardedHttp | None = None,
    limit: int = 100,
    jitter: Callable[[], float] = lambda: 0.5,
) -> int:
    """Run the jobs that are due, one after the other, and tell how many there were."""
    with node.database.write(durable=False) as tx:
        jobs = claim_jobs(tx, node.now(), WHOLE_LEASE, limit, KINDS)
    with http_or_own(node, http) as way:
        for job in jobs:
            run_job(node, job, http=way, jitter=jitter)
    return len(jobs)


def run_job(
    node: Node,
    job: Job,
    *,
    http: GuardedHttp,
    jitter: Callable[[], float],
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Run a claimed job and end it in the queue.

    Args:
        is_stopping: tells whether a long pull should leave the rest for its next turn.
    """
    try:
        end = RUNNERS[job.kind](Turn(node, job, http, jitter, is_stopping))
    except TocsinError as error:
        end = _failed(job, error, jitter)
    except Exception:  # noqa: BLE001 - an outermost loop: one defect must not end the other jobs
        _log.exception("job %s of %s broke", job.kind, job.subject)
        end = JobEnd(next_delay(job.attempts + 1, jitter()), "E_INTERNAL")
    now = node.now()
    next_at = None if end.wait is None else now + end.wait
    with node.database.write(durable=False) as tx:
        if not finish_job(tx, job, now, next_at, end.error):
            _log.warning("job %s of %s lost its lease", job.kind, job.subject)


def _run_publish(turn: Turn) -> JobEnd:
    unfinished = publish_collection(turn.node, turn.job.subject).unfinished
    return JobEnd(timedelta(0) if unfinished else None)


def _run_wake(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is not None and peer.push_on:
        # It cannot come and get what it would be woken for.
        with turn.node.database.write(durable=False) as tx:
            request_job(tx, PUSH, peer.node_id, turn.node.now())
    elif peer is not None:
        wake_peer(turn.node, peer, http=turn.http)
    return JobEnd(None)


def _run_push(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is None or not peer.push_on:
        return JobEnd(None)
    outcome = push_peer(turn.node, peer, http=turn.http, is_stopping=turn.is_stopping)
    if outcome.error is not None:
        return _failed(turn.job, outcome.error, turn.jitter)
    return JobEnd(timedelta(0) if outcome.unfinished else None)


def _run_self_check(turn: Turn) -> JobEnd:
    standing = check_own_feeds(turn.node, http=turn.http).standing
    if standing.hold is None and not standing.unheard:
        return JobEnd(None)
    # Who was not heard in a doubt is asked again, less and less often; each pull asks as well.
    return JobEnd(next_delay(turn.job.attempts + 1, turn.jitter()), "E_SELF_CHECK")


def _run_tell(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is not None and is_reading(peer):
        tell_documents(turn.node, peer, http=turn.http)
        turn_keys(turn.node)
    return JobEnd(None)


def _run_names(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is None or not turn.node.settings.resolver:
        return JobEnd(None)
    check_names(turn.node, peer)
    return JobEnd(NAMES_INTERVAL * (1 + PULL_SPREAD * (2 * turn.jitter() - 1)))


def _run_gossip(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    told = None if peer is None else gossip_with(turn.node, peer, http=turn.http)
    return JobEnd(timedelta(0) if told is not None and told.unfinished else None)


def _run_pull(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is None:
        return JobEnd(None)
    outcome = pull_peer(turn.node, peer, http=turn.http, is_stopping=turn.is_stopping)
    if outcome.accepted:
        plan_blobs(turn.node)
    if outcome.failed and outcome.error is not None:
        return _failed(turn.job, outcome.error, turn.jitter)
    if outcome.unfinished:
        return JobEnd(timedelta(0))
    # What stopped one feed is no reason to ask for the others less often.
    return JobEnd(pull_wait(turn.node, turn.jitter()))


def _run_blob(turn: Turn) -> JobEnd:
    is_done = fetch_blob(turn.node, turn.job.subject, http=turn.http, is_stopping=turn.is_stopping)
    return JobEnd(None if is_done else timedelta(0))


def _run_ack(turn: Turn) -> JobEnd:
    peer = turn.find_peer()
    if peer is None or not is_reading(peer):
        return JobEnd(None)
    try:
        send_acks(turn.node, peer, http=turn.http)
    except PeerState as refused:
        if refused.code != "E_NOT_FOUND":
            raise
        # A node of release 0.1 takes no acks; what it is owed waits until it does.
        return JobEnd(NO_ACKS_WAIT, refused.code)
    return JobEnd(None)


def _run_verdicts(turn: Turn) -> JobEnd:
    while not (made := refresh_verdicts(turn.node)).is_finished:
        if turn.is_stopping():
            return JobEnd(timedelta(0))
    request_exports(turn.node)
    due = made.due_at
    return JobEnd(None if due is None else max(due - turn.node.now(), timedelta(0)))


def _run_delegations(turn: Turn) -> JobEnd:
    watch_delegations(turn.node)
    return JobEnd(WATCH_INTERVAL * (1 + PULL_SPREAD * (2 * turn.jitter() - 1)))


def _run_exports(turn: Turn) -> JobEnd:
    # What failed is an alarm and is tried again by itself: it must not slow the others down.
    due = keep_current(turn.node).due_at
    return JobEnd(None if due is None else max(due - turn.node.now(), timedelta(0)))


def _run_import(turn: Turn) -> JobEnd:
    try:
        row = require_server(turn.node, turn.job.subject)
    except NotFound:
        return JobEnd(None)  # it was removed
    run = run_server(turn.node, row.name, is_stopping=turn.is_stopping, actor="schedule")
    wait = timedelta(minutes=row.every_minutes) * (1 + PULL_SPREAD * (2 * turn.jitter() - 1))
    return JobEnd(timedelta(0) if run.unfinished else wait)


def _run_alarms(turn: Turn) -> JobEnd:
    sent = send_alarms(turn.node)
    if sent.error is not None:
        # Soon again: what a SIEM is not told of is news that grows old.
        wait = min(next_delay(turn.job.attempts + 1, turn.jitter()), LONGEST_ALARM_WAIT)
        return JobEnd(wait, sent.error)
    return JobEnd(timedelta(0) if sent.unfinished else None)


RUNNERS: Mapping[str, Callable[[Turn], JobEnd]] = MappingProxyType(
    {
        PULL: _run_pull,
        WAKE: _run_wake,
        PUSH: _run_push,
        GOSSIP: _run_gossip,
        PUBLISH: _run_publish,
        SELF_CHECK: _run_self_check,
        NAMES: _run_names,
        TELL: _run_tell,
        ACK: _run_ack,
        BLOB: _run_blob,
        VERDICTS: _run_verdicts,
        DELEGATIONS: _run_delegations,
        EXPORTS: _run_exports,
        IMPORT: _run_import,
        ALARMS: _run_alarms,
    }
)
"""What is done in a job of each kind."""
KINDS = tuple(RUNNERS)


def pull_wait(node: Node, jitter: float) -> timedelta:
    """Return the wait between two pulls that work: the setting, give or take a fifth."""
    interval = timedelta(seconds=node.settings.pull_interval_seconds)
    return interval * (1 + PULL_SPREAD * (2 * jitter - 1))


def _failed(job: Job, error: TocsinError, jitter: Callable[[], float]) -> JobEnd:
    if isinstance(error, PeerState) and error.code == "E_PEER_BLOCKED":
        return JobEnd(None, error.code)  # resuming the relation asks anew
    _log.info("job %s of %s failed: %s", job.kind, job.subject, error)
    asked = error.params.get("retry_after")
    retry_after = timedelta(seconds=asked) if isinstance(asked, int) else None
    return JobEnd(next_delay(job.attempts + 1, jitter(), retry_after), error.code)
