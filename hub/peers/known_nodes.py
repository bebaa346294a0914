"""The pinned documents of nodes, read from the store and checked once."""

from __future__ import annotations

from functools import lru_cache

from federation.identity.node_document import PinnedNode, pin_chain
from hub.errors import NotFound
from hub.storage.queries.nodes import documents_of
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.strict_json import strict_loads


def find_pinned(tx: Transaction, node_id: NodeId) -> PinnedNode | None:
    """Find a node's pinned chain; None when we have none of its documents."""
    stored = documents_of(tx, node_id)
    return _pin(node_id, tuple(document.dsse for document in stored)) if stored else None


def pinned(tx: Transaction, node_id: NodeId) -> PinnedNode:
    """Return a node's pinned chain.

    Raises:
        NotFound: ``E_NODE_UNKNOWN``.
    """
    found = find_pinned(tx, node_id)
    if found is None:
        raise NotFound("E_NODE_UNKNOWN", f"no document of node {node_id} is pinned here")
    return found


@lru_cache(maxsize=256)
def _pin(node_id: NodeId, documents: tuple[bytes, ...]) -> PinnedNode:
    # The cache holds values by their very bytes, so it cannot grow stale. What is stored was
    # admitted under this node's rule for demo documents; that check is not repeated here.
    envelopes = [strict_loads(document) for document in documents]
    return pin_chain(envelopes, expected=node_id, allow_demo=True)
