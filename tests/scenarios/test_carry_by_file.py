"""Nodes that never see each other's network: all that passes between them is files.

Alpha is a registry behind an air gap, beta a CERT, gamma a resolver operator whom alpha does not
know. They were paired at one meeting, where each could see the others; after that nothing of
theirs is ever served, and what the readers hold came on sticks.
"""

from __future__ import annotations

import gzip
import random

import pytest

from hub.exchange.withdraw import withdraw_object
from hub.peers.bundles import export_bundle, import_bundle
from hub.storage.queries.feeds import list_feeds
from tests.support.nodes import (
    FixedClock,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serving,
)
from tests.support.stored_state import check_invariants, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def nodes(tmp_path, clock):
    """Paired while they met; from here on no server runs."""
    alpha, beta, gamma = (make_node(tmp_path, name, clock) for name in ("alpha", "beta", "gamma"))
    with serving(alpha, beta):
        pair(alpha, beta, "trusted")
        pair(beta, gamma, "trusted")
    return alpha, beta, gamma


class Courier:
    """Who walks with the sticks; each has a number, and old ones may turn up again."""

    def __init__(self, folder):
        self.folder = folder
        self.walks = []

    def carry(self, sender, recipient, **options):
        stick = self.folder / f"stick-{len(self.walks)}"
        done = export_bundle(sender, peer_of(sender, recipient), stick, **options)
        self.walks.append((recipient, stick))
        return self.hand_over(recipient, stick), done

    def hand_over(self, recipient, stick):
        return [one.error for one in import_bundle(recipient, stick).feeds if one.error]


def hashes(node, origin):
    """What a node holds of an origin's feeds, by their names."""
    with node.database.read() as tx:
        feeds = [row for row in list_feeds(tx) if row.node_id == origin.node_id]
    return {row.audience: (row.last_seq, row.last_hash) for row in feeds}


def test_two_networks_that_never_touch_exchange_everything(nodes, tmp_path, clock):
    alpha, beta, gamma = nodes
    courier = Courier(tmp_path)
    held = []
    for week in range(3):
        clock.advance(days=7)
        publish_names(alpha, [f"clear-{week}.example"], "clear")
        publish_names(alpha, [f"green-{week}.example"], "green")
        outcome = publish_names(alpha, [f"amber-{week}.example"], "amber", [beta])
        held += outcome.stix_ids
        publish_names(beta, [f"back-{week}.example"], "green")
        for one, other in ((alpha, beta), (beta, alpha), (beta, gamma)):
            errors, _ = courier.carry(one, other)
            assert errors == []
    labels = ("clear", "green", "amber")
    assert names_seen(beta) == {f"{tlp}-{week}.example" for tlp in labels for week in range(3)}
    assert names_seen(alpha) == {f"back-{week}.example" for week in range(3)}
    # Gamma has what beta wrote and may relay; alpha is no peer of its own, so a person looks first.
    assert names_seen(gamma) == names_seen(alpha)
    assert names_seen(gamma, "quarantined") == {
        f"{tlp}-{week}.example" for tlp in ("clear", "green") for week in range(3)
    }

    # A withdrawal walks like everything else.
    indicator = next(stix_id for stix_id in held if stix_id.startswith("indicator--"))
    withdraw_object(alpha, indicator, "false positive")
    assert courier.carry(alpha, beta)[0] == []
    versions = rows_of(
        beta, f"SELECT state, revoked FROM objects WHERE stix_id = '{indicator}' ORDER BY version"
    )
    assert [(row["state"], bool(row["revoked"])) for row in versions] == [
        ("withdrawn", False),
        ("accepted", True),
    ]

    # Old sticks turn up again, in any order, and change nothing.
    before = {node.node_id: hashes(node, alpha) for node in (beta, gamma)}
    random.Random(4).shuffle(courier.walks)
    for recipient, stick in courier.walks:
        assert courier.hand_over(recipient, stick) == []
    assert {node.node_id: hashes(node, alpha) for node in (beta, gamma)} == before
    assert hashes(alpha, alpha) == hashes(beta, alpha)
    for node in nodes:
        check_invariants(node)


def test_what_one_stick_lacks_the_next_one_brings(nodes, tmp_path, clock):
    """A stick is lost, the one after it goes on too late, and a whole one mends it."""
    alpha, beta, _ = nodes
    courier = Courier(tmp_path)
    publish_names(alpha, ["first.example"], "green")
    assert courier.carry(alpha, beta)[0] == []
    clock.advance(days=7)
    publish_names(alpha, ["lost.example"], "green")
    clock.advance(days=7)
    publish_names(alpha, ["late.example"], "green")
    errors, _ = courier.carry(alpha, beta, since=clock.now())
    assert [error.code for error in errors] == ["E_GAP"]
    assert names_seen(beta) == {"first.example"}
    assert courier.carry(alpha, beta, everything=True)[0] == []
    assert names_seen(beta) == {"first.example", "lost.example", "late.example"}


def test_nothing_leaves_on_a_stick_that_would_not_leave_by_wire(nodes, tmp_path):
    alpha, beta, gamma = nodes
    courier = Courier(tmp_path)
    publish_names(alpha, ["amber-needle.example"], "amber", [beta])
    courier.carry(alpha, beta)
    courier.carry(beta, gamma)
    _, stick = courier.walks[-1]
    text = gzip.decompress(stick.read_bytes())
    assert b"d-" + beta.node_id[:26].encode() not in text
    assert rows_of(gamma, "SELECT 1 FROM objects WHERE name_key = 'amber-needle.example'") == []
