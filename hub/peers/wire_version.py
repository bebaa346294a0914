"""Speak with a peer only in a version that both have (PROTOCOL 2.3 ``wire``).

Asked at both ends: before this node asks a peer for anything, and before it answers one. Nothing
of the relation is touched by it; as soon as one side speaks more, it goes on where it stood.
"""

from __future__ import annotations

from federation.errors import PeerState
from federation.identity.wire_version import require_common
from federation.transport.peer_client import FeedSource
from hub.monitoring.alarms import end_alarm, raise_alarm
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.node_documents import learn_node
from hub.storage.queries.alarms import find_open_alarm
from hub.storage.queries.peers import PeerRow

WIRE_VERSION = "WIRE_VERSION"
"""The alarm, open as long as the two have no version in common."""


def require_common_version(node: Node, peer: PeerRow) -> int:
    """Return the version to use with a peer, by the documents that are pinned here.

    Raises:
        PeerState: ``E_WIRE_VERSION``.
    """
    with node.database.read() as tx:
        listed = pinned(tx, peer.node_id).newest.wire
    return require_common(peer.name, listed)


def agree_on_version(node: Node, peer: PeerRow, source: FeedSource) -> int:
    """Return the version to use with a peer; where there was none, look at its newest document.

    That is how two nodes find each other again after an update: documents are given and taken in
    every version.

    Raises:
        PeerState: ``E_WIRE_VERSION``, with an alarm.
        PeerUnreachable, SignatureRejected, WireFormatError, Conflict, EntryDeferred: the document
            could not be had.
    """
    try:
        version = require_common_version(node, peer)
    except PeerState as apart:
        _raise(node, peer, apart)
        learn_node(node, peer.node_id, source, sender=peer)
        version = require_common_version(node, peer)
    _end(node, peer)
    return version


def _raise(node: Node, peer: PeerRow, apart: PeerState) -> None:
    spoken, wanted = apart.params["spoken"], apart.params["wanted"]
    with node.database.write(durable=False) as tx:
        raise_alarm(
            tx, WIRE_VERSION, peer.node_id, node.now(), name=peer.name, spoken=spoken,
            wanted=wanted, remedy=apart.remedy,
        )  # fmt: skip


def _end(node: Node, peer: PeerRow) -> None:
    with node.database.read() as tx:
        if find_open_alarm(tx, WIRE_VERSION, peer.node_id) is None:
            return
    with node.database.write(durable=False) as tx:
        end_alarm(tx, WIRE_VERSION, peer.node_id, node.now())
