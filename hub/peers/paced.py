"""A peer asked at the pace that the line bears (PROTOCOL 4.7 "poor links").

Invariants:
* every page waits for its turn on this node's line (``federation.delivery.bandwidth``);
* a page that does not come in its 30 seconds is asked for again with fewer entries, so that a thin
  line gets its feeds in small steps instead of never; what worked is remembered for the next pull;
* a peer that asks us to wait a moment is waited for, but a few times only and never long: it must
  not hold the thread that other peers need (THREATS 3.13).

What it does not do: count failures or plan the next attempt; that is the queue's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from federation.delivery.page_size import FULL, PageSize
from federation.delivery.plan import FeedWanted, Turn, read_urgency, turn_of
from federation.errors import PeerUnreachable
from federation.transport.line import Direction
from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import MAX_PAGE, HttpPeer
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import MAX_BODY_BYTES

MOST_WAITS: Final = 4
LONGEST_WAIT: Final = 20
"""Seconds that a peer may ask for; for longer the pull ends and comes again."""
TOO_MANY: Final = 429
_NAP: Final = 0.5


class PacedPeer:
    """One peer for the length of one pull; a ``FeedSource``.

    Args:
        peer: the peer behind it.
        sender: its node id.
        line: what is pulled counts against it.
        limit: the page size that worked last; None for whole pages.
        is_late: tells that the time for this pull is up.
    """

    def __init__(
        self,
        peer: HttpPeer,
        sender: NodeId,
        line: Direction,
        *,
        limit: int | None,
        is_late: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._peer = peer
        self._sender = sender
        self._line = line
        self._is_late = is_late
        self._clock = clock
        self._sleep = sleep
        self._hints: dict[str, object] = {}
        self._waits = 0
        self._measured = PageSize(FULL if limit is None else limit)

    @property
    def limit(self) -> int | None:
        """The page size to begin with next time, None for whole pages."""
        return None if self._measured.limit == FULL else self._measured.limit

    def collections(self) -> list[dict[str, Any]]:
        """List the feeds that the peer shows to this node, and note which it calls urgent."""
        with self._turn(Turn.IMMEDIATE):
            listed = self._peer.collections()
        self._hints = {
            str(collection.get("x_tocsin_feed")): collection["x_tocsin_urgency"]
            for collection in listed
            if "x_tocsin_urgency" in collection
        }
        return listed

    def heads(self, feed: FeedName | None = None) -> list[dict[str, Any]]:
        """Fetch the newest heads that the peer holds."""
        with self._turn(Turn.IMMEDIATE):
            return self._peer.heads(feed)

    def node_documents_chain(
        self,
        node_id: NodeId | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_late: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """Fetch all node documents 1 to n; keys come before what they signed."""
        with self._turn(Turn.IMMEDIATE):
            return self._peer.node_documents_chain(node_id, max_bytes=max_bytes, is_late=is_late)

    def page(self, feed: FeedName, after_seq: int, limit: int = MAX_PAGE) -> FeedPage:
        """Fetch the entries after ``after_seq``, as many as come in time."""
        urgency = read_urgency(self._hints.get(str(feed)), after_seq)
        turn = turn_of(FeedWanted(feed, urgency), sender=self._sender)
        while True:
            asked = min(limit, self._measured.within(self._line.rate).limit)
            try:
                with self._turn(turn):
                    begun = self._clock()
                    page = self._peer.page(feed, after_seq, asked)
            except PeerUnreachable as failure:
                if not self._may_try_again(failure, asked):
                    raise
                continue
            measured = PageSize(asked).after(len(page.objects), seconds=self._clock() - begun)
            # A page that the budget kept small proves nothing, unless even that was slow.
            if asked == self._measured.limit or measured.limit < asked:
                self._measured = measured
            return page

    def _may_try_again(self, failure: PeerUnreachable, asked: int) -> bool:
        if self._is_late():
            return False
        if failure.code == "E_HTTP_TIMEOUT":
            self._measured = PageSize(asked).after_timeout()
            return self._measured.limit < asked
        asked_for = failure.params.get("retry_after")
        if failure.params.get("http_status") != TOO_MANY or not isinstance(asked_for, int):
            return False
        self._waits += 1
        if self._waits > MOST_WAITS or asked_for > LONGEST_WAIT:
            return False
        until = self._clock() + max(1, asked_for)
        while (left := until - self._clock()) > 0 and not self._is_late():
            self._sleep(min(left, _NAP))
        return True

    @contextmanager
    def _turn(self, turn: Turn) -> Iterator[None]:
        """Wait for the line, and count what came over it."""
        self._line.wait(turn, self._is_late)
        before = self._peer.received
        try:
            yield
        finally:
            self._line.spend(self._peer.received - before)
