"""Domain sets of peers that mean ill: what they may cost, and what a person's word covers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.exports.export_key import ExportKey
from hub.exports.publication import render_export
from hub.node import Node
from hub.peers.posted_blobs import Place, accept_bytes
from hub.storage.queries.claims import count_claims
from hub.verdicts.blocklist import blocked_names, release_waiting
from schemas.dns.domain_sets import digest_of
from schemas.markings import Tlp
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.exported import exported_lines
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import rows_of
from tests.support.told_claims import authors, clock_of, confidences, make_verdicts
from tests.support.told_sets import adopt, hold, listed, names, set_of, tell_set


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", FixedClock())
    yield made
    made.database.close()


def blocked(node: Node) -> dict[str, str]:
    with node.database.read() as tx:
        return {b.name: b.match_scope for b in blocked_names(tx, node, "organisation")}


def test_t38_what_a_person_adopted_as_names_is_not_adopted_as_all_below_them(node):
    (cert,) = authors(node, 1)
    sealed = listed("one.cc", "two.cc")
    tell_set(node, cert, "green", sealed)
    adopt(node, sealed)
    make_verdicts(node)
    release_waiting(node, "organisation", reason="test")
    assert blocked(node) == {"one.cc": "exact", "two.cc": "exact"}
    clock_of(node).advance(hours=1)
    tell_set(node, cert, "green", sealed, facts={"match_scope": "subtree"})
    make_verdicts(node)
    release_waiting(node, "organisation", reason="test")
    assert "subtree" not in blocked(node).values()


def test_t36_one_list_named_by_many_sets_costs_no_more_than_a_days_names(node):
    (cert,) = authors(node, 1, trust="trusted")
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET daily_limit = 60")
    sealed = listed(*names(500))
    for number in range(1, 8):
        tell_set(node, cert, "green", sealed, number)
    make_verdicts(node)
    with node.database.read() as tx:
        assert count_claims(tx) <= 60 * 20 + 500


def test_t46_a_poster_is_not_told_that_another_gave_the_same_list(node):
    author, liar = authors(node, 2)
    sealed = listed(*names(50))
    tell_set(node, author, "amber", sealed, 1)
    tell_set(node, liar, "green", sealed, 2)
    with node.database.read() as tx:
        from hub.storage.queries.peers import find_peer
        peer = find_peer(tx, liar.node_id)
    assert accept_bytes(node, peer, sealed.sha256, Place(0, len(sealed.data)), b"x") == 1


def test_t46_who_knows_a_digest_alone_cannot_have_its_names_shown_at_a_laxer_label(node):
    author, liar = authors(node, 2)
    sealed = listed("secret.cc")
    tell_set(node, author, "amber", sealed, 1)
    tell_set(node, liar, "green", sealed, 2)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}


def test_what_became_stricter_leaves_a_laxer_audience_though_the_export_jumps(node):
    some = [f"n{number:04}.example" for number in range(200)]
    ask_for_blocks(node, some, Tlp.GREEN)
    key = ExportKey("names", "constituents")
    assert render_export(node, key).names == 200
    withdraw_verdicts(node, some[:150], Tlp.GREEN)
    ask_for_blocks(node, some[:150], Tlp.AMBER)
    assert set(exported_lines(node, "constituents")) == set(some[150:])


def test_a_restricted_set_leaves_a_laxer_audience_though_the_export_jumps(node):
    cert, other = authors(node, 2)
    sealed = listed(*names(150))
    stix_id = tell_set(node, cert, "green", sealed, 1)
    tell_set(node, other, "green", sealed, 2)
    make_verdicts(node)
    assert len(exported_lines(node, "constituents")) == 150
    ask_for_blocks(node, ["other.example"])
    cert.at = node.now()
    cert.write("green", kind="restrict", ids=[stix_id], tlp="amber", stop_relay=False)
    assert cert.deliver(node, "green").error is None
    make_verdicts(node)
    assert exported_lines(node, "constituents") == ("other.example",)
