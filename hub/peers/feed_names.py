"""Which feed an operator means."""

from __future__ import annotations

from hub.errors import NotFound
from hub.node import Node
from hub.peers.directory import resolve_peer
from hub.storage.queries.feeds import find_feed
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId, is_node_id


def resolve_feed(node: Node, text: str) -> FeedName:
    """Find the feed that is meant: its name, ``AUDIENCE[/EPOCH]`` of this node, or of a PEER.

    ``green``, ``green/2``, ``Example CERT/green`` and the full name all work; without an epoch it
    is the first.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``, ``E_PEER_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    parts = text.strip().rsplit("/", 2)
    epoch = parts.pop() if len(parts) > 1 and parts[-1].isdecimal() else "1"
    audience = parts.pop()
    whose = "/".join(parts)
    node_id = node.node_id
    if whose:
        node_id = NodeId(whose) if is_node_id(whose) else resolve_peer(node, whose).node_id
    try:
        feed = FeedName.read(f"{node_id}/{audience}/{epoch}")
    except WireFormatError:
        raise _unknown(text) from None
    with node.database.read() as tx:
        if find_feed(tx, feed) is None:
            raise _unknown(text)
    return feed


def _unknown(text: str) -> NotFound:
    return NotFound(
        "E_FEED_UNKNOWN",
        f"no feed {text!r} is held here",
        "Run `tocsin feed list`; give its name, or PEER/AUDIENCE such as `Example CERT/green`.",
    )
