"""The stage of the demo: three nodes in one process, each with its own home, port and threads.

Their keys are made for the occasion and lie in a temporary home; their node documents say
``demo``, and a node outside a demo refuses to pin such a document (PROTOCOL 2.3).
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from hub.app import create_app
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.node import Node
from hub.peers.admit import PeerAdmitted
from hub.peers.directory import resolve_peer
from hub.peers.invite import accept_invitation, invite_peer
from hub.peers.pull import PullOutcome, pull_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.settings import load_settings
from hub.workers.run import Worker

PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Role:
    """Who plays: the organisation's name, its kind and its reserved domain."""

    name: str
    role: str
    domain: str


CERT = Role("CERT-Alba", "cert", "cert-alba.example")
REGISTRY = Role("Registry-Beta", "registry", "registry-beta.example")
OARC = Role("OARC-Gamma", "resolver-operator", "oarc-gamma.example")


@dataclass(slots=True)
class DemoNode:
    """One node with its server and its worker, which can be stopped and started again."""

    role: Role
    node: Node
    port: int
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _worker: Worker | None = None

    @property
    def name(self) -> str:
        """The organisation's name."""
        return self.role.name

    @property
    def base(self) -> str:
        """The node's address on this machine."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve, and work off pulls and wake-ups."""
        config = uvicorn.Config(
            create_app(self.node),
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        server = self._server
        wait_until(lambda: server.started)
        self._worker = Worker(self.node)
        self._worker.start()

    def stop(self) -> None:
        """Stop serving and working; the node's data stay."""
        if self._worker is not None:
            self._worker.stop(PATIENCE_SECONDS)
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(PATIENCE_SECONDS)
        self._worker = self._server = self._thread = None

    def pull(self, other: DemoNode) -> PullOutcome:
        """Pull from another node now, beside what the worker does."""
        return pull_peer(self.node, resolve_peer(self.node, other.node.node_id))


@dataclass(slots=True)
class Stage:
    """The three nodes, paired with each other."""

    cert: DemoNode
    registry: DemoNode
    oarc: DemoNode
    pairings: list[tuple[DemoNode, DemoNode, PeerAdmitted]] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[DemoNode, DemoNode, DemoNode]:
        """All three."""
        return self.cert, self.registry, self.oarc

    def stop(self) -> None:
        """End every server and worker, and close the databases."""
        for demo_node in self.nodes:
            demo_node.stop()
            demo_node.node.database.close()


def wait_until(reached: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait for a condition; tell whether it came in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def build_stage(home: Path) -> Stage:
    """Make, start and pair the three nodes under a temporary home."""
    logging.getLogger("tocsin").setLevel(logging.CRITICAL)  # the story tells what goes wrong
    stage = Stage(_make_node(home, CERT), _make_node(home, REGISTRY), _make_node(home, OARC))
    for demo_node in stage.nodes:
        demo_node.start()
    for inviter, joiner in (
        (stage.cert, stage.registry),
        (stage.cert, stage.oarc),
        (stage.registry, stage.oarc),
    ):
        admitted = accept_invitation(joiner.node, invite_peer(inviter.node))
        stage.pairings.append((inviter, joiner, admitted))
    # The words were compared, so trust takes effect. The registry is trusted with AMBER; the
    # resolver operators' member is trusted too, but will be named for nothing.
    for inviter, joiner, _ in stage.pairings:
        for one, other in ((inviter, joiner), (joiner, inviter)):
            peer = resolve_peer(one.node, other.node.node_id)
            set_peer(one.node, peer, PeerChanges(trust="trusted", verified=True))
    return stage


def _make_node(home: Path, role: Role) -> DemoNode:
    port = _free_port()
    settings = load_settings(home / role.domain, demo=True, allow_loopback_peers=True)
    profile = NodeProfile(
        name=role.name,
        domain=role.domain,
        base_url=f"http://127.0.0.1:{port}/",
        roles=[role.role],
        demo=True,
    )
    create_node(settings, profile)
    return DemoNode(role, open_node(settings), port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
