"""The names of a domain set are claims: from when until when it says, and while it counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.suspend import resume_peer, suspend_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.claims import count_claims
from hub.verdicts.blocklist import blocked_names, release_waiting
from hub.verdicts.expand_sets import work_on_sets
from hub.verdicts.fuse import refresh_verdicts
from hub.verdicts.quarantine import QuarantineFilter, decide_waiting
from schemas.dns.domain_sets import SetLine, write_list
from schemas.markings import Tlp
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    authors,
    clock_of,
    confidences,
    make_verdicts,
)
from tests.support.told_sets import hold, listed, names, tell_set

ONE, TWO, THREE = "one.cc", "three.cc", "two.cc"


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", FixedClock())
    yield made
    made.database.close()


def state_of_sets(node: Node) -> list[str]:
    return [
        row["state"] for row in rows_of(node, "SELECT state FROM domain_sets ORDER BY object_row")
    ]


def marks(node: Node) -> set[str]:
    return {row["name"] for row in rows_of(node, "SELECT name FROM verdict_work")}


def blocked(node: Node) -> set[str]:
    with node.database.read() as tx:
        return {block.name for block in blocked_names(tx, node, "constituents")}


def test_each_name_of_a_set_gets_a_verdict_at_the_label_of_the_set(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed(ONE, TWO))
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {ONE, TWO}
    assert confidences(node, Tlp.CLEAR) == {}
    assert state_of_sets(node) == ["expanded"]


def test_a_set_whose_list_is_not_here_claims_nothing_until_it_is(node):
    (cert,) = authors(node, 1)
    sealed = listed(ONE)
    tell_set(node, cert, "green", sealed, held=False)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}
    hold(node, sealed)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}  # ours, and nobody gave it for that set
    hold(node, sealed, cert)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {ONE}


def test_names_count_on_their_days_alone_and_are_released_when_these_pass(node):
    (cert,) = authors(node, 1)
    today = node.now().date()
    tomorrow = today + timedelta(days=1)
    sealed = write_list(
        [SetLine("today.cc", today, today), SetLine("tomorrow.cc", tomorrow, tomorrow),
         SetLine("gone.cc", today - timedelta(days=9), today - timedelta(days=9))]
    )  # fmt: skip
    tell_set(node, cert, "green", sealed)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {"today.cc"}
    clock_of(node).advance(hours=24)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {"tomorrow.cc"}
    clock_of(node).advance(hours=24)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}


def test_a_name_with_two_windows_comes_back_for_the_second(node):
    (cert,) = authors(node, 1)
    today = node.now().date()
    later = today + timedelta(days=3)
    tell_set(
        node, cert, "green", write_list([SetLine(ONE, today, today), SetLine(ONE, later, later)])
    )
    seen = []
    for _ in range(4):
        make_verdicts(node)
        seen.append(ONE in confidences(node, Tlp.GREEN))
        clock_of(node).advance(hours=24)
    assert seen == [True, False, False, True]


def test_a_restart_goes_on_where_the_last_write_ended(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed(*names(5)))
    assert work_on_sets(node, lines_at_once=2, writes_at_once=1) == 2
    assert state_of_sets(node) == ["expanding"]
    with node.database.read() as tx:
        assert count_claims(tx) == 2
    assert not refresh_verdicts(node).is_finished
    assert confidences(node, Tlp.GREEN) == {}, "nothing is judged before the list is whole here"
    make_verdicts(node)
    assert len(confidences(node, Tlp.GREEN)) == 5


def test_names_of_a_set_are_marked_in_bounded_steps(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed(*names(5)))
    make_verdicts(node)
    set_peer(node, peer_of(node, cert.node_id), PeerChanges(trust="member"))
    marked = [work_on_sets(node, lines_at_once=2) for _ in range(4)]
    assert marked == [2, 2, 1, 0]
    assert marks(node) == set(names(5))


@pytest.mark.parametrize("word", [{"kind": "restrict", "tlp": "amber"}, {"kind": "retract"}])
def test_what_is_withdrawn_or_restricted_takes_every_name_with_it(node, word):
    (cert,) = authors(node, 1)
    stix_id = tell_set(node, cert, "green", listed(ONE, TWO))
    make_verdicts(node)
    cert.at = node.now()
    cert.write("green", ids=[stix_id], **word)
    assert cert.deliver(node, "green").error is None
    make_verdicts(node)
    assert confidences(node, Tlp.RED) == {}
    with node.database.read() as tx:
        assert count_claims(tx) == 0, "the names are let go of"


def test_a_set_in_quarantine_claims_nothing_until_a_person_accepts_it(node):
    (stranger,) = authors(node, 1, "known")
    tell_set(node, stranger, "green", listed(ONE))
    make_verdicts(node)
    with node.database.read() as tx:
        assert count_claims(tx) == 0
    decide_waiting(node, QuarantineFilter(), accept=True, everything=True)
    set_peer(node, peer_of(node, stranger.node_id), PeerChanges(trust="trusted"))
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {ONE}


def test_of_a_newer_list_only_the_names_that_differ_are_judged(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed("a.cc", "b.cc", "c.cc"))
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    tell_set(node, cert, "green", listed("b.cc", "c.cc", "d.cc"))
    while state_of_sets(node)[-1] != "expanded":
        refresh_verdicts(node)
    assert marks(node) == {"a.cc", "d.cc"}
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {"b.cc", "c.cc", "d.cc"}
    assert state_of_sets(node) == ["dropped", "expanded"]
    with node.database.read() as tx:
        assert count_claims(tx) == 3


def test_until_the_list_of_a_newer_version_is_here_the_one_before_counts(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed("a.cc"))
    make_verdicts(node)
    clock_of(node).advance(hours=60)
    tell_set(node, cert, "green", listed("b.cc"), held=False)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {"a.cc"}


def test_a_later_version_that_is_no_set_ends_the_names(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed("a.cc"))
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    tell_set(node, cert, "green", listed("a.cc"), extensions=None, held=False)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}


def test_a_suspended_origins_names_go_and_come_back_with_it(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed(ONE, TWO))
    make_verdicts(node)
    suspend_peer(node, peer_of(node, cert.node_id))
    make_verdicts(node)
    assert confidences(node, Tlp.RED) == {}
    resume_peer(node, peer_of(node, cert.node_id))
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {ONE, TWO}


def test_a_changed_trust_is_felt_by_every_name(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed(ONE, TWO))
    make_verdicts(node)
    before = confidences(node, Tlp.GREEN)
    set_peer(node, peer_of(node, cert.node_id), PeerChanges(trust="member"))
    make_verdicts(node)
    assert all(confidences(node, Tlp.GREEN)[name] < before[name] for name in (ONE, TWO))


def test_t38_a_set_with_protected_names_blocks_all_but_these(node):
    one, two = authors(node, 2)
    sealed = listed("google.com", *names(5))
    tell_set(node, one, "green", sealed, 1)
    tell_set(node, two, "green", sealed, 2)
    make_verdicts(node)
    release_waiting(node, "constituents", reason="a test")
    assert blocked(node) == set(names(5))
    assert {row["code"] for row in rows_of(node, "SELECT code FROM alarms")} >= {"PROTECTED_NAME"}


def test_the_protected_names_of_one_set_count_as_one_and_cost_no_trust(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", listed("google.com", "microsoft.com", "debian.org", "apple.com"))
    make_verdicts(node)
    assert rows_of(node, "SELECT trust FROM peers") == [{"trust": 3}]


def test_t38_a_set_with_a_zone_of_this_node_leaves_that_out(node):
    one, two = authors(node, 2)
    add_token(node, "us", "constituent", zones=["our-zone.cc"])
    sealed = listed("www.our-zone.cc", "evil.cc")
    tell_set(node, one, "green", sealed, 1)
    tell_set(node, two, "green", sealed, 2)
    make_verdicts(node)
    release_waiting(node, "constituents", reason="a test")
    assert blocked(node) == {"evil.cc"}


def test_a_list_that_is_none_is_refused_and_claims_nothing(node):
    (cert,) = authors(node, 1)
    sealed = listed(ONE, TWO)
    tell_set(node, cert, "green", sealed, facts={"domain_count": 3})
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}
    assert state_of_sets(node) == ["refused"]
