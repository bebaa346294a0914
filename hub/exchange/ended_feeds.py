"""Take back what stands in own feeds that take no more entries (PROTOCOL 2.4, 3.3).

A stub needs a later entry of its own feed, and in a closed feed or an ended epoch there is none.
So the bytes of the entry go, and whoever comes to that place is answered ``E_ERASED``. Those who
have it are told by the objects' ids, in the feeds that reach them (``later_words``).

Nobody gets past that place any more. What an ended epoch has behind it is therefore said again in
the next one; of a closed group's feed it is not, for it had its readers, and gets no new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.feeds.stubs import LEAVES_NO_STUB
from hub.exchange.later_words import words_on
from hub.exchange.own_feeds import ENDED, goes_on_in
from hub.exchange.putting_again import PutAgain, put_again
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.erasures import (
    Erasure,
    blank_entry,
    find_erasure,
    places_at,
    places_since,
    store_erasure,
)
from hub.storage.queries.feeds import STUB, FeedRow, find_feed
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName

TAKE_NO_MORE = frozenset({"closed", ENDED})
"""States of own feeds that are served on and take no entry; a frozen one waits for a person."""


@dataclass(frozen=True, slots=True)
class TakingOut:
    """Why entries are taken out, and by whom."""

    guilty: Sequence[str]
    by: str
    reason: str
    now: datetime


def take_out(
    tx: Transaction, node: Node, feed: FeedRow, seqs: Collection[int], why: TakingOut
) -> PutAgain:
    """Delete the bytes of entries of an own feed that takes no more; say again what is behind."""
    named = still_there(tx, feed, seqs)
    again = PutAgain()
    if not named:
        return again
    if feed.state == ENDED and _goes_on(tx, feed):
        behind = [place.seq for place in places_since(tx, feed.feed_row, named[0])]
        again = put_again(tx, node, feed, behind, why.guilty, why.now)
    for seq in named:
        blank_entry(tx, feed.feed_row, seq)
        store_erasure(tx, Erasure(feed.feed_row, seq, why.now, why.by, why.reason))
    return again


def still_there(tx: Transaction, feed: FeedRow, seqs: Collection[int]) -> list[int]:
    """List, in order, the entries that can be taken back and still have their bytes."""
    return sorted(
        place.seq
        for place in places_at(tx, feed.feed_row, seqs)
        if place.state != STUB
        and place.kind not in LEAVES_NO_STUB
        and find_erasure(tx, feed.feed_row, place.seq) is None
    )


def feeds_that_tell(
    tx: Transaction, node: Node, row: ObjectRow, feeds: Collection[int]
) -> list[FeedName]:
    """Name the open feeds that reach who may have an own object by feeds that take no more.

    Args:
        row: the newest version, with its bytes still here.
        feeds: numbers of those feeds.
    """
    claims = stored.claims_of(tx, [row.stix_id])[row.stix_id]
    mine = [claim.object_row for claim in claims if claim.origin == node.node_id]
    carriages = [c for c in stored.carriages_of(tx, mine) if c.feed_row in feeds]
    content = stored.contents_of(tx, [row.object_row])[row.object_row]
    if not content:
        return []
    words = words_on(tx, node, row, content, carriages)
    return [word.feed for word in words if _takes_more(tx, word.feed)]


def _takes_more(tx: Transaction, name: FeedName) -> bool:
    held = find_feed(tx, name)
    return held is None or held.state in {"open", ENDED}


def _goes_on(tx: Transaction, feed: FeedRow) -> bool:
    following = find_feed(tx, goes_on_in(tx, feed.name))
    return following is not None and following.state == "open"
