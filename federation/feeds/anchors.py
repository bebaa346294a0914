"""Where the chain of a reader begins that joined a group later (PROTOCOL 2.6 ``x_tocsin_anchor``).

Invariants:
* an anchor is a head of that very feed, signed by its origin; nobody else moves a beginning;
* only a group's feed has anchors, and only one of which we hold nothing: a chain that we hold is
  never cut;
* a revoked key vouches for a beginning only at a position that its owner named good.

What it does not do: ask who handed it over (the caller takes one from the origin alone), keep it,
or use its time: an anchor is signed whenever it is asked for, later than the entries behind it.
"""

from __future__ import annotations

from federation.errors import ChainBroken
from federation.feeds.chain import Standing, decide_standing
from federation.feeds.heads import Head, open_head
from federation.identity.node_document import PinnedNode
from schemas.identifiers import FeedName


def open_anchor(value: object, *, pinned: PinnedNode, feed: FeedName) -> Head:
    """Open the head after which this reader's chain begins.

    Args:
        value: the parsed signed envelope.
        pinned: the origin, which also handed it over.
        feed: the feed that was asked for.

    Raises:
        WireFormatError, SignatureRejected: as for any head; ``E_KEY_REVOKED`` too.
        ChainBroken: ``E_FEED``, also for an anchor where no feed has one.
    """
    # 1. Where there may be one at all: clear, green and direct feeds are read from the start.
    if feed.kind != "group":
        raise ChainBroken("E_FEED", f"a {feed.kind} feed begins at seq 1 and has no anchor")
    # 2. Signed by the origin, of this feed.
    head = open_head(value, pinned=pinned, feed=feed)
    # 3. A thief's key must not choose where we begin.
    standing = decide_standing(
        head.kid,
        head.seq,
        pinned=pinned,
        chain_hash_at=lambda seq: head.hash if seq == head.seq else None,
        feed_ended=True,
    )
    if standing is not Standing.GOOD:
        raise ChainBroken("E_KEY_REVOKED", "the anchor is signed with a revoked key")
    return head
