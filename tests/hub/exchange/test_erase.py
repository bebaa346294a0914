"""Erasing: an own entry everywhere, a foreign one at this node alone (PROTOCOL 2.4, 4.8)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from hub.errors import Conflict, NotFound
from hub.exchange.erase import erase_everywhere, erase_here
from hub.exchange.explain import explain_sharing
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import restrict_object
from hub.exchange.serve_feeds import PageRequest, read_feed_page
from hub.exchange.withdraw import withdraw_object
from hub.operators.tokens import add_token
from hub.storage.queries.feeds import find_feed, update_feed
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, entry_states, states, sync, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import (
    LATER,
    Author,
    domain,
    drafts,
    indicator,
    join,
    note,
    stix_id,
)
from tests.support.stored_state import check_invariants, envelope_in, events_of, rows_of

ONE, TWO, THREE = (stix_id("indicator", number) for number in (1, 2, 3))
ADA = "Ada Lovelace"


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
    yield made
    check_invariants(made)
    made.database.close()


def publish(node, *values, tlp=Tlp.GREEN, to=()):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, to=tuple(to)))


def green_of(node):
    return FeedName(node.node_id, "green")


def said(node, kind):
    rows = rows_of(
        node, f"SELECT record FROM entries WHERE kind = '{kind}' AND state = 'stored' ORDER BY seq"
    )
    return [json.loads(envelope_in(row["record"]).payload) for row in rows]


def holds(node, text):
    """Whether a text is left in the database's file or its log."""
    home = node.settings.home
    files = [home / "tocsin.db", home / "tocsin.db-wal"]
    return any(text.encode() in file.read_bytes() for file in files if file.exists())


def keep_head(node, origin):
    """Let a node hold the origin's head, as after a pull to the end."""
    with origin.database.read() as tx:
        theirs = find_feed(tx, green_of(origin))
    with node.database.write() as tx:
        held = find_feed(tx, green_of(origin))
        update_feed(
            tx, held.feed_row, head=theirs.head, head_seq=theirs.head_seq, head_ts=theirs.head_ts
        )


class TestEverywhere:
    def test_the_bytes_are_gone_and_the_neighbours_stay(self, a, b):
        publish(a, indicator(1, name=ADA), indicator(2))
        sync(a, b, "green")
        done = erase_everywhere(a, "green/2", "personal data", [ONE])
        assert done.objects == (ONE,)
        assert [page.rejected for page in sync(a, b, "green")] == [0]
        for node in (a, b):
            assert states(node, ONE) == [("erased", None)]
            assert TWO in view_ids(node, Tlp.GREEN)
            assert entry_states(node, green_of(a))[1] == (2, "stub", None)
        assert not holds(a, ADA)
        assert said(a, "erase")[0]["seqs"] == [2]
        (event,) = events_of(a, "ERASED")
        assert event["reason"] == "personal data"

    def test_every_entry_that_carried_a_version_is_named_in_its_feed(self, a, b, tmp_path, clock):
        c = make_node(tmp_path, "c", clock)
        to = [join(a, b), join(a, c)]
        publish(a, indicator(8), tlp=Tlp.AMBER, to=to)
        publish(a, indicator(1, name=ADA), tlp=Tlp.AMBER, to=to)
        publish(a, indicator(1, name=ADA, modified=LATER), tlp=Tlp.AMBER, to=to)
        done = erase_everywhere(a, f"{direct(b)}/3", "personal data")
        assert {feed for feed, *_ in done.entries} == {
            str(FeedName(a.node_id, direct(node))) for node in (b, c)
        }
        assert [payload["seqs"] for payload in said(a, "erase")] == [[2, 3], [2, 3]]
        assert not holds(a, ADA)

    def test_by_default_the_whole_entry_goes(self, a):
        publish(a, indicator(1), indicator(2))
        assert set(erase_everywhere(a, "green/2", "a mistake").objects) == {ONE, TWO}
        assert states(a, TWO) == [("erased", None)]

    def test_the_first_entry_is_restricted_to_red_and_blanked_here(self, a, b):
        publish(b, indicator(1, name=ADA))
        done = erase_everywhere(b, "green/1", "personal data")
        assert [(seq, kind) for _, seq, _, kind in done.entries] == [(3, "restrict")]
        assert said(b, "restrict")[0]["tlp"] == "red"
        assert not holds(b, ADA)
        join(a, b)
        sync(b, a, "green")
        assert states(a, ONE) == [("withheld", "ERASED_UNSEEN")]

    def test_receivers_delete_the_bytes_of_a_first_entry_too(self, a, b):
        join(a, b)
        publish(b, indicator(1, name=ADA), indicator(2))
        sync(b, a, "green")
        assert holds(a, ADA)
        erase_everywhere(b, "green/1", "personal data", [ONE])
        assert said(b, "restrict")[0]["erase"] is True
        assert [page.rejected for page in sync(b, a, "green")] == [0]
        a.database.forget_deleted()
        assert not holds(a, ADA)
        # The mark binds old copies, which a relay or another feed may still bring.
        assert states(a, ONE) == [("erased", None), ("withheld", "ERASED_UNSEEN")]
        assert entry_states(a, green_of(b))[0] == (1, "stub", None)
        assert TWO in view_ids(a, Tlp.GREEN)

    def test_an_old_copy_of_it_is_bound_and_a_new_publication_is_not(self, a):
        author = Author(1)
        author.meets(a)
        author.at += timedelta(minutes=2)
        author.write("green", kind="restrict", ids=[ONE, TWO], tlp="red", erase=True)
        author.put("green", indicator(2))
        author.deliver(a, "green")
        author.at -= timedelta(minutes=1)
        author.put("clear", indicator(1))
        author.deliver(a, "clear")
        assert {ONE, TWO} & view_ids(a, Tlp.RED) == {TWO}

    @pytest.mark.parametrize("word", ["yes", 1, None])
    def test_what_asks_for_it_in_other_words_is_malformed(self, a, word):
        author = Author(1)
        author.meets(a)
        author.put("green", indicator(1))
        author.write("green", kind="restrict", ids=[ONE], tlp="red", erase=word or [])
        assert author.deliver(a, "green").rejected == 1

    def test_a_withdrawal_that_is_erased_is_said_again(self, a, b, tmp_path, clock):
        publish(a, indicator(1, name=ADA))
        withdraw_object(a, ONE, "false positive")
        erase_everywhere(a, "green/2", "personal data")
        assert [payload.get("objects") for payload in said(a, "retract")] == [None]
        for node in (b, make_node(tmp_path, "c", clock)):
            if node is not b:
                join(node, a)
            sync(a, node, "green")
            assert {state for state, _ in states(node, ONE)} == {"withdrawn"}

    def test_what_cannot_be_erased_is_refused(self, a, b):
        publish(a, indicator(1))
        erase_everywhere(a, "green/2", "a mistake")
        for reference in ("green/2", "green/3"):  # a stub, and the erase itself
            with pytest.raises(Conflict, match="E_NOT_ERASABLE"):
                erase_everywhere(a, reference, "again")
        for reference in ("green/99", "green/x", "x" * 80, "f" * 64, "/1"):
            with pytest.raises(NotFound, match="E_ENTRY_UNKNOWN"):
                erase_everywhere(a, reference, "unknown")
        with pytest.raises(NotFound, match="E_NOT_FOUND"):
            erase_everywhere(a, "green/1", "not there", [THREE])
        sync(a, b, "green")
        with pytest.raises(Conflict, match="E_NOT_ERASABLE"):
            erase_everywhere(b, f"{green_of(a)}/1", "not mine")

    def test_why_still_has_an_answer(self, a):
        add_token(a, "siem", "own", max_tlp=Tlp.RED, originals=True)
        publish(a, indicator(1))
        erase_everywhere(a, "green/2", "a mistake")
        assert explain_sharing(a, ONE, "siem").code == "ERASED"

    def test_an_entry_is_found_by_its_hash_too(self, a):
        publish(a, indicator(1))
        (row,) = rows_of(a, "SELECT hash FROM entries WHERE seq = 2")
        assert erase_everywhere(a, row["hash"], "a mistake").objects == (ONE,)


class TestT54ResurrectingWhatWasRetracted:
    """THREATS 54: tombstones and feed order."""

    @pytest.fixture
    def author(self, b):
        made = Author(1)
        made.meets(b)
        made.put("green", indicator(9))
        return made

    @pytest.mark.parametrize("at_once", [True, False])
    @pytest.mark.parametrize("modified", [None, LATER])
    def test_t54_erasing_it_first_does_not_bring_it_back(self, b, author, at_once, modified):
        author.put("green", indicator(1))
        author.write("green", kind="retract", ids=[ONE])
        author.write("green", kind="erase", seqs=[2])
        author.put("green", indicator(1, **({"modified": modified} if modified else {})))
        for until in [5] if at_once else range(1, 6):
            assert author.deliver(b, "green", until=until).rejected == 0
        assert {state for state, _ in states(b, ONE)} == {"withdrawn"}

    def test_t54_an_observable_stays_withdrawn_too(self, b, author):
        value = domain("x.example")
        author.put("green", value)
        author.write("green", kind="retract", ids=[value["id"]])
        author.write("green", kind="erase", seqs=[2])
        author.put("green", value)
        author.deliver(b, "green")
        assert value["id"] not in view_ids(b, Tlp.RED)

    def test_t54_what_was_withdrawn_unseen_never_appears(self, b, author):
        author.write("green", kind="retract", ids=[ONE, TWO])
        author.put("green", indicator(1), indicator(3))
        author.put("green", note(1, THREE))
        author.deliver(b, "green")
        assert ONE not in view_ids(b, Tlp.RED)
        assert THREE in view_ids(b, Tlp.GREEN)

    def test_t54_the_origin_itself_cannot_either(self, a):
        publish(a, indicator(1))
        withdraw_object(a, ONE, "false positive")
        erase_everywhere(a, "green/2", "personal data")
        for value in (indicator(1), indicator(1, modified="2026-03-01T10:30:00.000Z")):
            assert publish(a, value).refused[0].code == "E_WITHDRAWN"


class TestHere:
    @pytest.fixture
    def given(self, a, b):
        publish(a, indicator(1, name=ADA), indicator(2))
        publish(a, indicator(3))
        sync(a, b, "green")
        return f"{green_of(a)}/2"

    def test_nothing_of_it_is_left_but_who_when_and_why(self, b, given):
        done = erase_here(b, given, "court order 7", actor="carol")
        assert set(done.objects) == {ONE, TWO}
        assert not holds(b, ADA)
        assert {ONE, TWO}.isdisjoint(view_ids(b, Tlp.RED))
        assert states(b, ONE) == [("erased", "ERASED_HERE")]
        (row,) = rows_of(b, "SELECT seq, erased_by, reason FROM erasures")
        assert row == {"seq": 2, "erased_by": "carol", "reason": "court order 7"}
        assert events_of(b, "ERASED_HERE")[0]["reason"] == "court order 7"

    def test_a_relay_serves_up_to_it_and_then_says_so(self, b, given, a, tmp_path, clock):
        keep_head(b, a)
        erase_here(b, given, "court order 7")
        reader = join(b, make_node(tmp_path, "c", clock))
        collection = green_of(a).collection_id
        page = json.loads(read_feed_page(b, reader, collection, PageRequest(0, 100)))
        assert ([item["seq"] for item in page["objects"]], page["more"]) == ([1], True)
        with pytest.raises(NotFound, match="E_ERASED"):
            read_feed_page(b, reader, collection, PageRequest(1, 100))
        page = json.loads(read_feed_page(b, reader, collection, PageRequest(2, 100)))
        assert [item["seq"] for item in page["objects"]] == [3]

    def test_what_another_entry_carries_too_is_named(self, a, b, given):
        publish(a, note(1, TWO))
        feed = green_of(a)
        sync(a, b, "green")
        erase_everywhere(a, "green/2", "personal data", [ONE])
        sync(a, b, "green")
        with pytest.raises(Conflict, match="E_NOT_ERASABLE"):
            erase_here(b, given, "its origin was faster")
        again = next(seq for seq, *_ in reversed(entry_states(b, feed)) if seq > 4)
        assert erase_here(b, f"{feed}/{again - 1}", "court order 7").elsewhere == ()

    def test_its_origin_does_not_bring_it_back(self, a, b, given):
        erase_here(b, given, "court order 7")
        publish(a, indicator(1, name="Lovelace", modified=LATER))
        assert [page.rejected for page in sync(a, b, "green")] == [0]
        assert states(b, ONE) == [("erased", "ERASED_HERE"), ("quarantined", "ERASED_HERE")]

    def test_the_origins_own_erasure_puts_a_stub_there_and_the_relay_goes_on(
        self, a, b, given, tmp_path, clock
    ):
        erase_here(b, given, "court order 7")
        erase_everywhere(a, "green/2", "personal data")
        sync(a, b, "green")
        keep_head(b, a)
        reader = join(b, make_node(tmp_path, "c", clock))
        page = json.loads(read_feed_page(b, reader, green_of(a).collection_id, PageRequest(0, 100)))
        assert (page["objects"][1]["dsse"], page["objects"][1]["stub"]) == (None, 4)

    def test_the_first_entry_of_a_feed_goes_like_any_other(self, a, b):
        publish(a, indicator(1))
        sync(a, b, "green")
        done = erase_here(b, f"{green_of(a)}/1", "court order 7")
        assert done.objects == (stix_id("indicator", 9),)
        publish(a, indicator(2))
        assert [page.error for page in sync(a, b, "green")] == [None]
        assert TWO in view_ids(b, Tlp.GREEN)

    def test_what_its_origin_restricted_waits_in_bytes_that_can_be_erased(self, a, b, given):
        restrict_object(a, ONE, Tlp.AMBER)
        sync(a, b, "green")
        assert (states(b, ONE), holds(b, ADA)) == ([("withheld", "RESTRICTED")], True)
        assert erase_here(b, given, "court order 7").objects == (ONE,)
        assert not holds(b, ADA)
        assert entry_states(b, green_of(a))[1] == (2, "stub", None)
        assert TWO in view_ids(b, Tlp.GREEN)
        with pytest.raises(Conflict, match="E_NOT_ERASABLE"):
            erase_here(b, given, "again")

    def test_an_own_entry_is_never_missing_at_its_origin(self, a):
        publish(a, indicator(1))
        with pytest.raises(Conflict, match="E_OWN_ENTRY"):
            erase_here(a, "green/2", "court order 7")

    @pytest.mark.parametrize("reason", ["", "x" * 1025])
    def test_a_reason_has_one_to_1024_characters(self, b, given, reason):
        with pytest.raises(Conflict, match="E_REASON"):
            erase_here(b, given, reason)
