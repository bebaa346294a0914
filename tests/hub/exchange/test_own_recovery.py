"""Own entries that were fetched back are what they were after their publication (PROTOCOL 4.6)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from federation.transport.peer_answers import FeedPage
from hub.bootstrap import open_node
from hub.exchange.erase import erase_everywhere
from hub.exchange.object_rows import draft_row
from hub.exchange.own_recovery import complete_own
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.receipts import list_receipts
from hub.exchange.receive import Way, receive_page
from hub.exchange.restrict import restrict_object
from hub.exchange.withdraw import withdraw_object
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.peers.groups import add_member, create_group
from hub.peers.may_sign import note_doubt, sign_anyway
from hub.peers.signing_marker import note_restored
from hub.storage.backup import back_up, restore
from hub.storage.queries.feeds import find_feed, records_after
from hub.storage.queries.objects import store_new_objects
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.support.joined_nodes import sync, view
from tests.support.nodes import FixedClock, make_node, peer_of, publish_names
from tests.support.publications import drafts, indicator, join, marked, note, statement, stix_id
from tests.support.stored_state import rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def b(tmp_path, clock):
    return make_node(tmp_path, "beta", clock)


@pytest.fixture
def a(tmp_path, clock, b):
    node = make_node(tmp_path, "alpha", clock)
    join(node, b)
    join(b, node)
    back_up(node.database, tmp_path / "early.db")
    return node


def set_back(node, tmp_path, backup="early.db"):
    node.database.close()
    restore(node.database, tmp_path / backup)
    return open_node(node.settings, clock=node.clock)


def publish(node, *values, tlp=Tlp.GREEN, **request):
    return publish_objects(node, PublishRequest(drafts=drafts(*values), tlp=tlp, **request))


def recover(node, holder, audience):
    """Hand over what another node holds of an own feed."""
    feed = FeedName(node.node_id, audience)
    with holder.database.read() as tx:
        held = find_feed(tx, feed)
        records = [strict_loads(raw) for _, _, raw in records_after(tx, held.feed_row, 0, 100)]
    page = FeedPage(False, None, records, strict_loads(held.head or b"{}"), None, None)
    received = receive_page(
        node, feed=feed, sender=peer_of(node, holder), page=page, way=Way.RECOVERED
    )
    complete_own(node, [feed])
    return received


def objects(node):
    columns = (
        "stix_id", "version", "state", "tlp", "strength", "idn", "revoked", "exercise",
        "content", "published_at",
    )  # fmt: skip
    return sorted(
        tuple(row[name] for name in columns)
        for row in rows_of(node, f"SELECT * FROM objects WHERE origin = '{node.node_id}'")
    )


def entries(node):
    return [
        tuple(row.values())
        for row in rows_of(
            node,
            "SELECT feed, seq, hash, kind, entries.tlp, entries.state, code, exercise, ts, record,"
            " sender FROM entries JOIN feeds USING (feed_row)"
            f" WHERE node_id = '{node.node_id}' AND own ORDER BY feed, seq",
        )
    ]


def test_objects_views_and_entries_are_again_what_they_were(tmp_path, a, b):
    publish_names(a, ["one.example", "two.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    publish(a, indicator(1), note(2, indicator(1)["id"]))
    publish(a, indicator(3), exercise=True)
    gone = publish_names(a, ["wrong.example"], "green").stix_ids[0]
    withdraw_object(a, gone, "wrong")
    for audience in ("green", direct_audience(b.node_id)):
        sync(a, b, audience)
    before = objects(a), entries(a), {tlp: sorted(view(a, tlp)) for tlp in Tlp}
    node = set_back(a, tmp_path)
    assert objects(node) != before[0]
    for audience in ("green", direct_audience(b.node_id)):
        assert recover(node, b, audience).error is None
    assert objects(node) == before[0]
    assert entries(node) == before[1]
    assert {tlp: sorted(view(node, tlp)) for tlp in Tlp} == before[2]


def test_twice_is_once(tmp_path, a, b):
    publish_names(a, ["one.example"], "green")
    sync(a, b, "green")
    node = set_back(a, tmp_path)
    recover(node, b, "green")
    before = objects(node), entries(node), view(node, Tlp.GREEN)
    again = recover(node, b, "green")
    assert (again.entries, again.duplicates) == (0, 1)
    assert (objects(node), entries(node), view(node, Tlp.GREEN)) == before


def test_what_was_published_can_be_withdrawn_again_with_its_proof(tmp_path, a, b):
    stix_id = publish_names(a, ["one.example"], "green").stix_ids[0]
    sync(a, b, "green")
    node = set_back(a, tmp_path)
    recover(node, b, "green")
    sign_anyway(node)
    withdraw_object(node, stix_id, "wrong")
    sync(node, b, "green")
    (row,) = rows_of(
        b, f"SELECT state, strength FROM objects WHERE stix_id = '{stix_id}' AND revoked"
    )
    assert row["strength"] == 1


def test_what_nobody_else_understands_is_still_its_own(tmp_path, a, b):
    """A marking that a receiver would put aside is no reason to doubt oneself."""
    strange = statement(definition_type="x-house-rule", definition={"x-house-rule": "ask"})
    publish(a, strange, marked(indicator(1), Tlp.GREEN, strange["id"]))
    sync(a, b, "green")
    before = objects(a)
    node = set_back(a, tmp_path)
    recover(node, b, "green")
    assert objects(node) == before


def test_a_peer_cannot_slip_in_what_we_did_not_sign(tmp_path, a, b):
    publish_names(a, ["one.example"], "green")
    sync(a, b, "green")
    node = set_back(a, tmp_path)
    feed = FeedName(node.node_id, "green")
    with b.database.read() as tx:
        record = strict_loads(records_after(tx, find_feed(tx, feed).feed_row, 0, 1)[0][2])
    payload = record["dsse"]["payload"]
    record["dsse"]["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    page = FeedPage(False, None, [record], {}, None, None)
    received = receive_page(node, feed=feed, sender=peer_of(node, b), page=page, way=Way.RECOVERED)
    assert received.error.code == "E_SIG_BAD"
    assert not rows_of(node, f"SELECT 1 FROM feeds WHERE feed = '{feed}'")


def test_it_costs_the_helpful_peer_nothing(tmp_path, a, b):
    publish_names(a, ["one.example"], "green")
    sync(a, b, "green")
    node = set_back(a, tmp_path)
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET daily_limit = 0")
    assert replace(recover(node, b, "green"), results=()).error is None


class TestWhatWasTakenBackSince:
    """Recalls that the backup knows nothing of."""

    @pytest.fixture
    def ids(self, tmp_path, a, b):
        publish(a, indicator(9))
        publish(a, indicator(1))
        publish(a, indicator(2), indicator(3))
        publish(a, indicator(4))
        sync(a, b, "green")
        back_up(a.database, tmp_path / "late.db")
        withdraw_object(a, stix_id("indicator", 1), "wrong")
        erase_everywhere(a, "green/3", "personal data", [stix_id("indicator", 2)])
        restrict_object(a, stix_id("indicator", 4), Tlp.AMBER)
        erase_everywhere(a, "green/1", "personal data")
        sync(a, b, "green")
        return {
            stix_id("indicator", number): did
            for number, did in ((1, "retracted"), (2, "erased"), (4, "restricted"), (9, "erased"))
        }

    def test_it_is_taken_back_again_and_listed(self, tmp_path, a, b, ids):
        before = objects(a), {tlp: sorted(view(a, tlp)) for tlp in Tlp}
        node = set_back(a, tmp_path, "late.db")
        assert recover(node, b, "green").error is None
        assert objects(node) == before[0]
        assert {tlp: sorted(view(node, tlp)) for tlp in Tlp} == before[1]
        for gone, did in ids.items():
            assert [line.did for line in list_receipts(node, gone)] == [did]

    @pytest.mark.usefixtures("ids")
    def test_what_a_producer_here_had_handed_in_goes_too(self, tmp_path, a, b):
        copy = indicator(2, name="a producer's copy")
        local = draft_row(copy, origin="local:sensor", now=a.now(), state="local")
        node = set_back(a, tmp_path, "late.db")
        with node.database.write() as tx:
            store_new_objects(tx, [(local, json.dumps(copy).encode())])
        recover(node, b, "green")
        (row,) = rows_of(node, "SELECT state, content FROM objects WHERE origin LIKE 'local%'")
        assert (row["state"], bytes(row["content"])) == ("erased", b"")

    def test_without_a_loss_nothing_is_listed(self, a, b):
        publish(a, indicator(1))
        sync(a, b, "green")
        recover(a, b, "green")
        assert not rows_of(a, "SELECT 1 FROM recalls")


class TestHiddenRosters:
    def test_after_a_restore_an_alarm_names_each_group_that_nobody_else_knows(self, a):
        create_group(a, "banks", roster="hidden")
        create_group(a, "names", roster="members")
        note_doubt(a)
        assert list_alarms(a) == ()
        note_restored(a.settings.home)
        note_doubt(a)
        note_doubt(a)
        (alarm,) = list_alarms(a)
        assert (alarm.code, alarm.subject) == ("ROSTER_DOUBTED", "banks")
        assert all(words_of(alarm))

    def test_one_that_came_back_from_its_members_is_named_too(self, tmp_path, a, b):
        gid = create_group(a, "banks", roster="hidden").gid
        add_member(a, "banks", peer_of(a, b))
        sync(a, b, gid)
        node = set_back(a, tmp_path)
        assert recover(node, b, gid).error is None
        assert [alarm.subject for alarm in list_alarms(node)] == ["banks"]
