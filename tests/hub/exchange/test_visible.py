"""Which reader finds what: a view is a function of what its readers may see (PROTOCOL 3.5)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.operators.tokens import add_token, revoke_token
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from tests.support.joined_nodes import view, view_ids, view_rows, views
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import LATER, Author, drafts, indicator, join, stix_id

ONE = stix_id("indicator", 1)
TWO = stix_id("indicator", 2)


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
def direct(node):
    return direct_audience(node.node_id)


def on_name(number, name):
    return indicator(number, pattern=f"[domain-name:value = '{name}']")


class TestCeilings:
    @pytest.mark.parametrize("tlp", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])
    def test_an_object_is_where_the_ceiling_reaches_its_label(self, node, a, direct, tlp):
        audience = tlp.wire if tlp <= Tlp.GREEN else direct
        a.put(audience, indicator(1), policy={"tlp": tlp.wire})
        a.deliver(node, audience)
        assert [ceiling for ceiling in Tlp if ONE in view_ids(node, ceiling)] == [
            ceiling for ceiling in Tlp if ceiling >= tlp
        ]


class TestDates:
    """Each view has a clock of its own, so that no reader's cursor skips anything."""

    def dates(self, node, ceiling=Tlp.CLEAR):
        return [row["date_added"] for row in view_rows(node, ceiling)]

    def test_they_increase_strictly_though_the_clock_goes_back(self, node, a, clock):
        for number in range(4):
            a.put("clear", indicator(number))
            a.deliver(node, "clear")
            clock.advance(seconds=-30 if number % 2 else 10)
        assert all(before < after for before, after in pairwise(self.dates(node)))

    def test_at_most_twenty_share_a_millisecond(self, node, a):
        for start in (0, 60):
            a.put("clear", *(indicator(start + number) for number in range(60)))
        a.deliver(node, "clear")
        dates = self.dates(node)
        assert len(dates) >= 120
        assert max(Counter(date // 1000 for date in dates).values()) == 20

    def test_one_views_dates_say_nothing_of_anothers(self, node, a, direct):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        before = views(node)["clear"]
        a.put(direct, *(indicator(n) for n in range(2, 50)), policy={"tlp": "amber"})
        a.deliver(node, direct)
        a.put("clear", indicator(60))
        a.deliver(node, "clear")
        assert views(node)["clear"][: len(before)] == before
        gap = self.dates(node)[-1] - self.dates(node)[-2]
        assert gap == 1

    def test_a_version_that_is_shown_anew_has_a_new_date(self, node, a):
        """A reader with a cursor behind the first showing finds it."""
        a.put("clear", indicator(1))
        a.put("clear", indicator(1, modified=LATER))
        a.deliver(node, "clear")
        assert [i for i, _ in view(node, Tlp.CLEAR)][-2:] == [ONE, ONE]


class TestConstituents:
    """They see AMBER that touches their zones or prefixes, and no other (PROTOCOL 3.2)."""

    def amber(self, node, a, direct, *values):
        a.put(direct, *values, policy={"tlp": "amber"})
        a.deliver(node, direct)

    def ids_of(self, node, name):
        return view_ids(node, Tlp.GREEN, f"token:{name}")

    @pytest.mark.parametrize("token_first", [True, False])
    def test_what_touches_a_zone(self, node, a, direct, token_first):
        if token_first:
            add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        self.amber(
            node, a, direct, on_name(1, "www.bank.example"), on_name(2, "notbank.example"),
        )  # fmt: skip
        if not token_first:
            add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        assert ONE in self.ids_of(node, "bank")
        assert TWO not in self.ids_of(node, "bank")

    def test_amber_strict_never(self, node, a, direct):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        a.put(direct, on_name(1, "bank.example"), policy={"tlp": "amber+strict"})
        a.deliver(node, direct)
        assert ONE not in self.ids_of(node, "bank")

    def test_anothers_zone_never(self, node, a, direct):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        add_token(node, "shop", "constituent", zones=["shop.example"], originals=True)
        self.amber(node, a, direct, on_name(1, "bank.example"))
        assert ONE in self.ids_of(node, "bank")
        assert ONE not in self.ids_of(node, "shop")

    def test_green_always(self, node, a):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        a.put("green", on_name(1, "other.example"))
        a.deliver(node, "green")
        assert ONE in self.ids_of(node, "bank")

    def test_a_revoked_constituents_view_is_gone(self, node, a, direct):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        revoke_token(node, "bank")
        self.amber(node, a, direct, on_name(1, "bank.example"))
        assert self.ids_of(node, "bank") == set()

    def test_a_pattern_that_says_more_touches_nothing(self, node, a, direct):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        pattern = "[domain-name:value = 'bank.example' AND domain-name:value = 'x.example']"
        self.amber(node, a, direct, indicator(1, pattern=pattern))
        assert ONE not in self.ids_of(node, "bank")

    def test_a_tightened_object_leaves_their_view(self, node, a, direct):
        add_token(node, "bank", "constituent", zones=["bank.example"], originals=True)
        self.amber(node, a, direct, on_name(1, "bank.example"))
        a.write(direct, kind="restrict", ids=[ONE], tlp="amber+strict")
        a.deliver(node, direct)
        assert ONE not in self.ids_of(node, "bank")


class TestOwnPublications:
    def test_ones_own_stand_beside_those_of_others(self, node, a, tmp_path):
        join(node, make_node(tmp_path, "b"), name="b")
        publish_objects(node, PublishRequest(drafts(indicator(1)), Tlp.GREEN))
        a.put("green", indicator(2))
        a.deliver(node, "green")
        assert {ONE, TWO} <= view_ids(node, Tlp.GREEN)

    def test_a_proven_claim_of_a_peer_displaces_an_own_provisional_one(self, node, a):
        value, idn = a.proven(1)
        publish_objects(node, PublishRequest(drafts(value | {"name": "mine"}), Tlp.CLEAR))
        a.put("clear", value, idn=idn)
        a.deliver(node, "clear")
        latest = [
            row["origin"]
            for row in view_rows(node, Tlp.CLEAR)
            if row["stix_id"] == value["id"] and row["latest"]
        ]
        assert latest == [a.node_id]

    def test_an_own_late_claim_does_not_displace_the_owners(self, node, a):
        value, idn = a.proven(1)
        a.put("clear", value, idn=idn)
        a.deliver(node, "clear")
        before = views(node)
        publish_objects(node, PublishRequest(drafts(value | {"name": "mine"}), Tlp.CLEAR))
        shown = [row for row in views(node)["clear"] if row[0] == value["id"]]
        assert shown == [row for row in before["clear"] if row[0] == value["id"]]


class TestLatest:
    def test_the_flag_goes_back_when_the_newest_is_erased(self, node, a):
        a.put("clear", indicator(9))
        a.put("clear", indicator(1))
        a.put("clear", indicator(1, modified=LATER))
        a.write("clear", kind="erase", seqs=[3])
        a.deliver(node, "clear")
        rows = [row for row in view_rows(node, Tlp.CLEAR) if row["stix_id"] == ONE]
        assert [(row["version"], bool(row["latest"])) for row in rows] == [
            (indicator(1)["modified"], True)
        ]
