"""The same code on both databases: the whole way of an object, and what only one would choke on."""

from __future__ import annotations

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from schemas.identifiers import direct_audience, own_stix_id
from schemas.markings import Tlp
from tests.support.databases import postgresql_with_tables
from tests.support.joined_nodes import entry_states, states, sync, view_ids, views
from tests.support.nodes import make_node
from tests.support.publications import (
    LATER,
    Author,
    domain,
    drafts,
    hand_over,
    indicator,
    join,
    note,
    page_of,
    record,
    stix_id,
)
from tests.support.stored_state import check_invariants

ONE = stix_id("indicator", 1)


@pytest.fixture
def node(tmp_path, database_url):
    made = make_node(tmp_path, "receiver", database_url=database_url)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


def test_published_pulled_read_and_withdrawn(tmp_path, node):
    origin = make_node(tmp_path, "origin", database_url=postgresql_with_tables())
    join(node, origin)
    peer = join(origin, node, name="receiver")
    audience = direct_audience(node.node_id)
    values = drafts(indicator(1), note(1, ONE), domain("bücher.example"))
    publish_objects(origin, PublishRequest(values, Tlp.CLEAR))
    publish_objects(origin, PublishRequest(drafts(indicator(2)), Tlp.AMBER, to=(peer,)))
    for feed in ("clear", audience):
        assert [page.error for page in sync(origin, node, feed)] == [None]
    assert {ONE, stix_id("note", 1)} <= view_ids(node, Tlp.CLEAR)
    assert stix_id("indicator", 2) in view_ids(node, Tlp.AMBER)
    withdraw_object(origin, ONE, "false positive")
    sync(origin, node, "clear")
    assert states(node, ONE) == [("withdrawn", None), ("accepted", None)]
    check_invariants(origin)
    origin.database.close()


def test_both_databases_come_to_the_same_views(tmp_path):
    """Not so only for what an author means, but byte for byte and date for date."""
    author = Author(1)
    audience = {}
    seen = []
    for place, url in enumerate(("", postgresql_with_tables())):
        node = make_node(tmp_path, f"n{place}", database_url=url)
        author.meets(node, "trusted")
        rival = Author(2)
        rival.meets(node, "trusted")
        audience[place] = direct_audience(node.node_id)
        if not place:
            value, idn = author.proven(1)
            author.put("clear", value, indicator(2), indicator(3), idn=idn)
            author.put("clear", indicator(2, modified=LATER), domain("x.example"))
            author.put("green", note(1, stix_id("indicator", 3)))
            author.write("clear", kind="restrict", ids=[stix_id("indicator", 3)], tlp="green")
            author.write("clear", kind="retract", ids=[domain("x.example")["id"]])
        rival.put("green", value | {"name": "squatted"})
        rival.deliver(node, "green")
        for feed in ("clear", "green"):
            assert author.deliver(node, feed, after=0).error is None
        own = node.identity
        seen.append(
            {
                label: [(i, v, c, latest) for i, v, _, c, latest, _ in rows if i != own]
                for label, rows in views(node).items()
            }
        )
        check_invariants(node)
        node.database.close()
    assert seen[0] == seen[1]
    assert any(seen[0]["green"])


class TestWhatOneDatabaseWouldChokeOn:
    """Each of these would be a poison pill: a feed that stops for ever at one kind of node."""

    def goes_on(self, node, a):
        a.put("clear", indicator(99))
        received = a.deliver(node, "clear")
        assert received.error is None
        assert stix_id("indicator", 99) in view_ids(node, Tlp.CLEAR)

    def test_a_kind_with_a_nul(self, node, a):
        a.write("clear", kind="te\0leport")
        self.goes_on(node, a)
        assert entry_states(node, a.feed("clear").name)[0][1:] == ("rejected", "E_SCHEMA")

    def test_a_proof_with_a_nul(self, node, a):
        name = "zero\0and-eleven-more"
        value = indicator(1, id=own_stix_id(a.node_id, "indicator", name))
        a.put("clear", value, idn={value["id"]: name})
        self.goes_on(node, a)

    def test_a_name_with_a_nul(self, node, a):
        a.put("clear", indicator(1, pattern="[domain-name:value = 'a\0b']"))
        self.goes_on(node, a)

    def test_a_name_too_long_for_an_index(self, node, a):
        a.put("clear", indicator(1, pattern=f"[domain-name:value = '{'a' * 3_900}']"))
        self.goes_on(node, a)

    def test_text_with_a_nul_anywhere(self, node, a):
        a.put("clear", indicator(1, name="zero\0", description="\0", labels=["\0"]))
        a.write("clear", kind="retract", ids=[ONE], reason="zero\0")
        self.goes_on(node, a)

    def test_t14_a_seq_beyond_32_bits(self, node, a):
        feed = a.feed("clear").name
        far = record(feed, 2**53 - 1, a.entry("clear", seq=2**53 - 1))
        assert hand_over(node, feed, page_of([far]), a).error.code == "E_GAP"
        self.goes_on(node, a)

    def test_the_earliest_and_the_latest_instants(self, node, a):
        a.put(
            "clear",
            indicator(1, created="0001-01-01T00:00:00.000Z", modified="0001-01-01T00:00:00.000Z"),
            indicator(2, valid_from=LATER, valid_until="9999-12-31T23:59:59.999Z"),
        )
        self.goes_on(node, a)
