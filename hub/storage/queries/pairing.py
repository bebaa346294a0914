"""What pairing and the authentication of peers ask of the store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.nodes import NODE_DOCUMENTS
from hub.storage.tables.peers import INVITATIONS, PEERS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


def is_invitation_open(tx: Transaction, token_digest: str, now: datetime) -> bool:
    """Tell whether an invitation could be spent now; unknown, used and expired look alike."""
    found = tx.connection.execute(
        sa.select(INVITATIONS.c.token_digest).where(
            INVITATIONS.c.token_digest == token_digest,
            INVITATIONS.c.used_at.is_(None),
            INVITATIONS.c.expires_at > now,
        )
    ).one_or_none()
    return found is not None


def newest_documents_of_peers(
    tx: Transaction, states: Collection[str]
) -> tuple[tuple[NodeId, bytes], ...]:
    """List the newest document of every peer that is not blocked, the oldest relation first."""
    newest = (
        sa.select(NODE_DOCUMENTS.c.node_id, sa.func.max(NODE_DOCUMENTS.c.version).label("version"))
        .group_by(NODE_DOCUMENTS.c.node_id)
        .subquery()
    )
    rows = tx.connection.execute(
        sa.select(PEERS.c.node_id, NODE_DOCUMENTS.c.dsse)
        .join(newest, newest.c.node_id == PEERS.c.node_id)
        .join(
            NODE_DOCUMENTS,
            sa.and_(
                NODE_DOCUMENTS.c.node_id == newest.c.node_id,
                NODE_DOCUMENTS.c.version == newest.c.version,
            ),
        )
        .where(PEERS.c.state.in_(sorted(states)), PEERS.c.trust > 0)
        .order_by(PEERS.c.added_at, PEERS.c.node_id)
    )
    return tuple((NodeId(row.node_id), bytes(row.dsse)) for row in rows)


def documents_as_stored(tx: Transaction, node_id: NodeId) -> tuple[tuple[datetime, bytes], ...]:
    """List a node's documents, version 1 first, with the instants at which they were stored."""
    rows = tx.connection.execute(
        sa.select(NODE_DOCUMENTS.c.stored_at, NODE_DOCUMENTS.c.dsse)
        .where(NODE_DOCUMENTS.c.node_id == node_id)
        .order_by(NODE_DOCUMENTS.c.version)
    )
    return tuple((row.stored_at, bytes(row.dsse)) for row in rows)
