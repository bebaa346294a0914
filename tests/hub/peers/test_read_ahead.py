"""The next page of a feed is fetched while the present one is judged."""

from __future__ import annotations

import threading

import pytest

from federation.errors import PeerUnreachable
from federation.transport.peer_answers import FeedPage
from hub.peers.read_ahead import reading_ahead
from schemas.identifiers import FeedName, NodeId

FEED = FeedName(NodeId("a" * 52), "green")
OTHER = FeedName(NodeId("a" * 52), "clear")


class Source:
    """A peer of a feed of ten entries, two a page, that notes what it is asked and by whom."""

    def __init__(self, fails_after: int | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.threads: set[str] = set()
        self.fails_after = fails_after

    def page(self, feed, after_seq, limit=100):
        assert limit == 100
        self.threads.add(threading.current_thread().name.partition("_")[0])
        self.asked.append((feed.audience, after_seq))
        if after_seq == self.fails_after:
            raise PeerUnreachable("E_HTTP_TIMEOUT")
        more = after_seq + 2 < 10
        return FeedPage(more, after_seq + 2 if more else None, [], {}, None, None)

    def heads(self, _feed):
        return list(self.asked)


def read(source, feed=FEED, pages=99, is_late=lambda: False):
    """Walk a feed as a pull does; return the cursors of the pages."""
    cursors, after = [], 0
    with reading_ahead(source, is_late) as ahead:
        for _ in range(pages):
            page = ahead.page(feed, after)
            cursors.append(after)
            if page.next_seq is None:
                break
            after = page.next_seq
    return cursors


def test_every_page_is_asked_for_once_and_in_order():
    source = Source()
    assert read(source) == [0, 2, 4, 6, 8]
    assert source.asked == [("green", seq) for seq in (0, 2, 4, 6, 8)]
    assert "tocsin-ahead" in source.threads


def test_one_page_is_fetched_ahead_and_no_more():
    source = Source()
    assert read(source, pages=2) == [0, 2]
    assert source.asked == [("green", 0), ("green", 2), ("green", 4)]
    assert not any(t.name.startswith("tocsin-ahead") for t in threading.enumerate())


def test_what_goes_wrong_ahead_is_raised_when_its_turn_comes():
    source = Source(fails_after=4)
    with reading_ahead(source, lambda: False) as ahead:
        ahead.page(FEED, 0)
        ahead.page(FEED, 2)
        with pytest.raises(PeerUnreachable):
            ahead.page(FEED, 4)


def test_what_goes_wrong_ahead_of_a_feed_that_is_left_is_forgotten():
    source = Source(fails_after=2)
    with reading_ahead(source, lambda: False) as ahead:
        ahead.page(FEED, 0)
        assert ahead.page(OTHER, 6).next_seq == 8
        # Another question waits for the page that is on its way.
        assert ahead.heads() == [("green", 0), ("green", 2), ("clear", 6), ("clear", 8)]


def test_another_place_than_the_page_said_is_asked_for_anew():
    source = Source()
    with reading_ahead(source, lambda: False) as ahead:
        ahead.page(FEED, 0)
        assert ahead.page(FEED, 5).next_seq == 7


def test_nothing_is_fetched_ahead_when_the_time_is_up():
    source = Source()
    assert read(source, pages=1, is_late=lambda: True) == [0]
    assert source.asked == [("green", 0)]
