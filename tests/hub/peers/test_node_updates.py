"""Newer documents are posted to peers, and what becomes of them there (PROTOCOL 2.3, 2.6)."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from federation.errors import SignatureRejected
from federation.identity.node_document import pin_chain, rootset
from federation.identity.rotation import MOST_POSTED
from federation.signing.keys import KeyRecord, key_id
from federation.signing.request_auth import sign_request
from hub.errors import Conflict, RateLimited
from hub.peers.authenticate import ArrivedRequest, find_key_owner
from hub.peers.directory import peer_state
from hub.peers.known_nodes import pinned
from hub.peers.node_conflicts import MOST_KEPT, is_frozen, thaw_node
from hub.peers.node_documents import LARGEST_CHAIN, read_hint, store_chain
from hub.peers.node_updates import accept_documents
from hub.peers.pull import pull_peer
from hub.peers.root_files import RootFiles, read_root_signers
from hub.peers.rotate_keys import revoke_key, rotate_key
from hub.storage.queries.node_updates import overruled_documents, told_version
from hub.workers.jobs import run_due_jobs
from schemas.errors import TocsinError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from tests.support.joined_nodes import view_ids
from tests.support.nodes import (
    FixedClock,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.publications import Author, indicator, stix_id
from tests.support.revocations import learn, revocation
from tests.support.shared_data import shared_path
from tests.support.signed_nodes import T0, T1, record_of, seeded
from tests.support.signed_requests import ask, code_of
from tests.support.stored_state import events_of, rows_of

HOUR = timedelta(hours=1)
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group of Ed25519."""
FRESH_ROOT = rootset(1, [seeded(250).public_key]).hex()
NEW_HTTP = seeded(240)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


def post(node, author, *documents, signer=None, to=None):
    """Post documents as the author would, signed with its http key or another."""
    body = write_json({"node": [document.to_json() for document in documents]})
    return post_bytes(node, author, body, signer=signer, to=to)


def post_bytes(node, author, body, *, signer=None, to=None, sent=None, admit=lambda: None):
    """Sign a body and send it, or another one in its place."""
    target = "/federation/v1/node"
    headers = sign_request(
        method="POST",
        url=read_hint(node)["base"].removesuffix("/") + target,
        body=body,
        recipient=to or node.node_id,
        signer=signer or author.owner.http,
        created=node.now(),
        nonce=os.urandom(16),
    )
    lower = {name.lower(): value for name, value in headers.items()}
    arrived = ArrivedRequest("POST", target, lower, body if sent is None else sent)
    return accept_documents(node, arrived, admit_stranger=admit)


def refusal(node, author, *documents, **more):
    with pytest.raises(TocsinError) as refused:
        post(node, author, *documents, **more)
    return refused.value.code


def second(author, **changes):
    """The author's next document, under the same root."""
    return author.owner.after(author.document, **({"identities": [author.identity]} | changes))


def rotated(author, **changes):
    """The author's next document under the root that was committed to."""
    following = author.owner.following_root
    members = {"root_keys": [following.public_key], "next_root": FRESH_ROOT}
    return author.owner.after(
        author.document, following, identities=[author.identity], **(members | changes)
    )


def document_version(envelope):
    return strict_loads(envelope.payload)["version"]


def held(node, author):
    with node.database.read() as tx:
        return pinned(tx, author.node_id)


class TestTakingIn:
    def test_the_next_document_is_stored_and_its_version_told(self, node, a):
        assert post(node, a, second(a)) == 2
        assert held(node, a).newest.version == 2

    def test_several_in_ascending_order_and_those_held_pass_silently(self, node, a):
        two = second(a)
        three = second(a, version=3, prev=two.hash)
        assert post(node, a, a.document, two, three) == 3
        assert post(node, a, a.document, two, three) == 3

    def test_t14_a_version_that_is_skipped_is_refused(self, node, a):
        assert refusal(node, a, second(a, version=3)) == "E_NODE_VERSION"
        assert held(node, a).newest.version == 1

    def test_name_and_base_of_the_peer_follow(self, node, a):
        post(node, a, second(a, name="New name", base="https://new.registry.example/"))
        peer = peer_of(node, a.node_id)
        assert (peer.name, peer.base) == ("New name", "https://new.registry.example/")

    def test_a_key_that_only_the_posted_document_lists_may_sign(self, node, a):
        """Its own old http key is lost, so nothing else can speak for the node."""
        keys = [record_of(a.owner.entry, "entry"), record_of(NEW_HTTP, "http")]
        assert post(node, a, second(a, keys=keys), signer=NEW_HTTP) == 2
        assert held(node, a).http_key(NEW_HTTP.kid, node.now())
        assert held(node, a).http_key(a.owner.http.kid, node.now()) is None

    def test_such_a_key_counts_only_where_the_root_signed_for_it(self, node, a):
        keys = [record_of(a.owner.entry, "entry"), record_of(NEW_HTTP, "http")]
        forged = a.owner.after(a.document, seeded(99), keys=keys)
        assert refusal(node, a, forged, signer=NEW_HTTP) == "E_HTTP_SIG"

    def test_t36_of_a_stranger_s_body_no_more_is_read_than_documents_have(self, node, a):
        """Nobody knows yet who sends what only a key inside of it has signed."""
        read = []
        stored = b'{"node":[' + b"1," * (32 * MOST_POSTED + 1) + b"1]}"
        longer = b'{"node":["' + b"x" * (LARGEST_CHAIN + 1_024) + b'"]}'
        for body in (stored, longer):
            with pytest.raises(SignatureRejected, match="E_HTTP_SIG"):
                post_bytes(node, a, body, signer=NEW_HTTP, admit=lambda: read.append(1))
        assert read == []
        keys = [record_of(a.owner.entry, "entry"), record_of(NEW_HTTP, "http")]
        body = write_json({"node": [second(a, keys=keys).to_json()]})
        assert post_bytes(node, a, body, signer=NEW_HTTP, admit=lambda: read.append(1)) == 2
        assert read == [1]

    def test_t36_a_known_key_asks_no_gate_and_its_body_is_read_only_when_it_signed(self, node, a):
        def closed():
            raise RateLimited("E_QUOTA", "closed", "", retry_after=1)

        assert post_bytes(node, a, write_json({"node": [second(a).to_json()]}), admit=closed) == 2
        with pytest.raises(SignatureRejected, match="E_HTTP_SIG"):
            post_bytes(node, a, b"[" * 99, signer=a.owner.http, sent=b"{" * 99, admit=closed)

    def test_a_new_key_that_did_not_sign_this_very_request_is_a_stranger_s(self, node, a):
        keys = [record_of(a.owner.entry, "entry"), record_of(NEW_HTTP, "http")]
        body = write_json({"node": [second(a, keys=keys).to_json()]})
        with pytest.raises(SignatureRejected, match="E_HTTP_SIG"):
            post_bytes(node, a, b"{}", signer=NEW_HTTP, sent=body)
        assert held(node, a).newest.version == 1

    def test_a_stranger_is_told_nothing(self, node, a):
        stranger = Author(5)
        assert refusal(node, stranger, second(stranger)) == "E_HTTP_SIG"
        stranger.is_known_to(node)
        assert refusal(node, stranger, second(stranger)) == "E_HTTP_SIG"
        with node.database.write() as tx:
            tx.connection.exec_driver_sql("UPDATE peers SET state = 'suspended'")
        assert refusal(node, a, second(a)) == "E_HTTP_SIG"

    def test_nobody_posts_for_another(self, node, a):
        b = Author(2)
        b.meets(node)
        assert refusal(node, b, second(a)) == "E_KEY_UNKNOWN"

    def test_a_document_that_claims_the_http_key_of_another_peer_is_refused(self, node, a):
        b = Author(2)
        b.meets(node)
        keys = [record_of(a.owner.entry, "entry"), record_of(b.owner.http, "http")]
        assert refusal(node, a, second(a, keys=keys)) == "E_ID_CONFLICT"
        assert held(node, a).newest.version == 1

    def test_a_key_stays_with_the_peer_that_was_known_with_it_first(self, node, a):
        """A pull brings the documents of an older peer that lists a younger one's key."""
        b = Author(2)
        node.clock.advance(hours=1)
        b.meets(node)
        node.clock.advance(hours=1)
        keys = [record_of(a.owner.entry, "entry"), record_of(b.owner.http, "http")]
        learn(node, a.document, second(a, keys=keys))
        with node.database.read() as tx:
            found = find_key_owner(tx, b.owner.http.kid, node.now())
        assert found == (b.node_id, b.owner.http.public_key)

    def test_t36_a_chain_does_not_grow_without_end(self, node, a):
        document, size = a.document, 0
        while size < LARGEST_CHAIN:
            following = second(
                a, version=document_version(document) + 1, prev=document.hash, contact="c" * 60_000
            )
            size += len(following.to_bytes())
            if size < LARGEST_CHAIN:
                post(node, a, following)
                document = following
        assert refusal(node, a, following) == "E_TOO_BIG"
        assert held(node, a).newest.hash == document.hash

    @pytest.mark.parametrize(
        "body",
        [b"{}", b'{"node":[]}', b'{"node":1}', b'{"node":[1]}', b"[]", b"\xff", b'{"node":[{}]}'],
    )
    def test_a_body_that_is_none_is_refused_and_nothing_breaks(self, node, a, body):
        with pytest.raises(TocsinError):
            post_bytes(node, a, body)

    def test_a_repeated_request_is_refused(self, node, a):
        body = write_json({"node": [second(a).to_json()]})
        headers = sign_request(
            method="POST",
            url=read_hint(node)["base"] + "federation/v1/node",
            body=body,
            recipient=node.node_id,
            signer=a.owner.http,
            created=node.now(),
            nonce=b"n" * 16,
        )
        arrived = ArrivedRequest(
            "POST", "/federation/v1/node", {k.lower(): v for k, v in headers.items()}, body
        )
        accept_documents(node, arrived)
        with pytest.raises(SignatureRejected, match="E_HTTP_REPLAY"):
            accept_documents(node, arrived)

    def test_t15_a_revocation_voids_in_the_same_write(self, node, a):
        last = a.put("clear", indicator(1))
        a.put("clear", indicator(2))
        a.deliver(node, "clear")
        post(node, a, revocation(a, (1, last)))
        assert stix_id("indicator", 2) not in view_ids(node, Tlp.RED)

    def test_t6_what_a_document_requires_and_we_cannot_check_is_not_taken(self, node, a):
        post(node, a, second(a, required_algs=["ed25519", "ml-dsa-44"]))
        a.put("clear", indicator(1))
        received = a.deliver(node, "clear")
        assert (received.error.code, received.entries) == ("E_KEY_UNKNOWN", 0)

    @pytest.mark.parametrize("pub", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "identity"])
    def test_t7_a_key_of_small_order_is_never_pinned(self, node, a, pub):
        record = KeyRecord(key_id("ed25519", pub), "ed25519", pub, "http", T0, T1)
        keys = [record_of(a.owner.entry, "entry"), record_of(a.owner.http, "http"), record]
        assert refusal(node, a, second(a, keys=keys)) == "E_KEY_UNKNOWN"
        assert held(node, a).newest.version == 1

    def test_t7_a_second_form_of_a_signature_is_none(self, node, a):
        """S + L verifies too where nobody looks: two envelopes of one document."""
        document = second(a)
        (signature,) = document.signatures
        larger = int.from_bytes(signature.sig[32:], "little") + ORDER
        bent = replace(signature, sig=signature.sig[:32] + larger.to_bytes(32, "little"))
        assert refusal(node, a, replace(document, signatures=(bent,))) == "E_SIG_BAD"


class TestTwoDocumentsOfOneVersion:
    def state(self, node, author):
        return (
            [document.hash for document in held(node, author).documents],
            rows_of(node, "SELECT node_id, version, hash, settled_at FROM overruled_documents"),
            bool(_frozen(node, author)),
        )

    def test_t16_both_orders_end_alike(self, tmp_path):
        states = []
        for name in ("first", "last"):
            node, a = make_node(tmp_path, name), Author(1)
            a.meets(node)
            thiefs = second(a, contact="thief@registry.example", issued=a.at + HOUR)
            order = [thiefs, rotated(a)] if name == "first" else [rotated(a), thiefs]
            assert post(node, a, order[0]) == 2
            assert refusal(node, a, order[1]) == "E_NODE_VERSION"
            assert held(node, a).newest.hash == rotated(a).hash
            states.append(self.state(node, a))
            node.database.close()
        assert states[0] == states[1]
        assert states[0][2]

    def test_t16_with_the_shared_vectors_too(self, node):
        vectors = strict_loads(shared_path("vectors/protocol.json").read_bytes())
        rotation = vectors["more"]["root_rotation"]
        first = vectors["node_document"]["envelope"]
        _learn_values(node, first)
        _learn_values(node, first, rotation["thief"])
        _learn_values(node, first, rotation["envelope"])
        with node.database.read() as tx:
            assert pinned(tx, vectors["node_id"]).newest.hash == rotation["hash"]
            assert is_frozen(tx, vectors["node_id"])

    def test_what_the_thief_wrote_under_his_own_keys_is_void(self, node, a):
        a.put("clear", indicator(1))
        a.deliver(node, "clear")
        his = seeded(77)
        keys = [record_of(a.owner.entry, "entry"), record_of(his, "entry")]
        keys.append(record_of(a.owner.http, "http"))
        post(node, a, second(a, keys=keys))
        a.put("clear", indicator(2), signer=his)
        assert a.deliver(node, "clear").accepted == 1
        assert refusal(node, a, rotated(a)) == "E_NODE_VERSION"
        seen = view_ids(node, Tlp.RED)
        assert stix_id("indicator", 1) in seen
        assert stix_id("indicator", 2) not in seen

    def test_a_frozen_node_s_feeds_take_nothing_until_a_person_thaws(self, node, a):
        post(node, a, rotated(a))
        refusal(node, a, second(a))
        a.put("clear", indicator(1))
        received = a.deliver(node, "clear")
        assert (received.error.code, received.entries) == ("E_FROZEN", 0)
        assert peer_state(node, peer_of(node, a.node_id)).frozen_at == node.now()
        assert thaw_node(node, a.node_id) == 1
        assert a.deliver(node, "clear").accepted == 1
        assert peer_state(node, peer_of(node, a.node_id)).frozen_at is None
        with pytest.raises(Conflict, match="E_NOT_FROZEN"):
            thaw_node(node, a.node_id)

    def test_the_operator_is_told_and_the_evidence_kept(self, node, a):
        thiefs = second(a)
        post(node, a, rotated(a))
        refusal(node, a, thiefs)
        refusal(node, a, thiefs)
        with node.database.read() as tx:
            (kept,) = overruled_documents(tx, a.node_id)
        assert strict_loads(kept.dsse) == thiefs.to_json()
        (event,) = events_of(node, "NODE_DOCUMENT_OVERRULED")
        assert event == {"version": 2, "overruled": thiefs.hash, "believed": False}
        (alarm,) = rows_of(node, "SELECT code, subject FROM alarms WHERE closed_at IS NULL")
        assert (alarm["code"], alarm["subject"]) == ("NODE_FROZEN", a.node_id)

    def test_a_retired_root_freezes_nobody_twice(self, node, a):
        """Whoever finds an old root file could else keep the node frozen for ever."""
        post(node, a, rotated(a))
        refusal(node, a, second(a))
        thaw_node(node, a.node_id)
        assert refusal(node, a, second(a, contact="again@x.example")) == "E_NODE_VERSION"
        assert not _frozen(node, a)
        assert len(rows_of(node, "SELECT hash FROM overruled_documents")) == 2

    def test_evidence_does_not_fill_the_disk(self, node, a):
        post(node, a, rotated(a))
        for number in range(MOST_KEPT + 3):
            refusal(node, a, second(a, contact=f"c{number}@registry.example"))
        assert len(rows_of(node, "SELECT hash FROM overruled_documents")) == MOST_KEPT

    def test_two_documents_of_the_current_root_leave_the_first(self, node, a):
        post(node, a, second(a))
        assert refusal(node, a, second(a, contact="other@registry.example")) == "E_NODE_VERSION"
        assert held(node, a).newest.hash == second(a).hash
        assert not _frozen(node, a)

    def test_a_chain_that_a_relay_hands_over_is_judged_alike(self, node, a):
        post(node, a, second(a))
        learn(node, a.document, rotated(a))
        assert held(node, a).newest.hash == rotated(a).hash
        assert _frozen(node, a)


class TestTelling:
    @pytest.fixture
    def nodes(self, tmp_path):
        clock = FixedClock()
        nodes = make_node(tmp_path, "a", clock), make_node(tmp_path, "b", clock)
        yield (*nodes, clock)
        for made in nodes:
            made.database.close()

    def test_a_peer_is_told_before_a_new_key_is_used(self, nodes):
        a, b, clock = nodes
        with serving(a, b):
            pair(a, b, "trusted")
            run_due_jobs(a)
            rotated_http = rotate_key(a, "http", _root(a))
            assert a.keys.http.kid == rotated_http.former_kid
            run_due_jobs(a)
            assert a.keys.http.kid == rotated_http.kid
            with a.database.read() as tx:
                assert told_version(tx, b.node_id) == 2
            # Asked under the new key; and the old one counts until the overlap ends.
            assert ask(a, b, "/federation/v1/heads").status == 200
            clock.advance(days=15)
            assert ask(a, b, "/federation/v1/heads").status == 200

    def test_a_peer_that_was_away_learns_of_a_stolen_http_key_from_the_first_word(self, nodes):
        a, b, _ = nodes
        with serving(a, b):
            pair(a, b, "trusted")
            run_due_jobs(a)
            revoke_key(a, a.keys.http.kid, "stolen", _root(a))
            assert code_of(ask(a, b, "/federation/v1/heads")) == "E_HTTP_SIG"
            run_due_jobs(a)
            assert ask(a, b, "/federation/v1/heads").status == 200

    def test_t15_feeds_go_on_at_a_peer_that_pulls(self, nodes):
        a, b, _ = nodes
        with serving(a, b):
            pair(a, b, "trusted")
            publish_names(a, ["one.example"], "green")
            assert pull_peer(b, peer_of(b, a)).error is None
            publish_names(a, ["thief.example"], "green")
            pull_peer(b, peer_of(b, a))
            assert names_seen(b) == {"one.example", "thief.example"}
            revoke_key(a, a.keys.entry.kid, "stolen", _root(a), last_good=["green/1"])
            publish_names(a, ["two.example"], "green")
            # Nobody told b: the pull itself finds the documents old and fetches them once.
            outcome = pull_peer(b, peer_of(b, a))
            assert outcome.error is None
            assert names_seen(b) == {"one.example", "two.example"}
            assert pull_peer(b, peer_of(b, a)).error is None

    def test_a_post_over_http_is_answered_with_the_version(self, nodes):
        a, b, _ = nodes
        with serving(a, b):
            pair(a, b, "trusted")
            rotate_key(a, "entry", _root(a))
            with a.database.read() as tx:
                newest = pinned(tx, a.node_id).newest.envelope.to_json()
            body = write_json({"node": [newest]})
            answer = ask(a, b, "/federation/v1/node", method="POST", body=body)
            assert (answer.status, strict_loads(answer.body)) == (200, {"version": 2})
            old = write_json({"node": [newest | {"payload": "e30="}]})
            assert ask(a, b, "/federation/v1/node", method="POST", body=old).status in {400, 422}


def _root(node):
    with node.database.read() as tx:
        document = pinned(tx, node.node_id).newest
    return read_root_signers(document, [RootFiles(node.settings.home).current], None)


def _frozen(node, author):
    with node.database.read() as tx:
        return is_frozen(tx, author.node_id)


def _learn_values(node, *values):
    chain = pin_chain(values, expected=None, allow_demo=False)
    with node.database.write() as tx:
        store_chain(tx, node, chain)
