"""Whom to tell what was learned of a feed: the queue's part of gossip.

Apart from ``gossip``, which sends, because what is found while a page is received has to be able
to ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from hub.exchange.serve_feeds import may_read
from hub.peers.admit import is_reading
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import find_peer, list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId

GOSSIP: Final = "gossip"
"""The job in which a peer is told heads and proofs."""


def request_gossip(
    tx: Transaction,
    feeds: Iterable[FeedName],
    at: datetime,
    *,
    but: NodeId | None = None,
    and_with: NodeId | None = None,
) -> None:
    """Ask for gossip with every peer that may read one of these feeds.

    Args:
        but: a peer that knows already.
        and_with: a peer that is concerned without that.
    """
    held = [row for row in (find_feed(tx, feed) for feed in feeds) if row is not None]
    for peer in list_peers(tx) if held else ():
        if is_reading(peer) and peer.node_id != but and any(may_read(tx, f, peer) for f in held):
            request_job(tx, GOSSIP, peer.node_id, at)
    concerned = None if and_with is None else find_peer(tx, and_with)
    if concerned is not None and is_reading(concerned):
        request_job(tx, GOSSIP, concerned.node_id, at)
