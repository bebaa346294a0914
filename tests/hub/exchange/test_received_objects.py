"""What becomes of received objects: whose they are, which version counts, who sees them.

The rules are PROTOCOL 2.4 (ownership, version order, trust gate), 3.3 (changing labels) and 4.8
(withdrawal).
"""

from __future__ import annotations

import itertools
import json

import pytest

from hub.errors import Conflict
from hub.exchange.object_listing import accept_quarantined, reject_quarantined
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.peers import update_peer
from schemas.identifiers import direct_audience, own_stix_id
from schemas.markings import Tlp
from tests.support.joined_nodes import entry_states, states, view, view_ids, view_rows, views
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import (
    AT,
    LATER,
    STATEMENT,
    Author,
    domain,
    indicator,
    marked,
    note,
    policy_of,
    statement,
    stix_id,
)
from tests.support.stored_state import check_invariants, rows_of

LATEST = "2026-03-01T09:45:00.000Z"
ONE = stix_id("indicator", 1)


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


@pytest.fixture
def b(node):
    author = Author(2)
    author.meets(node, "trusted")
    return author


@pytest.fixture
def direct(node):
    """The audience of direct feeds to the receiver."""
    return direct_audience(node.node_id)


def origins(node, ceiling, identifier):
    """Whose version of an object readers of this clearance see as the latest."""
    return [
        row["origin"]
        for row in view_rows(node, ceiling)
        if row["stix_id"] == identifier and row["latest"]
    ]


def latest_versions(node, ceiling, identifier=ONE):
    """Which version readers of this clearance see as the latest."""
    return [
        row["version"]
        for row in view_rows(node, ceiling)
        if row["stix_id"] == identifier and row["latest"]
    ]


class TestTrustGate:
    @pytest.mark.parametrize(
        ("trust", "state", "code"),
        [
            ("known", "quarantined", "QUARANTINED_INBOUND"),
            ("member", "quarantined", "QUARANTINED_CORROBORATION"),
            ("trusted", "accepted", None),
            ("partner", "accepted", None),
        ],
    )
    def test_a_preset_decides(self, node, trust, state, code):
        author = Author(3)
        author.meets(node, trust)
        author.put("clear", indicator(1))
        author.deliver(node, "clear")
        assert states(node, ONE) == [(state, code)]
        assert (ONE in view_ids(node, Tlp.CLEAR)) is (state == "accepted")

    def test_what_an_unverified_partner_says_waits(self, node):
        author = Author(3)
        author.meets(node, "partner", verified=False)
        author.put("clear", indicator(1))
        author.deliver(node, "clear")
        assert states(node, ONE) == [("quarantined", "QUARANTINED_INBOUND")]

    def test_the_inbound_dial_refuses(self, node):
        author = Author(3)
        author.meets(node, "partner", inbound="refuse")
        author.put("clear", indicator(1))
        author.deliver(node, "clear")
        assert states(node, ONE) == [("refused", "REFUSED_INBOUND")]
        assert ONE not in view_ids(node, Tlp.RED)

    def test_t37_every_version_passes_the_gate(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=2)
        a.put("clear", indicator(1, modified=LATER, pattern="[domain-name:value = 'bank.example']"))
        a.deliver(node, "clear")
        assert [state for state, _ in states(node, ONE)] == ["accepted", "quarantined"]
        assert dict(view(node, Tlp.CLEAR))[ONE] == AT

    def test_an_unknown_marking_waits_at_any_trust(self, node):
        author = Author(3)
        author.meets(node, "partner")
        unknown = "marking-definition--11111111-1111-4111-8111-111111111111"
        author.put("green", marked(indicator(1), Tlp.GREEN, unknown))
        author.deliver(node, "green")
        assert states(node, ONE) == [("quarantined", "E_UNKNOWN_MARKING")]

    def test_a_statement_marking_limits_nobody(self, node, a):
        a.put("green", statement(), marked(indicator(1), Tlp.GREEN, STATEMENT))
        a.deliver(node, "green")
        assert states(node, ONE) == [("accepted", None)]

    def test_class14_an_exercise_reaches_no_view(self, node, a):
        a.put("clear", indicator(1), policy={"exercise": True})
        assert a.deliver(node, "clear").accepted == 0
        assert states(node, ONE) == [("exercise", "EXERCISE")]
        assert ONE not in view_ids(node, Tlp.RED)

    def test_what_was_an_exercise_can_become_real(self, node, a):
        a.put("clear", indicator(1), policy={"exercise": True})
        a.put("clear", indicator(1))
        received = a.deliver(node, "clear")
        assert (received.rejected, received.accepted) == (0, 1)
        assert states(node, ONE) == [("accepted", None)]
        assert ONE in view_ids(node, Tlp.CLEAR)

    def test_an_exercise_about_something_live_changes_nothing_that_readers_see(self, node, a, b):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        before = views(node)
        a.put("clear", indicator(1, modified=LATER), policy={"exercise": True})
        a.deliver(node, "clear")
        value, idn = b.proven(1)
        b.put("clear", value, idn=idn, policy={"exercise": True})
        b.deliver(node, "clear")
        assert views(node) == before


class TestVersions:
    def test_a_newer_version_is_the_latest_and_the_older_one_stays(self, node, a):
        a.put("clear", indicator(1))
        a.put("clear", indicator(1, modified=LATER))
        a.deliver(node, "clear")
        assert [v for i, v in view(node, Tlp.CLEAR) if i == ONE] == [AT, LATER]
        assert latest_versions(node, Tlp.CLEAR) == [LATER]

    def test_pages_cut_differently_come_to_the_same(self, node, a):
        a.put("clear", indicator(1))
        a.put("clear", indicator(1, modified=LATER))
        a.put("clear", indicator(1, modified=LATEST))
        for until in (1, 2, 3):
            a.deliver(node, "clear", until=until)
        assert latest_versions(node, Tlp.CLEAR) == [LATEST]

    def test_an_observable_is_one_fact_however_often_it_comes(self, node, a):
        a.put("clear", domain("x.example"))
        a.put("clear", domain("x.example"), indicator(1))
        a.deliver(node, "clear")
        ids = [i for i, _ in view(node, Tlp.CLEAR)]
        assert ids.count(domain("x.example")["id"]) == 1

    def test_a_definition_that_comes_again_for_more_readers_is_seen_by_them(self, node, a, direct):
        """It has no label of its own: it goes wherever the origin sends it."""
        a.put(direct, statement(), indicator(2), policy={"tlp": "amber"})
        a.deliver(node, direct)
        assert STATEMENT not in view_ids(node, Tlp.CLEAR)
        a.put("clear", statement(), marked(indicator(1), Tlp.CLEAR, STATEMENT))
        a.deliver(node, "clear")
        assert STATEMENT in view_ids(node, Tlp.CLEAR)
        assert STATEMENT in view_ids(node, Tlp.AMBER)

    def test_an_old_version_out_of_quarantine_is_not_the_latest(self, node, a):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=1)
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=3)
        a.put("clear", indicator(1, modified=LATER))
        a.deliver(node, "clear")
        accept_quarantined(node, [ONE])
        assert latest_versions(node, Tlp.CLEAR) == [LATER]


class TestOwnership:
    """The key is ``(origin, id)``; of rival claims the stronger wins in any order (THREATS 25)."""

    @pytest.mark.parametrize("b_label", ["clear", "green"])
    @pytest.mark.parametrize("a_label", ["clear", "green"])
    def test_t25_the_owner_wins_wherever_both_are_seen(self, node, a, b, a_label, b_label):
        """A can prove the id, B cannot; both labels, both orders, view by view."""
        value, idn = a.proven(1)
        a.put(a_label, value, idn=idn)
        b.put(b_label, {**value, "name": "squatted"})
        identifier = value["id"]
        for first, second in ((a, b), (b, a)):
            for author in (first, second):
                author.deliver(node, a_label if author is a else b_label, after=0)
        for ceiling in (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER):
            expected = []
            if ceiling >= Tlp.read(a_label):
                expected = [a.node_id]
            elif ceiling >= Tlp.read(b_label):
                expected = [b.node_id]
            assert origins(node, ceiling, identifier) == expected

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    @pytest.mark.parametrize(
        "labels", list(itertools.product(["clear", "green", "direct"], repeat=2))
    )
    def test_t25_the_order_of_arrival_changes_no_view(self, tmp_path, labels, order):
        node = make_node(tmp_path, "receiver")
        authors = [Author(1), Author(2)]
        value, idn = authors[0].proven(1)
        audiences = [direct_audience(node.node_id) if x == "direct" else x for x in labels]
        for author in authors:
            author.meets(node, "trusted")
        authors[0].put(audiences[0], value, idn=idn)
        authors[1].put(audiences[1], {**value, "name": "squatted"})
        for place in order:
            authors[place].deliver(node, audiences[place])
        strictness = {"clear": Tlp.CLEAR, "green": Tlp.GREEN, "direct": Tlp.GREEN}
        mine, theirs = (strictness[label] for label in labels)
        for ceiling in Tlp:
            expected = (
                [authors[0].node_id] if ceiling >= mine
                else [authors[1].node_id] if ceiling >= theirs
                else []
            )  # fmt: skip
            assert origins(node, ceiling, value["id"]) == expected
        node.database.close()

    def test_the_loser_is_quarantined_and_named(self, node, a, b):
        value, idn = a.proven(1)
        a.put("clear", value, idn=idn)
        b.put("clear", {**value, "name": "squatted"})
        a.deliver(node, "clear")
        b.deliver(node, "clear")
        assert states(node, value["id"]) == [("accepted", None), ("quarantined", "E_ID_CONFLICT")]

    def test_a_strict_winner_does_not_quarantine_a_laxer_loser(self, node, a, b, direct):
        """Else a reader could infer the stricter claim from the missing laxer one (3.5)."""
        value, idn = a.proven(1)
        b.put("clear", {**value, "name": "squatted"})
        b.deliver(node, "clear")
        before = [views(node)[tlp] for tlp in ("clear", "green")]
        a.put(direct, value, idn=idn, policy={"tlp": "amber"})
        a.deliver(node, direct)
        assert [views(node)[tlp] for tlp in ("clear", "green")] == before
        assert origins(node, Tlp.AMBER, value["id"]) == [a.node_id]

    def test_the_strongest_waiting_claim_appears_when_the_winner_goes(self, node, a, b, direct):
        value, idn = a.proven(1)
        b.put("clear", {**value, "name": "squatted"})
        b.deliver(node, "clear")
        a.put(direct, value, idn=idn, policy={"tlp": "amber"})
        a.write(direct, kind="retract", ids=[value["id"]])
        a.deliver(node, direct)
        assert origins(node, Tlp.AMBER, value["id"]) == [b.node_id]

    def test_two_that_pass_on_one_public_feed_do_not_conflict(self, node, a, b):
        a.put("clear", indicator(1))
        b.put("clear", indicator(1))
        a.deliver(node, "clear")
        b.deliver(node, "clear")
        assert states(node, ONE) == [("accepted", None), ("accepted", None)]
        assert origins(node, Tlp.CLEAR, ONE) == [a.node_id]

    def test_the_owners_identity_beats_a_provisional_claim(self, node, a, b):
        mine = indicator(1, created_by_ref=a.identity)
        b.put("clear", indicator(1, name="squatted"))
        a.put("clear", mine)
        b.deliver(node, "clear")
        a.deliver(node, "clear")
        assert origins(node, Tlp.CLEAR, ONE) == [a.node_id]

    @pytest.mark.parametrize("trust", ["known", "member", "blocked"])
    def test_what_readers_do_not_see_displaces_nothing_that_they_see(self, node, b, trust):
        """Or a stranger could empty the views by claiming what others pass on."""
        b.put("clear", indicator(1))
        b.deliver(node, "clear")
        before = views(node)
        stranger = Author(3)
        stranger.meets(node, trust, daily_limit=100)
        stranger.put("clear", indicator(1, created_by_ref=stranger.identity))
        stranger.deliver(node, "clear")
        assert views(node) == before
        assert states(node, ONE)[0] == ("accepted", None)

    def test_a_claim_that_is_accepted_later_takes_its_place(self, node, b):
        b.put("clear", indicator(1))
        b.deliver(node, "clear")
        owner = Author(3)
        owner.meets(node, "known")
        owner.put("clear", indicator(1, created_by_ref=owner.identity))
        owner.deliver(node, "clear")
        accept_quarantined(node, [ONE], origin=owner.node_id)
        assert origins(node, Tlp.CLEAR, ONE) == [owner.node_id]

    def test_t26_nobody_revokes_anothers_object(self, node, a, b):
        value, idn = a.proven(1)
        a.put("clear", value, idn=idn)
        a.deliver(node, "clear")
        before = views(node)
        b.put("clear", {**value, "revoked": True, "modified": LATER})
        b.write("clear", kind="retract", ids=[value["id"]])
        b.write("clear", kind="restrict", ids=[value["id"]], tlp="red")
        b.deliver(node, "clear")
        assert views(node) == before

    def test_a_name_with_any_character_proves_an_id(self, node, a):
        name = "zero\0and-bücher-and-more"
        value = indicator(1, id=own_stix_id(a.node_id, "indicator", name))
        a.put("clear", value, idn={value["id"]: name})
        assert a.deliver(node, "clear").accepted == 1


class TestWithdrawal:
    def retract(self, author, audience, *ids, **members):
        author.write(audience, kind="retract", ids=list(ids), **members)

    def test_the_last_version_is_shown_to_who_saw_the_others(self, node, a):
        a.put("clear", indicator(1))
        last = marked(indicator(1, modified=LATER, revoked=True), Tlp.CLEAR)
        self.retract(a, "clear", ONE, objects=[last])
        a.deliver(node, "clear")
        assert [v for i, v in view(node, Tlp.CLEAR) if i == ONE] == [LATER]
        assert states(node, ONE) == [("withdrawn", None), ("accepted", None)]

    def test_what_no_reader_saw_is_withdrawn_without_a_word(self, node, a):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=1)
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=3)
        last = marked(indicator(1, modified=LATER, revoked=True), Tlp.CLEAR)
        self.retract(a, "clear", ONE, objects=[last])
        a.deliver(node, "clear")
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}

    def test_a_withdrawal_is_honoured_from_an_origin_that_lost_trust(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=1)
        self.retract(a, "clear", ONE)
        a.deliver(node, "clear")
        assert ONE not in view_ids(node, Tlp.RED)

    def test_t54_an_old_copy_does_not_resurrect(self, node, a):
        a.put("clear", indicator(1))
        self.retract(a, "clear", ONE)
        a.put("clear", indicator(1))
        a.put("clear", indicator(1, modified=LATER))
        a.deliver(node, "clear")
        assert {state for state, _ in states(node, ONE)} == {"withdrawn"}
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}

    def test_the_same_withdrawal_in_two_feeds_is_no_fault(self, node, a, direct):
        last = marked(indicator(1, modified=LATER, revoked=True), Tlp.GREEN)
        for audience in ("green", direct):
            a.put(audience, indicator(1))
        for audience in ("green", direct):
            self.retract(a, audience, ONE, objects=[last])
        received = [a.deliver(node, audience) for audience in ("green", direct)]
        assert [r.rejected for r in received] == [0, 0]
        assert [v for i, v in view(node, Tlp.GREEN) if i == ONE] == [LATER]
        check_invariants(node)

    def test_an_observable_has_no_last_version_and_goes(self, node, a):
        value = domain("x.example")
        a.put("clear", value)
        self.retract(a, "clear", value["id"])
        a.deliver(node, "clear")
        assert value["id"] not in view_ids(node, Tlp.RED)


class TestNarrowing:
    """Of a wide and a narrow version the narrow one wins until the origin says otherwise (3.3)."""

    def test_the_narrow_version_takes_the_wide_one_out_of_wider_views(self, node, a, direct):
        a.put("green", indicator(1))
        a.deliver(node, "green")
        a.put(direct, indicator(1, modified=LATER), policy={"tlp": "amber"})
        a.deliver(node, direct)
        assert ONE not in view_ids(node, Tlp.GREEN)
        assert (ONE, LATER) in view(node, Tlp.AMBER)

    def test_a_narrow_version_counts_though_it_waits_in_quarantine(self, node, a, direct):
        """The label of an object is never laxer than its origin's last word (invariant 9)."""
        a.put("green", indicator(1))
        a.deliver(node, "green")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=2)
        a.put(direct, indicator(1, modified=LATER), policy={"tlp": "amber"})
        a.deliver(node, direct)
        assert ONE not in view_ids(node, Tlp.GREEN)

    def test_a_wide_version_out_of_quarantine_stays_below_the_narrow_one(self, node, a, direct):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=1)
        a.put("green", indicator(1))
        a.deliver(node, "green")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=3)
        a.put(direct, indicator(1, modified=LATER), policy={"tlp": "amber"})
        a.deliver(node, direct)
        with pytest.raises(Conflict, match="E_NOT_QUARANTINED"):
            accept_quarantined(node, [ONE])
        assert ONE not in view_ids(node, Tlp.GREEN)

    def test_a_later_wide_version_is_withheld(self, node, a, direct):
        a.put(direct, indicator(1), policy={"tlp": "amber"})
        a.deliver(node, direct)
        a.put("green", indicator(1, modified=LATER))
        a.deliver(node, "green")
        assert states(node, ONE) == [("accepted", None), ("withheld", "E_LABEL_LIVE")]
        assert ONE not in view_ids(node, Tlp.GREEN)
        assert (ONE, AT) in view(node, Tlp.AMBER)

    @pytest.mark.parametrize("refused_before", [False, True])
    def test_it_widens_when_it_supersedes_the_narrow_entry(self, node, a, direct, refused_before):
        narrow = a.put(direct, indicator(1), policy={"tlp": "amber"})
        a.deliver(node, direct)
        if refused_before:
            a.put("green", indicator(1, modified=LATER))
        a.put("green", indicator(1, modified=LATEST), supersedes=narrow)
        a.deliver(node, "green")
        assert ONE in view_ids(node, Tlp.GREEN)
        assert states(node, ONE)[-1] == ("accepted", None)

    def test_superseding_something_else_widens_nothing(self, node, a, direct):
        other = a.put(direct, indicator(2), policy={"tlp": "amber"})
        a.put(direct, indicator(1), policy={"tlp": "amber"})
        a.deliver(node, direct)
        a.put("green", indicator(1, modified=LATER), supersedes=other)
        a.deliver(node, "green")
        assert ONE not in view_ids(node, Tlp.GREEN)

    def test_a_marking_that_we_did_not_understand_binds_no_later_version(self, node, a):
        """Its strictness was our caution and not the origin's label."""
        unknown = "marking-definition--11111111-1111-4111-8111-111111111111"
        a.put("green", marked(indicator(1), Tlp.GREEN, unknown))
        a.put("green", indicator(1, modified=LATER))
        a.deliver(node, "green")
        assert states(node, ONE)[-1] == ("accepted", None)
        assert ONE in view_ids(node, Tlp.GREEN)


class TestFeedsThatOvertakeEachOther:
    """Feeds are pulled one after the other: what was said later may arrive first."""

    def test_an_older_version_beside_innocent_objects(self, node, a, direct):
        a.put(direct, indicator(1), indicator(2))
        a.put("green", indicator(1, modified=LATER))
        for audience in ("green", direct):
            assert a.deliver(node, audience).rejected == 0
        assert stix_id("indicator", 2) in view_ids(node, Tlp.GREEN)
        assert latest_versions(node, Tlp.GREEN) == [LATER]

    def test_a_withdrawn_object_beside_innocent_ones(self, node, a, direct):
        a.put("green", indicator(1))
        a.put(direct, indicator(1), indicator(2))
        a.put(direct, indicator(1, modified=LATER), indicator(3))
        a.write("green", kind="retract", ids=[ONE])
        for audience in ("green", direct):
            assert a.deliver(node, audience).rejected == 0
        assert {stix_id("indicator", 2), stix_id("indicator", 3)} <= view_ids(node, Tlp.GREEN)
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}

    def test_other_content_under_a_version_of_another_feed(self, node, a, direct):
        a.put("green", indicator(1))
        a.put(direct, indicator(1, name="another"))
        assert [a.deliver(node, x).rejected for x in ("green", direct)] == [0, 1]

    @pytest.mark.parametrize("names_it", [True, False])
    @pytest.mark.parametrize("wide_first", [True, False])
    def test_a_narrow_version_that_comes_after_the_wide_one(
        self, node, a, direct, names_it, wide_first
    ):
        narrow = a.put(direct, indicator(1), policy={"tlp": "amber"})
        a.put("green", indicator(1, modified=LATER), supersedes=narrow if names_it else None)
        for audience in ("green", direct) if wide_first else (direct, "green"):
            a.deliver(node, audience)
        assert (ONE in view_ids(node, Tlp.GREEN)) is names_it
        assert latest_versions(node, Tlp.AMBER) == [LATER if names_it else AT]

    def test_a_wide_version_that_comes_after_the_narrow_one(self, node, a, direct):
        a.put("green", indicator(1))
        a.put(direct, indicator(1, modified=LATER), policy={"tlp": "amber"})
        for audience in (direct, "green"):
            a.deliver(node, audience)
        assert ONE not in view_ids(node, Tlp.GREEN)
        assert [v for i, v in view(node, Tlp.AMBER) if i == ONE] == [LATER]


class TestRestrict:
    def restrict(self, author, audience, *ids, tlp="amber"):
        author.write(audience, kind="restrict", ids=list(ids), tlp=tlp)

    def test_it_leaves_every_view_until_a_stricter_version_comes(self, node, a, direct):
        a.put("green", indicator(1))
        self.restrict(a, "green", ONE)
        a.deliver(node, "green")
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}
        assert states(node, ONE) == [("withheld", "RESTRICTED")]
        a.put(direct, indicator(1, modified=LATER), policy={"tlp": "amber"})
        a.deliver(node, direct)
        assert ONE in view_ids(node, Tlp.AMBER)
        assert ONE not in view_ids(node, Tlp.GREEN)

    def test_a_laxer_label_than_the_live_one_changes_nothing(self, node, a):
        a.put("green", indicator(1))
        a.write("green", kind="restrict", ids=[ONE], tlp="clear")
        a.deliver(node, "green")
        assert ONE in view_ids(node, Tlp.GREEN)

    @pytest.mark.parametrize("at_once", [True, False])
    def test_the_next_wide_version_is_withheld_however_pages_are_cut(self, node, a, at_once):
        a.put("green", indicator(1))
        self.restrict(a, "green", ONE)
        a.put("green", indicator(1, modified=LATER))
        for until in [3] if at_once else [1, 2, 3]:
            a.deliver(node, "green", until=until)
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}
        assert states(node, ONE)[-1] == ("withheld", "E_LABEL_LIVE")

    @pytest.mark.parametrize("at_once", [True, False])
    def test_what_refers_to_it_leaks_from_now_on(self, node, a, at_once):
        a.put("green", indicator(1))
        self.restrict(a, "green", ONE)
        a.put("green", note(1, ONE))
        for until in [3] if at_once else [1, 2, 3]:
            a.deliver(node, "green", until=until)
        assert entry_states(node, a.feed("green").name)[2] == (3, "rejected", "E_REF_LEAK")

    def test_what_a_person_rejected_stays_rejected(self, node, a):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, trust=1)
        a.put("green", indicator(1))
        a.deliver(node, "green")
        reject_quarantined(node, [ONE], "not for us")
        self.restrict(a, "green", ONE)
        a.deliver(node, "green")
        assert states(node, ONE) == [("rejected", "REJECTED_BY_OPERATOR")]

    def test_stopping_the_relay_stops_it(self, node, a):
        a.put("green", indicator(1))
        a.write("green", kind="restrict", ids=[ONE], tlp="amber", stop_relay=True, seqs=[1])
        a.deliver(node, "green")
        assert entry_states(node, a.feed("green").name)[0] == (1, "stub", None)
        (row,) = rows_of(node, "SELECT record FROM entries WHERE seq = 1 AND state = 'stub'")
        value = json.loads(bytes(row["record"]))
        assert (value["dsse"], value["stub"]) == (None, 2)


class TestErase:
    def test_the_bytes_are_gone_and_the_chain_stands(self, node, a):
        a.put("clear", indicator(9))
        a.put("clear", indicator(1, name="Ada Lovelace"))
        a.deliver(node, "clear")
        a.write("clear", kind="erase", seqs=[2], reason="personal data")
        a.put("clear", indicator(3))
        assert a.deliver(node, "clear").error is None
        assert ONE not in {i for i, _ in view(node, Tlp.RED)}
        kept = rows_of(
            node, "SELECT content AS raw FROM objects UNION ALL SELECT record FROM entries"
        )
        assert not any(b"Lovelace" in bytes(row["raw"]) for row in kept)
        assert entry_states(node, a.feed("clear").name)[1] == (2, "stub", None)

    def test_what_another_entry_carries_too_stays(self, node, a):
        a.put("clear", indicator(9))
        a.put("clear", indicator(1), statement())
        a.put("clear", indicator(2), statement())
        a.write("clear", kind="erase", seqs=[2])
        a.deliver(node, "clear")
        assert STATEMENT in view_ids(node, Tlp.CLEAR)
        assert ONE not in view_ids(node, Tlp.CLEAR)

    def test_the_last_carrier_takes_it_along(self, node, a):
        a.put("clear", indicator(9))
        a.put("clear", statement())
        a.put("clear", statement())
        a.write("clear", kind="erase", seqs=[2])
        a.write("clear", kind="erase", seqs=[3])
        a.deliver(node, "clear")
        assert STATEMENT not in view_ids(node, Tlp.CLEAR)

    @pytest.mark.parametrize("at_once", [True, False])
    def test_innocent_objects_are_put_again(self, node, a, at_once):
        a.put("clear", indicator(9))
        a.put("clear", indicator(1), indicator(2, name="Ada Lovelace"))
        a.write("clear", kind="erase", seqs=[2])
        a.put("clear", indicator(1))
        for until in [4] if at_once else [2, 3, 4]:
            received = a.deliver(node, "clear", until=until)
        assert received.rejected == 0
        assert ONE in view_ids(node, Tlp.CLEAR)
        assert stix_id("indicator", 2) not in view_ids(node, Tlp.CLEAR)

    def test_erase_of_another_origins_entry_is_impossible(self, node, a, b):
        a.put("clear", indicator(9))
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        before = views(node)
        b.put("clear", domain("b.example"))
        b.put("clear", domain("c.example"))
        b.write("clear", kind="erase", seqs=[2])
        b.deliver(node, "clear")
        assert {k: [r for r in v if r[2] == a.node_id] for k, v in views(node).items()} == {
            k: [r for r in v if r[2] == a.node_id] for k, v in before.items()
        }


def test_entries_without_objects_carry_nothing(node, a):
    a.write("green", kind="noop", policy=policy_of("green"))
    assert a.deliver(node, "green").entries == 1
    check_invariants(node)


def test_trust_that_is_raised_settles_claims_like_any_acceptance(node, b):
    owner = Author(3)
    peer = owner.meets(node, "known")
    owner.put("clear", indicator(1, created_by_ref=owner.identity), indicator(2))
    b.put("clear", indicator(1))
    value, idn = b.proven(9)
    b.put("clear", value, idn=idn)
    owner.put("clear", {**value, "name": "squatted"})
    owner.deliver(node, "clear")
    b.deliver(node, "clear")
    set_peer(node, peer, PeerChanges(trust="trusted"))
    assert origins(node, Tlp.CLEAR, ONE) == [owner.node_id]
    assert origins(node, Tlp.CLEAR, value["id"]) == [b.node_id]
    assert ("quarantined", "E_ID_CONFLICT") in states(node, value["id"])
    assert stix_id("indicator", 2) in view_ids(node, Tlp.CLEAR)
    check_invariants(node)
