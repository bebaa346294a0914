"""A published set arrives whole over HTTP, changes by its delta alone, and is read there."""

from __future__ import annotations

import gzip
import random
from datetime import timedelta

import pytest

from hub.exchange.publish_sets import SetRequest, publish_sets
from hub.exchange.set_drafts import SetWords
from hub.exchange.set_listing import find_known_set, lines_of_set, list_known_sets
from hub.exchange.set_parts import Recipients
from hub.imports.set_names import read_set_names
from hub.peers.pull import pull_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.peers.wanted_blobs import plan_blobs
from hub.workers.jobs import run_due_jobs
from schemas.dns.domain_sets import SetLine
from schemas.markings import Tlp
from tests.support.nodes import FixedClock, make_node, pair, peer_of, serving
from tests.support.publications import join
from tests.support.shared_data import shared_path
from tests.support.stored_state import rows_of

MIB = 1 << 20


def words(clock, **changes):
    values = {
        "family": "conficker",
        "variant": "b",
        "threat_type": "dga",
        "match_scope": "subtree",
        "requested_actions": (),
        "confidence": 90,
        "valid_from": clock.at,
        "valid_until": clock.at + timedelta(days=90),
        "lasting": True,
    }
    return SetWords(**values | changes)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def nodes(tmp_path, clock):
    """A CERT and the registry of .cc, that know and reach each other."""
    cert, registry = (make_node(tmp_path, name, clock) for name in ("cert", "registry"))
    with serving(cert, registry):
        pair(cert, registry, "trusted")
        set_peer(cert, peer_of(cert, registry), PeerChanges(authority=("zone:cc.",)))
        yield cert, registry
    for node in (cert, registry):
        node.database.close()


def publish(cert, registry, lines, clock):
    request = SetRequest(
        lines,
        words(clock),
        Tlp.AMBER,
        Recipients(to=(peer_of(cert, registry),)),
        split=True,
    )
    return publish_sets(cert, request)


def fetch(registry, cert, clock):
    """Pull, and do what there is to do until the list is here and its names count."""
    assert pull_peer(registry, peer_of(registry, cert)).error is None
    plan_blobs(registry)
    for _ in range(10):
        if run_due_jobs(registry) == 0:
            return
        clock.advance(seconds=1)


def test_what_is_published_is_what_is_read(nodes, clock):
    cert, registry = nodes
    many = [f"{random.Random(n).getrandbits(60):x}.cc" for n in range(400)]
    lines = [SetLine(name) for name in (*many, "not-yours.ws")]
    (done,) = publish(cert, registry, lines, clock).sets
    fetch(registry, cert, clock)
    (known,) = list_known_sets(registry)
    assert (known.held, known.tld, known.names) == (True, "cc", 400)
    assert [line.name for line in lines_of_set(registry, known)] == sorted(many)
    assert rows_of(registry, "SELECT count(*) AS n FROM claims")[0]["n"] == 400

    clock.advance(days=1)
    (second,) = publish(cert, registry, [*lines[7:], SetLine("new.cc")], clock).sets
    assert (second.added, second.removed) == (1, 7)
    # The whole list is lost at its origin: what changed is enough.
    with cert.database.write() as tx:
        tx.connection.exec_driver_sql(f"DELETE FROM blobs WHERE sha256 = '{second.sha256}'")
    fetch(registry, cert, clock)
    known = find_known_set(registry, second.stix_id)
    assert (known.sha256, known.held, known.versions) == (second.sha256, True, 2)
    assert [line.name for line in lines_of_set(registry, known)] == sorted([*many[7:], "new.cc"])
    assert done.stix_id == second.stix_id


@pytest.mark.long
def test_250_000_names_to_three_registries_and_a_resolver_operator(tmp_path, clock):
    data = gzip.decompress(shared_path("data/maltrail/malware-domains-250k.txt.gz").read_bytes())
    found = read_set_names(data)
    report = found.names
    assert report.total_lines == 250_000
    assert report.taken + sum(report.counts().values()) == report.total_lines
    cert = make_node(tmp_path, "cert", clock)
    parts = {"com": ("zone:com.",), "net": ("zone:net.",), "info": ("zone:info.",), "dns": ()}
    for name, authority in parts.items():
        other = make_node(tmp_path, name, clock)
        join(cert, other, name=name, authority=authority)
        other.database.close()
    ids = {row["name"]: row["node_id"] for row in rows_of(cert, "SELECT * FROM peers")}
    to = tuple(peer_of(cert, ids[name]) for name in parts)
    request = SetRequest(found.lines, words(clock), Tlp.AMBER, Recipients(to=to), split=True)
    done = publish_sets(cert, request)
    got = {line.name: s for s in done.sets for line in s.audience}
    assert {name: s.tld for name, s in got.items()} == {
        "com": "com", "net": "net", "info": "info", "dns": None
    }  # fmt: skip
    assert got["dns"].names == report.taken
    assert all(s.size < 3 * MIB for s in got.values())
    assert len(done.left_over) > 500
    cert.database.close()
