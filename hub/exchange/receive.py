"""Receive a page of a feed: the receiver's order of checks, and one transaction (PROTOCOL 2.4).

The steps, in the order of the specification:
 (1) open each entry: size, type, keys, signature, strict JSON, key times, feed; no lock is held;
 (2) judge the content alone: kind, policy, objects, markings;
 (3) in one serialised write, entry by entry: place in the chain, relay rule, revoked keys; then
     what needs the store: references, ownership, version order, the trust gate;
 (4) entry, objects, views and cursor are committed together.
A failure of (1) or of the place in the chain stops the feed before that entry; a failure of the
content is stored with its code and the chain advances, or one bad entry would block the feed.

A page with a stub, and what comes behind one, goes by ``held_pages`` until the stub has its right.

What the caller does: choose the peer, fetch the page, compare the end of the chain with the head.
"""

from __future__ import annotations

from dataclasses import replace

from federation.errors import ChainBroken, EntryDeferred, SignatureRejected
from federation.feeds.anchors import open_anchor
from federation.transport.peer_answers import FeedPage
from hub.exchange.held_pages import forget_released, hold_page, next_released, rewind
from hub.exchange.judged_page import (
    Ahead,
    Judged,
    Received,
    open_and_judge,
)
from hub.exchange.page_write import PageWrite, Way
from hub.node import Node
from hub.peers.evidence import CONTRADICTING, note_branch
from hub.peers.known_nodes import pinned
from hub.storage.queries import feeds as stored
from hub.storage.queries.peers import PeerRow
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.strict_json import strict_loads

__all__ = ["Ahead", "Received", "Way", "receive_page", "take_released"]


def receive_page(
    node: Node,
    *,
    feed: FeedName,
    sender: PeerRow,
    page: FeedPage,
    ahead: Ahead | None = None,
    way: Way = Way.PULLED,
    wider_whole: bool = True,
) -> Received:
    """Take in one page of a feed from a peer.

    Args:
        feed: the feed that was asked for.
        sender: the peer that handed the page over; the origin, or a relay.
        page: the page as the peer answered.
        ahead: what lies behind this page, where that was looked at (PROTOCOL 2.3).
        way: how it came here.
        wider_whole: whether the origin's wider feeds were read to their end; else an entry waits
            for what it refers to.

    Returns:
        The counts and, where the feed stopped, the error. An error is also returned and not
        raised when nothing at all could be stored, so that other feeds go on.
    """
    with node.database.read() as tx:
        origin = pinned(tx, feed.node_id)
        relay = origin if sender.node_id == feed.node_id else pinned(tx, sender.node_id)
    judged, error = open_and_judge(page.objects, origin, feed)
    anchor = None
    if page.anchor is not None and relay is origin and feed.kind == "group":
        try:
            anchor = open_anchor(page.anchor, pinned=origin, feed=feed)
        except (WireFormatError, SignatureRejected, ChainBroken) as refused:
            judged, error = [], refused
    with node.database.write() as tx:
        writing = PageWrite(tx, node, origin, feed, sender, anchor, way)
        writing.wider_whole = wider_whole
        entries = [item for item in judged if isinstance(item, Judged)]
        at_once = not writing.held.pending_seq and len(entries) == len(judged)
        if at_once:
            received = writing.store(entries, error, page, relay, ahead or Ahead())
        else:
            received = hold_page(writing, judged, error, page, relay, ahead or Ahead())
        if received.error is not None and received.error.code in CONTRADICTING:
            note_branch(tx, node, feed, [i.entry for i in entries], sender=writing.sender.node_id)
    if at_once:
        return received
    return take_released(node, feed, sender, received, way=way, wider_whole=wider_whole)


def take_released(
    node: Node,
    feed: FeedName,
    sender: PeerRow,
    held_back: Received,
    *,
    way: Way = Way.PULLED,
    wider_whole: bool = True,
) -> Received:
    """Take what waited behind stubs that have their right now, in writes of a hundred steps each.

    Args:
        held_back: what holding the page came to; the counts are added to it, the results are its.
    """
    total = held_back
    while True:
        with node.database.read() as tx:
            held = stored.find_feed(tx, feed)
            rows = [] if held is None else next_released(tx, held)
            origin = pinned(tx, feed.node_id)
        if not rows:
            return total
        items, error = open_and_judge([strict_loads(row.record) for row in rows], origin, feed)
        with node.database.write() as tx:
            writing = PageWrite(tx, node, origin, feed, sender, None, way)
            writing.wider_whole = wider_whole
            if rows != next_released(tx, writing.held):
                continue  # another process took them, or went back
            taken = writing.store_released(list(zip(items, rows, strict=False)), error)
            forget_released(tx, writing.held, taken.last_seq)
            if taken.error is not None and not isinstance(taken.error, EntryDeferred):
                # Its keys were withdrawn while it waited: it is asked for again, and judged anew.
                rewind(tx, replace(writing.held, last_seq=taken.last_seq), taken.last_seq + 1)
        total = replace(
            total,
            entries=total.entries + taken.entries,
            accepted=total.accepted + taken.accepted,
            quarantined=total.quarantined + taken.quarantined,
            rejected=total.rejected + taken.rejected,
            error=total.error or taken.error,
        )
        if taken.error is not None:
            return replace(total, last_seq=taken.last_seq)
