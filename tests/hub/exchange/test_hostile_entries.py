"""What a peer may not do to this node with entries that it signs itself."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.peers import update_peer
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import states, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, hand_over, indicator, page_of, stix_id
from tests.support.signed_nodes import record_of
from tests.support.stored_state import check_invariants, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock)
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


@contextmanager
def statements_of(node):
    """The SELECT statements of a node while the block runs."""
    found = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.startswith("SELECT"):
            found.append(statement)

    event.listen(node.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(node.database.engine, "before_cursor_execute", note)


def limit(node, author, number):
    with node.database.write() as tx:
        update_peer(tx, author.node_id, daily_limit=number)


class TestLimits:
    def test_t36_entries_without_objects_count_against_the_daily_limit(self, node, a, clock):
        limit(node, a, 3)
        for _ in range(5):
            a.write("clear")
        received = a.deliver(node, "clear")
        assert (received.entries, received.error.code) == (3, "E_QUOTA")
        clock.advance(days=1)
        assert a.deliver(node, "clear").error is None

    def test_t36_rejected_entries_count_by_their_size(self, node, a):
        limit(node, a, 100)
        for _ in range(5):
            a.write("clear", kind="teleport", padding="x" * 200_000)
        received = a.deliver(node, "clear")
        assert (received.rejected, received.error.code) == (2, "E_QUOTA")

    def test_t36_origins_that_are_no_peers_share_the_limit_of_who_brings_them(self, node):
        relay = Author(2)
        relay.meets(node, "trusted", daily_limit=4)
        brought = 0
        for number in (3, 4, 5):
            origin = Author(number)
            origin.is_known_to(node)
            origin.put("clear", indicator(number * 10), indicator(number * 10 + 1))
            head = relay.relay_head(origin, "clear")
            brought += origin.deliver(node, "clear", sender=relay, relay_head=head).entries
        assert brought == 2

    def test_a_peer_that_relays_another_peer_pays_nothing(self, node, a):
        relay = Author(2)
        relay.meets(node, "trusted", daily_limit=1)
        a.put("clear", indicator(1), indicator(2))
        a.put("clear", indicator(3))
        head = relay.relay_head(a, "clear")
        assert a.deliver(node, "clear", sender=relay, relay_head=head).error is None

    def test_t36_a_feed_without_an_entry_leaves_no_trace(self, node, a):
        page = page_of([{"seq": 1, "dsse": {}}])
        for epoch in range(2, 6):
            received = hand_over(node, FeedName(a.node_id, "clear", epoch), page, a)
            assert received.error is not None
        with node.database.read() as tx:
            assert list_feeds(tx, own=False) == ()

    def test_t36_a_seq_named_a_hundred_thousand_times_is_erased_once(self, node, a):
        a.put("clear", indicator(1))
        a.put("clear", indicator(2))
        a.write("clear", kind="erase", seqs=[2] * 100_000)
        received = a.deliver(node, "clear")
        assert (received.entries, received.rejected, received.error) == (3, 0, None)
        assert states(node, stix_id("indicator", 2)) == [("erased", None)]

    @pytest.mark.parametrize("kind", ["restrict", "retract"])
    def test_t36_a_page_of_long_lists_is_not_read_again_for_each_of_them(self, node, a, kind):
        asked = []
        for entries in (2, 6):
            for n in range(entries):
                ids = [stix_id("indicator", (entries << 16) + n * 600 + i) for i in range(600)]
                more = {"tlp": "amber"} if kind == "restrict" else {}
                a.write("clear", kind=kind, ids=ids, **more)
            with statements_of(node) as statements:
                assert a.deliver(node, "clear").entries == entries
            asked.append(len(statements))
        assert asked[1] < 4 * asked[0]

    def test_t36_versions_by_others_are_not_loaded_for_who_only_refers(self, node, a):
        # The rival claims the id in many large versions; who mentions it must not pay for that.
        rival = Author(3)
        rival.meets(node, "partner")
        for minute in range(3):
            at = f"2026-03-01T09:0{minute}:00.000Z"
            value = indicator(7, modified=at, description="x" * 50_000)
            rival.put("clear", value | {"created": "2026-03-01T09:00:00.000Z"})
        assert rival.deliver(node, "clear").error is None
        a.put("clear", indicator(1, description=f"not {stix_id('indicator', 7)}"))
        with statements_of(node) as statements:
            a.deliver(node, "clear")
        assert not [text for text in statements if "objects.content" in text.partition("FROM")[0]]


class TestTheEndOfTime:
    def test_an_entry_of_the_year_9999_is_from_the_future_and_nothing_worse(self, node):
        author = Author(4)
        end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        keys = [record_of(author.owner.entry, "entry", naf=end)]
        author.document = author.owner.document(expires=end, keys=keys)
        author.meets(node, "trusted")
        author.put("clear", indicator(1), ts="9999-12-31T23:30:00.000Z")
        assert author.deliver(node, "clear").error.code == "E_FUTURE"


class TestExercises:
    """Leak class 14: what is only an exercise ends nothing that is real."""

    def test_an_exercise_withdraws_nothing_real(self, node, a):
        a.put("clear", indicator(1))
        policy = {"tlp": "clear", "relay": "public", "exercise": True}
        a.write("clear", kind="retract", ids=[stix_id("indicator", 1)], policy=policy)
        a.deliver(node, "clear")
        assert stix_id("indicator", 1) in view_ids(node, Tlp.CLEAR)
        check_invariants(node)

    def test_an_exercise_restricts_nothing_real(self, node, a):
        a.put("clear", indicator(1))
        policy = {"tlp": "clear", "relay": "public", "exercise": True}
        members = {"ids": [stix_id("indicator", 1)], "tlp": "amber"}
        a.write("clear", kind="restrict", policy=policy, **members)
        a.deliver(node, "clear")
        assert stix_id("indicator", 1) in view_ids(node, Tlp.CLEAR)

    def test_an_exercise_withdraws_an_exercise(self, node, a):
        policy = {"tlp": "clear", "relay": "public", "exercise": True}
        a.put("clear", indicator(1), policy={"exercise": True})
        a.write("clear", kind="retract", ids=[stix_id("indicator", 1)], policy=policy)
        a.deliver(node, "clear")
        assert [state for state, _ in states(node, stix_id("indicator", 1))] == ["withdrawn"]


class TestErasing:
    def test_what_is_erased_on_the_page_that_brought_it_keeps_no_bytes(self, node, a):
        a.put("clear", indicator(1))
        a.put("clear", indicator(2))
        a.write("clear", kind="erase", seqs=[2])
        assert a.deliver(node, "clear").error is None
        kept = rows_of(
            node,
            "SELECT record FROM entries JOIN feeds USING (feed_row) WHERE NOT own ORDER BY seq",
        )
        assert [b'"dsse":null' in bytes(row["record"]) for row in kept] == [False, True, False]
