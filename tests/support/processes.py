"""Real nodes as an operator runs them: ``tocsin serve`` in processes, everything else by command.

A server is ``python -m hub serve`` on a free port of loopback, found ready by polling, stopped by
SIGTERM to the very process that was started. Commands run in processes of their own as well, forked
from one that has the product imported, since a test gives dozens of them.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.nodes import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds; only a machine under heavy load needs them."""
_THIS_MODULE = "tests.support.processes"
_IMPORTED_BEFORE = (
    "hub.app", "hub.cli.app", "hub.exchange.object_listing", "hub.exchange.publish_names",
    "hub.peers.pull",
)  # fmt: skip
"""What nearly every command imports; those that import more do so in their fork."""


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


class CommandForks:
    """Runs commands, each in a fork of one process that has the product imported.

    Args:
        under: what that process runs under, such as ``ip netns exec NAME``.
    """

    def __init__(self, under: Sequence[str] = ()) -> None:
        self._under = tuple(under)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._under, sys.executable, "-m", _THIS_MODULE],
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
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def run(self, args: Sequence[str], environment: Mapping[str, str]) -> Finished:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"args": list(args), "environment": dict(environment)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Finished(tuple(args), **json.loads(self._process.stdout.readline()))


@dataclass
class Tocsin:
    """One organisation's node: a home, commands, and a server when it is started.

    Args:
        front: the port where others find it, if it is another than its own.
        host: where it listens.
        under: what its processes run under, such as ``ip netns exec NAME``.
    """

    name: str
    home: Path
    commands: CommandForks
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    front: int | None = None
    scheme: str = "http"
    serve_options: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    under: tuple[str, ...] = ()
    server: subprocess.Popen[bytes] | None = None
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
        return self.commands.run([str(arg) for arg in args] + ["--json"], self.all_environment())

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
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                [
                    *self.under, sys.executable, "-m", "hub", "serve", "--home", str(self.home),
                    "--host", self.host, "--port", str(self.port), *self.serve_options,
                ],
                cwd=self.home,
                env=self.all_environment(),
                stdout=log,
                stderr=log,
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
    with CommandForks() as commands:
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


def _run_child(order: Mapping[str, Any], out: int, err: int) -> None:
    """Become the command, in the fork."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.argv = ["tocsin", *order["args"]]
    from hub.__main__ import main  # noqa: PLC0415 - imported by the parent, before the fork

    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the fork may not return into the loop of its parent
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer_orders() -> None:
    """Fork a child for every line of standard input."""
    for name in _IMPORTED_BEFORE:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would leave a thread behind"
    for line in sys.stdin:
        order = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _run_child(order, out.fileno(), err.fileno())
            _, status = os.waitpid(child, 0)
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": code, "out": said[0], "err": said[1]}), flush=True)


if __name__ == "__main__":
    _answer_orders()
