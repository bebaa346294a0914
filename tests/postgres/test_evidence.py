"""Forks, contacts and alarms on a real PostgreSQL."""

from __future__ import annotations

import pytest

from hub.monitoring.alarms import list_alarms
from hub.monitoring.exchange_state import peer_exchanges
from hub.monitoring.watch import watch_exchange
from hub.peers.evidence_listing import list_shown
from hub.peers.freeze import thaw_feed
from hub.storage.queries.contacts import find_contact, note_contact
from hub.storage.queries.feeds import find_feed
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, indicator


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock, database_url=postgresql_with_tables())
    yield made
    made.database.close()


def test_t12_a_fork_is_kept_listed_and_thawed(node, clock):
    author, twin = Author(1), Author(1)
    author.meets(node)
    author.put("clear", indicator(1))
    author.deliver(node, "clear")
    twin.put("clear", indicator(2))
    assert twin.deliver(node, "clear", after=0, sender=author).error.code == "E_FORK"
    feed = author.feed("clear").name
    (shown,) = list_shown(node)
    assert (shown.kind, shown.holds, shown.feed_state, shown.other_entries) == (
        "fork", True, "frozen", 1,
    )  # fmt: skip
    assert peer_exchanges(node)[author.node_id].diverged_feeds == (str(feed),)
    clock.advance(hours=2)
    watch_exchange(node)
    assert {alarm.code for alarm in list_alarms(node)} == {"FEED_FROZEN", "PEER_SILENT"}
    thaw_feed(node, feed, "telephoned")
    with node.database.read() as tx:
        assert find_feed(tx, feed).state == "open"


def test_a_contact_is_written_and_written_over(node):
    author = Author(1)
    with node.database.write() as tx:
        for offset in (5, 7):
            note_contact(tx, author.node_id, signed_offset=offset, signed_offset_at=node.now())
        note_contact(tx, author.node_id, last_answer_at=node.now())
        found = find_contact(tx, author.node_id)
    assert (found.signed_offset, found.last_word_at) == (7, node.now())
