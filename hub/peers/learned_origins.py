"""Which nodes' chains are pinned here, and learning in a pull those that are not."""

from __future__ import annotations

from collections.abc import Callable

from federation.identity.node_document import PinnedNode
from federation.transport.peer_client import FeedSource
from hub.node import Node
from hub.peers.known_nodes import find_pinned
from hub.peers.node_documents import learn_node
from hub.storage.queries.peers import PeerRow
from schemas.identifiers import NodeId

MOST_NEW_ORIGINS = 32
"""Nodes learned in one pull: their ids cost a liar nothing, their documents cost us work."""


class Origins:
    """Which nodes' chains are pinned here, learning those that are not from the sender."""

    def __init__(
        self,
        node: Node,
        sender: PeerRow,
        transport: FeedSource,
        is_late: Callable[[], bool],
    ) -> None:
        self.node = node
        self.sender = sender
        self.transport = transport
        self.is_late = is_late
        self.learned = 0
        self.known: set[NodeId] = set()
        self.renewed: set[NodeId] = set()

    def is_known(self, node_id: NodeId) -> bool:
        """Tell whether a node is pinned, after learning it when that is needed and still free.

        Raises:
            TocsinError: it could not be learned.
        """
        if node_id in self.known:
            return True
        with self.node.database.read() as tx:
            if find_pinned(tx, node_id) is not None:
                self.known.add(node_id)
                return True
        if self.learned >= MOST_NEW_ORIGINS:
            return False
        self._learn(node_id)
        return True

    def renew(self, node_id: NodeId) -> bool:
        """Fetch a node's chain again, once in a pull; tell whether it has grown.

        Raises:
            TocsinError: it could not be had, or does not hold.
        """
        if node_id in self.renewed or self.learned >= MOST_NEW_ORIGINS:
            return False
        self.renewed.add(node_id)
        with self.node.database.read() as tx:
            before = find_pinned(tx, node_id)
        return before is None or self._learn(node_id).newest.version > before.newest.version

    def _learn(self, node_id: NodeId) -> PinnedNode:
        self.learned += 1
        return learn_node(
            self.node, node_id, self.transport, sender=self.sender, is_late=self.is_late
        )
