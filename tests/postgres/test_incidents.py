"""Hijack claims, answers and counts on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.transport.delegation_lookup import Delegation
from hub.incidents.concentration import (
    GROUPINGS,
    show_concentration,
    show_registrar,
    watch_concentration,
)
from hub.incidents.watch_delegations import WATCH_INTERVAL, watch_delegations
from hub.node import Node
from schemas.markings import Tlp
from tests.hub.incidents.test_answer import SCOPE, say
from tests.hub.incidents.test_concentration import registered
from tests.support.databases import postgresql_with_tables
from tests.support.hijacks import OLD_DS, OLD_NS, only, tell_hijack
from tests.support.nodes import make_node
from tests.support.publications import Author
from tests.support.told_claims import authors, clock_of, make_verdicts, tell


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", database_url=postgresql_with_tables())
    yield made
    made.database.close()


def test_a_claim_is_answered_and_closes_itself(node: Node) -> None:
    reported = tell_hijack(node, tlp=Tlp.GREEN)
    registry = Author(1)
    registry.meets(node, "member", authority=SCOPE)
    say(node, registry, reported.incident, "not-ours")
    assert only(node).state == "not-ours"
    make_verdicts(node)
    back = Delegation(frozenset(OLD_NS), frozenset(OLD_DS))
    for _ in range(2):
        watch_delegations(node, ask=lambda _zone: back)
        clock_of(node).advance(WATCH_INTERVAL)
    assert only(node).state == "closed"


def test_names_are_counted(node: Node) -> None:
    (peer,) = authors(node, 1)
    tell(node, peer, "green", registered("a-x.com", 1), registered("b-x.net", 2, None))
    tell_hijack(node, tlp=Tlp.GREEN)
    make_verdicts(node)
    counts = {by: [(r.key, r.names) for r in show_concentration(node, by).rows] for by in GROUPINGS}
    assert counts["registrar"] == [("9999", 1), (None, 1)]
    assert {"com", "net"} <= {key for key, _ in counts["tld"]}
    assert counts["window"] == [("2026-02-16", 2)]
    assert show_registrar(node, 9999).names == 1
    assert watch_concentration(node) == ()
