"""Which head each peer stated of a feed, and which head it was told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.evidence import STATED_HEADS, TOLD_HEADS
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId


@dataclass(frozen=True, slots=True)
class StatedHead:
    """The newest verified head of a feed that one peer stated; ``dsse`` as JSON bytes."""

    feed: str
    node_id: NodeId
    seq: int
    hash: EntryHash
    ts: datetime
    expires: datetime
    dsse: bytes
    stated_at: datetime


def _stated(row: sa.Row[tuple[object, ...]]) -> StatedHead:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["dsse"] = bytes(values["dsse"])
    return StatedHead(**values)


def heads_stated_by(tx: Transaction, node_id: NodeId) -> dict[str, StatedHead]:
    """List what one peer stated, by feed."""
    rows = tx.connection.execute(sa.select(STATED_HEADS).where(STATED_HEADS.c.node_id == node_id))
    return {stated.feed: stated for stated in map(_stated, rows)}


def heads_stated_of(tx: Transaction, feed: str) -> tuple[StatedHead, ...]:
    """List what was stated of one feed, the farthest first."""
    rows = tx.connection.execute(
        sa.select(STATED_HEADS)
        .where(STATED_HEADS.c.feed == feed)
        .order_by(STATED_HEADS.c.seq.desc(), STATED_HEADS.c.ts.desc(), STATED_HEADS.c.node_id)
    )
    return tuple(map(_stated, rows))


def all_stated_heads(tx: Transaction) -> tuple[StatedHead, ...]:
    """List everything that was stated."""
    return tuple(map(_stated, tx.connection.execute(sa.select(STATED_HEADS))))


def store_stated_head(tx: Transaction, stated: StatedHead) -> None:
    """Keep the newest head that a peer stated of a feed, in the place of the one before."""
    tx.connection.execute(
        STATED_HEADS.delete().where(
            STATED_HEADS.c.feed == stated.feed, STATED_HEADS.c.node_id == stated.node_id
        )
    )
    values = {field.name: getattr(stated, field.name) for field in fields(stated)}
    tx.connection.execute(STATED_HEADS.insert().values(**values))


def forget_stated_of(tx: Transaction, origin: NodeId) -> None:
    """Forget what was stated of an origin's feeds."""
    tx.connection.execute(
        STATED_HEADS.delete().where(STATED_HEADS.c.feed.startswith(f"{origin}/", autoescape=True))
    )


def heads_told_to(tx: Transaction, node_id: NodeId) -> dict[str, tuple[int, datetime]]:
    """List the ``(seq, ts)`` of the last head of each feed that a peer was told by gossip."""
    rows = tx.connection.execute(sa.select(TOLD_HEADS).where(TOLD_HEADS.c.node_id == node_id))
    return {row.feed: (row.seq, row.ts) for row in rows}


def store_told_head(tx: Transaction, node_id: NodeId, feed: str, seq: int, ts: datetime) -> None:
    """Remember which head of a feed a peer was told."""
    where = (TOLD_HEADS.c.node_id == node_id, TOLD_HEADS.c.feed == feed)
    tx.connection.execute(TOLD_HEADS.delete().where(*where))
    tx.connection.execute(TOLD_HEADS.insert().values(node_id=node_id, feed=feed, seq=seq, ts=ts))
