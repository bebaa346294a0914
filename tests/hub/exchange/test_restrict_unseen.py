"""What an origin restricted before it ever came is bound all the same (PROTOCOL 2.4, 3.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.exchange.erase import erase_here
from hub.exchange.releases import honour_releases
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, states, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import LATER, Author, domain, indicator, note, stix_id
from tests.support.stored_state import check_invariants, rows_of

ONE, TWO = (stix_id("indicator", number) for number in (1, 2))
UNSEEN = ("withheld", "RESTRICTED_UNSEEN")


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node)
    author.write(direct(node), kind="restrict", ids=[ONE], tlp="amber")
    author.deliver(node, direct(node))
    return author


@pytest.mark.usefixtures("a")
def test_a_mark_is_left_and_no_reader_sees_it(node):
    assert states(node, ONE) == [UNSEEN]
    assert ONE not in view_ids(node, Tlp.RED)


def test_the_old_version_comes_in_under_the_stricter_label(node, a):
    a.put("green", indicator(1), indicator(2))
    assert a.deliver(node, "green").rejected == 0
    assert states(node, ONE) == [("withheld", "RESTRICTED")]
    assert (ONE in view_ids(node, Tlp.RED), TWO in view_ids(node, Tlp.GREEN)) == (False, True)


def test_so_does_a_copy_that_a_relay_brings_and_a_later_version_of_the_wide_feed(node, a):
    relay = Author(2)
    relay.meets(node)
    a.put("green", indicator(1))
    a.put("green", indicator(1, modified=LATER))
    head = relay.relay_head(a, "green")
    a.deliver(node, "green", until=1, sender=relay, relay_head=head)
    a.deliver(node, "green")
    assert [state for state, _ in states(node, ONE)] == ["withheld", "withheld"]


def test_a_version_that_prints_the_stricter_label_is_shown_and_binds_the_old_one(node, a):
    a.put(direct(node), indicator(1, modified=LATER), policy={"tlp": "amber"})
    a.put("green", indicator(1))
    a.deliver(node, direct(node))
    a.deliver(node, "green")
    assert ONE in view_ids(node, Tlp.AMBER)
    assert ONE not in view_ids(node, Tlp.GREEN)


def test_the_origin_widens_again_by_name(node, a):
    a.put("green", indicator(1), supersedes=a.feed(direct(node)).hashes[0])
    a.deliver(node, "green")
    assert ONE in view_ids(node, Tlp.GREEN)


def test_a_second_restriction_counts_as_far_as_it_is_stricter(node, a):
    a.write(direct(node), kind="restrict", ids=[ONE], tlp="amber+strict")
    a.write(direct(node), kind="restrict", ids=[ONE], tlp="green")
    a.put(direct(node), indicator(1), policy={"tlp": "amber"})
    a.deliver(node, direct(node))
    assert ONE not in view_ids(node, Tlp.RED)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_observable_too_whether_it_was_erased_before_or_not(node, a, at_once):
    value = domain("x.example")
    a.put("green", indicator(9))
    a.put("green", value)
    a.write("green", kind="erase", seqs=[2])
    a.write("green", kind="restrict", ids=[value["id"], TWO], tlp="amber")
    a.put("green", value)
    for until in [5] if at_once else range(1, 6):
        assert a.deliver(node, "green", until=until).rejected == 0
    assert value["id"] not in view_ids(node, Tlp.RED)


def test_what_was_erased_and_restricted_comes_back_under_the_stricter_label(node, a):
    a.put("green", indicator(9))
    a.put("green", indicator(2))
    a.write("green", kind="erase", seqs=[2])
    a.write("green", kind="restrict", ids=[TWO], tlp="amber")
    a.put("green", indicator(2))
    a.deliver(node, "green")
    assert TWO not in view_ids(node, Tlp.RED)


def test_a_withdrawal_is_final_all_the_same(node, a):
    a.write(direct(node), kind="retract", ids=[ONE], reason="wrong")
    a.put(direct(node), indicator(1), policy={"tlp": "amber"})
    a.deliver(node, direct(node))
    assert {state for state, _ in states(node, ONE)} == {"withdrawn"}


def test_an_exercise_marks_nothing(node, a):
    a.write(
        direct(node), kind="restrict", ids=[TWO], tlp="amber",
        policy={"tlp": "green", "relay": "none", "exercise": True},
    )  # fmt: skip
    a.deliver(node, direct(node))
    assert states(node, TWO) == []


def test_a_version_that_an_exercise_had_under_other_content_is_malformed(node, a):
    policy = {"tlp": "green", "relay": "none", "exercise": True}
    a.put(direct(node), indicator(2), policy=policy)
    a.write(direct(node), kind="restrict", ids=[TWO], tlp="amber")
    a.put(direct(node), indicator(2, name="another.example"), policy={"tlp": "amber"})
    a.deliver(node, direct(node))
    assert entry_states(node, a.feed(direct(node)).name)[-1][1:] == ("rejected", "E_STALE_MODIFIED")


def test_a_mark_is_no_claim_to_the_id_and_resolves_no_reference(node, a):
    other = Author(3)
    other.meets(node)
    other.put("green", indicator(1))
    other.deliver(node, "green")
    a.put("green", note(1, ONE))
    a.deliver(node, "green")
    assert ONE in view_ids(node, Tlp.GREEN)
    assert entry_states(node, a.feed("green").name) == [(1, "rejected", "E_REF_LEAK")]


def test_an_old_release_in_advance_is_not_honoured(node, a, clock):
    """A ``restrict`` is the later word than a release signed before it."""
    now = a.at
    a.at = now + timedelta(minutes=1)
    a.write("green", kind="restrict", ids=[TWO], tlp="amber")
    a.deliver(node, "green")
    a.at = now
    policy = {"tlp": "amber", "release": {"at": "2026-03-01T10:00:00.000Z", "tlp": "green"}}
    a.put(direct(node), indicator(2), policy=policy)
    a.deliver(node, direct(node))
    clock.advance(hours=1)
    assert honour_releases(node) == 0
    assert (TWO in view_ids(node, Tlp.AMBER), TWO in view_ids(node, Tlp.GREEN)) == (True, False)


class TestAskedToBeErased:
    """A ``restrict`` that asks for the bytes to go, of what came in part or not at all."""

    def erase(self, a, node, *ids):
        a.at += timedelta(minutes=2)
        a.write(direct(node), kind="restrict", ids=list(ids), tlp="red", erase=True)

    def deliver_old(self, a, node, *values):
        a.at -= timedelta(minutes=1)
        a.put("green", *values)
        assert (a.deliver(node, "green").entries, a.deliver(node, "green").rejected) == (1, 0)

    @pytest.mark.parametrize("at_once", [True, False])
    def test_a_mark_is_not_erased_by_it_but_says_so_from_then_on(self, node, a, at_once):
        self.erase(a, node, ONE)
        a.write(direct(node), kind="restrict", ids=[ONE], tlp="amber+strict")
        for until in [3] if at_once else (2, 3):
            assert a.deliver(node, direct(node), until=until).error is None
        self.deliver_old(a, node, indicator(1))
        assert ONE not in view_ids(node, Tlp.RED)

    def test_an_old_copy_of_what_was_held_does_not_bring_it_back(self, node, a):
        a.put(direct(node), indicator(2), policy={"tlp": "green"})
        self.erase(a, node, TWO)
        a.deliver(node, direct(node))
        assert states(node, TWO)[0] == ("erased", None)
        self.deliver_old(a, node, indicator(2))
        assert TWO not in view_ids(node, Tlp.RED)

    def test_its_origin_may_publish_it_again(self, node, a):
        a.put(direct(node), indicator(2), policy={"tlp": "green"})
        self.erase(a, node, ONE, TWO)
        a.deliver(node, direct(node))
        a.at += timedelta(minutes=1)
        a.put("green", indicator(1), indicator(2))
        a.put("green", note(1, ONE, TWO))
        a.deliver(node, "green")
        assert {ONE, TWO, stix_id("note", 1)} <= view_ids(node, Tlp.GREEN)

    def test_what_was_erased_by_law_stays_so_whatever_its_origin_says_of_it(self, node, a):
        a.put(direct(node), indicator(9), policy={"tlp": "green"})
        a.put(direct(node), indicator(2, name="Ada Lovelace"), policy={"tlp": "green"})
        a.deliver(node, direct(node))
        erase_here(node, f"{a.feed(direct(node)).name}/3", "court order 7")
        a.write(direct(node), kind="restrict", ids=[TWO], tlp="amber")
        a.put("green", indicator(2, name="Ada Lovelace"))
        a.deliver(node, direct(node))
        a.deliver(node, "green")
        contents = rows_of(node, f"SELECT content FROM objects WHERE stix_id = '{TWO}'")
        assert {bytes(row["content"]) for row in contents} == {b""}

    @pytest.mark.parametrize("first", ["old", "new"])
    def test_old_copies_are_erased_whichever_comes_first(self, node, a, first):
        a.put("green", indicator(1, name="Ada Lovelace"))
        self.erase(a, node, ONE)
        a.put("clear", indicator(1, modified=LATER))
        a.deliver(node, direct(node))
        for audience in ("green", "clear") if first == "old" else ("clear", "green"):
            a.deliver(node, audience)
        assert ONE in view_ids(node, Tlp.CLEAR)
        assert sorted(states(node, ONE)) == [
            ("accepted", None), ("erased", None), ("withheld", "ERASED_UNSEEN"),
        ]  # fmt: skip
        contents = rows_of(node, "SELECT content FROM objects")
        assert not any(b"Ada Lovelace" in bytes(row["content"]) for row in contents)

    def test_an_observable_may_be_published_and_referred_to_again(self, node, a):
        value = domain("x.example")
        a.put(direct(node), value, policy={"tlp": "green"})
        self.erase(a, node, value["id"])
        a.put(direct(node), value, note(1, value["id"]), policy={"tlp": "green"})
        a.put(direct(node), note(2, value["id"]), policy={"tlp": "green"})
        assert a.deliver(node, direct(node)).rejected == 0
        assert value["id"] in view_ids(node, Tlp.GREEN)

    def test_a_later_restriction_binds_what_was_published_since(self, node, a):
        self.erase(a, node, ONE)
        a.write(direct(node), kind="restrict", ids=[ONE], tlp="amber")
        a.deliver(node, direct(node))
        a.put("green", indicator(1))
        a.deliver(node, "green")
        assert states(node, ONE)[1] == ("withheld", "RESTRICTED")

    def test_what_another_feed_has_published_since_stays(self, node, a):
        three = stix_id("indicator", 3)
        a.put("green", indicator(2), indicator(3))
        self.erase(a, node, TWO, three)
        a.at += timedelta(minutes=1)
        a.put("green", indicator(3, modified=LATER))
        a.deliver(node, "green")
        a.deliver(node, direct(node))
        assert {TWO, three} & view_ids(node, Tlp.RED) == {three}
        assert sorted(states(node, three)) == [
            ("accepted", None), ("erased", None), ("withheld", "ERASED_UNSEEN"),
        ]  # fmt: skip
