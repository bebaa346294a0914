"""A peer asked at the pace that the line bears."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from federation.errors import PeerUnreachable
from federation.transport.line import Line
from federation.transport.peer_answers import FeedPage
from hub.peers.paced import PacedPeer
from schemas.identifiers import FeedName, NodeId

A, B = NodeId("a" * 52), NodeId("b" * 52)
GREEN, CLEAR = FeedName(A, "green"), FeedName(A, "clear")
TIMEOUT = PeerUnreachable("E_HTTP_TIMEOUT", "the peer did not answer in time")


def busy(seconds):
    return PeerUnreachable("E_QUOTA", "busy", http_status=429, retry_after=seconds)


class Time:
    """A clock that sleeping and transfers move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@dataclass
class ThinPeer:
    """A peer behind a line: each entry has a size, and what takes 30 seconds never comes."""

    time: Time
    bytes_an_entry: int = 1_000
    bytes_a_second: float = 1e9
    refusals: list[PeerUnreachable] = field(default_factory=list)
    listing: list[dict[str, Any]] = field(default_factory=list)
    received: int = 0
    asked: list[int] = field(default_factory=list)

    def page(self, feed, after_seq, limit):
        del feed
        self.asked.append(limit)
        if self.refusals:
            raise self.refusals.pop(0)
        seconds = limit * self.bytes_an_entry / self.bytes_a_second
        if seconds > 30:
            self.time.now += 30
            raise TIMEOUT
        self.time.now += seconds
        self.received += limit * self.bytes_an_entry
        return FeedPage(True, after_seq + limit, [{}] * limit, {}, None, None)

    def collections(self):
        return self.listing


def paced(peer, *, limit=None, kbit=0, is_late=lambda: False):
    line = Line(kbit, peer.time, peer.time.sleep)
    return PacedPeer(
        peer, A, line.inbound, limit=limit, is_late=is_late, clock=peer.time, sleep=peer.time.sleep
    )


@pytest.fixture
def time():
    return Time()


def test_a_good_line_is_asked_for_whole_pages(time):
    peer = ThinPeer(time)
    source = paced(peer)
    for _ in range(3):
        source.page(GREEN, 0)
    assert (peer.asked, source.limit) == ([100, 100, 100], None)


def test_a_page_that_does_not_come_is_asked_for_in_smaller_parts_within_one_pull(time):
    peer = ThinPeer(time, bytes_an_entry=8_000, bytes_a_second=8_000)  # 64 kbit/s
    source = paced(peer)
    assert len(source.page(GREEN, 0).objects) == 12
    source.page(GREEN, 12)
    assert peer.asked == [100, 12, 8]
    assert source.limit == 8


def test_what_a_line_bore_is_where_the_next_pull_begins(time):
    peer = ThinPeer(time, bytes_an_entry=8_000, bytes_a_second=8_000)
    source = paced(peer, limit=8)
    source.page(GREEN, 0)
    assert (peer.asked, source.limit) == ([8], 8)
    peer.bytes_a_second = 1e9
    for _ in range(3):
        source.page(GREEN, 0)
    assert (peer.asked[1:], source.limit) == ([8, 32, 100], None)


def test_a_peer_that_never_answers_is_left_after_the_smallest_page(time):
    peer = ThinPeer(time, bytes_an_entry=10**9, bytes_a_second=1)
    with pytest.raises(PeerUnreachable):
        paced(peer).page(GREEN, 0)
    assert peer.asked == [100, 12, 1]
    assert time.now == 90


def test_a_peer_that_asks_us_to_wait_is_waited_for_a_moment(time):
    peer = ThinPeer(time, refusals=[busy(7), busy(0)])
    paced(peer).page(GREEN, 0)
    assert (time.now, len(peer.asked)) == (pytest.approx(8.0, abs=0.1), 3)


@pytest.mark.parametrize("refusals", [[busy(21)], [busy(1)] * 5, [TIMEOUT] * 3])
def test_but_not_for_long_and_not_for_ever(time, refusals):
    peer = ThinPeer(time, refusals=list(refusals))
    with pytest.raises(PeerUnreachable):
        paced(peer).page(GREEN, 0)
    assert len(peer.asked) == len(refusals)


def test_nor_when_the_time_for_the_pull_is_up(time):
    peer = ThinPeer(time, refusals=[TIMEOUT])
    with pytest.raises(PeerUnreachable):
        paced(peer, is_late=lambda: True).page(GREEN, 0)
    assert peer.asked == [100]


def test_a_budget_is_kept_and_an_urgent_feed_goes_before_it(time):
    peer = ThinPeer(
        time,
        bytes_an_entry=1_000,
        listing=[{"x_tocsin_feed": str(GREEN), "x_tocsin_urgency": {"immediate": 9}}],
    )
    source = paced(peer, kbit=8)  # 1,000 bytes a second: pages of one entry
    source.collections()
    for seq in range(20):
        source.page(CLEAR, seq)
    assert set(peer.asked) == {1}
    assert time.now == pytest.approx(20 - 4 - 1, abs=1)  # what clear feeds may owe, and the last
    before = time.now
    source.page(GREEN, 8)  # there is an immediate entry at 9
    assert time.now == pytest.approx(before, abs=0.01)
    source.page(GREEN, 9)  # which is held now
    assert time.now > before
