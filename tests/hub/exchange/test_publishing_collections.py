"""Collections that publish: what a producer adds ends in the right feed, once, or is kept."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from hub.errors import Conflict, NotFound
from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection, local_origin
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publishing_collections import (
    ROUND,
    CollectionPublished,
    publish_collection,
)
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.peers.suspend import suspend_peer
from hub.storage.queries.objects import update_objects
from hub.workers.jobs import run_due_jobs
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from schemas.strict_json import write_json
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import FixedClock, give_trust, make_node, pair, peer_of, serving
from tests.support.publications import (
    LATER,
    STATEMENT,
    Author,
    domain,
    drafts,
    indicator,
    join,
    marked,
    relationship,
    statement,
    stix_id,
)
from tests.support.stored_state import envelope_in, rows_of

LATEST = "2026-03-01T09:45:00.000Z"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "hub", clock)
    add_token(made, "sensor", "writer")
    yield made
    made.database.close()


@pytest.fixture
def peer(tmp_path, clock, node):
    """A node that trusts ours, and that ours trusts."""
    made = make_node(tmp_path, "peer", clock)
    join(made, node, name="hub")
    join(node, made, name="friend")
    yield made
    made.database.close()


def publishing(node, target, alias="shared", **options):
    row = add_collection(node, alias.title(), alias=alias, publish_to=target, **options)
    grant_collection(node, alias, "sensor", can_write=True)
    return row.collection_id


def post(node, *values, alias="shared"):
    """What a producer is told of each object that it adds."""
    sensor = Reader.of(next(row for row in list_tokens(node) if row.name == "sensor"))
    status = json.loads(
        add_objects(node, sensor, alias, write_json({"objects": list(values)})).body
    )
    assert status["failure_count"] == 0, status
    return {line["id"]: line.get("message") for line in status["successes"]}


def labelled(number, tlp, **changes):
    return marked(indicator(number, **changes), tlp)


def sealed(node, audience):
    """The ids and labels of the objects in a feed, entry by entry, without the definitions."""
    feed = FeedName(node.node_id, audience)
    entries = rows_of(
        node,
        "SELECT record FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{feed}' ORDER BY seq",
    )
    payloads = [json.loads(envelope_in(row["record"]).payload) for row in entries]
    return [
        (
            payload["policy"]["tlp"],
            [v["id"] for v in payload["objects"] if v["type"] == "indicator"],
        )
        for payload in payloads
        if any(value["type"] == "indicator" for value in payload.get("objects", ()))
    ]


def outcome(node, number, alias="shared"):
    """State and code of what a producer added."""
    return [
        (row["state"], row["code"])
        for row in rows_of(
            node,
            "SELECT objects.state, code FROM objects JOIN collections"
            " ON origin = 'local/' || collection_id"
            f" WHERE alias = '{alias}' AND stix_id = '{stix_id('indicator', number)}'"
            " ORDER BY object_row",
        )
    ]


def refusals(node):
    """What the audit says was not published."""
    rows = rows_of(node, "SELECT params FROM audit_events WHERE code = 'NOT_PUBLISHED'")
    events = [json.loads(row["params"]) for row in rows]
    return [(event["reason"], event["stix_ids"]) for event in events]


def ids(*numbers):
    return [stix_id("indicator", number) for number in numbers]


# Which label goes where


def test_clear_publishes_what_is_clear(node):
    collection = publishing(node, "clear")
    told = post(node, *(labelled(1 + int(tlp), tlp) for tlp in Tlp), indicator(9))
    queued = [stix_id for stix_id, message in told.items() if "queued" in message]
    assert queued == ids(1)
    assert all("E_LABEL_STRICTER" in told[stix_id] for stix_id in ids(2, 3, 4, 5, 9))
    assert publish_collection(node, collection).published == 1
    assert sealed(node, "clear") == [("clear", ids(1))]
    assert sealed(node, "green") == []
    assert outcome(node, 1) == [("local", "PUBLISHED")]
    assert outcome(node, 9) == [("local", "E_LABEL_STRICTER")]


def test_green_publishes_clear_and_green_as_green(node):
    collection = publishing(node, "green")
    told = post(node, *(labelled(1 + int(tlp), tlp) for tlp in Tlp))
    assert [stix_id for stix_id, message in told.items() if "queued" in message] == ids(1, 2)
    publish_collection(node, collection)
    assert sealed(node, "green") == [("green", ids(1, 2))]
    assert sealed(node, "clear") == []


def test_what_comes_unmarked_goes_by_the_collections_default(node):
    collection = publishing(node, "green", default_tlp=Tlp.GREEN)
    assert "queued" in post(node, indicator(1))[stix_id("indicator", 1)]
    publish_collection(node, collection)
    assert sealed(node, "green") == [("green", ids(1))]


def test_a_peer_gets_each_object_at_its_own_label(node, peer):
    collection = publishing(node, "friend")
    told = post(node, *(labelled(1 + int(tlp), tlp) for tlp in Tlp))
    assert [stix_id for stix_id, message in told.items() if "queued" in message] == ids(1, 2, 3, 4)
    publish_collection(node, collection)
    assert sealed(node, direct(peer)) == [
        ("green", ids(1, 2)),
        ("amber", ids(3)),
        ("amber+strict", ids(4)),
    ]
    assert sealed(node, "clear") == sealed(node, "green") == []
    sync(node, peer, direct_audience(peer.node_id))
    rows = rows_of(peer, "SELECT stix_id, state, tlp FROM objects WHERE stix_type = 'indicator'")
    assert [(row["stix_id"], row["tlp"], row["state"]) for row in rows] == [
        (stix_id("indicator", n), label, "accepted")
        for n, label in ((1, 1), (2, 1), (3, 2), (4, 3))
    ]


@pytest.mark.usefixtures("peer")
def test_red_goes_nowhere(node):
    collection = publishing(node, "friend")
    told = post(node, labelled(1, Tlp.RED))
    assert "E_LABEL_STRICTER" in told[stix_id("indicator", 1)]
    assert publish_collection(node, collection).published == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trust": "member"}, "REFUSED_TRUST_TOO_LOW"),
        ({"trust": "trusted", "verified": False}, "REFUSED_NOT_VERIFIED"),
        ({"trust": "trusted", "outbound": "green"}, "REFUSED_OUTBOUND_DIAL"),
    ],
)
def test_a_peer_whose_standing_does_not_reach_gets_nothing_of_it(node, peer, changes, code):
    collection = publishing(node, "friend")
    give_trust(node, peer, **changes)
    post(node, labelled(1, Tlp.AMBER))
    assert publish_collection(node, collection).refused == {code: 1}
    assert sealed(node, direct(peer)) == []
    assert refusals(node) == [(code, ids(1))]
    # Told once; and raising the trust later sends nothing that nobody asked for again.
    give_trust(node, peer, "trusted")
    assert publish_collection(node, collection) == CollectionPublished(0, {})
    assert outcome(node, 1) == [("local", code)]


def test_a_suspended_peer_gets_nothing(node, peer):
    collection = publishing(node, "friend")
    suspend_peer(node, peer_of(node, peer))
    post(node, labelled(1, Tlp.GREEN))
    assert publish_collection(node, collection).refused == {"REFUSED_SUSPENDED": 1}


def test_the_peer_is_meant_by_its_id(node, peer):
    row = add_collection(node, "Shared", publish_to="friend")
    assert row.publish_to == peer.node_id


@pytest.mark.parametrize("target", ["g-banks", "banks", ""])
def test_what_is_no_target_is_refused(node, target):
    with pytest.raises(NotFound) as refused:
        add_collection(node, "Shared", publish_to=target)
    assert refused.value.code == "E_PEER_UNKNOWN"


@pytest.mark.usefixtures("peer")
def test_an_ambiguous_peer_is_refused(node):
    Author(2).meets(node, name="friend")
    with pytest.raises(Conflict) as refused:
        add_collection(node, "Shared", publish_to="friend")
    assert refused.value.code == "E_PEER_AMBIGUOUS"


# Once, and nothing lost


def test_publishing_again_publishes_nothing_again(node):
    collection = publishing(node, "green")
    post(node, labelled(1, Tlp.GREEN), labelled(2, Tlp.GREEN))
    assert publish_collection(node, collection).published == 2
    again = publish_collection(node, collection)
    assert (again.published, again.refused, again.unfinished) == (0, {}, False)
    told = post(node, labelled(1, Tlp.GREEN))
    assert told == {stix_id("indicator", 1): None}
    publish_collection(node, collection)
    assert sealed(node, "green") == [("green", ids(1, 2))]


def test_a_crash_before_the_results_were_noted_publishes_nothing_twice(node):
    collection = publishing(node, "green")
    post(node, labelled(1, Tlp.GREEN))
    publish_collection(node, collection)
    rows = rows_of(
        node, f"SELECT object_row FROM objects WHERE origin = '{local_origin(collection)}'"
    )
    with node.database.write() as tx:
        update_objects(tx, [row["object_row"] for row in rows], state="queued", code=None)
    assert publish_collection(node, collection).published == 1
    assert sealed(node, "green") == [("green", ids(1))]
    assert outcome(node, 1) == [("local", "PUBLISHED")]


def test_storing_asks_for_the_job_that_publishes(node):
    collection = publishing(node, "green")
    jobs = "SELECT kind, subject FROM jobs WHERE kind != 'verdicts'"
    post(node, labelled(1, Tlp.AMBER))
    assert rows_of(node, jobs) == []
    post(node, labelled(2, Tlp.GREEN))
    assert rows_of(node, jobs) == [{"kind": "publish", "subject": collection}]
    assert run_due_jobs(node) == 1
    assert sealed(node, "green") == [("green", ids(2))]
    assert rows_of(node, jobs) == []


def test_a_collection_that_publishes_nothing_asks_for_no_job(node):
    collection = add_collection(node, "Kept", alias="kept").collection_id
    grant_collection(node, "kept", "sensor", can_write=True)
    assert post(node, labelled(1, Tlp.CLEAR), alias="kept") == {stix_id("indicator", 1): None}
    assert rows_of(node, "SELECT kind FROM jobs") == []
    assert publish_collection(node, collection).published == 0
    assert outcome(node, 1, "kept") == [("local", None)]


def test_a_backlog_is_published_round_by_round(node):
    collection = publishing(node, "green")
    count = ROUND + 3
    post(node, *(labelled(number, Tlp.GREEN) for number in range(1, count + 1)))
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM jobs")
    rounds = [publish_collection(node, collection) for _ in range(2)]
    assert [(done.published, done.unfinished) for done in rounds] == [(ROUND, True), (3, False)]


# Versions


def test_versions_follow_each_other_in_the_feed(node):
    collection = publishing(node, "green")
    post(node, labelled(1, Tlp.GREEN, modified=LATER), labelled(1, Tlp.GREEN))
    assert publish_collection(node, collection).unfinished
    publish_collection(node, collection)
    post(node, labelled(1, Tlp.GREEN, modified=LATEST, revoked=True))
    publish_collection(node, collection)
    assert sealed(node, "green") == [("green", ids(1))] * 3
    assert outcome(node, 1) == [("local", "PUBLISHED")] * 3


def test_an_older_version_that_comes_late_is_not_published(node):
    collection = publishing(node, "green")
    for modified in (LATER, "2026-03-01T09:00:00.000Z"):
        post(node, labelled(1, Tlp.GREEN, modified=modified))
        publish_collection(node, collection)
    assert outcome(node, 1) == [("local", "PUBLISHED"), ("local", "E_STALE_MODIFIED")]


def test_a_version_at_another_label_is_not_published(node, peer):
    collection = publishing(node, "friend")
    for modified, tlp in ((None, Tlp.AMBER), (LATER, Tlp.GREEN)):
        changes = {} if modified is None else {"modified": modified}
        post(node, labelled(1, tlp, **changes))
        publish_collection(node, collection)
    assert outcome(node, 1)[-1] == ("local", "E_LABEL_LIVE")
    assert sealed(node, direct(peer)) == [("amber", ids(1))]


# Whose ids


def test_what_this_node_published_itself_is_not_changed_by_a_producer(node):
    collection = publishing(node, "green")
    publish_objects(node, PublishRequest(drafts(indicator(1)), Tlp.GREEN))
    told = post(node, labelled(1, Tlp.GREEN, modified=LATER, revoked=True))
    assert told == {stix_id("indicator", 1): "stored; queued for publication"}
    publish_collection(node, collection)
    assert outcome(node, 1) == [("local", "E_ID_CONFLICT")]
    assert sealed(node, "green") == [("green", ids(1))]


def test_what_another_collection_published_is_not_changed_by_a_producer(node):
    collections = [publishing(node, "green", alias) for alias in ("one", "two")]
    for alias, collection in zip(("one", "two"), collections, strict=True):
        post(
            node, labelled(1, Tlp.GREEN, modified=LATER if alias == "two" else LATEST), alias=alias
        )
        publish_collection(node, collection)
    assert outcome(node, 1, "two") == [("local", "E_ID_CONFLICT")]


def test_what_a_peer_published_is_not_published_in_our_name(node):
    collection = publishing(node, "green")
    author = Author(1)
    author.meets(node)
    author.put("green", indicator(1), domain("bad.example"))
    author.deliver(node, "green")
    post(node, labelled(1, Tlp.GREEN), marked(domain("bad.example"), Tlp.GREEN))
    done = publish_collection(node, collection)
    # Observables belong to nobody.
    assert (done.published, done.refused) == (1, {"E_ID_CONFLICT": 1})


def test_a_claim_that_waits_in_quarantine_silences_no_producer(node):
    collection = publishing(node, "green")
    stranger = Author(1)
    stranger.meets(node, "member")
    stranger.put("green", indicator(1))
    stranger.deliver(node, "green")
    post(node, labelled(1, Tlp.GREEN))
    assert publish_collection(node, collection).published == 1


def test_producers_are_not_told_what_this_node_holds(node, peer):
    """The same answer whether the id is free, live at a hidden label, or a peer's."""
    publishing(node, "green")
    publish_objects(
        node, PublishRequest(drafts(indicator(2)), Tlp.AMBER, to=(peer_of(node, peer),))
    )
    told = post(node, labelled(1, Tlp.GREEN), labelled(2, Tlp.GREEN, modified=LATER))
    assert set(told.values()) == {"stored; queued for publication"}


# References


def test_a_reference_waits_for_what_comes_later(node):
    collection = publishing(node, "green")
    link = marked(relationship(1, *ids(1, 2)), Tlp.GREEN)
    post(node, link, labelled(1, Tlp.GREEN))
    done = publish_collection(node, collection)
    assert (done.published, done.refused) == (1, {"E_REF_LEAK": 1})
    post(node, labelled(2, Tlp.GREEN))
    assert publish_collection(node, collection).published == 2
    assert refusals(node) == [("E_REF_LEAK", [stix_id("relationship", 1)])]


def test_a_reference_into_the_dark_waits_for_a_day(node, clock):
    collection = publishing(node, "green")
    post(node, marked(relationship(1, *ids(1, 2)), Tlp.GREEN))
    states = []
    for _ in range(2):
        done = publish_collection(node, collection)
        assert (done.refused, done.unfinished) == ({"E_REF_LEAK": 1}, False)
        states += rows_of(node, "SELECT state FROM objects WHERE stix_type = 'relationship'")
        clock.advance(timedelta(days=1))
    assert [row["state"] for row in states] == ["queued", "local"]
    assert len(refusals(node)) == 1


@pytest.mark.usefixtures("peer")
def test_what_is_green_does_not_tell_of_what_is_amber(node):
    collection = publishing(node, "friend")
    post(node, marked(relationship(1, *ids(1, 2)), Tlp.GREEN))
    post(node, labelled(1, Tlp.AMBER), labelled(2, Tlp.GREEN))
    while publish_collection(node, collection).unfinished:
        pass
    rows = rows_of(node, "SELECT state, code FROM objects WHERE stix_type = 'relationship'")
    assert rows == [{"state": "queued", "code": "E_REF_LEAK"}]


def test_a_waiting_version_holds_up_no_later_one(node):
    collection = publishing(node, "green")
    post(node, labelled(1, Tlp.GREEN, created_by_ref=stix_id("identity", 1)))
    publish_collection(node, collection)
    post(node, labelled(1, Tlp.GREEN, modified=LATER))
    while publish_collection(node, collection).unfinished:
        pass
    assert outcome(node, 1) == [("local", "E_STALE_MODIFIED"), ("local", "PUBLISHED")]


def test_a_statement_marking_may_have_come_before(node):
    collection = publishing(node, "green")
    post(node, statement())
    value = marked(indicator(1), Tlp.GREEN, STATEMENT)
    assert "queued" in post(node, value)[value["id"]]
    publish_collection(node, collection)
    assert outcome(node, 1) == [("local", "PUBLISHED")]


# From the producer to the peer


def test_what_a_producer_posts_arrives_at_a_peer(tmp_path, clock):
    a, b = make_node(tmp_path, "a", clock), make_node(tmp_path, "b", clock)
    add_token(a, "sensor", "writer")
    with serving(a, b):
        pair(a, b, "trusted")
        publishing(a, b.node_id[:10])
        for node in (a, b):
            run_due_jobs(node)
        post(a, labelled(1, Tlp.AMBER))
        assert run_due_jobs(a) == 1  # publish
        assert run_due_jobs(a) == 2  # wake, and the verdicts of what is published now
        assert run_due_jobs(b) == 1  # pull
    rows = rows_of(b, f"SELECT state, tlp, origin FROM objects WHERE stix_id = '{ids(1)[0]}'")
    assert rows == [{"state": "accepted", "tlp": int(Tlp.AMBER), "origin": a.node_id}]
    for node in (a, b):
        node.database.close()
