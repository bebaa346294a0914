"""Queries mean the same on SQLite and PostgreSQL: types, order, bytes, long lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from hub.exchange.collections import ORIGINALS_ID, ensure_builtin_collections
from hub.storage.queries import collections, erasures, feeds, objects, peers, views
from hub.storage.queries.audit import store_event
from hub.storage.queries.nodes import StoredDocument, documents_of, store_document
from hub.storage.queries.objects import ObjectRow
from hub.storage.tables.objects import VIEW_ROWS
from schemas.identifiers import EntryHash, FeedName, NodeId, StixId
from tests.support.publications import stix_id

NOW = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
A, B = NodeId("a" * 52), NodeId("b" * 52)
FEED = FeedName(A, "green")


def row(number, origin=A, **changes):
    values = {
        "object_row": number,
        "origin": origin,
        "stix_id": StixId(stix_id("indicator", number)),
        "stix_type": "indicator",
        "spec_version": "2.1",
        "version": f"v{number}",
        "version_at": NOW + timedelta(microseconds=number),
        "tlp": 1,
        "machine": False,
        "exercise": False,
        "strength": 1,
        "state": "accepted",
        "code": None,
        "revoked": False,
        "idn": None,
        "name_key": None,
        "published_at": NOW,
        "received_at": NOW,
    }
    return ObjectRow(**values | changes)


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


class TestFeeds:
    def test_a_feed_comes_back_as_it_was_stored(self, tx):
        created = feeds.create_feed(tx, FEED, own=True)
        assert feeds.find_feed(tx, FEED) == created
        assert feeds.find_feed_of_collection(tx, FEED.collection_id) == created
        assert created.name == FEED
        assert feeds.find_feed(tx, FeedName(B, "green")) is None

    def test_changes_and_instants(self, tx):
        created = feeds.create_feed(tx, FEED, own=False)
        feeds.update_feed(tx, created.feed_row, head=b"\0\xff", head_ts=NOW, relay="community")
        assert feeds.find_feed(tx, FEED) == replace(
            created, head=b"\0\xff", head_ts=NOW, relay="community"
        )

    def test_entries_ascend_from_a_seq(self, tx):
        feed_row = feeds.create_feed(tx, FEED, own=False).feed_row
        entry = feeds.EntryRow(
            feed_row, 1, EntryHash("0" * 64), "put", 1, "stored", None, False, NOW, b"{}", A, NOW
        )
        rows = [replace(entry, seq=n, hash=EntryHash(f"{n:064x}")) for n in (3, 1, 2)]
        feeds.store_entries(tx, rows)
        assert [seq for seq, _, _ in feeds.records_after(tx, feed_row, 1, 10)] == [2, 3]
        assert len(feeds.records_after(tx, feed_row, 0, 2)) == 2
        assert feeds.find_entry(tx, feed_row, 3) == rows[0]
        assert feeds.find_entry_of_hash(tx, EntryHash(f"{2:064x}")) == rows[2]
        assert feeds.entry_hashes(tx, feed_row, [1, 2, 2**53 - 1]).keys() == {1, 2}
        erasures.blank_entry(tx, feed_row, 2)
        assert feeds.records_after(tx, feed_row, 1, 1)[0][2] == b""


class TestObjects:
    def test_a_version_comes_back_as_it_was_stored(self, tx):
        first = objects.claim_object_rows(tx, 2)
        stored = [row(first, idn="n", visible_at=NOW), row(first + 1, origin=B, version_at=None)]
        objects.store_objects(tx, [(item, b"\xc3\xbc\0") for item in stored])
        assert objects.claims_of(tx, [stored[0].stix_id]) == {stored[0].stix_id: [stored[0]]}
        assert objects.list_objects(tx) == tuple(stored)
        assert objects.contents_of(tx, [first]) == {first: b"\xc3\xbc\0"}
        assert objects.claim_object_rows(tx, 1) == first + 2

    def test_claims_come_oldest_version_first_whatever_arrived_first(self, tx):
        ids = {"stix_id": stix_id("indicator", 1)}
        for number, after in ((1, 30), (2, 10), (3, 20)):
            version = {"version": str(after), "version_at": NOW + timedelta(seconds=after)}
            objects.store_objects(tx, [(row(number, **ids, **version), b"{}")])
        found = objects.claims_of(tx, [ids["stix_id"]])[ids["stix_id"]]
        assert [item.version for item in found] == ["10", "20", "30"]
        assert found == sorted(found, key=objects.by_version)

    def test_more_ids_than_one_statement_takes(self, tx):
        rows = [row(number) for number in range(1, 1_203)]
        objects.store_objects(tx, [(item, b"{}") for item in rows])
        numbers = [item.object_row for item in rows]
        assert len(objects.claims_of(tx, [item.stix_id for item in rows])) == 1_202
        assert len(objects.contents_of(tx, numbers)) == 1_202
        objects.update_objects(tx, numbers, state="withdrawn")
        assert objects.count_by_state(tx) == {"withdrawn": 1_202}

    def test_of_many_ids_only_those_that_are_held_have_claims(self, tx):
        objects.store_objects(tx, [(row(number), b"{}") for number in (3, 700)])
        asked = [stix_id("indicator", number) for number in range(1, 1_203)]
        found = objects.claims_of(tx, asked)
        assert {i: [r.object_row for r in rows] for i, rows in found.items()} == {
            stix_id("indicator", 3): [3],
            stix_id("indicator", 700): [700],
        }

    def test_names_are_found_that_are_live(self, tx):
        stored = [
            row(1, name_key="x.example"),
            row(2, name_key="x.example", state="withdrawn"),
            row(3, name_key="x.example", revoked=True),
            row(4, name_key="x.example", origin=B),
        ]
        objects.store_objects(tx, [(item, b"{}") for item in stored])
        assert objects.live_names(tx, A, ["x.example", "y.example"]) == {"x.example": [stored[0]]}

    def test_what_carried_an_object(self, tx):
        feed_row = feeds.create_feed(tx, FEED, own=False).feed_row
        entry = feeds.EntryRow(
            feed_row, 1, EntryHash("1" * 64), "put", 1, "stored", None, False, NOW, b"{}", A, NOW
        )
        feeds.store_entries(tx, [entry, replace(entry, seq=2, hash=EntryHash("2" * 64))])
        objects.store_objects(tx, [(row(1), b"{}"), (row(2), b"{}")])
        objects.store_carried(tx, [(feed_row, 1, 1), (feed_row, 2, 1), (feed_row, 2, 2)])
        assert [c.seq for c in objects.carriages_of(tx, [1])] == [1, 2]
        assert objects.carriages_of(tx, [1])[0].feed == str(FEED)
        assert {r.object_row for r in objects.carried_by(tx, feed_row, [2])} == {1, 2}
        objects.drop_carried(tx, feed_row, [2])
        assert [c.seq for c in objects.carriages_of(tx, [1, 2])] == [1]

    def test_a_version_in_the_place_of_another(self, tx):
        objects.store_objects(tx, [(row(1, state="erased"), b"")])
        objects.replace_object(tx, row(1), b"{}")
        assert objects.list_objects(tx) == (row(1),)
        assert objects.contents_of(tx, [1]) == {1: b"{}"}


class TestViews:
    @pytest.fixture
    def view(self, tx):
        ensure_builtin_collections(tx, NOW)
        return views.views_of(tx, ORIGINALS_ID)[0]

    def test_five_views_a_collection(self, tx, view):
        assert [v.ceiling for v in views.views_of(tx, ORIGINALS_ID)] == [0, 1, 2, 3, 4]
        assert views.find_view(tx, ORIGINALS_ID, 0) == view
        assert views.find_view(tx, ORIGINALS_ID, 0, "token:x") is None

    def test_dates_go_on_from_commit_to_commit(self, tx, view):
        objects.store_objects(tx, [(row(n), b"{}") for n in range(1, 41)])
        first = views.add_rows(tx, view.view_id, list(range(1, 31)), NOW)
        second = views.add_rows(tx, view.view_id, list(range(31, 41)), NOW - timedelta(hours=1))
        assert sorted(first + second) == first + second
        assert len(set(first + second)) == 40

    def test_many_objects_stand_alike_in_each_view_and_with_its_own_dates(self, tx, view):
        """What several views have in common is copied inside the database."""
        numbers = list(range(1, 101))
        objects.store_objects(tx, [(row(number), b"{}") for number in numbers])
        like = view.view_id
        same, fewer, ahead = (v.view_id for v in views.views_of(tx, ORIGINALS_ID)[1:4])
        views.add_rows(tx, ahead, [100], NOW + timedelta(hours=1))
        wanted = {like: numbers, same: numbers, fewer: numbers[:70], ahead: numbers[:99]}
        given = views.add_rows_to_each(tx, wanted, NOW + timedelta(minutes=1))
        assert given[same] == given[like] != given[ahead]
        stands: dict[int, list[tuple[int, int]]] = {}
        for view_id, date, number in tx.connection.execute(
            sa.select(VIEW_ROWS.c.view_id, VIEW_ROWS.c.date_added, VIEW_ROWS.c.object_row)
            .where(VIEW_ROWS.c.latest)
            .order_by(VIEW_ROWS.c.date_added)
        ):
            stands.setdefault(view_id, []).append((date, number))
        assert stands[ahead].pop(0)[1] == 100
        assert stands == {v: list(zip(given[v], wanted[v], strict=True)) for v in wanted}

    def test_of_many_ids_only_those_that_are_shown_have_places(self, tx, view):
        objects.store_objects(tx, [(row(number), b"{}") for number in range(1, 21)])
        views.add_rows(tx, view.view_id, [4, 9], NOW)
        asked = [stix_id("indicator", number) for number in range(1, 40)]
        assert sorted(views.placements_of(tx, ORIGINALS_ID, asked)) == [asked[3], asked[8]]
        assert views.placements_of(tx, "another", asked) == {}

    def test_places_are_looked_for_from_the_objects_on_and_never_view_by_view(self, tx, view):
        """Else a few ids cost a walk over all that every view shows."""
        if tx.connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL's plans follow from what it counted")
        objects.store_objects(tx, [(row(1), b"{}")])
        views.add_rows(tx, view.view_id, [1], NOW)
        asked = []

        @event.listens_for(tx.connection, "before_cursor_execute")
        def note(_connection, _cursor, statement, parameters, *_more):
            asked.append((statement, parameters))

        views.placements_of(tx, ORIGINALS_ID, [row(n).stix_id for n in range(1, 20)])
        plans = [
            line[3]
            for statement, parameters in list(asked)
            for line in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
        assert plans
        assert not any("SCAN" in line or "view_rows USING PRIMARY KEY" in line for line in plans)

    def test_placements_and_their_removal(self, tx, view):
        objects.store_objects(tx, [(row(1), b"{}"), (row(2), b"{}")])
        dates = views.add_rows(tx, view.view_id, [1, 2], NOW)
        (place,) = views.placements_of(tx, ORIGINALS_ID, [row(1).stix_id])[row(1).stix_id]
        assert (place.object_row, place.latest, place.version_at) == (1, True, row(1).version_at)
        collections.set_latest(tx, view.view_id, dates[:1], latest=False)
        (place,) = views.placements_of(tx, ORIGINALS_ID, [row(1).stix_id])[row(1).stix_id]
        assert place.latest is False
        views.remove_rows(tx, view.view_id, dates[:1])
        views.remove_objects(tx, [2])
        assert views.placements_of(tx, ORIGINALS_ID, [row(1).stix_id, row(2).stix_id]) == {}


class TestPeers:
    def test_a_peer_comes_back_as_it_was_stored(self, tx):
        peer = peers.PeerRow(
            A, "a", "https://a.example/", 3, True, "active", NOW, authority=("zone:fr.",)
        )
        peers.store_peer(tx, peer)
        assert peers.find_peer(tx, A) == peer
        peers.update_peer(tx, A, trust=1, daily_limit=5)
        assert peers.list_peers(tx) == (replace(peer, trust=1, daily_limit=5),)

    def test_what_came_in_a_day(self, tx):
        for more in (2, 3):
            peers.count_objects_today(tx, A, "2026-03-01", more)
        assert peers.objects_today(tx, A, "2026-03-01") == 5
        assert peers.objects_today(tx, A, "2026-03-02") == 0

    def test_t47_a_nonce_is_remembered_for_its_key(self, tx):
        keep = timedelta(minutes=15)
        assert peers.remember_nonce(tx, "k", "n", NOW, keep)
        assert not peers.remember_nonce(tx, "k", "n", NOW, keep)
        assert peers.remember_nonce(tx, "other", "n", NOW, keep)
        assert peers.remember_nonce(tx, "k", "n", NOW + timedelta(minutes=16), keep)

    def test_t52_an_invitation_is_spent_once_and_in_time(self, tx):
        for digest in ("one", "late"):
            peers.store_invitation(tx, digest, NOW, NOW + timedelta(hours=72))
        assert peers.claim_invitation(tx, "one", NOW, A)
        assert not peers.claim_invitation(tx, "one", NOW, A)
        assert not peers.claim_invitation(tx, "late", NOW + timedelta(hours=72), A)
        assert not peers.claim_invitation(tx, "unknown", NOW, A)


def test_documents_come_in_their_order(tx):
    for version in (2, 1):
        store_document(tx, StoredDocument(A, version, "0" * 64, b"%d" % version), NOW)
    assert [document.dsse for document in documents_of(tx, A)] == [b"1", b"2"]


def test_an_event_of_any_text(tx):
    store_event(tx, NOW, "operator", "TEST", reason="zero \0 and bücher", count=3)
