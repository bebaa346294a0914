"""The vectors of taking back: what a newcomer makes of stubs, and what acks say (PROTOCOL 2.10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.feeds.acks import open_ack
from federation.identity.node_document import PinnedNode, pin_chain
from hub.exchange.receive import receive_page
from hub.node import Node
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.strict_json import write_json
from tests.support.joined_nodes import entry_states, states, view_ids
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import introduce, page_of
from tests.support.recall_vectors import FILE, ONE, THREE, TWO, recall_vectors


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_bytes())
    return loaded


@pytest.fixture
def node(tmp_path: Any, vectors: dict[str, Any]) -> Any:
    made = make_node(tmp_path, "newcomer", FixedClock())
    origin = vectors["origin"]
    introduce(made, origin["node_id"], [write_json(origin["node_document"])])
    yield made
    made.database.close()


def give(node: Node, vectors: dict[str, Any], objects: list[Any]) -> Any:
    feed = FeedName.read(vectors["feed"])
    return receive_page(node, feed=feed, sender=peer_of(node, feed.node_id), page=page_of(objects))


def test_the_committed_vectors_are_what_the_seeds_give(vectors: dict[str, Any]) -> None:
    assert json.loads(json.dumps(recall_vectors())) == vectors


def test_a_newcomer_takes_the_page_with_its_stubs(node: Node, vectors: dict[str, Any]) -> None:
    received = give(node, vectors, vectors["page"]["objects"])
    assert (received.error, received.rejected, received.last_seq) == (None, 0, 10)
    found = entry_states(node, FeedName.read(vectors["feed"]))
    assert [state for _, state, _ in found] == ["stored", "stub", "stub", *["stored"] * 7]
    assert states(node, ONE) == []
    assert states(node, THREE) == [("withdrawn", None)]
    assert TWO in view_ids(node, Tlp.GREEN), "widened again, by name"


def test_pages_with_stubs_that_have_no_right_are_refused(
    node: Node, vectors: dict[str, Any]
) -> None:
    for vector in vectors["pages_to_reject"]:
        received = give(node, vectors, vector["objects"])
        assert received.error.code == vector["code"], vector["what"]
    assert give(node, vectors, vectors["page"]["objects"]).error is None, "nothing was lost"


def test_acks_read_back_with_and_without_a_relays_counts(vectors: dict[str, Any]) -> None:
    reader: PinnedNode = pin_chain(
        [vectors["reader"]["node_document"]], expected=vectors["reader"]["node_id"],
        allow_demo=False,
    )  # fmt: skip
    for vector in vectors["acks"]:
        ack = open_ack(vector["envelope"], acker=reader)
        stated = vector["payload"]
        assert (ack.seq, ack.did, str(ack.feed)) == (stated["seq"], stated["did"], vectors["feed"])
        counts = None if ack.passed_on is None else vars_of(ack.passed_on)
        assert counts == stated.get("passed_on")


def vars_of(counts: Any) -> dict[str, int]:
    return {"readers": counts.readers, "confirmed": counts.confirmed}
