"""Publishing: the right feed for every label, one broken object alone, the same thing only once."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from federation.errors import SharingRefused
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from hub.imports.drafts import Draft
from hub.peers.trust import PeerChanges, set_peer
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, states, sync, view, view_ids, view_rows
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import (
    LATER,
    STATEMENT,
    domain,
    drafts,
    indicator,
    join,
    marked,
    note,
    relationship,
    statement,
    stix_id,
)
from tests.support.stored_state import check_invariants, envelope_in, rows_of

ONE = stix_id("indicator", 1)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def b(tmp_path, clock):
    made = make_node(tmp_path, "b", clock)
    yield made
    made.database.close()


@pytest.fixture
def to_b(a, b):
    """B as a trusted peer of A, and A as one of B."""
    join(b, a)
    return join(a, b, name="b")


def publish(node, *values, tlp=Tlp.CLEAR, to=(), **members):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, to=tuple(to), **members))


def payloads(node, audience):
    """The signed payloads of an own feed, without the entry that every node begins with."""
    rows = rows_of(
        node,
        "SELECT record FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{FeedName(node.node_id, audience)}' ORDER BY seq",
    )
    found = [json.loads(envelope_in(row["record"]).payload) for row in rows]
    return found[1:] if audience == "clear" else found


def refusals(outcome):
    return {refused.stix_id: refused.code for refused in outcome.refused}


def everything(node):
    """The whole database, row by row."""
    tables = rows_of(node, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row["name"]: rows_of(node, f'SELECT * FROM "{row["name"]}"') for row in tables}


class TestLabelsAndFeeds:
    @pytest.mark.parametrize(("tlp", "relay"), [(Tlp.CLEAR, "public"), (Tlp.GREEN, "community")])
    def test_an_open_label_has_one_feed_for_all(self, a, tlp, relay):
        outcome = publish(a, indicator(1), tlp=tlp)
        assert outcome.feeds == (str(FeedName(a.node_id, tlp.wire)),)
        entry = payloads(a, tlp.wire)[0]
        assert entry["policy"] == {"tlp": tlp.wire, "relay": relay}

    @pytest.mark.parametrize("tlp", [Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])
    def test_named_peers_have_a_direct_feed_each_that_nobody_relays(self, a, b, to_b, tlp):
        outcome = publish(a, indicator(1), tlp=tlp, to=[to_b])
        assert outcome.feeds == (str(FeedName(a.node_id, direct(b))),)
        assert payloads(a, direct(b))[0]["policy"] == {"tlp": tlp.wire, "relay": "none"}
        assert payloads(a, "green") == []

    def test_the_label_is_written_into_every_object_and_its_definition_comes_along(self, a):
        publish(a, indicator(1), marked(indicator(2), Tlp.CLEAR), tlp=Tlp.GREEN)
        objects = {value["id"]: value for value in payloads(a, "green")[0]["objects"]}
        for number in (1, 2):
            refs = objects[stix_id("indicator", number)]["object_marking_refs"]
            assert refs == [Tlp.GREEN.marking_id]
        assert Tlp.GREEN.marking_id in objects

    def test_the_definition_comes_once_a_feed(self, a):
        publish(a, indicator(1), tlp=Tlp.GREEN)
        publish(a, indicator(2), tlp=Tlp.GREEN)
        ids = [value["id"] for entry in payloads(a, "green") for value in entry["objects"]]
        assert Counter(ids)[Tlp.GREEN.marking_id] == 1

    def test_a_green_feed_that_the_operator_keeps_from_relays(self, tmp_path):
        node = make_node(tmp_path, "quiet", profile={"green_relay": "none"})
        publish(node, indicator(1), tlp=Tlp.GREEN)
        assert payloads(node, "green")[0]["policy"]["relay"] == "none"
        node.database.close()

    def test_what_is_published_is_in_ones_own_views(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.GREEN)
        publish(a, indicator(2), tlp=Tlp.AMBER, to=[to_b])
        assert ONE not in view_ids(a, Tlp.CLEAR)
        assert ONE in view_ids(a, Tlp.GREEN)
        assert stix_id("indicator", 2) not in view_ids(a, Tlp.GREEN)
        assert stix_id("indicator", 2) in view_ids(a, Tlp.AMBER)

    def test_who_is_published_for_and_the_lineage_are_signed(self, a):
        publish(a, indicator(1), on_behalf_of="Example Bank", lineage=("own-sensor",))
        entry = payloads(a, "clear")[0]
        assert entry["policy"]["on_behalf_of"] == "Example Bank"
        assert entry["src"] == ["own-sensor"]

    def test_the_entry_and_its_head_stand_together(self, a):
        publish(a, indicator(1))
        check_invariants(a)

    @pytest.mark.usefixtures("to_b")
    def test_peers_are_woken_who_may_read_what_grew(self, a, b):
        publish(a, indicator(1))
        wakes = rows_of(a, "SELECT subject FROM jobs WHERE kind = 'wake'")
        assert [row["subject"] for row in wakes] == [b.node_id]


class TestRefusals:
    """Policy says no before anything is stored."""

    @pytest.mark.parametrize(
        ("tlp", "named", "code"),
        [
            (Tlp.RED, True, "E_RED_UNSUPPORTED"),
            (Tlp.RED, False, "E_RED_UNSUPPORTED"),
            (Tlp.AMBER, False, "E_NOBODY"),
            (Tlp.AMBER_STRICT, False, "E_NOBODY"),
            (Tlp.CLEAR, True, "E_CLEAR_TO_NAMED"),
        ],
    )
    @pytest.mark.parametrize("dry_run", [False, True])
    def test_a_label_without_its_audience(self, a, to_b, tlp, named, code, dry_run):
        before = everything(a)
        with pytest.raises(SharingRefused, match=code):
            publish(a, indicator(1), tlp=tlp, to=[to_b] if named else [], dry_run=dry_run)
        assert everything(a) == before

    @pytest.mark.parametrize(
        "row",
        [
            {"trust": "member"},
            {"trust": "known"},
            {"trust": "blocked"},
            {"trust": "trusted", "verified": False},
            {"trust": "trusted", "state": "suspended"},
            {"trust": "trusted", "outbound": int(Tlp.GREEN)},
        ],
    )
    def test_a_named_peer_that_is_not_entitled(self, a, b, row):
        peer = join(a, b, **row)
        before = everything(a)
        with pytest.raises(SharingRefused, match="E_AUDIENCE_REFUSED"):
            publish(a, indicator(1), tlp=Tlp.AMBER, to=[peer])
        assert everything(a) == before

    @pytest.mark.usefixtures("b")
    def test_a_demoted_peer_does_not_get_a_green_object_through_a_feed_that_was_amber(
        self, a, to_b
    ):
        """Its trust has to reach the strictest label that the feed has ever carried (2.6)."""
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        demoted = set_peer(a, to_b, PeerChanges(trust="member")).after
        with pytest.raises(SharingRefused, match="E_AUDIENCE_REFUSED"):
            publish(a, indicator(2), tlp=Tlp.GREEN, to=[demoted])
        outcome = publish(a, indicator(2), tlp=Tlp.GREEN, to=[demoted], dry_run=True)
        assert outcome.audience[0].decision == "refused"


class TestAudience:
    def test_every_peer_is_listed_with_the_decision_and_why(self, a, b, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        peers = [join(a, b, name="b"), join(a, c, "member", name="c")]
        outcome = publish(a, indicator(1), tlp=Tlp.AMBER, to=peers[:1], dry_run=True)
        lines = {line.name: line for line in outcome.audience}
        assert (lines["b"].decision, lines["b"].code) == ("allowed", "ALLOWED_AMBER_NAMED")
        assert (lines["c"].decision, lines["c"].code) == ("refused", "REFUSED_TRUST_TOO_LOW")
        assert all(line.why for line in outcome.audience)
        c.database.close()

    def test_who_is_not_named_is_told_so_though_the_label_would_reach_it(self, a, b, tmp_path):
        c = make_node(tmp_path, "c")
        peers = [join(a, b, name="b"), join(a, c, name="c")]
        outcome = publish(a, indicator(1), tlp=Tlp.GREEN, to=peers[:1])
        codes = {line.name: line.code for line in outcome.audience}
        assert codes == {"b": "ALLOWED_GREEN_MEMBER", "c": "REFUSED_NOT_NAMED"}
        c.database.close()


class TestDryRun:
    def test_it_decides_everything_and_stores_nothing(self, a, to_b):
        before = everything(a)
        outcome = publish(
            a, indicator(1), indicator(2, pattern="["), tlp=Tlp.AMBER, to=[to_b], dry_run=True
        )
        assert (outcome.objects, outcome.entries) == (1, 1)
        assert refusals(outcome) == {stix_id("indicator", 2): "E_SCHEMA"}
        assert everything(a) == before

    def test_a_long_publication_comes_out_as_the_real_one(self, a):
        """Its later parts refer to what its earlier parts stored."""
        first = [indicator(n) for n in range(62 * 65)]
        last = note(1, stix_id("indicator", 0))
        dry = publish(a, *first, last, dry_run=True)
        real = publish(a, *first, last)
        assert (dry.objects, dry.entries, dry.refused) == (real.objects, real.entries, ())
        assert real.objects == len(first) + 1


class TestOnceAndForAll:
    def test_the_same_list_twice(self, a):
        publish(a, indicator(1), indicator(2))
        before = everything(a)["entries"]
        again = publish(a, indicator(1), indicator(2))
        assert (again.objects, again.entries, again.unchanged, again.refused) == (0, 0, 2, ())
        assert everything(a)["entries"] == before

    def test_one_more_peer_gets_the_very_same_bytes(self, a, b, to_b, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        to_c = join(a, c, name="c")
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        again = publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_c, to_b])
        assert (again.objects, again.entries, again.unchanged) == (1, 1, 0)
        sent = [
            next(v for v in payloads(a, direct(node))[0]["objects"] if v["id"] == ONE)
            for node in (b, c)
        ]
        assert sent[0] == sent[1]
        assert len(rows_of(a, f"SELECT * FROM objects WHERE stix_id = '{ONE}'")) == 1
        c.database.close()

    def test_a_new_version(self, a):
        publish(a, indicator(1))
        assert publish(a, indicator(1, modified=LATER)).objects == 1
        shown = [row for row in view_rows(a, Tlp.CLEAR) if row["stix_id"] == ONE]
        assert [row["version"] for row in shown if row["latest"]] == [LATER]

    @pytest.mark.parametrize(
        "changes", [{"name": "other"}, {"modified": "2026-03-01T09:00:00.001Z"}]
    )
    def test_a_version_that_does_not_follow(self, a, changes):
        publish(a, indicator(1, modified=LATER))
        outcome = publish(a, indicator(1, **{"modified": LATER} | changes))
        assert refusals(outcome) == {ONE: "E_STALE_MODIFIED"}

    def test_two_versions_in_one_input(self, a):
        outcome = publish(a, indicator(1, modified=LATER), indicator(1))
        assert refusals(outcome) == {ONE: "E_STALE_MODIFIED"}
        assert dict(view(a, Tlp.CLEAR))[ONE] == LATER

    def test_a_version_from_the_far_future_would_spoil_its_entry_at_every_receiver(self, a):
        outcome = publish(a, indicator(1, modified="2099-01-01T00:00:00.000Z"), indicator(2))
        assert (outcome.objects, refusals(outcome)) == (1, {ONE: "E_STALE_MODIFIED"})

    def test_what_is_live_at_a_stricter_label(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        outcome = publish(a, indicator(1), tlp=Tlp.GREEN)
        assert refusals(outcome) == {ONE: "E_LABEL_LIVE"}

    def test_what_is_live_at_a_laxer_label_needs_nothing(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.GREEN)
        outcome = publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        assert (outcome.objects, outcome.unchanged, outcome.refused) == (0, 1, ())

    def test_a_new_version_at_another_label(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.GREEN)
        outcome = publish(a, indicator(1, modified=LATER), tlp=Tlp.AMBER, to=[to_b])
        assert refusals(outcome) == {ONE: "E_LABEL_LIVE"}

    @pytest.mark.usefixtures("clock")
    def test_what_was_withdrawn(self, a):
        publish(a, indicator(1))
        withdraw_object(a, ONE, "false positive")
        outcome = publish(a, indicator(1, modified=LATER))
        assert refusals(outcome) == {ONE: "E_WITHDRAWN"}


class TestOneBrokenObject:
    def test_it_is_refused_alone_and_named(self, a):
        outcome = publish(a, indicator(1, pattern="["), indicator(2), indicator(3))
        assert outcome.objects == 2
        assert refusals(outcome) == {ONE: "E_SCHEMA"}
        assert outcome.refused[0].detail

    def test_so_is_what_refers_to_it(self, a):
        outcome = publish(
            a,
            indicator(1, pattern="["),
            note(1, ONE),
            relationship(1, stix_id("note", 1), stix_id("indicator", 2)),
            indicator(2),
        )
        assert outcome.objects == 1
        assert refusals(outcome) == {
            ONE: "E_SCHEMA",
            stix_id("note", 1): "E_REF_LEAK",
            stix_id("relationship", 1): "E_REF_LEAK",
        }

    def test_an_object_without_an_id_is_named_by_its_line(self, a):
        value = indicator(1)
        del value["id"]
        outcome = publish_objects(a, PublishRequest([Draft(value, line=7)], Tlp.CLEAR))
        assert refusals(outcome) == {"line 7": "E_SCHEMA"}

    def test_an_observable_under_a_foreign_id(self, a):
        value = {**domain("real.example"), "id": domain("other.example")["id"]}
        assert refusals(publish(a, value)) == {value["id"]: "E_SCHEMA"}

    def test_one_that_is_too_deep_for_the_payload_around_it(self, a):
        deep: object = "x"
        for _ in range(14):
            deep = [deep]
        outcome = publish(a, indicator(1, x_deep=deep), indicator(2))
        assert (outcome.objects, refusals(outcome)) == (1, {ONE: "E_JSON_DEPTH"})

    def test_one_that_fits_into_no_entry(self, a):
        outcome = publish(a, indicator(1, description="x" * 250_000), note(1, ONE), indicator(2))
        assert outcome.objects == 1
        assert refusals(outcome) == {ONE: "E_TOO_BIG", stix_id("note", 1): "E_REF_LEAK"}

    @pytest.mark.usefixtures("to_b")
    def test_one_that_is_marked_stricter(self, a):
        granular = [{"marking_ref": Tlp.RED.marking_id, "selectors": ["description"]}]
        outcome = publish(
            a,
            marked(indicator(1), Tlp.AMBER),
            indicator(2, description="x", granular_markings=granular),
            indicator(3),
            tlp=Tlp.GREEN,
        )
        assert refusals(outcome) == {
            ONE: "E_LABEL_STRICTER",
            stix_id("indicator", 2): "E_LABEL_STRICTER",
        }


class TestReferences:
    @pytest.mark.usefixtures("to_b")
    def test_a_forward_reference_is_put_into_order(self, a, b):
        publish(a, note(1, ONE), *(indicator(n) for n in range(1, 150)))
        sync(a, b, "clear")
        assert stix_id("note", 1) in view_ids(b, Tlp.CLEAR)

    @pytest.mark.usefixtures("to_b")
    def test_objects_that_refer_to_each_other_stay_together(self, a, b):
        circle = [
            note(1, stix_id("note", 2)),
            note(2, stix_id("note", 1), *(stix_id("indicator", n) for n in range(70))),
        ]
        publish(a, *circle, *(indicator(n) for n in range(70)))
        received = sync(a, b, "clear")
        assert [page.rejected for page in received] == [0]
        assert {stix_id("note", 1), stix_id("note", 2)} <= view_ids(b, Tlp.CLEAR)

    def test_t21_a_reference_to_something_stricter(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        outcome = publish(a, note(1, ONE), tlp=Tlp.GREEN)
        assert refusals(outcome) == {stix_id("note", 1): "E_REF_LEAK"}

    def test_t21_a_reference_to_what_fewer_may_read(self, a, to_b, tmp_path):
        c = make_node(tmp_path, "c")
        to_c = join(a, c, name="c")
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        outcome = publish(a, note(1, ONE), tlp=Tlp.AMBER, to=[to_b, to_c])
        assert refusals(outcome) == {stix_id("note", 1): "E_REF_LEAK"}
        c.database.close()

    def test_a_reference_to_something_laxer(self, a, to_b):
        publish(a, indicator(1), tlp=Tlp.GREEN)
        assert publish(a, note(1, ONE), tlp=Tlp.AMBER, to=[to_b]).objects == 1

    def test_a_dangling_reference(self, a):
        outcome = publish(a, note(1, domain("hidden.example")["id"]), tlp=Tlp.GREEN)
        assert refusals(outcome) == {stix_id("note", 1): "E_REF_LEAK"}

    def test_the_own_identity_is_known_to_all(self, a):
        assert publish(a, indicator(1, created_by_ref=a.identity), tlp=Tlp.GREEN).objects == 1


class TestDefinitions:
    """A receiver judges each entry alone, so what explains a marking travels in each of them."""

    @pytest.mark.usefixtures("to_b")
    def test_a_statement_goes_along_into_every_entry(self, a, b):
        values = [marked(indicator(n), Tlp.GREEN, STATEMENT) for n in range(130)]
        outcome = publish(a, *values, statement(), tlp=Tlp.GREEN)
        assert (outcome.objects + outcome.unchanged, outcome.refused) == (131, ())
        received = sync(a, b, "green")
        assert [(page.rejected, page.quarantined) for page in received] == [(0, 0)]
        assert len(view_ids(b, Tlp.GREEN)) >= 131

    @pytest.mark.usefixtures("to_b")
    def test_a_statement_that_was_published_before_explains_a_later_object(self, a, b):
        publish(a, statement(), tlp=Tlp.GREEN)
        outcome = publish(a, marked(indicator(1), Tlp.GREEN, STATEMENT), tlp=Tlp.GREEN)
        assert (outcome.objects, outcome.unchanged, outcome.refused) == (1, 0, ())
        sync(a, b, "green")
        assert states(b, ONE) == [("accepted", None)]

    def test_a_statement_is_seen_by_whoever_sees_what_it_explains(self, a, b, to_b):
        publish(a, statement(), indicator(2), tlp=Tlp.AMBER, to=[to_b])
        publish(a, marked(indicator(1), Tlp.CLEAR, STATEMENT))
        assert {STATEMENT, ONE} <= view_ids(a, Tlp.CLEAR)
        sync(a, b, direct(b))
        sync(a, b, "clear")
        assert {STATEMENT, ONE} <= view_ids(b, Tlp.CLEAR)

    def test_a_marking_that_nothing_explains(self, a):
        outcome = publish(a, marked(indicator(1), Tlp.CLEAR, STATEMENT), tlp=Tlp.GREEN)
        assert refusals(outcome) == {ONE: "E_LABEL_STRICTER"}

    def test_a_broken_definition_explains_nothing(self, a):
        broken = statement(created="soon")
        outcome = publish(a, broken, marked(indicator(1), Tlp.GREEN, STATEMENT), tlp=Tlp.GREEN)
        assert refusals(outcome) == {STATEMENT: "E_SCHEMA", ONE: "E_LABEL_STRICTER"}

    def test_withdrawing_a_definition_speaks_to_feeds_of_every_label(self, a, b, to_b):
        publish(a, statement(), indicator(2), tlp=Tlp.AMBER, to=[to_b])
        publish(a, statement(), indicator(1))
        withdraw_object(a, STATEMENT, "wrong text")
        for audience in (direct(b), "clear"):
            assert [page.rejected for page in sync(a, b, audience)] == [0]
        assert STATEMENT not in view_ids(b, Tlp.RED)


class TestExercise:
    @pytest.mark.usefixtures("to_b")
    def test_it_reaches_no_view_here_or_there(self, a, b):
        publish(a, indicator(1), note(1, ONE), exercise=True)
        sync(a, b, "clear")
        for node in (a, b):
            assert ONE not in view_ids(node, Tlp.RED)
            assert states(node, ONE)[0][0] == "exercise"

    def test_a_long_exercise_refers_to_itself(self, a):
        values = [indicator(n) for n in range(100)]
        outcome = publish(a, *values, note(1, stix_id("indicator", 0)), exercise=True)
        assert outcome.refused == ()

    def test_it_does_not_become_real_unnoticed(self, a):
        publish(a, indicator(1), exercise=True)
        outcome = publish(a, indicator(1))
        assert refusals(outcome) == {ONE: "E_LABEL_LIVE"}
        assert publish(a, indicator(1, modified=LATER)).objects == 1

    def test_what_is_real_does_not_become_an_exercise(self, a):
        publish(a, indicator(1))
        assert refusals(publish(a, indicator(1), exercise=True)) == {ONE: "E_LABEL_LIVE"}
        assert ONE in view_ids(a, Tlp.CLEAR)


class TestWhatReceiversGet:
    @pytest.mark.parametrize("tlp", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])
    def test_every_label_arrives_where_it_may(self, a, b, to_b, tlp):
        named = [to_b] if tlp >= Tlp.AMBER else []
        publish(a, indicator(1), domain("x.example"), tlp=tlp, to=named)
        audience = direct(b) if named else tlp.wire
        received = sync(a, b, audience)
        assert [(page.error, page.rejected, page.quarantined) for page in received] == [
            (None, 0, 0)
        ]
        for ceiling in Tlp:
            assert (ONE in view_ids(b, ceiling)) is (ceiling >= tlp)
        mine = [r["content"] for r in view_rows(a, tlp) if r["stix_id"] == ONE]
        theirs = [r["content"] for r in view_rows(b, tlp) if r["stix_id"] == ONE]
        assert mine == theirs

    @pytest.mark.usefixtures("to_b")
    def test_a_third_node_gets_it_through_a_relay(self, a, b, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        join(c, b)
        join(c, a)
        publish(a, indicator(1), tlp=Tlp.GREEN)
        sync(a, b, "green")
        assert [page.error for page in sync(a, c, "green", via=b)] == [None]
        assert ONE in view_ids(c, Tlp.GREEN)
        c.database.close()

    def test_nothing_amber_is_in_an_open_feed(self, a, b, to_b):
        publish(a, indicator(1), tlp=Tlp.AMBER, to=[to_b])
        assert entry_states(a, FeedName(a.node_id, "green")) == []
        assert payloads(a, "clear") == []
        assert direct_audience(b.node_id) == direct(b)
