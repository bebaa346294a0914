"""The documents of nodes: our own for others, others' learned and stored.

Invariants:
* a chain is stored only after ``pin_chain`` verified it against the id that was expected;
* what came first stands, unless rule (c) of PROTOCOL 2.3 says that its committed root set overrules
  it; then the node is frozen until a person has looked (``node_conflicts``);
* what newer documents say of older entries is true at once: what they revoke is void in the same
  transaction;
* another node's documents are given only to a peer that may read a feed of it here, for to have
  them tells of a relation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from federation.errors import EntryDeferred, SignatureRejected
from federation.identity.node_document import PinnedNode, pin_chain
from federation.identity.rotation import ChainUpdate, decide_update, revocations
from federation.transport.peer_client import FeedSource
from hub.errors import Conflict, NotFound
from hub.exchange.voiding import void_what_is_not_good
from hub.node import Node
from hub.observability.printable import printable
from hub.peers.budgets import BYTES_AN_OBJECT, Budget, budget_of_sender, spend
from hub.peers.known_nodes import find_pinned, pinned
from hub.peers.may_sign import is_in_doubt
from hub.peers.node_conflicts import note_conflict
from hub.storage.queries.audit import store_event
from hub.storage.queries.jobs import request_job
from hub.storage.queries.node_updates import drop_documents_after
from hub.storage.queries.nodes import StoredDocument, documents_of, store_document
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, is_node_id
from schemas.strict_json import strict_loads

LONGEST_NAME = 120
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
    transport: FeedSource,
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
        return pinned(tx, node_id)


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
    held = find_pinned(tx, chain.node_id)
    if held is None:
        _store_from(tx, node, chain, 0)
        return
    try:
        values = [document.envelope.to_json() for document in chain.documents]
        update = decide_update(held, values, allow_demo=node.own.demo)
    except SignatureRejected as contradiction:
        raise _contradiction(len(held.documents)) from contradiction
    # Our own documents are what we signed: no other branch of them is taken from anybody, and
    # none that goes on behind ours, which a thief of the root may have signed, unless a restore
    # has lost what we signed ourselves.
    is_ours = chain.node_id == node.node_id and update.pinned != held
    if is_ours and (update.conflict is not None or not is_in_doubt(node)):
        raise _contradiction(len(held.documents))
    if update.conflict is None and len(chain.documents) < len(held.documents):
        raise _contradiction(len(held.documents))
    take_update(tx, node, held, update)


def take_update(tx: Transaction, node: Node, held: PinnedNode, update: ChainUpdate) -> None:
    """Store what became of a node's chain, with all that follows from it, in the caller's write.

    Args:
        held: the chain as it was before.
    """
    now = node.now()
    if update.conflict is not None:
        note_conflict(tx, update.conflict, now, held_won=update.kept == len(held.documents))
    if update.pinned == held:
        return
    drop_documents_after(tx, held.node_id, update.kept)
    _store_from(tx, node, update.pinned, update.kept)
    newest = update.pinned.newest
    store_event(
        tx, now, held.node_id, "NODE_DOCUMENTS", version=newest.version, replaced=update.kept + 1
    )
    if find_peer(tx, held.node_id) is not None:
        update_peer(tx, held.node_id, name=shown_name(newest.name), base=newest.base)
    if update.kept < len(held.documents) or revocations(update.pinned) != revocations(held):
        voided = void_what_is_not_good(tx, node, update.pinned, now)
        if voided and find_peer(tx, held.node_id) is not None:
            # What is good after all, and the next epoch, come with the next pull.
            request_job(tx, "pull", held.node_id, now, hurry=True)


def shown_name(name: str) -> str:
    """Write the name that a node gives itself as it is kept and shown here.

    It comes from outside: control characters (PostgreSQL takes no NUL) are written out, and it is
    cut where it would fill the screen. The document itself is kept as it was signed.
    """
    return printable(name[:LONGEST_NAME])


def _store_from(tx: Transaction, node: Node, chain: PinnedNode, kept: int) -> None:
    for document in chain.documents[kept:]:
        stored = StoredDocument(
            chain.node_id, document.version, document.hash, document.envelope.to_bytes()
        )
        store_document(tx, stored, node.now())


def _contradiction(held: int) -> Conflict:
    # An older or a parallel chain is no reason to forget the one that is held: which of two
    # documents of one version wins is decided by rule (c), and never by who came last.
    return Conflict(
        "E_NODE_VERSION",
        "the node's documents contradict those that are pinned here, or end before them",
        "Ask the node's operator by another channel; a key may be stolen.",
        version=held,
    )
