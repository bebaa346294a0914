"""Say something again, or of something, to those who had it: as far as they may still have it."""

from __future__ import annotations

from dataclasses import replace

from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.node import Node
from hub.storage.queries.groups import find_group_of_gid
from hub.storage.queries.objects import carriages_of
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, direct_audience


def readers_of(
    tx: Transaction, node: Node, object_row: int
) -> tuple[tuple[PeerRow, ...], tuple[str, ...]]:
    """Find to whom an own object went by name: peers, and groups of this node.

    Both are empty where it went to everybody whom its label reaches.
    """
    feeds = {FeedName.read(each.feed) for each in carriages_of(tx, [object_row])}
    audiences = {feed.audience for feed in feeds if feed.node_id == node.node_id}
    to = tuple(p for p in list_peers(tx) if direct_audience(p.node_id) in audiences)
    found = [find_group_of_gid(tx, node.node_id, audience) for audience in sorted(audiences)]
    return to, tuple(dict.fromkeys(group.name for group in found if group is not None))


def publish_where_allowed(node: Node, request: PublishRequest) -> PublishOutcome:
    """Publish to those of the named peers who may have it; else nobody would for the sake of one.

    Where an object is refused nothing is published, and the outcome says why.

    Raises:
        SharingRefused: what publishing refuses where nobody is left.
    """
    tried = publish_objects(node, replace(request, dry_run=True))
    if tried.refused:
        return tried
    may = {line.peer for line in tried.audience if line.decision == "allowed"}
    allowed = tuple(peer for peer in request.to if peer.node_id in may)
    return publish_objects(node, replace(request, to=allowed or request.to))
