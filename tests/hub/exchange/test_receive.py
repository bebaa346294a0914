"""The receiver's order of checks: what stops a feed, what is rejected, and what is stored.

Chain level stops before the entry and keeps what came before; content level stores the entry as
rejected, exposes nothing and goes on (PROTOCOL 2.4).
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import ChainBroken, EntryDeferred, SignatureRejected
from hub.storage.queries.feeds import find_feed, update_feed
from hub.storage.queries.peers import update_peer
from schemas.errors import WireFormatError
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE, SignedEnvelope
from schemas.timestamps import write_wire_time
from tests.support.joined_nodes import entry_states, states, view, view_ids
from tests.support.nodes import NOW, FixedClock, make_node
from tests.support.publications import (
    STATEMENT,
    Author,
    domain,
    hand_over,
    indicator,
    marked,
    note,
    page_of,
    policy_of,
    record,
    relationship,
    statement,
    stix_id,
)
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


class TestTakingIn:
    def test_entry_objects_views_and_cursor_come_together(self, node, a):
        a.put("clear", indicator(1), indicator(2))
        received = a.deliver(node, "clear")
        assert (received.entries, received.accepted, received.last_seq) == (1, 2, 1)
        assert received.error is None
        assert view_ids(node, Tlp.CLEAR) >= {stix_id("indicator", 1), stix_id("indicator", 2)}
        check_invariants(node)

    def test_t8_a_repeated_delivery_is_passed_silently(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        before = view(node, Tlp.CLEAR)
        again = a.deliver(node, "clear", after=0)
        assert (again.entries, again.duplicates, again.accepted) == (0, 1, 0)
        assert again.error is None
        assert view(node, Tlp.CLEAR) == before
        check_invariants(node)

    def test_a_page_that_overlaps_goes_on_behind_what_is_held(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        a.put("clear", indicator(2))
        again = a.deliver(node, "clear", after=0)
        assert (again.entries, again.duplicates, again.last_seq) == (1, 1, 2)

    def test_the_very_bytes_that_were_signed_are_kept(self, node, a):
        a.put("clear", marked(indicator(1, name="Bücher, naïve"), Tlp.CLEAR))
        a.deliver(node, "clear")
        payload = rows_of(node, "SELECT record FROM entries WHERE sender IS NOT NULL")
        content = rows_of(
            node, f"SELECT content FROM objects WHERE stix_id = '{stix_id('indicator', 1)}'"
        )
        assert "Bücher, naïve".encode() in bytes(content[0]["content"])
        assert len(payload) == 1

    def test_every_policy_member_is_read_and_stays_with_the_entry(self, node, a):
        policy = {
            "tlp": "green",
            "relay": "community",
            "pap": "green",
            "release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear"},
            "iep": {"attribution": "may", "notify_affected": "must-not"},
            "ack": [a.node_id],
            "machine": True,
            "named": ["Ada"],
            "urgency": "priority",
            "data_class": "personal",
            "legal_basis": "consent",
            "retain_until": "2027-01-01T00:00:00.000Z",
            "on_behalf_of": "Example Bank",
        }
        a.put("green", indicator(1), policy=policy)
        assert a.deliver(node, "green").accepted == 1
        assert entry_states(node, a.feed("green").name) == [(1, "stored", None)]


class TestChainLevel:
    """What cannot be trusted or placed stops the feed; what came before it is committed."""

    def stopped_after_one(self, node, a, error, code):
        assert isinstance(error.error, (ChainBroken, SignatureRejected, WireFormatError))
        assert error.error.code == code
        assert (error.entries, error.last_seq) == (1, 1)
        assert entry_states(node, a.feed("clear").name) == [(1, "stored", None)]
        check_invariants(node)

    def received_with(self, node, a, second):
        a.put("clear", indicator(1))
        feed = a.feed("clear")
        value = second if isinstance(second, dict) else record(feed.name, 2, second)
        return hand_over(node, feed.name, page_of([feed.entries[0], value]), a)

    def next_of(self, a, **members):
        """The entry after the first one."""
        a.put("clear", indicator(1))
        made = a.entry("clear", **members)
        del a.feeds["clear"]
        return made

    def test_t1_one_changed_byte_of_the_payload(self, node, a):
        good = self.next_of(a)
        bad = SignedEnvelope(
            good.payload_type, good.payload.replace(b'"noop"', b'"nooq"'), good.signatures
        )
        self.stopped_after_one(node, a, self.received_with(node, a, bad), "E_SIG_BAD")

    def test_t17_policy_is_signed(self, node, a):
        a.put("clear", indicator(1))
        good = a.entry("clear", kind="put", policy={"tlp": "amber"}, objects=[indicator(2)])
        a.feeds.clear()
        bad = SignedEnvelope(
            good.payload_type, good.payload.replace(b'"amber"', b'"clear"'), good.signatures
        )
        self.stopped_after_one(node, a, self.received_with(node, a, bad), "E_SIG_BAD")

    def test_t5_a_head_is_no_entry(self, node, a):
        a.put("clear", indicator(1))
        head = a.head("clear")
        value = record(a.feed("clear").name, 2, a.entry("clear")) | {"dsse": head}
        assert head["payloadType"] == HEAD_TYPE
        a.feeds.clear()
        self.stopped_after_one(node, a, self.received_with(node, a, value), "E_TYPE")

    def test_t5_an_http_key_signs_no_entry(self, node, a):
        made = self.next_of(a, signer=a.owner.http)
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_KEY_PURPOSE")

    def test_t4_an_unknown_key(self, node, a):
        made = self.next_of(a, signer=Author(9).owner.entry)
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_KEY_UNKNOWN")

    def test_t9_an_entry_of_another_feed(self, node, a):
        made = self.next_of(a, feed=str(a.feed("green").name))
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_FEED")

    def test_t9_an_entry_that_says_another_feed_in_its_hints(self, node, a):
        made = record(a.feed("clear").name, 2, self.next_of(a))
        made |= {"feed": str(a.feed("green").name)}
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_FEED")

    def test_t10_a_missing_entry(self, node, a):
        made = self.next_of(a, seq=3)
        value = record(a.feed("clear").name, 3, made)
        self.stopped_after_one(node, a, self.received_with(node, a, value), "E_GAP")

    def test_t14_a_seq_far_ahead(self, node, a):
        made = self.next_of(a, seq=2**53 - 1)
        value = record(a.feed("clear").name, 2**53 - 1, made)
        self.stopped_after_one(node, a, self.received_with(node, a, value), "E_GAP")

    def test_t12_another_prev_is_a_fork(self, node, a):
        made = self.next_of(a, prev="f" * 64)
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_FORK")

    def test_time_that_runs_backwards(self, node, a):
        made = self.next_of(a, ts=write_wire_time(NOW - timedelta(seconds=1)))
        # It is before the key was valid, too; the key's time is asked first.
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_KEY_REVOKED")
        a.feeds.clear()
        a.at = NOW + timedelta(seconds=10)
        a.put("green", indicator(5))
        a.at = NOW + timedelta(seconds=5)
        a.write("green")
        received = a.deliver(node, "green")
        assert (received.last_seq, received.error.code) == (1, "E_SEQ")

    def test_a_relay_rule_that_changes_within_the_feed(self, node, a):
        made = self.next_of(a, policy={"tlp": "clear", "relay": "none"})
        self.stopped_after_one(node, a, self.received_with(node, a, made), "E_POLICY")

    def test_t12_two_entries_of_one_seq(self, node, a):
        a.put("clear", indicator(1))
        a.put("clear", indicator(2))
        a.deliver(node, "clear")
        twin = Author(1)
        twin.put("clear", indicator(3))
        received = twin.deliver(node, "clear", after=0, sender=a)
        assert received.error.code == "E_FORK"
        assert stix_id("indicator", 3) not in view_ids(node, Tlp.RED)

    def test_a_frozen_feed_takes_nothing(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            held = find_feed(tx, a.feed("clear").name)
            update_feed(tx, held.feed_row, state="frozen")
        a.put("clear", indicator(2))
        received = a.deliver(node, "clear")
        assert (received.entries, received.error.code) == (0, "E_FROZEN")

    def test_t28_six_minutes_ahead_is_deferred_and_taken_when_due(self, node, a, clock):
        a.put("clear", indicator(1))
        a.at = NOW + timedelta(minutes=6)
        a.put("clear", indicator(2))
        received = a.deliver(node, "clear")
        assert isinstance(received.error, EntryDeferred)
        assert (received.entries, received.last_seq) == (1, 1)
        clock.advance(minutes=2)
        assert a.deliver(node, "clear").error is None

    def test_t28_a_day_ahead_is_refused(self, node, a):
        a.at = NOW + timedelta(hours=25)
        a.put("clear", indicator(1))
        received = a.deliver(node, "clear")
        assert isinstance(received.error, ChainBroken)
        assert received.error.code == "E_FUTURE"

    def test_a_chain_failure_is_reported_though_the_quota_is_used_up(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        with node.database.write() as tx:
            update_peer(tx, a.node_id, daily_limit=1)
        twin = Author(1)
        twin.put("clear", indicator(3))
        assert twin.deliver(node, "clear", after=0, sender=a).error.code == "E_FORK"


class TestContentLevel:
    """A sound entry with bad content is stored as rejected and shows nothing; the feed goes on."""

    def rejected(self, node, a, code, audience="green"):
        """Check that the first entry was rejected and the second taken."""
        a.put(audience, indicator(99))
        received = a.deliver(node, audience)
        feed = a.feed(audience).name
        assert entry_states(node, feed) == [(1, "rejected", code), (2, "stored", None)]
        assert (received.rejected, received.accepted, received.error) == (1, 1, None)
        mine = rows_of(node, f"SELECT stix_id FROM objects WHERE origin = '{a.node_id}'")
        assert [row["stix_id"] for row in mine] == [stix_id("indicator", 99)]
        check_invariants(node)

    def test_an_unknown_kind_waits_for_newer_software(self, node, a):
        a.write("green", kind="teleport", objects=[marked(indicator(1), Tlp.GREEN)])
        self.rejected(node, a, "E_SCHEMA")

    def test_an_unknown_kind_is_kept_whatever_its_name(self, node, a):
        a.write("green", kind="te\0leport")
        self.rejected(node, a, "E_SCHEMA")

    def test_an_unknown_critical_member(self, node, a):
        a.put("green", indicator(1), **{"!new": 1})
        self.rejected(node, a, "E_SCHEMA")

    def test_an_unknown_policy_member(self, node, a):
        a.put("green", indicator(1), policy={"colour": "blue"})
        self.rejected(node, a, "E_POLICY")

    @pytest.mark.parametrize("tlp", ["clear", "amber", "red", "sealed"])
    def test_a_label_that_the_green_feed_does_not_carry(self, node, a, tlp):
        policy = policy_of("green") | {"tlp": tlp}
        a.write("green", kind="put", policy=policy, objects=[marked(indicator(1), Tlp.GREEN)])
        self.rejected(node, a, "E_POLICY")

    def test_t55_an_object_that_is_no_stix(self, node, a):
        a.put("green", indicator(1, pattern=None))
        self.rejected(node, a, "E_SCHEMA")

    def test_t55_one_bad_object_among_good_ones_rejects_the_entry(self, node, a):
        a.put("green", indicator(1), indicator(2, valid_from="yesterday"))
        self.rejected(node, a, "E_SCHEMA")

    def test_no_objects_at_all(self, node, a):
        a.write("green", kind="put", objects=[])
        self.rejected(node, a, "E_SCHEMA")

    def test_one_id_twice_in_an_entry(self, node, a):
        a.put("green", indicator(1), indicator(1, name="again"))
        self.rejected(node, a, "E_SCHEMA")

    @pytest.mark.parametrize("printed", [Tlp.CLEAR, Tlp.AMBER, Tlp.RED])
    def test_a_printed_label_that_differs_from_the_entrys(self, node, a, printed):
        a.put("green", marked(indicator(1), printed))
        self.rejected(node, a, "E_POLICY")

    def test_a_missing_label_above_clear(self, node, a):
        a.put("green", indicator(1, object_marking_refs=[STATEMENT]), statement())
        self.rejected(node, a, "E_POLICY")

    def test_t19_a_definition_that_calls_red_clear_changes_nothing(self, node, a):
        fake = statement(id=Tlp.RED.marking_id, definition_type="statement")
        a.put("green", marked(indicator(1), Tlp.GREEN, Tlp.RED.marking_id), fake)
        self.rejected(node, a, "E_POLICY")

    def test_t20_a_red_part_inside_a_green_object(self, node, a):
        granular = [{"marking_ref": Tlp.RED.marking_id, "selectors": ["description"]}]
        a.put("green", indicator(1, description="secret", granular_markings=granular))
        self.rejected(node, a, "E_POLICY")

    def test_t21_a_green_relationship_to_a_hidden_observable(self, node, a):
        hidden = domain("secret.example")
        a.put("green", indicator(1), relationship(1, stix_id("indicator", 1), hidden["id"]))
        self.rejected(node, a, "E_REF_LEAK")

    def test_t21_an_id_in_free_text(self, node, a):
        hidden = domain("secret.example")["id"]
        a.put("green", indicator(1, description=f"see {hidden}"))
        self.rejected(node, a, "E_REF_LEAK")

    def test_t21_a_green_object_that_names_an_amber_one(self, node, a):
        mine = direct_audience(node.node_id)
        a.put(mine, indicator(7), policy={"tlp": "amber"})
        assert a.deliver(node, mine).accepted == 1
        a.put("green", indicator(1), note(1, stix_id("indicator", 7)))
        a.put("green", indicator(2))
        a.deliver(node, "green")
        assert entry_states(node, a.feed("green").name) == [
            (1, "rejected", "E_REF_LEAK"),
            (2, "stored", None),
        ]

    def test_a_proof_that_proves_nothing(self, node, a):
        value = indicator(1)
        a.put("green", value, idn={value["id"]: "a-name-of-its-own"})
        self.rejected(node, a, "E_ID_CONFLICT")

    def test_an_observable_under_an_id_that_is_not_its_values(self, node, a):
        a.put("green", {**domain("real.example"), "id": domain("other.example")["id"]})
        self.rejected(node, a, "E_SCHEMA")

    def test_t27_a_version_from_the_far_future(self, node, a):
        a.put("green", indicator(1, modified="2099-01-01T00:00:00.000Z"))
        self.rejected(node, a, "E_STALE_MODIFIED")

    def test_an_older_version_after_a_newer_one(self, node, a):
        a.put("green", indicator(1, modified="2026-03-01T09:30:00.000Z"))
        a.put("green", indicator(1))
        a.put("green", indicator(2))
        a.deliver(node, "green")
        assert entry_states(node, a.feed("green").name)[1] == (2, "rejected", "E_STALE_MODIFIED")
        assert dict(view(node, Tlp.GREEN))[stix_id("indicator", 1)] == "2026-03-01T09:30:00.000Z"

    def test_other_content_under_the_same_version(self, node, a):
        a.put("green", indicator(1))
        a.put("green", indicator(1, name="another"))
        a.deliver(node, "green")
        assert entry_states(node, a.feed("green").name)[1] == (2, "rejected", "E_STALE_MODIFIED")

    def test_the_objects_beside_a_bad_one_are_untouched(self, node, a):
        """An entry counts whole or not at all."""
        a.put("green", indicator(1))
        a.put("green", indicator(2), indicator(1, name="another"))
        a.deliver(node, "green")
        assert stix_id("indicator", 2) not in view_ids(node, Tlp.RED)
        check_invariants(node)

    def test_a_withdrawal_that_carries_something_else_than_last_versions(self, node, a):
        a.put("green", indicator(1))
        a.put("green", indicator(2))
        a.deliver(node, "green")
        live = marked(indicator(2, modified="2026-03-01T09:30:00.000Z"), Tlp.GREEN)
        policy = policy_of("green")
        a.write(
            "green", kind="retract", ids=[stix_id("indicator", 1)], policy=policy, objects=[live]
        )
        a.deliver(node, "green")
        assert entry_states(node, a.feed("green").name)[2] == (3, "rejected", "E_SCHEMA")
        assert states(node, stix_id("indicator", 1)) == [("accepted", None)]


class TestThroughARelay:
    @pytest.fixture
    def b(self, node):
        relay = Author(2)
        relay.meets(node, "partner")
        return relay

    @pytest.fixture
    def origin(self, node):
        author = Author(3)
        author.is_known_to(node)
        author.put("green", indicator(1))
        return author

    def test_the_origins_keys_verify_what_a_relay_brings(self, node, origin, b):
        head = b.relay_head(origin, "green")
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert (received.entries, received.error) == (1, None)

    def test_the_origins_trust_counts_and_not_the_senders(self, node, origin, b):
        head = b.relay_head(origin, "green")
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert (received.accepted, received.quarantined) == (0, 1)
        assert view_ids(node, Tlp.RED).isdisjoint({stix_id("indicator", 1)})

    def test_a_trusted_origin_behind_a_relay_is_accepted(self, node, a, b):
        a.put("green", indicator(1))
        received = a.deliver(node, "green", sender=b, relay_head=b.relay_head(a, "green"))
        assert received.accepted == 1

    def test_t24_no_relay_head(self, node, origin, b):
        received = origin.deliver(node, "green", sender=b)
        assert received.error.code == "E_RELAY_FORBIDDEN"
        assert received.entries == 0

    @pytest.mark.parametrize(
        "changes",
        [
            {"entry_hash": "f" * 64},
            {"ts": NOW - timedelta(hours=49)},
            {"ts": NOW + timedelta(hours=49)},
        ],
    )
    def test_t24_a_relay_head_that_does_not_fit(self, node, origin, b, changes):
        head = b.relay_head(origin, "green", **changes)
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert received.error.code == "E_RELAY_FORBIDDEN"
        assert rows_of(node, "SELECT * FROM entries WHERE sender IS NOT NULL") == []

    def test_t24_a_relay_head_that_ends_before_the_page(self, node, origin, b):
        head = b.relay_head(origin, "green")
        origin.put("green", indicator(2))
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert received.error.code == "E_RELAY_FORBIDDEN"

    def test_t24_another_relays_head(self, node, origin, b):
        other = Author(4)
        other.meets(node, "partner")
        head = other.relay_head(origin, "green")
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert received.error.code == "E_RELAY_FORBIDDEN"

    def test_t24_a_relay_head_of_another_feed(self, node, origin, b):
        origin.put("clear", indicator(5))
        head = b.relay_head(origin, "clear")
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert received.error.code == "E_RELAY_FORBIDDEN"

    def test_t24_a_feed_that_its_origin_keeps_from_relays(self, node, b):
        origin = Author(5)
        origin.is_known_to(node)
        origin.put("green", indicator(1), policy={"relay": "none"})
        head = b.relay_head(origin, "green")
        received = origin.deliver(node, "green", sender=b, relay_head=head)
        assert (received.entries, received.error.code) == (0, "E_RELAY_FORBIDDEN")

    def test_t24_a_direct_feed_is_never_relayed(self, node, b):
        origin = Author(5)
        origin.is_known_to(node)
        mine = direct_audience(node.node_id)
        origin.put(mine, indicator(1), policy={"tlp": "amber"})
        head = b.relay_head(origin, mine)
        received = origin.deliver(node, mine, sender=b, relay_head=head)
        assert (received.entries, received.error.code) == (0, "E_RELAY_FORBIDDEN")
        assert view_ids(node, Tlp.RED).isdisjoint({stix_id("indicator", 1)})

    def test_what_the_origin_sent_itself_a_relay_may_repeat(self, node, a, b):
        a.put("green", indicator(1))
        a.deliver(node, "green")
        received = a.deliver(node, "green", after=0, sender=b, relay_head=b.relay_head(a, "green"))
        assert (received.duplicates, received.error) == (1, None)

    def test_a_rejected_entry_is_kept_as_it_came_so_that_relays_have_no_gap(self, node, a):
        a.write("green", kind="teleport")
        a.deliver(node, "green")
        kept = rows_of(node, "SELECT record FROM entries WHERE state = 'rejected'")
        assert b'"dsse"' in bytes(kept[0]["record"])


class TestQuota:
    def test_beyond_the_daily_limit_the_feed_waits_until_tomorrow(self, node, a, clock):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, daily_limit=3)
        a.put("clear", indicator(1), indicator(2))
        a.put("clear", indicator(3), indicator(4))
        received = a.deliver(node, "clear")
        assert (received.entries, received.last_seq) == (1, 1)
        assert isinstance(received.error, EntryDeferred)
        assert received.error.code == "E_QUOTA"
        clock.advance(days=1)
        assert a.deliver(node, "clear").accepted == 2

    def test_what_is_held_already_costs_nothing(self, node, a):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, daily_limit=2)
        a.put("clear", indicator(1), indicator(2))
        a.deliver(node, "clear")
        again = a.deliver(node, "clear", after=0)
        assert (again.duplicates, again.error) == (1, None)

    def test_an_entry_larger_than_the_limit_is_taken_on_a_day_of_its_own(self, node, a):
        with node.database.write() as tx:
            update_peer(tx, a.node_id, daily_limit=1)
        a.put("clear", indicator(1), indicator(2))
        assert a.deliver(node, "clear").accepted == 2
        a.put("clear", indicator(3))
        assert a.deliver(node, "clear").error.code == "E_QUOTA"

    @pytest.mark.parametrize("kind", ["restrict", "retract"])
    def test_names_of_what_never_came_take_room_and_count(self, node, a, kind):
        """THREATS 36: each leaves a row, so that what comes later is bound."""
        with node.database.write() as tx:
            update_peer(tx, a.node_id, daily_limit=9)
        words = {"kind": kind} | ({"tlp": "amber"} if kind == "restrict" else {})
        a.write("clear", **words, ids=[stix_id("indicator", n) for n in range(64)])
        a.write("clear", **words, ids=[stix_id("indicator", n) for n in range(64, 80)])
        received = a.deliver(node, "clear")
        assert (received.entries, received.error.code) == (1, "E_QUOTA")

    def test_an_origin_that_is_no_peer_has_the_limit_of_known(self, node):
        relay, origin = Author(2), Author(3)
        relay.meets(node, "partner")
        origin.is_known_to(node)
        for start in range(0, 504, 63):
            origin.put("clear", *(indicator(start + n) for n in range(63)))
        head = relay.relay_head(origin, "clear")
        received = origin.deliver(node, "clear", sender=relay, relay_head=head)
        assert (received.entries, received.error.code) == (7, "E_QUOTA")

    def test_an_unverified_peer_has_the_limit_of_known(self, node):
        author = Author(6)
        author.meets(node, "partner", verified=False)
        for start in range(0, 504, 63):
            author.put("clear", *(indicator(start + n) for n in range(63)))
        assert author.deliver(node, "clear").error.code == "E_QUOTA"
