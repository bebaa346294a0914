"""How the exchange with each peer stands, seen from both sides (PROTOCOL 2.5, 4.7).

Decides nothing by itself: it puts together what was recorded of pulls, requests, stated heads,
acknowledgements and frozen feeds. What is too much of it becomes an alarm in ``watch``.

Both sides see the same: how far we hold a peer's feeds we know from its heads; how far it holds
ours from the heads of ours that it states, signed by ourselves, and from what it acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from hub.exchange.serve_feeds import may_read
from hub.node import Node
from hub.peers.freeze import FROZEN
from hub.storage.queries.contacts import ContactRow, list_contacts
from hub.storage.queries.feeds import FeedRow, list_feeds
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.positions import positions_of
from hub.storage.queries.stated_heads import StatedHead, all_stated_heads
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.members import read_object, read_time
from schemas.signed_envelope import HEAD_TYPE, read_envelope
from schemas.strict_json import strict_loads


@dataclass(frozen=True, slots=True)
class FeedExchange:
    """One feed beside what was said of it.

    Args:
        newest_seq: the farthest that any head we saw states, ours included.
        behind: entries that are stated and not held here.
        head_expires_at: of the head that we hold; None when there is none.
        stale: that head has expired: the feed may be frozen by its origin, or hidden from us.
        held_by: of an own feed, how far each peer is known to hold it.
    """

    feed: FeedRow
    newest_seq: int
    head_expires_at: datetime | None
    stale: bool
    held_by: Mapping[NodeId, int] = field(default_factory=dict)

    @property
    def behind(self) -> int:
        """Entries that are stated and not held here."""
        return max(0, self.newest_seq - self.feed.last_seq)


@dataclass(frozen=True, slots=True)
class PeerExchange:
    """One peer beside what was recorded of it.

    Args:
        last_word_at: when it was last heard, in either direction.
        last_request_at: its last signed request to us.
        clock_offset: seconds that its clock is ahead of ours.
        entries_behind: entries of its own feeds that are stated and not held here.
        it_is_behind: entries of our feeds that it may read and is not known to hold; None when
            nothing is known.
        stale_feeds: its feeds whose newest head has expired.
        diverged_feeds: its feeds that are frozen because it contradicted itself.
    """

    node_id: NodeId
    last_word_at: datetime | None
    last_request_at: datetime | None
    clock_offset: int | None
    entries_behind: int
    it_is_behind: int | None
    stale_feeds: tuple[str, ...]
    diverged_feeds: tuple[str, ...]


def list_feed_exchanges(node: Node) -> tuple[FeedExchange, ...]:
    """Describe every feed that is held, own ones first."""
    with node.database.read() as tx:
        found = feed_exchanges(tx, node.now())
    return tuple(sorted(found, key=lambda each: (not each.feed.own, each.feed.feed)))


def peer_exchanges(node: Node) -> dict[NodeId, PeerExchange]:
    """Describe the exchange with every peer."""
    now = node.now()
    with node.database.read() as tx:
        contacts = list_contacts(tx)
        feeds = feed_exchanges(tx, now)
        return {
            peer.node_id: _peer_exchange(tx, peer, contacts.get(peer.node_id), feeds)
            for peer in list_peers(tx)
        }


def feed_exchanges(tx: Transaction, now: datetime) -> tuple[FeedExchange, ...]:
    """Put feeds and what was said of them together."""
    stated: dict[str, list[StatedHead]] = {}
    for head in all_stated_heads(tx):
        stated.setdefault(head.feed, []).append(head)
    feeds = list_feeds(tx)
    ended = _ended_epochs(feeds)
    return tuple(_feed_exchange(tx, feed, stated.get(feed.feed, ()), ended, now) for feed in feeds)


def _feed_exchange(
    tx: Transaction,
    feed: FeedRow,
    stated: Iterable[StatedHead],
    ended: frozenset[str],
    now: datetime,
) -> FeedExchange:
    heads = list(stated)
    expires = None if feed.head is None else head_expires_at(feed.head)
    held_by: dict[NodeId, int] = {}
    if feed.own:
        held_by = {node_id: held.seq for node_id, held in positions_of(tx, feed.feed_row).items()}
        for head in heads:
            held_by[head.node_id] = max(head.seq, held_by.get(head.node_id, 0))
    return FeedExchange(
        feed=feed,
        newest_seq=max([feed.last_seq, *(head.seq for head in heads)]),
        head_expires_at=expires,
        # Closed feeds and ended epochs need no fresh head; of a frozen one it is no news.
        stale=expires is not None
        and expires < now
        and not feed.own
        and feed.state == "open"
        and feed.feed not in ended,
        held_by=held_by,
    )


def _peer_exchange(
    tx: Transaction,
    peer: PeerRow,
    contact: ContactRow | None,
    feeds: Iterable[FeedExchange],
) -> PeerExchange:
    contact = contact or ContactRow(peer.node_id)
    theirs = [each for each in feeds if each.feed.node_id == peer.node_id]
    ours = [
        each.feed.last_seq - each.held_by[peer.node_id]
        for each in feeds
        if each.feed.own and peer.node_id in each.held_by and may_read(tx, each.feed, peer)
    ]
    return PeerExchange(
        node_id=peer.node_id,
        last_word_at=contact.last_word_at,
        last_request_at=contact.last_request_at,
        clock_offset=contact.signed_offset,
        entries_behind=sum(each.behind for each in theirs),
        it_is_behind=max(0, sum(ours)) if ours else None,
        stale_feeds=tuple(each.feed.feed for each in theirs if each.stale),
        diverged_feeds=tuple(each.feed.feed for each in theirs if each.feed.state == FROZEN),
    )


def _ended_epochs(feeds: Iterable[FeedRow]) -> frozenset[str]:
    """Find the feeds that go on in a later epoch that is held."""
    newest: dict[tuple[str, str], int] = {}
    rows = [feed for feed in feeds if feed.last_seq > 0]
    for feed in rows:
        key = (feed.node_id, feed.audience)
        newest[key] = max(feed.epoch, newest.get(key, 0))
    return frozenset(feed.feed for feed in rows if feed.epoch < newest[feed.node_id, feed.audience])


@lru_cache(maxsize=4096)
def head_expires_at(head: bytes) -> datetime | None:
    """Read until when a stored head is good; it was verified when it was kept."""
    try:
        payload = read_envelope(strict_loads(head), HEAD_TYPE).payload
        return read_time(read_object(strict_loads(payload), "head"), "expires")
    except WireFormatError:
        return None
