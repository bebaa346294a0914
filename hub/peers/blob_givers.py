"""Whom to ask for a blob, in which order (PROTOCOL 2.6).

The origin of a set that names it, then whoever handed over such an entry, then the peers that told
heads of its feed.

Invariants:
* what only a group's or a direct feed names is asked of its origin and of nobody else: to others
  the question would tell that there is such a list, and let them compare it with their guesses;
* what a peer gives for another's sets does not count where it names the blob itself: it would give
  it to us for its own, under whatever label, and the other need not have it (THREATS 46);
* who gave wrong bytes of it within a day is not asked; who could not be reached lately is asked
  last.

What it does not do: say who may have it. That is each peer's to decide; to one that has it not, or
not for us, it is the one 404.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from hub.node import Node
from hub.peers.incoming_blobs import MIXED, is_wrong
from hub.peers.standing import is_reading
from hub.storage.queries.blob_gifts import first_asked_for, is_given
from hub.storage.queries.blobs import HELD, find_blob
from hub.storage.queries.named_blobs import givers_of, is_named_by
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.stated_heads import heads_stated_of
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId

MOST_GIVERS: Final = 8
_RELAYED: Final = frozenset({"clear", "green"})


def apart(sha256: str, origin: NodeId) -> str:
    """Name the place of the bytes that come for an origin while the blob is here for others."""
    return hashlib.sha256(f"fetched for {origin}: {sha256}".encode()).hexdigest()


def is_settled(tx: Transaction, node: Node, sha256: str, origin: NodeId) -> bool:
    """Tell whether a blob is here and counts for the sets of an origin."""
    blob = find_blob(tx, sha256)
    counts = origin == node.node_id or is_given(tx, sha256, origin)
    return blob is not None and blob.state == HELD and counts


def place_for(tx: Transaction, sha256: str, origin: NodeId) -> str:
    """Find where bytes for an origin's sets lie: apart from those that come for another's."""
    blob = find_blob(tx, sha256)
    is_first = first_asked_for(tx, sha256) in (None, origin)
    is_here = blob is not None and blob.state == HELD
    return sha256 if is_first and not is_here else apart(sha256, origin)


def may_give_for(tx: Transaction, sha256: str, origin: NodeId) -> tuple[NodeId, ...]:
    """List the nodes whose bytes of a blob count for the sets of an origin, in their order."""
    givers = [giver for giver in givers_of(tx, sha256) if giver.origin == origin]
    open_to_all = [giver for giver in givers if FeedName.read(giver.feed).kind in _RELAYED]
    known: dict[NodeId, None] = {origin: None} if givers else {}
    known |= dict.fromkeys(giver.sender for giver in open_to_all if giver.sender is not None)
    for feed in dict.fromkeys(giver.feed for giver in open_to_all):
        known |= dict.fromkeys(stated.node_id for stated in heads_stated_of(tx, feed))
    return tuple(
        node_id for node_id in known if node_id == origin or not is_named_by(tx, sha256, node_id)
    )


def givers_for(
    tx: Transaction, sha256: str, origin: NodeId, place: str, now: datetime
) -> tuple[PeerRow, ...]:
    """List the peers to ask for an origin's sets, in their order.

    Args:
        place: where the bytes lie that came.
    """
    peers = {peer.node_id: peer for peer in list_peers(tx) if is_reading(peer)}
    blob = find_blob(tx, place)
    known = may_give_for(tx, sha256, origin)
    if blob is not None and blob.held and blob.sender in known and is_wrong(blob, MIXED, now):
        # Only who began it goes on with it: then it is known whose the bytes are.
        known = tuple(dict.fromkeys([NodeId(blob.sender), *known]))
    able = [
        peers[node_id]
        for node_id in known
        if node_id in peers and (blob is None or not is_wrong(blob, node_id, now))
    ]
    return tuple(sorted(able, key=_seems_away)[:MOST_GIVERS])


def _seems_away(peer: PeerRow) -> bool:
    """Tell whether a peer could not be reached lately, or pushes because nobody reaches it."""
    succeeded = peer.last_success_at
    pushes = peer.pushed_at is not None and (succeeded is None or succeeded < peer.pushed_at)
    return peer.failures > 0 or pushes
