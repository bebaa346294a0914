"""Real nodes as an operator runs them: ``tocsin serve`` in processes, everything else by command.

A server is ``tocsin serve`` on a free port of loopback, found ready by polling, stopped by SIGTERM
to the very process that was started. Commands run in processes of their own as well. All are forked
from one that has the product imported, since a test gives dozens of commands; where it matters that
a server is a program of its own, ``apart`` says so.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.forks import COMMAND, PATIENCE, ROOT, Forked, Forks
from tests.support.nodes import free_port


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Look again and again until something holds, and return it."""
    pause = threading.Event()
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"in {seconds:.0f} s this did not come about: {what}"
        pause.wait(0.05)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that it printed."""
        assert self.out, self.err
        return json.loads(self.out)


@dataclass
class Tocsin:
    """One organisation's node: a home, commands, and a server when it is started.

    Args:
        front: the port where others find it, if it is another than its own.
        host: where it listens.
        under: what its processes run under, such as ``ip netns exec NAME``.
        apart: start the server as a program of its own: its memory is measured, it starts
            processes, or a library is loaded before it.
    """

    name: str
    home: Path
    commands: Forks
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    front: int | None = None
    scheme: str = "http"
    serve_options: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    under: tuple[str, ...] = ()
    apart: bool = False
    server: subprocess.Popen[bytes] | Forked | None = None
    node_id: str = ""

    @property
    def base(self) -> str:
        """The base of its document."""
        return f"{self.scheme}://{self.host}:{self.front or self.port}/"

    @property
    def log(self) -> Path:
        """What its servers wrote."""
        return self.home.with_suffix(".log")

    def all_environment(self) -> dict[str, str]:
        """The environment of its processes: nothing of ours but where programs are."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "TOCSIN_HOME": str(self.home),
            "TOCSIN_ALLOW_LOOPBACK_PEERS": "true",
            # Nothing is pulled by the clock while a test runs.
            "TOCSIN_PULL_INTERVAL_SECONDS": "86400",
        } | self.environment

    def give(self, *args: object) -> Finished:
        """Give a command, however it ends."""
        order = [str(arg) for arg in args] + ["--json"]
        done = self.commands.parent.run(COMMAND, order, environment=self.all_environment())
        return Finished(tuple(order), done.code, done.out, done.err)

    def give_apart(self, *args: object, under: Sequence[str] = ()) -> Finished:
        """Give a command in a process of its own, under a program that limits what it may do."""
        order = [str(arg) for arg in args] + ["--json"]
        done = subprocess.run(
            [*self.under, *under, sys.executable, "-m", "hub", *order],
            cwd=self.home.parent, env=self.all_environment(), capture_output=True, text=True,
            check=False, timeout=2 * PATIENCE,
        )  # fmt: skip
        return Finished(tuple(order), done.returncode, done.stdout, done.stderr)

    def run(self, *args: object) -> Any:
        """Give a command that has to succeed; return its document."""
        done = self.give(*args)
        assert done.code == 0, f"{self.name}: {done}"
        return done.document

    def init(self, **options: str) -> Self:
        """Make the node."""
        named = [part for name, text in options.items() for part in (f"--{name}", text)]
        made = self.run(
            "init", "--name", self.name, "--domain", f"{self.name}.example",
            "--base-url", self.base, *named,
        )  # fmt: skip
        self.node_id = made["node_id"]
        return self

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        assert self.server is None
        order = (
            "serve", "--home", str(self.home), "--host", self.host, "--port", str(self.port),
            *self.serve_options,
        )  # fmt: skip
        self.server = self._start_apart(*order) if self.apart else self.begin(*order)

    def begin(self, *args: object) -> Forked:
        """Begin a command that the test will wait for, or kill."""
        return self.commands.parent.start(
            COMMAND, [str(arg) for arg in args], self.log,
            environment=self.all_environment(), cwd=str(self.home),
        )  # fmt: skip

    def _start_apart(self, *order: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self.under, sys.executable, "-m", "hub", *order],
                cwd=self.home, env=self.all_environment(), stdout=log, stderr=log,
            )  # fmt: skip

    def wait_ready(self) -> None:
        """Wait until the server answers that it is ready."""
        until(self._is_ready, f"{self.name} is ready; its log: {self.log}")

    def _is_ready(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, f"{self.name} ended: {self.log.read_text()}"
        if self.under:
            # Nobody outside its network reaches it, so somebody inside knocks.
            knock = [*self.under, "bash", "-c", f"</dev/tcp/{self.host}/{self.port}"]
            return subprocess.run(knock, capture_output=True, check=False).returncode == 0
        try:
            return self.get("/readyz").status == http.client.OK
        except OSError:
            return False

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> WireAnswer:
        """Ask its server something without signing it."""
        return self.ask("GET", target, headers)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> WireAnswer:
        """Ask its server something; return every byte of the answer."""
        if self.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=PATIENCE, context=_blind_context()
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return WireAnswer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def stop(self) -> None:
        """End the server by SIGTERM, as a service manager does."""
        server, self.server = self.server, None
        if server is None:
            return
        server.send_signal(signal.SIGTERM)
        try:
            code = server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise AssertionError(f"{self.name} did not stop: {self.log.read_text()}") from None
        assert code == 0, f"{self.name} ended with {code}: {self.log.read_text()}"

    def kill(self) -> None:
        """End the server at once, whatever the test left of it."""
        server, self.server = self.server, None
        if server is not None and server.poll() is None:
            server.kill()
        if server is not None:
            server.wait()

    def everything_on_disk(self) -> bytes:
        """All bytes of its database files, pages that are free included."""
        files = sorted(self.home.glob("tocsin.db*"))
        assert files
        return b"".join(file.read_bytes() for file in files)


@dataclass(frozen=True)
class WireAnswer:
    """An answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def whole(self) -> bytes:
        """Status, headers and body in one, to search."""
        lines = "".join(f"{name}: {value}\n" for name, value in self.headers)
        return f"{self.status}\n{lines}\n".encode() + self.body

    @property
    def document(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code of the body."""
        return str(self.document["error_code"])

    def header(self, name: str) -> str | None:
        """One header."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


@contextmanager
def organisations(
    tmp_path: Path, *names: str, fronts: Mapping[str, int] | None = None
) -> Iterator[list[Tocsin]]:
    """Make nodes in ``tmp_path``, none of them served yet; end all their servers afterwards.

    Args:
        fronts: the port of the line that stands before a node, by its name.
    """
    found = fronts or {}
    with Forks() as commands:
        made = [Tocsin(name, tmp_path / name, commands, front=found.get(name)) for name in names]
        try:
            yield [tocsin.init() for tocsin in made]
        finally:
            for tocsin in made:
                tocsin.kill()


def start_all(*nodes: Tocsin) -> None:
    """Start several servers at once."""
    for node in nodes:
        node.start()
    for node in nodes:
        node.wait_ready()


def pair_by_command(inviter: Tocsin, joiner: Tocsin) -> None:
    """Pair two nodes as their administrators do; the inviter's server has to run."""
    invitation = inviter.run("peer", "invite")["invitation"]
    admitted = joiner.run("peer", "accept", invitation)
    assert admitted["peer"] == inviter.node_id
    told = inviter.run("peer", "show", joiner.node_id)
    assert told["voice_code"] == admitted["voice_code"]


def give_trust_by_command(node: Tocsin, other: Tocsin, trust: str) -> None:
    """Say that the eight words were compared, and give trust."""
    node.run("peer", "set", other.node_id, "--verified", "--trust", trust)


def _blind_context() -> ssl.SSLContext:
    """Make a context that checks nothing; only to see whether a server of ours is up."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
