"""What waits for a second voice is let out when an independent one says the same (PROTOCOL 4.1)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.positions import note_position
from schemas.markings import Tlp
from tests.support.joined_nodes import states, view_ids
from tests.support.nodes import make_node, peer_of
from tests.support.publications import stix_id
from tests.support.stored_state import check_invariants, events_of
from tests.support.told_claims import EVIL, authors, claim, clock_of, make_verdicts, tell

ONE, TWO, THREE = (stix_id("indicator", number) for number in (1, 2, 3))
WAITS = [("quarantined", "QUARANTINED_CORROBORATION")]
IN = [("accepted", None)]


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    check_invariants(made)
    made.database.close()


def test_two_members_that_say_the_same_let_each_other_in(node):
    one, two = authors(node, 2, "member")
    tell(node, one, "green", claim(number=1))
    make_verdicts(node)
    assert states(node, ONE) == WAITS
    tell(node, two, "green", claim(number=2))
    make_verdicts(node)
    assert (states(node, ONE), states(node, TWO)) == (IN, IN)
    assert {ONE, TWO} <= view_ids(node, Tlp.GREEN)
    assert events_of(node, "QUARANTINE_CORROBORATED")[0]["objects"] == 2


def test_a_trusted_origins_accepted_claim_is_a_second_voice(node):
    (trusted,) = authors(node, 1, "trusted")
    (member,) = authors(node, 1, "member", first=2)
    tell(node, trusted, "clear", claim(number=1))
    tell(node, member, "green", claim(number=2))
    make_verdicts(node)
    assert states(node, TWO) == IN


def test_the_same_origin_is_no_second_voice(node):
    (one,) = authors(node, 1, "member")
    tell(node, one, "green", claim(number=1), claim(number=2))
    make_verdicts(node)
    assert (states(node, ONE), states(node, TWO)) == (WAITS, WAITS)


def test_what_trust_puts_among_the_waiting_before_it_was_ever_read_is_read_once(node):
    one, two = authors(node, 2, "known")
    tell(node, one, "clear", claim(number=1))
    tell(node, two, "clear", claim(number=2))
    for author in (one, two):
        set_peer(node, peer_of(node, author.node_id), PeerChanges(trust="member"))
    make_verdicts(node)
    assert (states(node, ONE), states(node, TWO)) == (IN, IN)


def test_below_member_nobody_corroborates_until_trust_is_raised(node):
    (member,) = authors(node, 1, "member")
    (known,) = authors(node, 1, "known", first=2)
    tell(node, member, "clear", claim(number=1))
    tell(node, known, "clear", claim(number=2))
    make_verdicts(node)
    assert states(node, ONE) == WAITS
    set_peer(node, peer_of(node, known.node_id), PeerChanges(trust="member"))
    make_verdicts(node)
    assert (states(node, ONE), states(node, TWO)) == (IN, IN)


def test_a_stricter_claim_lets_out_nothing_that_laxer_readers_see(node):
    one, two = authors(node, 2, "member")
    tell(node, one, "clear", claim(number=1))
    tell(node, two, "green", claim(number=2))
    make_verdicts(node)
    assert states(node, ONE) == WAITS
    assert states(node, TWO) == IN


def test_t18_an_echo_corroborates_nothing(node):
    """A copy by somebody who is known to have held the original is the original's lineage."""
    one, two = authors(node, 2, "member")
    tell(node, one, "green", claim(number=1))
    with node.database.write() as tx:
        feed = find_feed(tx, one.feed("green").name)
        note_position(tx, feed.feed_row, two.node_id, 1, "push", node.now())
    clock_of(node).advance(timedelta(days=2))
    tell(node, two, "green", claim(number=2))
    make_verdicts(node)
    assert (states(node, ONE), states(node, TWO)) == (WAITS, WAITS)


def test_what_has_ended_or_was_overtaken_is_no_voice(node):
    one, two = authors(node, 2, "member")
    tell(node, one, "green", claim(number=1, valid_until="2026-03-01T11:00:00.000Z"))
    clock_of(node).advance(timedelta(hours=2))
    tell(node, two, "green", claim(number=2))
    make_verdicts(node)
    assert states(node, TWO) == WAITS
    tell(node, one, "green", claim("other.example", 1))
    make_verdicts(node)
    assert states(node, TWO) == WAITS
    assert EVIL != "other.example"
