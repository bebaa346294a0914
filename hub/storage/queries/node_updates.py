"""Documents that lost to others of their version, and which of ours each peer is known to hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.keys import OVERRULED_DOCUMENTS, TOLD_DOCUMENTS
from hub.storage.tables.nodes import NODE_DOCUMENTS
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId

PAIRED_WITH = 1
"""The version that every peer holds at least: it was shown when the two were paired."""


@dataclass(frozen=True, slots=True)
class OverruledDocument:
    """A document that lost by rule (c); the node is frozen while ``settled_at`` is None."""

    hash: EntryHash
    node_id: NodeId
    version: int
    dsse: bytes
    noted_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None


def store_overruled(tx: Transaction, document: OverruledDocument) -> bool:
    """Keep a document that lost; False when it is kept already."""
    table = OVERRULED_DOCUMENTS
    found = tx.connection.execute(
        sa.select(table.c.hash).where(table.c.hash == document.hash)
    ).one_or_none()
    if found is not None:
        return False
    tx.connection.execute(
        table.insert().values(
            hash=document.hash,
            node_id=document.node_id,
            version=document.version,
            dsse=document.dsse,
            noted_at=document.noted_at,
            settled_at=document.settled_at,
            settled_by=document.settled_by,
        )
    )
    return True


def overruled_documents(tx: Transaction, node_id: NodeId) -> tuple[OverruledDocument, ...]:
    """List a node's documents that lost, in the order in which they came."""
    table = OVERRULED_DOCUMENTS
    rows = tx.connection.execute(
        sa.select(table).where(table.c.node_id == node_id).order_by(table.c.noted_at, table.c.hash)
    )
    return tuple(
        OverruledDocument(
            EntryHash(row.hash),
            NodeId(row.node_id),
            row.version,
            bytes(row.dsse),
            row.noted_at,
            row.settled_at,
            row.settled_by,
        )
        for row in rows
    )


def frozen_since(tx: Transaction, node_id: NodeId) -> datetime | None:
    """Tell since when a node is frozen because two documents of one version exist; None if not."""
    table = OVERRULED_DOCUMENTS
    found: datetime | None = tx.connection.execute(
        sa.select(sa.func.min(table.c.noted_at, type_=table.c.noted_at.type)).where(
            table.c.node_id == node_id, table.c.settled_at.is_(None)
        )
    ).scalar_one()
    return found


def frozen_nodes(tx: Transaction) -> tuple[NodeId, ...]:
    """List the nodes that are frozen."""
    table = OVERRULED_DOCUMENTS
    rows = tx.connection.execute(
        sa.select(table.c.node_id)
        .where(table.c.settled_at.is_(None))
        .distinct()
        .order_by(table.c.node_id)
    )
    return tuple(NodeId(value) for value in rows.scalars())


def settle_overruled(tx: Transaction, node_id: NodeId, at: datetime, by: str) -> int:
    """Note that a person has looked at what a node is frozen for; return how many documents."""
    table = OVERRULED_DOCUMENTS
    result = tx.connection.execute(
        table.update()
        .where(table.c.node_id == node_id, table.c.settled_at.is_(None))
        .values(settled_at=at, settled_by=by)
    )
    return int(result.rowcount)


def drop_documents_after(tx: Transaction, node_id: NodeId, version: int) -> None:
    """Forget a node's documents after a version; the overruled one was kept as evidence."""
    tx.connection.execute(
        NODE_DOCUMENTS.delete().where(
            NODE_DOCUMENTS.c.node_id == node_id, NODE_DOCUMENTS.c.version > version
        )
    )


def told_version(tx: Transaction, node_id: NodeId) -> int:
    """Tell up to which version a peer is known to hold our documents."""
    found = tx.connection.execute(
        sa.select(TOLD_DOCUMENTS.c.version).where(TOLD_DOCUMENTS.c.node_id == node_id)
    ).scalar_one_or_none()
    return PAIRED_WITH if found is None else int(found)


def told_versions(tx: Transaction) -> dict[str, int]:
    """Tell the same of all peers that were told since they paired."""
    rows = tx.connection.execute(sa.select(TOLD_DOCUMENTS.c.node_id, TOLD_DOCUMENTS.c.version))
    return {row.node_id: int(row.version) for row in rows}


def note_told(tx: Transaction, node_id: NodeId, version: int, at: datetime) -> None:
    """Note up to which version a peer holds our documents."""
    table = TOLD_DOCUMENTS
    tx.connection.execute(table.delete().where(table.c.node_id == node_id))
    tx.connection.execute(table.insert().values(node_id=node_id, version=version, at=at))
