"""Pull one feed from one peer, page by page, until it ends or something stops it.

Invariants:
* each page is committed by ``receive_page`` before the next is asked for, so that whatever stops
  us, the next pull goes on where this one ended;
* every page raises the seq or is the last (PROTOCOL 2.6 progress rule);
* a feed read to its end reaches the head's seq and hash, else entries were left out: ``E_GAP``;
* a head is kept only when our chain reaches it; one that contradicts it, or a relay's own
  confession, becomes evidence;
* a frozen feed is not asked for: nothing of it would be taken.

It lets failures of the wire and refusals of the peer rise, since they concern all of its feeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from federation.errors import ChainBroken, EntryDeferred, SignatureRejected
from federation.feeds.anchors import open_anchor
from federation.feeds.chain import linked_hashes
from federation.feeds.entry import open_entry
from federation.feeds.heads import Head, open_head
from federation.feeds.stubs import is_stub, read_stub
from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import FeedSource
from hub.exchange.held_pages import read_until
from hub.exchange.judged_page import Ahead, Received
from hub.exchange.receive import Way, receive_page
from hub.node import Node
from hub.peers.freeze import FROZEN
from hub.peers.gossip import announce_growth, note_head
from hub.peers.known_nodes import pinned
from hub.peers.relay_breaches import note_relay_page
from hub.peers.stated_heads import is_good, is_newer, keep_head, require_reached
from hub.storage.queries.feeds import FeedRow, find_feed
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
        whole: it was read to its end.
    """

    entries: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    error: TocsinError | None = None
    unfinished: bool = False
    whole: bool = False

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
        way: ``RECOVERED`` for a feed of our own that the peer holds.
    """

    node: Node
    sender: PeerRow
    transport: FeedSource
    is_late: Callable[[], bool]
    way: Way = Way.PULLED

    def run(
        self, feed: FeedName, stated_head: Any | None, *, wider_whole: bool = True
    ) -> FeedPulled:
        """Pull a feed, unless the head that the peer states says that there is nothing new.

        Args:
            stated_head: what the peer's ``/heads`` gave for this feed, unverified, or None.
            wider_whole: whether the wider feeds of its origin were read to their end before.

        Raises:
            PeerUnreachable, PeerState: of the transport.
        """
        pulled = FeedPulled()
        try:
            if stated_head is not None and self._is_held(feed, stated_head):
                pulled.whole = True
            else:
                held = self._held(feed)
                if held is not None and held.state == FROZEN:
                    pulled.error = self._tell_frozen(feed)
                else:
                    self._read_pages(feed, pulled, held, wider_whole=wider_whole)
        except (ChainBroken, SignatureRejected, WireFormatError) as error:
            pulled.error = error
        finally:
            if pulled.entries and self.way is not Way.RECOVERED:
                announce_growth(self.node, self.sender, feed)
        return pulled

    def _held(self, feed: FeedName) -> FeedRow | None:
        with self.node.database.read() as tx:
            return find_feed(tx, feed)

    def _tell_frozen(self, feed: FeedName) -> ChainBroken | None:
        """Say of the origin that its feed stands still; a relay cannot help it."""
        if self.sender.node_id != feed.node_id:
            return None
        return ChainBroken(
            "E_FROZEN",
            f"feed {feed} is frozen: its origin signed two histories",
            "See `tocsin evidence list`, telephone the origin, then `tocsin feed thaw`.",
        )

    def _is_held(self, feed: FeedName, stated_head: Any) -> bool:
        """Tell whether our chain reaches the stated head already; then only keep the head."""
        with self.node.database.read() as tx:
            held = find_feed(tx, feed)
            origin = pinned(tx, feed.node_id)
            head = open_head(stated_head, pinned=origin, feed=feed)
            counts = is_good(tx, head, origin)
        if held is None or held.last_seq < head.seq or not counts:
            return False
        is_our_end = (head.seq, head.hash) == (held.last_seq, held.last_hash)
        if not is_our_end or is_newer(held, head):
            self._keep(head)
        return True

    def _read_pages(
        self, feed: FeedName, pulled: FeedPulled, held: FeedRow | None, *, wider_whole: bool
    ) -> None:
        after = 0 if held is None else held.cursor
        ahead: Ahead | None = None
        anew = True
        while True:
            page = self.transport.page(feed, after)
            received = self._receive(feed, page, ahead, wider_whole=wider_whole)
            if _is_held_back(received.error) and page.more:
                pulled.add(received)
                ahead = self._look_ahead(feed, page)
                received = self._receive(feed, page, ahead, wider_whole=wider_whole)
            pulled.add(received)
            if anew and self._is_others_stub(received.error):
                # Another sender left an entry out that this one may well have.
                after, anew = self._cursor(feed), False
                continue
            if received.error is not None:
                if received.error.code == "E_RELAY_FORBIDDEN":
                    note_relay_page(self.node, self.sender, self.transport, feed, page)
                # An entry that is not due yet stops the feed and is no failure (PROTOCOL 2.4);
                # a quota stops it too, and the operator wants to know.
                if not isinstance(received.error, EntryDeferred) or _is_quota(received.error):
                    pulled.error = received.error
                return
            if not page.more:
                self._require_whole(feed, page)
                pulled.whole = True
                return
            if received.last_seq <= after:
                raise ChainBroken("E_CURSOR_STALL", "a page promised more and brought nothing new")
            after = received.last_seq
            if self.is_late():
                pulled.unfinished = True
                return

    def _is_others_stub(self, error: TocsinError | None) -> bool:
        """Tell whether a stub without a right, now forgotten, had come from somebody else."""
        by = None if error is None else error.params.get("stub_of")
        return by is not None and by != self.sender.node_id

    def _receive(
        self, feed: FeedName, page: FeedPage, ahead: Ahead | None, *, wider_whole: bool
    ) -> Received:
        held = self._held(feed)
        # An empty page may still be the end for which a stub was waiting.
        if not page.objects and (held is None or not held.pending_seq):
            return Received(last_seq=0 if held is None else held.last_seq)
        return receive_page(
            self.node,
            feed=feed,
            sender=self.sender,
            page=page,
            ahead=ahead,
            way=self.way,
            wider_whole=wider_whole,
        )

    def _look_ahead(self, feed: FeedName, page: FeedPage) -> Ahead:
        """Read on behind a page until a position that the origin calls good, and keep the hashes.

        Whether an entry under a revoked key is good, a later one decides (PROTOCOL 2.3), and that
        may lie many pages on: without looking there, a newcomer would hold back for ever.
        """
        with self.node.database.read() as tx:
            origin = pinned(tx, feed.node_id)
            held = find_feed(tx, feed)
            last, last_hash = (0, ZERO_HASH) if held is None else read_until(tx, held)
        if held is None and page.anchor is not None and self.sender.node_id == feed.node_id:
            anchor = open_anchor(page.anchor, pinned=origin, feed=feed)
            last, last_hash = anchor.seq, anchor.hash
        good = origin.epoch_starts()
        hashes: dict[int, EntryHash] = {}
        while True:
            entries = [
                read_stub(item, feed)
                if is_stub(item)
                else open_entry(item.get("dsse"), pinned=origin, feed=feed)
                for item in page.objects
            ]
            linked = linked_hashes(last, last_hash, entries)
            hashes |= linked
            if not linked or page.objects[-1]["seq"] not in hashes:
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
        try:
            with self.node.database.read() as tx:
                held = find_feed(tx, head.feed)
                if held is None:
                    raise ChainBroken(
                        "E_GAP", "a feed with a head came without entries", expected=1
                    )
                require_reached(tx, held, head)
        except ChainBroken as broken:
            if broken.code == "E_FORK":
                note_head(self.node, self.sender, head)
            raise
        if is_newer(held, head):
            with self.node.database.write(durable=False) as tx:
                keep_head(tx, head)

    def _cursor(self, feed: FeedName) -> int:
        held = self._held(feed)
        return 0 if held is None else held.cursor


def _is_held_back(error: TocsinError | None) -> bool:
    return isinstance(error, EntryDeferred) and error.code == "E_KEY_REVOKED"


def _is_quota(error: TocsinError) -> bool:
    return error.code == "E_QUOTA"
