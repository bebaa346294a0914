"""Two documents of one version: which node is frozen for it, and a person's word that thaws it.

Rule (c) of PROTOCOL 2.3 has decided which document stands. Its thief had the current root key, and
may have had more, so nothing further is taken of the node's feeds before somebody has looked.

Invariants:
* both orders of arrival end alike: the committed root's document stands, the node is frozen, the
  other document is kept as evidence, and the operator is told;
* only a person thaws; trust, dials and what the node may read stay as they were;
* once a person has looked at a version, a further document that loses at that version is evidence
  and freezes nobody again: a retired root key, which anybody may find years later, can sign such
  documents for ever. One that *we had believed* freezes always.

What it does not do: decide which document stands (``federation.identity``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from federation.identity.node_document import Conflict as DocumentConflict
from hub.errors import Conflict
from hub.monitoring.alarms import end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.jobs import request_job
from hub.storage.queries.node_updates import (
    OverruledDocument,
    frozen_since,
    overruled_documents,
    settle_overruled,
    store_overruled,
)
from hub.storage.queries.peers import find_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

NODE_FROZEN: Final = "NODE_FROZEN"
MOST_KEPT: Final = 8
"""Documents kept of one node that lost: whoever has a root key can sign any number of them."""


def note_conflict(
    tx: Transaction, conflict: DocumentConflict, at: datetime, *, held_won: bool
) -> None:
    """Freeze a node whose documents contradict each other, in the caller's write.

    Args:
        held_won: the document that lost was never believed here.
    """
    lost, node_id = conflict.overruled, conflict.pinned.node_id
    before = overruled_documents(tx, node_id)
    seen = [document for document in before if document.version == lost.version]
    looked_at = held_won and bool(seen) and all(d.settled_at is not None for d in seen)
    if held_won and len(before) >= MOST_KEPT:
        return
    is_new = store_overruled(
        tx,
        OverruledDocument(
            hash=lost.hash,
            node_id=node_id,
            version=lost.version,
            dsse=lost.envelope.to_bytes(),
            noted_at=at,
            settled_at=at if looked_at else None,
            settled_by=seen[-1].settled_by if looked_at else None,
        ),
    )
    if is_new:
        facts = {"version": lost.version, "overruled": lost.hash, "believed": not held_won}
        store_event(tx, at, node_id, "NODE_DOCUMENT_OVERRULED", **facts)
        if not looked_at:
            raise_alarm(tx, NODE_FROZEN, node_id, at, **facts)


def is_frozen(tx: Transaction, node_id: NodeId) -> bool:
    """Tell whether nothing is taken of a node's feeds until a person has looked."""
    return frozen_since(tx, node_id) is not None


def thaw_node(node: Node, node_id: NodeId, *, actor: str = "operator") -> int:
    """Let a frozen node's feeds go on, by a person's decision; return how many documents lost.

    Raises:
        Conflict: ``E_NOT_FROZEN``.
    """
    now = node.now()
    with node.database.write() as tx:
        count = settle_overruled(tx, node_id, now, actor)
        if count == 0:
            raise Conflict("E_NOT_FROZEN", "the node is not frozen", "Run `tocsin peer list`.")
        end_alarm(tx, NODE_FROZEN, node_id, now, by=actor)
        store_event(tx, now, actor, "NODE_THAWED", peer=node_id)
        if find_peer(tx, node_id) is not None:
            request_job(tx, "pull", node_id, now, hurry=True)
    return count
