"""The worker as it runs: real threads, real clock, real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.node import SystemClock
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow, store_peer, update_peer
from hub.workers.run import LANES, Look, Worker
from schemas.identifiers import NodeId
from tests.support.http_server import ScriptedServer, answers, silent, write_answer
from tests.support.nodes import make_node, names_seen, pair, peer_of, publish_names, serving
from tests.support.publications import Author

PATIENCE = 20.0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds, in small steps and not for ever."""
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        pause.wait(0.02)


@pytest.fixture
def running():
    """Start workers that are stopped when the test ends."""
    workers = []

    def start(*nodes):
        for node in nodes:
            worker = Worker(node)
            worker.start()
            workers.append(worker)

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture
def a(tmp_path):
    return make_node(tmp_path, "alpha", SystemClock())


@pytest.fixture
def b(tmp_path):
    return make_node(tmp_path, "beta", SystemClock())


def test_what_is_published_is_woken_for_and_pulled_at_once(a, b, running):
    with serving(a, b):
        running(a, b)
        pair(a, b, "trusted")
        eventually(lambda: peer_of(b, a).last_success_at is not None)
        publish_names(a, ["new.example"], "green")
        eventually(lambda: names_seen(b) == {"new.example"})


def test_class13_hanging_peers_delay_no_other(a, b, running):
    with serving(a), ScriptedServer(silent) as nobody:
        pair(a, b, "trusted")
        for number in range(5):
            hanging = PeerRow(
                node_id=NodeId("a" * 51 + "abcdefgh"[number]), name="hanging", base=nobody.base,
                trust=1, verified=False, state="active", added_at=b.now(),
            )  # fmt: skip
            with b.database.write() as tx:
                store_peer(tx, hanging)
                request_job(tx, "pull", hanging.node_id, b.now())
                request_job(tx, "wake", hanging.node_id, b.now())
        publish_names(a, ["new.example"], "green")
        running(b)
        eventually(lambda: names_seen(b) == {"new.example"})
        assert nobody.connections >= 5


@pytest.mark.parametrize("kind", ["pull", "push"])
def test_class13_as_many_hanging_peers_as_there_are_lanes_delay_no_other(a, b, kind):
    """They fill every lane with requests that take half a minute to fail."""
    with serving(a), ScriptedServer(silent) as nobody:
        pair(a, b, "trusted")
        hanging = [Author(number).meets(b) for number in range(1, LANES[kind] + 1)]
        with b.database.write() as tx:
            for peer in hanging:
                update_peer(tx, peer.node_id, base=nobody.base, push_on=kind == "push")
                request_job(tx, kind, peer.node_id, b.now() - timedelta(minutes=1))
            update_peer(tx, a.node_id, push_on=kind == "push")
            request_job(tx, kind, a.node_id, b.now())
        publish_names(a, ["new.example"], "green")
        publish_names(b, ["pushed.example"], "green")
        # The start would ask all of them what they hold, and is no matter here.
        worker = Worker(b, lanes={kind: LANES[kind]}, slow_after=0.1)
        worker.start()
        wanted = (b, {"new.example"}) if kind == "pull" else (a, {"pushed.example"})
        eventually(lambda: names_seen(wanted[0]) == wanted[1])
        assert nobody.connections >= LANES[kind]
        worker.stop(1)


def test_several_workers_of_one_node_do_each_job_once(a, b, running):
    with serving(a):
        pair(a, b, "trusted")
        with ScriptedServer(answers(write_answer(500))) as failing:
            base = peer_of(b, a).base
            _set_base(b, a, failing.base)
            running(b, b, b)
            eventually(lambda: peer_of(b, a).failures > 0)
            # One attempt, and then the wait: each of its requests came once. What a start asks
            # for (our heads, held there) is no pull.
            pulls = [r for r in failing.requests if r.target.startswith("/taxii2/")]
            assert len(pulls) == peer_of(b, a).failures
            _set_base(b, a, base)


def test_stopping_ends_the_threads_soon(b):
    worker = Worker(b)
    worker.start()
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < PATIENCE
    assert not any(thread.name.startswith("tocsin-worker") for thread in threading.enumerate())


def test_the_queue_is_looked_at_only_when_something_may_have_changed(b):
    look = Look(b)
    assert look.is_worthwhile(b.now())
    assert not look.is_worthwhile(b.now())
    with b.database.write() as tx:
        request_job(tx, "pull", "a" * 52, b.now())
    assert look.is_worthwhile(b.now())
    assert not look.is_worthwhile(b.now())
    look.due = b.now() + timedelta(seconds=60)
    assert not look.is_worthwhile(b.now())
    assert look.is_worthwhile(b.now() + timedelta(seconds=60))


def _set_base(node, peer, base):
    with node.database.write() as tx:
        update_peer(tx, peer.node_id, base=base)
