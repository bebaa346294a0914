"""Receipts: what peers confirmed to us, what we have to confirm, and which object is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.recall import ACKS, ACKS_DUE, RECALLS
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, NodeId


@dataclass(frozen=True, slots=True)
class AckRow:
    """What a peer confirmed of an entry; the counts are of its own readers, where it gave any."""

    feed_row: int
    seq: int
    node_id: NodeId
    did: str
    at: datetime
    received_at: datetime
    readers: int | None
    confirmed: int | None
    dsse: bytes


@dataclass(frozen=True, slots=True)
class DueAck:
    """What we have to confirm to a peer, and since when."""

    feed_row: int
    feed: str
    seq: int
    hash: EntryHash
    did: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Recall:
    """An own entry that takes an object back."""

    feed_row: int
    feed: FeedName
    seq: int
    hash: EntryHash
    did: str
    at: datetime


def store_ack(tx: Transaction, ack: AckRow) -> bool:
    """Store what a peer confirmed, unless a later word of it is held; tell whether it is news."""
    mine = (
        ACKS.c.feed_row == ack.feed_row,
        ACKS.c.seq == ack.seq,
        ACKS.c.node_id == ack.node_id,
    )
    held = tx.connection.execute(sa.select(ACKS).where(*mine)).one_or_none()
    values = {field.name: getattr(ack, field.name) for field in fields(ack)}
    if held is None:
        tx.connection.execute(ACKS.insert().values(**values))
        return True
    if held.at >= ack.at:
        return False
    # When it was confirmed first stays; what is new are the counts.
    values |= {"received_at": held.received_at}
    tx.connection.execute(ACKS.update().where(*mine).values(**values))
    return bool((held.readers, held.confirmed) != (ack.readers, ack.confirmed))


def acks_of(tx: Transaction, feed_row: int, seq: int) -> dict[NodeId, AckRow]:
    """List what was confirmed of an entry, by peer."""
    rows = tx.connection.execute(
        sa.select(ACKS).where(ACKS.c.feed_row == feed_row, ACKS.c.seq == seq)
    )
    return {
        NodeId(row.node_id): AckRow(**{**row._mapping, "dsse": bytes(row.dsse)})  # noqa: SLF001
        for row in rows
    }


def note_due_ack(
    tx: Transaction, recipient: NodeId, feed_row: int, seq: int, did: str, since: datetime
) -> None:
    """Note that an entry has to be confirmed to a peer; once is enough."""
    mine = (
        ACKS_DUE.c.recipient == recipient,
        ACKS_DUE.c.feed_row == feed_row,
        ACKS_DUE.c.seq == seq,
    )
    changed = tx.connection.execute(ACKS_DUE.update().where(*mine).values(since=since))
    if changed.rowcount == 0:
        tx.connection.execute(
            ACKS_DUE.insert().values(
                recipient=recipient, feed_row=feed_row, seq=seq, did=did, since=since
            )
        )


def due_acks(tx: Transaction, recipient: NodeId, limit: int) -> list[DueAck]:
    """List what has to be confirmed to a peer, the oldest first."""
    rows = tx.connection.execute(
        sa.select(
            ACKS_DUE.c.feed_row,
            FEEDS.c.feed,
            ACKS_DUE.c.seq,
            ENTRIES.c.hash,
            ACKS_DUE.c.did,
            ACKS_DUE.c.since,
        )
        .join(FEEDS, FEEDS.c.feed_row == ACKS_DUE.c.feed_row)
        .join(
            ENTRIES,
            (ENTRIES.c.feed_row == ACKS_DUE.c.feed_row) & (ENTRIES.c.seq == ACKS_DUE.c.seq),
        )
        .where(ACKS_DUE.c.recipient == recipient)
        .order_by(ACKS_DUE.c.since, ACKS_DUE.c.feed_row, ACKS_DUE.c.seq)
        .limit(limit)
    )
    return [DueAck(r.feed_row, r.feed, r.seq, EntryHash(r.hash), r.did, r.since) for r in rows]


def drop_due_acks(tx: Transaction, recipient: NodeId, told: Sequence[DueAck]) -> None:
    """Forget what was confirmed; what became due anew meanwhile stays, wherever the clock goes."""
    for ack in told:
        tx.connection.execute(
            ACKS_DUE.delete().where(
                ACKS_DUE.c.recipient == recipient,
                ACKS_DUE.c.feed_row == ack.feed_row,
                ACKS_DUE.c.seq == ack.seq,
                ACKS_DUE.c.since == ack.since,
            )
        )


def recipients_due(tx: Transaction) -> frozenset[NodeId]:
    """List the peers to whom something has to be confirmed."""
    return frozenset(tx.connection.execute(sa.select(ACKS_DUE.c.recipient).distinct()).scalars())


def note_recalls(
    tx: Transaction, feed_row: int, seq: int, stix_ids: Iterable[str], did: str, at: datetime
) -> None:
    """Note which objects an own entry takes back."""
    ids = sorted(set(stix_ids))
    if ids:
        tx.connection.execute(
            RECALLS.insert(),
            [
                {"feed_row": feed_row, "seq": seq, "stix_id": stix_id, "did": did, "at": at}
                for stix_id in ids
            ],
        )


def recalls_of(tx: Transaction, stix_id: str) -> list[Recall]:
    """List the own entries that take an object back, in the order of time."""
    rows = tx.connection.execute(
        sa.select(RECALLS, FEEDS.c.feed, ENTRIES.c.hash)
        .join(FEEDS, FEEDS.c.feed_row == RECALLS.c.feed_row)
        .join(
            ENTRIES, (ENTRIES.c.feed_row == RECALLS.c.feed_row) & (ENTRIES.c.seq == RECALLS.c.seq)
        )
        .where(RECALLS.c.stix_id == stix_id)
        .order_by(RECALLS.c.at, RECALLS.c.feed_row, RECALLS.c.seq)
    )
    return [
        Recall(r.feed_row, FeedName.read(r.feed), r.seq, EntryHash(r.hash), r.did, r.at)
        for r in rows
    ]


def recalled_since(tx: Transaction, did: str) -> dict[str, datetime]:
    """Map each object to which own entries did this to when the last one did."""
    rows = tx.connection.execute(
        sa.select(RECALLS.c.stix_id, RECALLS.c.at).where(RECALLS.c.did == did)
    )
    found: dict[str, datetime] = {}
    for row in rows:
        found[row.stix_id] = max(row.at, found.get(row.stix_id, row.at))
    return found


def entries_at(
    tx: Transaction, places: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str]]:
    """Find hash and kind of the entries at the given places, by feed row and seq."""
    found: dict[tuple[int, int], tuple[str, str]] = {}
    by_feed: dict[int, list[int]] = {}
    for feed_row, seq in places:
        by_feed.setdefault(feed_row, []).append(seq)
    for feed_row, seqs in by_feed.items():
        for chunk in in_chunks(seqs):
            rows = tx.connection.execute(
                sa.select(ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.kind).where(
                    ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq.in_(chunk)
                )
            )
            found |= {(feed_row, row.seq): (row.hash, row.kind) for row in rows}
    return found
