"""A page behind a stub waits until the stub has its right (PROTOCOL 2.4 "Stub", THREATS 10)."""

from __future__ import annotations

import json

import pytest

from federation.feeds.stubs import stub_record
from hub.exchange.receive import receive_page
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.peers import find_peer
from schemas.markings import Tlp
from schemas.timestamps import read_wire_time
from tests.support.joined_nodes import entry_states, states, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, indicator, note, page_of, stix_id
from tests.support.stored_state import check_invariants, rows_of

ONE, TWO, THREE, FOUR = (stix_id("indicator", number) for number in (1, 2, 3, 4))


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver", FixedClock())
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node)
    return author


@pytest.fixture
def relay(node):
    author = Author(2)
    author.meets(node)
    return author


def written(a):
    """Four entries; 2 is erased by 4."""
    a.put("green", indicator(1))
    a.put("green", indicator(2))
    a.put("green", indicator(3))
    a.write("green", kind="erase", seqs=[2])


def stub(a, seq, by, **changes):
    feed = a.feed("green")
    ts = read_wire_time(a.feed("green").entries[by - 1]["created"]) if by <= len(
        feed.entries
    ) else a.at  # fmt: skip

    return json.loads(stub_record(feed.name, seq, feed.hashes[seq - 1], by=by, ts=ts)) | changes


def give(node, a, objects, *, more=False, sender=None):
    """Hand over a page; of a relay with its head."""
    head = None if sender is None else sender.relay_head(a, "green")
    page = page_of(objects, head)
    if more:
        page = type(page)(True, objects[-1]["seq"], objects, {}, head, None)
    with node.database.read() as tx:
        peer = find_peer(tx, (sender or a).node_id)
    return receive_page(node, feed=a.feed("green").name, sender=peer, page=page)


def with_stubs(a, *places, until=None, after=0):
    """The author's entries with stubs in some places: ``(seq, by)``."""
    objects = list(a.feed("green").entries[:until])
    for seq, by in places:
        objects[seq - 1] = stub(a, seq, by)
    return objects[after:]


def cursor(node, a):
    with node.database.read() as tx:
        held = find_feed(tx, a.feed("green").name)
    return (0, 0) if held is None else (held.last_seq, held.pending_seq)


def test_a_stub_that_a_later_entry_names_is_taken(node, a):
    written(a)
    received = give(node, a, with_stubs(a, (2, 4)))
    assert (received.error, received.last_seq, received.accepted) == (None, 4, 2)
    assert cursor(node, a) == (4, 0)
    assert [s for _, s, _ in entry_states(node, a.feed("green").name)] == [
        "stored", "stub", "stored", "stored",
    ]  # fmt: skip
    assert view_ids(node, Tlp.GREEN) >= {ONE, THREE}
    assert states(node, TWO) == []


def test_what_lies_behind_waits_unseen_until_then(node, a):
    written(a)
    received = give(node, a, with_stubs(a, (2, 4), until=3), more=True)
    assert (received.error, received.last_seq) == (None, 3)
    assert cursor(node, a) == (1, 3)
    assert view_ids(node, Tlp.RED) & {ONE, THREE} == {ONE}
    received = give(node, a, with_stubs(a, after=3))
    assert (received.error, received.entries) == (None, 2)
    assert cursor(node, a) == (4, 0)
    assert THREE in view_ids(node, Tlp.GREEN)
    assert rows_of(node, "SELECT * FROM pending_entries") == []


def test_at_the_end_of_the_feed_it_is_a_gap_and_the_cursor_is_back_before_it(node, a):
    written(a)
    received = give(node, a, with_stubs(a, (2, 9)))
    assert (received.error.code, received.error.params["expected"]) == ("E_GAP", 2)
    assert (received.last_seq, cursor(node, a)) == (1, (1, 0))
    assert THREE not in view_ids(node, Tlp.RED)
    assert a.deliver(node, "green", after=1).error is None
    assert THREE in view_ids(node, Tlp.GREEN)


def test_an_empty_page_is_the_end_too(node, a):
    written(a)
    give(node, a, with_stubs(a, (2, 9), until=3), more=True)
    assert give(node, a, []).error.code == "E_GAP"
    assert cursor(node, a) == (1, 0)


def test_an_entry_that_does_not_name_it_gives_it_no_right(node, a):
    written(a)
    received = give(node, a, with_stubs(a, (1, 4)), more=True)
    assert received.error.code == "E_GAP"
    assert cursor(node, a) == (0, 0)


@pytest.mark.parametrize("kind", ["restrict", "put"])
def test_only_what_takes_back_gives_a_right(node, a, kind):
    a.put("green", indicator(1))
    a.put("green", indicator(2))
    if kind == "put":
        a.put("green", indicator(3), seqs=[2])
    else:
        a.write("green", kind="restrict", ids=[TWO], tlp="amber", seqs=[2])
    assert give(node, a, with_stubs(a, (2, 3))).error.code == "E_GAP"


def test_a_restriction_with_stop_relay_gives_it_even_to_the_first_entry(node, a):
    a.put("green", indicator(1))
    a.put("green", indicator(2))
    a.write("green", kind="restrict", ids=[ONE], tlp="amber", stop_relay=True, seqs=[1])
    assert give(node, a, with_stubs(a, (1, 3))).error is None
    assert cursor(node, a) == (3, 0)
    assert TWO in view_ids(node, Tlp.GREEN)


def test_a_rejected_entry_gives_no_right(node, a):
    a.put("green", indicator(1))
    a.put("green", indicator(2))
    a.write("green", kind="erase", seqs=[2], policy={"tlp": "clear", "relay": "community"})
    assert give(node, a, with_stubs(a, (2, 3))).error.code == "E_GAP"


def test_the_next_entry_vouches_for_the_hash(node, a):
    written(a)
    objects = with_stubs(a)
    other = stub_record(a.feed("green").name, 2, a.feed("green").hashes[0], by=4, ts=a.at)

    objects[1] = json.loads(other)
    received = give(node, a, objects)
    assert received.error.code == "E_GAP", "nobody signed the stub, so it is no fork"
    assert cursor(node, a) == (1, 0)


def test_its_time_is_that_of_the_entry_that_names_it(node, a):
    written(a)
    objects = with_stubs(a)
    objects[1] = stub(a, 2, 4)
    at = "2026-03-01T11:00:00.000Z"
    objects[1] |= {"created": at, "modified": at}
    assert give(node, a, objects).error.code == "E_GAP"


def test_two_stubs_side_by_side_take_nothing_from_each_other(node, a):
    a.put("green", indicator(1))
    a.put("green", indicator(2))
    a.put("green", indicator(3))
    a.write("green", kind="erase", seqs=[2, 3])
    a.put("green", indicator(4))
    assert give(node, a, with_stubs(a, (2, 4), (3, 4))).error is None
    assert entry_states(node, a.feed("green").name)[1:3] == [
        (2, "stub", "STUB_UNLINKED"),
        (3, "stub", None),
    ]
    assert FOUR in view_ids(node, Tlp.GREEN)


def test_t10_a_stub_cannot_hide_a_withdrawal(node, a, relay):
    a.put("green", indicator(1))
    a.write("green", kind="retract", ids=[ONE], reason="false positive")
    a.put("green", indicator(2))
    a.deliver(node, "green", until=1)
    received = give(node, a, with_stubs(a, (2, 3), after=1), sender=relay)
    assert received.error.code == "E_GAP"
    assert received.error.params["stub_of"] == relay.node_id
    assert TWO not in view_ids(node, Tlp.RED)
    a.deliver(node, "green")
    assert states(node, ONE) == [("withdrawn", None)]


def test_a_stub_of_somebody_elses_hash_keeps_nothing_out(node, a, relay):
    """Its hash is the sender's word: the entry that truly has it is stored all the same."""
    relay.put("green", indicator(9))
    written(a)
    theirs = relay.feed("green").hashes[0]
    a.put("green", indicator(4))
    a.write("green", kind="erase", seqs=[2, 3])

    objects = with_stubs(a, (2, 6), (3, 6))
    false = stub_record(a.feed("green").name, 2, theirs, by=6, ts=a.at)
    objects[1] = json.loads(false)
    assert give(node, a, objects).error is None
    assert relay.deliver(node, "green").error is None
    assert stix_id("indicator", 9) in view_ids(node, Tlp.GREEN)


def test_what_waits_counts_once_against_the_day(node, a):
    written(a)
    give(node, a, with_stubs(a, (2, 4), until=3), more=True)
    give(node, a, with_stubs(a, after=3))
    (day,) = rows_of(node, "SELECT objects FROM peer_days")
    assert day["objects"] == 4


def test_who_holds_the_entry_learns_nothing_new_from_a_stub(node, a):
    written(a)
    a.deliver(node, "green", until=3)
    received = give(node, a, with_stubs(a, (2, 4)))
    assert (received.error, received.duplicates) == (None, 3)
    assert states(node, TWO) == [("erased", None)]


def test_what_refers_to_what_a_stub_hides_is_a_leak_to_a_newcomer_alone(node, a):
    written(a)
    a.put("green", note(1, TWO))
    a.put("green", indicator(4))
    assert give(node, a, with_stubs(a, (2, 4))).rejected == 1
    assert entry_states(node, a.feed("green").name)[4] == (5, "rejected", "E_REF_LEAK")
    assert FOUR in view_ids(node, Tlp.GREEN)


def test_a_relays_run_of_stubs_is_forgotten_at_once(node, a, relay):
    for number in range(1, 9):
        a.put("green", indicator(number))
    give(node, a, list(a.feed("green").entries[:2]), more=True)
    feed = a.feed("green").name
    run = [json.loads(stub_record(feed, n, "5" * 64, by=99, ts=a.at)) for n in (3, 4, 5, 6)]
    assert give(node, a, run, more=True, sender=relay).last_seq == 6
    received = give(node, a, list(a.feed("green").entries[6:]))
    assert received.error.params["stub_of"] == relay.node_id
    assert cursor(node, a) == (2, 0)
    assert a.deliver(node, "green", after=2).error is None
