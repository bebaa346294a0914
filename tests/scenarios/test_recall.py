"""Taking back across three nodes: A is the origin, B relays to C, which has never met A.

Real HTTP on loopback in this process; every step is the product's own use-case.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

from hub.exchange.erase import erase_everywhere, erase_here
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.receipts import PassedOn, list_receipts
from hub.exchange.restrict import Audience, restrict_object
from hub.exchange.withdraw import withdraw_object
from hub.peers.acknowledge import send_acks
from hub.peers.pull import pull_peer
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, states, view_ids
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    pair,
    peer_of,
    serve_in_thread,
    serving,
)
from tests.support.publications import drafts, indicator, note, stix_id
from tests.support.stored_state import check_invariants, rows_of

ONE, TWO, THREE, FOUR = (stix_id("indicator", number) for number in (1, 2, 3, 4))


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def nodes(tmp_path, clock):
    made = [make_node(tmp_path, name, clock) for name in ("a", "b", "c")]
    yield made
    for node in made:
        check_invariants(node)
        node.database.close()


@contextmanager
def chain(a, b, c):
    """A and B are paired, and B and C."""
    with serving(a, b):
        pair(a, b, "trusted")
        pair(b, c, "trusted")
        yield


def publish(node, *values, tlp=Tlp.GREEN, to=()):
    outcome = publish_objects(
        node, PublishRequest(drafts(*values), tlp, to=tuple(peer_of(node, o) for o in to))
    )
    assert not outcome.refused


def pull(node, other):
    return pull_peer(node, peer_of(node, other))


def news(a, b, c, clock):
    """B hears of A, C of B, and both confirm; B tells A of C's word."""
    clock.advance(seconds=30)
    assert pull(b, a).error is None
    assert pull(c, b).error is None
    send_acks(b, peer_of(b, a))
    send_acks(c, peer_of(c, b))
    clock.advance(seconds=30)
    send_acks(b, peer_of(b, a))


def state_at(node, one):
    return states(node, one)[-1][0]


def bytes_of(node):
    """All payloads and contents that a node holds."""
    return b"".join(
        bytes(row["raw"])
        for row in rows_of(
            node,
            "SELECT content AS raw FROM objects UNION ALL SELECT record FROM entries"
            " UNION ALL SELECT record FROM pending_entries",
        )
    )


def test_all_that_is_taken_back_reaches_whoever_reads_through_a_relay_and_all_confirm(nodes, clock):
    a, b, c = nodes
    green = FeedName(a.node_id, "green")
    with chain(a, b, c):
        publish(a, indicator(1), indicator(2))
        publish(a, indicator(3, name="Ada Lovelace"), indicator(4))
        publish(a, note(1, TWO))
        news(a, b, c, clock)

        done = restrict_object(a, ONE, Tlp.AMBER, Audience(to=(peer_of(a, b),)))
        assert done.published is not None
        assert done.published.feeds == (f"{a.node_id}/{direct(b)}/1",)
        erased = erase_everywhere(a, "green/2", "personal data", [THREE])
        assert [kind for *_, kind in erased.entries] == ["erase"]
        withdrawn = withdraw_object(a, FOUR, "false positive")
        assert {receipt.state for receipt in withdrawn.receipts} == {"pending"}
        assert [line.state for line in list_receipts(a, ONE)] == ["pending"]
        news(a, b, c, clock)
        for node in nodes:
            assert [state for _, state, _ in entry_states(node, green)][:3] == [
                "stub", "stub", "stored",
            ]  # fmt: skip
            assert b"Lovelace" not in bytes_of(node)
            assert states(node, THREE) == [("erased", None)]
            assert state_at(node, TWO) in {"accepted", "quarantined"}
            assert states(node, FOUR)[0][0] == "withdrawn"

    assert ONE in view_ids(b, Tlp.AMBER) - view_ids(b, Tlp.GREEN)
    assert ONE not in view_ids(c, Tlp.RED) | view_ids(a, Tlp.GREEN)
    for one, did in ((ONE, "restricted"), (THREE, "erased"), (FOUR, "retracted")):
        (line,) = list_receipts(a, one)
        assert (line.name, line.did, line.state) == ("b", did, "confirmed")
        assert line.passed_on == PassedOn(readers=1, confirmed=1)
        assert c.node_id not in str(line), "a relay names none of its peers"


def test_a_newcomer_behind_the_relay_takes_stubs_for_what_they_are(nodes, clock):
    a, b, c = nodes
    with serve_in_thread(a):
        pair(a, b, "trusted")
        publish(a, indicator(3))
        publish(a, indicator(1, name="Ada Lovelace"), indicator(2))
        restrict_object(a, THREE, Tlp.AMBER)
        erase_everywhere(a, "green/2", "personal data", [ONE])
        assert pull(b, a).error is None
    with serve_in_thread(b):
        pair(b, c, "trusted")
        clock.advance(seconds=1)
        pulled = pull(c, b)
    assert (pulled.error, pulled.rejected) == (None, 0)
    green = FeedName(a.node_id, "green")
    assert [state for _, state, _ in entry_states(c, green)][:2] == ["stub", "stub"]
    assert entry_states(c, green) == [
        (seq, state, "STUB_UNLINKED" if seq == 1 else code)
        for seq, state, code in entry_states(a, green)
    ]
    assert states(c, ONE) == []
    assert states(c, THREE) == [("withheld", "RESTRICTED_UNSEEN")]
    assert state_at(c, TWO) == "quarantined"  # C knows nothing of A


def test_what_a_relay_erased_by_law_its_readers_get_from_the_origin(nodes, clock):
    a, b, c = nodes
    with chain(a, b, c):
        publish(a, indicator(1))
        publish(a, indicator(2, name="Ada Lovelace"))
        publish(a, indicator(3))
        assert pull(b, a).error is None
        green = FeedName(a.node_id, "green")
        erased = erase_here(b, f"{green}/2", "a court order")
        assert erased.objects == (TWO,)
        assert b"Lovelace" not in (b.settings.home / "tocsin.db").read_bytes()
        assert TWO not in view_ids(b, Tlp.RED)
        clock.advance(seconds=1)
        pulled = pull(c, b)
        assert pulled.error.code == "E_ERASED"
        assert pulled.failed is False, "the relay's other feeds go on"
        assert [seq for seq, *_ in entry_states(c, green)] == [1]
        pair(a, c, "trusted")
        clock.advance(timedelta(seconds=1))
        assert pull(c, a).error is None
        publish(a, indicator(4))
        clock.advance(timedelta(seconds=1))
        pull(b, a)
        assert pull(c, b).error is None, "beyond what it erased, the relay serves as before"
        give_trust(c, a, "trusted")
    assert [seq for seq, *_ in entry_states(c, green)] == [1, 2, 3, 4]
    assert b"Lovelace" in bytes_of(c) or states(c, TWO)
    assert states(b, TWO) == [("erased", "ERASED_HERE")]
