"""Run a publish or a pull in a process of its own, and kill it before any chosen statement.

The process is forked (``tests.support.forks``), so that a kill costs a fork and not a start. The
death is a true SIGKILL: no ``finally``, no rollback, no closing of files.

An order is ``{"work", "home", "database_url", "at", "bundle", "tlp", "kill_at"}``. A commit counts
as a statement, so that dying before it and after it are two positions.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from hub.bootstrap import open_node
from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.pull import pull_peer
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.markings import Tlp
from tests.support.forks import shared_parent


@dataclass(frozen=True)
class StillClock:
    """A clock that stands still, so that two runs write the same instants."""

    at: datetime

    def now(self) -> datetime:
        return self.at


class Counter:
    """Counts statements and commits, and dies before the chosen one."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.statements: list[str] = []

    def __call__(self, statement: str) -> None:
        self.statements.append(" ".join(statement.split())[:120])
        if len(self.statements) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def open_counted(order: dict[str, Any], counter: Counter) -> Node:
    """Open the node of an order, with equal 'random' bytes for publishing alone."""
    settings = load_settings(
        Path(order["home"]), allow_loopback_peers=True, database_url=order["database_url"]
    )
    # A repeated nonce of a feed entry makes two runs comparable byte for byte; a request's nonce
    # has to differ, or the other node refuses the request as a repetition.
    entropy = (lambda count: b"\x07" * count) if order["work"] == "publish" else os.urandom
    node = open_node(
        settings,
        clock=StillClock(datetime.fromisoformat(order["at"])),
        entropy=entropy,
        step=counter,
    )
    event.listen(node.database.engine, "commit", lambda _connection: counter("COMMIT"))
    return node


def work(order: dict[str, Any], counter: Counter) -> None:
    """Do what the order says, in this process."""
    node = open_counted(order, counter)
    with node.database.read() as tx:
        peers = list_peers(tx)
    if order["work"] == "publish":
        objects = json.loads(Path(order["bundle"]).read_text())["objects"]
        to = peers if order["tlp"].startswith("amber") else ()
        request = PublishRequest(
            [Draft(value) for value in objects], Tlp.read(order["tlp"]), to=tuple(to)
        )
        outcome = publish_objects(node, request)
        assert not outcome.refused, outcome.refused
    else:
        for peer in peers:
            pulled = pull_peer(node, peer)
            assert pulled.error is None, pulled.error
    node.database.close()


def run_counted(order: dict[str, Any]) -> list[str]:
    """Do what an order says in this process, a child; return its statements."""
    counter = Counter(order["kill_at"])
    work(order, counter)
    return counter.statements


def run_and_kill(order: dict[str, Any], *, kill_at: int | None = None) -> list[str]:
    """Run an order; return its statements, or nothing when it was killed as it should be."""
    ended = shared_parent().run(f"{__name__}:{run_counted.__name__}", order | {"kill_at": kill_at})
    if kill_at is None:
        assert ended.code == 0, f"the undisturbed run failed: {ended.err}"
    else:
        assert ended.code == -signal.SIGKILL, f"it was not killed: {ended}"
    return ended.told or []


def positions_that_differ(statements: list[str]) -> list[int]:
    """Choose the numbers to die before: all that differ in what is on the disk.

    These are the one before the first write and the ones after each statement that changes
    something; a death between two readings is the same as the one before them.
    """
    changes = ("BEGIN IMMEDIATE", "SELECT pg_advisory_xact_lock", "INSERT", "UPDATE", "DELETE")
    chosen = [1]
    writing = False
    for number, statement in enumerate(statements, 1):
        begins_or_changes = statement.startswith(changes)
        writing = writing or begins_or_changes
        if begins_or_changes or (writing and statement == "COMMIT"):
            chosen.append(number + 1)
        writing = writing and statement != "COMMIT"
    return [number for number in chosen if number <= len(statements)]
