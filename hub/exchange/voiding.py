"""Void what an origin's newer documents say is not its own (PROTOCOL 2.3, THREATS 15).

Runs in the transaction that stores the documents, so that there is no moment at which a key is
known to be stolen and what its thief wrote is still seen.

Invariants:
* a feed ends at its last good entry: what follows is out of the chain and out of every view, and
  is kept apart as evidence;
* our cursor goes back with it: what is good after all comes again, and counts against no limit;
* what the void entries had replaced, withdrawn or restricted comes back (``rederiving``);
* a head that a revoked key signed is no head; what peers stated before is asked of them anew, or
  this node would wait for a thief's entries for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.heads import open_head
from federation.feeds.held_chain import Link, count_good
from federation.identity.node_document import PinnedNode
from hub.exchange.rederiving import rederive
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import FeedRow, list_feeds, update_feed
from hub.storage.queries.stated_heads import forget_stated_of
from hub.storage.queries.void_entries import (
    HeldEntry,
    entries_of,
    rows_carried_after,
    void_after,
    void_hashes,
)
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName, KeyId
from schemas.strict_json import strict_loads


@dataclass(frozen=True, slots=True)
class Voided:
    """What was voided of one feed.

    Args:
        last_good: the seq of the last entry that counts.
        entries: how many were voided after it.
    """

    feed: str
    last_good: int
    entries: int


def void_what_is_not_good(
    tx: Transaction, node: Node, origin: PinnedNode, now: datetime
) -> tuple[Voided, ...]:
    """Judge every held feed of an origin by its documents as they are now, and void the rest.

    Args:
        origin: with the new documents, which the caller has stored.
    """
    if any(document.revoked for document in origin.documents):
        forget_stated_of(tx, origin.node_id)
    found: list[Voided] = []
    orphans: set[int] = set()
    for feed in list_feeds(tx):
        if feed.node_id != origin.node_id or feed.last_seq == 0:
            continue
        entries = list(map(_read, entries_of(tx, feed.feed_row)))
        links = [link for link, _ in entries]
        good = count_good(links, origin)
        if not feed.own:
            good = _count_justified(entries, good)
        if good == len(links):
            _forget_bad_head(tx, feed, origin)
            continue
        last = links[good - 1] if good else None
        orphans |= rows_carried_after(tx, feed.feed_row, last.seq if last else 0)
        void_after(tx, feed.feed_row, last.seq if last else 0, now)
        _end_at(tx, feed, last)
        found.append(Voided(feed.feed, last.seq if last else 0, len(links) - good))
    if found:
        changed = rederive(tx, node, origin, orphans, now)
        store_event(
            tx,
            now,
            origin.node_id,
            "ENTRIES_VOIDED",
            feeds={voided.feed: [voided.last_good, voided.entries] for voided in found},
            versions=changed,
        )
    return tuple(found)


def had_before(
    tx: Transaction, origin: PinnedNode, feed: FeedName, hashes: Iterable[EntryHash]
) -> frozenset[EntryHash]:
    """Tell which entries were here before they were voided; they were counted when they came."""
    if not any(document.revoked for document in origin.documents):
        return frozenset()
    return void_hashes(tx, str(feed), hashes)


def _read(entry: HeldEntry) -> tuple[Link, int | None]:
    """Read who signed an entry, and for a stub which later entry gives it its right."""
    record = strict_loads(entry.record) if entry.record else {}
    dsse = record.get("dsse")
    signatures = [] if dsse is None else dsse["signatures"]
    kids = tuple(KeyId(signature["keyid"]) for signature in signatures)
    return Link(entry.seq, entry.hash, entry.ts, kids), record.get("stub")


def _count_justified(entries: Sequence[tuple[Link, int | None]], good: int) -> int:
    """Count what stays when stubs go whose right was given by an entry that counts no more.

    What a thief erased here comes again from whoever still has it, as for any stub without a right
    (PROTOCOL 2.4). Our own entries nobody else would have to give us.
    """
    while good:
        last = entries[good - 1][0].seq
        unjustified = (
            p for p, (_, by) in enumerate(entries[:good]) if by is not None and by > last
        )
        place = next(unjustified, good)
        if place == good:
            break
        good = place
    return good


def _end_at(tx: Transaction, feed: FeedRow, last: Link | None) -> None:
    update_feed(
        tx,
        feed.feed_row,
        last_seq=0 if last is None else last.seq,
        last_hash=ZERO_HASH if last is None else last.hash,
        last_ts=None if last is None else last.ts,
        relay=None if last is None else feed.relay,
        head=None,
        head_seq=0,
        head_ts=None,
        pending_seq=0,
    )


def _forget_bad_head(tx: Transaction, feed: FeedRow, origin: PinnedNode) -> None:
    """Forget a head whose key counts no more: readers would refuse it with the whole page."""
    if feed.head is None:
        return
    try:
        head = open_head(strict_loads(feed.head), pinned=origin, feed=feed.name)
        good = origin.revocation(head.kid) is None
    except (WireFormatError, SignatureRejected, ChainBroken):
        good = False
    if not good:
        update_feed(tx, feed.feed_row, head=None, head_seq=0, head_ts=None)
