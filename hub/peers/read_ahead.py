"""Fetch the next page of a feed while the present one is judged.

Judging and storing keep one core busy; the peer's work and the way here wait on another.

Invariants:
* at most one page is fetched ahead, of the feed that is being read and from where its page said;
* nothing else is asked of the peer meanwhile: every other question waits for that page first;
* what fetching it raises is raised when the page is asked for, and forgotten if it never is;
* when the pull ends no thread of it goes on.

What it does not do: fetch ahead on a line with a budget, where a page that is not needed would
take the turn of one that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import MAX_PAGE, FeedSource
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import MAX_BODY_BYTES

_Asked = tuple[FeedName, int, int]


class PagesAhead:
    """A ``FeedSource`` that has the next page fetched already; made by ``reading_ahead``."""

    def __init__(
        self, source: FeedSource, pool: ThreadPoolExecutor, is_late: Callable[[], bool]
    ) -> None:
        self._source = source
        self._pool = pool
        self._is_late = is_late
        self._fetching: tuple[_Asked, Future[FeedPage]] | None = None

    def page(self, feed: FeedName, after_seq: int, limit: int = MAX_PAGE) -> FeedPage:
        """Fetch the entries after ``after_seq``, or give them when they are here already."""
        asked = (feed, after_seq, limit)
        fetched = self._settle()
        if fetched is not None and fetched[0] == asked:
            page = fetched[1].result()
        else:
            page = self._source.page(feed, after_seq, limit)
        if page.next_seq is not None and limit == MAX_PAGE and not self._is_late():
            self._fetching = (
                (feed, page.next_seq, limit),
                self._pool.submit(self._source.page, feed, page.next_seq, limit),
            )
        return page

    def collections(self) -> list[dict[str, Any]]:
        """List the feeds that the peer shows to this node."""
        self._settle()
        return self._source.collections()

    def heads(self, feed: FeedName | None = None) -> list[dict[str, Any]]:
        """Fetch the newest heads that the peer holds."""
        self._settle()
        return self._source.heads(feed)

    def node_documents_chain(
        self,
        node_id: NodeId | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_late: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """Fetch all node documents 1 to n."""
        self._settle()
        return self._source.node_documents_chain(node_id, max_bytes=max_bytes, is_late=is_late)

    def _settle(self) -> tuple[_Asked, Future[FeedPage]] | None:
        """Wait for the page that is being fetched; the peer is asked one thing at a time."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching[1].exception()
        return fetching


@contextmanager
def reading_ahead(source: FeedSource, is_late: Callable[[], bool]) -> Iterator[PagesAhead]:
    """Read from a source with one page ahead; leaving waits for the page that is on its way."""
    with ThreadPoolExecutor(1, thread_name_prefix="tocsin-ahead") as pool:
        yield PagesAhead(source, pool, is_late)
