"""Acks: what counts of what peers confirm, and what a relay says of its readers (PROTOCOL 2.6)."""

from __future__ import annotations

import pytest

from federation.feeds.acks import MOST_READERS, PassedOn, ack_payload
from federation.signing.signer import seal
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.receipts import list_receipts
from hub.exchange.withdraw import withdraw_object
from hub.peers.acknowledge import MOST_ACKS, accept_acks, counts_of
from hub.peers.owed_acks import feeds_to_confirm, plan_acks
from hub.storage.queries.acks import drop_due_acks, due_acks
from hub.storage.queries.feeds import find_feed, update_feed
from hub.storage.queries.peers import find_peer
from hub.storage.queries.positions import note_position, positions_of
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import write_json
from tests.support.joined_nodes import sync
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, drafts, indicator, join, stix_id
from tests.support.stored_state import rows_of

ONE = stix_id("indicator", 1)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    publish_objects(made, PublishRequest(drafts(indicator(1), indicator(2)), Tlp.GREEN))
    withdraw_object(made, ONE, "false positive")
    yield made
    made.database.close()


@pytest.fixture
def reader(a):
    author = Author(1)
    author.meets(a, name="reader")
    return author


def ack_of(acker, node, *, seq=2, did="retracted", signer=None, **changes):
    """An ack of an entry of the node's green feed."""
    feed = FeedName(node.node_id, "green")
    rows = rows_of(
        node, f"SELECT hash FROM entries JOIN feeds USING (feed_row) WHERE feed = '{feed}'"
        f" AND seq = {seq}",
    )  # fmt: skip
    stated = {
        "node": acker.node_id,
        "feed": feed,
        "seq": seq,
        "entry_hash": rows[0]["hash"] if rows else "0" * 64,
        "did": did,
        "ts": node.now(),
    } | changes
    return seal(signer or acker.owner.entry, ACK_TYPE, ack_payload(**stated)).to_json()


def give(node, acker, *acks):
    with node.database.read() as tx:
        peer = find_peer(tx, acker.node_id)
    accept_acks(node, peer, write_json({"acks": list(acks)}))


def confirmed(node):
    return [line.state for line in list_receipts(node, ONE)]


def test_a_peers_word_on_its_own_deed_counts(a, reader):
    assert confirmed(a) == ["pending"]
    give(a, reader, ack_of(reader, a))
    (line,) = list_receipts(a, ONE)
    assert (line.state, line.name, line.at) == ("confirmed", "reader", a.now())


def test_a_repeat_is_no_error_and_brings_newer_counts(a, reader, clock):
    give(a, reader, ack_of(reader, a))
    first = list_receipts(a, ONE)
    give(a, reader, ack_of(reader, a))
    assert list_receipts(a, ONE) == first
    clock.advance(seconds=5)
    give(a, reader, ack_of(reader, a, passed_on=PassedOn(3, 2)))
    assert list_receipts(a, ONE)[0].passed_on.confirmed == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"did": "erased"},  # not what the entry asks for
        {"did": "stored", "seq": 9},  # no such entry
        {"entry_hash": "5" * 64},  # another one than ours
        {"seq": 1},  # an entry that takes nothing back
        {"did": "accepted", "terms": "5" * 64},  # of sealed entries
    ],
)
def test_what_does_not_fit_is_passed_over_without_a_word(a, reader, wrong):
    give(a, reader, ack_of(reader, a, **wrong))
    assert confirmed(a) == ["pending"]
    assert rows_of(a, "SELECT * FROM positions") == []


def test_nobody_confirms_for_another(a, reader):
    other = Author(2)
    other.meets(a, name="other")
    give(a, other, ack_of(reader, a))
    give(a, other, ack_of(reader, a, signer=other.owner.entry))
    assert confirmed(a) == ["pending", "pending"]


def test_a_time_ahead_of_ours_is_not_believed(a, reader, clock):
    ahead = ack_of(reader, a, ts=clock.advance(hours=1))
    clock.advance(hours=-1)
    give(a, reader, ahead)
    assert confirmed(a) == ["pending"]


def test_whoever_may_not_read_the_feed_learns_nothing_and_leaves_nothing(a):
    stranger = Author(3)
    stranger.meets(a, "known", name="stranger")
    give(a, stranger, ack_of(stranger, a), ack_of(stranger, a, did="stored"))
    assert confirmed(a) == []
    assert rows_of(a, "SELECT * FROM acks") == rows_of(a, "SELECT * FROM positions") == []


def test_t36_no_more_is_kept_than_there_are_entries_and_peers(a, reader):
    for _ in range(3):
        give(a, reader, *[ack_of(reader, a)] * 30, *[ack_of(reader, a, did="stored")] * 30)
    assert len(rows_of(a, "SELECT * FROM acks")) == 1
    assert len(rows_of(a, "SELECT * FROM positions")) == 1
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        give(a, reader, *[{}] * (MOST_ACKS + 1))


def test_a_position_never_goes_back(a, reader):
    give(a, reader, ack_of(reader, a, did="stored"))
    give(a, reader, ack_of(reader, a, seq=1, did="stored"))
    with a.database.write() as tx:
        feed = find_feed(tx, FeedName(a.node_id, "green"))
        note_position(tx, feed.feed_row, reader.node_id, 1, "push", a.now())
        found = positions_of(tx, feed.feed_row)
    assert [(p.seq, p.how) for p in found.values()] == [(2, "ack")]


def test_what_was_taken_back_is_owed_to_the_origin_at_once_and_what_was_stored_later(
    a, tmp_path, clock
):
    b = make_node(tmp_path, "b", clock)
    join(b, a)
    sync(a, b, "green")
    with b.database.write() as tx:
        assert [(due.seq, due.did) for due in due_acks(tx, a.node_id, 10)] == [(2, "retracted")]
        assert [to for _, to in feeds_to_confirm(tx)] == [a.node_id]
        plan_acks(tx, b.now())
    (job,) = rows_of(b, "SELECT kind, subject FROM jobs WHERE kind = 'ack'")
    assert job["subject"] == a.node_id


def test_a_relay_counts_who_confirmed_to_it_and_names_nobody(a, tmp_path, clock):
    b = make_node(tmp_path, "b", clock)
    join(b, a)
    sync(a, b, "green")
    with a.database.read() as tx:
        theirs = find_feed(tx, FeedName(a.node_id, "green"))
    readers = [Author(number) for number in (4, 5)]
    with b.database.write() as tx:
        held = find_feed(tx, FeedName(a.node_id, "green"))
        update_feed(tx, held.feed_row, head=theirs.head)
        assert counts_of(tx, held.feed_row, 2) is None
    for author in readers:
        author.meets(b)
        give(b, author, ack_of(author, a, did="stored", seq=1))
    give(b, readers[0], ack_of(readers[0], a, passed_on=PassedOn(3, 1)))
    with b.database.read() as tx:
        assert counts_of(tx, held.feed_row, 2) == PassedOn(readers=5, confirmed=2)
        assert [due.did for due in due_acks(tx, a.node_id, 10)] == ["retracted"]


def test_a_reader_that_counts_too_many_cannot_spoil_what_its_relay_says(a, tmp_path, clock):
    b = make_node(tmp_path, "b", clock)
    join(b, a)
    sync(a, b, "green")
    with a.database.read() as tx:
        theirs = find_feed(tx, FeedName(a.node_id, "green"))
    with b.database.write() as tx:
        held = find_feed(tx, FeedName(a.node_id, "green"))
        update_feed(tx, held.feed_row, head=theirs.head)
    liar = Author(4)
    liar.meets(b)
    give(b, liar, ack_of(liar, a, passed_on=PassedOn(MOST_READERS, MOST_READERS)))
    with b.database.read() as tx:
        counts = counts_of(tx, held.feed_row, 2)
    assert counts == PassedOn(MOST_READERS, MOST_READERS)


def test_a_clock_that_goes_back_repeats_nothing(a, tmp_path, clock):
    b = make_node(tmp_path, "b", clock)
    join(b, a)
    sync(a, b, "green")
    with b.database.write() as tx:
        told = due_acks(tx, a.node_id, 10)
        clock.advance(hours=-1)
        drop_due_acks(tx, a.node_id, told)
        assert due_acks(tx, a.node_id, 10) == []
