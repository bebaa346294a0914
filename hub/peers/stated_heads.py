"""Heads that somebody handed over: whose they are, and what they say beside what we hold.

Invariants:
* nothing of a head counts before it was opened with the pinned keys of its feed's origin;
* a head never moves a chain: it only says that there is more to pull, or that two differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.chain import ChainState, decide_standing
from federation.feeds.chain import Standing as EntryStanding
from federation.feeds.forks import feed_stated
from federation.feeds.heads import Head, decide_end, open_head
from federation.identity.node_document import PinnedNode
from hub.peers.known_nodes import find_pinned
from hub.storage.queries.feeds import FeedRow, entry_hashes, find_feed, update_feed
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE

LARGEST_HEAD = 4096
"""Bytes of a head's payload; an honest one has some 300."""


class Standing(Enum):
    """A good head beside our chain."""

    HELD = "we hold all that it speaks of"
    AHEAD = "there is more than we hold"
    CONTRADICTS = "it states another hash than the entry that we hold"


def heads_by_feed(values: Iterable[Any]) -> dict[FeedName, Any]:
    """Sort unverified heads by the feed that they claim; unreadable ones are left out."""
    found = {}
    for value in values:
        feed = feed_stated(value, (HEAD_TYPE,))
        if feed is not None:
            found[feed] = value
    return found


def find_good_head(tx: Transaction, value: object) -> Head | None:
    """Open a head with the pinned keys of the origin that it claims; None when it is not good."""
    feed = feed_stated(value, (HEAD_TYPE,))
    origin = None if feed is None else find_pinned(tx, feed.node_id)
    if origin is None:
        return None
    try:
        head = open_head(value, pinned=origin, feed=feed)
    except (WireFormatError, SignatureRejected, ChainBroken):
        return None
    return head if is_good(tx, head, origin) else None


def is_good(tx: Transaction, head: Head, origin: PinnedNode) -> bool:
    """Tell whether a head counts, in view of its origin's revoked keys (PROTOCOL 2.3).

    One under a revoked key does as far as our chain holds what the owner calls good: a thief's
    head ahead of it neither wakes us nor makes a gap.
    """

    def hash_at(seq: int) -> EntryHash | None:
        # Asked for revoked keys alone: most heads are good without a look at the chain.
        held = find_feed(tx, head.feed)
        return None if held is None else entry_hashes(tx, held.feed_row, [seq]).get(seq)

    standing = decide_standing(
        head.kid, head.seq, pinned=origin, chain_hash_at=hash_at, feed_ended=True
    )
    return standing is EntryStanding.GOOD


def compare(tx: Transaction, head: Head) -> Standing:
    """Tell how a good head stands beside what we hold of its feed."""
    held = find_feed(tx, head.feed)
    if held is None:
        return Standing.AHEAD
    try:
        require_reached(tx, held, head)
    except ChainBroken as broken:
        return Standing.CONTRADICTS if broken.code == "E_FORK" else Standing.AHEAD
    return Standing.HELD


def require_reached(tx: Transaction, held: FeedRow, head: Head) -> None:
    """Check that our chain reaches a head's seq with the head's hash (PROTOCOL 2.6).

    Raises:
        ChainBroken: ``E_GAP`` or ``E_FORK``.
    """

    def hash_at(seq: int) -> EntryHash | None:
        return entry_hashes(tx, held.feed_row, [seq]).get(seq)

    state = ChainState(feed=head.feed, seq=held.last_seq, hash=held.last_hash, ts=held.last_ts)
    decide_end(state, head, hash_at)


def is_newer(held: FeedRow, head: Head) -> bool:
    """Tell whether a head replaces the one held: a lower (seq, ts) is ignored (PROTOCOL 2.5)."""
    return held.head_ts is None or (head.seq, head.ts) > (held.head_seq, held.head_ts)


def keep_head(tx: Transaction, head: Head) -> None:
    """Keep a head that our chain reaches, unless a newer one is held."""
    held = find_feed(tx, head.feed)
    # A head ahead of our entries is never kept: as a relay we would promise what we do not have.
    if held is None or held.last_seq < head.seq or not is_newer(held, head):
        return
    # Nor is a padded one: it travels with every page, and beside the heads of all other origins.
    if len(head.envelope.payload) > LARGEST_HEAD:
        return
    update_feed(
        tx,
        held.feed_row,
        head=head.envelope.to_bytes(),
        head_seq=head.seq,
        head_ts=head.ts,
    )
