"""Pushes: how far each peer was told of each own feed, and the statuses of what peers pushed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from hub.storage.tables.hard_networks import PUSH_STATUSES, PUSHES
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


@dataclass(frozen=True, slots=True)
class PushedTo:
    """How far a peer was told of an own feed: entries up to ``seq``, the head of ``head_ts``."""

    seq: int = 0
    head_ts: datetime | None = None


def pushed_to(tx: Transaction, node_id: NodeId) -> dict[int, PushedTo]:
    """List how far a peer was told, by feed row."""
    rows = tx.connection.execute(sa.select(PUSHES).where(PUSHES.c.node_id == node_id))
    return {row.feed_row: PushedTo(row.seq, row.head_ts) for row in rows}


def note_pushed(
    tx: Transaction,
    node_id: NodeId,
    feed_row: int,
    *,
    seq: int,
    head_ts: datetime | None,
    at: datetime,
) -> None:
    """Note how far a peer was told; a peer that lost what it had may stand further back."""
    where = (PUSHES.c.node_id == node_id, PUSHES.c.feed_row == feed_row)
    values = {"seq": seq, "head_ts": head_ts, "at": at}
    if tx.connection.execute(PUSHES.update().where(*where).values(**values)).rowcount == 0:
        tx.connection.execute(PUSHES.insert().values(node_id=node_id, feed_row=feed_row, **values))


def store_push_status(
    tx: Transaction, status_id: str, node_id: NodeId, body: bytes, at: datetime
) -> None:
    """Keep the status of what a peer pushed."""
    tx.connection.execute(
        PUSH_STATUSES.insert().values(
            status_id=status_id, node_id=node_id, body=body, created_at=at
        )
    )


def forget_push_statuses(
    tx: Transaction, node_id: NodeId, now: datetime, keep: timedelta, most: int
) -> None:
    """Forget the statuses of a peer that are old, and all but its newest ones."""
    mine = PUSH_STATUSES.c.node_id == node_id
    tx.connection.execute(
        PUSH_STATUSES.delete().where(mine, PUSH_STATUSES.c.created_at < now - keep)
    )
    surplus = (
        sa.select(PUSH_STATUSES.c.status_id)
        .where(mine)
        .order_by(PUSH_STATUSES.c.created_at.desc(), PUSH_STATUSES.c.status_id)
        .offset(most)
    )
    old = list(tx.connection.execute(surplus).scalars())
    for status_id in old:
        tx.connection.execute(PUSH_STATUSES.delete().where(PUSH_STATUSES.c.status_id == status_id))


def find_push_status(tx: Transaction, status_id: str, node_id: NodeId) -> bytes | None:
    """Find the status of a push, for whoever pushed it alone."""
    body = tx.connection.execute(
        sa.select(PUSH_STATUSES.c.body).where(
            PUSH_STATUSES.c.status_id == status_id, PUSH_STATUSES.c.node_id == node_id
        )
    ).scalar_one_or_none()
    return None if body is None else bytes(body)
