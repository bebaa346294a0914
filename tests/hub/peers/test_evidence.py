"""Forks and breaches: what is kept, what freezes, who is told, and what a liar cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation.errors import EntryDeferred, PeerState, SignatureRejected
from federation.feeds.heads import head_payload
from federation.identity.node_document import Position, RevokedKey
from federation.identity.rotation import NextDocument, new_record, next_payload
from federation.signing.signer import SeedSigner, seal
from federation.transport.peer_answers import FeedPage
from hub.errors import Conflict, NotFound
from hub.exchange.own_feeds import append_entry
from hub.monitoring.alarms import list_alarms
from hub.peers.admit_evidence import MOST_A_DAY, admit_evidence
from hub.peers.evidence_room import BRANCH_OF_FEED, MOST_AGAINST_ONE
from hub.peers.freeze import freeze_feed, thaw_feed
from hub.peers.gossip import gossip_with
from hub.peers.known_nodes import pinned
from hub.peers.pull import pull_peer
from hub.peers.pull_feed import FeedPull
from hub.peers.root_files import RootFiles, read_root_signers
from hub.peers.stated_heads import find_good_head, keep_head
from hub.peers.suspend import resume_peer, suspend_peer
from hub.peers.wake import accept_wake
from hub.storage.queries.evidence import branch_of, list_evidence, store_evidence
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.nodes import StoredDocument, documents_of, store_document
from hub.storage.queries.peers import find_peer
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, direct_audience
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE, NODE_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.joined_nodes import entry_states, view_ids
from tests.support.nodes import (
    FixedClock,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.publications import Author, indicator, join, stix_id
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
    author.meets(node)
    return author


def twin_of(author: Author, shared: int, *numbers: int, audience: str = "clear") -> Author:
    """The same origin on another branch, after ``shared`` entries in common."""
    twin = Author(author.number, at=author.at)
    feed, own = twin.feed(audience), author.feed(audience)
    feed.entries, feed.hashes = own.entries[:shared], own.hashes[:shared]
    feed.prev = feed.hashes[-1] if shared else feed.prev
    for number in numbers:
        twin.put(audience, indicator(number))
    return twin


def state_of(node, feed):
    with node.database.read() as tx:
        held = find_feed(tx, feed)
    return None if held is None else held.state


def evidence(node):
    with node.database.read() as tx:
        return list_evidence(tx)


def alarms(node):
    return {(alarm.code, alarm.subject) for alarm in list_alarms(node)}


def body_of(node, number=0):
    """A stored proof as it goes over the wire."""
    row = evidence(node)[number]
    with node.database.read() as tx:
        documents = [strict_loads(document.dsse) for document in documents_of(tx, row.accused)]
    return write_json({"proofs": [strict_loads(row.body)], "node": documents})


def keep(node, value):
    with node.database.write() as tx:
        head = find_good_head(tx, value)
        assert head is not None
        keep_head(tx, head)


class TestForksFoundHere:
    def test_t12_an_entry_of_another_branch_freezes_the_feed_with_both_kept(self, node, a):
        for number in (1, 2):
            a.put("clear", indicator(number))
        a.deliver(node, "clear")
        twin = twin_of(a, 1, 3, 4)
        received = twin.deliver(node, "clear", after=1, sender=a)
        feed = a.feed("clear").name
        assert received.error.code == "E_FORK"
        assert state_of(node, feed) == "frozen"
        (row,) = evidence(node)
        assert (row.kind, row.accused, row.seq, row.sender) == ("fork", a.node_id, 2, None)
        with node.database.read() as tx:
            other = [entry.hash for entry in branch_of(tx, str(feed))]
        assert other == twin.feed("clear").hashes[1:]
        assert ("FEED_FROZEN", str(feed)) in alarms(node)
        assert not rows_of(
            node, f"SELECT 1 FROM objects WHERE stix_id = '{stix_id('indicator', 3)}'"
        )
        check_invariants(node)

    def test_a_prev_that_is_not_ours_is_enough(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin = twin_of(a, 0, 2, 3)
        assert twin.deliver(node, "clear", after=1, sender=a).error.code == "E_FORK"
        assert evidence(node)[0].seq == 1
        assert state_of(node, a.feed("clear").name) == "frozen"

    def test_what_was_read_before_stays_readable_and_nothing_is_taken(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin_of(a, 0, 2).deliver(node, "clear", after=0, sender=a)
        a.put("clear", indicator(5))
        assert a.deliver(node, "clear").error.code == "E_FROZEN"
        assert stix_id("indicator", 1) in view_ids(node, Tlp.CLEAR)
        assert entry_states(node, a.feed("clear").name) == [(1, "stored", None)]

    def test_our_own_branch_going_on_is_no_other_branch(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin_of(a, 0, 2).deliver(node, "clear", after=0, sender=a)
        a.put("clear", indicator(5))
        a.deliver(node, "clear")
        with node.database.read() as tx:
            kept = branch_of(tx, str(a.feed("clear").name))
        assert len(kept) == 1
        assert len(evidence(node)) == 1

    def test_another_feed_of_the_same_origin_goes_on(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin_of(a, 0, 2).deliver(node, "clear", after=0, sender=a)
        a.put("green", indicator(7))
        assert a.deliver(node, "green").error is None

    def test_a_fork_that_heads_alone_show(self, node, a):
        """Two peers state heads ahead of all that is held, of one seq and two hashes."""
        b, c = Author(2), Author(3)
        b.meets(node)
        c.meets(node)
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        feed = a.feed("clear").name
        for peer, digit in ((b, "b"), (b, "b"), (c, "c")):
            accept_wake(node, _peer(node, peer), _wake(_head(a, 9, digit * 64)))
        (row,) = evidence(node)
        assert (row.seq, state_of(node, feed)) == (9, "frozen")
        proof = strict_loads(row.body)
        assert {proof["a"]["payloadType"], proof["b"]["payloadType"]} == {HEAD_TYPE}

    def test_a_head_that_a_peer_stated_ahead_of_us_is_remembered(self, tmp_path, node, a, clock):
        """The contradiction shows when our chain gets there, whoever served it."""
        b = make_node(tmp_path, "relay", clock)
        with serving(b):
            pair(b, node, "trusted")
            a.meets(b)
            twin = twin_of(a, 0, 1, 2)
            accept_wake(node, peer_of(node, b), _wake(twin.head("clear")))
            a.put("clear", indicator(5))
            a.put("clear", indicator(6))
            a.deliver(b, "clear")
            keep(b, a.head("clear"))
            assert pull_peer(node, peer_of(node, b)).error is None
        assert state_of(node, a.feed("clear").name) == "frozen"
        b.database.close()

    def test_one_contradiction_is_told_once(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        for number in (2, 2, 3):
            twin_of(a, 0, number).deliver(node, "clear", after=0, sender=a)
        assert len(evidence(node)) == 2  # the third is another pair
        frozen = rows_of(node, "SELECT 1 FROM audit_events WHERE code = 'FEED_FROZEN'")
        assert len(frozen) == 1

    def test_t36_what_a_forking_origin_fills_is_bounded(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        _fill(node, MOST_AGAINST_ONE - 1, accused=a.node_id)
        for number in (2, 50):
            twin_of(a, 0, *range(number, number + 40)).deliver(node, "clear", after=0, sender=a)
        assert len(evidence(node)) == MOST_AGAINST_ONE
        with node.database.read() as tx:
            assert len(branch_of(tx, str(a.feed("clear").name))) == BRANCH_OF_FEED


class TestRevokedKeys:
    def test_t15_what_a_thief_signed_freezes_nothing(self, node, a):
        hashes = [a.write("clear") for _ in range(4)]
        a.deliver(node, "clear")
        _revoke(node, a, Position(4, hashes[-1]))
        thief = twin_of(a, 1, 7)
        received = thief.deliver(node, "clear", after=1, sender=a)
        assert received.error.code == "E_FORK"
        accept_wake(node, _peer(node, a), _wake(_head(a, 2, "e" * 64), _head(a, 4, "e" * 64)))
        assert state_of(node, a.feed("clear").name) == "open"
        assert evidence(node) == ()


class TestDemotion:
    def test_the_origin_goes_one_step_down_and_no_further(self, node, a):
        for audience in ("clear", "green"):
            a.put(audience, indicator(1 if audience == "clear" else 2))
            a.deliver(node, audience)
            number = 3 if audience == "clear" else 4
            twin_of(a, 0, number, audience=audience).deliver(node, audience, after=0, sender=a)
        peer = _peer(node, a)
        assert (peer.trust, peer.inbound, peer.outbound) == (3, "corroborated", int(Tlp.GREEN))
        (event,) = rows_of(node, "SELECT * FROM audit_events WHERE code = 'PEER_DEMOTED'")
        assert strict_loads(bytes(event["params"]))["outbound"] == ["amber+strict", "green"]

    def test_an_origin_that_is_no_peer_has_nothing_to_lose(self, node):
        stranger, relay = Author(4), Author(5)
        stranger.is_known_to(node)
        relay.meets(node)
        stranger.put("clear", indicator(1))
        stranger.deliver(
            node, "clear", sender=relay, relay_head=relay.relay_head(stranger, "clear")
        )
        twin = twin_of(stranger, 0, 2)
        twin.deliver(
            node, "clear", after=0, sender=relay, relay_head=relay.relay_head(twin, "clear")
        )
        assert state_of(node, stranger.feed("clear").name) == "frozen"


class TestThawing:
    @pytest.fixture
    def frozen(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin_of(a, 0, 2).deliver(node, "clear", after=0, sender=a)
        return a.feed("clear").name

    def test_a_person_thaws_and_the_held_branch_goes_on(self, node, a, frozen, clock):
        clock.advance(hours=1)
        assert thaw_feed(node, frozen, "telephoned").state == "open"
        assert ("FEED_FROZEN", str(frozen)) not in alarms(node)
        a.put("clear", indicator(5))
        assert a.deliver(node, "clear").error is None
        (event,) = rows_of(node, "SELECT * FROM audit_events WHERE code = 'FEED_THAWED'")
        assert event["actor"] == "operator"
        assert a.node_id in _jobs(node, "pull")

    def test_what_the_other_branch_had_signed_freezes_it_no_second_time(
        self, node, a, frozen, clock
    ):
        clock.advance(hours=1)
        thaw_feed(node, frozen, "telephoned")
        for number in (2, 3):  # the same entry, and another of that time
            other = twin_of(a, 0, number)
            assert other.deliver(node, "clear", after=0, sender=a).error.code == "E_FORK"
        assert state_of(node, frozen) == "open"

    def test_what_it_signs_afterwards_does(self, node, a, frozen, clock):
        thaw_feed(node, frozen, "telephoned")
        a.at = clock.advance(hours=1)
        twin_of(a, 0, 6).deliver(node, "clear", after=0, sender=a)
        assert state_of(node, frozen) == "frozen"

    def test_it_needs_a_frozen_feed_and_a_reason(self, node, a, frozen):
        with pytest.raises(WireFormatError):
            thaw_feed(node, frozen, " ")
        thaw_feed(node, frozen, "telephoned")
        with pytest.raises(Conflict) as refused:
            thaw_feed(node, frozen, "again")
        assert refused.value.code == "E_NOT_FROZEN"
        with pytest.raises(NotFound) as unknown:
            thaw_feed(node, FeedName(a.node_id, "green"), "what")
        assert unknown.value.code == "E_FEED_UNKNOWN"

    def test_a_feed_is_frozen_once(self, node, frozen):
        with node.database.write() as tx:
            assert not freeze_feed(tx, frozen, "E_FORK", node.now())


class TestProofsOfOthers:
    @pytest.fixture
    def proof(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        twin_of(a, 0, 2).deliver(node, "clear", after=0, sender=a)
        return body_of(node)

    @pytest.fixture
    def third(self, tmp_path, clock, node):
        made = make_node(tmp_path, "third", clock)
        join(made, node)
        yield made
        made.database.close()

    def test_t12_a_third_party_verifies_with_the_chain_in_the_body_and_freezes(
        self, node, a, third, proof
    ):
        assert admit_evidence(third, peer_of(third, node), proof) == 1
        feed = a.feed("clear").name
        assert state_of(third, feed) == "frozen"
        (row,) = evidence(third)
        assert (row.sender, row.accused) == (node.node_id, a.node_id)
        assert alarms(third) == {
            ("FEED_FROZEN", str(feed)), ("EVIDENCE_RECEIVED", str(row.evidence_id)),
        }  # fmt: skip
        a.meets(third)
        assert a.deliver(third, "clear").error.code == "E_FROZEN"

    def test_again_it_is_nothing_new(self, node, third, proof):
        sender = peer_of(third, node)
        assert [admit_evidence(third, sender, proof) for _ in range(2)] == [1, 0]

    def test_a_longer_chain_extends_what_is_pinned(self, node, a, third, proof):
        a.is_known_to(third)
        later = a.owner.after(a.document, identities=[a.identity])
        value = strict_loads(proof)
        value["node"] = [a.document.to_json(), later.to_json()]
        admit_evidence(third, peer_of(third, node), write_json(value))
        with third.database.read() as tx:
            assert len(documents_of(tx, a.node_id)) == 2

    def test_a_chain_that_contradicts_what_is_pinned_is_passed_over(self, node, a, third, proof):
        ours = a.owner.after(a.document, identities=[a.identity], name="Ours")
        theirs = a.owner.after(a.document, identities=[a.identity], name="Theirs")
        third_one = a.owner.document(
            version=3, prev=theirs.hash, identities=[a.identity], name="Theirs"
        )
        with third.database.write() as tx:
            for version, document in enumerate((a.document, ours), 1):
                raw = StoredDocument(a.node_id, version, document.hash, document.to_bytes())
                store_document(tx, raw, third.now())
        value = strict_loads(proof)
        value["node"] = [each.to_json() for each in (a.document, theirs, third_one)]
        assert admit_evidence(third, peer_of(third, node), write_json(value)) == 1
        with third.database.read() as tx:
            assert [d.hash for d in documents_of(tx, a.node_id)] == [a.document.hash, ours.hash]

    def test_without_documents_nobody_unknown_can_be_accused(self, node, third, proof):
        value = strict_loads(proof) | {"node": []}
        with pytest.raises(SignatureRejected) as refused:
            admit_evidence(third, peer_of(third, node), write_json(value))
        assert refused.value.params["because"] == "E_NODE_UNKNOWN"

    def test_a_liar_cannot_freeze_somebody_elses_feed(self, a, third, proof):
        a.meets(third)
        liar = Author(8)
        liar.meets(third)
        value = strict_loads(proof)
        feed = a.feed("clear").name
        forged = seal(liar.owner.entry, HEAD_TYPE, head_payload(feed, 1, EntryHash("d" * 64), a.at))
        lies = [
            {"type": "fork", "a": value["proofs"][0]["a"], "b": forged.to_json()},
            {"type": "fork", "a": value["proofs"][0]["a"], "b": value["proofs"][0]["a"]},
            {"type": "node", "a": {}, "b": {}},
            None,
        ]
        for lie in lies:
            for documents in (value["node"], [liar.document.to_json()], []):
                # A good proof beside it saves nothing: the body is one.
                body = write_json({"proofs": [value["proofs"][0], lie], "node": documents})
                with pytest.raises(SignatureRejected) as refused:
                    admit_evidence(third, _peer(third, liar), body)
                assert refused.value.code == "E_PROOF"
        assert state_of(third, feed) is None
        assert evidence(third) == ()

    def test_t46_a_refusal_does_not_tell_whose_documents_are_pinned(self, a, third, proof):
        """Whom a node knows is a relation: 404 elsewhere, so the same word here."""
        stranger = Author(8)
        stranger.meets(third, "known")
        value = strict_loads(proof)
        lie = value["proofs"][0] | {"b": seal(
            stranger.owner.entry, HEAD_TYPE,
            head_payload(a.feed("clear").name, 1, EntryHash("d" * 64), a.at),
        ).to_json()}  # fmt: skip
        bodies = [
            write_json({"proofs": proofs, "node": documents})
            for proofs in (value["proofs"], [lie])
            for documents in ([], value["node"])
        ]

        def said(body):
            try:
                return admit_evidence(third, _peer(third, stranger), body)
            except SignatureRejected as refused:
                return refused.code, refused.detail, dict(refused.params)

        unknown = [said(body) for body in bodies if body != bodies[1]]
        a.is_known_to(third)
        assert [said(body) for body in bodies if body != bodies[1]] == unknown
        assert evidence(third) == ()

    def test_t36_proofs_over_the_room_against_one_node_leave_no_trace_of_made_up_feeds(
        self, node, a
    ):
        """Names of feeds cost a liar nothing, and it may well accuse itself."""
        _fill(node, MOST_AGAINST_ONE, accused=a.node_id)
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        kinds = ("feeds", "freezes", "alarms", "audit_events")

        def sizes():
            return [rows_of(node, f"SELECT COUNT(*) AS n FROM {kind}")[0]["n"] for kind in kinds]

        def proof_about(feed):
            sides = [
                seal(a.owner.entry, HEAD_TYPE, head_payload(feed, 1, EntryHash(d * 64), a.at))
                for d in "de"
            ]
            return {"type": "fork", "a": sides[0].to_json(), "b": sides[1].to_json()}

        before = sizes()
        made_up = [FeedName(a.node_id, f"g-{letter * 26}") for letter in "abc"]
        body = write_json(
            {"proofs": list(map(proof_about, made_up)), "node": [a.document.to_json()]}
        )
        assert admit_evidence(node, _peer(node, a), body) == 0
        assert sizes() == before
        # What is held is frozen all the same.
        held = a.feed("clear").name
        body = write_json({"proofs": [proof_about(held)], "node": [a.document.to_json()]})
        admit_evidence(node, _peer(node, a), body)
        assert state_of(node, held) == "frozen"

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b'{"proofs":1}', b'{"proofs":[],"node":1}',
                 write_json({"proofs": [None] * 17})]
    )  # fmt: skip
    def test_a_body_of_another_form_is_malformed(self, node, third, body):
        with pytest.raises(WireFormatError):
            admit_evidence(third, peer_of(third, node), body)

    def test_t36_a_peer_brings_only_so_many_a_day(self, node, third, clock):
        def proof_against(number):
            author = Author(number)
            author.put("clear", indicator(1))
            other = twin_of(author, 0, 2)
            value = {"type": "fork", "a": author.head("clear"), "b": other.head("clear")}
            return write_json({"proofs": [value], "node": [author.document.to_json()]})

        sender = peer_of(third, node)
        _fill(third, MOST_A_DAY - 1, accused=third.node_id, sender=node.node_id)
        assert admit_evidence(third, sender, proof_against(2)) == 1
        with pytest.raises(EntryDeferred) as refused:
            admit_evidence(third, sender, proof_against(3))
        assert refused.value.code == "E_QUOTA"
        assert admit_evidence(third, sender, proof_against(2)) == 0
        clock.advance(hours=25)
        assert admit_evidence(third, sender, proof_against(3)) == 1


class TestOwnFeeds:
    def test_t16_a_proof_under_keys_of_a_thief_of_our_root_stops_nothing(self, node, a):
        thief = SeedSigner(b"t" * 32)
        with node.database.read() as tx:
            own = pinned(tx, node.node_id)
        record = new_record(
            own.newest, thief.kid, thief.alg, thief.public_key, "entry", own.newest.issued
        )
        change = NextDocument(keys=(*own.newest.keys, record))
        root = read_root_signers(own.newest, [RootFiles(node.settings.home).current], None)
        his = seal(root, NODE_TYPE, next_payload(own.newest, change, own.newest.issued))
        feed = FeedName(node.node_id, "clear")
        one, two = (
            seal(thief, HEAD_TYPE, head_payload(feed, 1, EntryHash(d * 64), node.now())).to_json()
            for d in "cd"
        )
        body = {
            "proofs": [{"type": "fork", "a": one, "b": two}],
            "node": [own.newest.envelope.to_json(), his.to_json()],
        }
        with pytest.raises(SignatureRejected):
            admit_evidence(node, _peer(node, a), write_json(body))
        assert state_of(node, feed) == "open"
        with node.database.read() as tx:
            assert pinned(tx, node.node_id) == own

    def test_a_proof_against_ourselves_stops_us_from_writing_there(self, node, a):
        feed = FeedName(node.node_id, "clear")
        with node.database.read() as tx:
            held = find_feed(tx, feed)
        other = seal(
            node.keys.entry, HEAD_TYPE, head_payload(feed, 1, EntryHash("c" * 64), node.now())
        )
        value = {"type": "fork", "a": strict_loads(held.head), "b": other.to_json()}
        assert admit_evidence(node, _peer(node, a), write_json({"proofs": [value]})) == 1
        assert state_of(node, feed) == "frozen"
        with pytest.raises(Conflict) as refused, node.database.write() as tx:
            append_entry(
                tx, node, feed, kind="noop", policy={"tlp": "clear", "relay": "public"},
                now=node.now(),
            )  # fmt: skip
        assert refused.value.code == "E_FROZEN"
        (alarm,) = [alarm for alarm in list_alarms(node) if alarm.code == "FEED_FROZEN"]
        assert alarm.params["own"] is True

    def test_a_head_of_ours_that_we_did_not_sign_so_is_evidence_against_ourselves(self, node, a):
        feed = FeedName(node.node_id, "clear")
        head = seal(
            node.keys.entry, HEAD_TYPE, head_payload(feed, 1, EntryHash("c" * 64), node.now())
        )
        accept_wake(node, _peer(node, a), _wake(head.to_json()))
        assert state_of(node, feed) == "frozen"


class TestRelays:
    """THREATS 24: a relay passes on what its origin keeps to itself."""

    @pytest.fixture
    def relay(self, node):
        author = Author(6)
        author.meets(node)
        return author

    def pull(self, node, relay, feed, pages):
        return FeedPull(node, _peer(node, relay), pages, lambda: False).run(feed, None)

    def test_t24_the_relay_head_and_the_entry_become_evidence_for_the_origin(self, node, a, relay):
        a.put("green", indicator(1), policy={"relay": "none"})
        pulled = self.pull(node, relay, a.feed("green").name, Pages(a, "green", relay))
        assert pulled.error.code == "E_RELAY_FORBIDDEN"
        assert stix_id("indicator", 1) not in view_ids(node, Tlp.RED)
        (row,) = evidence(node)
        assert (row.kind, row.accused) == ("relay", relay.node_id)
        assert set(strict_loads(row.body)) == {"type", "relayhead", "entry"}
        assert _jobs(node, "gossip") == {a.node_id}

    def test_t24_the_entry_that_the_relay_head_names_is_fetched_where_the_page_ends_before_it(
        self, node, a, relay
    ):
        for number in (1, 2, 3):
            a.put("green", indicator(number), policy={"relay": "none"})
        pages = Pages(a, "green", relay, size=1)
        self.pull(node, relay, a.feed("green").name, pages)
        (row,) = evidence(node)
        assert row.seq == 3
        assert pages.asked == 2

    def test_t24_of_a_group_or_direct_feed_the_relay_head_is_enough(self, node, a, relay):
        audience = direct_audience(node.node_id)
        a.put(audience, indicator(1))
        self.pull(node, relay, a.feed(audience).name, Pages(a, audience, relay))
        (row,) = evidence(node)
        assert set(strict_loads(row.body)) == {"type", "relayhead"}

    @pytest.mark.parametrize("spoilt", ["no relay head", "of another", "contradicts the page"])
    def test_a_page_that_was_refused_for_another_reason_gives_none(self, node, a, relay, spoilt):
        a.put("green", indicator(1))
        pages = Pages(a, "green", relay)
        pages.relay_head = {
            "no relay head": None,
            "of another": Author(7).relay_head(a, "green"),
            "contradicts the page": relay.relay_head(a, "green", entry_hash="f" * 64),
        }[spoilt]
        pulled = self.pull(node, relay, a.feed("green").name, pages)
        assert pulled.error.code == "E_RELAY_FORBIDDEN"
        assert evidence(node) == ()

    def test_t24_the_origin_checks_it_and_nobody_else_takes_it(self, tmp_path, node, clock, relay):
        origin = make_node(tmp_path, "origin", clock)
        reader = make_node(tmp_path, "reader", clock)
        for other in (origin, reader):
            join(other, node)
        group = FeedName(origin.node_id, "g-" + "a" * 26)
        head = relay.relay_head(Author(9), "clear", feed=group, seq=1, entry_hash="a" * 64)
        value = {"type": "relay", "relayhead": head}
        body = write_json({"proofs": [value], "node": [relay.document.to_json()]})
        assert admit_evidence(origin, peer_of(origin, node), body) == 1
        (row,) = evidence(origin)
        assert (row.kind, row.accused, row.sender) == ("relay", relay.node_id, node.node_id)
        assert ("EVIDENCE_RECEIVED", str(row.evidence_id)) in alarms(origin)
        with pytest.raises(SignatureRejected) as refused:
            admit_evidence(reader, peer_of(reader, node), body)
        assert refused.value.params["because"] == "E_FEED"
        origin.database.close()
        reader.database.close()


@pytest.fixture
def served(tmp_path):
    """b, c and d, all served and each the others' trusted peer; d lets nobody relay its GREEN."""
    folder = tmp_path
    clock = FixedClock()
    b, c = (make_node(folder, name, clock) for name in ("beta", "gamma"))
    d = make_node(folder, "delta", clock, profile={"green_relay": "none"})
    with serving(b, c, d):
        for one, other in ((b, c), (c, d), (d, b)):
            pair(one, other, "trusted")
        yield b, c, d
    for node in (b, c, d):
        node.database.close()


class TestSending:
    def test_t24_a_relay_that_passes_on_what_it_must_not_is_told_to_the_origin(self, served):
        """The relay is a real node whose operator bent its database."""
        relay, reader, origin = served
        publish_names(origin, ["kept.example"], "green")
        assert pull_peer(relay, peer_of(relay, origin)).error is None
        with relay.database.write() as tx:
            tx.connection.exec_driver_sql(
                f"UPDATE feeds SET relay = 'community' WHERE node_id = '{origin.node_id}'"
            )
        assert pull_peer(reader, peer_of(reader, relay)).error.code == "E_RELAY_FORBIDDEN"
        assert "kept.example" not in names_seen(reader)
        gossip_with(reader, peer_of(reader, relay))
        gossip_with(reader, peer_of(reader, origin))
        (row,) = [row for row in evidence(origin) if row.kind == "relay"]
        assert (row.accused, row.sender) == (relay.node_id, reader.node_id)
        assert ("EVIDENCE_RECEIVED", str(row.evidence_id)) in alarms(origin)
        assert [row for row in evidence(relay) if row.kind == "relay"] == []

    def test_t12_one_gossip_round_freezes_at_both(self, served):
        """Two entries of one seq at b and c; each is told by the other, and a third verifies."""
        b, c, d = served
        origin = Author(11)
        origin.put("clear", indicator(1))
        twin = twin_of(origin, 1, 3)
        origin.put("clear", indicator(2))
        for holder, branch in ((b, origin), (c, twin)):
            origin.meets(holder)
            assert branch.deliver(holder, "clear", sender=origin).error is None
            keep(holder, branch.head("clear"))
        feed = origin.feed("clear").name
        pull_peer(c, peer_of(c, b))
        assert (state_of(c, feed), state_of(b, feed)) == ("frozen", "open")
        assert _jobs(c, "gossip") >= {b.node_id, d.node_id}
        assert gossip_with(c, peer_of(c, b)).proofs == 1
        assert gossip_with(c, peer_of(c, d)).proofs == 1
        assert [state_of(each, feed) for each in (b, c, d)] == ["frozen"] * 3
        assert gossip_with(c, peer_of(c, b)).proofs == 0
        # Heads sufficed, so no content travelled.
        (row,) = [row for row in evidence(d) if row.feed == str(feed)]
        proof = strict_loads(row.body)
        assert {proof["a"]["payloadType"], proof["b"]["payloadType"]} == {HEAD_TYPE}

    def test_a_proof_goes_to_readers_alone(self, served):
        """Of a green feed a peer that is only known hears nothing, of a direct feed nobody."""
        b, member, _ = served
        origin, known = Author(12), Author(13)
        origin.meets(b)
        known.meets(b, "known")
        direct = direct_audience(b.node_id)
        _drop_jobs(b)
        for audience, number in (("green", 1), (direct, 2)):
            origin.put(audience, indicator(number))
            origin.deliver(b, audience)
            twin = twin_of(origin, 0, number + 2, audience=audience)
            twin.deliver(b, audience, after=0, sender=origin)
        # The origin hears of it too: an honest one has restored a backup or lost a key.
        assert _jobs(b, "gossip") >= {member.node_id, origin.node_id}
        assert known.node_id not in _jobs(b, "gossip")
        gossip_with(b, peer_of(b, member))
        told = {row.feed for row in evidence(member) if row.accused == origin.node_id}
        assert told == {str(origin.feed("green").name)}

    def test_a_peer_that_refuses_a_proof_is_not_asked_again(self, served):
        """Also what a peer of release 0.1 answers, which has no such address."""
        b, c, _ = served
        origin = Author(14)
        origin.meets(b)
        origin.put("clear", indicator(1))
        origin.deliver(b, "clear")
        twin_of(origin, 0, 2).deliver(b, "clear", after=0, sender=origin)
        where = f"accused = '{origin.node_id}'"
        with b.database.write() as tx:
            tx.connection.exec_driver_sql(f"UPDATE evidence SET body = x'7b7d' WHERE {where}")
        gossip_with(b, peer_of(b, c))
        assert gossip_with(b, peer_of(b, c)).proofs == 0
        (row,) = rows_of(
            b,
            f"SELECT code FROM evidence_told JOIN evidence USING (evidence_id) WHERE {where}"
            f" AND node_id = '{c.node_id}'",
        )
        assert row["code"] == "E_PROOF"

    def test_a_peer_that_does_not_know_us_just_now_is_told_later(self, served):
        """A suspended relation or a wrong clock is no word on the proof."""
        b, c, _ = served
        origin = Author(15)
        origin.meets(b)
        origin.put("clear", indicator(1))
        origin.deliver(b, "clear")
        twin_of(origin, 0, 2).deliver(b, "clear", after=0, sender=origin)
        suspend_peer(c, peer_of(c, b))
        with pytest.raises(PeerState) as refused:
            gossip_with(b, peer_of(b, c))
        assert refused.value.code == "E_HTTP_SIG"
        resume_peer(c, peer_of(c, b))
        assert gossip_with(b, peer_of(b, c)).proofs == 1
        assert state_of(c, origin.feed("clear").name) == "frozen"


class Pages:
    """A relay that serves an origin's feed from memory."""

    def __init__(self, origin: Author, audience: str, relay: Author, size: int = 100) -> None:
        self.origin = origin
        self.audience = audience
        self.relay_head = relay.relay_head(origin, audience)
        self.size = size
        self.asked = 0

    def page(self, feed, after_seq, limit=100):
        del feed
        self.asked += 1
        entries = self.origin.feed(self.audience).entries
        until = after_seq + min(self.size, limit)
        more = until < len(entries)
        return FeedPage(
            more, until if more else None, entries[after_seq:until],
            self.origin.head(self.audience), self.relay_head, None,
        )  # fmt: skip


def _peer(node, author):
    with node.database.read() as tx:
        found = find_peer(tx, author.node_id)
    assert found is not None
    return replace(found)


def _wake(*heads):
    return write_json({"heads": list(heads)})


def _head(author, seq, entry_hash):
    payload = head_payload(author.feed("clear").name, seq, EntryHash(entry_hash), author.at)
    return seal(author.owner.entry, HEAD_TYPE, payload).to_json()


def _jobs(node, kind):
    with node.database.read() as tx:
        return subjects_with_job(tx, kind)


def _fill(node, count, *, accused, sender=None):
    with node.database.write() as tx:
        for number in range(count):
            store_evidence(
                tx, digest=f"{number}", kind="fork", accused=accused, feed=None, seq=None,
                body=b"{}", sender=sender, at=node.now(),
            )  # fmt: skip


def _drop_jobs(node):
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM jobs")


def _revoke(node, author, *last_good):
    document = author.owner.after(
        author.document,
        identities=[author.identity],
        revoked=[RevokedKey(author.owner.entry.kid, "compromise", last_good)],
    )
    with node.database.write() as tx:
        raw = StoredDocument(author.node_id, 2, document.hash, document.to_bytes())
        store_document(tx, raw, node.now())
