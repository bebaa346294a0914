"""What an origin posts, judged and stored like what is pulled from it (PROTOCOL 2.6 "Push")."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from federation.errors import ChainBroken
from federation.feeds.records import hints_of
from hub.errors import NotFound
from hub.exchange.pushed_entries import MOST_STATUSES, accept_push, read_push_status
from schemas.identifiers import EntryHash, FeedName
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time
from tests.support.joined_nodes import entry_states
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import Author
from tests.support.stored_state import rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def hub(tmp_path, clock):
    return make_node(tmp_path, "hub", clock)


@pytest.fixture
def a(hub):
    author = Author(1)
    author.meets(hub)
    return author


def push(a, hub, audience, objects, *, epoch=1):
    feed = FeedName(a.node_id, audience, epoch)
    body = write_json({"objects": objects})
    return strict_loads(accept_push(hub, peer_of(hub, a.node_id), feed.collection_id, body))


def messages(status):
    return [one["message"] for one in status.get("successes", [])]


def test_more_than_a_page_at_once(a, hub):
    for _ in range(230):
        a.write("clear")
    said = push(a, hub, "clear", a.feed("clear").entries)
    assert said["success_count"] == 230
    assert len(entry_states(hub, FeedName(a.node_id, "clear"))) == 230


def test_quarantine_is_not_told(a, hub):
    with hub.database.write() as tx:  # known and not trusted: everything waits
        tx.connection.exec_driver_sql("UPDATE peers SET trust = 1")
    value, idn = a.proven(1)
    a.put("green", value, idn=idn)
    assert messages(push(a, hub, "green", a.feed("green").entries)) == ["stored"]
    (row,) = rows_of(hub, f"SELECT state FROM objects WHERE stix_id = '{value['id']}'")
    assert row["state"] == "quarantined"


class TestStubs:
    """An entry that was erased is pushed as a page serves it: its place without its bytes."""

    def erased(self, a, seq):
        feed = a.feed("green")
        by = len(feed.entries)
        ts = write_wire_time(a.at)
        hints = hints_of(feed.name, seq, EntryHash(feed.hashes[seq - 1]), ts)
        feed.entries[seq - 1] = {**hints, "dsse": None, "stub": by}

    def test_they_are_taken_with_the_entry_that_gives_them_their_right(self, a, hub):
        a.write("green")
        value, idn = a.proven(1)
        a.put("green", value, idn=idn)
        a.write("green", kind="erase", seqs=[2], reason="personal data")
        self.erased(a, 2)
        said = push(a, hub, "green", a.feed("green").entries)
        assert said["success_count"] == 3
        states = entry_states(hub, FeedName(a.node_id, "green"))
        assert [seq for seq, *_ in states] == [1, 2, 3]

    def test_the_rest_may_come_with_the_next_post(self, a, hub):
        a.write("green")
        a.write("green")
        a.write("green", kind="erase", seqs=[2], reason="personal data")
        self.erased(a, 2)
        entries = a.feed("green").entries
        assert push(a, hub, "green", entries[:2])["success_count"] == 2
        assert push(a, hub, "green", entries[2:])["success_count"] == 1
        assert len(entry_states(hub, FeedName(a.node_id, "green"))) == 3


def test_what_is_held_back_is_told_at_once(a, hub, clock):
    """Nobody waits for a later push; the origin posts again when it can be taken."""
    a.at = clock.now() + timedelta(minutes=10)
    a.write("green")
    with pytest.raises(ChainBroken) as refused:
        push(a, hub, "green", a.feed("green").entries)
    assert refused.value.code == "E_FUTURE"


def test_epochs_that_the_document_does_not_name_do_not_exist(a, hub):
    with pytest.raises(NotFound):
        push(a, hub, "green", [], epoch=2)


def test_statuses_are_kept_for_a_day_and_not_without_end(a, hub, clock):
    a.write("clear")
    first = push(a, hub, "clear", a.feed("clear").entries)["id"]
    clock.advance(seconds=1)
    for _ in range(MOST_STATUSES):
        last = push(a, hub, "clear", a.feed("clear").entries)["id"]
        clock.advance(seconds=1)
    peer = peer_of(hub, a.node_id)
    assert strict_loads(read_push_status(hub, peer, last))["id"] == last
    with pytest.raises(NotFound):
        read_push_status(hub, peer, first)
    clock.advance(days=2)
    a.at = clock.now()
    push(a, hub, "clear", a.feed("clear").entries)
    assert len(rows_of(hub, "SELECT 1 FROM push_statuses")) == 1


@pytest.mark.parametrize("status_id", ["", "x" * 36, str(uuid.UUID(int=1)), "\0" * 36])
def test_no_status_is_the_one_answer(a, hub, status_id):
    with pytest.raises(NotFound):
        read_push_status(hub, peer_of(hub, a.node_id), status_id)


def test_who_pushes_is_there(a, hub, clock):
    a.write("clear")
    push(a, hub, "clear", a.feed("clear").entries)
    assert peer_of(hub, a.node_id).pushed_at == clock.now()
