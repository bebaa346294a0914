"""How far each peer is known to hold a feed: by its own signed word, or because we pushed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.recall import POSITIONS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


@dataclass(frozen=True, slots=True)
class Position:
    """How far a peer holds a feed, by an ``ack`` or a ``push``, and since when we know."""

    seq: int
    how: str
    at: datetime


def note_position(
    tx: Transaction, feed_row: int, node_id: NodeId, seq: int, how: str, at: datetime
) -> None:
    """Note that a peer holds a feed up to ``seq``; what is known already never goes back."""
    mine = (POSITIONS.c.feed_row == feed_row, POSITIONS.c.node_id == node_id)
    held = tx.connection.execute(sa.select(POSITIONS.c.seq).where(*mine)).scalar_one_or_none()
    if held is None:
        values = {"feed_row": feed_row, "node_id": node_id, "seq": seq, "how": how, "at": at}
        tx.connection.execute(POSITIONS.insert().values(**values))
    elif held < seq:
        tx.connection.execute(POSITIONS.update().where(*mine).values(seq=seq, how=how, at=at))


def positions_of(tx: Transaction, feed_row: int) -> dict[NodeId, Position]:
    """Tell what each peer is known to hold of a feed."""
    rows = tx.connection.execute(sa.select(POSITIONS).where(POSITIONS.c.feed_row == feed_row))
    return {NodeId(row.node_id): Position(row.seq, row.how, row.at) for row in rows}
