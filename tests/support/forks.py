"""Children forked from one process that has the product imported: a start without the imports.

``python -m tests.support.forks`` imports the product once and forks a child for every line that it
reads. A child is as good as a program of its own: it has its own environment, streams and memory,
signals reach it alone, and when it begins there are neither threads nor connections. What only a
new program can show (a preloaded library, the memory that a server needs) is started as one.

A process of the tests has one such parent, started by the first test that asks. Those under
another program, such as ``ip netns exec NAME``, have one of their own.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds; only a machine under heavy load needs them."""
_THIS_MODULE = "tests.support.forks"
_IMPORTED_BEFORE = (
    "hub.__main__", "hub.app", "hub.cli.serve_commands", "hub.exchange.object_listing",
    "hub.exchange.publish_names", "hub.peers.pull", "hub.workers.run", "uvicorn",
    "uvicorn.lifespan.on", "uvicorn.loops.asyncio", "uvicorn.protocols.http.h11_impl",
)  # fmt: skip
"""What servers and nearly every command import; those that import more do so in their fork."""
COMMAND = f"{_THIS_MODULE}:run_command"


@dataclass(frozen=True)
class Ended:
    """How a child ended: as ``subprocess`` says it, with what it wrote and what it returned."""

    code: int
    out: str
    err: str
    told: Any


class Parent:
    """The process that forks; given one order at a time, from whatever thread.

    Args:
        under: what it runs under.
    """

    def __init__(self, under: Sequence[str] = ()) -> None:
        self._turn = threading.Lock()
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [*under, sys.executable, "-m", _THIS_MODULE],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End it, and with it the children that still run."""
        self._process.communicate(timeout=PATIENCE)

    def run(self, function: str, argument: Any, **where: Any) -> Ended:
        """Call ``module:function`` in a child and wait for its end.

        Args:
            **where: its ``environment`` and the folder ``cwd``, if they are not the parent's.
        """
        return Ended(**self._ask("run", function=function, argument=argument, **where))

    def start(self, function: str, argument: Any, log: Path, **where: Any) -> Forked:
        """Begin to call ``module:function`` in a child, whose streams go to the end of a file."""
        order = {"function": function, "argument": argument, "log": str(log)} | where
        return Forked(self, self._ask("start", **order)["pid"])

    def poll(self, pid: int) -> int | None:
        """Ask how a child ended, if it has."""
        code: int | None = self._ask("poll", pid=pid)["code"]
        return code

    def _ask(self, verb: str, **members: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            number = next(self._numbers)
            order = {"number": number, "verb": verb} | members
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            # Whoever asked before may have been interrupted, as a test by its time limit is.
            for line in self._process.stdout:
                answered, answer = json.loads(line)
                if answered == number:
                    return dict(answer)
        raise AssertionError("the process that forks has ended")


class Forked:
    """A child that runs; what ``subprocess.Popen`` has of a process, as far as tests use it."""

    def __init__(self, parent: Parent, pid: int) -> None:
        self._parent = parent
        self._code: int | None = None
        self.pid = pid

    def poll(self) -> int | None:
        """Say how it ended, if it has."""
        if self._code is None:
            self._code = self._parent.poll(self.pid)
        return self._code

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        end = time.monotonic() + timeout
        while self.poll() is None:
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            # Its parent keeps the number until poll has said how it ended.
            watched = os.pidfd_open(self.pid)
            try:
                select.select([watched], [], [], left)
            finally:
                os.close(watched)
        assert self._code is not None
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def shared_parent() -> Parent:
    """The parent of this process' children."""
    made = Parent()
    atexit.register(made.close)
    return made


class Forks:
    """The parent that some nodes use: the shared one, or their own where they run under something.

    Args:
        under: see ``Parent``.
    """

    def __init__(self, under: Sequence[str] = ()) -> None:
        self._under = tuple(under)
        self._own: Parent | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._own is not None:
            self._own.close()

    @property
    def parent(self) -> Parent:
        """The parent, started when it is first asked."""
        if not self._under:
            return shared_parent()
        if self._own is None:
            self._own = Parent(self._under)
        return self._own


def run_command(args: Sequence[str]) -> None:
    """Become the command ``tocsin``."""
    sys.argv = ["tocsin", *args]
    from hub.__main__ import main  # noqa: PLC0415 - imported by the parent, before the fork

    main()


def _become(order: Mapping[str, Any], out: int, err: int, told: int | None) -> None:
    """Do what the order says, in the child; it may not return into the loop of its parent."""
    code = 0
    try:
        if (environment := order.get("environment")) is not None:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(order.get("cwd", ROOT))
        for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(stream, number)
        module, _, name = order["function"].partition(":")
        answer = getattr(importlib.import_module(module), name)(order["argument"])
        if told is not None:
            os.write(told, json.dumps(answer).encode())
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the same
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(order: Mapping[str, Any]) -> dict[str, Any]:
    with (
        tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as told,
    ):  # fmt: skip
        child = os.fork()
        if child == 0:
            _become(order, out.fileno(), err.fileno(), told.fileno())
        _, status = os.waitpid(child, 0)
        written = []
        for file in (out, err, told):
            file.seek(0)
            written.append(file.read().decode())
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": written[0], "err": written[1], "told": json.loads(written[2] or "null"),
    }  # fmt: skip


def _start(order: Mapping[str, Any]) -> int:
    with Path(order["log"]).open("ab") as log:
        child = os.fork()
        if child == 0:
            _become(order, log.fileno(), log.fileno(), None)
    return child


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _answer_orders() -> None:
    """Answer orders, one a line, until standard input ends."""
    running: set[int] = set()
    try:
        for line in sys.stdin:
            order = json.loads(line)
            assert threading.active_count() == 1, "a fork would leave a thread behind"
            if order["verb"] == "run":
                answer = _run(order)
            elif order["verb"] == "start":
                answer = {"pid": _start(order)}
                running.add(answer["pid"])
            else:
                answer = {"code": _poll(order["pid"])}
                running -= {order["pid"]} if answer["code"] is not None else set()
            print(json.dumps([order["number"], answer]), flush=True)
    finally:
        # Whatever ended the tests: their servers do not outlive them.
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _prepare() -> None:
    import gc  # noqa: PLC0415 - only here

    from tests.support import one_dialect  # noqa: PLC0415 - the processes that ask need none of it

    one_dialect.register()
    for name in _IMPORTED_BEFORE:
        importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    _prepare()
    _answer_orders()
