"""Pull one feed from one peer, page by page, until it ends or something stops it.

Invariants:
* each page is committed by ``receive_page`` before the next is asked for, so that whatever stops
  us, the next pull goes on where this one ended;
* every page raises the seq or is the last (PROTOCOL 2.6 progress rule);
* a feed read to its end reaches the head's seq and hash, else entries were left out: ``E_GAP``;
* a head is kept only when our chain reaches it.

It lets failures of the wire and refusals of the peer rise, since they concern all of its feeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from federation.errors import ChainBroken, EntryDeferred, SignatureRejected
from federation.feeds.chain import linked_hashes
from federation.feeds.entry import open_entry
from federation.feeds.heads import Head, open_head
from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import PeerTransport
from hub.exchange.receive import Ahead, Received, receive_page
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.stated_heads import is_good, is_newer, keep_head, require_reached
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.peers import PeerRow
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName

FARTHEST_AHEAD = 100_000
"""Entries looked at behind a page: their hashes are kept in memory until the feed has ended."""


@dataclass(slots=True)
class FeedPulled:
    """What pulling one feed brought.

    Args:
        error: what stopped this feed alone, or None.
        unfinished: there is more, and the time was up.
    """

    entries: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    error: TocsinError | None = None
    unfinished: bool = False

    def add(self, page: Received) -> None:
        """Add what one page brought."""
        self.entries += page.entries
        self.accepted += page.accepted
        self.quarantined += page.quarantined
        self.rejected += page.rejected


@dataclass(frozen=True, slots=True)
class FeedPull:
    """One feed to pull from one peer.

    Args:
        is_late: tells whether the time for this pull is up.
    """

    node: Node
    sender: PeerRow
    transport: PeerTransport
    is_late: Callable[[], bool]

    def run(self, feed: FeedName, stated_head: Any | None) -> FeedPulled:
        """Pull a feed, unless the head that the peer states says that there is nothing new.

        Args:
            stated_head: what the peer's ``/heads`` gave for this feed, unverified, or None.

        Raises:
            PeerUnreachable, PeerState: of the transport.
        """
        pulled = FeedPulled()
        try:
            if stated_head is None or not self._is_held(feed, stated_head):
                self._read_pages(feed, pulled)
        except (ChainBroken, SignatureRejected, WireFormatError) as error:
            pulled.error = error
        return pulled

    def _is_held(self, feed: FeedName, stated_head: Any) -> bool:
        """Tell whether our chain reaches the stated head already; then only keep the head."""
        with self.node.database.read() as tx:
            held = find_feed(tx, feed)
            origin = pinned(tx, feed.node_id)
            head = open_head(stated_head, pinned=origin, feed=feed)
            counts = is_good(tx, head, origin)
        if held is None or held.last_seq < head.seq or not counts:
            return False
        self._keep(head)
        return True

    def _read_pages(self, feed: FeedName, pulled: FeedPulled) -> None:
        after = self._last_seq(feed)
        ahead: Ahead | None = None
        while True:
            page = self.transport.page(feed, after)
            received = self._receive(feed, page, ahead)
            if _is_held_back(received.error) and page.more:
                pulled.add(received)
                ahead = self._look_ahead(feed, page)
                received = self._receive(feed, page, ahead)
            pulled.add(received)
            if received.error is not None:
                # An entry that is not due yet stops the feed and is no failure (PROTOCOL 2.4);
                # a quota stops it too, and the operator wants to know.
                if not isinstance(received.error, EntryDeferred) or _is_quota(received.error):
                    pulled.error = received.error
                return
            if not page.more:
                self._require_whole(feed, page)
                return
            if received.last_seq <= after:
                raise ChainBroken("E_CURSOR_STALL", "a page promised more and brought nothing new")
            after = received.last_seq
            if self.is_late():
                pulled.unfinished = True
                return

    def _receive(self, feed: FeedName, page: FeedPage, ahead: Ahead | None) -> Received:
        if not page.objects:
            return Received(last_seq=self._last_seq(feed))
        return receive_page(self.node, feed=feed, sender=self.sender, page=page, ahead=ahead)

    def _look_ahead(self, feed: FeedName, page: FeedPage) -> Ahead:
        """Read on behind a page until a position that the origin calls good, and keep the hashes.

        Whether an entry under a revoked key is good, a later one decides (PROTOCOL 2.3), and that
        may lie many pages on: without looking there, a newcomer would hold back for ever.
        """
        with self.node.database.read() as tx:
            origin = pinned(tx, feed.node_id)
            held = find_feed(tx, feed)
        last, last_hash = (0, ZERO_HASH) if held is None else (held.last_seq, held.last_hash)
        good = origin.epoch_starts()
        hashes: dict[int, EntryHash] = {}
        while True:
            entries = [
                open_entry(item.get("dsse"), pinned=origin, feed=feed) for item in page.objects
            ]
            linked = linked_hashes(last, last_hash, entries)
            hashes |= linked
            if not linked or entries[-1].header.seq not in hashes:
                return Ahead(hashes)
            last, last_hash = max(linked), linked[max(linked)]
            if not page.more or not good.isdisjoint(linked.values()):
                return Ahead(hashes, ended=not page.more)
            if len(hashes) >= FARTHEST_AHEAD or self.is_late():
                return Ahead(hashes)
            page = self.transport.page(feed, last)

    def _require_whole(self, feed: FeedName, page: FeedPage) -> None:
        with self.node.database.read() as tx:
            origin = pinned(tx, feed.node_id)
            head = open_head(page.head, pinned=origin, feed=feed)
            counts = is_good(tx, head, origin)
        if not counts:
            raise ChainBroken("E_KEY_REVOKED", "the head is signed with a revoked key")
        self._keep(head)

    def _keep(self, head: Head) -> None:
        """Check that our chain reaches the head, and keep it.

        Raises:
            ChainBroken: ``E_GAP`` or ``E_FORK``.
        """
        with self.node.database.read() as tx:
            held = find_feed(tx, head.feed)
            if held is None:
                raise ChainBroken("E_GAP", "a feed with a head came without entries", expected=1)
            require_reached(tx, held, head)
        if is_newer(held, head):
            with self.node.database.write(durable=False) as tx:
                keep_head(tx, head)

    def _last_seq(self, feed: FeedName) -> int:
        with self.node.database.read() as tx:
            held = find_feed(tx, feed)
        return 0 if held is None else held.last_seq


def _is_held_back(error: TocsinError | None) -> bool:
    return isinstance(error, EntryDeferred) and error.code == "E_KEY_REVOKED"


def _is_quota(error: TocsinError) -> bool:
    return error.code == "E_QUOTA"
