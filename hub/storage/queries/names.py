"""What was found of the domains that nodes call their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.names import PEER_NAMES
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


@dataclass(frozen=True, slots=True)
class NameRow:
    """The last thing that DNS said of a node's domain.

    Args:
        standing: a ``NameStanding``'s value.
        named: the node ids that the record names.
        changed_at: since when it stands like this.
    """

    node_id: NodeId
    domain: str
    standing: str
    named: tuple[str, ...]
    checked_at: datetime
    changed_at: datetime


def names_of(tx: Transaction, node_id: NodeId) -> dict[str, NameRow]:
    """Map a node's domains to what was found of them."""
    rows = tx.connection.execute(
        sa.select(PEER_NAMES).where(PEER_NAMES.c.node_id == node_id).order_by(PEER_NAMES.c.domain)
    )
    return {
        row.domain: NameRow(
            NodeId(row.node_id),
            row.domain,
            row.standing,
            tuple(row.named),
            row.checked_at,
            row.changed_at,
        )
        for row in rows
    }


def store_names(tx: Transaction, node_id: NodeId, rows: list[NameRow]) -> None:
    """Store what was found, in the place of all that was known of the node's domains."""
    tx.connection.execute(PEER_NAMES.delete().where(PEER_NAMES.c.node_id == node_id))
    if rows:
        values = [asdict(row) | {"named": list(row.named)} for row in rows]
        tx.connection.execute(PEER_NAMES.insert(), values)
