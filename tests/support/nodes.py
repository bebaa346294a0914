"""Real nodes in temporary homes, with a clock that a test sets, served over real HTTP on loopback.

Nothing is faked: keys, SQLite, signatures and sockets are the product's own.
"""

from __future__ import annotations

import functools
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
import uvicorn

from hub.app import create_app
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names, wrap_names
from hub.imports.name_lists import NamedLine
from hub.node import Clock, Node
from hub.peers.invite import accept_invitation, invite_peer
from hub.peers.node_documents import read_hint
from hub.peers.trust import PeerChanges, set_peer
from hub.settings import load_settings
from hub.storage.engine import Database
from hub.storage.migrate import upgrade
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.tables.objects import OBJECTS
from schemas.dns.names import read_name
from schemas.identifiers import NodeId
from schemas.markings import Tlp

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
_PATIENCE = 20.0


@dataclass
class FixedClock:
    """A clock that stands still until a test moves it."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move on by a timedelta, or by its parts such as ``seconds=5``."""
        self.at += by if by is not None else timedelta(**parts)
        return self.at


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_node(
    tmp_path: Path,
    name: str,
    clock: Clock | None = None,
    *,
    base_url: str | None = None,
    profile: dict[str, Any] | None = None,
    **settings: Any,
) -> Node:
    """Make and open a node in ``tmp_path / name``; its base is a free port of loopback.

    Args:
        profile: further members of its ``NodeProfile``.
        **settings: further settings; peers on loopback are allowed.
    """
    clock = clock or FixedClock()
    profile = profile or {}
    chosen = load_settings(
        tmp_path / name,
        **({"allow_loopback_peers": True, "demo": bool(profile.get("demo", False))} | settings),
    )
    if not chosen.database_url:
        put_empty_tables(chosen.home / "tocsin.db")
    base = base_url or f"http://127.0.0.1:{free_port()}/"
    members = {"name": name, "domain": f"{name}.example", "base_url": base} | profile
    create_node(chosen, NodeProfile(**members), clock=clock)
    return open_node(chosen, clock=clock)


@functools.cache
def _empty_tables() -> bytes:
    """This release's tables as one file; making them anew is half the time of making a node."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "empty.db"
        database = Database(f"sqlite:///{file}")
        upgrade(database)
        database.close()
        return file.read_bytes()


def put_empty_tables(file: Path) -> None:
    """Lay a database without rows where a new node will look for its own."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.write_bytes(_empty_tables())


def port_of(node: Node) -> int:
    """The port that a node's own document names."""
    return int(read_hint(node)["base"].rstrip("/").rpartition(":")[2])


@dataclass
class Serving:
    """A node's application on uvicorn in a thread, at the address of its document."""

    node: Node
    port: int | None = None  # where a line in front of it leads to
    server: uvicorn.Server = field(init=False)
    thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        config = uvicorn.Config(
            create_app(self.node), host="127.0.0.1", port=self.port or port_of(self.node),
            log_level="error", lifespan="off", ws="none",
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + _PATIENCE
        while not self.server.started:
            assert self.thread.is_alive(), "the server ended at once"
            assert time.monotonic() < until, "the server did not start"
            self.thread.join(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.should_exit = True
        self.thread.join(_PATIENCE)
        assert not self.thread.is_alive(), "the server did not stop"


def serve_in_thread(node: Node) -> Serving:
    """Serve a node while the ``with`` block runs."""
    return Serving(node)


@contextmanager
def serving(*nodes: Node) -> Iterator[None]:
    """Serve several nodes."""
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(serve_in_thread(node))
        yield


def peer_of(node: Node, other: Node | NodeId) -> PeerRow:
    """The other node as a peer of the first, as it is stored now."""
    node_id = other.node_id if isinstance(other, Node) else other
    with node.database.read() as tx:
        found = find_peer(tx, node_id)
    assert found is not None, "they are not paired"
    return found


def pair(a: Node, b: Node, trust: str | None = None) -> None:
    """Pair two nodes over HTTP (``a`` has to be served); both give the other this trust."""
    accept_invitation(b, invite_peer(a))
    if trust is not None:
        trust_each_other(a, b, trust)


def trust_each_other(a: Node, b: Node, trust: str) -> None:
    """Let both give the other this trust, as if the eight words had been compared."""
    for node, other in ((a, b), (b, a)):
        give_trust(node, other, trust)


def give_trust(node: Node, other: Node, trust: str, **changes: Any) -> PeerRow:
    """Let one node give another this trust, verified unless said otherwise."""
    members = {"trust": trust, "verified": True} | changes
    return set_peer(node, peer_of(node, other), PeerChanges(**members)).after


def publish_names(
    node: Node, names: Sequence[str], tlp: str, to: Sequence[Node] = ()
) -> PublishOutcome:
    """Publish names as indicators with this label, to the named peers or to all."""
    lines = [NamedLine(number, read_name(name)) for number, name in enumerate(names, 1)]
    label = Tlp.read(tlp)
    return publish_objects(
        node,
        PublishRequest(
            drafts=drafts_from_names(node, lines, label, NameOptions()),
            tlp=label,
            to=tuple(peer_of(node, other) for other in to),
            wrap=lambda values: wrap_names(node, "Names", values),
        ),
    )


def names_seen(node: Node, state: str = "accepted") -> set[str]:
    """The names of the indicators of others that a node holds in this state."""
    with node.database.read() as tx:
        rows = tx.connection.execute(
            sa.select(OBJECTS.c.name_key).where(
                OBJECTS.c.state == state,
                OBJECTS.c.origin != node.node_id,
                OBJECTS.c.name_key.is_not(None),
            )
        )
        return set(rows.scalars())
