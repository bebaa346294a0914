"""Who may speak at all: requests signed by an http key of a peer (PROTOCOL 2.7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.api.rate_limits import UNPROVEN_A_MINUTE
from hub.peers.suspend import resume_peer, suspend_peer
from tests.support.nodes import FixedClock, give_trust, make_node, pair, peer_of, serve_in_thread
from tests.support.signed_requests import ask, code_of, send

HEADS = "/federation/v1/heads"
SIGNED_ADDRESSES = [
    "/taxii2/",
    "/taxii2/fed/",
    "/taxii2/fed/collections/",
    "/taxii2/fed/collections/0/",
    "/taxii2/fed/collections/0/objects/",
    HEADS,
    f"/federation/v1/node?id={'a' * 52}",
]


@pytest.fixture(scope="module")
def clock():
    return FixedClock()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, clock):
    """A served node, a peer of it, and a node that it does not know."""
    home = tmp_path_factory.mktemp("signed")
    a, b, stranger = (make_node(home, name, clock) for name in ("alpha", "beta", "stranger"))
    with serve_in_thread(a):
        pair(a, b)
        yield a, b, stranger


def test_a_peer_is_answered(nodes):
    a, b, _ = nodes
    for target in ("/taxii2/", "/taxii2/fed/", "/taxii2/fed/collections/", HEADS):
        assert ask(b, a, target).status == 200


@pytest.mark.parametrize("target", SIGNED_ADDRESSES)
def test_class05_strangers_and_the_unsigned_are_401(nodes, target):
    a, _, stranger = nodes
    assert code_of(ask(stranger, a, target)) == "E_HTTP_SIG"
    if target != "/taxii2/":  # that one has another door, for tokens
        assert (send(a, target).status, code_of(send(a, target))) == (401, "E_HTTP_SIG")


def test_a_blocked_or_suspended_peer_gets_the_very_answer_of_a_stranger(nodes):
    a, b, stranger = nodes
    known = ask(stranger, a, HEADS)
    suspend_peer(a, peer_of(a, b))
    suspended = ask(b, a, HEADS)
    resume_peer(a, peer_of(a, b))
    give_trust(a, b, "blocked")
    blocked = ask(b, a, HEADS)
    give_trust(a, b, "known")
    assert known.status == 401
    assert suspended.body == blocked.body == known.body
    assert ask(b, a, HEADS).status == 200


def test_t47_a_repeated_request_is_refused(nodes):
    a, b, _ = nodes
    assert ask(b, a, HEADS, nonce=b"once" * 4).status == 200
    again = ask(b, a, HEADS, nonce=b"once" * 4)
    assert (again.status, code_of(again)) == (401, "E_HTTP_REPLAY")


def test_a_nonce_is_forgotten_after_its_quarter_of_an_hour(nodes, clock):
    a, b, _ = nodes
    assert ask(b, a, HEADS, nonce=b"once more" * 2).status == 200
    clock.advance(minutes=15, seconds=1)
    assert ask(b, a, HEADS, nonce=b"once more" * 2).status == 200


def test_padding_makes_no_new_nonce(nodes):
    a, b, _ = nodes
    assert ask(b, a, HEADS, nonce=b"n" * 16).status == 200

    def pad(headers):
        # The signature covers its parameters, so this request is not the peer's any more.
        headers["Signature-Input"] = headers["Signature-Input"].replace('";keyid', '==";keyid')

    assert ask(b, a, HEADS, nonce=b"n" * 16, bend=pad).status == 401


def test_a_refused_request_spends_no_nonce(nodes):
    a, b, stranger = nodes
    nonce = b"not spent" * 2
    assert ask(b, a, HEADS, nonce=nonce, signer=stranger.keys.http).status == 401
    assert ask(b, a, HEADS, nonce=nonce).status == 200


def test_t47_a_request_for_another_node_is_refused(nodes):
    a, b, stranger = nodes
    answer = ask(b, a, HEADS, to=stranger.node_id)
    assert (answer.status, code_of(answer)) == (401, "E_HTTP_TO")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_the_clocks_may_be_five_minutes_apart_and_no_more(nodes, seconds):
    a, b, _ = nodes
    answer = ask(b, a, HEADS, created=b.now() + timedelta(seconds=seconds))
    assert (answer.status, code_of(answer)) == (401, "E_HTTP_TIME")
    nearly = b.now() + timedelta(seconds=seconds - (1 if seconds > 0 else -1))
    assert ask(b, a, HEADS, created=nearly).status == 200


def test_t47_another_body_target_or_method_is_refused(nodes):
    a, b, _ = nodes
    wake = "/federation/v1/wake"
    body = b'{"heads":[]}'
    assert ask(b, a, wake, method="POST", body=body).status == 202
    assert ask(b, a, wake, method="POST", body=body, sent_body=b'{"heads":[ ]}').status == 401
    assert ask(b, a, HEADS + "?feed=x", signed_target=HEADS).status == 401
    assert ask(b, a, HEADS, signed_target="/federation/v1/heads?").status == 401


def test_an_entry_key_signs_no_request(nodes):
    a, b, _ = nodes
    assert code_of(ask(b, a, HEADS, signer=b.keys.entry)) == "E_HTTP_SIG"


def test_t48_what_the_host_header_says_changes_nothing(nodes):
    a, b, _ = nodes
    forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example",
    }
    assert ask(b, a, HEADS, headers=forged).status == 200


def test_a_second_signature_is_refused(nodes):
    a, b, _ = nodes

    def twice(headers):
        for name in ("Signature-Input", "Signature"):
            headers[name] += ", other" + headers[name].removeprefix("tocsin")

    assert code_of(ask(b, a, HEADS, bend=twice)) == "E_HTTP_SIG"


def test_discovery_shows_a_peer_the_fed_root_alone(nodes):
    a, b, _ = nodes
    body = ask(b, a, "/taxii2/").body
    assert b"taxii2/fed/" in body
    assert b"intel" not in body


def test_a_peers_signature_opens_no_intel_collection(nodes):
    a, b, _ = nodes
    assert ask(b, a, "/taxii2/intel/collections/").status == 401


def test_t36_who_comes_under_unknown_keys_is_slowed_and_a_peer_is_not(nodes, clock):
    a, b, stranger = nodes
    clock.advance(minutes=1)
    node = "/federation/v1/node"
    most = UNPROVEN_A_MINUTE.amount
    answers = [
        ask(stranger, a, node, method="POST", body=b'{"node":[]}', created=clock.now())
        for _ in range(most + 1)
    ]
    assert {code_of(answer) for answer in answers[:most]} == {"E_HTTP_SIG"}
    assert (answers[most].status, code_of(answers[most])) == (429, "E_QUOTA")
    assert int(answers[most].headers["retry-after"]) <= 60
    assert code_of(ask(b, a, node, method="POST", body=b'{"node":[]}')) == "E_SCHEMA"
