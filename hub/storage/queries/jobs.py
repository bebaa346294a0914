"""The job queue is the table: leases with a fence, one job a kind and subject (ARCHITECTURE 5).

Invariants:
* a job under a lease is nobody else's, and a worker that outlived its lease can end nothing: its
  fence is no longer the stored one;
* what is asked for while a job runs is not lost: the job runs once more;
* a wait after failures is in the table, so that a restart does not end it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.operations import JOBS
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job; ``fence`` must still be the stored one when it ends.

    ``attempts`` counts the failures in a row before this attempt.
    """

    job_id: int
    kind: str
    subject: str
    fence: int
    attempts: int


def request_job(
    tx: Transaction, kind: str, subject: str, at: datetime, *, hurry: bool = False
) -> None:
    """Ask for a job no later than ``at``; asked while it runs, it runs once more afterwards.

    Args:
        at: when it is due.
        hurry: also end a wait after failures. Without it the wait stands, since asking often
            must not turn into trying often; what ended is a sign that the other side is back.
    """
    tx.after_commit["work"] = tx.rouse
    row = tx.connection.execute(
        sa.select(JOBS).where(JOBS.c.kind == kind, JOBS.c.subject == subject)
    ).one_or_none()
    if row is None:
        tx.connection.execute(
            JOBS.insert().values(
                job_id=claim_numbers(tx, "job_id", 1),
                kind=kind,
                subject=subject,
                next_attempt_at=at,
                locked_until=None,
                fence=0,
                attempts=0,
                again=0,
            )
        )
        return
    waits = row.attempts > 0 and not hurry
    due = row.next_attempt_at if waits else min(at, row.next_attempt_at)
    tx.connection.execute(
        JOBS.update()
        .where(JOBS.c.job_id == row.job_id)
        .values(next_attempt_at=due, again=JOBS.c.again + 1)
    )


def claim_jobs(
    tx: Transaction,
    now: datetime,
    lease: timedelta,
    limit: int,
    kinds: Sequence[str],
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> tuple[Job, ...]:
    """Claim due jobs under a lease; one that another holds is passed over.

    Args:
        only: of these subjects alone, a few hundred at most.
        without: of none of these.
    """
    chosen = [JOBS.c.subject.in_(only)] if only is not None else []
    chosen += [JOBS.c.subject.not_in(without)] if without else []
    rows = tx.connection.execute(
        sa.select(JOBS)
        .where(JOBS.c.kind.in_(kinds), JOBS.c.next_attempt_at <= now, _is_free(now), *chosen)
        .order_by(JOBS.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        tx.connection.execute(
            JOBS.update()
            .where(JOBS.c.job_id == row.job_id)
            .values(locked_until=now + lease, fence=row.fence + 1, again=0)
        )
    return tuple(Job(r.job_id, r.kind, r.subject, r.fence + 1, r.attempts) for r in rows)


def renew_leases(tx: Transaction, jobs: Sequence[Job], until: datetime) -> None:
    """Keep claimed jobs a while longer; one whose lease was lost stays lost."""
    for job in jobs:
        tx.connection.execute(
            JOBS.update()
            .where(JOBS.c.job_id == job.job_id, JOBS.c.fence == job.fence)
            .values(locked_until=until)
        )


def finish_job(
    tx: Transaction, job: Job, now: datetime, next_at: datetime | None, error: str | None
) -> bool:
    """End a claimed job.

    Args:
        next_at: when it runs next; None forgets it unless it was asked for while it ran.
        error: the code of its failure, which also counts as an attempt.

    Returns:
        False when the lease was lost, or the job dropped, meanwhile; then nothing is changed.
    """
    row = tx.connection.execute(
        sa.select(JOBS.c.fence, JOBS.c.again).where(JOBS.c.job_id == job.job_id)
    ).one_or_none()
    if row is None or row.fence != job.fence:
        return False
    asked_again = row.again > 0 and error is None
    if asked_again:
        tx.after_commit["work"] = tx.rouse
    if next_at is None and not asked_again:
        tx.connection.execute(JOBS.delete().where(JOBS.c.job_id == job.job_id))
        return True
    tx.connection.execute(
        JOBS.update()
        .where(JOBS.c.job_id == job.job_id)
        .values(
            locked_until=None,
            next_attempt_at=now if asked_again else next_at,
            attempts=JOBS.c.attempts + 1 if error is not None else 0,
            again=0,
            last_error=error,
        )
    )
    return True


def next_due(tx: Transaction, kinds: Sequence[str], now: datetime) -> datetime | None:
    """Tell when the next job is due that nobody is at work on; None when there is none.

    A job under a lease does not count: whoever holds it may take long, and until then a worker
    that took it for due would ask without end.
    """
    found: datetime | None = tx.connection.execute(
        sa.select(JOBS.c.next_attempt_at)
        .where(JOBS.c.kind.in_(kinds), _is_free(now))
        .order_by(JOBS.c.next_attempt_at)
        .limit(1)
    ).scalar_one_or_none()
    return found


def subjects_with_job(tx: Transaction, kind: str) -> frozenset[str]:
    """List the subjects for which there is a job of this kind."""
    rows = tx.connection.execute(sa.select(JOBS.c.subject).where(JOBS.c.kind == kind))
    return frozenset(rows.scalars())


def drop_jobs(tx: Transaction, subject: str) -> None:
    """Forget the jobs of a subject; one that runs ends without effect on the queue."""
    tx.connection.execute(JOBS.delete().where(JOBS.c.subject == subject))


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(JOBS.c.locked_until.is_(None), JOBS.c.locked_until <= now)
