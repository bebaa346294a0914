"""Pairing by a one-time invitation over HTTP (PROTOCOL 4.5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import PeerUnreachable, SignatureRejected
from federation.identity.invitation import Invitation, read_invitation, write_pairing_request
from federation.signing.keys import KeyRecord
from federation.trust.presets import TrustLevel
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.peers.invite import accept_invitation, invite_peer
from hub.peers.node_documents import own_documents
from hub.peers.outbound import open_http, reach
from hub.peers.pull import pull_peer
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads, write_json
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    pair,
    peer_of,
    serve_in_thread,
    serving,
)
from tests.support.signed_nodes import Owner, record_of
from tests.support.signed_requests import NOT_FOUND, ask, code_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    """The node that invites."""
    return make_node(tmp_path, "alpha", clock)


@pytest.fixture
def b(tmp_path, clock):
    """The node that joins."""
    return make_node(tmp_path, "beta", clock)


def pairing_body(node: Node, invitation: str) -> bytes:
    with node.database.read() as tx:
        return write_pairing_request(read_invitation(invitation).token, own_documents(tx, node))


def has_no_peers(node: Node) -> bool:
    with node.database.read() as tx:
        return tx.connection.exec_driver_sql("SELECT count(*) FROM peers").scalar_one() == 0


def test_both_land_at_known_and_unverified(a, b):
    with serve_in_thread(a):
        admitted = accept_invitation(b, invite_peer(a))
    for node, other in ((a, b), (b, a)):
        peer = peer_of(node, other)
        assert (peer.trust, peer.verified, peer.state) == (TrustLevel.KNOWN, False, "active")
    assert peer_of(a, b).name == "beta"
    assert admitted.peer == peer_of(b, a)
    assert len(admitted.voice_code.split()) == 8


def test_an_invitation_is_for_72_hours_and_its_token_is_nowhere_in_the_database(a, clock):
    invitation = read_invitation(invite_peer(a))
    assert invitation.expires == clock.now() + timedelta(hours=72)
    for file in a.settings.home.glob("tocsin.db*"):
        assert invitation.token not in file.read_bytes()


def test_t52_a_second_use_is_404_even_for_the_same_node(a, b, tmp_path, clock):
    c = make_node(tmp_path, "gamma", clock)
    with serve_in_thread(a):
        invitation = invite_peer(a)
        accept_invitation(b, invitation)
        for joiner in (b, c):
            body = pairing_body(joiner, invitation)
            answer = ask(joiner, a, "/federation/v1/pair", method="POST", body=body)
            assert (answer.status, answer.body) == (404, NOT_FOUND)
        with pytest.raises(NotFound) as refused:
            accept_invitation(c, invitation)
    assert refused.value.code == "E_INVITATION"
    assert has_no_peers(c)


def test_unknown_and_expired_tokens_are_the_same_404(a, b, clock):
    with serve_in_thread(a):
        expired = invite_peer(a)
        clock.advance(hours=72)
        unknown = Invitation(
            read_invitation(expired).base, a.node_id, bytes(16), clock.now()
        ).write()
        for invitation in (expired, unknown):
            body = pairing_body(b, invitation)
            answer = ask(b, a, "/federation/v1/pair", method="POST", body=body)
            assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert has_no_peers(a)


def test_the_token_is_spent_only_by_a_request_that_passes_every_check(a, b):
    with serve_in_thread(a):
        invitation = invite_peer(a)
        body = pairing_body(b, invitation)
        target = "/federation/v1/pair"
        for bent, code in (
            ({"signer": a.keys.http}, "E_HTTP_SIG"),
            ({"to": b.node_id}, "E_HTTP_TO"),
            ({"created": b.now() - timedelta(seconds=301)}, "E_HTTP_TIME"),
            ({"sent_body": body + b" "}, "E_HTTP_SIG"),
        ):
            answer = ask(b, a, target, method="POST", body=body, **bent)
            assert (answer.status, code_of(answer)) == (401, code)
        # An entry key is no http key, though the same document lists it.
        answer = ask(b, a, target, method="POST", body=body, signer=b.keys.entry)
        assert answer.status == 401
        no_documents = write_json({**strict_loads(body), "node": []})
        assert ask(b, a, target, method="POST", body=no_documents).status == 400
        assert has_no_peers(a)
        assert accept_invitation(b, invitation).peer.node_id == a.node_id


def test_after_a_lost_answer_the_pairing_is_found_standing(a, b):
    with serve_in_thread(a), open_http(b) as http:
        invitation = invite_peer(a)
        # The request arrived, and the answer did not: b stored nothing.
        reach(b, read_invitation(invitation).base, a.node_id, http).pair(
            pairing_body(b, invitation)
        )
        assert has_no_peers(b)
        assert accept_invitation(b, invitation).peer.node_id == a.node_id


def test_nothing_is_stored_when_nobody_answers(a, b):
    invitation = invite_peer(a)
    with pytest.raises(PeerUnreachable):
        accept_invitation(b, invitation)
    assert has_no_peers(b)


def test_t51_another_node_at_the_address_is_found_out(a, b, tmp_path, clock):
    impostor = make_node(tmp_path, "impostor", clock)
    genuine = read_invitation(invite_peer(a))
    with serve_in_thread(impostor):
        swapped = Invitation(
            read_invitation(invite_peer(impostor)).base,
            a.node_id,
            genuine.token,
            genuine.expires,
        )
        with pytest.raises(SignatureRejected) as refused:
            accept_invitation(b, swapped.write())
    assert refused.value.code == "E_KEY_UNKNOWN"
    assert has_no_peers(b)


def test_a_node_outside_a_demo_refuses_demo_documents_on_either_side(a, tmp_path, clock):
    shown = make_node(tmp_path, "shown", clock, profile={"demo": True})
    with serving(a, shown):
        invitation = invite_peer(a)
        answer = ask(
            shown, a, "/federation/v1/pair", method="POST", body=pairing_body(shown, invitation)
        )
        assert (answer.status, code_of(answer)) == (400, "E_SCHEMA")
        with pytest.raises(WireFormatError):
            accept_invitation(a, invite_peer(shown))
    assert has_no_peers(a)


def test_two_demo_nodes_pair(tmp_path, clock):
    first, second = (
        make_node(tmp_path, name, clock, profile={"demo": True}) for name in ("one", "two")
    )
    with serve_in_thread(first):
        pair(first, second)
    assert peer_of(first, second).state == "active"


def test_nobody_pairs_with_itself(a):
    with pytest.raises(Conflict) as refused:
        accept_invitation(a, invite_peer(a))
    assert refused.value.code == "E_ID_CONFLICT"


def test_class04_a_blocked_node_does_not_come_back_by_an_invitation(a, b):
    with serve_in_thread(a):
        pair(a, b)
        give_trust(a, b, "blocked")
        invitation = invite_peer(a)
        body = pairing_body(b, invitation)
        answer = ask(b, a, "/federation/v1/pair", method="POST", body=body)
        assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert peer_of(a, b).trust == TrustLevel.BLOCKED


def test_nor_does_its_own_invitation_lift_the_block_at_who_blocked_it(a, b):
    with serve_in_thread(a):
        pair(a, b)
        give_trust(b, a, "blocked")
        with pytest.raises(Conflict) as refused:
            accept_invitation(b, invite_peer(a))
    assert refused.value.code == "E_PEER_BLOCKED"


def test_class04_pairing_again_keeps_the_trust_that_stands(a, b):
    with serve_in_thread(a):
        pair(a, b, "trusted")
        pair(a, b)
    assert (peer_of(a, b).trust, peer_of(a, b).verified) == (TrustLevel.TRUSTED, True)


def test_an_expired_node_begins_no_relation(a, b, clock):
    with serve_in_thread(a):
        clock.advance(days=366)
        with pytest.raises(SignatureRejected) as refused:
            accept_invitation(b, invite_peer(a))
    assert refused.value.code == "E_NODE_EXPIRED"


def test_a_document_that_lists_another_peers_http_key_is_refused(a, b):
    thief = Owner(60)
    stolen = KeyRecord(
        b.keys.http.kid, "ed25519", b.keys.http.public_key, "http",
        *(getattr(record_of(thief.http, "http"), name) for name in ("nbf", "naf")),
    )  # fmt: skip
    document = thief.document(keys=[record_of(thief.http, "http"), stolen])
    with serve_in_thread(a):
        pair(a, b)
        token = read_invitation(invite_peer(a)).token
        body = write_pairing_request(token, [document.to_json()])
        answer = ask(b, a, "/federation/v1/pair", method="POST", body=body, signer=thief.http)
        assert (answer.status, code_of(answer)) == (409, "E_ID_CONFLICT")
        assert pull_peer(b, peer_of(b, a)).error is None


def test_a_chain_that_contradicts_the_pinned_one_is_refused(a):
    owner = Owner(70)
    first = owner.document()
    second, other = (owner.after(first, name=name) for name in ("One", "Two"))
    with serve_in_thread(a):
        statuses = []
        for chain in ([first, second], [first, other], [first]):
            token = read_invitation(invite_peer(a)).token
            body = write_pairing_request(token, [document.to_json() for document in chain])
            answer = ask(a, a, "/federation/v1/pair", method="POST", body=body, signer=owner.http)
            statuses.append(answer.status)
    assert statuses == [201, 409, 409]
