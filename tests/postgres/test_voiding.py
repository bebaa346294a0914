"""Voiding and what comes back after it, on the other database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.node import Node
from hub.peers.root_files import RootFiles, read_root_signers
from hub.peers.rotate_keys import revoke_key
from tests.hub.exchange import test_voiding
from tests.hub.peers.test_rotate_keys import document
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import make_node, publish_names
from tests.support.stored_state import check_invariants

a = test_voiding.a
for _name, _value in vars(test_voiding).items():
    if _name.startswith(("test_what", "test_a_claim", "test_an_entry")):
        globals()[_name] = _value


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = make_node(tmp_path, "receiver", database_url=postgresql_with_tables())
    yield made
    made.database.close()


def test_own_feeds_go_on_in_their_next_epoch(node):
    publish_names(node, ["one.example"], "green")
    publish_names(node, ["thief.example"], "green")
    root = read_root_signers(document(node), [RootFiles(node.settings.home).current], None)
    revoked = revoke_key(node, node.keys.entry.kid, "stolen", root, last_good=["green/1"])
    assert len(revoked.epochs) == 2
    publish_names(node, ["two.example"], "green")
    check_invariants(node)
