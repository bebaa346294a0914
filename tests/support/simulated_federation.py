"""A federation of real nodes in one process: true stores, true doors, and a wire without sockets.

Each node is the product's own, on SQLite in a directory of its own. A request of one is signed as
always and given to the other's application in memory, so that what answers is the whole door:
authentication, rate limits, error bodies. Because that door costs more than all that is behind it,
most reads of a peer may take a shorter way to the same use-cases; whatever else is refused or
changes something never does. What a test adds is the wire between them: links that
are cut, clocks of their own, and a *bend* through which the answers of a node go, where a liar
sits (``tests.support.malicious``).

>>> from tests.support.simulated_federation import Request
>>> Request("GET", "/taxii2/fed/", {}, None).path
'/taxii2/fed/'
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import hashlib
import itertools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from fastapi import FastAPI

from federation.errors import PeerUnreachable
from federation.transport.guarded_http import HttpAnswer, read_url
from hub.app import create_app
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.errors import NotFound
from hub.exchange import serve_feeds
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.pull import PullOutcome, pull_peer
from hub.settings import load_settings
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from schemas.errors import TocsinError
from schemas.strict_json import write_json
from schemas.taxii.media_types import TAXII
from tests.support.nodes import FixedClock, peer_of, put_empty_tables
from tests.support.publications import join
from tests.support.signed_requests import NOT_FOUND

MOST_NODES = 6
FIRST_PORT = 20_001
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where nodes live: no power fails here, so nothing need wait for a disk."""
LISTING = "/taxii2/fed/collections/"
HEADS = "/federation/v1/heads"
PAGES = re.compile(LISTING + r"([0-9a-f-]{36})/objects/")
"""The addresses that a pull asks again and again."""
JSON_HEADERS = {"content-type": "application/json"}
TAXII_HEADERS = {"content-type": TAXII}
KEPT_FROM_RELAYS = frozenset({2, 5})
"""Nodes whose green feed no relay may pass on (PROTOCOL 2.4 ``policy.relay``)."""


@dataclass(frozen=True)
class Request:
    """A request on the wire between two nodes of a simulation.

    Args:
        asker: the number of the node that sent it; None where it came from elsewhere.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    asker: int | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


Answering = Callable[[Request], HttpAnswer]
Bend = Callable[[Request, Answering], HttpAnswer]
"""Answers a request in the place of an honest node, whose answer it may ask for."""


class Door:
    """A node's application, answering requests that come without a socket."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self.app: FastAPI = create_app(node)
        self._loop = loop

    def answer(self, request: Request) -> HttpAnswer:
        """Let the application answer."""
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: Request) -> HttpAnswer:
        given = [{"type": "http.request", "body": request.body or b"", "more_body": False}]
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        await self.app(_scope(request), receive, send)
        headers: dict[str, str] = {}
        for raw_name, raw_value in said[0]["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body = b"".join(message.get("body", b"") for message in said[1:])
        return HttpAnswer(said[0]["status"], headers, body)


def _scope(request: Request) -> dict[str, Any]:
    headers = [(k.lower().encode(), v.encode("latin-1")) for k, v in request.headers.items()]
    if request.body is not None:
        headers.append((b"content-length", b"%d" % len(request.body)))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


class Way:
    """One node's way out: what the use-cases take for a ``GuardedHttp``."""

    def __init__(self, federation: Federation, sender: int) -> None:
        self._federation = federation
        self._sender = sender

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **_limits: Any,
    ) -> HttpAnswer:
        """Send a request to whichever node lives at the address.

        Raises:
            PeerUnreachable: nobody does, or the link is cut.
        """
        parts = read_url(url)
        request = Request(method, parts.target, dict(headers or {}), body, self._sender)
        return self._federation.carry(self._sender, parts.port - FIRST_PORT, request)

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Federation:
    """Some nodes, their doors and the wire between them; use it as a context manager.

    Args:
        count: how many nodes, at most ``MOST_NODES``; each is known by its number.
        door_every: every which request goes through the whole door; 1 is all of them.

    ``cut`` holds the links that carry nothing, as frozen sets of two numbers. ``bends`` holds by
    number who answers in a node's place.
    """

    def __init__(self, count: int, *, door_every: int = 1) -> None:
        self._door_every = door_every
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-federation-", dir=IN_MEMORY))
        self._loop = asyncio.new_event_loop()
        self.clock = FixedClock()
        self.cut: set[frozenset[int]] = set()
        self.bends: dict[int, Bend] = {}
        self.requests = 0
        self._entropy = [entropy_of(f"lived {number}") for number in range(count)]
        self.nodes: list[Node] = []
        self.doors: list[Door] = []
        for number in range(count):
            shutil.copytree(_template(number), self.home(number))
            node = self._open(number)
            self.nodes.append(node)
            self.doors.append(Door(node, self._loop))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every node and take its directory away."""
        for node in self.nodes:
            node.database.close()
        self._loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def home(self, number: int) -> Path:
        """Where a node lives."""
        return self.folder / f"n{number}"

    def number_of(self, node_id: str) -> int:
        """Find a node's number by its id."""
        return next(i for i, node in enumerate(self.nodes) if node.node_id == node_id)

    def way(self, sender: int) -> Any:
        """A node's way out, to be given wherever the product takes a ``GuardedHttp``."""
        return Way(self, sender)

    def carry(self, sender: int, recipient: int, request: Request) -> HttpAnswer:
        """Carry one request over the wire.

        Raises:
            PeerUnreachable: ``E_HTTP_CONNECT``.
        """
        self.requests += 1
        link = frozenset({sender, recipient})
        if link in self.cut or not 0 <= recipient < len(self.doors):
            raise PeerUnreachable("E_HTTP_CONNECT", "the link is cut")

        def honest(asked: Request) -> HttpAnswer:
            short = None
            if self.requests % self._door_every:
                short = self._answer_shortly(sender, recipient, asked)
            return self.doors[recipient].answer(asked) if short is None else short

        bend = self.bends.get(recipient)
        return honest(request) if bend is None else bend(request, honest)

    def _answer_shortly(self, sender: int, recipient: int, request: Request) -> HttpAnswer | None:
        """Answer a read by its use-case; None where only the door can say what is right."""
        node = self.nodes[recipient]
        with node.database.read() as tx:
            peer = find_peer(tx, self.nodes[sender].node_id)
        if request.method != "GET" or peer is None or not is_reading(peer):
            return None
        try:
            if request.target == LISTING:
                listing = serve_feeds.list_collections_for(node, peer)
                return HttpAnswer(200, TAXII_HEADERS, write_json(listing))
            if request.target == HEADS:
                return HttpAnswer(200, JSON_HEADERS, serve_feeds.heads_for(node, peer, None))
            page = PAGES.fullmatch(request.path)
            if page is not None:
                wanted = serve_feeds.read_page_request(parse_qsl(request.query))
                body = serve_feeds.read_feed_page(node, peer, page[1], wanted)
                return HttpAnswer(200, TAXII_HEADERS, body)
        except TocsinError as refused:
            if isinstance(refused, NotFound) and refused.code == "E_NOT_FOUND":
                return HttpAnswer(404, TAXII_HEADERS, NOT_FOUND)
        return None

    def join(self, number: int, other: int, trust: str, **row: Any) -> PeerRow:
        """Make one node a peer of another, in one direction, as pairing would."""
        peer = join(self.nodes[number], self.nodes[other], trust, name=f"n{other}", **row)
        with self.nodes[number].database.write() as tx:
            update_peer(tx, peer.node_id, base=base_of(other))
        return self.peer(number, other)

    def peer(self, number: int, other: int) -> PeerRow:
        """The other node as a peer of the first, as it is stored now."""
        return peer_of(self.nodes[number], self.nodes[other])

    def pull(self, reader: int, sender: int) -> PullOutcome:
        """Let one node pull another.

        Raises:
            PeerState: ``E_PEER_BLOCKED``.
        """
        peer = self.peer(reader, sender)
        return pull_peer(self.nodes[reader], peer, http=self.way(reader))

    def restart(self, number: int) -> None:
        """Close a node and open it again from what is on its disk."""
        self.nodes[number].database.close()
        self.nodes[number] = self._open(number)
        # The application is made of routes alone; all that it knows of the node hangs here.
        self.doors[number].app.state.node = self.nodes[number]

    def _open(self, number: int) -> Node:
        return open_node(
            load_settings(self.home(number), allow_loopback_peers=True),
            clock=self.clock,
            # It goes on where it stood: a node that drew its nonces again would be refused.
            entropy=self._entropy[number],
        )


def base_of(number: int) -> str:
    """The address in a node's document; nobody listens there."""
    return f"http://127.0.0.1:{FIRST_PORT + number}/"


def green_relay_of(number: int) -> str:
    """The ``policy.relay`` of a node's green feed."""
    return "none" if number in KEPT_FROM_RELAYS else "community"


def entropy_of(seed: str) -> Callable[[int], bytes]:
    """A source of bytes that are the same in every run."""
    counter = itertools.count()
    return lambda length: hashlib.shake_128(f"{seed} {next(counter)}".encode()).digest(length)


@contextlib.contextmanager
def federation_of(count: int, trust: str | None = None) -> Iterator[Federation]:
    """Some nodes; with a trust given, every one has every other as a peer at that trust."""
    with Federation(count) as federation:
        for one in range(count if trust else 0):
            for other in range(count):
                if one != other:
                    federation.join(one, other, str(trust))
        yield federation


@functools.cache
def _template(number: int) -> Path:
    """A node's home to copy, made once a process: keys and first documents cost the most.

    What is random in a node comes from its number, so that a failing example runs again alike.
    """
    home = _templates() / f"n{number}"
    chosen = load_settings(home, allow_loopback_peers=True)
    put_empty_tables(home / "tocsin.db")
    profile = NodeProfile(
        f"n{number}", f"n{number}.example", base_of(number), green_relay=green_relay_of(number)
    )
    create_node(chosen, profile, clock=FixedClock(), entropy=entropy_of(f"made {number}"))
    return home


@functools.cache
def _templates() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-templates-", dir=IN_MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
