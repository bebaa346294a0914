"""The fed root: who sees which feed, and how it is paged (PROTOCOL 2.6)."""

from __future__ import annotations

import re
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from federation.feeds.heads import open_head, open_relay_head
from federation.feeds.writing import policy_members
from hub.exchange.own_feeds import append_entry
from hub.peers.known_nodes import pinned
from hub.peers.pull import pull_peer
from hub.storage.queries.feeds import find_feed
from hub.storage.tables.feeds import FEEDS
from schemas.identifiers import FeedName, direct_audience, entry_object_id
from schemas.markings import Tlp
from schemas.strict_json import MAX_BODY_BYTES, strict_loads
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.signed_requests import NOT_FOUND, ask, code_of

ROOT = "/taxii2/fed/collections/"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """a, a named peer b of it, and c, a peer of both; a has something in every kind of feed."""
    home = tmp_path_factory.mktemp("fed")
    clock = FixedClock()
    a, b, c = (make_node(home, name, clock) for name in ("alpha", "beta", "gamma"))
    with serving(a, b):
        pair(a, b, "trusted")
        pair(a, c, "trusted")
        pair(b, c, "trusted")
        publish_names(a, ["clear.example"], "clear")
        publish_names(a, ["green.example"], "green")
        publish_names(a, ["amber.example"], "amber", [b])
        assert pull_peer(b, peer_of(b, a)).error is None
        yield a, b, c


def listed(reader, server):
    answer = ask(reader, server, ROOT)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/taxii+json;version=2.1"
    return {
        FeedName.read(collection["x_tocsin_feed"])
        for collection in strict_loads(answer.body).get("collections", [])
    }


def objects_of(feed):
    return f"{ROOT}{feed.collection_id}/objects/"


def page(reader, server, feed, query=""):
    answer = ask(reader, server, objects_of(feed) + query)
    assert answer.status == 200
    return strict_loads(answer.body)


@pytest.mark.parametrize(
    ("trust", "verified", "audiences"),
    [
        ("known", True, {"clear"}),
        ("member", False, {"clear"}),
        ("member", True, {"clear", "green"}),
        ("trusted", True, {"clear", "green", "d"}),
        ("partner", True, {"clear", "green", "d"}),
    ],
)
def test_the_listing_is_what_trust_and_naming_give(nodes, trust, verified, audiences):
    a, b, _ = nodes
    give_trust(a, b, trust, verified=verified)
    expected = {
        FeedName(a.node_id, direct_audience(b.node_id) if audience == "d" else audience)
        for audience in audiences
    }
    assert listed(b, a) == expected
    for feed in [
        FeedName(a.node_id, name) for name in ("clear", "green", direct_audience(b.node_id))
    ]:
        answer = ask(b, a, objects_of(feed))
        if feed in expected:
            assert answer.status == 200
        else:
            assert (answer.status, answer.body) == (404, NOT_FOUND)
    give_trust(a, b, "trusted")


def test_a_direct_feed_is_for_its_peer_alone(nodes):
    a, b, c = nodes
    feed = FeedName(a.node_id, direct_audience(b.node_id))
    assert feed in listed(b, a)
    assert feed not in listed(c, a)
    assert ask(c, a, objects_of(feed)).body == NOT_FOUND


def test_a_relay_lists_clear_and_green_of_others_and_never_amber(nodes):
    a, b, c = nodes
    assert listed(c, b) == {
        FeedName(b.node_id, "clear"),
        FeedName(a.node_id, "clear"),
        FeedName(a.node_id, "green"),
    }
    direct = FeedName(a.node_id, direct_audience(b.node_id))
    assert ask(c, b, objects_of(direct)).body == NOT_FOUND


def test_a_collection_names_its_feed_and_its_id_is_the_same_everywhere(nodes):
    a, b, c = nodes
    feed = FeedName(a.node_id, "green")
    found = [strict_loads(ask(c, server, f"{ROOT}{feed.collection_id}/").body) for server in (a, b)]
    assert found[0] == found[1]
    assert found[0] == {
        "id": feed.collection_id,
        "title": str(feed),
        "can_read": True,
        "can_write": False,
        "media_types": ["application/taxii+json;version=2.1"],
        "x_tocsin_feed": str(feed),
    }


def test_an_origin_sees_its_own_feeds_as_held_here_without_a_relay_head(nodes):
    a, b, _ = nodes
    mirrored = {feed for feed in listed(a, b) if feed.node_id == a.node_id}
    audiences = {"clear", "green", direct_audience(b.node_id)}
    assert mirrored == {FeedName(a.node_id, audience) for audience in audiences}
    for feed in mirrored:
        assert "x_tocsin_relay_head" not in page(a, b, feed)


def test_the_operators_relay_dial_ends_relaying(nodes):
    a, b, c = nodes
    give_trust(b, a, "trusted", relay=False)
    assert not {feed for feed in listed(c, b) if feed.node_id == a.node_id}
    give_trust(b, a, "trusted", relay=True)
    assert FeedName(a.node_id, "green") in listed(c, b)


def test_what_a_blocked_origin_wrote_is_not_relayed(nodes):
    a, b, c = nodes
    give_trust(b, a, "blocked")
    assert not {feed for feed in listed(c, b) if feed.node_id == a.node_id}
    give_trust(b, a, "trusted")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "HEAD"])
@pytest.mark.parametrize(
    "rest", ["manifest/", "objects/{id}/", "objects/{id}/versions/", "objects", "x"]
)
def test_all_else_is_the_one_404(nodes, rest, method):
    a, b, _ = nodes
    feed = FeedName(a.node_id, "clear")
    with a.database.read() as tx:
        held = find_feed(tx, feed)
    entry_id = entry_object_id(feed, held.last_seq, held.last_hash)
    target = f"{ROOT}{feed.collection_id}/" + rest.format(id=entry_id)
    answer = ask(b, a, target, method=method)
    assert answer.status == 404
    assert answer.body == (b"" if method == "HEAD" else NOT_FOUND)


def test_t46_unknown_and_forbidden_run_the_same_statements(nodes):
    a, _, c = nodes
    forbidden = FeedName(a.node_id, direct_audience(nodes[1].node_id)).collection_id
    traces = []
    for collection_id in (forbidden, str(uuid.uuid4())):
        trace = []

        def note(_c, _cursor, statement, *_rest, into=trace):
            into.append(re.sub(r"sa_savepoint_\d+", "", statement))

        event.listen(a.database.engine, "before_cursor_execute", note)
        answer = ask(c, a, f"{ROOT}{collection_id}/objects/")
        event.remove(a.database.engine, "before_cursor_execute", note)
        assert answer.body == NOT_FOUND
        traces.append(trace)
    assert traces[0] == traces[1]
    assert traces[0]


@pytest.mark.parametrize(
    "query",
    [
        "?added_after=2026-01-01T00:00:00Z",
        "?match[type]=indicator".replace("[", "%5B").replace("]", "%5D"),
        "?next=1",
        "?next=seq:-1",
        "?next=seq:01",
        "?next=seq:9999999999999999",
        "?next=seq:1&next=seq:2",
        "?limit=0",
        "?limit=-1",
        "?limit=ten",
        "?limit=",
    ],
)
def test_a_page_takes_next_and_limit_and_nothing_else(nodes, query):
    a, b, _ = nodes
    for feed_id in (FeedName(a.node_id, "clear").collection_id, str(uuid.uuid4())):
        answer = ask(b, a, f"{ROOT}{feed_id}/objects/{query}")
        assert (answer.status, code_of(answer)) == (400, "E_SCHEMA")


def test_pages_ascend_by_one_and_end_with_the_heads(tmp_path):
    clock = FixedClock()
    a, b = (make_node(tmp_path, name, clock) for name in ("alpha", "beta"))
    feed = FeedName(a.node_id, "clear")
    with serving(a):
        pair(a, b)
        _append_noops(a, feed, 149)
        whole = page(b, a, feed, "?limit=1000")
        assert [item["seq"] for item in whole["objects"]] == list(range(1, 101))
        assert (whole["more"], whole["next"]) == (True, "seq:100")
        assert set(whole) == {"more", "next", "objects", "x_tocsin_head"}
        rest = page(b, a, feed, "?next=seq:100")
        assert [item["seq"] for item in rest["objects"]] == list(range(101, 151))
        assert set(rest) == {"more", "objects", "x_tocsin_head"}
        assert rest["more"] is False
        end = page(b, a, feed, "?next=seq:150&limit=1")
        assert set(end) == {"more", "x_tocsin_head"}
        for number in (1, 16, 17, 99):
            some = page(b, a, feed, f"?next=seq:20&limit={number}")
            assert len(some["objects"]) == number
            assert some["next"] == f"seq:{20 + number}"


def test_a_page_of_large_entries_stays_below_four_mebibytes(tmp_path):
    clock = FixedClock()
    a, b = (make_node(tmp_path, name, clock) for name in ("alpha", "beta"))
    feed = FeedName(a.node_id, "clear")
    with serving(a):
        pair(a, b)
        with a.database.write() as tx:
            for _ in range(14):
                append_entry(
                    tx, a, feed, kind="retract", policy=policy_members(Tlp.CLEAR, relay="public"),
                    now=a.now(), members={"ids": [], "reason": "x" * 250_000},
                )  # fmt: skip
        sizes, seqs, after = [], [], 0
        while True:
            answer = ask(b, a, objects_of(feed) + f"?next=seq:{after}")
            value = strict_loads(answer.body)
            sizes.append(len(answer.body))
            seqs += [item["seq"] for item in value["objects"]]
            if not value["more"]:
                break
            after = int(re.fullmatch(r"seq:(\d+)", value["next"])[1])
        assert len(sizes) > 1
        assert max(sizes) <= MAX_BODY_BYTES
        assert seqs == list(range(1, 16))


def test_the_records_are_served_byte_for_byte_as_stored(nodes):
    a, b, _ = nodes
    feed = FeedName(a.node_id, "green")
    with a.database.read() as tx:
        stored = tx.connection.execute(
            sa.text(
                "SELECT record FROM entries JOIN feeds USING (feed_row)"
                " WHERE feed = :feed ORDER BY seq"
            ),
            {"feed": str(feed)},
        ).scalars()
        joined = b",".join(bytes(record) for record in stored)
    assert b'"objects":[' + joined + b"]" in ask(b, a, objects_of(feed)).body


def test_a_relay_signs_how_far_it_serves_a_foreign_feed(nodes):
    a, b, c = nodes
    feed = FeedName(a.node_id, "green")
    value = page(c, b, feed)
    with b.database.read() as tx:
        held = find_feed(tx, feed)
        statement = open_relay_head(
            value["x_tocsin_relay_head"], relay=pinned(tx, b.node_id), feed=feed
        )
        head = open_head(value["x_tocsin_head"], pinned=pinned(tx, a.node_id), feed=feed)
    assert (statement.seq, statement.hash, statement.ts) == (
        held.last_seq, held.last_hash, b.now(),
    )  # fmt: skip
    assert (head.seq, head.hash) == (held.last_seq, held.last_hash)


def test_a_feed_that_its_origin_cut_is_not_relayed_but_given_back_to_it(nodes):
    a, b, c = nodes
    feed = FeedName(a.node_id, "green")
    _set_relay_stopped(b, feed, stopped=True)
    try:
        assert ask(c, b, objects_of(feed)).body == NOT_FOUND
        assert ask(a, b, objects_of(feed)).status == 200
    finally:
        _set_relay_stopped(b, feed, stopped=False)


def test_the_fed_root_describes_itself(nodes):
    a, b, _ = nodes
    value = strict_loads(ask(b, a, "/taxii2/fed/").body)
    assert value["versions"] == ["application/taxii+json;version=2.1"]
    assert value["max_content_length"] == MAX_BODY_BYTES


def _append_noops(node, feed, count):
    with node.database.write() as tx:
        for _ in range(count):
            append_entry(
                tx, node, feed, kind="noop", policy=policy_members(Tlp.CLEAR, relay="public"),
                now=node.now(),
            )  # fmt: skip


def _set_relay_stopped(node, feed, *, stopped):
    with node.database.write() as tx:
        tx.connection.execute(
            FEEDS.update().where(FEEDS.c.feed == str(feed)).values(relay_stopped=stopped)
        )
