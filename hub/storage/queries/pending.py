"""What waits behind a stub until that has its right: steps of the chain, not yet looked into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.recall import PENDING_ENTRIES
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId

_IN_LIST = 500


@dataclass(frozen=True, slots=True)
class PendingRow:
    """One step; ``seq``, ``hash``, ``ts``, ``relay`` and ``closed`` are where the chain then is.

    Args:
        stub: the later entry that is said to name this one; None for an entry.
        created: what the stub says of that entry's ``ts``.
        linked: whether a signed statement names the hash; always so for an entry.
        justified: whether entry ``stub`` has come and names it; always so for an entry.
        record: the TAXII object as it came.
    """

    feed_row: int
    seq: int
    hash: EntryHash
    ts: datetime | None
    relay: str | None
    closed: bool
    stub: int | None
    created: str | None
    linked: bool
    justified: bool
    record: bytes
    sender: NodeId
    received_at: datetime


def _pending(row: sa.Row[tuple[object, ...]]) -> PendingRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["record"] = bytes(values["record"])
    return PendingRow(**values)


def store_pending(tx: Transaction, rows: Sequence[PendingRow]) -> None:
    """Store steps behind those that wait already."""
    if rows:
        names = [field.name for field in fields(PendingRow)]
        tx.connection.execute(
            PENDING_ENTRIES.insert(),
            [{name: getattr(row, name) for name in names} for row in rows],
        )


def find_pending(tx: Transaction, feed_row: int, seq: int) -> PendingRow | None:
    """Find one step that waits."""
    row = tx.connection.execute(
        sa.select(PENDING_ENTRIES).where(
            PENDING_ENTRIES.c.feed_row == feed_row, PENDING_ENTRIES.c.seq == seq
        )
    ).one_or_none()
    return None if row is None else _pending(row)


def first_pending(tx: Transaction, feed_row: int, before: int, limit: int) -> list[PendingRow]:
    """List the first steps that wait before a seq, ascending."""
    rows = tx.connection.execute(
        sa.select(PENDING_ENTRIES)
        .where(PENDING_ENTRIES.c.feed_row == feed_row, PENDING_ENTRIES.c.seq < before)
        .order_by(PENDING_ENTRIES.c.seq)
        .limit(limit)
    )
    return [_pending(row) for row in rows]


def pending_hashes(tx: Transaction, feed_row: int, seqs: Sequence[int]) -> dict[int, EntryHash]:
    """Find the hashes of waiting steps at the given seqs, as far as something signed names them."""
    rows = tx.connection.execute(
        sa.select(PENDING_ENTRIES.c.seq, PENDING_ENTRIES.c.hash).where(
            PENDING_ENTRIES.c.feed_row == feed_row,
            PENDING_ENTRIES.c.seq.in_(seqs),
            PENDING_ENTRIES.c.linked,
        )
    )
    return {row.seq: EntryHash(row.hash) for row in rows}


def link_pending(tx: Transaction, feed_row: int, seq: int) -> None:
    """Note that the next entry names this step's hash."""
    _update(tx, feed_row, [seq], linked=True)


def justify_pending(
    tx: Transaction, feed_row: int, by: int, created: str, seqs: Iterable[int]
) -> None:
    """Note that entry ``by``, of the time ``created``, has come and names these places."""
    mine = (PENDING_ENTRIES.c.stub == by, PENDING_ENTRIES.c.created == created)
    _update(tx, feed_row, sorted(seqs), *mine, justified=True)


def entries_waited_for(tx: Transaction, feed_row: int) -> set[int]:
    """List the entries that stubs of a feed wait for."""
    rows = tx.connection.execute(
        sa.select(PENDING_ENTRIES.c.stub)
        .where(
            PENDING_ENTRIES.c.feed_row == feed_row,
            PENDING_ENTRIES.c.stub.is_not(None),
            PENDING_ENTRIES.c.justified == sa.false(),
        )
        .distinct()
    )
    return set(rows.scalars())


def first_unjustified(tx: Transaction, feed_row: int, *, until: int | None = None) -> int | None:
    """Find the first stub that waits for its right.

    Args:
        until: only those whose naming entry would have come up to this seq.
    """
    statement = sa.select(sa.func.min(PENDING_ENTRIES.c.seq)).where(
        PENDING_ENTRIES.c.feed_row == feed_row,
        PENDING_ENTRIES.c.stub.is_not(None),
        PENDING_ENTRIES.c.justified == sa.false(),
    )
    if until is not None:
        statement = statement.where(PENDING_ENTRIES.c.stub <= until)
    found: int | None = tx.connection.execute(statement).scalar_one()
    return found


def first_of_run(tx: Transaction, feed_row: int) -> int:
    """Find the first of the stubs behind the last step whose hash something signed names."""
    unlinked = (PENDING_ENTRIES.c.feed_row == feed_row, ~PENDING_ENTRIES.c.linked)
    linked = sa.select(sa.func.coalesce(sa.func.max(PENDING_ENTRIES.c.seq), 0)).where(
        PENDING_ENTRIES.c.feed_row == feed_row, PENDING_ENTRIES.c.linked
    )
    found: int = tx.connection.execute(
        sa.select(sa.func.min(PENDING_ENTRIES.c.seq)).where(
            *unlinked, PENDING_ENTRIES.c.seq > linked.scalar_subquery()
        )
    ).scalar_one()
    return found


def drop_pending(
    tx: Transaction, feed_row: int, *, before: int | None = None, since: int | None = None
) -> None:
    """Forget steps: those before a seq, which were taken, or those from a seq on."""
    statement = PENDING_ENTRIES.delete().where(PENDING_ENTRIES.c.feed_row == feed_row)
    if before is not None:
        statement = statement.where(PENDING_ENTRIES.c.seq < before)
    if since is not None:
        statement = statement.where(PENDING_ENTRIES.c.seq >= since)
    tx.connection.execute(statement)


def _update(
    tx: Transaction,
    feed_row: int,
    seqs: Sequence[int],
    *where: sa.ColumnElement[bool],
    **values: object,
) -> None:
    for start in range(0, len(seqs), _IN_LIST):
        tx.connection.execute(
            PENDING_ENTRIES.update()
            .where(
                PENDING_ENTRIES.c.feed_row == feed_row,
                PENDING_ENTRIES.c.seq.in_(seqs[start : start + _IN_LIST]),
                *where,
            )
            .values(**values)
        )
