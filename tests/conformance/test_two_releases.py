"""A node of the previous release talks to one of this release (THREATS 3.16, PROTOCOL 2.1).

What release 0.1 said is in its transcripts; ``test_transcripts`` has this release answer them byte
for byte. Here: what an older node does not know does not disturb, what a newer one adds is kept.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from federation.transport.guarded_http import HttpAnswer
from hub.exchange.serve_feeds import PageRequest, read_feed_page
from hub.storage.queries.feeds import find_feed, update_feed
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from tests.support.joined_nodes import entry_states
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author, hand_over, indicator, join, marked, page_of
from tests.support.transcript_story import play
from tests.support.transcripts import CHAPTERS, UNKNOWN, Chapter, Replaying, StoryClock


class OldNode(Replaying):
    """Answers as release 0.1 did, and notes what it was asked that it never heard of."""

    def __init__(self) -> None:
        super().__init__(StoryClock(), ask_servers=False)
        self.unheard: list[str] = []

    def exchange(self, to, method, target, headers, body) -> HttpAnswer:
        answer = super().exchange(to, method, target, headers, body)
        if answer.body == UNKNOWN:
            self.unheard.append(f"{method} {target}")
        return answer


def test_class16_a_node_of_the_first_release_is_read_to_the_state_of_then(tmp_path: Path) -> None:
    wire = OldNode()
    play(tmp_path, wire)
    assert sum(len(chapter.held) for chapter in wire.chapters.values()) == 3


def test_class16_the_first_release_said_nothing_that_came_later() -> None:
    bodies = [e.answer for name in CHAPTERS for e in Chapter.load(name).exchanges]
    assert not any("x_tocsin_urgency" in body or "E_WIRE_VERSION" in body for body in bodies)
    documents = [
        strict_loads(base64.b64decode(strict_loads(body.encode())["payload"]))
        for body in bodies
        if "vnd.tocsin.node.v1" in body and body.startswith('{"payloadType"')
    ]
    assert documents
    assert not any("wire" in document for document in documents)  # absent is version 1


@pytest.fixture
def relay(tmp_path):
    """An author of a later release, a relay that takes it in, and one that reads at the relay."""
    b, c = (make_node(tmp_path, name) for name in ("beta", "gamma"))
    join(b, c)
    join(c, b)
    author = Author(1)
    author.meets(b)
    author.is_known_to(c)
    return author, b, c


def relayed(author, b, c):
    """What c gets of the author's green feed from b, as bytes of signed payloads."""
    green = FeedName(author.node_id, "green")
    with b.database.write() as tx:
        held = find_feed(tx, green)
        update_feed(tx, held.feed_row, head=write_json(author.head("green")))
    page = strict_loads(read_feed_page(b, peer_of(b, c), green.collection_id, PageRequest(0, 100)))
    return page, [item["dsse"] for item in page["objects"]]


def test_class16_unknown_optional_members_are_kept_to_the_byte_by_a_relay(relay) -> None:
    author, b, c = relay
    author.put("green", indicator(1), later={"a": [1, {"b": None}]}, Zuletzt="ü")
    assert author.deliver(b, "green").accepted == 1
    page, envelopes = relayed(author, b, c)
    assert envelopes == [author.feed("green").entries[0]["dsse"]]
    assert strict_loads(base64.b64decode(envelopes[0]["payload"]))["later"] == {
        "a": [1, {"b": None}]
    }
    received = _receive(c, b, author, page)
    assert (received.error, received.quarantined) == (None, 1)


def test_class16_an_unknown_critical_member_is_refused_kept_and_relayed(relay) -> None:
    author, b, c = relay
    author.put("green", indicator(1), **{"!later": 1})
    author.put("green", indicator(2))
    received = author.deliver(b, "green")
    assert (received.error, received.rejected, received.accepted) == (None, 1, 1)
    green = FeedName(author.node_id, "green")
    assert entry_states(b, green) == [(1, "rejected", "E_SCHEMA"), (2, "stored", None)]
    page, envelopes = relayed(author, b, c)
    assert envelopes == [entry["dsse"] for entry in author.feed("green").entries]
    assert _receive(c, b, author, page).error is None
    assert entry_states(c, green) == [(1, "rejected", "E_SCHEMA"), (2, "stored", None)]


def test_class16_an_unknown_kind_stops_no_feed(relay) -> None:
    author, b, c = relay
    author.write("green", kind="later", what=marked(indicator(1), Tlp.GREEN))
    author.put("green", indicator(2))
    assert author.deliver(b, "green").accepted == 1
    page, _ = relayed(author, b, c)
    assert _receive(c, b, author, page).entries == 2


def test_class16_unknown_members_beside_what_is_signed_are_ignored(relay) -> None:
    author, b, _ = relay
    author.put("green", indicator(1))
    entry = {**author.feed("green").entries[0], "x_later": True}
    received = hand_over(b, FeedName(author.node_id, "green"), page_of([entry]), author)
    assert (received.error, received.accepted) == (None, 1)


def _receive(c, b, author, page):
    green = FeedName(author.node_id, "green")
    return hand_over(c, green, page_of(page["objects"], page["x_tocsin_relay_head"]), b)
