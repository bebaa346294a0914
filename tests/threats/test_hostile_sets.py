"""Domain sets of peers that mean ill: what they may cost, and what a person's word covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from federation.errors import ChainBroken, SignatureRejected
from hub.errors import Conflict, NotFound
from hub.exchange.serve_blobs import serve_blob
from hub.exports.export_key import ExportKey
from hub.exports.publication import render_export
from hub.node import Node
from hub.peers.posted_blobs import Place, accept_bytes
from hub.peers.wanted_blobs import BLOB, plan_blobs
from hub.storage.queries.claims import count_claims
from hub.storage.queries.feeds import find_feed, update_feed
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.peers import find_peer
from hub.verdicts.blocklist import blocked_names, release_waiting
from hub.verdicts.guards import load_guards
from schemas.dns.domain_sets import SealedList, digest_of
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.blobs import noise
from tests.support.exported import exported_lines
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author
from tests.support.stored_state import rows_of
from tests.support.told_claims import authors, clock_of, confidences, make_verdicts
from tests.support.told_sets import adopt, listed, names, tell_set


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


def test_t36_what_waits_for_another_day_goes_on_then_and_others_do_not_wait(node):
    greedy, modest = authors(node, 2)
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET daily_limit = 10")
    for number in range(1, 4):
        tell_set(node, greedy, "green", listed(*names(300, f"g{number}.example")), number)
    tell_set(node, modest, "green", listed("other.cc"), 9)
    make_verdicts(node)
    states = "SELECT state, code FROM domain_sets ORDER BY object_row"
    assert [tuple(row.values()) for row in rows_of(node, states)] == [
        ("expanded", None),
        ("held", "E_SET_QUOTA"),
        ("held", "E_SET_QUOTA"),
        ("expanded", None),
    ]
    plan_blobs(node)
    make_verdicts(node)
    assert len(confidences(node, Tlp.GREEN)) == 301
    clock_of(node).advance(hours=24)
    plan_blobs(node)
    make_verdicts(node)
    assert len(confidences(node, Tlp.GREEN)) == 601


def test_t38_no_server_of_a_large_operator_of_zones_is_a_rogue_one(node):
    with node.database.read() as tx:
        guards = load_guards(tx, node)
    for server in ("ns-1234.awsdns-22.org", "ns-7.awsdns-00.co.uk", "dns1.registrar-servers.com"):
        grades = {hit.grade for hit in guards.hits(f"nsdname:{server}", "exact")}
        assert "refuse" in grades, server


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


def post(node: Node, author: Author, sealed: SealedList, body: bytes, start: int = 0) -> int:
    with node.database.read() as tx:
        peer = find_peer(tx, author.node_id)
    assert peer is not None
    return accept_bytes(node, peer, sealed.sha256, Place(start, len(sealed.data)), body)


def test_t46_a_poster_is_not_told_that_another_gave_the_same_list(node):
    author, liar = authors(node, 2)
    sealed, unknown = listed(*names(50)), listed(*names(60))
    tell_set(node, author, "amber", sealed, 1)
    tell_set(node, liar, "green", sealed, 2, held=False)
    tell_set(node, liar, "green", unknown, 3, held=False)
    for each in (sealed, unknown):
        assert post(node, liar, each, b"x") == 1
        with pytest.raises(ChainBroken) as gap:
            post(node, liar, each, b"x", start=9)
        assert gap.value.params == {"expected": 1}
        with pytest.raises(SignatureRejected):
            post(node, liar, each, b"x" * (len(each.data) - 1), start=1)
        assert post(node, liar, each, each.data) == len(each.data)


def test_t46_who_knows_a_digest_alone_cannot_have_its_names_shown_at_a_laxer_label(node):
    author, liar = authors(node, 2)
    sealed = listed("secret.cc")
    tell_set(node, author, "amber", sealed, 1)
    tell_set(node, liar, "green", sealed, 2, held=False)
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}
    assert post(node, liar, sealed, sealed.data) == len(sealed.data)  # now it has shown it
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == {"secret.cc"}


def test_t46_who_knows_a_digest_alone_is_not_served_the_bytes(node):
    author, liar = authors(node, 2)
    sealed = listed("secret.cc")
    tell_set(node, author, "amber", sealed, 1)
    tell_set(node, liar, "green", sealed, 2, held=False)
    with node.database.write() as tx:
        peer, feed = find_peer(tx, liar.node_id), find_feed(tx, FeedName(liar.node_id, "green"))
        assert feed is not None
        update_feed(tx, feed.feed_row, head=b"{}", head_seq=1, head_ts=node.now())  # so: relayed
    assert peer is not None
    with pytest.raises(NotFound):
        serve_blob(node, peer, sealed.sha256)
    assert post(node, liar, sealed, sealed.data) == len(sealed.data)
    assert serve_blob(node, peer, sealed.sha256).size == len(sealed.data)


def test_t46_who_names_a_digest_is_asked_for_it_as_if_it_were_not_here(node):
    author, liar = authors(node, 2)
    sealed, unknown = listed(*names(50)), listed(*names(60))
    tell_set(node, author, "amber", sealed, 1)
    for number, each in enumerate((sealed, unknown), 2):
        tell_set(node, liar, "green", each, number, held=False)
    plan_blobs(node)
    with node.database.read() as tx:
        assert {each.sha256 for each in (sealed, unknown)} == subjects_with_job(tx, BLOB)


def test_t36_one_origin_fills_a_quarter_of_the_store_and_others_go_on(node):
    greedy, modest = authors(node, 2)
    small = replace(node, settings=node.settings.model_copy(update={"blob_store_mib": 1}))
    large, more, little = (
        SealedList(data, digest_of(data), 2, dated=False)
        for data in (noise(200_000), noise(100_000, 2), noise(100_000, 3))
    )
    tell_set(small, greedy, "green", large, 1, held=False)
    tell_set(small, greedy, "green", more, 2, held=False)
    tell_set(small, modest, "green", little, 3, held=False)
    assert post(small, greedy, large, large.data) == 200_000
    with pytest.raises(Conflict) as refused:
        post(small, greedy, more, more.data)
    assert refused.value.code == "E_BLOB_STORE"
    assert post(small, modest, little, little.data) == 100_000


def test_t36_nobody_spoils_anothers_list_by_posting_into_it(node):
    author, liar = authors(node, 2)
    sealed = listed(*names(50))
    tell_set(node, author, "green", sealed, 1, held=False)
    tell_set(node, liar, "green", sealed, 2, held=False)
    assert post(node, author, sealed, sealed.data[:20]) == 20
    assert post(node, liar, sealed, b"x") == 1
    assert post(node, author, sealed, sealed.data[20:], start=20) == len(sealed.data)
    make_verdicts(node)
    assert len(confidences(node, Tlp.GREEN)) == 50
