"""The documents of nodes: our own for others, others' learned and stored.

Invariants:
* a chain is stored only after ``pin_chain`` verified it against the id that was expected;
* what is stored is never replaced: a chain that contradicts it is refused;
* another node's documents are given only to a peer that may read a feed of it here, for to have
  them tells of a relation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from federation.errors import EntryDeferred
from federation.identity.node_document import PinnedNode, pin_chain
from federation.transport.peer_client import PeerTransport
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.peers.budgets import BYTES_AN_OBJECT, Budget, budget_of_sender, spend
from hub.peers.known_nodes import pinned
from hub.storage.queries.nodes import StoredDocument, documents_of, store_document
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, is_node_id
from schemas.strict_json import strict_loads

LARGEST_CHAIN = 1024 * 1024
"""Bytes of the documents of a node that is learned while pulling (THREATS 36)."""
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """Which node document is asked for; None is the newest, and this node's own."""

    version: int | None
    node_id: NodeId | None


def read_document_request(parameters: Iterable[tuple[str, str]]) -> DocumentRequest:
    """Read ``version`` and ``id``; other parameters are passed over.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    values = dict(parameters)
    version, node_id = values.get("version"), values.get("id")
    if version is not None and not _VERSION.fullmatch(version):
        raise WireFormatError("E_SCHEMA", "version is not a number from 1")
    if node_id is not None and not is_node_id(node_id):
        raise WireFormatError("E_SCHEMA", "id is not a node id")
    return DocumentRequest(
        None if version is None else int(version), None if node_id is None else NodeId(node_id)
    )


def own_base(tx: Transaction, node: Node) -> str:
    """Return the base that this node's newest document states; requests are verified against it."""
    return pinned(tx, node.node_id).newest.base


def own_documents(tx: Transaction, node: Node) -> list[Any]:
    """List this node's documents as the wire members of their envelopes, version 1 first."""
    return [strict_loads(document.dsse) for document in documents_of(tx, node.node_id)]


def read_hint(node: Node) -> dict[str, str]:
    """Say who this node is and where, as a hint that nobody needs to believe (PROTOCOL 2.6)."""
    with node.database.read() as tx:
        return {"node_id": node.node_id, "base": own_base(tx, node)}


def find_document(tx: Transaction, node_id: NodeId, version: int | None) -> bytes:
    """Find the newest or nth document of a node as the bytes of its signed envelope.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    for document in reversed(documents_of(tx, node_id)):
        if version in (None, document.version):
            return document.dsse
    raise NotFound("E_NOT_FOUND", "no such node document is held")


def find_own_document(node: Node, version: int | None) -> bytes:
    """Find this node's own newest or nth document.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    with node.database.read() as tx:
        return find_document(tx, node.node_id, version)


def learn_node(
    node: Node,
    node_id: NodeId,
    transport: PeerTransport,
    *,
    sender: PeerRow,
    is_late: Callable[[], bool] = lambda: False,
) -> PinnedNode:
    """Fetch, verify and store the chain of a node, from itself or from one that relays it.

    The chain is self-certifying, so it does not matter who handed it over. One that is no peer
    stays without a relation and counts as known (T1); what is stored of it counts against the
    day's limit of the peer that brought it (THREATS 36).

    Raises:
        WireFormatError, SignatureRejected: the chain does not hold.
        PeerState, PeerUnreachable: it could not be had.
        EntryDeferred: ``E_QUOTA``.
    """
    with node.database.read() as tx:
        known = len(documents_of(tx, node_id))
        _require_budget(budget_of_sender(tx, sender, node.now()))
    chain = pin_chain(
        transport.node_documents_chain(node_id, max_bytes=LARGEST_CHAIN, is_late=is_late),
        expected=node_id,
        allow_demo=node.own.demo,
    )
    new = sum(len(document.envelope.payload) for document in chain.documents[known:])
    with node.database.write() as tx:
        store_chain(tx, node, chain)
        if new:
            budget = budget_of_sender(tx, sender, node.now())
            spend(tx, budget, max(1, new // BYTES_AN_OBJECT))
    return chain


def _require_budget(budget: Budget) -> None:
    if budget.used >= budget.limit:
        raise EntryDeferred(
            "E_QUOTA",
            "the sender's limit for today is reached, so no node is learned from it",
            "It goes on tomorrow; `tocsin peer set PEER --limit N` raises it.",
        )


def store_chain(tx: Transaction, node: Node, chain: PinnedNode) -> None:
    """Store the documents of a verified chain that are not held yet.

    Raises:
        Conflict: ``E_NODE_VERSION`` when the chain contradicts a document that is held, or ends
            before it: whoever holds an old key would like us to believe in the old document.
    """
    held = documents_of(tx, chain.node_id)
    _require_same_beginning(held, chain)
    for document in chain.documents[len(held) :]:
        stored = StoredDocument(
            chain.node_id, document.version, document.hash, document.envelope.to_bytes()
        )
        store_document(tx, stored, node.now())


def _require_same_beginning(held: Sequence[StoredDocument], chain: PinnedNode) -> None:
    # An older or a parallel chain is no reason to forget the one that is held: which of two
    # documents of one version wins is decided by rule (c), and never by who came last.
    pairs = zip(held, chain.documents, strict=False)
    if len(held) > len(chain.documents) or any(
        stored.hash != document.hash for stored, document in pairs
    ):
        raise Conflict(
            "E_NODE_VERSION",
            "the node's documents contradict those that are pinned here, or end before them",
            "Ask the node's operator by another channel; a key may be stolen.",
            version=len(held),
        )
