"""The job queue in the table: leases, fences and waits (ARCHITECTURE 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.storage.engine import Database
from hub.storage.migrate import upgrade
from hub.storage.queries import jobs as queue

LEASE = timedelta(minutes=10)
KINDS = ("pull", "wake")


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'queue.db'}")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def ask(database, now):
    def ask(kind="pull", subject="b", at=now, **more):
        with database.write() as tx:
            queue.request_job(tx, kind, subject, at, **more)

    return ask


@pytest.fixture
def claim(database):
    def claim(at, limit=10, kinds=KINDS):
        with database.write() as tx:
            return queue.claim_jobs(tx, at, LEASE, limit, kinds)

    return claim


@pytest.fixture
def finish(database):
    def finish(job, at, next_at, error=None):
        with database.write() as tx:
            return queue.finish_job(tx, job, at, next_at, error)

    return finish


@pytest.fixture
def due(database, now):
    def due(at=now, kinds=KINDS):
        with database.read() as tx:
            return queue.next_due(tx, kinds, at)

    return due


def test_a_job_is_claimed_when_it_is_due_and_by_one_alone(ask, claim, now):
    ask(at=now + timedelta(seconds=1))
    assert claim(now) == ()
    later = now + timedelta(seconds=1)
    assert [(job.kind, job.subject) for job in claim(later)] == [("pull", "b")]
    assert claim(later) == ()


def test_asking_twice_makes_one_job_at_the_earlier_time(ask, claim, due, now):
    ask(at=now + timedelta(hours=1))
    ask(at=now)
    ask(at=now + timedelta(hours=2))
    assert due() == now
    assert len(claim(now)) == 1


def test_a_job_under_a_lease_is_not_due(ask, claim, due, now):
    ask()
    ask("pull", "c", now + timedelta(seconds=9))
    claim(now)
    assert due() == now + timedelta(seconds=9)
    assert due(now + LEASE) == now  # its holder has gone


def test_what_is_asked_for_while_a_job_runs_is_done_afterwards(ask, claim, finish, due, now):
    ask()
    (job,) = claim(now)
    ask(at=now)
    assert finish(job, now, now + timedelta(minutes=5))
    assert due() == now


def test_what_is_asked_for_before_the_claim_is_done_by_it(ask, claim, finish, due, now):
    ask()
    ask()
    (job,) = claim(now)
    finish(job, now, now + timedelta(minutes=5))
    assert due() == now + timedelta(minutes=5)


def test_a_job_without_a_next_turn_is_gone_unless_it_was_asked_for_again(
    ask, claim, finish, due, now
):
    ask()
    (job,) = claim(now)
    ask()
    finish(job, now, None)
    (job,) = claim(now)
    finish(job, now, None)
    assert due() is None


def test_failures_are_counted_and_success_ends_the_count(ask, claim, finish, now):
    ask()
    for expected in range(3):
        (job,) = claim(now)
        assert job.attempts == expected
        finish(job, now, now, "E_HTTP_CONNECT")
    (job,) = claim(now)
    finish(job, now, now)
    assert claim(now)[0].attempts == 0


def test_asking_does_not_end_a_wait_after_failures_but_hurrying_does(ask, claim, finish, due, now):
    ask()
    (job,) = claim(now)
    ask()  # while it runs
    finish(job, now, now + timedelta(hours=1), "E_HTTP_CONNECT")
    assert due() == now + timedelta(hours=1)
    ask()
    assert due() == now + timedelta(hours=1)
    ask(hurry=True)
    assert due() == now


def test_who_lost_the_lease_ends_nothing(ask, claim, finish, due, now):
    ask()
    (slow,) = claim(now)
    (other,) = claim(now + LEASE)
    assert other.fence > slow.fence
    assert not finish(slow, now, now + timedelta(days=1))
    assert finish(other, now, now + timedelta(minutes=5))
    assert due() == now + timedelta(minutes=5)


def test_a_lease_is_renewed_by_who_has_it_alone(ask, claim, database, now):
    ask()
    (slow,) = claim(now)
    (other,) = claim(now + LEASE)
    with database.write() as tx:
        queue.renew_leases(tx, [slow], now + 9 * LEASE)
    assert len(claim(now + 2 * LEASE)) == 1
    (third,) = claim(now + 3 * LEASE)
    with database.write() as tx:
        queue.renew_leases(tx, [other, third], now + 9 * LEASE)
    assert claim(now + 8 * LEASE) == ()


def test_a_dropped_job_ends_without_effect(ask, claim, finish, due, database, now):
    ask()
    ask("wake")
    running = claim(now)
    with database.write() as tx:
        queue.drop_jobs(tx, "b")
    ask("pull", "b", now + timedelta(hours=1))
    assert not any(finish(job, now, now) for job in running)
    assert due() == now + timedelta(hours=1)


def test_kinds_are_lanes_and_the_longest_due_comes_first(ask, claim, now):
    for number, kind in enumerate(("wake", "pull", "wake")):
        ask(kind, f"peer{number}", now - timedelta(seconds=number))
    assert [job.subject for job in claim(now, kinds=("wake",), limit=1)] == ["peer2"]
    assert [job.subject for job in claim(now)] == ["peer1", "peer0"]
