"""Feeds and entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.transaction import Transaction
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName, NodeId

STUB = "stub"
"""The state of an entry whose bytes its origin took back: a stub stands in its place."""
UNLINKED = "STUB_UNLINKED"
"""The code of a stub before another one: nothing that is signed names its hash."""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed as it is held: where its chain stands is also our cursor."""

    feed_row: int
    feed: str
    collection_id: str
    node_id: NodeId
    audience: str
    epoch: int
    own: bool
    relay: str | None
    highest_tlp: int
    last_seq: int
    last_hash: EntryHash
    last_ts: datetime | None
    state: str
    relay_stopped: bool
    head: bytes | None
    head_seq: int
    head_ts: datetime | None
    pending_seq: int = 0
    acked_seq: int = 0
    held_since: datetime | None = None

    @property
    def name(self) -> FeedName:
        """The feed's name in its parts."""
        return FeedName(self.node_id, self.audience, self.epoch)

    @property
    def cursor(self) -> int:
        """How far the feed was read: what waits behind a stub is read, but not taken yet."""
        return max(self.last_seq, self.pending_seq)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is held; ``record`` is the TAXII object's bytes as they are served."""

    feed_row: int
    seq: int
    hash: EntryHash
    kind: str
    tlp: int | None
    state: str
    code: str | None
    exercise: bool
    ts: datetime
    record: bytes
    sender: NodeId | None
    received_at: datetime
    # What a claim that it carried needs to know of it; None where it was stored by release 0.2.
    src: Sequence[str] | None = None
    pap: int | None = None
    attribution: str | None = None


# Built once: nearly every use-case asks it, and building it takes longer than the look-up.
_FIND_FEED = sa.select(FEEDS).where(FEEDS.c.feed == sa.bindparam("name"))


def _feed(row: sa.Row[tuple[object, ...]]) -> FeedRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    if values["head"] is not None:
        values["head"] = bytes(values["head"])
    return FeedRow(**values)


def find_feed(tx: Transaction, feed: FeedName) -> FeedRow | None:
    """Find a feed by its name."""
    row = tx.connection.execute(_FIND_FEED, {"name": str(feed)}).one_or_none()
    return None if row is None else _feed(row)


def feeds_unconfirmed(tx: Transaction) -> tuple[FeedRow, ...]:
    """List the feeds of others of which more is held than was confirmed, ordered by name."""
    rows = tx.connection.execute(
        sa.select(FEEDS)
        .where(FEEDS.c.own == sa.false(), FEEDS.c.last_seq > FEEDS.c.acked_seq)
        .order_by(FEEDS.c.feed)
    )
    return tuple(_feed(row) for row in rows)


def feed_of_row(tx: Transaction, feed_row: int) -> FeedRow | None:
    """Find a feed by its number."""
    row = tx.connection.execute(sa.select(FEEDS).where(FEEDS.c.feed_row == feed_row)).one_or_none()
    return None if row is None else _feed(row)


def find_feed_of_collection(tx: Transaction, collection_id: str) -> FeedRow | None:
    """Find a feed by its TAXII collection id."""
    row = tx.connection.execute(
        sa.select(FEEDS).where(FEEDS.c.collection_id == collection_id)
    ).one_or_none()
    return None if row is None else _feed(row)


def list_feeds(tx: Transaction, *, own: bool | None = None) -> tuple[FeedRow, ...]:
    """List feeds, ordered by name."""
    statement = sa.select(FEEDS).order_by(FEEDS.c.feed)
    if own is not None:
        statement = statement.where(FEEDS.c.own == own)
    return tuple(_feed(row) for row in tx.connection.execute(statement))


def feeds_of_audience(tx: Transaction, node_id: NodeId, audience: str) -> tuple[FeedRow, ...]:
    """List the feeds of a node to one audience, the earlier epoch first."""
    rows = tx.connection.execute(
        sa.select(FEEDS)
        .where(FEEDS.c.node_id == node_id, FEEDS.c.audience == audience)
        .order_by(FEEDS.c.epoch)
    )
    return tuple(_feed(row) for row in rows)


def create_feed(tx: Transaction, feed: FeedName, *, own: bool) -> FeedRow:
    """Begin to hold a feed; its chain stands before seq 1."""
    row = FeedRow(
        feed_row=claim_numbers(tx, "feed_row", 1),
        feed=str(feed),
        collection_id=feed.collection_id,
        node_id=feed.node_id,
        audience=feed.audience,
        epoch=feed.epoch,
        own=own,
        relay=None,
        highest_tlp=0,
        last_seq=0,
        last_hash=ZERO_HASH,
        last_ts=None,
        state="open",
        relay_stopped=False,
        head=None,
        head_seq=0,
        head_ts=None,
    )
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    tx.connection.execute(FEEDS.insert().values(**values))
    return row


def forget_feed(tx: Transaction, feed_row: int) -> None:
    """Forget a feed of which no entry is held."""
    tx.connection.execute(FEEDS.delete().where(FEEDS.c.feed_row == feed_row))


def update_feed(tx: Transaction, feed_row: int, **values: object) -> None:
    """Change columns of a feed."""
    tx.connection.execute(FEEDS.update().where(FEEDS.c.feed_row == feed_row).values(**values))


def store_entries(tx: Transaction, entries: Sequence[EntryRow]) -> None:
    """Store entries."""
    if entries:
        names = [field.name for field in fields(EntryRow)]
        tx.connection.execute(
            ENTRIES.insert(), [{name: getattr(entry, name) for name in names} for entry in entries]
        )


def records_after(
    tx: Transaction, feed_row: int, seq: int, limit: int
) -> list[tuple[int, EntryHash, bytes]]:
    """List ``(seq, hash, record)`` of the entries after ``seq``, ascending, at most ``limit``."""
    rows = tx.connection.execute(
        sa.select(ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.record)
        .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq > seq)
        .order_by(ENTRIES.c.seq)
        .limit(limit)
    )
    return [(r.seq, EntryHash(r.hash), bytes(r.record)) for r in rows]


def entry_hashes(tx: Transaction, feed_row: int, seqs: Sequence[int]) -> dict[int, EntryHash]:
    """Find the hashes that we hold at the given seqs, as far as something signed names them."""
    if not seqs:
        return {}
    rows = tx.connection.execute(
        sa.select(ENTRIES.c.seq, ENTRIES.c.hash).where(
            ENTRIES.c.feed_row == feed_row,
            ENTRIES.c.seq.in_(seqs),
            sa.or_(ENTRIES.c.code.is_(None), ENTRIES.c.code != UNLINKED),
        )
    )
    return {r.seq: EntryHash(r.hash) for r in rows}


def find_entry(tx: Transaction, feed_row: int, seq: int) -> EntryRow | None:
    """Find one entry."""
    row = tx.connection.execute(
        sa.select(ENTRIES).where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == seq)
    ).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["record"] = bytes(values["record"])
    return EntryRow(**values)


def entries_of_kinds(tx: Transaction, feed_row: int, kinds: Sequence[str]) -> list[EntryRow]:
    """List the entries of some kinds in a feed, ascending."""
    rows = tx.connection.execute(
        sa.select(ENTRIES)
        .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.kind.in_(kinds))
        .order_by(ENTRIES.c.seq)
    )
    return [EntryRow(**{**row._mapping, "record": bytes(row.record)}) for row in rows]  # noqa: SLF001


def rejected_entries(
    tx: Transaction,
    limit: int,
    *,
    origin: NodeId | None = None,
    code: str | None = None,
    since: datetime | None = None,
    after: tuple[int, int] | None = None,
) -> list[EntryRow]:
    """List entries of others whose content was rejected.

    Args:
        since: only those received later, the newest first.
        after: only those behind this feed row and seq, ascending.
    """
    statement = (
        sa.select(ENTRIES)
        .join(FEEDS, FEEDS.c.feed_row == ENTRIES.c.feed_row)
        # In words, so that SQLite sees that the index of the few rejected ones is enough.
        .where(sa.text("entries.state = 'rejected'"), FEEDS.c.own == sa.false())
        .limit(limit)
    )
    if origin is not None:
        statement = statement.where(FEEDS.c.node_id == origin)
    if code is not None:
        statement = statement.where(ENTRIES.c.code == code)
    if since is not None:
        newest = (ENTRIES.c.received_at.desc(), ENTRIES.c.feed_row, ENTRIES.c.seq)
        statement = statement.where(ENTRIES.c.received_at >= since).order_by(*newest)
    if after is not None:
        feed_row, seq = after
        behind = sa.or_(
            ENTRIES.c.feed_row > feed_row, (ENTRIES.c.feed_row == feed_row) & (ENTRIES.c.seq > seq)
        )
        statement = statement.where(behind).order_by(ENTRIES.c.feed_row, ENTRIES.c.seq)
    rows = tx.connection.execute(statement)
    return [EntryRow(**{**row._mapping, "record": bytes(row.record)}) for row in rows]  # noqa: SLF001


def update_entry(tx: Transaction, feed_row: int, seq: int, **values: object) -> None:
    """Change columns of an entry."""
    tx.connection.execute(
        ENTRIES.update()
        .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == seq)
        .values(**values)
    )


def find_entry_of_hash(tx: Transaction, entry_hash: EntryHash) -> EntryRow | None:
    """Find an entry by its hash; a stub is only said to have it, so it comes last."""
    row = tx.connection.execute(
        sa.select(ENTRIES.c.feed_row, ENTRIES.c.seq)
        .where(ENTRIES.c.hash == entry_hash)
        .order_by(ENTRIES.c.state == STUB, ENTRIES.c.feed_row, ENTRIES.c.seq)
        .limit(1)
    ).one_or_none()
    return None if row is None else find_entry(tx, row.feed_row, row.seq)


def count_entries(tx: Transaction, *, state: str | None = None) -> int:
    """Count the entries held."""
    statement = sa.select(sa.func.count()).select_from(ENTRIES)
    if state is not None:
        statement = statement.where(ENTRIES.c.state == state)
    return int(tx.connection.execute(statement).scalar_one())
