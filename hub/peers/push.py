"""Push own entries to a peer that cannot pull them here (PROTOCOL 2.6 "Push", 4.7).

For a node behind a firewall, or on a line that is up for minutes: it posts what is new of its own
feeds to the peers that its operator chose, and tells them the heads. From there others pull its
CLEAR and GREEN as from any relay: store and forward.

Invariants:
* a peer is sent what it may read and nothing else, wide feeds before narrow ones, since what is
  narrow refers to what is wide;
* where to go on is asked of the peer (the head that it holds, or the seq that it says it expects),
  so nothing has to be remembered that a restore could make wrong;
* what stops one feed stops no other; what concerns the wire ends the push, for its next turn;
* who joined a group with history ``join`` is sent what is its part, from its anchor on, whatever it
  says that it expects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from federation.delivery.plan import FeedWanted, pull_order, turn_of
from federation.errors import PeerState, PeerUnreachable
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import PeerTransport
from hub.errors import NotFound
from hub.exchange.own_feeds import write_anchor
from hub.exchange.serve_feeds import (
    MAX_PAGE,
    PageRequest,
    may_read,
    own_feeds_for,
    records_that_fit,
)
from hub.exchange.served_turns import page_room
from hub.node import Node
from hub.peers.audiences import naming_of
from hub.peers.outbound import http_or_own, note_answers, reach
from hub.peers.own_heads import hear_own_heads
from hub.peers.push_blobs import blobs_owed, push_blobs
from hub.peers.standing import is_reading
from hub.peers.stated_heads import find_good_head, heads_by_feed
from hub.peers.wire_version import require_common_version
from hub.storage.queries.feeds import FeedRow, find_feed
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.positions import note_position
from hub.storage.queries.pushes import PushedTo, note_pushed, pushed_to
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName
from schemas.strict_json import strict_loads

PUSH: Final = "push"
LONGEST_PUSH_SECONDS: Final = 240.0
ROOM: Final = 3 * 1024 * 1024
"""Bytes of one post, well below the 4 MiB that a peer takes."""
MOST_STEPS_BACK: Final = 2
"""How often one feed may be told to begin elsewhere in one push: a liar could play for ever."""
_NOT_GZIPPED: Final = 4
"""Pages are compressed and posts are not, so on a thin line they have to be this much smaller."""


@dataclass(slots=True)
class PushOutcome:
    """What a push brought about.

    Args:
        entries: how many entries the peer took, or held already.
        error: the first thing that went wrong with a feed, or None.
        unfinished: there is more; the time was up.
    """

    entries: int = 0
    error: TocsinError | None = None
    unfinished: bool = False
    told: list[FeedName] = field(default_factory=list)


def push_peer(
    node: Node,
    peer: PeerRow,
    *,
    http: GuardedHttp | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> PushOutcome:
    """Push to a peer what it may read of our feeds and does not hold yet.

    Raises:
        PeerUnreachable: the wire failed, or the peer has enough for today.
        PeerState, WireFormatError: it refuses us as a whole, or answers what is no answer.
    """
    until = time.monotonic() + LONGEST_PUSH_SECONDS
    with node.database.read() as tx:
        found = find_peer(tx, peer.node_id)
        if found is None or not is_reading(found):
            raise PeerState("E_PEER_BLOCKED", f"{peer.name} is blocked or suspended here")
        news = _news_for(tx, found)
        has_blobs = bool(blobs_owed(tx, node, found))
    if not news and not has_blobs:
        return PushOutcome()
    require_common_version(node, found)
    with http_or_own(node, http) as way:
        transport = reach(node, found.base, found.node_id, way)
        pushing = _Pushing(
            node, found, transport, lambda: is_stopping() or time.monotonic() > until
        )
        try:
            pushing.run(news)
            if not push_blobs(node, found, transport, pushing.is_late):
                pushing.outcome.unfinished = True
        finally:
            note_answers(node, found.node_id, transport)
    return pushing.outcome


def has_news(tx: Transaction, node: Node, peer: PeerRow) -> bool:
    """Tell whether there is an own entry, head or blob that a peer was not sent."""
    return bool(_news_for(tx, peer)) or bool(blobs_owed(tx, node, peer))


def _news_for(tx: Transaction, peer: PeerRow) -> list[FeedRow]:
    """List the own feeds with something that the peer was not told, the widest first."""
    known = pushed_to(tx, peer.node_id)
    feeds = {
        feed.name: feed
        for feed in own_feeds_for(tx, peer)
        if known.get(feed.feed_row) != PushedTo(feed.last_seq, feed.head_ts)
    }
    order = pull_order([FeedWanted(name) for name in feeds], sender=peer.node_id)
    return [feeds[wanted.feed] for wanted in order]


class _Pushing:
    """One push to one peer."""

    def __init__(
        self, node: Node, peer: PeerRow, transport: PeerTransport, is_late: Callable[[], bool]
    ) -> None:
        self.node = node
        self.peer = peer
        self.transport = transport
        self.is_late = is_late
        self.limit = MAX_PAGE
        self.outcome = PushOutcome()

    def run(self, news: Sequence[FeedRow]) -> None:
        """Push feed by feed, then tell the heads of what the peer holds to its end."""
        stated = self.transport.heads()
        hear_own_heads(self.node, self.peer, self.transport, stated)
        by_feed = heads_by_feed(stated)
        whole: list[FeedRow] = []
        for feed in news:
            if self.is_late():
                self.outcome.unfinished = True
                break
            try:
                if self._push_feed(feed, self._position(feed, by_feed)):
                    whole.append(feed)
            except (PeerState, WireFormatError, NotFound) as refused:
                if isinstance(refused, NotFound) and refused.code == "E_ERASED":
                    # Out of a feed that takes no more entries: nobody gets past that place.
                    self._note_told([feed])
                    continue
                # One that is frozen or forked there says nothing of the others.
                self.outcome.error = self.outcome.error or refused
            except PeerUnreachable as failure:
                if "http_status" in failure.params:  # it answers, and has enough for today
                    self._tell_heads(whole)
                raise
        self._tell_heads(whole)

    def _position(self, feed: FeedRow, stated: Mapping[FeedName, Any]) -> int:
        """Find after which entry to begin: what the peer holds by its own word, else by ours."""
        with self.node.database.read() as tx:
            known = pushed_to(tx, self.peer.node_id).get(feed.feed_row, PushedTo())
            value = stated.get(feed.name)
            head = None if value is None else find_good_head(tx, value)
        return min(known.seq if head is None else head.seq, feed.last_seq)

    def _push_feed(self, feed: FeedRow, position: int) -> bool:
        """Push a feed from a position on; tell whether the peer holds all of it now."""
        steps_back = 0
        with self.node.database.read() as tx:
            since = naming_of(tx, self.peer.node_id).begins_after(feed.name)
        position = max(position, since)
        while position < feed.last_seq:
            if self.is_late():
                self.outcome.unfinished = True
                return False
            try:
                position = self._post(feed, position, since)
            except PeerState as refused:
                expected = refused.params.get("expected")
                begins = isinstance(expected, int) and 1 <= expected <= feed.last_seq
                steps_back += 1
                if refused.code != "E_GAP" or not begins or steps_back > MOST_STEPS_BACK:
                    raise
                position = max(int(str(expected)) - 1, since)
        return True

    def _post(self, feed: FeedRow, position: int, since: int) -> int:
        """Post the next entries; return up to where the peer holds the feed."""
        anchor: bytes | None = None
        room = ROOM
        if self.node.line.outbound.rate is not None:
            room = min(room, page_room(self.node) // _NOT_GZIPPED)
        with self.node.database.read() as tx:
            # Asked anew for every page: a push may last minutes, and trust end meanwhile.
            reader, held = find_peer(tx, self.peer.node_id), find_feed(tx, feed.name)
            if reader is None or held is None or not may_read(tx, held, reader):
                raise NotFound("E_NOT_FOUND", f"{self.peer.name} may not read {feed.feed} any more")
            records, _ = records_that_fit(tx, feed, PageRequest(position, self.limit), room)
            if position == since > 0:
                anchor = write_anchor(tx, self.node, feed, since, self.node.now())
        self.node.line.outbound.wait(
            turn_of(FeedWanted(feed.name), sender=self.node.node_id), self.is_late
        )
        try:
            pushed = self.transport.push(feed.name, records, anchor)
        except PeerUnreachable as failure:
            if failure.code != "E_HTTP_TIMEOUT" or self.limit == 1:
                raise
            self.limit = max(1, self.limit // 4)  # the line is thinner than that
            return position
        finally:
            self.node.line.outbound.spend(sum(map(len, records)))
        position += pushed.taken
        self.outcome.entries += pushed.taken
        self._note(feed, position)
        if pushed.error is not None:
            raise PeerState(pushed.error, f"{self.peer.name} took no more of {feed.feed}")
        return position

    def _note(self, feed: FeedRow, position: int) -> None:
        now, node_id = self.node.now(), self.peer.node_id
        with self.node.database.write(durable=False) as tx:
            note_pushed(tx, node_id, feed.feed_row, seq=position, head_ts=None, at=now)
            note_position(tx, feed.feed_row, node_id, position, "push", now)

    def _tell_heads(self, whole: Sequence[FeedRow]) -> None:
        """Tell the newest heads: without them a relay has nothing to check the end of a feed by."""
        with self.node.database.read() as tx:
            held = [found for feed in whole if (found := find_feed(tx, feed.name)) is not None]
        # Entries that came meanwhile have their own turn; their head would only make a gap there.
        told = [
            now for now, then in zip(held, whole, strict=True)
            if now.last_seq == then.last_seq and now.head is not None
        ]  # fmt: skip
        if not told:
            return
        self.transport.wake([strict_loads(feed.head) for feed in told if feed.head is not None])
        self._note_told(told)
        self.outcome.told += [feed.name for feed in told]

    def _note_told(self, told: Sequence[FeedRow]) -> None:
        at = self.node.now()
        with self.node.database.write(durable=False) as tx:
            for feed in told:
                note_pushed(
                    tx, self.peer.node_id, feed.feed_row,
                    seq=feed.last_seq, head_ts=feed.head_ts, at=at,
                )  # fmt: skip
