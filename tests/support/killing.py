"""Run a publish or a pull in a process of its own, and kill it before any chosen statement.

``python -m tests.support.killing`` imports the product once and then forks a child for every line
that it reads, so that a kill costs a fork and not a start. Neither threads nor connections exist
before the fork. The death is a true SIGKILL: no ``finally``, no rollback, no closing of files.

A line is ``{"work", "home", "database_url", "at", "bundle", "tlp", "kill_at"}``; the answer tells
by which signal the child ended and, when it ended by itself, its statements. A commit counts as a
statement, so that dying before it and after it are two positions.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import event

from hub.bootstrap import open_node
from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.pull import pull_peer
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.markings import Tlp

ROOT = Path(__file__).resolve().parents[2]


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


def run_child(order: dict[str, Any]) -> dict[str, Any]:
    """Fork a child for an order, and wait for its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            counter = Counter(order["kill_at"])
            work(order, counter)
            with os.fdopen(writing, "w") as pipe:
                json.dump(counter.statements, pipe)
            status = 0
        except BaseException as error:  # noqa: BLE001 - the child may not return into the parent
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "statements": json.loads(told) if told else [],
    }


def main() -> None:
    """Answer orders, one a line, until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(run_child(json.loads(line))), flush=True)


class Killer:
    """The process that forks the children; a context manager of the tests."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.killing"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def run(self, order: dict[str, Any], *, kill_at: int | None = None) -> list[str]:
        """Run an order; return its statements, or nothing when it was killed as it should be."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order | {"kill_at": kill_at}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if kill_at is None:
            assert answer["exit"] == 0, "the undisturbed run failed; its error is on stderr"
        else:
            assert answer["signal"] == signal.SIGKILL, f"it was not killed: {answer}"
        statements: list[str] = answer["statements"]
        return statements


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


if __name__ == "__main__":
    main()
