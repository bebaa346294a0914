"""A node that nobody can reach brings the lists of its sets to its peers (PROTOCOL 2.6 "Push")."""

from __future__ import annotations

import shutil

import pytest

from federation.errors import PeerUnreachable
from hub.bootstrap import open_node
from hub.peers.fetch_blobs import fetch_blob
from hub.peers.pull import pull_peer
from hub.peers.push import has_news, push_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.peers.wanted_blobs import plan_blobs
from hub.settings import load_settings
from hub.storage.queries.blobs import add_bytes, update_blob, want_blob
from tests.support.blobs import blob_at, bytes_at, digest, keep_blob, noise, publish_set
from tests.support.http_server import ScriptedServer, answers, write_answer
from tests.support.nodes import FixedClock, give_trust, make_node, peer_of, port_of, serving
from tests.support.publications import join

DATA = noise(1_100_000)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two nodes that trust each other; alpha pushes to beta, which it reaches."""
    homes = tmp_path_factory.mktemp("made")
    a, b = (make_node(homes, name, FixedClock()) for name in ("alpha", "beta"))
    join(a, b)
    join(b, a)
    set_peer(a, peer_of(a, b), PeerChanges(push=True))
    lead_to(a, f"http://127.0.0.1:{port_of(b)}/")
    for node in (a, b):
        node.database.close()
    return homes


@pytest.fixture
def nodes(tmp_path, clock, made):
    """Copies of the two, for one test; beta is served, and nobody reaches alpha."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    a, b = (
        open_node(load_settings(tmp_path / name, allow_loopback_peers=True), clock=clock)
        for name in ("alpha", "beta")
    )
    with serving(b):
        yield a, b


@pytest.fixture
def a(nodes):
    return nodes[0]


@pytest.fixture
def b(nodes):
    return nodes[1]


def lead_to(node, base):
    with node.database.write() as tx:
        tx.connection.exec_driver_sql(f"UPDATE peers SET base = '{base}'")


def push(node, other):
    outcome = push_peer(node, peer_of(node, other))
    assert outcome.error is None, outcome.error
    return outcome


def news(node, other):
    with node.database.read() as tx:
        return has_news(tx, node, peer_of(node, other))


def test_what_an_entry_names_comes_with_it(a, b):
    publish_set(a, DATA, "green")
    push(a, b)
    assert bytes_at(b, DATA) == DATA
    assert not news(a, b)


def test_a_blob_alone_is_news(a, b):
    publish_set(a, digest(DATA), "green")
    push(a, b)
    assert not news(a, b)
    keep_blob(a, DATA)
    assert news(a, b)
    push(a, b)
    assert bytes_at(b, DATA) == DATA


def test_it_goes_on_where_the_peer_is(a, b):
    publish_set(a, digest(DATA), "green")
    push(a, b)
    publish_set(a, DATA, "green", number=2)
    with b.database.write() as tx:
        want_blob(tx, digest(DATA), b.now())
        update_blob(tx, digest(DATA), size=len(DATA))
        add_bytes(tx, digest(DATA), 0, DATA[:1_060_000], sender=a.node_id)
    push(a, b)
    assert bytes_at(b, DATA) == DATA


def test_who_may_not_read_it_gets_no_byte(a, b):
    publish_set(a, DATA, "amber", [b])
    give_trust(a, b, "member")
    push(a, b)
    assert blob_at(b, DATA) is None


def test_a_peer_that_takes_none_stops_no_feed_and_is_asked_again_a_day_later(a, b, clock):
    """Release 0.2 has no such address, so it answers the 404 of what does not exist."""
    publish_set(a, digest(DATA), "green")
    push(a, b)
    with b.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM domain_sets")
    keep_blob(a, DATA)
    publish_set(a, other := noise(10, 2), "green", number=2)
    push(a, b)
    assert blob_at(b, DATA) is None
    assert bytes_at(b, other) == other
    assert not news(a, b)
    clock.advance(days=1, seconds=1)
    assert news(a, b)


def test_a_peer_that_keeps_nothing_is_given_up(a, b):
    publish_set(a, DATA, "green")
    push(a, b)
    with a.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM blob_posts")
    heads = write_answer(200, b'{"heads":[]}', {"Content-Type": "application/json"})
    nothing = write_answer(202, b'{"held":0}', {"Content-Type": "application/json"})
    with ScriptedServer(answers(heads, nothing)) as liar:
        lead_to(a, liar.base)
        push(a, b)
        assert len(liar.requests) == 5
    assert not news(a, b)


def test_the_node_itself_fetches_what_its_peers_publish(a, b):
    """It can call, so it needs nobody to bring it anything."""
    publish_set(b, DATA, "green")
    assert pull_peer(a, peer_of(a, b)).error is None
    plan_blobs(a)
    assert fetch_blob(a, digest(DATA))
    assert bytes_at(a, DATA) == DATA


def test_a_day_that_is_used_up_ends_the_push_for_later(a, b):
    publish_set(a, DATA, "green")
    set_peer(b, peer_of(b, a), PeerChanges(limit=200))
    with pytest.raises(PeerUnreachable) as refused:
        push_peer(a, peer_of(a, b))
    assert refused.value.code == "E_QUOTA"
    assert refused.value.params["retry_after"] > 3600
