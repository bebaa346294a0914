"""Blobs on a real PostgreSQL: kept in parts, served, fetched, posted and let go."""

from __future__ import annotations

import pytest

from hub.errors import NotFound
from hub.exchange.serve_blobs import read_parts, serve_blob
from hub.exchange.withdraw import withdraw_object
from hub.monitoring.watch import watch_exchange
from hub.peers.fetch_blobs import fetch_blob
from hub.peers.posted_blobs import Place, accept_bytes
from hub.peers.wanted_blobs import plan_blobs
from tests.support.blobs import blob_at, bytes_at, digest, noise, publish_set
from tests.support.databases import postgresql_with_tables
from tests.support.joined_nodes import sync
from tests.support.nodes import FixedClock, make_node, peer_of, port_of, serving
from tests.support.publications import join, stix_id
from tests.support.stored_state import rows_of

DATA = noise(600_000)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    return make_node(tmp_path, "alpha", clock)


@pytest.fixture
def b(tmp_path, clock, a):
    made = make_node(tmp_path, "beta", clock, database_url=postgresql_with_tables())
    join(a, made)
    join(made, a)
    with made.database.write() as tx:
        tx.connection.exec_driver_sql(f"UPDATE peers SET base = 'http://127.0.0.1:{port_of(a)}/'")
    yield made
    made.database.close()


def test_a_list_is_wanted_fetched_served_and_let_go(a, b, clock):
    publish_set(a, DATA, "green")
    sync(a, b, "green")
    plan_blobs(b)
    with serving(a):
        assert fetch_blob(b, digest(DATA))
    assert bytes_at(b, DATA) == DATA
    assert rows_of(b, "SELECT state FROM domain_sets") == [{"state": "held"}]
    for name in ("\0", "0" * 64):
        with pytest.raises(NotFound):
            serve_blob(b, peer_of(b, a), name)
    publish_set(b, other := noise(300_000, 2), "green", number=2)
    served = serve_blob(b, peer_of(b, a), digest(other), asked="bytes=262143-262145")
    assert b"".join(read_parts(b, served)) == other[262_143:262_146]
    withdraw_object(a, stix_id("grouping", 1), "wrong")
    sync(a, b, "green")
    clock.advance(hours=2)
    plan_blobs(b)
    watch_exchange(b)
    assert blob_at(b, DATA) is None
    assert bytes_at(b, other) == other


def test_posted_bytes_are_kept_and_compared(a, b):
    publish_set(a, digest(DATA), "green")
    sync(a, b, "green")
    origin = peer_of(b, a)
    assert accept_bytes(b, origin, digest(DATA), Place(0, 600_000), DATA[:300_000]) == 300_000
    assert accept_bytes(b, origin, digest(DATA), Place(300_000, 600_000), DATA[300_000:]) == 600_000
    assert bytes_at(b, DATA) == DATA
    with pytest.raises(NotFound):
        accept_bytes(b, origin, "\0", Place(0, 1), b"x")
