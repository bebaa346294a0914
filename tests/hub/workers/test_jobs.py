"""What a job does to the queue: intervals, and waits after failures that outlive a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hub.bootstrap import open_node
from hub.peers.suspend import suspend_peer
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.jobs import request_job
from hub.storage.tables.operations import JOBS
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.identifiers import FeedName
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serve_in_thread,
    serving,
)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    return make_node(tmp_path, "alpha", clock)


@pytest.fixture
def b(tmp_path, clock):
    return make_node(tmp_path, "beta", clock)


def planned(node, kind, other):
    """When the job is due, and after how many failures; None when there is none."""
    with node.database.read() as tx:
        row = tx.connection.execute(
            sa.select(JOBS.c.next_attempt_at, JOBS.c.attempts).where(
                JOBS.c.kind == kind, JOBS.c.subject == other.node_id
            )
        ).one_or_none()
    return None if row is None else (row.next_attempt_at - node.now(), row.attempts)


def test_pairing_plans_pulls_on_both_sides(a, b):
    with serve_in_thread(a):
        pair(a, b)
    assert planned(b, "pull", a) == (timedelta(0), 0)
    assert planned(a, "pull", b) == (timedelta(seconds=5), 0)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 240), (0.5, 300), (1.0, 360)])
def test_a_pull_that_works_comes_again_after_the_interval_give_or_take_a_fifth(
    a, b, jitter, seconds
):
    with serve_in_thread(a):
        pair(a, b)
        assert run_due_jobs(b, jitter=lambda: jitter) == 1
    assert planned(b, "pull", a) == (timedelta(seconds=seconds), 0)


def test_waits_after_failures_grow_and_outlive_a_restart(a, b, clock):
    with serve_in_thread(a):
        pair(a, b)
    waits = []
    node = b
    for _ in range(10):
        assert run_due_jobs(node, jitter=lambda: 1.0) == 1
        wait, attempts = planned(node, "pull", a)
        waits.append(wait.total_seconds())
        assert attempts == len(waits)
        clock.advance(wait - timedelta(microseconds=1))
        node.database.close()
        node = open_node(b.settings, clock=clock)
        assert run_due_jobs(node, jitter=lambda: 1.0) == 0
        clock.advance(microseconds=1)
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert peer_of(node, a).failures == 10


def test_success_ends_the_count(a, b, clock):
    with serve_in_thread(a):
        pair(a, b)
    run_due_jobs(b, jitter=lambda: 1.0)
    clock.advance(seconds=10)
    with serve_in_thread(a):
        run_due_jobs(b)
    assert planned(b, "pull", a) == (timedelta(seconds=300), 0)
    assert (peer_of(b, a).failures, peer_of(b, a).last_error_code) == (0, None)


def test_what_stops_one_feed_does_not_make_the_peer_wait(a, b):
    with serve_in_thread(a):
        pair(a, b)
        give_trust(b, a, "trusted", limit=0)
        run_due_jobs(b)
    assert peer_of(b, a).last_error_code == "E_QUOTA"
    assert planned(b, "pull", a) == (timedelta(seconds=300), 0)


def test_a_wake_up_that_was_delivered_is_forgotten(a, b):
    with serving(a, b):
        pair(a, b, "trusted")
        run_due_jobs(b)
        publish_names(a, ["new.example"], "green")
        assert run_due_jobs(a) == 2  # the wake-up, and the verdict on the name
        assert planned(a, "wake", b) is None
        assert planned(b, "pull", a) == (timedelta(0), 0)
        run_due_jobs(b)
        assert names_seen(b) == {"new.example"}


def test_a_wake_up_that_fails_waits_and_the_pull_does_not(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
    publish_names(a, ["one.example"], "clear")
    assert run_due_jobs(a, jitter=lambda: 1.0) == 2  # and the verdict on the name
    assert planned(a, "wake", b) == (timedelta(seconds=10), 1)
    publish_names(a, ["two.example"], "clear")
    assert planned(a, "wake", b) == (timedelta(seconds=10), 1)
    assert planned(a, "pull", b) == (timedelta(seconds=5), 0)


def test_the_job_of_a_suspended_peer_ends_for_good(a, b):
    with serve_in_thread(a):
        pair(a, b)
    suspend_peer(b, peer_of(b, a))
    with b.database.write() as tx:
        request_job(tx, "pull", a.node_id, b.now())
    assert run_due_jobs(b) == 1
    assert planned(b, "pull", a) is None
    plan_work(b)
    assert planned(b, "pull", a) is None


def test_a_job_of_nobody_is_forgotten(b):
    with b.database.write() as tx:
        request_job(tx, "pull", "a" * 52, b.now())
    assert run_due_jobs(b) == 1
    assert run_due_jobs(b) == 0


def test_planning_sees_that_every_active_peer_has_a_pull(a, b):
    with serve_in_thread(a):
        pair(a, b)
    with b.database.write() as tx:
        tx.connection.execute(JOBS.delete())
    plan_work(b)
    assert planned(b, "pull", a) == (timedelta(0), 0)


def test_heads_are_signed_anew_before_they_are_six_hours_old(a, clock):
    clear = FeedName(a.node_id, "clear")

    def head_ts():
        with a.database.read() as tx:
            return find_feed(tx, clear).head_ts

    made = head_ts()
    clock.advance(hours=5)
    plan_work(a)
    assert head_ts() == made
    clock.advance(minutes=1)
    plan_work(a)
    assert head_ts() == clock.now()
