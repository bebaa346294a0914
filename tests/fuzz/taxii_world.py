"""A served node with objects of every label, readers of every kind, and one that asks wildly.

The world and its rules are those of the leak matrix (``tests.hub.api.taxii.test_leaks``); here the
node is served by the very command, and everything goes over sockets.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.exchange.collections import VERDICTS_ID
from hub.operators.tokens import revoke_token
from schemas.markings import Tlp
from tests.fuzz.taxii_mutations import LIMIT, Vocabulary, a_right_request, mutate
from tests.hub.api.taxii.conftest import Intel, basic, indicator, make_intel
from tests.hub.api.taxii.test_leaks import (
    GRANTED_WRITE,
    IDS,
    READERS,
    WORLD,
    equip,
    fill,
    is_visible,
)
from tests.support.forks import Forks
from tests.support.nodes import free_port
from tests.support.processes import Tocsin

NEVER_SHOWN = "never-shown.example"
"""The name of RED objects that are posted while it runs: no machine reads RED out of them."""
_PATIENCE = 20.0
_WRITERS_SHARE = 0.7
_ERROR, _SERVER_ERROR = 400, 500


@dataclass
class World:
    """What the threads share."""

    server: Tocsin
    authorizations: dict[str, str]
    words: Vocabulary
    needles: dict[str, tuple[bytes, ...]]
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    memory_kib: list[int] = field(default_factory=list)
    unanswered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def requests(self) -> int:
        """How many requests went out."""
        return sum(self.answers.values()) + self.unanswered

    def resident_kib(self) -> int:
        """Read the server's resident memory."""
        assert self.server.server is not None
        status = Path(f"/proc/{self.server.server.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def served_world(tmp_path: Path) -> Iterator[World]:
    """Make the node, fill it, serve it, and end it."""
    intel = make_intel(tmp_path, datetime.now(UTC).replace(microsecond=0))
    try:
        authorizations = _fill(intel)
        words = _vocabulary(intel)
    finally:
        intel.close()
    needles = {
        reader: (
            NEVER_SHOWN.encode(),
            *(
                f'"name":"{thing.name}"'.encode()
                for thing in WORLD
                if reader not in READERS or not is_visible(reader, thing)
            ),
        )
        for reader in authorizations
    }
    environment = {"TOCSIN_MAX_CONTENT_LENGTH": str(LIMIT)}
    with Forks() as commands:
        server = Tocsin("fuzzed", tmp_path / "reader-hub", commands, environment, free_port())
        server.start()
        try:
            server.wait_ready()
            yield World(server, authorizations, words, needles)
            server.stop()
        finally:
            server.kill()


def _fill(intel: Intel) -> dict[str, str]:
    """Make collections, tokens and objects; return the Authorization of each reader."""
    equip(intel)
    intel.add("gone", "own", originals=True)
    fill(intel, WORLD)
    revoke_token(intel.node, "gone")
    found = {
        name: basic(name, token)["Authorization"] if at % 2 else f"Bearer {token}"
        for at, (name, token) in enumerate(intel.tokens.items())
        if name != "other-feeder"
    }
    own = intel.tokens["own"]
    return found | {
        "?nobody": "",
        "?wrong": f"Bearer {own[:-1]}{'a' if own[-1] != 'a' else 'b'}",
        "?other name": basic("own-red", intel.tokens["public"])["Authorization"],
        "?broken": "Basic é",
        "?long": "Bearer " + "x" * 3000,
        "?revoked": found.pop("gone"),
    }


def _vocabulary(intel: Intel) -> Vocabulary:
    cursors = [
        intel.ask(reader, f"collections/{where}/{what}/?limit=1{query}").json().get("next", "x")
        for reader in ("own-red", "own", "producer", "public")
        for where in ("originals", "shared")
        for what in ("objects", "manifest")
        for query in ("", "&match[version]=all")
    ]
    posted = intel.post("feeder", "secret", indicator("status.example")).json()
    return Vocabulary(
        collections=[*["originals", "shared"] * 4, VERDICTS_ID, "secret", "unknown"],
        ids=IDS,
        statuses=[posted["id"], str(uuid.uuid4())],
        cursors=cursors,
        make_objects=make_objects,
    )


def make_objects(rng: random.Random) -> list[Any]:
    """Make objects to post; RED ones under the name that nobody may ever read back."""
    made = []
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        tlp = rng.choice((None, *Tlp))
        name = NEVER_SHOWN if tlp is Tlp.RED else f"fuzz-{rng.randrange(3000)}.example"
        value = indicator(name, tlp)
        # RED objects get ids of their own; others meet again, as duplicates and clashes.
        made.append(value | {"id": f"indicator--{uuid.UUID(int=rng.getrandbits(128), version=4)}"}
                    if tlp is Tlp.RED else value)  # fmt: skip
    return made


class Sender:
    """Sends raw requests as one reader after the other, each from its own address of loopback."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.open: dict[str, socket.socket] = {}

    def run(self, until: float) -> None:
        """Ask until the time has come."""
        while time.monotonic() < until and len(self.world.faults) < 20:
            self.ask_once()
        for connection in self.open.values():
            connection.close()

    def ask_once(self) -> None:
        """Send one request and judge its answer."""
        rng, world = self.rng, self.world
        request = a_right_request(rng, world.words)
        reader = rng.choice(list(world.authorizations))
        if reader.startswith("?"):
            reader = rng.choice(list(world.authorizations))  # who is nobody gets every tenth turn
        if request.method != "GET" and rng.random() < _WRITERS_SHARE:
            reader = rng.choice(sorted(GRANTED_WRITE))  # most others get no further than the door
        hides = NEVER_SHOWN.encode() in request.body
        untouched = rng.random() < 0.1
        if not untouched:
            request = mutate(rng, request, world.words)
            # A mutation may take a RED mark away, and then the name is rightly shown.
            if hides:
                request.body = request.body.replace(NEVER_SHOWN.encode(), b"was-red.example")
        wire = request.to_bytes(world.authorizations[reader] or None)
        label = f"{reader}: {wire[:600]!r}"
        answered = self._exchange(reader, wire, request.method, request.framed)
        if answered is None:
            must = request.framed and len(request.body) <= LIMIT
            with world.lock:
                world.unanswered += 1
                if must:
                    world.faults.append(f"no answer to {label}")
            return
        status, blob = answered
        leaked = [needle for needle in world.needles[reader] if needle in blob]
        wrong = reader.startswith("?") and status < _ERROR and b"/taxii2/intel/" in wire[:200]
        with world.lock:
            world.answers[status] += 1
            if leaked:
                world.faults.append(f"{leaked} leaked by {status} to {label}")
            if status >= _SERVER_ERROR or (wrong and request.method != "OPTIONS"):
                world.faults.append(f"{status} {blob[-300:]!r} to {label}")

    def _exchange(
        self, reader: str, wire: bytes, method: str, framed: bool
    ) -> tuple[int, bytes] | None:
        if not framed:
            return self._exchange_on(self._connect(reader), wire, method, half=True)[0]
        # A connection that idled may have been closed just now: that is no drop of a request.
        for connection in (self.open.pop(reader, None), self._connect):
            live = connection(reader) if callable(connection) else connection
            if live is None:
                continue
            answered, keep = self._exchange_on(live, wire, method, half=False)
            if keep:
                self.open[reader] = live
            if answered is not None:
                return answered
        return None

    def _connect(self, reader: str) -> socket.socket:
        """Connect; who fails to authenticate comes from ever new addresses, or is slowed."""
        number = list(self.world.authorizations).index(reader)
        tail = (
            f"2.{self.rng.randrange(256)}.{self.rng.randrange(1, 255)}"
            if reader.startswith("?")
            else f"1.0.{number + 1}"
        )
        address = ("127.0.0.1", self.world.server.port)
        return socket.create_connection(address, _PATIENCE, (f"127.{tail}", 0))

    @staticmethod
    def _exchange_on(
        connection: socket.socket, wire: bytes, method: str, *, half: bool
    ) -> tuple[tuple[int, bytes] | None, bool]:
        keep = False
        try:
            try:
                connection.sendall(wire)
                if half:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # answered before it was read to its end; the answer is there
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            body = answer.read()
            answer.close()
            keep = not half and not answer.will_close
            head = "".join(f"{name}: {value}\n" for name, value in answer.getheaders())
            return (answer.status, head.encode() + body), keep
        except (OSError, http.client.HTTPException):
            return None, False
        finally:
            if not keep:
                connection.close()


def fuzz(world: World, seconds: float, seed: int, threads: int = 2) -> None:
    """Ask for some seconds in several threads and watch the server's memory."""
    world.memory_kib.append(world.resident_kib())
    until = time.monotonic() + seconds
    senders = [
        threading.Thread(target=Sender(world, seed + number).run, args=(until,))
        for number in range(threads)
    ]
    for thread in senders:
        thread.start()
    while any(thread.is_alive() for thread in senders):
        senders[0].join(min(1.0, seconds))
        world.memory_kib.append(world.resident_kib())
    for thread in senders:
        thread.join()
