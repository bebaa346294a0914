"""Lifting a guard: signed, with a reason, and only until its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from federation.errors import SharingRefused
from federation.signing.signer import SeedSigner, seal
from hub.errors import NotFound
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.root_files import RootFiles, read_root_signers
from hub.peers.rotate_keys import revoke_key
from hub.storage.queries.guards import OverrideRow, list_overrides, put_override
from hub.verdicts.guard_overrides import (
    OVERRIDE_TYPE,
    end_override,
    override_guard,
    read_overrides,
)
from hub.verdicts.guards import load_guards
from schemas.errors import WireFormatError
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import rows_of


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def node(tmp_path: Path, clock: FixedClock) -> Node:
    return make_node(tmp_path, "cert", clock)


def lifted(node: Node, name: str, scope: str = "exact") -> set[bool]:
    with node.database.read() as tx:
        hits = load_guards(tx, node).hits(name, scope)
    return {hit.overridden_by is not None for hit in hits if hit.grade != "warn"}


def test_it_lifts_its_name_alone_and_ends_by_itself(node: Node, clock: FixedClock) -> None:
    until = clock.now() + timedelta(days=3)
    made = override_guard(node, "kit.google.com", reason="A kit, and they know.", until=until)
    assert lifted(node, "kit.google.com") == {True}
    assert lifted(node, "kit.google.com", "subtree") == {False}
    assert lifted(node, "x.kit.google.com") == {False}
    (event,) = rows_of(node, "SELECT * FROM audit_events WHERE code = 'GUARD_OVERRIDDEN'")
    assert made.override_id.encode() in bytes(event["params"])
    clock.advance(timedelta(days=3))
    assert lifted(node, "kit.google.com") == {False}


def test_with_all_below_it_lifts_blocks_that_reach_below(node: Node, clock: FixedClock) -> None:
    until = clock.now() + timedelta(days=1)
    override_guard(node, "*.kit.google.com", reason="All of it.", until=until)
    assert lifted(node, "kit.google.com", "subtree") == {True}
    assert lifted(node, "x.kit.google.com") == {False}, "another name, asked for by itself"


def test_a_person_ends_it_before_its_time(node: Node, clock: FixedClock) -> None:
    override_guard(node, "google.com", reason="An exercise.", until=clock.now() + timedelta(days=1))
    end_override(node, "google.com")
    assert lifted(node, "google.com") == {False}
    with pytest.raises(NotFound, match="no override"):
        end_override(node, "google.com")


@pytest.mark.parametrize("name", ["com", "co.uk", "duckdns.org"])
def test_what_stands_above_others_names_cannot_be_lifted_by_one_person(
    node: Node, clock: FixedClock, name: str
) -> None:
    with pytest.raises(SharingRefused) as refused:
        override_guard(node, name, reason="I say so.", until=clock.now() + timedelta(days=1))
    assert refused.value.code == "E_GUARD_FIRM"


@pytest.mark.parametrize(
    ("reason", "days"), [(" ", 1), ("x" * 2_000, 1), ("Why.", 0), ("Why.", 91)]
)
def test_it_has_a_reason_and_an_end_within_ninety_days(
    node: Node, clock: FixedClock, reason: str, days: int
) -> None:
    with pytest.raises(WireFormatError):
        override_guard(node, "google.com", reason=reason, until=clock.now() + timedelta(days=days))


def test_what_the_entry_key_did_not_sign_lifts_nothing(node: Node, clock: FixedClock) -> None:
    """Whoever can write to the database still cannot open the guards."""
    until = clock.now() + timedelta(days=1)
    override_guard(node, "google.com", reason="Genuine.", until=until)
    with node.database.read() as tx:
        (genuine,) = list_overrides(tx)
        (override,) = read_overrides(tx, node)
    payload = b'{"v":1,"name":"bank.example"}'
    forged = seal(SeedSigner(bytes(32)), OVERRIDE_TYPE, payload).to_bytes()
    with node.database.write() as tx:
        put_override(
            tx, OverrideRow("microsoft.com", genuine.override_id, genuine.dsse, until, clock.now())
        )
        put_override(tx, OverrideRow("bank.example", "forged", forged, until, clock.now()))
        put_override(tx, OverrideRow("gmail.com", "broken", b"{", until, clock.now()))
    with node.database.read() as tx:
        assert read_overrides(tx, node) == (override,)
    assert lifted(node, "google.com") == {True}
    assert lifted(node, "microsoft.com") == {False}, "a good envelope under another name"
    assert lifted(node, "gmail.com") == {False}


def test_an_override_goes_with_the_key_that_signed_it(node: Node, clock: FixedClock) -> None:
    """In the very process that has held its guards since before."""
    override_guard(node, "google.com", reason="A thief.", until=clock.now() + timedelta(days=1))
    assert lifted(node, "google.com") == {True}
    with node.database.read() as tx:
        document = pinned(tx, node.node_id).newest
    root = read_root_signers(document, [RootFiles(node.settings.home).current], None)
    revoke_key(node, node.keys.entry.kid, "stolen", root)
    assert lifted(node, "google.com") == {False}
