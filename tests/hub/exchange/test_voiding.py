"""What newer documents say is not the origin's own is out of every view (PROTOCOL 2.3)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from hub.exchange.object_listing import reject_quarantined
from hub.monitoring.exchange_state import list_feed_exchanges
from hub.peers.gossip import compare_heads
from hub.storage.queries.peers import find_peer
from hub.storage.queries.void_entries import void_hashes
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE
from tests.support.joined_nodes import entry_states, states, view_ids, view_rows
from tests.support.nodes import make_node
from tests.support.publications import (
    LATER,
    Author,
    hand_over,
    indicator,
    marked,
    policy_of,
    stix_id,
)
from tests.support.revocations import author_named, new_key, next_epoch, revoke
from tests.support.stored_state import check_invariants, events_of, rows_of

ONE, TWO, THREE = (stix_id("indicator", n) for n in (1, 2, 3))


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


def last_good(author, *audiences):
    """Where the feeds stand now: all of it is the owner's."""
    return [(len(author.feed(name).entries), author.feed(name).prev) for name in audiences]


def versions(node, ceiling=Tlp.RED):
    """What readers find, without the dates at which it came."""
    return {
        (row["stix_id"], row["version"], row["origin"], row["content"], row["latest"])
        for row in view_rows(node, ceiling)
    }


def test_t15_what_was_accepted_of_the_thief_is_out_of_every_view(node, a):
    a.put("clear", indicator(1))
    a.put("clear", indicator(2))
    good = last_good(a, "clear")
    stolen = a.put("clear", indicator(3))
    assert a.deliver(node, "clear").accepted == 3
    revoke(node, a, *good)
    assert view_ids(node, Tlp.RED) & {ONE, TWO, THREE} == {ONE, TWO}
    feed = a.feed("clear").name
    assert [seq for seq, *_ in entry_states(node, feed)] == [1, 2]
    with node.database.read() as tx:
        assert void_hashes(tx, str(feed), [stolen]) == {stolen}
    assert events_of(node, "ENTRIES_VOIDED") == [{"feeds": {str(feed): [2, 1]}, "versions": 1}]
    check_invariants(node)


def test_what_was_never_touched_keeps_its_place_in_every_view(node, a):
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    before = [row for row in view_rows(node, Tlp.RED) if row["stix_id"] == ONE]
    a.put("clear", indicator(2))
    a.deliver(node, "clear")
    revoke(node, a, *good)
    assert [row for row in view_rows(node, Tlp.RED) if row["stix_id"] == ONE] == before


def test_what_a_void_entry_replaced_is_the_latest_again(node, a):
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.put("clear", indicator(1, modified=LATER, name="the thief's"))
    a.deliver(node, "clear")
    revoke(node, a, *good)
    (row,) = (row for row in view_rows(node, Tlp.RED) if row["stix_id"] == ONE)
    assert row["latest"]
    assert b"thief" not in row["content"]


@pytest.mark.parametrize(
    "deed",
    [
        {"kind": "retract", "ids": [ONE], "reason": "gone"},
        {"kind": "restrict", "ids": [ONE], "tlp": "amber"},
        {"kind": "retract", "ids": [ONE], "reason": "gone",
         "objects": [marked(indicator(1, modified=LATER, revoked=True), Tlp.CLEAR)]},
    ],
    ids=["retract", "restrict", "revoked"],
)  # fmt: skip
def test_what_a_void_entry_took_back_is_there_again(node, a, deed):
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    whole = versions(node)
    a.write("clear", **deed)
    a.deliver(node, "clear")
    assert versions(node) != whole
    revoke(node, a, *good)
    assert versions(node) == whole
    check_invariants(node)


@pytest.mark.parametrize(
    "deed",
    [{"kind": "retract", "reason": "never"}, {"kind": "restrict", "tlp": "amber"}],
    ids=["retract", "restrict"],
)
def test_a_void_word_on_what_never_came_leaves_no_mark(node, a, deed):
    a.put("clear", indicator(2))
    good = last_good(a, "clear")
    a.write("clear", ids=[ONE], **deed)
    a.deliver(node, "clear")
    revoke(node, a, *good)
    begin = next_epoch(a, "clear", a.feed("clear").hashes[0])
    a.put(begin, indicator(1), policy=policy_of("clear"), signer=new_key(a))
    assert a.deliver(node, begin).accepted == 1


def test_what_a_void_entry_erased_comes_again_from_whoever_has_it(node, a):
    a.put("clear", indicator(1))
    a.put("clear", indicator(2))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    a.write("clear", kind="erase", seqs=[2], reason="gone")
    a.deliver(node, "clear")
    assert TWO not in view_ids(node, Tlp.RED)
    revoke(node, a, *good)
    # The cursor went back before what is missing; the origin still serves it.
    assert a.deliver(node, "clear", until=2).accepted == 1
    assert view_ids(node, Tlp.RED) >= {ONE, TWO}


def test_a_claim_that_the_thief_displaced_stands_again(node, a):
    b = Author(2)
    b.meets(node, "trusted")
    value, proof = a.proven(1)
    a.put("clear", indicator(2))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    b.put("clear", value | {"name": "b's"})
    b.deliver(node, "clear")
    before = versions(node)
    a.put("clear", value, idn=proof)
    a.deliver(node, "clear")
    assert ("quarantined", "E_ID_CONFLICT") in states(node, value["id"])
    revoke(node, a, *good)
    assert versions(node) == before


def test_what_a_person_rejected_stays_rejected(node):
    a = Author(3)
    a.meets(node, "known")
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    reject_quarantined(node, [ONE], "no")
    a.write("clear", kind="retract", ids=[ONE], reason="gone")
    a.deliver(node, "clear")
    revoke(node, a, *good)
    assert states(node, ONE) == [("rejected", "REJECTED_BY_OPERATOR")]


def test_trust_that_was_lowered_since_takes_nothing_back(node, a):
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.put("clear", indicator(2))
    a.deliver(node, "clear")
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET trust = 1")
    revoke(node, a, *good)
    assert states(node, ONE) == [("accepted", None)]


def test_an_entry_that_only_the_thief_made_bad_is_good_again(node, a):
    a.put("clear", indicator(2))
    good = last_good(a, "clear")
    a.put("clear", indicator(1, name="the thief's"))
    a.deliver(node, "clear")
    mine = last_good(a, "clear")[:0]
    a.put("green", indicator(1), policy=policy_of("green"))
    a.deliver(node, "green")
    rejected = entry_states(node, a.feed("green").name)
    assert rejected == [(1, "rejected", "E_STALE_MODIFIED")]
    revoke(node, a, *good, *mine, *last_good(a, "green"))
    assert entry_states(node, a.feed("green").name) == [(1, "stored", None)]
    assert states(node, ONE) == [("accepted", None)]
    check_invariants(node)


def test_a_position_that_our_chain_does_not_reach_hides_what_is_not_sure(node, a):
    """What lies before may be of another chain than the one that leads there."""
    for number in (1, 2, 3):
        a.put("clear", indicator(number))
    a.deliver(node, "clear", until=2)
    revoke(node, a, *last_good(a, "clear"))
    assert view_ids(node, Tlp.RED).isdisjoint({ONE, TWO})
    assert a.deliver(node, "clear").accepted == 3
    assert view_ids(node, Tlp.RED) >= {ONE, TWO, THREE}


def test_what_comes_again_counts_against_no_limit(node):
    a = Author(4)
    a.meets(node, "trusted", daily_limit=3)
    for number in (1, 2, 3):
        a.put("clear", indicator(number))
    a.deliver(node, "clear", until=2)
    revoke(node, a, *last_good(a, "clear"))
    assert a.deliver(node, "clear").accepted == 3
    (days,) = rows_of(node, "SELECT objects FROM peer_days")
    assert days["objects"] == 3


def test_a_head_of_a_revoked_key_is_no_head(node, a):
    a.put("clear", indicator(1))
    a.deliver(node, "clear")
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE feeds SET head = ?, head_seq = 1", (b"{}",))
    revoke(node, a, *last_good(a, "clear"))
    (row,) = rows_of(node, f"SELECT head, head_seq FROM feeds WHERE node_id = '{a.node_id}'")
    assert (row["head"], row["head_seq"]) == (None, 0)


def test_what_peers_stated_of_the_thiefs_entries_is_forgotten(node, a):
    """Else this node would wait for them for ever, with an alarm that nobody can end."""
    a.put("clear", indicator(1))
    good = last_good(a, "clear")
    a.deliver(node, "clear")
    thief = seal(
        a.owner.entry, HEAD_TYPE, head_payload(a.feed("clear").name, 9, EntryHash("e" * 64), a.at)
    )
    with node.database.read() as tx:
        sender = find_peer(tx, a.node_id)
    compare_heads(node, sender, [thief.to_json()])
    (exchange,) = [each for each in list_feed_exchanges(node) if not each.feed.own]
    assert exchange.behind == 8
    revoke(node, a, *good)
    compare_heads(node, sender, [thief.to_json()])
    (exchange,) = [each for each in list_feed_exchanges(node) if not each.feed.own]
    assert exchange.behind == 0


def test_the_feed_goes_on_in_its_next_epoch(node, a):
    last = a.put("clear", indicator(1))
    a.put("clear", indicator(2))
    a.deliver(node, "clear")
    revoke(node, a, (1, last))
    begin = next_epoch(a, "clear", last)
    a.put(begin, indicator(3), policy=policy_of("clear"), signer=new_key(a))
    assert a.deliver(node, begin).error is None
    assert view_ids(node, Tlp.RED) & {ONE, TWO, THREE} == {ONE, THREE}


def test_an_epoch_begins_nowhere_else(node, a):
    a.put("clear", indicator(1))
    second = a.put("clear", indicator(2))
    a.deliver(node, "clear")
    revoke(node, a, (1, a.feed("clear").hashes[0]))
    begin = next_epoch(a, "clear", second)
    a.put(begin, indicator(3), policy=policy_of("clear"), signer=new_key(a))
    assert a.deliver(node, begin).error.code == "E_FEED"


def test_t15_an_earlier_entry_that_the_thief_forges_is_a_fork(node, a):
    for number in (1, 2, 3):
        a.put("clear", indicator(number))
    a.deliver(node, "clear")
    revoke(node, a, *last_good(a, "clear"))
    thief = Author(1)
    thief.put("clear", indicator(1))
    thief.put("clear", indicator(9))
    name = FeedName(a.node_id, "clear")
    page = thief.page("clear", after=1)
    assert hand_over(node, name, page, a).error.code == "E_FORK"


# THREATS 2.16: after last_good every view equals the view had the thief's entries never existed.

AUDIENCES = ("clear", "green")
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(AUDIENCES),
        st.sampled_from(("put", "put", "put", "retract", "restrict")),
        st.integers(1, 3),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=7,
)


def write(author, deeds, first):
    for audience, kind, place, minute in deeds:
        number = first + place
        name = stix_id("indicator", number)
        if kind == "put":
            at = f"2026-03-01T09:{minute:02}:00.000Z"
            value = indicator(number, modified=at, name=f"{audience} {minute}")
            author.put(audience, value)
        elif kind == "retract":
            author.write(audience, kind="retract", ids=[name], reason="gone")
        else:
            author.write(audience, kind="restrict", ids=[name], tlp="amber")


@pytest.fixture(scope="module")
def pair_of_nodes(tmp_path_factory):
    home = tmp_path_factory.mktemp("voiding")
    nodes = make_node(home, "robbed"), make_node(home, "spared")
    yield (*nodes, itertools.count(1))
    for made in nodes:
        made.database.close()


@settings(max_examples=8, deadline=None)
@given(good=DEEDS, thiefs=DEEDS, late=st.booleans())
def test_every_view_is_as_if_the_thief_had_never_written(pair_of_nodes, good, thiefs, late):
    compare(pair_of_nodes, good, thiefs, late=late)


@pytest.mark.long
@pytest.mark.timeout(600)
@settings(max_examples=200, deadline=None)
@given(good=DEEDS, thiefs=DEEDS, late=st.booleans())
def test_every_view_is_so_after_many_thefts(pair_of_nodes, good, thiefs, late):
    compare(pair_of_nodes, good, thiefs, late=late)


def compare(pair_of_nodes, good, thiefs, *, late):
    robbed, spared, numbers = pair_of_nodes
    first = 10 * next(numbers)
    a = author_named(f"author {first}")
    for receiver in (robbed, spared):
        a.meets(receiver, "trusted")
    write(a, [("clear", "put", 9, 0), ("green", "put", 8, 0), *good], first)
    places = last_good(a, *AUDIENCES)
    for audience in AUDIENCES:
        a.deliver(spared, audience)
        if not late:
            a.deliver(robbed, audience)
    write(a, thiefs, first)
    for audience in AUDIENCES:
        a.deliver(robbed, audience)
    for receiver in (robbed, spared):
        revoke(receiver, a, *places)
    for tlp in Tlp:
        seen = {found for found in versions(robbed, tlp) if found[2] == a.node_id}
        assert seen == {found for found in versions(spared, tlp) if found[2] == a.node_id}
    check_invariants(robbed)
