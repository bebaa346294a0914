"""A view shows nothing that refers to what it does not show (PROTOCOL 3.4, THREATS 2.11)."""

from __future__ import annotations

import pytest

from hub.exchange.closed_views import Closing
from hub.exchange.collection_kinds import ORIGINALS_ID
from hub.exchange.erase import erase_everywhere, erase_here
from hub.exchange.object_rows import draft_row
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import Audience, restrict_object
from hub.exchange.widen import widen_object
from hub.exchange.withdraw import withdraw_object
from hub.storage.queries.views import ViewRow
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, sync, view_ids, view_rows
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import (
    LATER,
    Author,
    domain,
    drafts,
    indicator,
    join,
    note,
    relationship,
    stix_id,
)
from tests.support.stored_state import check_invariants, rows_of

ONE, TWO = stix_id("indicator", 1), stix_id("indicator", 2)
ABOUT_ONE, ABOUT_THAT = stix_id("note", 1), stix_id("note", 2)
WHY = "personal data"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    publish(made, indicator(9))  # the first entry of a feed cannot be erased
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def b(tmp_path, clock, a):
    made = make_node(tmp_path, "b", clock)
    join(made, a)
    join(a, made)
    yield made
    check_invariants(made)
    made.database.close()


def publish(node, *values, tlp=Tlp.GREEN, to=()):
    outcome = publish_objects(node, PublishRequest(drafts(*values), tlp, to=tuple(to)))
    assert not outcome.refused


def entry_with(node, feed, stix_id):
    """The hash of the entry of a feed that carries an object."""
    rows = rows_of(
        node,
        "SELECT hash, feed FROM carried JOIN objects USING (object_row)"
        " JOIN entries USING (feed_row, seq) JOIN feeds USING (feed_row)"
        f" WHERE stix_id = '{stix_id}'",
    )
    return next(row["hash"] for row in rows if row["feed"] == str(feed))


def green_of(node):
    return FeedName(node.node_id, "green")


@pytest.mark.usefixtures("noted")
class TestErasedHere:
    """What a node erased by law at itself alone is gone, and what refers to it with it."""

    @pytest.fixture
    def noted(self, a, b):
        publish(a, indicator(1))
        publish(a, note(1, ONE))
        publish(a, note(2, ABOUT_ONE))
        sync(a, b, "green")
        assert {ONE, ABOUT_ONE, ABOUT_THAT} <= view_ids(b, Tlp.GREEN)

    def test_what_refers_to_it_leaves_every_view_over_all_steps(self, a, b):
        erase_here(b, entry_with(b, green_of(a), ONE), WHY)
        assert view_ids(b, Tlp.GREEN).isdisjoint({ONE, ABOUT_ONE, ABOUT_THAT})
        assert view_ids(b, Tlp.AMBER).isdisjoint({ONE, ABOUT_ONE, ABOUT_THAT})

    def test_what_refers_to_something_else_stays_where_it_is(self, a, b):
        publish(a, indicator(2), note(3, TWO))
        sync(a, b, "green")
        before = {row["stix_id"]: row["date_added"] for row in view_rows(b, Tlp.GREEN)}
        erase_here(b, entry_with(b, green_of(a), ONE), WHY)
        after = {row["stix_id"]: row["date_added"] for row in view_rows(b, Tlp.GREEN)}
        gone = {ONE, ABOUT_ONE, ABOUT_THAT}
        assert after == {k: at for k, at in before.items() if k not in gone}

    def test_nothing_that_tells_of_it_is_left_of_its_references(self, a, b):
        publish(a, indicator(2), note(3, TWO, ONE))
        sync(a, b, "green")
        erase_here(b, entry_with(b, green_of(a), stix_id("note", 3)), WHY)
        erase_here(b, entry_with(b, green_of(a), ABOUT_ONE), WHY)
        refs = rows_of(b, "SELECT stix_id FROM object_references")
        assert {row["stix_id"] for row in refs} == {ABOUT_ONE}

    def test_a_new_reference_to_it_is_kept_and_shown_to_nobody(self, a, b):
        erase_here(b, entry_with(b, green_of(a), ONE), WHY)
        publish(a, note(4, ONE))
        sync(a, b, "green")
        assert stix_id("note", 4) not in view_ids(b, Tlp.GREEN)

    def test_at_its_origin_nothing_has_changed(self, a, b):
        erase_here(b, entry_with(b, green_of(a), ONE), WHY)
        assert {ONE, ABOUT_ONE, ABOUT_THAT} <= view_ids(a, Tlp.GREEN)


class TestRestricted:
    def test_what_refers_to_it_leaves_the_wider_views_alone(self, a, b):
        """The narrow version resolves it for those who may read that."""
        publish(a, indicator(1), note(1, ONE))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER, Audience((peer_of(a, b),)))
        sync(a, b, "green")
        sync(a, b, direct(b))
        for node in (a, b):
            assert view_ids(node, Tlp.GREEN).isdisjoint({ONE, ABOUT_ONE})
            assert {ONE, ABOUT_ONE} <= view_ids(node, Tlp.AMBER)

    def test_it_is_out_of_every_view_where_nobody_is_named(self, a, b):
        publish(a, indicator(1), note(1, ONE))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        for node in (a, b):
            for ceiling in Tlp:
                assert view_ids(node, ceiling).isdisjoint({ONE, ABOUT_ONE})

    def test_it_comes_back_when_the_object_is_widened_again(self, a, b, clock):
        publish(a, indicator(1))
        publish(a, note(1, ONE), note(2, ABOUT_ONE))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        clock.advance(seconds=1)
        widen_object(a, ONE, Tlp.GREEN)
        sync(a, b, "green")
        for node in (a, b):
            assert {ONE, ABOUT_ONE, ABOUT_THAT} <= view_ids(node, Tlp.GREEN)
            assert not rows_of(node, "SELECT * FROM object_references WHERE waits")


class TestInOneEntry:
    """What came along is found by its number, and else by its id."""

    @pytest.fixture(autouse=True)
    def noted(self, a, b):
        publish(a, indicator(1), note(1, ONE))
        sync(a, b, "green")
        publish(a, note(2, ABOUT_ONE))
        sync(a, b, "green")

    @pytest.mark.parametrize("node", ["a", "b"])
    def test_its_number_is_noted(self, request, node):
        refs = rows_of(
            request.getfixturevalue(node),
            "SELECT r.stix_id, t.stix_id AS target FROM object_references r"
            " LEFT JOIN objects t ON t.object_row = r.target_row",
        )
        found = {row["stix_id"]: row["target"] for row in refs}
        assert found == {ONE: ONE, ABOUT_ONE: None}

    def test_what_refers_to_it_leaves_with_it_over_all_steps(self, a, b):
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        for node in (a, b):
            assert view_ids(node, Tlp.GREEN).isdisjoint({ONE, ABOUT_ONE, ABOUT_THAT})

    def test_another_version_is_meant_as_well(self, a, b, clock):
        """The number is the first version's, and the id is what counts."""
        clock.advance(seconds=1)
        publish(a, indicator(1, name="again", modified=LATER))
        sync(a, b, "green")
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        for node in (a, b):
            assert view_ids(node, Tlp.GREEN).isdisjoint({ONE, ABOUT_ONE, ABOUT_THAT})


class TestWithdrawn:
    def test_a_last_version_resolves_what_refers_to_it(self, a, b, clock):
        publish(a, indicator(1), note(1, ONE))
        sync(a, b, "green")
        dates = [view_rows(node, Tlp.GREEN) for node in (a, b)]
        clock.advance(seconds=1)
        withdraw_object(a, ONE, WHY)
        sync(a, b, "green")
        for node, rows in zip((a, b), dates, strict=True):
            now = {row["stix_id"]: row["date_added"] for row in view_rows(node, Tlp.GREEN)}
            was = {row["stix_id"]: row["date_added"] for row in rows}
            assert now[ABOUT_ONE] == was[ABOUT_ONE]

    def test_what_has_no_versions_takes_what_refers_to_it_along(self, a, b):
        seen = domain("one.example")
        publish(a, indicator(1), seen, relationship(1, ONE, seen["id"]))
        sync(a, b, "green")
        assert stix_id("relationship", 1) in view_ids(b, Tlp.GREEN)
        withdraw_object(a, seen["id"], WHY)
        sync(a, b, "green")
        for node in (a, b):
            assert ONE in view_ids(node, Tlp.GREEN)
            assert stix_id("relationship", 1) not in view_ids(node, Tlp.GREEN)


class TestErasedEverywhere:
    def test_what_refers_to_it_from_another_entry_leaves_with_it(self, a, b):
        publish(a, indicator(1))
        publish(a, note(1, ONE))
        sync(a, b, "green")
        erase_everywhere(a, entry_with(a, green_of(a), ONE), WHY)
        sync(a, b, "green")
        for node in (a, b):
            assert view_ids(node, Tlp.GREEN).isdisjoint({ONE, ABOUT_ONE})


class TestCircles:
    """Objects that refer to each other stand in a view together or not at all."""

    @pytest.fixture
    def author(self, b):
        made = Author(1)
        made.meets(b, "trusted")
        return made

    def test_they_come_together(self, b, author):
        author.put("green", note(1, ABOUT_THAT), note(2, ABOUT_ONE))
        author.deliver(b, "green")
        assert {ABOUT_ONE, ABOUT_THAT} <= view_ids(b, Tlp.GREEN)

    def test_they_go_together(self, b, author):
        author.put("clear", indicator(9))
        erased = author.put("clear", indicator(1))
        author.put("clear", note(1, ABOUT_THAT), note(2, ABOUT_ONE, ONE))
        author.deliver(b, "clear")
        assert {ABOUT_ONE, ABOUT_THAT} <= view_ids(b, Tlp.CLEAR)
        erase_here(b, erased, WHY)
        assert view_ids(b, Tlp.CLEAR).isdisjoint({ONE, ABOUT_ONE, ABOUT_THAT})

    def test_a_stranger_who_claims_the_id_resolves_it(self, b, author):
        """Whoever reads the view finds an object of that id, whoever wrote it."""
        author.put("clear", indicator(9))
        erased = author.put("clear", indicator(1))
        author.put("clear", note(1, ONE))
        other = Author(2)
        other.meets(b, "trusted")
        other.put("clear", indicator(1, name="another's"))
        author.deliver(b, "clear")
        other.deliver(b, "clear")
        erase_here(b, erased, WHY)
        rival_shown = ONE in view_ids(b, Tlp.CLEAR)
        assert (ABOUT_ONE in view_ids(b, Tlp.CLEAR)) is rival_shown


class TestChains:
    """What one object takes along may be as long as a page."""

    def close(self, *values, standing=()):
        rows = [
            draft_row(value, origin="x", now=FixedClock().now(), object_row=number)
            for number, value in enumerate(values)
        ]
        refs = {number: frozenset(value["object_refs"]) for number, value in enumerate(values)}
        view = ViewRow(1, ORIGINALS_ID, int(Tlp.GREEN), "", 0, 0)
        closing = Closing(None, refs, _standing={1: set(standing)})
        return [row.object_row for row in closing.close(view, rows)]

    def test_each_link_of_a_chain_is_looked_at_once(self):
        # Looked at link by link from its beginning, this one would take minutes.
        links = [note(n, stix_id("note", n - 1)) for n in range(1, 20_000)]
        assert self.close(*links) == []
        assert len(self.close(*links, standing=[stix_id("note", 0)])) == len(links)

    def test_an_id_resolves_as_long_as_one_version_of_it_stays(self):
        lost = note(1, ONE)
        kept = note(1, modified=LATER)
        about = note(2, ABOUT_ONE)
        assert self.close(lost, kept, about) == [1, 2]
        assert self.close(lost, lost, about) == []
