"""Ourselves and the pinned documents of every node that we know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.nodes import NODE_DOCUMENTS, ORGANISATIONS, OWN_NODE
from hub.storage.tables.peers import PEERS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, StixId


@dataclass(frozen=True, slots=True)
class OwnNode:
    """What this node is, beside its documents.

    Args:
        cursor_key: authenticates the cursors of its pages; no other key turns it.
    """

    node_id: NodeId
    identity: StixId
    roles: tuple[str, ...]
    green_relay: str
    demo: bool
    created_at: datetime
    cursor_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One stored node document; ``dsse`` is the signed envelope as JSON bytes."""

    node_id: NodeId
    version: int
    hash: str
    dsse: bytes


def find_own_node(tx: Transaction) -> OwnNode | None:
    """Find what this node is; None before ``tocsin init``."""
    row = tx.connection.execute(sa.select(OWN_NODE)).one_or_none()
    if row is None:
        return None
    return OwnNode(
        row.node_id, row.identity, tuple(row.roles), row.green_relay, row.demo, row.created_at,
        bytes(row.cursor_key),
    )  # fmt: skip


def store_own_node(tx: Transaction, own: OwnNode) -> None:
    """Store what this node is, once."""
    tx.connection.execute(
        OWN_NODE.insert().values(
            node_id=own.node_id,
            identity=own.identity,
            roles=list(own.roles),
            green_relay=own.green_relay,
            demo=own.demo,
            created_at=own.created_at,
            cursor_key=own.cursor_key,
        )
    )


def store_document(tx: Transaction, document: StoredDocument, at: datetime) -> None:
    """Store one more document of a node's chain."""
    tx.connection.execute(
        NODE_DOCUMENTS.insert().values(
            node_id=document.node_id,
            version=document.version,
            hash=document.hash,
            dsse=document.dsse,
            stored_at=at,
        )
    )


# Built once: nearly every use-case asks it, and building it takes longer than the look-up.
_DOCUMENTS_OF = (
    sa.select(NODE_DOCUMENTS)
    .where(NODE_DOCUMENTS.c.node_id == sa.bindparam("of"))
    .order_by(NODE_DOCUMENTS.c.version)
)


def documents_of(tx: Transaction, node_id: NodeId) -> tuple[StoredDocument, ...]:
    """List a node's documents, version 1 first."""
    rows = tx.connection.execute(_DOCUMENTS_OF, {"of": node_id})
    return tuple(StoredDocument(r.node_id, r.version, r.hash, bytes(r.dsse)) for r in rows)


_NEWEST_HASHES = (
    sa.select(NODE_DOCUMENTS.c.node_id, NODE_DOCUMENTS.c.hash)
    .where(
        NODE_DOCUMENTS.c.node_id.in_(sa.select(PEERS.c.node_id))
        | (NODE_DOCUMENTS.c.node_id == sa.bindparam("own"))
    )
    .order_by(NODE_DOCUMENTS.c.version)
)


def newest_document_hashes(tx: Transaction, own: NodeId) -> dict[NodeId, str]:
    """Tell the hashes of the newest documents of all peers and of this node, in one statement."""
    rows = tx.connection.execute(_NEWEST_HASHES, {"own": own})
    return {NodeId(row.node_id): row.hash for row in rows}


def ensure_organisation(tx: Transaction, organisation_id: str, name: str, at: datetime) -> None:
    """Create an organisation unless it is there."""
    found = tx.connection.execute(
        sa.select(ORGANISATIONS.c.organisation_id).where(
            ORGANISATIONS.c.organisation_id == organisation_id
        )
    ).one_or_none()
    if found is None:
        tx.connection.execute(
            ORGANISATIONS.insert().values(
                organisation_id=organisation_id, name=name, node_id=None, created_at=at
            )
        )


def node_ids_with_prefix(tx: Transaction, prefix: str) -> tuple[NodeId, ...]:
    """List the nodes whose id begins with ``prefix``."""
    column = NODE_DOCUMENTS.c.node_id
    rows = tx.connection.execute(
        sa.select(column).distinct().where(column.startswith(prefix, autoescape=True))
    )
    return tuple(NodeId(value) for value in rows.scalars())
