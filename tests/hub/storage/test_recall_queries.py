"""What taking back asks of the store means the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.storage.queries import acks, erasures, feeds, pending, releases
from hub.storage.queries.acks import AckRow
from hub.storage.queries.erasures import Erasure
from hub.storage.queries.feeds import STUB, UNLINKED, EntryRow
from hub.storage.queries.pending import PendingRow
from hub.storage.queries.positions import note_position, positions_of
from hub.storage.queries.releases import ReleaseRow
from schemas.identifiers import EntryHash, FeedName, NodeId

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
A, B = NodeId("a" * 52), NodeId("b" * 52)


@pytest.fixture
def tx(database):
    with database.write() as opened:
        yield opened


@pytest.fixture
def feed_row(tx):
    return feeds.create_feed(tx, FeedName(A, "green"), own=False).feed_row


def hash_of(number):
    return EntryHash(f"{number:064x}")


def entry(feed_row, seq, **changes):
    values = {
        "hash": hash_of(seq), "kind": "put", "tlp": 1, "state": "stored", "code": None,
        "exercise": False, "ts": NOW, "record": b"{}", "sender": A, "received_at": NOW,
    } | changes  # fmt: skip
    return EntryRow(feed_row, seq, **values)


def step(feed_row, seq, *, stub=None):
    return PendingRow(
        feed_row, seq, hash_of(seq), NOW, "community", False, stub,
        None if stub is None else "t", stub is None, stub is None, b"{}", B, NOW,
    )  # fmt: skip


def test_what_waits_until_its_stub_has_its_right(tx, feed_row):
    rows = [step(feed_row, 2, stub=9), step(feed_row, 3), step(feed_row, 4, stub=8)]
    pending.store_pending(tx, rows)
    assert pending.find_pending(tx, feed_row, 3) == rows[1]
    assert pending.pending_hashes(tx, feed_row, [2, 3, 4]) == {3: hash_of(3)}
    assert pending.entries_waited_for(tx, feed_row) == {8, 9}
    pending.link_pending(tx, feed_row, 2)
    assert pending.pending_hashes(tx, feed_row, [2]) == {2: hash_of(2)}
    pending.justify_pending(tx, feed_row, 9, "another time", [2])
    assert pending.first_unjustified(tx, feed_row) == 2
    pending.justify_pending(tx, feed_row, 9, "t", [2, 4])
    assert pending.first_unjustified(tx, feed_row) == 4
    assert pending.first_unjustified(tx, feed_row, until=7) is None
    assert [row.seq for row in pending.first_pending(tx, feed_row, 4, 10)] == [2, 3]
    pending.drop_pending(tx, feed_row, before=3)
    pending.drop_pending(tx, feed_row, since=4)
    assert [row.seq for row in pending.first_pending(tx, feed_row, 99, 10)] == [3]


def test_two_entries_may_be_said_to_have_one_hash_and_the_true_one_is_found(tx, feed_row):
    feeds.store_entries(tx, [entry(feed_row, 1, hash=hash_of(7), state=STUB, code=UNLINKED)])
    feeds.store_entries(tx, [entry(feed_row, 2, hash=hash_of(7))])
    assert feeds.find_entry_of_hash(tx, hash_of(7)).seq == 2
    assert feeds.entry_hashes(tx, feed_row, [1, 2]) == {2: hash_of(7)}


def test_stubs_take_the_place_of_entries(tx, feed_row):
    feeds.store_entries(tx, [entry(feed_row, seq) for seq in (1, 2)])
    erasures.replace_by_stubs(tx, feed_row, {2: b'{"dsse":null}'})
    assert [(p.seq, p.state) for p in erasures.places_at(tx, feed_row, [1, 2])] == [
        (1, "stored"), (2, STUB),
    ]  # fmt: skip
    erasures.blank_entry(tx, feed_row, 1)
    done = Erasure(feed_row, 1, NOW, "carol", "court order 7")
    erasures.store_erasure(tx, done)
    assert erasures.find_erasure(tx, feed_row, 1) == done
    assert erasures.find_erasure(tx, feed_row, 2) is None


def test_the_newest_word_of_a_peer_on_an_entry_counts(tx, feed_row):
    first = AckRow(feed_row, 3, B, "erased", NOW, NOW, None, None, b"1")
    assert acks.store_ack(tx, first)
    later = NOW + timedelta(seconds=1)
    second = AckRow(feed_row, 3, B, "erased", later, later, 4, 2, b"2")
    assert acks.store_ack(tx, second)
    assert not acks.store_ack(tx, first)
    found = acks.acks_of(tx, feed_row, 3)[B]
    assert (found.readers, found.confirmed, found.at, found.received_at) == (4, 2, later, NOW)


def test_what_is_owed_stays_owed_until_it_was_told(tx, feed_row):
    feeds.store_entries(tx, [entry(feed_row, 3)])
    acks.note_due_ack(tx, B, feed_row, 3, "erased", NOW)
    (told,) = acks.due_acks(tx, B, 10)
    acks.note_due_ack(tx, B, feed_row, 3, "erased", NOW + timedelta(seconds=5))
    (due,) = acks.due_acks(tx, B, 10)
    assert (due.seq, due.hash, acks.recipients_due(tx)) == (3, hash_of(3), {B})
    acks.drop_due_acks(tx, B, [told])  # it was owed anew meanwhile
    assert acks.due_acks(tx, B, 10) == [due]
    acks.drop_due_acks(tx, B, [due])
    assert acks.due_acks(tx, B, 10) == []


def test_which_entries_took_an_object_back(tx, feed_row):
    feeds.store_entries(tx, [entry(feed_row, 3)])
    acks.note_recalls(tx, feed_row, 3, ["x--1", "x--2", "x--1"], "erased", NOW)
    (recall,) = acks.recalls_of(tx, "x--1")
    assert (recall.seq, recall.hash, recall.did) == (3, hash_of(3), "erased")


def test_a_position_only_rises(tx, feed_row):
    for seq, how in ((5, "ack"), (3, "push"), (7, "push")):
        note_position(tx, feed_row, B, seq, how, NOW)
    assert {node: (p.seq, p.how) for node, p in positions_of(tx, feed_row).items()} == {
        B: (7, "push")
    }


def test_releases_come_due_in_the_order_of_their_time(tx, feed_row):
    rows = [ReleaseRow(feed_row, seq, NOW + timedelta(hours=seq), 2, 0) for seq in (3, 1)]
    for row in (*rows, rows[0]):
        releases.note_release(tx, row)
    assert releases.due_releases(tx, NOW + timedelta(hours=4), 10) == rows[::-1]
    assert releases.due_releases(tx, NOW, 10) == []
    releases.drop_release(tx, rows[0])
    assert releases.due_releases(tx, NOW + timedelta(hours=4), 10) == rows[1:]


def test_rejected_entries_of_others_are_found(tx, feed_row):
    feeds.store_entries(tx, [entry(feed_row, 1), entry(feed_row, 2, state="rejected", code="E_X")])
    assert [e.seq for e in feeds.rejected_entries(tx, 10, origin=A, code="E_X", since=NOW)] == [2]
    assert feeds.rejected_entries(tx, 10, after=(feed_row, 2)) == []
    feeds.update_entry(tx, feed_row, 2, state="stored", code=None)
    assert feeds.rejected_entries(tx, 10, after=(0, 0)) == []
