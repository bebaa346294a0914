"""A relay that served what its origin keeps to itself: put its confession together (PROTOCOL 2.5).

Nothing of such a page was taken (``E_RELAY_FORBIDDEN``). What is kept is the relay head that came
with it and, where others of the kind may be relayed, the entry with that very hash.

What it does not do: tell anybody but the origin, which ``gossip`` sees to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from federation.errors import ChainBroken, PeerState, PeerUnreachable, SignatureRejected
from federation.feeds.entry import OpenedEntry, open_entry
from federation.feeds.heads import RelayHead, open_relay_head
from federation.feeds.relay_proofs import ORIGIN_ALONE, build_relay_proof
from federation.identity.node_document import PinnedNode
from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import FeedSource
from hub.node import Node
from hub.peers.evidence import store_relay_breach
from hub.peers.known_nodes import pinned
from hub.storage.queries.peers import PeerRow
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId


def note_relay_page(
    node: Node, sender: PeerRow, source: FeedSource, feed: FeedName, page: FeedPage
) -> bool:
    """Keep the proof that a page gives against the relay that served it.

    Args:
        source: the relay, asked for the one entry that its relay head names where the page ended
            before it.

    Returns:
        Whether there was one; a page that was refused for another reason gives none.
    """
    if page.relay_head is None:
        return False
    with node.database.read() as tx:
        origin, relay = pinned(tx, feed.node_id), pinned(tx, NodeId(sender.node_id))
    try:
        relay_head = open_relay_head(page.relay_head, relay=relay, feed=feed)
    except (WireFormatError, SignatureRejected, ChainBroken):
        return False
    entry = None
    if feed.kind not in ORIGIN_ALONE:
        entry = _named(page.objects, relay_head, origin) or _fetched(source, relay_head, origin)
    proof = build_relay_proof(relay_head, entry)
    if proof is None:
        return False
    with node.database.write() as tx:
        store_relay_breach(tx, node, proof, sender=None)
    return True


def _named(
    objects: Iterable[Mapping[str, object]], relay_head: RelayHead, origin: PinnedNode
) -> OpenedEntry | None:
    """Find the entry that the relay head names, signed by its origin."""
    for value in objects:
        if value.get("seq") != relay_head.seq:
            continue
        try:
            entry = open_entry(value.get("dsse"), pinned=origin, feed=relay_head.feed)
        except (WireFormatError, SignatureRejected, ChainBroken):
            continue
        if entry.hash == relay_head.hash:
            return entry
    return None


def _fetched(source: FeedSource, relay_head: RelayHead, origin: PinnedNode) -> OpenedEntry | None:
    try:
        page = source.page(relay_head.feed, relay_head.seq - 1, 1)
    except (PeerUnreachable, PeerState, WireFormatError, ChainBroken):
        return None
    return _named(page.objects, relay_head, origin)
