"""What nodes ask each other beside the feeds (PROTOCOL 2.6)."""

from __future__ import annotations

import pytest

from federation.feeds.heads import open_head
from federation.identity.node_document import pin_chain
from hub.peers.known_nodes import pinned
from hub.peers.pull import pull_peer
from schemas.identifiers import FeedName, direct_audience, read_b64
from schemas.strict_json import MAX_BODY_BYTES, strict_loads
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.signed_requests import NOT_FOUND, ask, code_of, send


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """a; b that has pulled from it; c that knows b alone."""
    home = tmp_path_factory.mktemp("endpoints")
    clock = FixedClock()
    a, b, c = (make_node(home, name, clock) for name in ("alpha", "beta", "gamma"))
    with serving(a, b):
        pair(a, b, "trusted")
        pair(b, c, "member")
        publish_names(a, ["green.example"], "green")
        publish_names(a, ["amber.example"], "amber", [b])
        assert pull_peer(b, peer_of(b, a)).error is None
        yield a, b, c


def heads(reader, server, query=""):
    answer = ask(reader, server, f"/federation/v1/heads{query}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    with server.database.read() as tx:
        return {
            head.feed: head
            for value in strict_loads(answer.body)["heads"]
            for head in [
                open_head(value, pinned=pinned(tx, _node_of(value)), feed=None),
            ]
        }


def _node_of(value):
    return FeedName.read(strict_loads(read_b64(value["payload"]))["feed"]).node_id


def test_anybody_may_ask_who_answers_here(nodes):
    a, _, _ = nodes
    answer = send(a, "/.well-known/tocsin")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    with a.database.read() as tx:
        base = pinned(tx, a.node_id).newest.base
    assert strict_loads(answer.body) == {"node_id": a.node_id, "base": base}


@pytest.mark.parametrize("query", ["", "?version=1"])
def test_anybody_may_have_the_nodes_own_documents(nodes, query):
    a, _, _ = nodes
    answer = send(a, f"/federation/v1/node{query}")
    chain = pin_chain([strict_loads(answer.body)], expected=a.node_id, allow_demo=False)
    assert chain.newest.version == 1


def test_a_version_that_is_not_there_is_404(nodes):
    a, _, _ = nodes
    answer = send(a, "/federation/v1/node?version=2")
    assert (answer.status, answer.body) == (404, NOT_FOUND)


@pytest.mark.parametrize("query", ["version=0", "version=x", "version=", "id=abc"])
def test_an_unreadable_question_is_400(nodes, query):
    a, _, _ = nodes
    answer = send(a, f"/federation/v1/node?{query}")
    assert (answer.status, code_of(answer)) == (400, "E_SCHEMA")


def test_another_nodes_document_is_for_peers_that_may_read_a_feed_of_it(nodes):
    a, b, c = nodes
    answer = ask(c, b, f"/federation/v1/node?id={a.node_id}")
    pin_chain([strict_loads(answer.body)], expected=a.node_id, allow_demo=False)
    # b knows c, and a may not learn that: no feed of c is relayed to it.
    answer = ask(a, b, f"/federation/v1/node?id={c.node_id}")
    assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert ask(a, b, f"/federation/v1/node?id={'a' * 52}").body == NOT_FOUND


def test_heads_are_of_what_the_listing_shows(nodes):
    a, b, c = nodes
    assert set(heads(b, a)) == {
        FeedName(a.node_id, "clear"),
        FeedName(a.node_id, "green"),
        FeedName(a.node_id, direct_audience(b.node_id)),
    }
    assert set(heads(c, b)) == {
        FeedName(b.node_id, "clear"),
        FeedName(a.node_id, "clear"),
        FeedName(a.node_id, "green"),
    }
    give_trust(b, c, "known")
    assert set(heads(c, b)) == {FeedName(b.node_id, "clear"), FeedName(a.node_id, "clear")}
    give_trust(b, c, "member")


def test_the_head_of_one_feed_or_the_one_404(nodes):
    a, b, c = nodes
    green = FeedName(a.node_id, "green")
    assert set(heads(c, b, f"?feed={green}")) == {green}
    for feed in (FeedName(a.node_id, direct_audience(b.node_id)), FeedName(c.node_id, "clear")):
        answer = ask(c, b, f"/federation/v1/heads?feed={feed}")
        assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert ask(c, b, "/federation/v1/heads?feed=x").status == 400


@pytest.mark.parametrize(
    "target", ["/federation/v1/open", "/federation/v1/", "/federation/v2/node", "/taxii2/fed"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_addresses_are_404_for_everybody(nodes, target, method):
    a, b, _ = nodes
    for answer in (ask(b, a, target, method=method), send(a, target, method=method)):
        assert (answer.status, answer.body) == (404, NOT_FOUND)


def test_a_method_that_an_address_does_not_take_is_404_too(nodes):
    a, b, _ = nodes
    assert ask(b, a, "/federation/v1/heads", method="DELETE").body == NOT_FOUND
    assert ask(b, a, "/federation/v1/wake").body == NOT_FOUND


@pytest.mark.parametrize("target", ["/federation/v1/wake", "/federation/v1/pair"])
def test_a_body_over_four_mebibytes_is_413_before_it_is_read(nodes, target):
    a, b, _ = nodes
    body = b'{"heads":["' + b"x" * MAX_BODY_BYTES + b'"]}'
    answer = ask(b, a, target, method="POST", body=body)
    assert (answer.status, code_of(answer)) == (413, "E_TOO_BIG")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "E_JSON_SYNTAX"),
        (b'{"heads":[],"heads":[]}', "E_JSON_DUPKEY"),
        (b'{"heads":{}}', "E_SCHEMA"),
        (b"[]", "E_SCHEMA"),
        (b'{"heads":[' + b",".join([b"{}"] * 101) + b"]}", "E_SCHEMA"),
    ],
)
def test_a_malformed_wake_up_is_400(nodes, body, code):
    a, b, _ = nodes
    answer = ask(b, a, "/federation/v1/wake", method="POST", body=body)
    assert (answer.status, code_of(answer)) == (400, code)
