"""Entries that count no more: out of the chain, kept as evidence.

What stands beside an entry in any table, by feed and seq, goes with it: what it carried, vouched
for, was confirmed or pushed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables import METADATA
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.keys import VOID_ENTRIES
from hub.storage.tables.objects import CARRIED
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An entry of a chain as it is held; ``record`` is empty where its bytes were erased."""

    seq: int
    hash: EntryHash
    ts: datetime
    received_at: datetime
    record: bytes


def entries_of(tx: Transaction, feed_row: int) -> Iterator[HeldEntry]:
    """Walk the entries of a feed in their order, a part at a time."""
    after = 0
    columns = (
        ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.ts, ENTRIES.c.received_at, ENTRIES.c.record,
    )  # fmt: skip
    while True:
        rows = tx.connection.execute(
            sa.select(*columns)
            .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq > after)
            .order_by(ENTRIES.c.seq)
            .limit(_AT_ONCE)
        ).all()
        for row in rows:
            yield HeldEntry(
                row.seq, EntryHash(row.hash), row.ts, row.received_at, bytes(row.record)
            )
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].seq


def void_after(tx: Transaction, feed_row: int, seq: int, at: datetime) -> int:
    """Take the entries after ``seq`` out of a feed, with what they carried; return how many."""
    feed = tx.connection.execute(
        sa.select(FEEDS.c.feed).where(FEEDS.c.feed_row == feed_row)
    ).scalar_one()
    behind = sa.and_(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq > seq)
    names = ("hash", "feed", "seq", "record", "sender", "received_at", "voided_at")
    moved = sa.select(
        ENTRIES.c.hash,
        sa.literal(feed),
        ENTRIES.c.seq,
        ENTRIES.c.record,
        ENTRIES.c.sender,
        ENTRIES.c.received_at,
        sa.literal(at, VOID_ENTRIES.c.voided_at.type),
    ).where(behind, ENTRIES.c.hash.not_in(sa.select(VOID_ENTRIES.c.hash)))
    tx.connection.execute(VOID_ENTRIES.insert().from_select(names, moved))
    count = int(tx.connection.execute(ENTRIES.delete().where(behind)).rowcount)
    for table in METADATA.tables.values():
        if table is not ENTRIES and {"feed_row", "seq"} <= set(table.c.keys()):
            tx.connection.execute(
                table.delete().where(table.c.feed_row == feed_row, table.c.seq > seq)
            )
    return count


def rows_carried_after(tx: Transaction, feed_row: int, seq: int) -> frozenset[int]:
    """List the numbers of the object versions that the entries after ``seq`` carried."""
    rows = tx.connection.execute(
        sa.select(CARRIED.c.object_row)
        .where(CARRIED.c.feed_row == feed_row, CARRIED.c.seq > seq)
        .distinct()
    )
    return frozenset(rows.scalars())


def void_hashes(tx: Transaction, feed: str, hashes: Iterable[EntryHash]) -> frozenset[EntryHash]:
    """Tell which of these entries of a feed were held here before and taken out."""
    found: set[EntryHash] = set()
    for chunk in in_chunks(hashes):
        rows = tx.connection.execute(
            sa.select(VOID_ENTRIES.c.hash).where(
                VOID_ENTRIES.c.feed == feed, VOID_ENTRIES.c.hash.in_(chunk)
            )
        )
        found.update(EntryHash(value) for value in rows.scalars())
    return frozenset(found)
